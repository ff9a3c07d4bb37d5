"""Threads of NumPy's products of matrices."""

import contextlib
import threading
from typing import Any


class OneBlasThread(contextlib.AbstractContextManager):
    """One thread for NumPy's products of matrices, while anybody is inside.

    The limit belongs to the process: the first to enter sets it, the last lifts it.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._inside = 0
        self._limit: Any = None

    def __enter__(self):
        from threadpoolctl import threadpool_limits

        with self._lock:
            if self._inside == 0:
                self._limit = threadpool_limits(1, user_api="blas")
            self._inside += 1

    def __exit__(self, *_):
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._limit.restore_original_limits()


ONE_BLAS_THREAD = OneBlasThread()
