"""Corruption of inputs, for denoising autoencoders."""

import math
import numbers
from typing import Any, Literal

import keras
from keras import ops

from keras_manifold._arguments import check_choice

# Coarser numbers would miss small levels.
_SAMPLE_DTYPE = "float32"

Kind = Literal["gaussian", "masking", "salt_and_pepper"]


@keras.saving.register_keras_serializable(package="keras_manifold")
class NoiseInjection(keras.layers.Layer):
    r"""Corrupts its inputs, as a denoising autoencoder needs it.

    - `"gaussian"`: $\tilde{x} = x + \mathcal{N}(0, \text{level}^2)$.
    - `"masking"`: each entry is set to 0 with probability `level`.
    - `"salt_and_pepper"`: each entry is set with probability `level` to the low or
      to the high end of `clip` (of [0, 1] without `clip`), evenly.

    Like Keras's `RandomFlip` and other preprocessing layers it works inside a model,
    called alone, and in `tf.data.Dataset.map` on every backend, and it corrupts unless
    `training=False` says otherwise. `fit` corrupts; `evaluate`, `predict`, and an
    `AutoEncoder` called without `training` do not.

    Args:
        kind: `"gaussian"`, `"masking"` or `"salt_and_pepper"`.
        level: Standard deviation of Gaussian noise, at least 0, in the units of the
            inputs; for the other kinds the fraction of corrupted entries, in [0, 1].
        clip: Pair `(low, high)` to which corrupted inputs are clipped, or `None`.
        seed: Integer, for the same noise in every run on one backend; `None` for noise
            that differs from run to run.
        **kwargs: `name`, `dtype`, `trainable`, as for every Keras layer.

    Call arguments:
        - `inputs`: Tensor of any shape. Integers are cast to the layer's dtype.
        - `training`: Corrupts when true (the default outside a model).

    Raises:
        ValueError: If `kind` is unknown, or `level` or `clip` out of range.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> noise = km.NoiseInjection("masking", level=1.0)
        >>> float(keras.ops.sum(noise(np.ones((2, 3)), training=True)))
        0.0

    References:
        Vincent, Larochelle, Lajoie, Bengio and Manzagol (2010), Stacked denoising
        autoencoders, Journal of Machine Learning Research 11.
    """

    def __init__(
        self,
        kind: Kind = "gaussian",
        level: float = 0.1,
        *,
        clip: tuple[float, float] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        _check_kind_and_level(kind, level)
        _check_clip(clip)
        self.kind = kind
        self.level = float(level)
        self.clip = None if clip is None else (float(clip[0]), float(clip[1]))
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True
        self.built = True  # no weights
        self._tf_data_generator: Any = None

    def __call__(self, inputs, *args, **kwargs):
        _check_training(args[0] if args else kwargs.get("training"))
        if _is_in_foreign_tf_data(inputs):
            # Keras would convert the inputs to tensors of its own backend, which
            # cannot be done in a graph of TensorFlow.
            return self._call_in_tf_data(inputs, *args, **kwargs)
        return super().__call__(inputs, *args, **kwargs)

    def call(self, inputs, training=True):
        inputs = ops.cast(inputs, self.compute_dtype)
        if not training:
            return inputs
        draw = keras.random.normal if self.kind == "gaussian" else keras.random.uniform
        sample = draw(ops.shape(inputs), dtype=_SAMPLE_DTYPE, seed=self.seed_generator)
        return self._corrupted(inputs, sample, ops)

    def _call_in_tf_data(self, inputs, training=True):
        import tensorflow as tf

        inputs = tf.cast(inputs, self.compute_dtype)
        if not training:
            return inputs
        if self._tf_data_generator is None:
            with tf.init_scope():
                self._tf_data_generator = (
                    tf.random.Generator.from_non_deterministic_state()
                    if self.seed is None
                    else tf.random.Generator.from_seed(self.seed)
                )
        generator = self._tf_data_generator
        draw = generator.normal if self.kind == "gaussian" else generator.uniform
        sample = draw(tf.shape(inputs), dtype=_SAMPLE_DTYPE)
        return self._corrupted(inputs, sample, tf)

    def _corrupted(self, x, sample, numerics):
        """`numerics` is `keras.ops` or `tensorflow`: the names used here are in both."""
        if self.kind == "gaussian":
            x = x + numerics.cast(self.level * sample, x.dtype)
        elif self.kind == "masking":
            x = numerics.where(sample < self.level, numerics.zeros_like(x), x)
        else:
            low, high = self.clip or (0.0, 1.0)
            ends = numerics.where(
                sample < self.level / 2,
                low * numerics.ones_like(x),
                high * numerics.ones_like(x),
            )
            x = numerics.where(sample < self.level, ends, x)
        if self.clip is not None:
            x = numerics.minimum(numerics.maximum(x, self.clip[0]), self.clip[1])
        return x

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "kind": self.kind,
            "level": self.level,
            "clip": self.clip,
            "seed": self.seed,
        }


def _is_in_foreign_tf_data(inputs):
    if keras.backend.backend() == "tensorflow":
        return False
    if not type(inputs).__module__.startswith("tensorflow."):
        return False
    import tensorflow as tf

    return tf.is_symbolic_tensor(inputs)


def _check_kind_and_level(kind, level):
    check_choice("kind", kind, Kind)
    highest = math.inf if kind == "gaussian" else 1.0
    if (
        not isinstance(level, numbers.Real)
        or not math.isfinite(level)
        or not 0 <= float(level) <= highest
    ):
        expected = "at least 0 and finite" if kind == "gaussian" else "in [0, 1]"
        raise ValueError(
            f"`level` must be {expected} for {kind} noise. Received: level={level!r}."
        )


def _check_training(training):
    if training is not None and not isinstance(training, (bool, numbers.Integral)):
        raise TypeError(
            f"`training` must be a bool or None. Received: training={training!r}. In a "
            "tf.data pipeline of pairs write map(lambda x, y: (noise(x), y))."
        )


def _check_clip(clip):
    if clip is None:
        return
    is_pair = isinstance(clip, (tuple, list)) and len(clip) == 2
    if not is_pair or not clip[0] < clip[1]:
        raise ValueError(
            "`clip` must be a pair (low, high) with low < high, or None. "
            f"Received: clip={clip!r}."
        )
