import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_manifold import local_dimension
from keras_manifold.dimension.spectrum import RULES

# The rules that scikit-dimension's lPCA has too, by its names; it has no entropy.
SCIKIT_DIMENSION_VERSIONS = {
    "participation_ratio": "participation_ratio",
    "gap": "maxgap",
    "energy": "ratio",
}

spectra = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=8)


@st.composite
def clouds(draw):
    """A Gaussian cloud `(n, d)`, off centre, on turned axes whose scales decay.

    Scales stop at 0.5^9 of the first: scikit-learn's PCA of a tall cloud squares it,
    and loses in rounding what lies below 1e-8.
    """
    n, d = draw(st.integers(2, 150)), draw(st.integers(2, 10))
    decay = draw(st.floats(0.5, 1.0))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    axes, _ = np.linalg.qr(rng.normal(size=(d, d)))
    return rng.normal(size=(n, d)) * decay ** np.arange(d) @ axes + rng.normal(size=d)


def centred_singular_values(cloud):
    return np.linalg.svd(cloud - cloud.mean(-2, keepdims=True), compute_uv=False)


@pytest.fixture(scope="module")
def skdim_id():
    # Not imported above: numba, which it needs, trails new releases of Python and NumPy.
    return pytest.importorskip("skdim.id", reason="scikit-dimension, of the extra `test`")


@pytest.mark.parametrize("rule", RULES)
def test_equal_singular_values_before_zeros_count_as_their_number(rule):
    for d in range(1, 5):
        spectrum = [2.0] * d + [0.0] * (6 - d)
        assert local_dimension(spectrum, rule, share=0.999) == pytest.approx(d)


def test_participation_ratio_and_entropy_by_hand():
    # energies 4 and 1: (4 + 1)^2 / (16 + 1); p = 0.8, 0.2
    assert local_dimension([2.0, 1.0]) == pytest.approx(25 / 17)
    entropy = -(0.8 * np.log(0.8) + 0.2 * np.log(0.2))
    assert local_dimension([1.0, 2.0], "entropy") == pytest.approx(np.exp(entropy))


def test_gap_is_before_the_largest_ratio():
    assert local_dimension([10.0, 8.0, 1.0, 0.5], "gap") == 2


def test_energy_counts_until_the_share_is_reached():
    spectrum = np.sqrt([6.0, 3.0, 1.0])
    shares = {0.5: 1, 0.6: 1, 0.61: 2, 0.9: 2, 0.91: 3, 1.0: 3}
    assert {s: int(local_dimension(spectrum, "energy", share=s)) for s in shares} == shares


@pytest.mark.parametrize(("rule", "version"), SCIKIT_DIMENSION_VERSIONS.items())
@given(cloud=clouds(), share=st.floats(0.01, 0.99))
def test_clouds_have_the_dimensions_of_scikit_dimension(
    skdim_id, rule, version, cloud, share
):
    found = local_dimension(centred_singular_values(cloud), rule, share=share)
    lpca = skdim_id.lPCA(ver=version, alphaRatio=share)
    with np.errstate(divide="ignore"):  # a variance of 0, if n <= d, in its ratios
        expected = lpca.fit(cloud).dimension_
    # Whole numbers, or two float64 factorisations of one cloud: 3e-14 was measured.
    np.testing.assert_allclose(found, expected, rtol=1e-11)


def test_energy_reaches_a_share_exactly_where_scikit_dimension_does(skdim_id):
    # Shares j/m of m equal values, and those of 6, 3, 1: `>=` and `>` differ on each.
    cases = [(np.ones(m), j / m) for m in range(2, 12) for j in range(1, m)]
    for variances, share in [*cases, ([6.0, 3.0, 1.0], 0.6), ([6.0, 3.0, 1.0], 0.9)]:
        lpca = skdim_id.lPCA(ver="ratio", alphaRatio=share, fit_explained_variance=True)
        found = local_dimension(np.sqrt(variances), "energy", share=share)
        assert found == lpca.fit(np.asarray(variances)).dimension_


@pytest.mark.parametrize(("rule", "version"), SCIKIT_DIMENSION_VERSIONS.items())
def test_neighbourhoods_on_a_sphere_have_the_dimensions_of_scikit_dimension(
    skdim_id, rng, rule, version
):
    x = rng.normal(size=(400, 3))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    nearest = np.argsort(-x[:40] @ x.T, axis=1)[:, :25]
    found = local_dimension(centred_singular_values(x[nearest]), rule)
    lpca = skdim_id.lPCA(ver=version, alphaRatio=0.95)
    lpca.fit_pw(x, precomputed_knn=nearest)
    np.testing.assert_allclose(found, lpca.dimension_pw_, rtol=1e-11)
    if rule == "gap":
        np.testing.assert_array_equal(found, 2)


@given(rank=st.integers(1, 9), n=st.integers(12, 200), seed=st.integers(0, 2**32))
def test_gap_of_a_cloud_in_a_subspace_is_the_rank_whatever_rounding_leaves(rank, n, seed):
    rng = np.random.default_rng(seed)
    cloud = rng.normal(size=(n, rank)) @ rng.normal(size=(rank, 10))
    assert local_dimension(centred_singular_values(cloud), "gap") == rank
    # From rounding level to an exact 0 the ratio is infinite, and says nothing.
    exact = np.arange(rank, 0, -1.0)
    assert local_dimension([*exact, 1e-15, 1e-30, 0.0], "gap") == rank


@pytest.mark.parametrize("rule", RULES)
@given(spectrum=spectra, scale=st.floats(1e-20, 1e20))
def test_rules_ignore_scale_and_order_and_stay_in_range(rule, spectrum, scale):
    value = local_dimension(spectrum, rule)
    assert 1 <= value <= len(spectrum) * (1 + 1e-12)
    assert local_dimension(spectrum[::-1], rule) == pytest.approx(value)
    # A ratio of neighbours may round across a tie; the other rules are continuous.
    if rule in ("participation_ratio", "entropy"):
        assert local_dimension(np.multiply(spectrum, scale), rule) == pytest.approx(value)


@pytest.mark.parametrize("rule", RULES)
def test_zero_and_nan_spectra_have_dimension_zero_and_nan(rule):
    found = local_dimension([[0.0, 0.0], [1.0, np.nan], [1.0, 0.0]], rule)
    np.testing.assert_array_equal(found, [0.0, np.nan, 1.0])


def test_leading_axes_are_kept():
    assert local_dimension(np.ones((2, 3, 4))).shape == (2, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0], "elbow"), "rule='elbow'"),
        (([1.0, -1.0],), "must not be negative.*-1"),
        ((1.0,), "last axis"),
        (([],), "last axis"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        local_dimension(*arguments)


@pytest.mark.parametrize("share", [0.0, 1.1, float("nan")])
def test_shares_out_of_range_are_refused(share):
    with pytest.raises(ValueError, match="`share` must be in"):
        local_dimension([1.0], "energy", share=share)
