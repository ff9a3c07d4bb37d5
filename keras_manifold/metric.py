"""The metric that a decoder gives its codes, and its volume."""

import itertools
import math
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from keras_manifold._map.budget import samples_held
from keras_manifold._map.compiled import SAMPLES_CHECKED
from keras_manifold._map.decoders import decoder_map
from keras_manifold._map.energy import Columns
from keras_manifold._storage.streams import floating_batches, floating_samples, padded


def pullback_metric(
    model: Any, codes: Any, *, batch_size: int = 32
) -> Annotated[NDArray[np.float64], "n d d"]:
    r"""The metric of a decoder at codes, $G = J^\top J$.

    $v^\top G v$ is the squared length of the decoder's output along a small step $v$. Cost:
    `d` passes (about two evaluations) per batch, and the products in float64 NumPy.

    Args:
        model: As in [`geodesics`][keras_manifold.geodesics]: anything with a `decoder`, a
            callable from codes, or a list of these. Of `(mean, stddev)` it is the expected
            metric, $J_\mu^\top J_\mu + J_\sigma^\top J_\sigma$; of an ensemble, the mean.
        codes: Array of shape `(n, *code_shape)`, or an iterable of batches.
        batch_size: Codes at a time, at least 1; streams bring their own. Fewer where their
            Jacobians would take more than about 130 MB.

    Returns:
        `(n, d, d)`, float64, symmetric, with `d` entries of a code.

    Raises:
        ValueError: If codes are not of the shape that the decoder takes, or
            if it mixes samples or returns whole numbers.
        TypeError: If there is no decoder, or it returns several outputs.
        FloatingPointError: If a code or a Jacobian has NaN or infinite entries.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> codes = np.zeros((1, 2), "float32")
        >>> km.pullback_metric(lambda codes: 3 * codes, codes).tolist()
        [[[9.0, 0.0], [0.0, 9.0]]]

    References:
        Arvanitidis, Hansen and Hauberg (2018), Latent space oddity: on the curvature of
        deep generative models, ICLR.
    """
    return np.concatenate(
        [np.swapaxes(j, 1, 2) @ j for j in _jacobians(model, codes, batch_size)]
    )


def log_volume(
    model: Any, codes: Any, *, batch_size: int = 32
) -> Annotated[NDArray[np.float64], "n"]:
    r"""Logarithm of how much a decoder stretches volumes at codes, $\frac12 \log \det G$.

    The sum of the logarithms of the singular values of $J$, in float64. The logarithm of a
    density of codes less this is that of the density on the manifold.

    Args:
        model: As in `pullback_metric`, and so are `codes` and `batch_size`.
        codes: Array of shape `(n, *code_shape)`, or an iterable of batches.
        batch_size: Codes at a time.

    Returns:
        `(n,)`, float64; −inf where the rank of $J$ is short: where its smallest singular
        value is below what float32 resolves of the largest.

    Raises:
        ValueError, TypeError, FloatingPointError: As in `pullback_metric`.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> volumes = km.log_volume(lambda codes: 3 * codes, np.zeros((1, 2), "float32"))
        >>> bool(np.allclose(np.exp(volumes), 9))
        True
    """
    return np.concatenate([_log_volumes(j) for j in _jacobians(model, codes, batch_size)])


def _log_volumes(jacobians):
    outputs, size = jacobians.shape[1:]
    if outputs < size:
        return np.full(len(jacobians), -np.inf)
    sigma = np.linalg.svd(jacobians, compute_uv=False)
    least = np.finfo("float32").eps * math.sqrt(outputs) * sigma[:, 0]
    is_short = sigma[:, -1] <= least
    sigma[is_short] = 0
    with np.errstate(divide="ignore"):
        return np.log(sigma).sum(axis=1)


def _jacobians(model, codes, batch_size):
    """Jacobians `(batch, outputs, d)` in float64, batch by batch."""
    if hasattr(codes, "shape"):
        codes = checked_codes("codes", codes)
    batches, _ = floating_batches(codes, batch_size)
    first = next(batches, None)
    if first is None:
        raise ValueError(
            "`codes` must bring at least one batch. Received: an empty stream."
        )
    first = checked_codes("codes", first)
    function = decoder_map(model, first[0])
    columns: Any = Columns.of(function, first[:SAMPLES_CHECKED])
    entries = math.prod(columns.map.output_shape) * first[0].size
    most = samples_held(entries)
    start = size = 0
    for batch in itertools.chain([first], batches):
        batch = checked_codes("codes", batch)
        size = max(size, min(len(batch), most))
        for part in (batch[i : i + size] for i in range(0, len(batch), size)):
            found = columns.predict_on_batch(padded(part, size))[: len(part)]
            is_finite = np.isfinite(found).all(axis=(1, 2))
            if not is_finite.all():
                raise FloatingPointError(
                    "Jacobians must be finite. Received: NaN or infinite entries at code "
                    f"{start + int(np.flatnonzero(~is_finite)[0])}."
                )
            start += len(part)
            yield np.swapaxes(found, 1, 2).astype("float64")


def checked_codes(name: str, codes: Any, axes: int = 2) -> np.ndarray:
    """Codes as a float32 NumPy array, at least one and finite.

    Args:
        name: Of the argument, for errors.
        codes: `(n, *code_shape)`, or `(n, points, *code_shape)`.
        axes: Axes at least: 2, or 3.

    Raises:
        ValueError, TypeError, FloatingPointError: As `floating_samples`.
    """
    form = "(n, *code_shape)" if axes == 2 else "(n, points, *code_shape)"
    return floating_samples(codes, name, form).astype("float32", copy=False)
