import numpy as np
import pytest

import keras_manifold as km


def test_both_measures_are_those_of_scikit_learn(rng):
    manifold = pytest.importorskip("sklearn.manifold", reason="the oracle")
    x = rng.normal(size=(50, 6))
    codes = x[:, :2] + 0.3 * rng.normal(size=(50, 2))
    for neighbors in (1, 5, 20):
        found = km.neighbor_preservation(x, codes, neighbors=neighbors)
        assert found == pytest.approx(
            [
                manifold.trustworthiness(x, codes, n_neighbors=neighbors),
                manifold.trustworthiness(codes, x, n_neighbors=neighbors),
            ],
            abs=1e-12,
        )


def test_an_isometry_keeps_all_neighbors_and_a_shuffle_few(rng):
    x = rng.normal(size=(60, 2, 2))
    rotation = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    assert km.neighbor_preservation(x, x.reshape(60, 4) @ rotation) == (1.0, 1.0)
    shuffled = km.neighbor_preservation(x, rng.permutation(x.reshape(60, 4)))
    assert max(shuffled) < 0.7


def test_a_fold_is_untrustworthy_and_a_cut_discontinuous(rng):
    line = rng.uniform(-1, 1, size=(300, 1))
    folded = km.neighbor_preservation(line, np.abs(line))
    assert folded.continuity > 0.98 > folded.trustworthiness
    angle = rng.uniform(0, 2 * np.pi, size=(300, 1))
    circle = np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
    cut = km.neighbor_preservation(circle, angle)
    assert cut.trustworthiness > cut.continuity


def test_bad_input_is_refused_by_name_and_value(rng):
    x = rng.normal(size=(10, 3))
    with pytest.raises(ValueError, match="10 samples and 9 codes"):
        km.neighbor_preservation(x, x[:9])
    with pytest.raises(ValueError, match=r"half the number of samples, 10. Received: .*=5"):
        km.neighbor_preservation(x, x, neighbors=5)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["x", "codes"])
def test_what_is_not_finite_is_refused_by_name(name, value, rng):
    given = {"x": rng.normal(size=(20, 3)), "codes": rng.normal(size=(20, 2))}
    given[name][4, 1] = value
    with pytest.raises(ValueError, match=rf"`{name}` must be finite.*1 of 20"):
        km.neighbor_preservation(**given, neighbors=5)
