"""Work that is done beside the training."""

from concurrent.futures import Future, ThreadPoolExecutor


class Beside:
    """One thread, which works while the training continues.

    It holds the work of one snapshot at a time: what was begun before `mark` is waited for
    before more is begun.
    """

    def __init__(self):
        self._pool: ThreadPoolExecutor | None = None
        self._under_way: list[Future] = []
        self._is_marked = False

    def begin(self, work, *arguments, **options):
        """Has `work(*arguments, **options)` done; what it raises comes out of `wait`."""
        if self._is_marked:
            self.wait()
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="keras_manifold")
        self._under_way.append(self._pool.submit(work, *arguments, **options))

    def mark(self):
        """Ends a snapshot. Waits for the one before if nothing was begun since."""
        if self._is_marked:
            self.wait()
        self._is_marked = True

    def wait(self):
        """Returns once everything is done."""
        self._is_marked = False
        while self._under_way:
            self._under_way.pop(0).result()

    def end(self):
        """Waits, and lets the thread go."""
        self.wait()
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def __getstate__(self):
        self.end()  # threads can't be copied
        return vars(self)
