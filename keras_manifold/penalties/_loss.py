"""The loss of a model with penalties on the derivatives of its parts."""

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_manifold import autodiff
from keras_manifold._arguments import Part
from keras_manifold._map.function import Map
from keras_manifold._map.plain import functional_class, is_plain
from keras_manifold.penalties._data import telling_samples
from keras_manifold.penalties._weighted import WeightedPenalty
from keras_manifold.penalties.protocol import Penalty


class PenalisedLoss:
    r"""Loss of the model + Σ weight · mean value of each penalty, with a metric for each.

    A model calls `begin` at the start of each step, `forward` where it computes outputs of
    clean inputs, and `total` in `compute_loss`. It holds `trackers` in an attribute, so
    that Keras finds the metrics.

    Args:
        penalties: Penalties by the names of their metrics.
        map_of: Callable from the part that a penalty is of to its `Map`.
        name: Name of the metric of the loss without penalties.

    Attributes:
        penalties: The same.
        trackers: `keras.metrics.Mean` of the loss without penalties and of each of them.

    Raises:
        ValueError: If the part that a penalty is of declares whole numbers as inputs, or
            mixes samples.
    """

    def __init__(
        self,
        penalties: Mapping[str, Penalty],
        map_of: Callable[[Part], Map],
        *,
        name: str,
    ):
        self.penalties = dict(penalties)
        self.trackers = [keras.metrics.Mean(name=name) for name in (name, *penalties)]
        self._map_of = map_of
        self._mean_of_values = _MeanOfValues(name="mean_of_values")
        self._step = threading.local()  # replicas of `tf.distribute` have a thread each
        if self.penalties:
            functional_class()  # here, not within a compiled step
        for penalty in self._differentiated():
            map_of(penalty.of).check_as_declared()

    def check_data(self, x: Any) -> bool:
        """Checks derivatives at a few telling samples, before the first step of a `fit`.

        Args:
            x: What `fit` got: an array, or a data set, of which the first samples are read.

        Returns:
            Whether something was seen.

        Raises:
            FloatingPointError: If a derivative is not finite at a sample.
            ValueError: If a part whose layers declare no shape mixes samples.
        """
        parts = {penalty.of for penalty in self._differentiated()}
        found = telling_samples(x) if parts else None
        if found is None:
            return False
        samples, indices = found
        for part in parts:
            points = samples
            if part == "decoder":
                codes = self._map_of("encoder")(ops.convert_to_tensor(samples))
                points = ops.convert_to_numpy(codes)
            function = self._map_of(part)
            is_new = not all(getattr(f, "built", True) for f in function.functions)
            with self.gradients_named(), _not_finite_named(samples, indices):
                if is_new:  # its layers declared no shape before
                    function(keras.Input(points.shape[1:], dtype=points.dtype.name))
                function.check_derivatives(points, indices)
                if is_new:
                    function.check_penalised(points)
        return True

    def _differentiated(self):
        """The penalties of which it is known that they are made of derivatives."""
        return [p for p in self.penalties.values() if isinstance(p, WeightedPenalty)]

    def begin(self, x: Any) -> None:
        """Begins a step, whose inputs are `x`."""
        self._step.x = x
        self._step.values = {}
        self._step.added = None

    def end(self) -> None:
        """Ends a step, also after an exception."""
        self._step.x, self._step.values, self._step.added = None, {}, None

    @property
    def in_step(self) -> bool:
        """Whether a step has begun whose loss `total` has not made yet."""
        return getattr(self._step, "x", None) is not None

    def term(self, x: Any) -> Any:
        """Σ weight · mean value, for a model whose loss somebody else makes.

        It is for `add_loss`. Where `total` is asked for in spite of that, it counts once.
        """
        terms = []
        for penalty in self.penalties.values():
            terms.append(penalty.weight * ops.mean(self._values(penalty, x)))
        self._step.added = sum(terms)
        return self._step.added

    def gradients_named(self) -> contextlib.AbstractContextManager:
        """In which a step is taken: operations without a second derivative are named."""
        if self.penalties:
            return autodiff.missing_derivatives_named()
        return contextlib.nullcontext()

    def forward(self, x: Any) -> tuple[Part, Any] | None:
        """Outputs of a part that is penalised, whose values are left for `total`.

        Args:
            x: Inputs, of which the model computes outputs in inference mode.

        Returns:
            The name of the part and its outputs; `None` outside a step with these inputs,
            or if no penalty can share its forward pass.
        """
        if getattr(self._step, "x", None) is not x:
            return None
        for name, penalty in self.penalties.items():
            function = self._map_of(penalty.of)
            with_outputs = getattr(penalty, "with_outputs", None)
            takes_inputs = penalty.of != "decoder"
            if with_outputs and takes_inputs and all(map(is_plain, function.functions)):
                outputs, self._step.values[name] = with_outputs(function, x)
                return penalty.of, outputs
        return None

    def total(
        self, loss: Any, x: Any, sample_weight: Any = None, added: Sequence[Any] = ()
    ) -> Any:
        """The loss with the penalties, after the metrics are told of both.

        Args:
            loss: What Keras computed of the outputs, a scalar, regularization included.
            x: Clean inputs of the step, `(batch, *input_shape)`.
            sample_weight: Weights of samples or of their entries, `(batch, ...)`, or
                `None`.
            added: Losses that layers have added, in `loss`; they are no part of the metric.
        """
        batch = ops.shape(keras.tree.flatten(x)[0])[0]
        share = self._share_of_replica()
        own = getattr(self._step, "added", None)
        regularization = sum(ops.sum(value) for value in added if value is not own)
        if any(value is own for value in added):
            loss = loss - share * own
        self.trackers[0].update_state(
            (loss - share * regularization) / share, sample_weight=batch
        )
        shared = self._step.values if getattr(self._step, "x", None) is x else {}
        self.end()
        weights = _weight_of_samples(sample_weight)
        for (name, penalty), tracker in zip(self.penalties.items(), self.trackers[1:]):
            values = shared.get(name)
            if values is None:
                values = self._values(penalty, x)
            mean = self._mean_of_values(values, values, weights)
            tracker.update_state(mean / share, sample_weight=batch)
            loss = loss + penalty.weight * mean
        return loss

    def _values(self, penalty, x):
        points = self._map_of("encoder")(x) if penalty.of == "decoder" else x
        return penalty(self._map_of(penalty.of), points)

    def _share_of_replica(self):
        """What Keras multiplies a loss with: 1, or 1 / replicas under `tf.distribute`."""
        one = ops.ones((1,))
        return self._mean_of_values(one, one)


@contextlib.contextmanager
def _not_finite_named(samples, indices):
    """In which a derivative that is not finite, as the sample is not, is said to be so."""
    try:
        yield
    except FloatingPointError as error:
        is_finite = np.isfinite(samples).reshape(len(samples), -1).all(axis=1)
        if is_finite.all():
            raise
        raise FloatingPointError(
            "`x` must be finite where a derivative is penalised. Received: NaN or infinite "
            f"entries in x[{np.min(indices[~is_finite])}]. Remove such samples, or replace "
            "the entries: np.nan_to_num(x)."
        ) from error


class _MeanOfValues(keras.losses.Loss):
    """Mean of given values, with weights and on replicas as Keras takes it of losses."""

    def call(self, y_true, y_pred):
        return y_pred


def _weight_of_samples(sample_weight):
    """One weight a sample, from weights of samples or of their entries."""
    if sample_weight is None or len(sample_weight.shape) == 1:
        return sample_weight
    return ops.mean(sample_weight, axis=tuple(range(1, len(sample_weight.shape))))
