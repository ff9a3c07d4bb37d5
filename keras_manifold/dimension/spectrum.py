"""Local dimension of a manifold, from singular values."""

from typing import Annotated, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from keras_manifold._arguments import check_choice

Rule = Literal["participation_ratio", "entropy", "gap", "energy"]
RULES: tuple[Rule, ...] = get_args(Rule)

# Rows of a longer array that are read at a time, as it need not be in memory.
_ROWS = 2**16


def local_dimension(
    singular_values: Any, rule: Rule = "participation_ratio", *, share: float = 0.95
) -> Annotated[NDArray[np.float64], "..."]:
    r"""Number of directions that matter, from the singular values of a Jacobian.

    - `"participation_ratio"`: $(\sum \sigma^2)^2 / \sum \sigma^4$.
    - `"entropy"`: $\exp(-\sum p \log p)$ with $p = \sigma^2 / \sum \sigma^2$.
    - `"gap"`: the number of singular values before the largest drop, that is
      $\arg\max_i \sigma_i / \sigma_{i+1}$; the drop to 0 after the last is not counted.
    - `"energy"`: how many of the largest hold `share` of $\sum \sigma^2$.

    The first two are smooth and need not be whole numbers; $d$ equal singular values
    give $d$ under all but `"gap"`, which cannot see a drop there. All four ignore the
    scale of the singular values. Rounding is allowed for: `"gap"` takes values below
    $10^{-12}$ of the largest for equal, `"energy"` forgives a share short by $10^{-12}$.

    On the singular values of a centred point cloud, the first and the last two are
    `participation_ratio`, `maxgap` and `ratio` of scikit-dimension's `lPCA`, which works
    on their squares.

    Args:
        singular_values: Shape `(..., m)`, not negative, in any order, or a `TangentSpace`.
            Give all of them, not only the leading ones. Of results on disk, some are
            read at a time.
        rule: `"participation_ratio"`, `"entropy"`, `"gap"` or `"energy"`.
        share: For `"energy"`: in (0, 1].

    Returns:
        NumPy array of shape `(...)`, in [1, m]; 0 where all singular values are 0,
        NaN where one of them is NaN.

    Raises:
        ValueError: If `rule` is unknown, `share` is out of range, or a singular value
            is negative.

    Examples:
        >>> import keras_manifold as km
        >>> float(km.local_dimension([3.0, 3.0, 0.0]))
        2.0

    References:
        Bac et al. (2021), Scikit-dimension: a Python package for intrinsic dimension
        estimation.
    """
    values = getattr(singular_values, "singular_values", singular_values)
    check_choice("rule", rule, Rule)
    if not 0 < share <= 1:
        raise ValueError(f"`share` must be in (0, 1]. Received: share={share}.")
    if len(getattr(values, "shape", ())) < 2 or len(values) <= _ROWS:
        return _dimension(values, rule, share)
    found = np.empty(values.shape[:-1])
    for start in range(0, len(values), _ROWS):
        rows = slice(start, start + _ROWS)
        found[rows] = _dimension(values[rows], rule, share)
    return found


def _dimension(values, rule, share):
    sigma = np.asarray(values, dtype="float64")
    if sigma.ndim == 0 or sigma.shape[-1] == 0:
        raise ValueError(
            "`singular_values` must have a last axis of at least one value. "
            f"Received: shape {sigma.shape}."
        )
    if np.any(sigma < 0):
        raise ValueError(
            f"`singular_values` must not be negative. Received: minimum {np.nanmin(sigma)}."
        )
    sigma = -np.sort(-sigma, axis=-1)
    largest = sigma[..., :1]
    is_zero = largest[..., 0] == 0
    sigma = sigma / np.where(largest == 0, 1.0, largest)
    energy = sigma**2
    total = np.where(is_zero, 1.0, energy.sum(-1))
    if rule == "participation_ratio":
        dimension = total**2 / np.where(is_zero, 1.0, (energy**2).sum(-1))
    elif rule == "entropy":
        p = energy / total[..., None]
        dimension = np.exp(-np.sum(p * np.log(np.where(p > 0, p, 1.0)), axis=-1))
    elif rule == "gap":
        dimension = _values_before_largest_drop(sigma)
    else:
        held = np.cumsum(energy, axis=-1) / total[..., None]
        dimension = 1.0 + np.sum(held < share - 1e-12, axis=-1)
    dimension = np.where(is_zero, 0.0, dimension)
    return np.where(np.isnan(sigma).any(-1), np.nan, dimension)


def _values_before_largest_drop(sigma):
    if sigma.shape[-1] == 1:
        return np.ones(sigma.shape[:-1])
    # Values at rounding level are no evidence of a further drop among themselves.
    floored = np.maximum(sigma, 1e-12)
    return 1.0 + np.argmax(floored[..., :-1] / floored[..., 1:], axis=-1)
