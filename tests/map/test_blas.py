"""One thread for products of matrices, whoever asks for it, and as before afterwards."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from keras_manifold._map.blas import ONE_BLAS_THREAD, OneBlasThread


def threads_of_blas():
    return {lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"}


def in_a_thread(work, *arguments, **options):
    """Done by a thread that ends: one that lives may keep its hold on the number."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work, *arguments, **options).result()


@pytest.fixture(autouse=True)
def _two_threads():
    limit = in_a_thread(threadpool_limits, 2, user_api="blas")
    if threads_of_blas() != {2}:
        pytest.skip("BLAS has no second thread here")
    yield
    in_a_thread(limit.restore_original_limits)


def test_inside_there_is_one_thread_and_outside_there_are_as_many_as_before():
    with OneBlasThread():
        assert threads_of_blas() == {1}
    assert threads_of_blas() == {2}


def test_it_may_be_entered_again_inside():
    one = OneBlasThread()
    with one:
        with one:
            pass
        assert threads_of_blas() == {1}, "somebody is inside still"
    assert threads_of_blas() == {2}


def test_an_exception_lifts_the_limit():
    with pytest.raises(RuntimeError, match="mine"), OneBlasThread():
        raise RuntimeError("mine")
    assert threads_of_blas() == {2}


def test_a_generator_may_be_closed_by_another_thread():
    def inside():
        with one:
            yield threads_of_blas()

    one = OneBlasThread()
    generator = inside()
    assert next(generator) == {1}
    in_a_thread(generator.close)
    assert threads_of_blas() == {2}


def test_others_may_set_limits_afterwards():
    with OneBlasThread():
        pass

    def limited():
        with threadpool_limits(1, user_api="blas"):
            return threads_of_blas()

    assert in_a_thread(limited) == {1}


def test_the_first_of_two_threads_may_leave_first():
    """In this order limits that don't count each other leave one thread for ever."""
    first_is_in, second_is_in, first_is_out = (threading.Event() for _ in range(3))
    seen = []

    def first():
        with ONE_BLAS_THREAD:
            first_is_in.set()
            assert second_is_in.wait(60)
        seen.append(threads_of_blas())
        first_is_out.set()

    def second():
        assert first_is_in.wait(60)
        with ONE_BLAS_THREAD:
            second_is_in.set()
            assert first_is_out.wait(60)
        seen.append(threads_of_blas())

    threads = [threading.Thread(target=work) for work in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [{1}, {2}]
