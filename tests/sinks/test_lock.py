"""One run at a time under a prefix in a folder."""

import os
import threading

import filelock
import pytest

from keras_manifold.sinks._lock import RunLock


def in_a_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


@pytest.fixture
def lock(tmp_path):
    lock = RunLock(tmp_path, "a", object())
    yield lock
    lock.release()


def test_others_see_a_file_that_is_locked_until_the_release(lock, tmp_path):
    other = filelock.FileLock(tmp_path / ".a.lock", blocking=False)
    with pytest.raises(filelock.Timeout):
        other.acquire()
    assert lock.is_held
    lock.release()
    assert not lock.is_held
    with other:
        assert other.is_locked


def test_two_of_one_fit_are_refused_by_what_they_share(tmp_path):
    fit = object()
    lock = RunLock(tmp_path, "a", fit)
    with pytest.raises(ValueError, match=r"to itself. Received: directory=.*prefix='a'"):
        RunLock(tmp_path, "a", fit)
    assert lock.is_held, "the refusal leaves the first in place"
    lock.release()


def test_other_prefixes_and_folders_are_free(lock, tmp_path):
    (tmp_path / "b").mkdir()
    for directory, prefix in [(tmp_path, "b"), (tmp_path / "b", "a")]:
        RunLock(directory, prefix, object()).release()


def test_a_folder_is_one_whatever_it_is_called(lock, tmp_path, monkeypatch):
    link = tmp_path.with_name(f"{tmp_path.name}_link")
    link.symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    for name in (link, ".", os.fspath(tmp_path / "x" / "..")):
        with pytest.raises(ValueError, match="to itself"):
            RunLock(name, "a", lock._fit)


def test_a_later_fit_of_the_thread_takes_over_what_an_exception_left(tmp_path):
    left = RunLock(tmp_path, "a", object())
    lock = RunLock(tmp_path, "a", object())
    assert not left.is_held
    assert lock.is_held
    lock.release()


def test_a_fit_in_another_thread_is_refused_while_this_one_lives(lock, tmp_path):
    refusals = []

    def work():
        with pytest.raises(ValueError, match="to itself") as refused:
            RunLock(tmp_path, "a", object())
        refusals.append(refused)

    in_a_thread(work)
    assert len(refusals) == 1
    assert lock.is_held


def test_what_a_thread_left_that_has_ended_is_taken_over(tmp_path):
    left = []
    in_a_thread(lambda: left.append(RunLock(tmp_path, "a", object())))
    RunLock(tmp_path, "a", object()).release()
    assert not left[0].is_held
