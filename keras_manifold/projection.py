"""The nearest points of a decoder's manifold."""

import math
import warnings
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from keras_manifold._arguments import Verbose, check_count, check_number, check_verbose
from keras_manifold._map.budget import samples_held
from keras_manifold._map.compiled import ONE_AT_A_TIME, SAMPLES_CHECKED
from keras_manifold._map.damping import Damping, damped
from keras_manifold._map.decoders import decoder_map, encoder_of, ensemble_size
from keras_manifold._map.energy import Distances, Offsets
from keras_manifold._progress import progress_bar
from keras_manifold._storage.streams import floating_samples, padded
from keras_manifold.metric import checked_codes

# Samples at a time: more make it no faster.
_MOST_SAMPLES = 256
# From how many on `verbose="auto"` shows a progress bar.
_MANY = 1000
# Damping, in units of the metric.
_DAMPING = {"first": 1e-3, "free": 1e-2, "least": 1e-7}


def project(
    model: Any,
    x: Any,
    codes: Any = None,
    *,
    tolerance: float = 1e-6,
    max_iterations: int = 50,
    verbose: Verbose = "auto",
) -> tuple[
    Annotated[NDArray[np.float32], "n *code_shape"], Annotated[NDArray[np.float64], "n"]
]:
    r"""Codes of the nearest points of a decoder's manifold, $\min_z \|g(z) - x\|$.

    An encoder's codes are not those: distances between data that are measured from them
    have its error. Gauss-Newton steps with Levenberg and Marquardt's damping, one for each
    sample; what they find is a minimum near the codes that they begin with.

    Args:
        model: As in [`geodesics`][keras_manifold.geodesics]. Of `(mean, stddev)` the mean
            is compared; of an ensemble, the mean over its members of squared distances.
        x: Samples, `(n, *output_shape)`.
        codes: Codes to begin with, `(n, *code_shape)`; `None` for those of the encoder of
            `model`.
        tolerance: A sample is done once a step lowered its squared distance by less than
            this share of it; above 0.
        max_iterations: At most, at least 1.
        verbose: 0 for no progress bar, 1 for one, `"auto"` for one from 1,000 samples on.

    Returns:
        Tuple of codes, `(n, *code_shape)`, float32, and distances $\|g(z) - x\|$, `(n,)`,
        float64.

    Raises:
        ValueError: If samples are not of the shape of the decoder's outputs or not as many
            as codes; if there are neither codes nor an encoder; and as in `geodesics`.
        TypeError, FloatingPointError: As in `geodesics`.

    Warns:
        RuntimeWarning: If samples are not done after `max_iterations`, with their number.

    Examples:
        >>> import keras, numpy as np, keras_manifold as km
        >>> x = np.array([[3.0, 4.0]], "float32")
        >>> diagonal = lambda z: keras.ops.concatenate([z, z], axis=-1)
        >>> codes, distances = km.project(diagonal, x, [[0.0]])
        >>> codes.round(3).tolist(), distances.round(3).tolist()
        ([[3.5]], [0.707])
    """
    x = floating_samples(x)
    tolerance = check_number("tolerance", tolerance, positive=True)
    max_iterations = check_count("max_iterations", max_iterations)
    check_verbose(verbose)
    codes = _first_codes(model, x) if codes is None else checked_codes("codes", codes)
    if len(codes) != len(x):
        raise ValueError(
            f"`codes` must be as many as `x`. Received: {len(codes)} codes and {len(x)} "
            "samples."
        )
    function = decoder_map(model, codes[0], with_stddev=False)
    members = ensemble_size(model)
    offsets: Any = Offsets.of(function, codes[:SAMPLES_CHECKED])
    size = math.prod(offsets.map.output_shape)
    targets = np.tile(x.reshape(len(x), -1), members) / math.sqrt(members)
    if targets.shape[1] != size:
        raise ValueError(
            "`x` must be of the shape of the decoder's outputs. Received: x of shape "
            f"{x.shape}, for outputs of {size // members} entries."
        )
    distances: Any = Distances.of(function, codes[:SAMPLES_CHECKED])
    at_once = max(1, min(_MOST_SAMPLES, len(x), samples_held(size * codes[0].size)))
    found, squares, is_done = (
        codes.astype("float64"),
        np.empty(len(x)),
        np.zeros(len(x), bool),
    )
    bar = progress_bar(len(x), "sample", verbose=verbose, many=_MANY)
    for start in range(0, len(x), at_once):
        part = slice(start, start + at_once)
        found[part], squares[part], is_done[part] = _nearest(
            offsets,
            distances,
            found[part],
            targets[part],
            at_once,
            tolerance,
            max_iterations,
        )
        bar(min(start + at_once, len(x)))
    if not is_done.all():
        warnings.warn(
            f"{int((~is_done).sum())} of {len(x)} samples are not projected to `tolerance` "
            f"after {max_iterations} iterations. Raise either.",
            RuntimeWarning,
            stacklevel=2,
        )
    return found.astype("float32"), np.sqrt(squares)


def _first_codes(model, x):
    encoder = encoder_of(model)
    if encoder is None:
        raise ValueError(
            "`codes` are needed where `model` has no `encoder`. Received: codes=None. Pass "
            "codes to begin with, (n, *code_shape)."
        )
    with ONE_AT_A_TIME:
        return checked_codes("codes", encoder.values(x))


def _nearest(offsets, distances, codes, targets, size, tolerance, max_iterations):
    """Codes, squared distances and whether they are done, of one batch."""
    shape, count = codes.shape, len(codes)
    codes = codes.reshape(count, -1).copy()
    padded_targets = padded(targets, size)

    def at(model, codes):
        points = padded(codes.reshape(shape).astype("float32"), size)
        found = model.predict_on_batch((points, padded_targets))
        parts = found if isinstance(found, (list, tuple)) else [found]
        return [part[:count].astype("float64") for part in parts]

    squares, gradients, matrices = at(offsets, codes)
    damping = Damping(count, **_DAMPING)
    is_done = squares == 0
    for _ in range(max_iterations):
        running = np.flatnonzero(~is_done & damping.is_usable(slice(None)))
        if not len(running):
            break
        equations = damped(matrices[running], damping.values[running])
        steps = np.zeros_like(codes)
        steps[running] = -np.linalg.solve(equations, gradients[running, :, None])[..., 0]
        gains = -(steps * gradients).sum(axis=1)
        moved = codes + steps
        (new,) = at(distances, moved)
        # No step lowers it, and none would by more than rounding hides.
        noise = 1e-6 * (squares + np.square(targets).sum(axis=1) * 1e-6)
        is_lower, is_done[running] = damping.judged(
            running,
            squares[running],
            new[running],
            gains[running],
            tolerance=tolerance,
            noise=noise[running],
        )
        lowered = running[is_lower]
        codes[lowered] = moved[lowered]
        squares, gradients, matrices = at(offsets, codes)
    return codes.reshape(shape), squares, is_done
