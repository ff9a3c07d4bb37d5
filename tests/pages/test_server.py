import http.client
import os
import threading
import time

import pytest

from keras_manifold.pages._server import Server

OURS = '<meta name="generator" content="keras_manifold">'


@pytest.fixture
def get(tmp_path):
    folder = tmp_path / "runs"
    folder.mkdir()
    (tmp_path / "secret.html").write_text("secret")
    with Server(folder, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()

        def get(path, host="localhost"):
            connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
            connection.request("GET", path, headers={"Host": host})
            response = connection.getresponse()
            return response.status, response.read().decode()

        yield get
        server.shutdown()
        thread.join()


def test_it_lists_runs_and_follows_those_that_run(get, tmp_path):
    assert "No runs yet" in get("/")[1]
    run = tmp_path / "runs" / "a & b" / "one"
    run.mkdir(parents=True)
    (run / "index.html").write_text(OURS + '<html data-running="true">first')
    status, page = get("/")
    assert status == 200
    assert 'href="/a%20%26%20b/one/">a &amp; b/one</a> (running, now)' in page
    assert "location.reload()" in page
    assert get("/a%20%26%20b/one/")[1].endswith("first")
    old = time.time() - 3 * 86400
    os.utime(run / "index.html", (old, old))
    assert "(it may have ended, 3 days ago)" in get("/")[1]
    (run / "index.html").write_text(OURS + "second")
    (run / "x_0001.png").write_bytes(b"png")
    assert get("/a%20%26%20b/one/")[1] == OURS + "second"
    assert get("/a%20%26%20b/one/x_0001.png") == (200, "png")
    assert "running" not in get("/")[1]


def test_nothing_outside_the_folder_is_served(get, tmp_path):
    runs = tmp_path / "runs"
    (runs / "link.html").symlink_to(tmp_path / "secret.html")
    (runs / ".hidden.html").write_text("hidden")
    (runs / "weights.keras").write_text("weights")
    (runs / "site").mkdir()
    (runs / "site" / "index.html").write_text("somebody else's")
    (runs / "site" / "secret.json").write_text("{}")
    for path in (
        "/../secret.html",
        "/%2e%2e/secret.html",
        "/..%2fsecret.html",
        "//etc/passwd",
        "/link.html",
        "/.hidden.html",
        "/weights.keras",
        "/site/",
        "/site/secret.json",
        "/missing/",
        "/%00.html",
    ):
        status, body = get(path)
        assert (status, "secret" in body) == (404, False), path
    assert get("/", host="evil.example")[0] == 403


def test_a_folder_or_port_that_is_none_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"one with runs in it.*which is no folder"):
        Server(tmp_path / "nothing")
    with pytest.raises(ValueError, match="port=70000"):
        Server(tmp_path, 70000)
    with Server(tmp_path, 0) as server:
        assert server.server_address[0] == "127.0.0.1"
        assert server.address == f"http://localhost:{server.server_port}/"
        with pytest.raises(OSError, match="in use"):
            Server(tmp_path, server.server_port)
