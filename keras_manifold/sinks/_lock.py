"""One run at a time: a lock on the results of one prefix in one folder."""

import threading
import weakref
from pathlib import Path

from keras_manifold._storage.files import locked

# Locks that callbacks of this process hold, or held in a `fit` that was interrupted.
_held: weakref.WeakValueDictionary = weakref.WeakValueDictionary()


class RunLock:
    """Held from the start of `fit` to its end; the system releases it with the process.

    A `fit` that an exception ended does not tell its callbacks. A lock that it left in this
    process goes over to the next `fit` of the same thread.

    Args:
        directory: Folder of the results, which exists.
        prefix: First part of their names. The lock is the file `.<prefix>.lock`.
        fit: The `params` of the callback, which all callbacks of one `fit` share.

    Raises:
        ValueError: If another `fit`, or another callback of this one, holds it.
    """

    def __init__(self, directory, prefix: str, fit):
        path = Path(directory).resolve() / f".{prefix}.lock"
        earlier = _held.get(path)
        if earlier is not None and earlier._is_left_over(fit):
            earlier.release()
        self._fit = fit
        self._thread = threading.current_thread()
        try:
            self._lock = locked(path)
        except BlockingIOError:
            raise ValueError(
                "A run in progress must have `directory` and `prefix` to itself. Received: "
                f"directory={str(directory)!r}, prefix={prefix!r}, into which another "
                "callback is writing, of this fit or of another process. Give one of the "
                "two another `directory` or `prefix`."
            ) from None
        _held[path] = self

    @property
    def is_held(self):
        return self._lock.is_locked

    def release(self):
        self._lock.release()

    def _is_left_over(self, fit):
        in_other_fit = self._fit is not fit
        same_thread = self._thread is threading.current_thread()
        return in_other_fit and (same_thread or not self._thread.is_alive())
