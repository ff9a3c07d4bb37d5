"""A number of a model that a function of the epoch sets."""

from collections.abc import Callable
from typing import Any, ClassVar

import keras


class Scheduled(keras.callbacks.Callback):
    """Sets a number of the model at the beginning of every epoch, and logs it at the end.

    A subclass says which: `_check` refuses a model without it, `_get` and `_set` reach it.
    `argument` is what the function's second argument is called; `logged` names the number,
    or each of a pair, in `logs`.
    """

    argument: ClassVar[str]
    logged: tuple[str, ...]

    def __init__(self, schedule: Callable[[int, Any], Any], verbose: int = 0):
        super().__init__()
        if not callable(schedule):
            raise TypeError(
                f"`schedule` must be callable as schedule(epoch, {self.argument}). "
                f"Received: schedule={schedule!r}."
            )
        self.schedule = schedule
        self.verbose = verbose

    def on_train_begin(self, logs: Any = None) -> None:
        self._check()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        present = self._get()
        value = self.schedule(epoch, present)
        self._set(value, f"schedule({epoch}, {present})")
        if self.verbose:
            name = type(self).__name__
            print(f"\nEpoch {epoch + 1}: {name} sets the {self.argument} to {value}.")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if logs is not None:
            value = self._get()
            values = value if isinstance(value, tuple) else (value,)
            logs.update(zip(self.logged, values))

    def _check(self):
        raise NotImplementedError

    def _get(self) -> Any:
        raise NotImplementedError

    def _set(self, value, name):
        """Sets the number, which errors call by a name."""
        raise NotImplementedError
