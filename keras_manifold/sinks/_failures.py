"""Failures that must not end a training."""

import contextlib
import warnings


class OneWarning:
    """What fails costs a warning, the first time, and not the training.

    Args:
        what: Beginning of the warning, such as "Results can't be written to runs/one".
    """

    def __init__(self, what: str):
        self._what = what
        self._has_warned = False

    @contextlib.contextmanager
    def instead_of(self, *errors: type[Exception]):
        """Warns where one of these errors would be raised."""
        try:
            yield
        except errors as error:
            if not self._has_warned:
                warnings.warn(
                    f"{self._what}: {error}. Training continues; further such failures "
                    "are not reported.",
                    stacklevel=4,
                )
            self._has_warned = True

    def forget(self) -> None:
        """Warns of the next failure again."""
        self._has_warned = False
