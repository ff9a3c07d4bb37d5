"""Corruption of inputs, for denoising autoencoders."""

import math
import numbers
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from keras_manifold._arguments import check_choice
from keras_manifold._settings import assign, refuse_change

# Coarser numbers would miss small levels.
_SAMPLE_DTYPE = "float32"

Kind = Literal["gaussian", "masking", "salt_and_pepper"]

_FIXED = ("kind", "seed")


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

    `level` and `clip` may be assigned while `fit` runs: the model's next step has them, on
    every backend and without compiling again. Only a `tf.data` pipeline under JAX or
    PyTorch keeps those with which it was mapped.

    Args:
        kind: `"gaussian"`, `"masking"` or `"salt_and_pepper"`.
        level: Standard deviation of Gaussian noise, at least 0, in the units of the
            inputs; for the other kinds the fraction of corrupted entries, in [0, 1]. The
            attribute is a `float`: see [`NoiseSchedule`][keras_manifold.NoiseSchedule].
        clip: Pair `(low, high)` to which corrupted inputs are clipped, or `None`.
        seed: Integer, for the same noise in every run on one backend; `None` for noise
            that differs from run to run.
        **kwargs: `name`, `dtype`, `trainable`, as for every Keras layer.

    Call arguments:
        - `inputs`: Tensor of any shape. Integers are cast to the layer's dtype.
        - `training`: Corrupts when true (the default outside a model).

    Raises:
        ValueError: If `kind` is unknown, or `level` or `clip` out of range; if `kind` or
            `seed` is assigned later.

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
        self._level = self._initial_level = float(level)
        self._clip = None if clip is None else (float(clip[0]), float(clip[1]))
        self.seed = seed
        self._settings = self.add_weight(
            shape=(3,),
            initializer="zeros",
            dtype=_SAMPLE_DTYPE,
            trainable=False,
            name="settings",
        )
        self._settings.assign(_as_settings(self._level, self._clip))
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True
        self.built = True
        self._tf_data_generator: Any = None

    def __setattr__(self, name, value):
        refuse_change(self, name, value, _FIXED)
        super().__setattr__(name, value)

    @property
    def level(self) -> float:
        """Standard deviation, or fraction of corrupted entries; may be assigned."""
        return self._level

    @level.setter
    def level(self, value):
        _check_kind_and_level(self.kind, value)
        assign(self._settings, _as_settings(value, self._clip), "level")
        self._level = float(value)

    @property
    def clip(self) -> tuple[float, float] | None:
        """Pair to which corrupted inputs are clipped, or `None`; may be assigned."""
        return self._clip

    @clip.setter
    def clip(self, value):
        _check_clip(value)
        clip = None if value is None else (float(value[0]), float(value[1]))
        assign(self._settings, _as_settings(self._level, clip), "clip")
        self._clip = clip

    @property
    def weights(self):
        # `level` is a setting, such as a learning rate: `get_weights` is the same with and
        # without noise.
        return []

    def save_own_variables(self, store):
        store["initial_level"] = np.float64(self._initial_level)
        store["level"] = np.float64(self.level)

    def load_own_variables(self, store):
        # A run that is resumed goes on with the level that a schedule had reached; weights
        # of a model that was made with another one leave it alone.
        initial = store["initial_level"] if "level" in store.keys() else None  # noqa: SIM118
        if initial is not None and float(np.asarray(initial)) == self._initial_level:
            self.level = float(np.asarray(store["level"]))

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
        return self._corrupted(inputs, sample, ops, ops.convert_to_tensor(self._settings))

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
        settings = tf.constant(_as_settings(self._level, self._clip))
        return self._corrupted(inputs, sample, tf, settings)

    def _corrupted(self, x, sample, numerics, settings):
        """`numerics` is `keras.ops` or `tensorflow`: the names used here are in both."""
        level, low, high = settings[0], settings[1], settings[2]
        if self.kind == "gaussian":
            x = x + numerics.cast(level * sample, x.dtype)
        elif self.kind == "masking":
            x = numerics.where(sample < level, numerics.zeros_like(x), x)
        else:
            is_clipped = low > -math.inf
            ends = numerics.where(
                sample < level / 2,
                numerics.where(is_clipped, low, numerics.zeros_like(low)),
                numerics.where(is_clipped, high, numerics.ones_like(high)),
            )
            x = numerics.where(sample < level, numerics.cast(ends, x.dtype), x)
        low, high = numerics.cast(low, x.dtype), numerics.cast(high, x.dtype)
        return numerics.minimum(numerics.maximum(x, low), high)

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


def _as_settings(level, clip):
    """Level, low and high end as one array; without `clip` the ends are infinite."""
    return np.array([level, *(clip or (-math.inf, math.inf))], _SAMPLE_DTYPE)


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
        or isinstance(level, bool)
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
    is_pair = isinstance(clip, (tuple, list, np.ndarray)) and len(clip) == 2
    is_finite = is_pair and all(
        isinstance(end, numbers.Real) and math.isfinite(end) for end in clip
    )
    if not is_finite or not clip[0] < clip[1]:
        raise ValueError(
            "`clip` must be a pair (low, high) of finite numbers with low < high, or None. "
            f"Received: clip={clip!r}."
        )
