"""Whether losses stay finite while `fit` runs."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import keras


class FiniteLosses(keras.callbacks.Callback):
    """Says once, by name, which loss is not finite at the end of an epoch.

    Args:
        names: Of the metrics of the penalties.
    """

    def __init__(self, names: Sequence[str]):
        super().__init__()
        self._names = tuple(names)
        self.async_safe: bool = True  # it does nothing after a batch

    def on_train_begin(self, logs: Any = None) -> None:
        self._has_warned = False

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs = logs or {}
        known = [name for name in ("loss", *self._names) if name in logs]
        bad = [name for name in known if not math.isfinite(logs[name])]
        if not bad or self._has_warned:
            return
        self._has_warned = True
        warnings.warn(
            f"`{'` and `'.join(bad)}` in epoch {epoch + 1}: {logs[bad[0]]}. Either the "
            "derivative that is penalised is not finite at a sample, as that of a root, a "
            "norm or a logarithm at 0 (a silent clip, a black image): "
            "`keras_manifold.jacobian(model.encoder, x)` names the sample. Or `x` holds "
            "NaN. Or weights have overflowed: take a smaller learning rate.",
            stacklevel=2,
        )
