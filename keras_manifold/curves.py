"""Curves under a decoder: their lengths, and geodesics."""

import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, fields
from os import PathLike
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from keras_manifold import plot
from keras_manifold._arguments import Verbose, check_count, check_number, check_verbose
from keras_manifold._map.budget import samples_held
from keras_manifold._map.decoders import decoder_map
from keras_manifold._map.energy import CurveEnergy
from keras_manifold._progress import progress_bar
from keras_manifold._relaxation import MOST_EQUATIONS, relaxed, shot
from keras_manifold._storage.archives import read_arrays
from keras_manifold._storage.files import replacing
from keras_manifold.metric import checked_codes
from keras_manifold.plot._rendering import png_of

# Pairs from which on `verbose="auto"` shows a progress bar.
_MANY = 100


@dataclass(frozen=True, eq=False)
class Curves:
    r"""Curves in the codes of a decoder, as NumPy arrays.

    `len(curves)` is their number; `curves[2]`, `curves[2:5]` and iteration give some of
    them, as `Curves`.

    Attributes:
        codes: Their points, at equal steps of the parameter in [0, 1], shape `(n, steps +
            1, *code_shape)`, float32.
        lengths: Of the polylines through the decoder, in units of its outputs, shape
            `(n,)`, float64.
        straight_lengths: Of the straight lines in codes between the same ends, through the
            decoder at as many steps, shape `(n,)`.
        energies: $\sum_i \|g(z_{i+1}) - g(z_i)\|^2$, shape `(n,)`.
        converged: Whether each is what was asked for, shape `(n,)`, bool.
        iterations: Systems of equations that were solved for each, shape `(n,)`.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> model = km.AutoEncoder.dense(20, latent_dim=3, activation="tanh")
        >>> codes = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
        >>> curves = km.geodesics(model, codes[:2], codes[2:], steps=8)
        >>> curves.codes.shape, len(curves[:1])
        ((2, 9, 3), 1)
    """

    codes: Annotated[NDArray[np.float32], "n points *code_shape"]
    lengths: Annotated[NDArray[np.float64], "n"]
    straight_lengths: Annotated[NDArray[np.float64], "n"]
    energies: Annotated[NDArray[np.float64], "n"]
    converged: Annotated[NDArray[np.bool_], "n"]
    iterations: Annotated[NDArray[np.integer], "n"]

    @property
    def velocities(self) -> Annotated[NDArray[np.float32], "n *code_shape"]:
        r"""$\dot z$ at the start, the logarithm of `stop`, shape `(n, *code_shape)`.

        `exponential(model, curves.codes[:, 0], curves.velocities)` comes back to the end.
        Their length under the metric at the start is that of the curve. Taken from the
        points, by a difference of fourth order.
        """
        count = self.codes.shape[1]
        weights = _ONE_SIDED[min(count, 5)]
        points = self.codes[:, : len(weights)].astype("float64")
        return ((count - 1) * np.tensordot(weights, points, (0, 1))).astype("float32")

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, index: Any) -> "Curves":
        if isinstance(index, (int, np.integer)):
            count = len(self)
            if not -count <= index < count:
                raise IndexError(
                    f"There are {count} curves, from 0 to {count - 1}. Received: {index}."
                )
            index = slice(int(index) % count, int(index) % count + 1)
        return Curves(**{name: array[index] for name, array in self._arrays().items()})

    def __iter__(self) -> Iterator["Curves"]:
        return (self[index] for index in range(len(self)))

    def __repr__(self) -> str:
        shape = self.codes.shape
        if not len(self):
            return f"Curves(n=0, steps={shape[1] - 1}, code_shape={shape[2:]})"
        low, high = self.lengths.min(), self.lengths.max()
        return (
            f"Curves(n={len(self)}, steps={shape[1] - 1}, code_shape={shape[2:]}, "
            f"lengths {low:.3g} to {high:.3g}, {int(self.converged.sum())} converged)"
        )

    def _repr_png_(self) -> bytes:
        return png_of(plot.curves(self[:64], title=repr(self)))

    def save(self, path: str | PathLike[str]) -> None:
        """Writes the arrays to one `.npz` file, whole or not at all.

        Args:
            path: File name, taken as it is; `.npz` is its usual ending.

        Raises:
            OSError: If the file cannot be written.

        Examples:
            >>> import tempfile, numpy as np, keras_manifold as km
            >>> model = km.AutoEncoder.dense(20, latent_dim=3, activation="tanh")
            >>> codes = np.eye(3, dtype="float32")
            >>> curves = km.geodesics(model, codes, codes[::-1], steps=4)
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     curves.save(f"{folder}/curves.npz")
            ...     loaded = km.Curves.load(f"{folder}/curves.npz")
            >>> len(loaded)
            3
        """
        with replacing(path) as file:
            np.savez_compressed(file, **self._arrays())

    @classmethod
    def load(cls, path: str | PathLike[str]) -> "Curves":
        """Reads what `save` wrote.

        Args:
            path: Name of the file.

        Returns:
            `Curves`.

        Raises:
            ValueError: If the file does not hold curves, is cut short or damaged, or
                promises more than 1 GiB.
            FileNotFoundError: If there is no such file.

        Examples:
            See `save`.
        """
        names = [field.name for field in fields(cls)]
        found: dict[str, Any] = read_arrays(path, names)
        missing = [name for name in names if name not in found]
        if missing:
            raise ValueError(
                f"Curves are made of the arrays {', '.join(names)}. Received: "
                f"{os.fspath(path)} without {', '.join(missing)}."
            )
        return cls(**found)

    def _arrays(self):
        return {field.name: getattr(self, field.name) for field in fields(self)}


