"""Work beside the training: in order, one snapshot at a time, none lost."""

import copy
import threading

import pytest

from keras_manifold.sinks._beside import Beside


@pytest.fixture
def beside():
    beside = Beside()
    yield beside
    beside.end()


def test_work_is_done_in_its_order_by_one_other_thread(beside):
    done = []

    def work(number, *, name):
        done.append((number, name, threading.current_thread().name))

    for number in range(20):
        beside.begin(work, number, name="n")
    beside.wait()
    assert [number for number, _, _ in done] == list(range(20))
    names = {(name, thread) for _, name, thread in done}
    assert len(names) == 1
    assert threading.current_thread().name not in names.pop()


def test_it_does_not_wait_for_the_snapshot_at_hand(beside):
    may_end = threading.Event()
    beside.begin(may_end.wait, 60)
    beside.begin(may_end.wait, 60)
    beside.mark()  # would stay here for ever if it waited
    may_end.set()
    beside.wait()


@pytest.mark.parametrize("next_one", ["begin", "mark"])
def test_the_snapshot_before_is_done_before_the_next(next_one, beside):
    may_end, ended = threading.Event(), []

    def work():
        assert may_end.wait(60)
        ended.append("first")

    beside.begin(work)
    beside.mark()
    threading.Timer(0.05, may_end.set).start()
    beside.begin(lambda: None) if next_one == "begin" else beside.mark()
    assert ended == ["first"]


def test_an_error_comes_out_where_it_is_waited_for_and_once(beside):
    beside.begin(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        beside.wait()
    beside.wait()
    done = []
    beside.begin(done.append, 1)
    beside.wait()
    assert done == [1]


def test_the_end_waits_lets_the_thread_go_and_allows_a_new_beginning(beside):
    done, threads = [], []
    for number in range(2):
        beside.begin(lambda: threads.append(threading.current_thread()))
        beside.begin(done.append, number)
        beside.end()
        assert done == list(range(number + 1))
        assert not any(thread.is_alive() for thread in threads)


def test_a_copy_has_work_of_its_own(beside):
    done = []
    beside.begin(done.append, 1)
    twin = copy.deepcopy(beside)
    assert done == [1]
    twin.begin(done.append, 2)
    twin.end()
    assert done == [1, 2]
