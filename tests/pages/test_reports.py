import base64
import csv
import io
import itertools
import json
import os
import re
import shutil
import time
import tracemalloc
from html.parser import HTMLParser

import keras
import numpy as np
import pytest
from PIL import Image

import keras_manifold as km
from keras_manifold.pages._reports import write_page


def write_tangents(
    folder, step, *, samples=3, k=4, shape=(6, 6, 1), name="tangent", seed=0
):
    """A file as TangentAnalyzer writes it; returns its arrays."""
    rng = np.random.default_rng([seed, step])
    vectors = rng.normal(size=(samples, k, *shape)).astype("float32")
    vectors /= np.sqrt((vectors**2).sum(axis=tuple(range(2, vectors.ndim)), keepdims=True))
    spectrum = -np.sort(-rng.uniform(0.01, 4, (samples, k + 2)).astype("float32"))
    arrays = {
        "vectors": vectors,
        "singular_values": spectrum[:, :k],
        "code_vectors": np.zeros((samples, k, k + 2), "float32"),
        "spectrum": spectrum,
    }
    folder.mkdir(exist_ok=True)
    np.savez_compressed(folder / f"{name}_space_{step:04d}.npz", **arrays)
    return arrays


def write_reconstructions(folder, step, *, samples=4, shape=(6, 6, 1), noise=True):
    """A file as ReconstructionGrid writes it; returns its arrays."""
    rng = np.random.default_rng([7, step])
    rows = ["input", "reconstruction", *(["noisy_input", "denoised"] if noise else [])]
    arrays = {row: rng.uniform(size=(samples, *shape)).astype("float32") for row in rows}
    folder.mkdir(exist_ok=True)
    np.savez_compressed(folder / f"reconstruction_{step:04d}.npz", **arrays)
    return arrays


def write_scalars(folder, rows, name="tangent_scalars.csv"):
    folder.mkdir(exist_ok=True)
    with open(folder / name, "w", newline="") as file:
        csv.writer(file).writerows(rows)


class Fragments(HTMLParser):
    """What the page holds, read as a browser reads HTML."""

    def __init__(self, path):
        super().__init__()
        self.files, self.runs, self._into = {}, [], None
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "script" and "data-run" in attrs:
            self._into = self.runs.append
        elif tag == "script" and "data-file" in attrs:
            name = attrs["data-file"]
            self._into = lambda value: self.files.__setitem__(name, value)

    def handle_data(self, data):
        if self._into is not None:
            self._into(json.loads(data))
            self._into = None


def tile(sprite, row, column):
    """Values of one tile as `(channels, height, width)`, NaN where missing."""
    image = Image.open(io.BytesIO(base64.b64decode(sprite["png"])))
    codes = np.asarray(image).astype("float64")
    height, width = sprite["height"], sprite["width"]
    planes = []
    for channel in range(sprite["channels"]):
        plane = (row * sprite["columns"] + column) * sprite["channels"] + channel
        y, x = divmod(plane, sprite["across"])
        planes.append(codes[y * height : (y + 1) * height, x * width : (x + 1) * width])
    low, high = sprite["ranges"][row]
    codes = np.stack(planes)
    values = low + (codes - 1) / sprite["levels"] * (high - low)
    return np.where(codes == 0, np.nan, values)


def half_a_level(sprite, row):
    low, high = sprite["ranges"][row]
    return 0.5001 * (high - low) / sprite["levels"]


# --- What the page holds -----------------------------------------------------------------


def test_numbers_of_a_look_stand_in_the_page_in_full_precision(tmp_path):
    arrays = write_tangents(tmp_path, 3)
    look = Fragments(write_page(tmp_path)).files["tangent_space_0003.npz"]
    assert (look["kind"], look["name"], look["step"]) == ("tangents", "tangent", 3)
    for name in ("singular_values", "spectrum"):
        np.testing.assert_array_equal(np.float32(look[name]), arrays[name])
    exact = arrays["spectrum"].astype("float64")
    np.testing.assert_array_equal(look["low"], exact.min(axis=0))
    np.testing.assert_array_equal(look["high"], exact.max(axis=0))
    np.testing.assert_allclose(look["mean"], exact.mean(axis=0), rtol=1e-15)


