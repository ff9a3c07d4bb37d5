"""Corruption of inputs, for denoising autoencoders."""

import math
import numbers
from collections.abc import Callable
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from keras_manifold._arguments import check_choice, takes
from keras_manifold._settings import assign, refuse_change

# Coarser numbers would miss small levels.
_SAMPLE_DTYPE = "float32"

Kind = Literal["gaussian", "masking", "salt_and_pepper", "speckle", "block"]

# Their level is a standard deviation, not a share.
_WITHOUT_END = ("gaussian", "speckle")

_FIXED = ("kind", "seed")


@keras.saving.register_keras_serializable(package="keras_manifold")
class NoiseInjection(keras.layers.Layer):
    r"""Corrupts its inputs, as a denoising autoencoder needs it.

    - `"gaussian"`: $\tilde{x} = x + \mathcal{N}(0, \text{level}^2)$.
    - `"masking"`: each entry is set to 0 with probability `level`.
    - `"salt_and_pepper"`: each entry is set with probability `level` to the low or
      to the high end of `clip` (of [0, 1] without `clip`), evenly.
    - `"speckle"`: $\tilde{x} = x \, (1 + \mathcal{N}(0, \text{level}^2))$, by entries.
    - `"block"`: one block of each sample is set to 0, at a random place: a rectangle of an
      image that covers `level` of its pixels, a box of a volume, a span of a series or
      table. Sides that are no whole number are rounded up or down at random, so that this
      is the mean over samples; of small samples at a low level most have no block. All
      channels go together: the last axis, or the first one where Keras's image data format
      says so. **Images without an axis of channels**, `(batch, height, width)`, look like
      series and lose whole rows: give them one, `x[..., None]`.
    - A callable `kind(x, level, seed)` that returns the corrupted batch, of the shape of
      `x`. `level` is a number, or of shape `(batch, 1, ...)` where levels are drawn; `seed`
      is a `SeedGenerator`. For saving it is registered, as every function in Keras. In
      `tf.data` it works on TensorFlow only.

    **Many levels.** With `level=(low, high)` the level is drawn anew for each sample,
    evenly on a logarithmic scale. The model then learns to remove noise of all of them, as
    `dimension_curve` needs it.

    Like Keras's `RandomFlip` and other preprocessing layers it works inside a model,
    called alone, and in `tf.data.Dataset.map` on every backend, and it corrupts unless
    `training=False` says otherwise. `fit` corrupts; `evaluate`, `predict`, and an
    `AutoEncoder` called without `training` do not.

    `level` and `clip` may be assigned while `fit` runs: the model's next step has them, on
    every backend and without compiling again. Only a `tf.data` pipeline under JAX or
    PyTorch keeps those with which it was mapped.

    Args:
        kind: `"gaussian"`, `"masking"`, `"salt_and_pepper"`, `"speckle"`, `"block"`, or a
            callable that is neither a class nor a layer.
        level: Standard deviation of Gaussian noise, at least 0, in the units of the
            inputs, and of speckle in shares of an entry; for the other kinds the fraction
            of corrupted entries, in [0, 1]; what a callable makes of it, at least 0. Or a
            pair `(low, high)`, both above 0. The attribute is a `float`, or a pair;
            [`NoiseSchedule`][keras_manifold.NoiseSchedule] sets either.
        clip: Pair `(low, high)` to which corrupted inputs are clipped, or `None`.
        seed: Integer, for the same noise in every run on one backend; `None` for noise
            that differs from run to run.
        **kwargs: `name`, `dtype`, `trainable`, as for every Keras layer.

    Call arguments:
        - `inputs`: Tensor of any shape. Integers are cast to the layer's dtype.
        - `training`: Corrupts when true (the default outside a model).

    Raises:
        ValueError: If `kind` is unknown or can't be called with three arguments, or `level`
            or `clip` out of range; if `kind` or `seed` is assigned later; at a call, if a
            callable returns something else than a tensor of the shape of its inputs.
        NotImplementedError: If a callable is used in `tf.data` on another backend than
            TensorFlow.

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
        kind: Kind | Callable = "gaussian",
        level: float | tuple[float, float] = 0.1,
        *,
        clip: tuple[float, float] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        _check_kind(kind)
        _check_level(kind, level)
        _check_clip(clip)
        self.kind: Any = kind
        self._level = self._initial_level = _as_level(level)
        self._clip = None if clip is None else (float(clip[0]), float(clip[1]))
        self.seed = seed
        self._settings = self.add_weight(
            autocast=False,  # samples and their level are float32 in mixed precision
            shape=(4,),
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
    def level(self) -> float | tuple[float, float]:
        """Standard deviation, or fraction of corrupted entries; may be assigned."""
        return self._level

    @level.setter
    def level(self, value):
        _check_level(self.kind, value)
        if np.ndim(value) != np.ndim(self._level):
            raise ValueError(
                "`level` must stay a number, or a pair, as a compiled step has it. "
                f"Received: level={value!r} after {self._level!r}. Make a new "
                "NoiseInjection and assign it to the model, as in model.noise = ..."
            )
        assign(self._settings, _as_settings(value, self._clip), "level")
        self._level = _as_level(value)

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
        store["initial_level"] = np.asarray(self._initial_level, "float64")
        store["level"] = np.asarray(self.level, "float64")

    def load_own_variables(self, store):
        # A run that is resumed goes on with the level that a schedule had reached; weights
        # of a model that was made with another one leave it alone.
        initial = store["initial_level"] if "level" in store.keys() else None  # noqa: SIM118
        if initial is not None and np.array_equal(initial, self._initial_level):
            self.level = _as_level(np.asarray(store["level"]))

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

        def draw(distribution, shape):
            function = getattr(keras.random, distribution)
            return function(shape, dtype=_SAMPLE_DTYPE, seed=self.seed_generator)

        return self._corrupted(inputs, draw, ops, ops.convert_to_tensor(self._settings))

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

        def draw(distribution, shape):
            return getattr(generator, distribution)(shape, dtype=_SAMPLE_DTYPE)

        settings = tf.constant(_as_settings(self._level, self._clip))
        return self._corrupted(inputs, draw, tf, settings)

    def _corrupted(self, x, draw, numerics, settings):
        """`numerics` is `keras.ops` or `tensorflow`: the names used here are in both."""
        level, low, high = settings[0], settings[2], settings[3]
        if np.ndim(self._level):
            shares = draw("uniform", (numerics.shape(x)[0], *[1] * (len(x.shape) - 1)))
            level = level * (settings[1] / level) ** shares
        if callable(self.kind):
            x = self._by_callable(x, level, numerics)
        elif self.kind == "block":
            is_inside = _blocks(x, level, draw, numerics)
            x = numerics.where(is_inside, numerics.zeros_like(x), x)
        else:
            distribution = "normal" if self.kind in _WITHOUT_END else "uniform"
            sample = draw(distribution, numerics.shape(x))
            x = self._by_entries(x, level, sample, numerics, low, high)
        low, high = numerics.cast(low, x.dtype), numerics.cast(high, x.dtype)
        # Keras's `minimum` makes float32 of float64 on PyTorch.
        x = numerics.where(x < low, low, x)
        return numerics.where(x > high, high, x)

    def _by_callable(self, x, level, numerics):
        if numerics is not ops:
            raise NotImplementedError(
                "Noise of a callable does not work in tf.data on another backend than "
                f"TensorFlow. Received: kind={self.kind!r}. Use the layer in the model."
            )
        changed = self.kind(x, level, self.seed_generator)
        shape, expected = getattr(changed, "shape", None), tuple(x.shape)
        shape = None if shape is None else tuple(shape)
        if shape is None or not _agree(shape, expected):
            found = type(changed).__name__ if shape is None else f"shape {shape}"
            raise ValueError(
                "`kind` must return a tensor of the shape of its inputs: the corrupted "
                f"batch. Received: {found} for inputs of shape {expected}, from "
                f"kind={self.kind!r}."
            )
        return numerics.cast(changed, x.dtype)

    def _by_entries(self, x, level, sample, numerics, low, high):
        if self.kind == "gaussian":
            x = x + numerics.cast(level * sample, x.dtype)
        elif self.kind == "speckle":
            x = x * numerics.cast(1 + level * sample, x.dtype)
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
        return x

    def compute_output_shape(self, input_shape):
        return input_shape

    def __repr__(self):
        clip = "" if self.clip is None else f", clip={self.clip}"
        kind = (
            self.kind
            if isinstance(self.kind, str)
            else getattr(self.kind, "__name__", self.kind)
        )
        level = self.level
        if isinstance(level, tuple):
            shown = f"({level[0]:.4g}, {level[1]:.4g})"
        else:
            shown = f"{level:.4g}"
        return f"<NoiseInjection {kind}, level={shown}{clip}>"

    def get_config(self):
        return {
            **super().get_config(),
            "kind": keras.saving.serialize_keras_object(self.kind),
            "level": self.level,
            "clip": self.clip,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config):
        kind = keras.saving.deserialize_keras_object(config["kind"])
        return cls(**{**config, "kind": kind})


def _as_level(level):
    """A float, or a pair of them."""
    return float(level) if np.ndim(level) == 0 else (float(level[0]), float(level[1]))


def _as_settings(level, clip):
    """Levels, and low and high end, as one array; without `clip` the ends are infinite."""
    levels = np.broadcast_to(level, (2,))
    return np.array([*levels, *(clip or (-math.inf, math.inf))], _SAMPLE_DTYPE)


def _blocks(x, level, draw, numerics):
    """Whether an entry is in the block of its sample: inside a span along each axis."""
    axes = _spatial_axes(len(x.shape))
    is_inside = None
    for axis in axes:
        shape = [1] * len(x.shape)
        size = numerics.cast(numerics.shape(x)[axis], _SAMPLE_DTYPE)
        side = level ** (1 / len(axes)) * size
        # Rounded up as often as it takes for a mean of `side`: sides of several axes are
        # independent, so that the mean of their product is right too.
        per_sample = (numerics.shape(x)[0], *shape[1:])
        is_longer = draw("uniform", per_sample) < side - numerics.floor(side)
        count = numerics.floor(side) + numerics.cast(is_longer, _SAMPLE_DTYPE)
        start = numerics.floor(draw("uniform", per_sample) * (size - count + 1))
        shape[axis] = -1
        line = x[tuple(slice(None) if i == axis else 0 for i in range(len(shape)))]
        ones = numerics.cast(numerics.ones_like(line), _SAMPLE_DTYPE)
        place = numerics.reshape(numerics.cumsum(ones, 0) - 1, shape)
        here = numerics.logical_and(place >= start, place < start + count)
        is_inside = here if is_inside is None else numerics.logical_and(is_inside, here)
    return is_inside


def _spatial_axes(rank):
    """Axes of a batch along which a block lies: all but the channels."""
    if rank < 2:
        raise ValueError(
            'Noise of kind="block" needs samples with an axis. Received: inputs of '
            f"{rank} axes, the batch among them."
        )
    if rank == 2:
        return (1,)
    is_first = keras.config.image_data_format() == "channels_first"
    return tuple(range(2, rank)) if is_first else tuple(range(1, rank - 1))


def _is_in_foreign_tf_data(inputs):
    if keras.backend.backend() == "tensorflow":
        return False
    if not type(inputs).__module__.startswith("tensorflow."):
        return False
    import tensorflow as tf

    return tf.is_symbolic_tensor(inputs)


def _agree(shape, other):
    """Whether two shapes are one, as far as their sizes are known."""
    return len(shape) == len(other) and all(
        a == b or a is None or b is None for a, b in zip(shape, other)
    )


def _check_kind(kind):
    if not callable(kind):
        check_choice("kind", kind, Kind)
    elif isinstance(kind, (type, keras.Layer)) or not takes(kind, 3):
        raise ValueError(
            "`kind` must be a function kind(x, level, seed) that returns the corrupted "
            "batch, neither a class nor a layer. Received: "
            f"kind={kind!r}. A layer that corrupts its inputs goes into AutoEncoder as it "
            "is, noise=layer; give a function the arguments that it lacks."
        )


def _check_level(kind, level):
    has_end = not callable(kind) and kind not in _WITHOUT_END
    highest = 1.0 if has_end else math.inf
    is_sequence = isinstance(level, (tuple, list)) or np.ndim(level) == 1
    is_pair = is_sequence and len(level) == 2
    levels = tuple(level) if is_pair else (level,)
    is_fine = all(
        isinstance(value, numbers.Real)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and 0 <= float(value) <= highest
        for value in levels
    )
    if not is_fine or (is_pair and not 0 < levels[0] <= levels[1]):
        expected = "in [0, 1]" if has_end else "at least 0 and finite"
        raise ValueError(
            f"`level` must be {expected} for {kind} noise, or a pair (low, high) of such "
            f"levels with 0 < low ≤ high. Received: level={level!r}."
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
