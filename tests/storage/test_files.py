"""Files that are whole or not there, and locks."""

import os
import platform
import subprocess
import sys
import threading
import zlib

import filelock
import pytest

from keras_manifold._storage import files
from keras_manifold._storage.files import locked, replacing

# For processes that are started to be killed: the module alone is there at once.
WITHOUT_KERAS = os.environ | {"PYTHONPATH": os.path.dirname(files.__file__)}


def test_the_file_is_there_once_all_of_it_is_written(tmp_path):
    path = tmp_path / "result"
    path.write_bytes(b"old")
    with replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
        hidden = set(os.listdir(tmp_path)) - {"result"}
        assert all(name.startswith(".result.") for name in hidden)
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["result"]


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "result"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="mine"), replacing(path) as file:  # noqa: PT012
        file.write(b"half")
        raise RuntimeError("mine")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["result"]


def test_a_folder_that_is_missing_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "no" / "result"):
        pass


def test_two_threads_write_one_name_and_one_of_them_whole(tmp_path):
    path = tmp_path / "result"
    inside = threading.Barrier(2, timeout=60)

    def write(letter):
        with replacing(path) as file:
            for _ in range(10):
                inside.wait()
                file.write(letter * 1000)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in (b"a", b"b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in (b"a" * 10_000, b"b" * 10_000)
    assert os.listdir(tmp_path) == ["result"]


def test_a_lock_is_seen_by_others_until_it_is_released(tmp_path):
    path = tmp_path / "lock"
    lock = locked(path)
    other = filelock.FileLock(path, blocking=False, thread_local=False)
    with pytest.raises(filelock.Timeout):
        other.acquire()
    with pytest.raises(BlockingIOError, match=r"Another run holds .*lock"):
        locked(path)
    lock.release()
    with other:
        assert other.is_locked


def test_any_thread_may_release_a_lock(tmp_path):
    lock = locked(tmp_path / "lock")
    thread = threading.Thread(target=lock.release)
    thread.start()
    thread.join()
    locked(tmp_path / "lock").release()


def test_a_lock_ends_with_its_process(tmp_path):
    code = (
        "import sys; import files; "
        "lock = files.locked(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, tmp_path / "lock"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=WITHOUT_KERAS, **pipes) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(BlockingIOError, match="Another run holds"):
            locked(tmp_path / "lock")
        other.kill()
    locked(tmp_path / "lock").release()


def test_a_link_stays_one_and_what_it_leads_to_keeps_its_permissions(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    target.chmod(0o600)
    link.symlink_to(target)
    with replacing(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o600


KILLED = """
import files, os, signal, sys
with files.replacing(sys.argv[1]) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name != "posix", reason="only there a process is seen to have ended")
def test_what_a_killed_process_has_left_is_removed_by_the_next_write(tmp_path):
    path = tmp_path / "result.npz"
    for _ in range(2):
        subprocess.run([sys.executable, "-c", KILLED, str(path)], env=WITHOUT_KERAS)
    (tmp_path / ".result.npz.own").write_bytes(b"of somebody else")
    assert len(os.listdir(tmp_path)) == 2
    with replacing(path) as file:
        file.write(b"whole")
    assert sorted(os.listdir(tmp_path)) == [".result.npz.own", "result.npz"]


HERE = zlib.crc32(platform.node().encode())


@pytest.mark.parametrize(
    "writer",
    [f"{HERE}.{os.getppid()}.1", f"{HERE + 1}.999999999.1"],
    ids=["of this machine", "of another"],
)
def test_what_another_process_is_writing_stays_on_any_machine(writer, tmp_path):
    path = tmp_path / "result"
    aside = tmp_path / f".result.{writer}"
    aside.write_bytes(b"half")
    with replacing(path):
        pass
    assert aside.exists()
    os.utime(aside, (0, 0))
    with replacing(path):
        pass
    assert not aside.exists()


def test_an_unfinished_file_whose_name_begins_alike_stays(tmp_path):
    aside = tmp_path / f".run.1.{HERE}.{os.getpid()}.1"
    aside.write_bytes(b"of run.1")
    os.utime(aside, (0, 0))
    with replacing(tmp_path / "run"):
        pass
    assert aside.exists()