def test_folders_without_csv_have_norm_dimension_and_top_from_the_spectra(tmp_path):
    sigma = write_tangents(tmp_path, 0, name="decoder")["spectrum"].astype("float64")
    look = Fragments(write_page(tmp_path)).files["decoder_space_0000.npz"]
    energy = (sigma**2).sum(axis=1)
    assert look["scalars"] == {
        "decoder_norm": pytest.approx(np.sqrt(energy).mean(), rel=1e-12),
        "decoder_dimension": pytest.approx(
            (energy**2 / (sigma**4).sum(axis=1)).mean(), rel=1e-12
        ),
        "decoder_top": pytest.approx(sigma[:, 0].mean(), rel=1e-12),
    }


@pytest.mark.parametrize(
    ("shape", "to_planes"),
    [
        ((6, 5), lambda v: v[None]),
        ((6, 5, 1), lambda v: np.moveaxis(v, -1, 0)),
        ((6, 5, 3), lambda v: np.moveaxis(v, -1, 0)),
        ((3, 6, 5), lambda v: v),
        ((1, 6, 5), lambda v: v),
        ((7,), lambda v: v[None, None]),
        ((40, 2), lambda v: v.T[:, None]),
        ((2, 3, 4, 5), lambda v: v.reshape(1, 1, -1)),
        ((128, 70), lambda v: v[None, ::2, ::2]),
        ((1500,), lambda v: v[None, None, ::3]),
    ],
)
def test_pictures_are_the_arrays_to_half_a_level_of_their_scale(tmp_path, shape, to_planes):
    vectors = write_tangents(tmp_path, 1, samples=2, k=3, shape=shape)["vectors"]
    rows = write_reconstructions(tmp_path, 1, samples=2, shape=shape)
    files = Fragments(write_page(tmp_path)).files
    tangents = files["tangent_space_0001.npz"]["pictures"]
    grid = files["reconstruction_0001.npz"]["pictures"]
    for sample in range(2):
        # A scale for each sample, with 0 in its middle.
        limit = np.abs(to_shown(vectors[sample], to_planes)).max()
        assert tangents["ranges"][sample][1] >= limit - 1e-7
        assert tangents["ranges"][sample][0] == -tangents["ranges"][sample][1]
        for i in range(3):
            np.testing.assert_allclose(
                tile(tangents, sample, i),
                to_planes(vectors[sample, i]),
                atol=half_a_level(tangents, sample),
            )
        for row, values in enumerate(rows.values()):
            np.testing.assert_allclose(
                tile(grid, row, sample),
                to_planes(values[sample]),
                atol=half_a_level(grid, row),
            )


def to_shown(vectors, to_planes):
    return np.stack([to_planes(vector) for vector in vectors])


def test_reconstructions_share_one_scale_and_tell_their_errors(tmp_path):
    rows = write_reconstructions(tmp_path, 2)
    look = Fragments(write_page(tmp_path)).files["reconstruction_0002.npz"]
    assert look["rows"] == ["input", "reconstruction", "noisy_input", "denoised"]
    top = max(float(values.max()) for values in rows.values())
    assert look["pictures"]["ranges"] == [[0, top]] * 4
    for made in ("reconstruction", "denoised"):
        squares = (rows[made].astype("float64") - rows["input"]) ** 2
        np.testing.assert_allclose(look["errors"][made], squares.mean(axis=(1, 2, 3)))


def test_sixteen_samples_and_vectors_are_shown_of_more(tmp_path):
    arrays = write_tangents(tmp_path, 1, samples=20, k=18)
    look = Fragments(write_page(tmp_path)).files["tangent_space_0001.npz"]
    assert (look["samples"], look["vectors"]) == (20, 18)
    assert np.shape(look["singular_values"]) == (16, 16)
    assert (look["pictures"]["rows"], look["pictures"]["columns"]) == (16, 16)
    # The range is that of all samples.
    exact = arrays["spectrum"].astype("float64")
    np.testing.assert_array_equal(look["high"], exact.max(axis=0))


def test_what_is_not_finite_is_null_and_missing(tmp_path):
    arrays = write_tangents(tmp_path, 1)
    arrays["vectors"][0, 1, 2, 3] = np.nan
    arrays["singular_values"][0, 1] = arrays["spectrum"][0, 1] = np.nan
    np.savez(tmp_path / "tangent_space_0001.npz", **arrays)
    look = Fragments(write_page(tmp_path)).files["tangent_space_0001.npz"]
    assert look["singular_values"][0][1] is None
    assert look["mean"][1] is None
    assert look["scalars"]["tangent_norm"] is None
    shown = tile(look["pictures"], 0, 1)
    assert np.argwhere(np.isnan(shown)).tolist() == [[0, 2, 3]]
    assert np.isfinite(tile(look["pictures"], 0, 0)).all()


