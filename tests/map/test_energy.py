"""Windows over curves give what all points at once would."""

import numpy as np
import pytest
from decoders import small_decoder
from keras import ops

from keras_manifold import autodiff
from keras_manifold._map import energy
from keras_manifold._map.budget import ENTRIES_HELD
from keras_manifold._map.energy import CurveEnergy
from keras_manifold._map.function import Map


def tanh_network(model, points):
    """Outputs and Jacobians of a two-layer tanh network, in float64."""
    w1, b1, w2, b2 = [ops.convert_to_numpy(w).astype("float64") for w in model.weights]
    hidden = np.tanh(points @ w1 + b1)
    return hidden @ w2 + b2, np.einsum("ho,...h,ih->...oi", w2, 1 - hidden**2, w1)


@pytest.mark.parametrize("most", [4, 7, 1024])
def test_the_quadratic_model_is_that_of_the_chain_rule(most, rng, monkeypatch):
    monkeypatch.setattr(energy, "_MOST_POINTS", most)
    monkeypatch.setattr(energy, "_MOST_POINTS_EAGERLY", most)
    model = small_decoder()
    curves = rng.normal(size=(3, 6, 2)).astype("float32")
    outputs, jacobians = tanh_network(model, curves)
    steps = np.diff(outputs, axis=1)
    curve_energy = CurveEnergy(Map(model), curves[0, 0], 18)
    squares, norms = curve_energy.segments(curves)
    np.testing.assert_allclose(squares, np.square(steps).sum(axis=2), rtol=1e-4)
    expected = np.square(outputs).sum(axis=2).max(axis=1)
    np.testing.assert_allclose(norms, expected, rtol=1e-5)
    blocks = curve_energy.blocks(curves)
    inner = jacobians[:, 1:-1]
    gradient = np.einsum("npoi,npo->npi", inner, steps[:, :-1] - steps[:, 1:])
    np.testing.assert_allclose(blocks.gradient, gradient, atol=1e-4)
    diagonal = np.einsum("npoi,npoj->npij", inner, inner)
    np.testing.assert_allclose(blocks.diagonal, diagonal, atol=1e-4)
    beside = np.einsum("npoi,npoj->npij", inner[:, :-1], inner[:, 1:])
    np.testing.assert_allclose(blocks.beside, beside, atol=1e-4)


def test_a_window_is_bounded_by_memory_and_of_few_sizes():
    most = 256 if autodiff.compiles() else 1024
    assert energy._window(40, 1) == 64
    assert energy._window(most + 1, 1) == most
    assert energy._window(10**5, 1) == most
    assert energy._window(10**6, ENTRIES_HELD) == 4
