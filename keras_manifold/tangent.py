"""Tangent spaces: the singular vectors of a Jacobian."""

from dataclasses import dataclass
from os import PathLike
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_manifold.arguments import check_count
from keras_manifold.files import replacing
from keras_manifold.jacobian import JacobianModel, floating_samples

# Below this share of the largest singular value, dividing by it would lose the
# orthogonality that the Gram matrix's eigenvectors carry.
_WELL_CONDITIONED = 1e-4

# Batches from which on `verbose="auto"` shows a progress bar.
_LONG_RUN = 50


@dataclass(frozen=True, eq=False)
class TangentSpace:
    """Tangent spaces of `n` samples, as NumPy arrays.

    Attributes:
        vectors: Tangent vectors in input space, orthonormal for each sample, shape
            `(n, k, *input_shape)`. Each one's entry of largest magnitude is positive.
        singular_values: How much the function stretches each of them, descending,
            shape `(n, k)`, at least 0, in units of code per unit of input.
        code_vectors: The orthonormal directions in code space that they are mapped to,
            shape `(n, k, latent_dim)`.
    """

    vectors: np.ndarray
    singular_values: np.ndarray
    code_vectors: np.ndarray

    def leading(self, k: int) -> "TangentSpace":
        """The same with the `k` leading directions only.

        Args:
            k: At least 1, at most the number of directions at hand.

        Returns:
            `TangentSpace` with `k` directions a sample.

        Raises:
            ValueError: If `k` is out of range.
        """
        available = self.singular_values.shape[1]
        _check_k(k, available, "the tangent space has")
        return TangentSpace(
            self.vectors[:, :k], self.singular_values[:, :k], self.code_vectors[:, :k]
        )

    def save(self, path: str | PathLike) -> None:
        """Writes the three arrays to one `.npz` file, whole or not at all.

        Args:
            path: File name, taken as it is; `.npz` is its usual ending.

        Raises:
            OSError: If the file cannot be written.
        """
        with replacing(path) as file:
            np.savez_compressed(file, **vars(self))

    @classmethod
    def load(cls, path: str | PathLike) -> "TangentSpace":
        """Reads what `save`, or `TangentAnalyzer`, wrote.

        Args:
            path: File name.

        Returns:
            `TangentSpace`.

        Raises:
            ValueError: If the file does not hold a tangent space.
        """
        with np.load(path, allow_pickle=False) as arrays:
            names = cls.__dataclass_fields__
            missing = [name for name in names if name not in arrays]
            if missing:
                raise ValueError(
                    f"The file must hold the arrays {', '.join(names)}. "
                    f"Received: {path} without {', '.join(missing)}."
                )
            return cls(**{name: arrays[name] for name in names})


def tangent_space(
    model: Any,
    x: Any,
    *,
    of: str = "encoder",
    k: int | None = None,
    batch_size: int = 32,
    verbose: str | int = "auto",
) -> TangentSpace:
    r"""Tangent space of the learned manifold at each sample.

    At each $x$ the encoder's Jacobian is decomposed, $J_f(x) = U \Sigma V^\top$: the
    right singular vectors are the directions in input space that the code follows, the
    singular values say how strongly. All three agree with a float64 SVD of the same $J$:
    singular values to 1e-5 of the largest, vectors orthonormal to 1e-5 even where $J$
    has a lower rank than `k`.

    Cost: `latent_dim` backward passes a sample, one eigendecomposition of a
    `latent_dim × latent_dim` Gram matrix in float64, and a compilation, which one call
    with many samples pays once. Where `keras.distribution` joins several processes, each
    of them computes all samples of `x`: they are not split.

    Args:
        model: `AutoEncoder`, any object with an `encoder`, or a Keras layer or callable
            from `(batch, *input_shape)` to codes `(batch, latent_dim)`.
        x: Array of shape `(n, *input_shape)`, or an iterable of batches
            (`tf.data.Dataset`, `PyDataset`, torch `DataLoader`, generator); of the
            tuples `(x, y)` it may yield only `x` is used. Integers are cast to floating
            point.
        of: `"encoder"`.
        k: Number of directions, in [1, min(latent_dim, input size)]; `None` for all.
        batch_size: Samples at a time, at least 1. Streams bring their own.
        verbose: 0 for no progress bar, 1 for one, `"auto"` for one on runs that are long
            or of unknown length.

    Returns:
        `TangentSpace`: `vectors` `(n, k, *input_shape)`, `singular_values` `(n, k)`,
        `code_vectors` `(n, k, latent_dim)`.

    Raises:
        ValueError: If `of` is unknown, `k` out of range, `x` empty, the codes not of
            rank 2, or the function mixes samples or declares integer inputs.
        TypeError: If `model` can't be called and has no `encoder`.
        FloatingPointError: If the Jacobian of a sample has NaN or infinite entries.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> model = km.AutoEncoder.dense((8, 8, 1), latent_dim=4)
        >>> x = np.random.default_rng(0).uniform(size=(3, 8, 8, 1)).astype("float32")
        >>> space = km.tangent_space(model, x, k=2)
        >>> space.vectors.shape, space.singular_values.shape, space.code_vectors.shape
        ((3, 2, 8, 8, 1), (3, 2), (3, 2, 4))

    References:
        Rifai, Dauphin, Vincent, Bengio and Muller (2011), The manifold tangent
        classifier, NIPS.
    """
    if of != "encoder":
        raise ValueError(f'`of` must be "encoder". Received: of={of!r}.')
    jacobians = model if isinstance(model, JacobianModel) else None
    spaces = []
    full_size = 0
    input_shape: tuple[int, ...] = ()
    batches, count = _batches(x, batch_size)
    for batch in _with_progress(batches, count, verbose):
        if jacobians is None:
            jacobians = encoder_jacobian(model, batch[0])
        input_shape = input_shape or batch.shape[1:]
        if batch.shape[1:] != input_shape:
            raise ValueError(
                "All samples must be of one shape, as their tangent vectors go into one "
                f"array. Received: samples of shape {input_shape} and then of "
                f"{batch.shape[1:]}. Call tangent_space for each size on its own."
            )
        smaller_side = min(jacobians.output_sample_shape[0], batch[0].size)
        directions = smaller_side if k is None else k
        _check_k(directions, smaller_side, "the smaller side of the Jacobian is")
        full_size = max(full_size, len(batch))
        values = jacobians.predict_on_batch(_padded(batch, full_size))
        spaces.append(_decomposed(values[: len(batch)], directions))
    if not spaces:
        raise ValueError("`x` must bring at least one batch. Received: an empty stream.")
    return TangentSpace(
        *(
            np.concatenate([getattr(space, name) for space in spaces])
            for name in TangentSpace.__dataclass_fields__
        )
    )