def test_csv_cells_are_numbers_gaps_or_absent(tmp_path):
    write_scalars(
        tmp_path,
        [["step", "loss", "lr"], [0, "", "0.1"], [1, "0.125", "nan"], [2, "inf", ""], [3]],
    )
    content = Fragments(write_page(tmp_path)).files["tangent_scalars.csv"]
    assert content["values"] == {
        "loss": [[1, 0.125], [2, None]],
        "lr": [[0, 0.1], [1, None]],
    }


def test_the_log_of_keras_counts_epochs_from_zero(tmp_path, digits):
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Dense(1)])
    model.compile("sgd", loss="mse")
    logger = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    history = model.fit(digits[:32], digits[:32], epochs=2, callbacks=[logger], verbose=0)
    content = Fragments(write_page(tmp_path)).files["log.csv"]
    assert content["values"]["loss"] == [
        [1, history.history["loss"][0]],
        [2, history.history["loss"][1]],
    ]


def test_files_of_others_are_left_out(tmp_path):
    write_tangents(tmp_path, 1)
    np.savez(tmp_path / "weights_0001.npz", a=np.ones(3))
    (tmp_path / "table.csv").write_text("name,value\na,1\n")
    (tmp_path / ".tangent_space_0002.npz").write_bytes(b"half written")
    files = Fragments(write_page(tmp_path)).files
    assert files.pop("tangent_space_0001.npz") is not None
    assert files == {"weights_0001.npz": None, "table.csv": None}


def test_names_cannot_leave_their_place_in_the_page(tmp_path):
    folder = tmp_path / "a & <b>"
    write_scalars(folder, [["step", "</script><script>alert(1)</script>"], [1, 2.0]])
    write_tangents(folder, 1, name='"><img src=x>'.replace("/", ""))
    page = Fragments(write_page(folder))
    assert page.runs == [{"label": "a & <b>"}]
    assert set(page.files) == {"tangent_scalars.csv", '"><img src=x>_space_0001.npz'}
    assert list(page.files["tangent_scalars.csv"]["values"]) == [
        "</script><script>alert(1)</script>"
    ]


def test_what_the_callbacks_write_is_what_the_page_shows(tmp_path, digits):
    model = km.AutoEncoder.dense((8, 8, 1), 3, noise=km.NoiseInjection("gaussian", 0.2))
    model.compile("adam", loss="mse")
    watch = km.TangentAnalyzer(digits[:4], k=3, directory=tmp_path)
    grid = km.ReconstructionGrid(digits[:5], directory=tmp_path)
    model.fit(digits[:256], epochs=2, callbacks=[watch, grid], verbose=0)
    files = Fragments(write_page(tmp_path)).files
    looks = {name: look for name, look in files.items() if name.endswith(".npz")}
    assert len(looks) == 6
    for name, look in looks.items():
        with np.load(tmp_path / name) as arrays:
            if look["kind"] == "tangents":
                np.testing.assert_array_equal(look["spectrum"], arrays["spectrum"])
                shown, expected = tile(look["pictures"], 3, 2), arrays["vectors"][3, 2]
                tolerance = half_a_level(look["pictures"], 3)
            else:
                assert look["rows"] == [
                    "input",
                    "reconstruction",
                    "noisy_input",
                    "denoised",
                ]
                shown, expected = tile(look["pictures"], 3, 4), arrays["denoised"][4]
                tolerance = half_a_level(look["pictures"], 3)
            np.testing.assert_allclose(shown[0], expected[..., 0], atol=tolerance)


# --- How it is written --------------------------------------------------------------------


@pytest.fixture
def opened(monkeypatch):
    """Names of the npz files that are opened to be read."""
    names, load = [], np.load

    def noted(path, **options):
        names.append(os.path.basename(path))
        return load(path, **options)

    monkeypatch.setattr(np, "load", noted)
    return names


def test_files_that_did_not_change_are_not_read_again(tmp_path, opened):
    for step in range(4):
        write_tangents(tmp_path, step)
        write_reconstructions(tmp_path, step)
    before = Fragments(write_page(tmp_path)).files
    opened.clear()
    assert Fragments(write_page(tmp_path)).files == before
    # One file is looked into, to see that the folder holds results at all.
    assert opened == ["reconstruction_0000.npz"]


