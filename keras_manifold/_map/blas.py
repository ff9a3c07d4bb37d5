"""How many threads NumPy's products of matrices take."""

import contextlib
import functools
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any


class OneBlasThread(contextlib.AbstractContextManager):
    """One thread for NumPy's products of matrices, while anybody is inside.

    The limit belongs to the process: the first to enter sets it, the last lifts it. Limits
    that don't count each other stay behind where the second to be set is lifted last. As
    newer versions of threadpoolctl lift a limit only from the thread that set it, both is
    done by a thread of its own, which lives as long as the limit.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._inside = 0
        self._keeper: Any = None
        self._limit: Any = None

    def __enter__(self):
        with self._lock:
            if self._inside == 0:
                self._set()
            self._inside += 1

    def __exit__(self, *_):
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._lift()

    def _set(self):
        self._keeper = ThreadPoolExecutor(1, thread_name_prefix="keras_manifold_blas")
        limit = _libraries().limit
        self._limit = self._keeper.submit(limit, limits=1, user_api="blas").result()

    def _lift(self):
        self._keeper.submit(self._limit.restore_original_limits).result()
        self._keeper.shutdown()
        self._keeper = self._limit = None


@functools.cache  # to look through all that a process has loaded takes milliseconds
def _libraries():
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


# The one of the process.
ONE_BLAS_THREAD = OneBlasThread()