# Of one-sided first differences over 2 to 5 points.
_ONE_SIDED = {
    2: np.array([-1.0, 1]),
    3: np.array([-3.0, 4, -1]) / 2,
    4: np.array([-11.0, 18, -9, 2]) / 6,
    5: np.array([-25.0, 48, -36, 16, -3]) / 12,
}


def curve_lengths(model: Any, curves: Any) -> Annotated[NDArray[np.float64], "n"]:
    r"""Lengths of curves through a decoder, $\sum_i \|g(z_{i+1}) - g(z_i)\|$.

    Of polylines through the decoder's outputs: too short by a share that falls with the
    square of the number of points. Cost: one evaluation per point; memory does not grow
    with their number.

    Args:
        model: As in `geodesics`.
        curves: Points in codes, `(n, points, *code_shape)`, at least two on each, or
            `Curves`.

    Returns:
        `(n,)`, float64, in units of the outputs.

    Raises:
        ValueError, TypeError: As in `geodesics`.
        FloatingPointError: If codes are not finite, or the decoder returns other
            numbers.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> corner = np.array([[[0, 0], [3, 0], [3, 4]]], "float32")
        >>> km.curve_lengths(lambda codes: 2 * codes, corner)
        array([14.])
    """
    curves = checked_codes("curves", getattr(curves, "codes", curves), axes=3)
    if curves.shape[1] < 2:
        raise ValueError(
            "`curves` must be of shape (n, points, *code_shape) with at least two points. "
            f"Received: curves of shape {curves.shape}."
        )
    return _lengths(_energy_of(model, curves), curves)