def test_new_changed_and_deleted_files_are_seen(tmp_path, opened):
    for step in range(4):
        write_tangents(tmp_path, step)
    write_reconstructions(tmp_path, 0)
    before = Fragments(write_page(tmp_path)).files
    (tmp_path / "tangent_space_0001.npz").unlink()
    changed = write_tangents(tmp_path, 2, seed=1)
    write_tangents(tmp_path, 4)
    opened.clear()
    after = Fragments(write_page(tmp_path)).files
    assert set(opened) == {
        "reconstruction_0000.npz",
        "tangent_space_0002.npz",
        "tangent_space_0004.npz",
    }
    assert set(after) == set(before) - {"tangent_space_0001.npz"} | {
        "tangent_space_0004.npz"
    }
    np.testing.assert_array_equal(
        np.float32(after["tangent_space_0002.npz"]["spectrum"]), changed["spectrum"]
    )
    for name in ("tangent_space_0000.npz", "tangent_space_0003.npz"):
        assert after[name] == before[name]


def test_memory_does_not_grow_with_the_looks(tmp_path):
    def peak(looks):
        for step in range(looks):
            write_tangents(tmp_path, step, samples=8, k=8, shape=(28, 28))
        write_page(tmp_path)
        tracemalloc.start()
        page = write_page(tmp_path)
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size, page.stat().st_size

    few, small = peak(3)
    many, large = peak(40)
    assert large - small > 37 * 20_000
    assert many - few < 100_000  # the names and stamps of the files


def test_a_write_that_fails_leaves_the_old_page(tmp_path, monkeypatch):
    write_tangents(tmp_path, 0)
    page = write_page(tmp_path)
    old = page.read_bytes()
    write_tangents(tmp_path, 1)

    def no_memory(*_, **__):
        raise MemoryError("no memory for a picture")

    monkeypatch.setattr(Image, "fromarray", no_memory)
    with pytest.raises(MemoryError, match="for a picture"):
        write_page(tmp_path)
    assert page.read_bytes() == old
    assert {path.suffix for path in tmp_path.iterdir()} == {".html", ".npz"}


