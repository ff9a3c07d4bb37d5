import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_manifold import local_dimension
from keras_manifold.dimension import RULES

spectra = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=8)


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