def encoder_jacobian(model, sample):
    """`JacobianModel` of a model's encoder, which `tangent_space` takes as a model."""
    encoder = getattr(model, "encoder", model)
    if not callable(encoder):
        raise TypeError(
            "`model` must have an `encoder` or be callable. "
            f"Received: model={model!r} of type {type(model).__name__}."
        )
    jacobians = JacobianModel(encoder, sample)
    if len(jacobians.output_sample_shape) != 1:
        raise ValueError(
            "Codes must be of shape (batch, latent_dim). Received: codes of shape "
            f"{(None, *jacobians.output_sample_shape)}. Add a Flatten layer, or pass a "
            "callable that reshapes them."
        )
    return jacobians


def principal_angles(
    a: TangentSpace | np.ndarray, b: TangentSpace | np.ndarray
) -> np.ndarray:
    r"""Principal angles between the tangent spaces of matching samples.

    The singular values of $A_i B_i^\top$ are their cosines; small angles are taken from
    the sines instead, the singular values of $B_i - B_i A_i^\top A_i$, which keeps full
    precision where the cosine is flat. Cost: two SVDs of at most `k × size` a sample.

    Args:
        a: `TangentSpace`, or orthonormal vectors of shape `(n, k_a, *input_shape)`.
        b: The same, for the same `n` samples.

    Returns:
        Radians in [0, π/2], ascending, shape `(n, min(k_a, k_b))`.

    Raises:
        ValueError: If `a` and `b` differ in `n` or in input shape.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> x_axis, y_axis = np.eye(2)[:, None, None]
        >>> km.principal_angles(x_axis, y_axis).round(4).tolist()
        [[1.5708]]

    References:
        Björck and Golub (1973), Numerical methods for computing angles between linear
        subspaces, Mathematics of Computation 27.
    """
    first, second = _vectors(a), _vectors(b)
    if first.shape[0] != second.shape[0] or first.shape[2:] != second.shape[2:]:
        raise ValueError(
            "`a` and `b` must have the same number of samples and the same input shape. "
            f"Received: a of shape {first.shape} and b of shape {second.shape}."
        )
    larger, smaller = sorted(
        (v.reshape(*v.shape[:2], -1) for v in (first, second)),
        key=lambda v: v.shape[1],
        reverse=True,
    )
    cross = smaller @ larger.swapaxes(1, 2)
    cosines = np.linalg.svd(cross, compute_uv=False)
    residual = smaller - cross @ larger
    sines = np.linalg.svd(residual, compute_uv=False)[:, ::-1]
    from_sines = np.arcsin(np.clip(sines, 0.0, 1.0))
    from_cosines = np.arccos(np.clip(cosines, 0.0, 1.0))
    return np.where(cosines > np.sqrt(0.5), from_sines, from_cosines)