def test_an_unreadable_file_is_named_and_tried_again(tmp_path):
    write_tangents(tmp_path, 0)
    whole = (tmp_path / "tangent_space_0000.npz").read_bytes()
    torn = tmp_path / "tangent_space_0001.npz"
    torn.write_bytes(whole[: len(whole) // 2])
    assert Fragments(write_page(tmp_path)).files[torn.name] == {"kind": "unreadable"}
    status = torn.stat()
    torn.write_bytes(whole)
    os.utime(torn, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert Fragments(write_page(tmp_path)).files[torn.name]["kind"] == "tangents"


def test_a_page_of_someone_else_is_not_replaced(tmp_path):
    write_tangents(tmp_path, 0)
    (tmp_path / "index.html").write_text("<h1>My notes</h1>")
    with pytest.raises(FileExistsError, match="Rename it"):
        write_page(tmp_path)
    assert (tmp_path / "index.html").read_text() == "<h1>My notes</h1>"


def test_folders_without_results_are_refused(tmp_path):
    with pytest.raises(ValueError, match="without such npz or CSV"):
        write_page(tmp_path)
    np.savez(tmp_path / "weights_0001.npz", a=np.ones(3))
    (tmp_path / "tangent_space_0001.npz").write_bytes(b"no npz")
    with pytest.raises(ValueError, match="without such npz or CSV"):
        write_page(tmp_path)
    with pytest.raises(ValueError, match="is no folder"):
        write_page(tmp_path / "missing")
    assert not (tmp_path / "index.html").exists()


def test_a_report_is_refused_before_anything_is_written(tmp_path):
    for name in ("a", "b", "deeper/a"):
        (tmp_path / name).mkdir(parents=True)
        write_tangents(tmp_path / name, 0)
    (tmp_path / "empty").mkdir()
    a, b, out = tmp_path / "a", tmp_path / "b", tmp_path / "compare.html"
    out.write_text("old")
    for arguments, message in (
        (([],), "at least one run"),
        (([a, tmp_path / "empty"],), "without such npz or CSV"),
        (([a, tmp_path / "missing"],), "is no folder"),
        (([a, tmp_path / "deeper" / "a"],), "Give `labels`"),
    ):
        with pytest.raises(ValueError, match=message):
            km.report(*arguments, out)
    for labels, message in ((["x"], "2 in all"), (["x", "x"], "label of its own")):
        with pytest.raises(ValueError, match=message):
            km.report([a, b], out, labels=labels)
    with pytest.raises(TypeError, match="`directories` must be a list"):
        km.report(str(a), out)
    with pytest.raises(TypeError, match="`labels` must be a list"):
        km.report([a, b], out, labels="ab")
    assert out.read_text() == "old"


def test_a_report_holds_each_run_under_its_label(tmp_path):
    for name in ("plain", "denoising"):
        write_tangents(tmp_path / name, 0)
    folders = [tmp_path / "plain", tmp_path / "denoising"]
    page = Fragments(km.report(folders, tmp_path / "compare.html"))
    assert page.runs == [{"label": "plain"}, {"label": "denoising"}]
    page = Fragments(km.report(folders, tmp_path / "compare.html", labels=["p", "d"]))
    assert page.runs == [{"label": "p"}, {"label": "d"}]
    assert not (tmp_path / "plain" / "index.html").exists()


def test_the_page_of_a_usual_run_is_below_five_megabytes_and_written_in_no_time(tmp_path):
    for step in range(21):
        write_tangents(tmp_path, step, samples=8, k=16, shape=(28, 28, 1))
        write_reconstructions(tmp_path, step, samples=10, shape=(28, 28, 1))
    assert write_page(tmp_path).stat().st_size < 5e6
    started = time.perf_counter()
    write_page(tmp_path)
    assert time.perf_counter() - started < 0.5  # 10 ms on an idle machine


def test_nothing_in_the_page_points_outside_of_it(tmp_path):
    write_tangents(tmp_path, 0)
    text = write_page(tmp_path).read_text("utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
    assert policy.startswith(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha"
    )
    assert "img-src data:;" in policy
    # Names of XML namespaces and the library's own heading are all the addresses.
    addresses = set(re.findall(r"https?://([^/\s\"'`)]+)", text))
    assert addresses == {"www.w3.org", "d3js.org"}
    assert not re.search(
        r"<(link|iframe|object|embed|base)\b|<script[^>]*\ssrc=|@import", text
    )
    assert "{{" not in re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)


# --- What a browser makes of it ----------------------------------------------------------


@pytest.fixture(scope="session")
def chromium():
    def missing(what):
        if "CI" in os.environ:
            pytest.fail(f"{what} is not installed, and continuous integration needs it")
        pytest.skip(f"{what} is not installed")

    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright")
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        missing("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


@pytest.fixture
def browse(chromium):
    """Opens a page; at the end nothing may have failed or been asked of a network."""
    trouble, contexts = [], []

    def opened(path, *, clock=False, **options):
        context = chromium.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: trouble.append(m.text) if m.type != "log" else None)
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on(
            "request", lambda r: None if allowed(r.url, path) else trouble.append(r.url)
        )
        if clock:
            page.clock.install()
        page.goto(path.as_uri())
        shown(page)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert trouble == []


def allowed(url, path):
    return url == path.as_uri() or url.startswith("data:image/png;base64,")


def shown(page, step=None):
    """Waits until all of a step is drawn."""
    wanted = "html[data-shown]" if step is None else f'html[data-shown="{step}"]'
    page.wait_for_selector(wanted, state="attached", timeout=20_000)


def pixels(page, selector, index=0):
    return (
        page.locator(selector)
        .nth(index)
        .evaluate("c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]")
    )


def numbers(page, selector):
    values = page.locator(f"{selector} data").evaluate_all("all => all.map(d => d.value)")
    return np.array(values, dtype="float64")


@pytest.fixture
def run(tmp_path):
    """A run of four epochs, with the arrays of its looks."""
    folder = tmp_path / "denoising"
    looks = [write_tangents(folder, step, shape=(8, 8, 1)) for step in range(5)]
    for step in range(5):
        write_reconstructions(folder, step, shape=(8, 8, 1))
    write_scalars(
        folder,
        [["step", "loss", "val_loss", "tangent_drift"], [0, "", "", 0.0]]
        + [
            [s, 1 / (s + 1), 1 / (s + 2) if s != 2 else "nan", 0.5 / s] for s in range(1, 5)
        ],
    )
    # A callback that stands earlier sees less of the logs.
    write_scalars(folder, [["step", "loss"], [1, 0.5]], "reconstruction_scalars.csv")
    return folder, looks


def test_looks_by_batches_are_said_to_be_such(run, browse):
    folder, _ = run
    write_scalars(folder, [["step", "epoch"], [4, 1]], "batches_scalars.csv")
    page = browse(write_page(folder))
    slider = page.get_by_role("slider", name="Look")
    assert slider.get_attribute("aria-valuetext") == "batch 4 of 4"
    assert "at batch 4" in page.inner_text("#facts")
    assert "epoch" not in page.inner_text("#curves").lower()
    assert numbers(page, '#numbers [data-name="epoch"]') == 1


def test_the_slider_moves_by_keyboard_and_all_that_is_shown_moves_with_it(run, browse):
    folder, looks = run
    page = browse(write_page(folder))
    slider = page.get_by_role("slider", name="Look")
    assert slider.get_attribute("aria-valuetext") == "epoch 4 of 4"
    before = pixels(page, ".vectors canvas"), pixels(page, ".strips canvas")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    shown(page, 3)
    assert slider.get_attribute("aria-valuetext") == "epoch 3 of 4"
    assert pixels(page, ".vectors canvas") != before[0]
    assert pixels(page, ".strips canvas") != before[1]
    np.testing.assert_array_equal(
        np.float32(numbers(page, ".vectors")), looks[3]["singular_values"][0]
    )
    assert numbers(page, '#numbers [data-name="loss"]') == 1 / 4
    assert numbers(page, '#numbers [data-name="tangent_drift"]') == 0.5 / 3
    page.keyboard.press("Home")
    shown(page, 0)
    np.testing.assert_array_equal(
        np.float32(numbers(page, ".vectors")), looks[0]["singular_values"][0]
    )
    assert numbers(page, '#numbers [data-name="loss"]').size == 0
    sigma = looks[0]["spectrum"].astype("float64")
    expected = np.sqrt((sigma**2).sum(axis=1)).mean()
    np.testing.assert_allclose(
        numbers(page, '#numbers [data-name="tangent_norm"]'), expected, rtol=1e-12
    )


def test_buttons_and_arrow_keys_move_the_slider_and_play_runs_to_the_end(run, browse):
    page = browse(write_page(run[0]))
    page.get_by_role("button", name="Previous look").click()
    shown(page, 3)
    assert not page.get_by_label("Follow the last look").is_checked()
    page.locator("h1").click()
    page.keyboard.press("ArrowLeft")
    shown(page, 2)
    page.get_by_role("button", name="Next look").click()
    shown(page, 3)
    page.get_by_label("Follow the last look").check()
    shown(page, 4)
    assert page.get_by_role("button", name="Next look").is_disabled()
    page.get_by_role("button", name="Play").click()
    shown(page, 1)
    assert page.get_by_role("button", name="Play").get_attribute("aria-pressed") == "true"
    shown(page, 4)
    assert page.get_by_role("button", name="Play").get_attribute("aria-pressed") == "false"


def test_samples_are_chosen_by_keyboard(run, browse):
    folder, looks = run
    page = browse(write_page(folder))
    before = pixels(page, ".vectors canvas")
    page.get_by_role("radio", name="Sample 1").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector('.vectors canvas[aria-label*="of sample 2,"]')
    np.testing.assert_array_equal(
        np.float32(numbers(page, ".vectors")), looks[4]["singular_values"][1]
    )
    assert pixels(page, ".vectors canvas") != before
    # The arrow keys of the choice are its own.
    assert page.get_by_role("slider").get_attribute("aria-valuetext") == "epoch 4 of 4"


def test_curves_tell_their_values_and_take_the_slider_where_one_clicks(run, browse):
    page = browse(write_page(run[0]))
    chart = page.locator("#curves figure", has_text="validation").first.locator(
        ".chart svg"
    )
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    middle = box["x"] + 48 + (box["width"] - 60) / 2  # epoch 2 of 0 to 4, between margins
    page.mouse.move(middle, box["y"] + 100)
    tip = chart.locator("g[aria-label=tip]")
    tip.get_by_text("training").wait_for()
    text = tip.text_content()
    for part in ("epoch 2", "training: 0.3333", "validation: –"):
        assert part in text
    page.mouse.click(middle, box["y"] + 100)
    shown(page, 2)


def test_not_a_number_is_a_gap_and_an_empty_cell_is_none(tmp_path, browse):
    rows = [
        [s, 1.0 + s, "nan" if s == 30 else s, s if s % 5 == 0 else ""] for s in range(60)
    ]
    write_scalars(tmp_path, [["step", "whole", "torn", "sparse"], *rows])
    page = browse(write_page(tmp_path))
    pieces = {
        name: page.locator("#curves figure", has_text=name)
        .locator("g[aria-label=line] path")
        .get_attribute("d")
        .count("M")
        for name in ("whole", "torn", "sparse")
    }
    assert pieces == {"whole": 1, "torn": 2, "sparse": 1}


def test_a_run_that_goes_on_is_loaded_again_and_the_slider_stays(run, browse):
    folder, _ = run
    page = browse(write_page(folder, running=True), clock=True)
    page.get_by_role("button", name="Previous look").click()
    page.get_by_role("slider").focus()
    shown(page, 3)
    write_tangents(folder, 5, shape=(8, 8, 1))
    write_page(folder, running=True)
    with page.expect_navigation():
        page.clock.fast_forward(6_000)
    shown(page, 3)
    assert page.get_by_role("slider").get_attribute("aria-valuetext") == "epoch 3 of 5"
    assert page.evaluate("document.activeElement.id") == "slider"
    page.get_by_label("Follow the last look").check()
    write_tangents(folder, 6, shape=(8, 8, 1))
    write_page(folder)
    with page.expect_navigation():
        page.clock.fast_forward(6_000)
    shown(page, 6)
    # The run is over.
    page.evaluate("window.isTheSame = true")
    page.clock.fast_forward(600_000)
    page.wait_for_timeout(300)
    assert page.evaluate("window.isTheSame === true")


def test_runs_stand_side_by_side_on_one_scale(tmp_path, browse):
    folders, looks = [], []
    for seed, name in enumerate(("plain", "denoising", "contractive")):
        folders.append(tmp_path / name)
        looks.append(write_tangents(folders[-1], 1, shape=(8, 8, 1), seed=seed))
        write_scalars(folders[-1], [["step", "loss"], [1, 1.0 + seed], [2, 0.5 + seed]])
    page = browse(km.report(folders, tmp_path / "compare.html"))
    columns = page.locator("#tangents .runs > div")
    assert columns.locator("h3").all_inner_texts() == ["plain", "denoising", "contractive"]
    for column, look in zip(columns.all(), looks):
        values = column.locator("data").evaluate_all("all => all.map(d => Number(d.value))")
        np.testing.assert_array_equal(np.float32(values), look["singular_values"][0])
    limit = max(np.abs(look["vectors"][0]).max() for look in looks)
    scales = columns.locator(".scale").all_inner_texts()
    assert len(set(scales)) == 1
    assert f"+{limit:.4g}" in scales[0]
    domains = page.locator("#spectrum svg[role=img]").evaluate_all(
        "all => all.map(chart => String(chart.scale('y').domain))"
    )
    assert len(set(domains)) == 1
    # Only where the largest entry of all runs stands is the colour the strongest.
    strongest = {(103, 0, 31), (5, 48, 97)}
    vectors = np.concatenate([look["vectors"][0] for look in looks])
    largest = np.abs(vectors).max(axis=(1, 2, 3))
    for i in range(len(vectors)):
        data = pixels(page, ".vectors canvas", i)
        colours = {tuple(data[p : p + 3]) for p in range(0, len(data), 4)}
        if largest[i] == limit:
            assert colours & strongest
        elif largest[i] < 0.95 * limit:
            assert not colours & strongest
    letters = page.locator("#curves svg[role=img]").first.locator("text[font-weight='700']")
    assert sorted(letters.all_text_contents()) == ["A", "B", "C"]


@pytest.mark.parametrize(
    "shape", [(8, 8, 3), (3, 8, 8), (12,), (60,), (40, 2), (2, 3, 4, 5)]
)
def test_samples_of_other_shapes_are_drawn(tmp_path, browse, shape):
    write_tangents(tmp_path, 1, shape=shape)
    write_reconstructions(tmp_path, 1, shape=shape)
    page = browse(write_page(tmp_path), color_scheme="dark")
    for selector in (".vectors canvas", ".strips canvas", ".samples canvas"):
        data = pixels(page, selector)
        colours = {tuple(data[i : i + 4]) for i in range(0, len(data), 4)}
        if len(shape) == 3:
            assert len(colours) > 32
        else:
            assert (0x74, 0xBB, 0xF2, 255) in colours  # the first colour of dark pages


def test_several_callbacks_of_a_kind_are_chosen_from(tmp_path, browse):
    looks = [write_tangents(tmp_path, 1, name=name, seed=i) for i, name in enumerate("ab")]
    page = browse(write_page(tmp_path))
    choice = page.get_by_label("Tangent spaces of")
    assert choice.locator("option").all_inner_texts() == ["a", "b"]
    for look, name in zip(looks, "ab"):
        choice.select_option(name)
        sigma = look["singular_values"][0]
        page.wait_for_selector(f'.vectors data[value^="{float(sigma[0])}"]')
        np.testing.assert_array_equal(np.float32(numbers(page, ".vectors")), sigma)


def test_pictures_of_samples_say_where_they_come_from(tmp_path, browse):
    arrays = write_tangents(tmp_path, 1)
    note = browse(write_page(tmp_path)).locator("#samples .note").inner_text()
    assert note == "Pictures: the first tangent vector of each."
    write_reconstructions(tmp_path, 1)
    note = browse(write_page(tmp_path)).locator("#samples .note").inner_text()
    assert note == "Pictures: inputs of the reconstructions, taken to be the same samples."
    samples = np.linspace(0, 1, 3 * 36).reshape(3, 6, 6, 1)
    np.savez(tmp_path / "tangent_space_0001.npz", **arrays, input=samples)
    page = browse(write_page(tmp_path))
    assert page.locator("#samples .note").inner_text() == ""
    greys = np.reshape(pixels(page, ".samples canvas", 1), (6, 6, 4))[..., 0]
    np.testing.assert_allclose(greys / 255, samples[1, ..., 0], atol=0.01)


@pytest.mark.parametrize("samples", [1, 16])
def test_one_look_is_enough(tmp_path, browse, samples):
    write_tangents(tmp_path, 7, samples=samples)
    page = browse(write_page(tmp_path))
    assert page.get_by_role("slider").get_attribute("aria-valuetext") == "epoch 7 of 7"
    assert page.locator(".vectors canvas").count() == 4


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("runs", [1, 3])
def test_a_small_phone_shows_all_of_it_and_every_text_has_contrast(
    run, tmp_path, browse, scheme, runs
):
    folders = [run[0]]
    for i in range(1, runs):
        folders.append(tmp_path / f"a run with a rather long name {i}")
        shutil.copytree(run[0], folders[-1])
    path = km.report(folders, tmp_path / "compare.html") if runs > 1 else write_page(run[0])
    page = browse(path, viewport={"width": 360, "height": 740}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.evaluate(POOR_CONTRAST) == []


# WCAG 2.2, contrast (minimum): 4.5 for texts, of which none here counts as large.
POOR_CONTRAST = r"""() => {
  const luminance = (colour) => {
    const [r, g, b] = colour.match(/[\d.]+/g).map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (colour !== "rgba(0, 0, 0, 0)") return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const poor = [];
  for (const node of document.querySelectorAll("body *")) {
    const hasText = [...node.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!hasText || !node.getClientRects().length || node.closest("script")) continue;
    const style = getComputedStyle(node);
    const [a, b] = [node.closest("svg") ? style.fill : style.color, behind(node)]
      .map(luminance).sort((a, b) => b - a);
    if ((a + 0.05) / (b + 0.05) < 4.5) poor.push([node.textContent, behind(node)]);
  }
  return poor;
}"""


def test_everything_that_is_shown_has_a_name_for_those_who_do_not_see_it(run, browse):
    page = browse(write_page(run[0]))
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll(
            "input, select, button, fieldset, section, canvas, svg[role=img], [role=img]")]
          .filter((node) => !node.closest("[hidden], [aria-hidden=true]"))
          .filter((node) => !(node.ariaLabel || node.labels?.[0]?.textContent.trim()
            || node.querySelector?.("legend")?.textContent
            || document.getElementById(node.getAttribute("aria-labelledby"))?.textContent))
          .map((node) => node.outerHTML.slice(0, 200))"""
    )
    assert unnamed == []
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.title() == "denoising"
    for landmark in ("main", "banner", "contentinfo"):
        assert page.get_by_role(landmark).count() == 1
    levels = page.locator("h1, h2, h3").evaluate_all("all => all.map(h => +h.tagName[1])")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    # What has the focus can be seen.
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