def geodesics(
    model: Any,
    start: Any,
    stop: Any,
    *,
    steps: int = 64,
    initial: Any = None,
    tolerance: float = 1e-6,
    max_iterations: int = 100,
    verbose: Verbose = "auto",
) -> Curves:
    r"""Shortest curves on a decoder's manifold between pairs of codes.

    Minimisers of the discretised energy $\sum_i \|g(z_{i+1}) - g(z_i)\|^2$, whose steps are
    of equal length in the outputs. A minimum near the initial curve: where there are
    several geodesics, others may be shorter. No ridge is added to the metric.

    Steps are those of Gauss and Newton: the differences are linear in both ends of a step,
    so that their least squares are a block-tridiagonal system, which is solved for all
    pairs at once; damping, one per pair, vanishes on the way. It takes a handful of
    iterations where the manifold is nearly flat, as learned ones often are, and tens where
    the ends are nearly conjugate, such as antipodal points of a sphere.

    Cost: per iteration `d` passes (about two evaluations) at each point, where the model
    is, and $O(d^3)$ for each point in float64 NumPy. Memory: Jacobians of a window of
    points, at most 134 MB (and what the framework holds beside them), and the equations of
    as many pairs as fit into 270 MB. The
    compilation comes on top: once for a decoder that is a Keras layer, and for one of a few
    sizes that the number of points is rounded up to; at each call for other callables.

    Args:
        model: `AutoEncoder` or anything with a `decoder`; a Keras layer or callable from
            codes `(batch, *code_shape)`; or a list of these, an ensemble, whose mean energy
            is minimised: each member has the whole curve, so that the metric is the
            expected one, $E[J^\top J]$. Syrota et al. have this metric; where their code
            draws another member at each point, the energy also counts the variance of the
            members at both ends of each step. A decoder may return `(mean, stddev)`: then
            the metric is the expected one of its random outputs,
            $J_\mu^\top J_\mu + J_\sigma^\top J_\sigma$.
        start: Codes from which to go, `(n, *code_shape)`.
        stop: Codes to which to go, of the same shape.
        steps: Of each curve, at least 2. The length's error falls with its square.
        initial: Curves to begin with, `(n, steps + 1, *code_shape)`, whose ends are `start`
            and `stop`; `None` for straight lines in codes.
        tolerance: A curve has converged once a step lowered its energy by less than this
            share of it; above 0.
        max_iterations: At most, at least 1.
        verbose: 0 for no progress bar, 1 for one, `"auto"` for one from 100 pairs on.

    Returns:
        `Curves` of `n`. `start` = `stop` gives length 0.

    Raises:
        ValueError: If codes are of unequal number, or not of the shape that the
            decoder takes; if another argument is out of range; if the decoder mixes samples
            or returns whole numbers.
        TypeError: If there is no decoder, or it returns several outputs.
        FloatingPointError: If codes are not finite, or the decoder returns other
            numbers on an initial curve.

    Warns:
        RuntimeWarning: If curves did not converge, with their number: they ran out of
            iterations, or no step lowered their energy, as it is at kinks of ReLU.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> model = km.AutoEncoder.dense(20, latent_dim=3, activation="tanh")
        >>> codes = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
        >>> curves = km.geodesics(model, codes[:2], codes[2:], steps=8)
        >>> bool((curves.lengths <= curves.straight_lengths + 1e-6).all())
        True

    References:
        Shao, Kumar and Fletcher (2018), The Riemannian geometry of deep generative models,
        CVPR workshops.
        Arvanitidis, Hansen and Hauberg (2018), Latent space oddity: on the curvature of
        deep generative models, ICLR.
        Syrota, Moreno-Muñoz and Hauberg (2024), Decoder ensembling for learned latent
        geometries, GRaM workshop at ICML.
    """
    start, stop = _checked_ends(start, stop)
    steps = check_count("steps", steps, least=2, note="as a step alone has nothing to bend")
    tolerance = check_number("tolerance", tolerance, positive=True)
    max_iterations = check_count("max_iterations", max_iterations)
    check_verbose(verbose)
    straight = straight_lines(start, stop, steps)
    curves = straight if initial is None else _checked_initial(initial, straight)
    energy = _energy_of(model, curves)
    straight_lengths = _lengths(energy, straight)
    bar = progress_bar(len(start), "pair", verbose=verbose, many=_MANY)
    parts, done = [], 0
    for group in _groups(curves):

        def show(settled, done=done):
            bar(done + settled)

        relaxation = relaxed(
            energy,
            group,
            tolerance=tolerance,
            max_iterations=max_iterations,
            settled=show,
        )
        done += len(group)
        parts.append(relaxation)
    codes, converged, iterations = map(np.concatenate, zip(*parts))
    is_stuck = ~converged & (iterations < max_iterations)
    _warn_of(
        ~converged & ~is_stuck,
        f"did not converge in {max_iterations} iterations",
        "raise `max_iterations`, or take more `steps`, or begin elsewhere",
    )
    _warn_of(
        is_stuck,
        "stopped where no step lowers their energy, as it is at kinks of ReLU",
        "take a smooth activation, or more `steps`, or begin elsewhere",
    )
    return _measured(energy, codes, straight_lengths, converged, iterations)


