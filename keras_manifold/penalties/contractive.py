"""The contractive penalty: the squared Frobenius norm of a Jacobian."""

import math
import operator
from collections.abc import Callable
from typing import Any, Literal

import keras
from keras import ops

from keras_manifold._arguments import Part, check_choice, check_count, check_number
from keras_manifold._map.function import Map
from keras_manifold._map.passes import mapped, sample_size
from keras_manifold._map.unit_vectors import images_within_budget
from keras_manifold.penalties._first_use import FirstUse
from keras_manifold.penalties._weighted import WeightedPenalty, squared_norms

PartOrCode = Literal[Part, "code"]  # its name before
ProbeKind = Literal["rademacher", "orthogonal"]

_FIXED = (
    "of",
    "probes",
    "probe_kind",
    "curvature",
    "curvature_stddev",
    "curvature_samples",
    "chunk_size",
    "memory_budget",
    "seed",
)


@keras.saving.register_keras_serializable(package="keras_manifold")
class ContractivePenalty(WeightedPenalty):
    r"""Squared Frobenius norm of the Jacobian of a function, one value a sample.

    $$\|J(x)\|_F^2 = \sum_{ij} \left(\frac{\partial f_i}{\partial x_j}(x)\right)^2$$

    Right for a function of any depth and architecture that maps each sample on its own.
    With `probes="exact"` every row of $J$ is computed, one backward pass each. With
    `probes=p` the estimate $\frac{1}{p} \sum_{s=1}^{p} \|J^\top u_s\|^2$ is used, with
    random directions $u_s$: it is unbiased, as $E[u u^\top] = I$, and costs $p$ backward
    passes whatever the number of outputs. Where there are fewer inputs than outputs,
    columns of $J$ by forward passes take the place of rows.

    With a `curvature` $\kappa$ the value is that of the higher-order contractive
    autoencoder,

    $$\|J(x)\|_F^2 + \kappa\, E\left[\|J(x) - J(x + \epsilon)\|_F^2\right], \quad
    \epsilon \sim \mathcal{N}(0, \sigma^2 I)$$

    whose second term is about $\kappa \sigma^2$ times the squared norm of the second
    derivatives; `curvature_samples` draws of $\epsilon$ estimate it, each at the cost
    of the first term. It needs smooth activations: those of ReLU networks have no
    second derivatives.

    In an `AutoEncoder` the loss becomes `reconstruction_loss + weight *
    contractive_penalty`, in training and in evaluation, where `contractive_penalty` is the
    mean over the samples, weighted by `sample_weight`, whatever the reduction of the loss.
    The Jacobian is that of the inference-mode function at the clean input.

    Args:
        weight: Factor of the penalty in the loss, at least 0 and finite. Calling the
            penalty gives it without this factor. The attribute `weight` is a
            `keras.Variable` that may be assigned, also while `fit` runs: see
            [`PenaltySchedule`][keras_manifold.PenaltySchedule].
        of: `"encoder"` for the Jacobian of the encoder, `"reconstruction"` for that of the
            decoder after the encoder, `"decoder"` for that of the decoder at the codes.
            `"code"` is another word for `"encoder"`. Read by `AutoEncoder`.
        probes: `"exact"`, or a number of random directions, at least 1. Random ones make
            `val_loss` vary from one evaluation to the next; where a callback decides by
            it, watch `val_reconstruction_loss`, or take `"exact"`.
        probe_kind: `"rademacher"` for random signs, or `"orthogonal"` for directions that
            are orthogonal to each other, of which there can't be more than outputs (or
            inputs, if these are fewer). At one probe the two vary about alike; the more of
            the outputs they fill, the less orthogonal ones do, down to not at all.
        curvature: $\kappa$, at least 0 and finite.
        curvature_stddev: $\sigma$, above 0 and finite, in units of the input.
        curvature_samples: Displaced points for each sample, at least 1.
        chunk_size: Passes of the exact mode whose intermediate results are held at a time,
            at least 1. If there are more rows, each chunk of as many is computed again when
            it is differentiated: a third slower, and memory does not grow with the number
            of rows. `None` leaves it to `memory_budget`. Not with random probes.
        memory_budget: Bytes that the rows of the exact mode may hold until they are
            differentiated, at least 1. As many as fit, by an upper estimate from the
            results of the function's operations, are computed once; the others by chunks,
            again when they are differentiated, one row at a time where no more fit or no
            estimate can be made, as of loops on TensorFlow and JAX. `None` for 4 GiB, and
            at least 32 rows. Where a compiled step takes batches of any size, as `fit`
            makes it on TensorFlow, the estimate is for 128 samples. Not with `chunk_size`,
            nor with random probes.
        seed: Integer for the same random directions in every run; `None` otherwise.
        **kwargs: `name`, as for every Keras layer.

    Call arguments:
        - `function`: Keras layer or model (called with `training=False`), or any callable,
            from one tensor `(batch, *input_shape)` to one tensor `(batch, *output_shape)`.
            Or a tuple of two, the second after the first, whose exact penalty takes two
            passes for each entry of the tensor between them, if these are fewer.
        - `x`: Tensor of shape `(batch, *input_shape)`; integers are cast to floating point.

    Call returns:
        Tensor of shape `(batch,)`, not negative; 0 where the function does not depend on
        `x`, empty where there are no samples. In float32, whatever the precision in which
        the function computes; in float64 where `keras.config.floatx()` is.

    Raises:
        ValueError: If an argument is out of range. When it is first called with a function:
            if that mixes samples, draws random numbers, or has no second derivative.
        FloatingPointError: If the derivative at one of the first samples is not finite.

    Warns:
        UserWarning: If the derivative is exactly 0 at the first samples, although the
            outputs differ.

    Examples:
        >>> import keras, numpy as np, keras_manifold as km
        >>> w = np.array([[1.0, -1.0], [0.0, 0.0]], "float32")
        >>> penalty = km.ContractivePenalty(0.1, probes="exact")
        >>> values = penalty(lambda x: keras.ops.matmul(x, w), np.ones((3, 2), "float32"))
        >>> keras.ops.convert_to_numpy(values).tolist()
        [2.0, 2.0, 2.0]

    References:
        Rifai, Vincent, Muller, Glorot and Bengio (2011), Contractive auto-encoders:
        explicit invariance during feature extraction, ICML.
        Rifai, Mesnil, Vincent, Muller, Bengio, Dauphin and Glorot (2011), Higher order
        contractive auto-encoder, ECML.
        Alain and Bengio (2014), What regularized auto-encoders learn from the
        data-generating distribution, JMLR.
        Hutchinson (1990), A stochastic estimator of the trace of the influence matrix for
        Laplacian smoothing splines, Communications in Statistics 19.
    """

    fixed = _FIXED

    def __init__(
        self,
        weight: float,
        *,
        of: PartOrCode = "encoder",
        probes: int | Literal["exact"] = 1,
        probe_kind: ProbeKind = "rademacher",
        curvature: float = 0.0,
        curvature_stddev: float = 0.1,
        curvature_samples: int = 4,
        chunk_size: int | None = None,
        memory_budget: int | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        kwargs.setdefault("name", "contractive_penalty")
        super().__init__(weight, **kwargs)
        of = check_choice("of", of, PartOrCode)
        self.of: Part = "encoder" if of == "code" else of  # as it was called before
        self.probes: Any = probes
        if probes != "exact":
            self.probes = check_count("probes", probes, note='or "exact"')
        self.probe_kind = check_choice("probe_kind", probe_kind, ProbeKind)
        self.curvature = check_number("curvature", curvature)
        self.curvature_stddev = check_number(
            "curvature_stddev", curvature_stddev, positive=True
        )
        self.curvature_samples = check_count("curvature_samples", curvature_samples)
        self.chunk_size = _checked_bound("chunk_size", chunk_size, probes)
        self.memory_budget = _checked_bound("memory_budget", memory_budget, probes)
        if None not in (chunk_size, memory_budget):
            raise ValueError(
                "`chunk_size` and `memory_budget` bound the same memory: give one of them. "
                f"Received: chunk_size={chunk_size} and memory_budget={memory_budget}."
            )
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self._first_use = FirstUse()
        self.built = True

    def call(self, x, function=None):
        return self.with_outputs(function, x)[1]

    def with_outputs(self, function: Callable | tuple, x: Any) -> tuple[Any, Any]:
        """The outputs of the function and the penalty, by one forward pass where possible.

        Args:
            function: Layer, model or callable, or a tuple of two, as when the penalty is
                called.
            x: Tensor of shape `(batch, *input_shape)`.

        Returns:
            Tuple of the outputs, `(batch, *output_shape)`, and the penalty, `(batch,)`.

        Raises:
            ValueError: With `probe_kind="orthogonal"`, if there are more probes than
                directions; with `probes="exact"`, if the size of both sides is unknown.

        Examples:
            >>> import keras, numpy as np, keras_manifold as km
            >>> penalty = km.ContractivePenalty(0.1, probes="exact")
            >>> x = np.ones((3, 2), "float32")
            >>> outputs, values = penalty.with_outputs(lambda x: 2 * x, x)
            >>> keras.ops.convert_to_numpy(values).tolist()
            [8.0, 8.0, 8.0]
        """
        x = ops.convert_to_tensor(x)
        if not keras.backend.is_float_dtype(keras.backend.standardize_dtype(x.dtype)):
            x = ops.cast(x, self.compute_dtype)
        points = self._with_displaced(x)
        first, *others = function if isinstance(function, tuple) else (function,)
        function = Map(first)
        for other in others:
            function = function.then(Map(other))
        self._first_use.check(function, x)
        if self.probes != "exact":
            outputs, values = self._estimated(function, points)
        elif len(function.functions) == 2:
            outputs, values = self._exact_of_two(function, points)
        else:
            outputs, values = self._exact(function, points)
        return outputs[: ops.shape(x)[0]], values

    def _with_displaced(self, x):
        """`x`, followed by its displaced samples if there is a curvature."""
        if not self.curvature:
            return x
        copies = ops.tile(x, (self.curvature_samples, *(1,) * (len(x.shape) - 1)))
        displacements = keras.random.normal(
            ops.shape(copies), stddev=self.curvature_stddev, seed=self.seed_generator
        )
        return ops.concatenate([x, copies + ops.cast(displacements, x.dtype)])

    def _estimated(self, function, points):
        linear = function.at(points)
        linear_map, like = linear.shorter
        times = self._points_of_a_sample()

        def values_of(direction):
            direction = ops.tile(direction, (times, *(1,) * (len(like.shape) - 1)))
            image = linear_map(ops.cast(direction, like.dtype))
            return self._values_of_images(image[None])[0]

        directions = self._directions(ops.shape(like)[0] // times, like)
        return linear.outputs, ops.mean(mapped(values_of, directions, self.probes), axis=0)

    def _directions(self, batch, like):
        """Random directions for each sample, `(probes, batch, ...)`."""
        shape = (self.probes, batch, *ops.shape(like)[1:])
        if self.probe_kind == "rademacher":
            uniform = keras.random.uniform(shape, seed=self.seed_generator)
            return ops.where(uniform < 0.5, -1.0, 1.0)
        size = _known_size(like)
        if self.probes > size:
            raise ValueError(
                f"There are at most {size} orthogonal directions here. Received: "
                f'probes={self.probes}. Take probes="exact", or fewer.'
            )
        normal = keras.random.normal((batch, size, self.probes), seed=self.seed_generator)
        orthonormal = ops.moveaxis(ops.qr(normal)[0], -1, 0)
        return ops.reshape(orthonormal * math.sqrt(size), shape)

    def _exact(self, function, points):
        linear = function.at(points)
        values = self._images_of_unit_vectors(
            function,
            linear,
            _shorter_side,
            transform=self._values_of_images,
        )
        return linear.outputs, ops.sum(values, axis=0)

    def _exact_of_two(self, function, points):
        first, second = function.parts
        encoding = first.at(points)
        decoding = second.at(encoding.outputs)
        inner = sample_size(encoding.outputs)
        outer = [sample_size(points), sample_size(decoding.outputs)]
        known = [size for size in outer if size is not None]
        if inner is None or len(known) < 2 or 2 * inner >= min(known):
            return self._exact(function, points)

        # J = GF, with the columns of G and the rows of F.
        both = {"transform": _flat_samples, "share": 2}
        f = self._images_of_unit_vectors(first, encoding, _rows, **both)
        g = self._images_of_unit_vectors(second, decoding, _columns, **both)
        times = self._points_of_a_sample()
        f0, *fs = ops.split(f, times, axis=1)
        g0, *gs = ops.split(g, times, axis=1)
        values = _squared_norm_of_product(g0, f0)
        if not self.curvature:
            return decoding.outputs, values
        changes = [
            # GF - G'F' = (G - G')F + G'(F - F'): small terms, without cancellation.
            _squared_norm_of_product(
                ops.concatenate([g0 - g1, g1]), ops.concatenate([f0, f0 - f1])
            )
            for g1, f1 in zip(gs, fs)
        ]
        return decoding.outputs, values + self.curvature * sum(changes) / len(changes)

    def _images_of_unit_vectors(self, function, linear, side, *, transform, share=1):
        """What `transform` makes of the images of a side's unit vectors, `(size, ...)`."""
        if not isinstance(linear.inputs.shape[0], int):  # of a batch, whose size is assumed
            share *= self._points_of_a_sample()
        return images_within_budget(
            function,
            linear,
            side,
            _known_size(side(linear).like),
            transform,
            chunk_size=self.chunk_size,
            memory_budget=self.memory_budget,
            share=share,
        )

    def _points_of_a_sample(self):
        return 1 + (self.curvature_samples if self.curvature else 0)

    def _values_of_images(self, images):
        """One value a sample of the images of each direction at all points.

        Args:
            images: `(directions, points, ...)`.

        Returns:
            `(directions, batch)`.
        """
        images = ops.cast(images, self.compute_dtype)
        if not self.curvature:
            return squared_norms(images, kept=2)
        times = self._points_of_a_sample()
        directions, points, *sides = ops.shape(images)
        images = ops.reshape(images, (directions, times, points // times, *sides))
        values = squared_norms(images[:, 0], kept=2)
        changes = sum(
            squared_norms(images[:, i] - images[:, 0], kept=2) for i in range(1, times)
        )
        return values + self.curvature * changes / (times - 1)

    def __repr__(self) -> str:
        weight = self.get_config()["weight"]
        probes = f", probes={self.probes!r}"
        return f"<ContractivePenalty of the {self.of}, weight={weight:.4g}{probes}>"

    def get_config(self):
        return {
            **super().get_config(),
            "of": self.of,
            "probes": self.probes,
            "probe_kind": self.probe_kind,
            "curvature": self.curvature,
            "curvature_stddev": self.curvature_stddev,
            "curvature_samples": self.curvature_samples,
            "chunk_size": self.chunk_size,
            "memory_budget": self.memory_budget,
            "seed": self.seed,
        }


_rows, _columns, _shorter_side = (
    operator.attrgetter(side) for side in ("rows", "columns", "shorter")
)


def _checked_bound(name, bound, probes):
    if bound is None:
        return None
    bound = check_count(name, bound, note="or None")
    if probes != "exact":
        raise ValueError(
            f'`{name}` is for probes="exact", and would do nothing here. Received: '
            f"{name}={bound} and probes={probes!r}. Leave it out."
        )
    return bound


def _known_size(like):
    size = sample_size(like)
    if size is None:
        raise ValueError(
            "An exact penalty and orthogonal probes need a function with outputs of a "
            f"known size. Received: outputs of shape {tuple(like.shape)}. Pool or flatten "
            'them, or take a number of random `probes` with probe_kind="rademacher".'
        )
    return size


def _flat_samples(images):
    """`(k, points, ...)` to `(k, points, size)`, in float32 or better."""
    size = math.prod(images.shape[2:])
    dtype = keras.backend.result_type(images.dtype, "float32")
    shape = (images.shape[0], ops.shape(images)[1], size)
    return ops.reshape(ops.cast(images, dtype), shape)


def _squared_norm_of_product(columns, rows):
    r"""$\|GF\|_F^2 = \mathrm{tr}(G^\top G F F^\top)$ of each sample, by Gram matrices.

    Args:
        columns: Of G, `(k, batch, outputs)`.
        rows: Of F, `(k, batch, inputs)`.
    """
    grams = [ops.einsum("kbi,lbi->bkl", side, side) for side in (columns, rows)]
    return ops.maximum(ops.sum(grams[0] * grams[1], axis=(1, 2)), 0.0)