def _vectors(space):
    vectors = space.vectors if isinstance(space, TangentSpace) else np.asarray(space)
    if vectors.ndim < 3:
        raise ValueError(
            "Tangent vectors must be of shape (n, k, *input_shape). "
            f"Received: shape {vectors.shape}."
        )
    return vectors.astype("float64")


def _decomposed(jacobians, k):
    """`TangentSpace` of Jacobians of shape `(batch, latent_dim, *input_shape)`."""
    batch, latent_dim, *input_shape = jacobians.shape
    matrices = jacobians.reshape(batch, latent_dim, -1).astype("float64")
    if not np.isfinite(matrices).all():
        raise FloatingPointError(
            "The Jacobian must be finite to be decomposed. Received: NaN or infinite "
            f"entries in {np.sum(~np.isfinite(matrices).all((1, 2)))} of {batch} samples. "
            "The weights or the inputs have overflowed: look at the training loss."
        )
    if latent_dim <= matrices.shape[2]:
        code, sigma, right = _leading_triplets(matrices, k)
    else:
        right, sigma, code = _leading_triplets(matrices.swapaxes(1, 2), k)
    largest = np.argmax(np.abs(right), axis=2)[..., None]
    sign = np.where(np.take_along_axis(right, largest, axis=2) < 0, -1.0, 1.0)
    return TangentSpace(
        (sign * right).reshape(batch, k, *input_shape).astype("float32"),
        sigma.astype("float32"),
        (sign * code).astype("float32"),
    )


def _leading_triplets(wide, k):
    r"""Leading singular triplets of matrices $A = U \Sigma V^\top$ with few rows.

    From the eigenvectors $U$ of $A A^\top$ and the rows of $U^\top A = \Sigma V^\top$.
    Where a singular value is too small to divide by, a QR decomposition of these rows takes
    its place, which is orthonormal whatever the rank.

    Returns `(left, sigma, right)`, shapes `(n, k, rows)`, `(n, k)`, `(n, k, columns)`.
    """
    _, left = np.linalg.eigh(wide @ wide.swapaxes(1, 2))
    left = left[:, :, ::-1][:, :, :k].swapaxes(1, 2)
    scaled = left @ wide
    sigma = np.linalg.norm(scaled, axis=2)
    order = np.argsort(-sigma, axis=1, kind="stable")  # undone by rounding near 0
    sigma = np.take_along_axis(sigma, order, axis=1)
    left = np.take_along_axis(left, order[..., None], axis=1)
    scaled = np.take_along_axis(scaled, order[..., None], axis=1)
    floor = _WELL_CONDITIONED * sigma[:, :1]
    with np.errstate(divide="ignore", invalid="ignore"):
        right = scaled / sigma[..., None]
    for sample in np.flatnonzero((sigma <= floor).any(axis=1)):
        q, r = np.linalg.qr(scaled[sample].T)
        right[sample] = np.where(np.diag(r) < 0, -1.0, 1.0)[:, None] * q.T
    return left, sigma, right


def _batches(x, batch_size):
    """Iterator over floating-point batches, and their number or `None`."""
    if hasattr(x, "shape"):
        batch_size = check_count("batch_size", batch_size)
        x = floating_samples(x)
        starts = range(0, len(x), batch_size)
        return (x[start : start + batch_size] for start in starts), len(starts)
    if isinstance(x, keras.utils.PyDataset):
        stream, count = (x[index] for index in range(x.num_batches)), x.num_batches
    else:
        stream, count = iter(x), _length(x)
    return (floating_samples(_inputs(element)) for element in stream), count


def _length(stream):
    try:
        return len(stream)
    except TypeError:  # of unknown length, as generators and filtered datasets are
        return None


def _inputs(element):
    inputs, _, _ = keras.utils.unpack_x_y_sample_weight(element)
    # A tf.data pipeline yields TensorFlow's tensors on every backend.
    return inputs if ops.is_tensor(inputs) else np.asarray(inputs)


def _with_progress(batches, count, verbose):
    is_long = count is None or count >= _LONG_RUN
    if not (is_long if verbose == "auto" else verbose):
        yield from batches
        return
    bar = keras.utils.Progbar(count, unit_name="batch")
    done = 0
    for done, batch in enumerate(batches, start=1):
        yield batch
        bar.update(done)
    if count is None:
        bar.update(done, finalize=True)


def _padded(batch, size):
    """At least `size` samples, the last repeated: batches of one size compile once."""
    missing = max(0, size - len(batch))
    return np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)])


def _check_k(k, most, reason):
    if check_count("k", k) > most:
        raise ValueError(
            f"`k` must be in [1, {most}], as {reason} {most}. Received: k={k}."
        )