def exponential(model: Any, codes: Any, velocities: Any, *, steps: int = 64) -> Curves:
    r"""Geodesics from codes along velocities, for one unit of time.

    Each step is what makes the discretised energy stationary, $J_i^\top (g(z_{i+1}) - 2
    g(z_i) + g(z_{i-1})) = 0$, found by Newton's method: the curves are those of
    `geodesics`, and `exponential(model, start, curves.velocities)` comes back to `stop`.
    Errors of both grow along directions in which geodesics part.

    Cost: two to four evaluations of the equations at three points per step and code, one
    step after the other.

    Args:
        model: As in `geodesics`.
        codes: Codes from which to go, `(n, *code_shape)`.
        velocities: $\dot z$ there, of the same shape. Their length under the metric is that
            of the curve.
        steps: Of each curve, at least 2.

    Returns:
        `Curves` of `n`; `iterations` are the equations solved. A curve that leaves what the
        decoder can follow ends where it is, with `converged` False.

    Raises:
        ValueError, TypeError, FloatingPointError: As in `geodesics`.

    Warns:
        RuntimeWarning: If curves did not converge, with their number.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> codes, velocities = np.zeros((1, 2), "float32"), np.ones((1, 2), "float32")
        >>> km.exponential(lambda codes: 2 * codes, codes, velocities).codes[0, -1].tolist()
        [1.0, 1.0]

    References:
        Rumpf and Wirth (2015), Variational time discretization of geodesic calculus, IMA
        Journal of Numerical Analysis 35.
    """
    codes, velocities = (
        checked_codes("codes", codes),
        checked_codes("velocities", velocities),
    )
    if codes.shape != velocities.shape:
        raise ValueError(
            "`velocities` must be of the shape of `codes`. Received: codes of shape "
            f"{codes.shape} and velocities of shape {velocities.shape}."
        )
    steps = check_count("steps", steps, least=2)
    energy = _energy_of(model, np.stack([codes] * 3, axis=1))
    points, converged, iterations = shot(energy, codes, velocities / steps, steps)
    _warn_of(
        ~converged,
        f"did not converge in {MOST_EQUATIONS} equations per step",
        "take more `steps`, or begin elsewhere",
    )
    straight_lengths = _lengths(energy, straight_lines(codes, points[:, -1], steps))
    return _measured(energy, points, straight_lengths, converged, iterations)


def _measured(energy, codes, straight_lengths, converged, iterations):
    """The curves through `codes`, with their lengths and energies."""
    squares, _ = energy.segments(codes)
    return Curves(
        codes=codes,
        lengths=np.sqrt(squares).sum(axis=1),
        straight_lengths=straight_lengths,
        energies=squares.sum(axis=1),
        converged=converged,
        iterations=iterations,
    )


def straight_lines(start: np.ndarray, stop: np.ndarray, steps: int) -> np.ndarray:
    """Points of straight lines, `(n, steps + 1, *code_shape)`, float32, with exact ends."""
    share = np.linspace(0, 1, steps + 1).reshape(1, -1, *(1,) * (start.ndim - 1))
    lines = (1 - share) * start[:, None].astype("float64") + share * stop[:, None]
    return lines.astype("float32")


def _energy_of(model, curves):
    code = curves[0, 0]
    return CurveEnergy(decoder_map(model, code), code, curves.shape[0] * curves.shape[1])


def _lengths(energy, curves):
    squares, _ = energy.segments(curves)
    lengths = np.sqrt(squares).sum(axis=1)
    if not np.isfinite(lengths).all():
        index = int(np.flatnonzero(~np.isfinite(lengths))[0])
        raise FloatingPointError(
            "The decoder must return finite numbers. Received: NaN or infinite ones along "
            f"curve {index}. Look at its weights, and at codes far from those of the data."
        )
    return lengths


def _checked_ends(start, stop):
    start, stop = checked_codes("start", start), checked_codes("stop", stop)
    if start.shape != stop.shape:
        raise ValueError(
            "`start` and `stop` must be as many codes of one shape. Received: start of "
            f"shape {start.shape} and stop of shape {stop.shape}."
        )
    return start, stop


def _checked_initial(initial, straight):
    initial = checked_codes("initial", initial, axes=3)
    if initial.shape != straight.shape:
        raise ValueError(
            "`initial` must be of shape (n, steps + 1, *code_shape), here "
            f"{straight.shape}. Received: initial of shape {initial.shape}."
        )
    ends = np.abs(initial[:, [0, -1]] - straight[:, [0, -1]])
    if ends.max(initial=0.0) > 1e-4 * np.abs(straight).max(initial=1.0):
        raise ValueError(
            "`initial` must begin at `start` and end at `stop`. Received: curves whose "
            f"ends are up to {ends.max():.2g} away from them."
        )
    initial = initial.copy()
    initial[:, [0, -1]] = straight[:, [0, -1]]
    return initial


def _groups(curves):
    """As many curves at a time as the normal equations of which fit into memory."""
    points, size = curves.shape[1], int(np.prod(curves.shape[2:]))
    at_once = samples_held(4 * points * size * (size + 1))
    for first in range(0, len(curves), at_once):
        yield curves[first : first + at_once]


def _warn_of(missed, what, advice):
    if missed.any():
        which = ", ".join(map(str, np.flatnonzero(missed)[:5]))
        more = ", ..." if missed.sum() > 5 else ""
        warnings.warn(
            f"{int(missed.sum())} of {len(missed)} curves {what}: {which}{more}. See "
            f"`converged`; {advice}.",
            RuntimeWarning,
            stacklevel=3,
        )
