"""The isometry penalty: the relaxed distortion of a decoder."""

from typing import Any

import keras
from keras import ops

from keras_manifold._arguments import Part, check_choice, check_number
from keras_manifold._map.function import Map
from keras_manifold.penalties._first_use import FirstUse
from keras_manifold.penalties._weighted import WeightedPenalty, squared_norms


@keras.saving.register_keras_serializable(package="keras_manifold")
class IsometryPenalty(WeightedPenalty):
    r"""Relaxed distortion of a function, one value per sample.

    How far a decoder is from stretching all directions at all codes alike:

    $$\frac{\|J_i^\top J_i v_i\|^2}{\left(\frac1n \sum_j \|J_j v_j\|^2\right)^2}$$

    with random signs $v_i$ at each code. With $d$ entries in a code the mean over the batch
    is at least $1 / d$, and $1 / d$ where $J^\top J = c I$ for one $c$ at all codes: then
    straight lines are geodesics, and distances of codes those on the manifold, up to a
    factor. It is blind to the scale $c$, so that it doesn't shrink the manifold.

    Cost: one product with $J$ and one with $J^\top$, and their derivatives. The function is
    taken in inference mode. Gradients reach the decoder, and the encoder through the codes.

    Args:
        weight: Factor of the penalty in the loss, at least 0 and finite. The attribute
            `weight` is a `keras.Variable` that may be assigned, also while `fit` runs: see
            [`PenaltySchedule`][keras_manifold.PenaltySchedule].
        of: `"decoder"`, whose points are codes; also `"encoder"` or `"reconstruction"`.
        mixing: The value is taken at $\alpha z_i + (1 - \alpha) z_j$, with $z_j$ another
            code of the batch and $\alpha$ uniform in [−mixing, 1 + mixing]: between the
            data and a little beyond. `None` for the codes themselves; at least 0.
        seed: Integer for the same random numbers in every run; `None` otherwise.
        name: Of the layer and of its metric.
        **kwargs: `dtype`, as for every Keras layer.

    Call arguments:
        - `function`: Keras layer or model (called with `training=False`), or any callable,
            from one tensor `(batch, *input_shape)` to one tensor `(batch, *output_shape)`.
        - `x`: Tensor of shape `(batch, *input_shape)`.

    Call returns:
        Tensor of shape `(batch,)`, not negative, float32; 0 where the function is constant.

    Raises:
        ValueError: If an argument is out of range. When it is first called with a function:
            if that mixes samples, draws random numbers, or has no second derivative.
        FloatingPointError: If the derivative at one of the first samples is not finite.

    Examples:
        >>> import keras, numpy as np, keras_manifold as km
        >>> penalty = km.IsometryPenalty(0.1)
        >>> values = penalty(lambda codes: 3 * codes, np.ones((3, 4), "float32"))
        >>> keras.ops.convert_to_numpy(values).tolist()
        [0.25, 0.25, 0.25]

    References:
        Lee, Yoon, Son and Park (2022), Regularized autoencoders for isometric
        representation learning, ICLR.
    """

    fixed = ("of", "mixing", "seed")

    def __init__(
        self,
        weight: float,
        *,
        of: Part = "decoder",
        mixing: float | None = 0.2,
        seed: int | None = None,
        name: str = "isometry_penalty",
        **kwargs: Any,
    ):
        super().__init__(weight, name=name, **kwargs)
        self.of: Part = check_choice("of", of, Part)
        self.mixing = None if mixing is None else check_number("mixing", mixing)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self._first_use = FirstUse()
        self.built = True

    def call(self, x, function=None):
        x = ops.convert_to_tensor(x)
        if not keras.backend.is_float_dtype(keras.backend.standardize_dtype(x.dtype)):
            x = ops.cast(x, self.compute_dtype)
        if self.mixing is not None:
            x = self._mixed(x, self.mixing)
        function = Map(function)
        self._first_use.check(function, x)
        linear = function.at(x)
        uniform = keras.random.uniform(ops.shape(x), seed=self.seed_generator)
        signs = ops.cast(ops.where(uniform < 0.5, -1.0, 1.0), x.dtype)
        images = linear.push(signs)
        back = linear.pull(ops.cast(images, linear.outputs.dtype))
        stretch = ops.mean(squared_norms(ops.cast(images, "float32")))
        values = squared_norms(ops.cast(back, "float32"))
        # What it is divided by twice must leave gradients finite.
        positive = ops.maximum(stretch, 1e-15)
        return ops.where(stretch > 0, values / positive / positive, 0.0 * values)

    def _mixed(self, x, mixing):
        """Points on the lines between samples, and a little beyond."""
        count = ops.shape(x)[0]
        draws = keras.random.uniform((2, count), seed=self.seed_generator)
        others = ops.cast(ops.maximum(count - 1, 1), "float32")
        # One shift for all: no sample meets itself, each is met once.
        shift = 1 + ops.cast(ops.floor(draws[0, 0] * others), "int32")
        order = ops.mod(ops.arange(count, dtype="int32") + shift, count)
        share = draws[1] * (1 + 2 * mixing) - mixing
        share = ops.reshape(ops.cast(share, x.dtype), (-1, *(1,) * (len(x.shape) - 1)))
        return share * x + (1 - share) * ops.take(x, order, axis=0)

    def get_config(self):
        return {
            **super().get_config(),
            "of": self.of,
            "mixing": self.mixing,
            "seed": self.seed,
        }
