"""The minimiser beside first-order steps, which need no derivative of ours."""

import numpy as np
import pytest
from decoders import small_decoder
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_manifold as km

DECODER = small_decoder()


def energies_of(weights, curves):
    """Energies of curves under a two-layer tanh decoder and their gradients, NumPy."""
    w1, b1, w2, b2 = [w.astype("float64") for w in weights]
    hidden = np.tanh(curves @ w1 + b1)
    steps = np.diff(hidden @ w2 + b2, axis=1)
    pulls = np.zeros((*curves.shape[:2], w2.shape[1]))
    pulls[:, 1:] += 2 * steps
    pulls[:, :-1] -= 2 * steps
    gradient = ((pulls @ w2.T) * (1 - hidden**2)) @ w1.T
    gradient[:, [0, -1]] = 0
    return np.square(steps).sum(axis=(1, 2)), gradient


def adam(weights, curves, rate, steps):
    first, second = np.zeros_like(curves), np.zeros_like(curves)
    for step in range(1, steps + 1):
        _, gradient = energies_of(weights, curves)
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        corrected = first / (1 - 0.9**step), second / (1 - 0.999**step)
        curves = curves - rate * corrected[0] / (np.sqrt(corrected[1]) + 1e-8)
    return energies_of(weights, curves)[0]


def compare_with_adam(seed):
    """Of a random decoder: its weights go into one that is compiled."""
    rng = np.random.default_rng(seed)
    sizes = (0.9, 0.5, 0.4, 0.5)  # bent, but not so that a curve has many minima
    weights = [s * rng.normal(size=w.shape) for s, w in zip(sizes, DECODER.get_weights())]
    DECODER.set_weights(weights)
    start, stop = rng.uniform(-1.5, 1.5, size=(2, 10, 2)).astype("float32")
    curves = km.geodesics(DECODER, start, stop, steps=16)
    share = np.linspace(0, 1, 17)[:, None]
    line = start[:, None] + share * (stop - start)[:, None]
    best = np.min([adam(weights, line, rate, 1000) for rate in (0.003, 0.03)], axis=0)
    energies, gradient = energies_of(weights, curves.codes.astype("float64"))
    np.testing.assert_allclose(curves.energies, energies, rtol=1e-4)
    assert (energies <= best * (1 + 1e-4)).all()
    # Stationary, by the gradient in closed form.
    assert np.abs(gradient).max() < 2e-2 * np.abs(energies_of(weights, line)[1]).max()
    straight = np.sqrt(16 * energies_of(weights, line)[0])
    assert (curves.lengths <= straight * (1 + 1e-5)).all()
    return float((straight / curves.lengths).max())


@settings(max_examples=4)
@given(seed=st.integers(0, 2**20))
def test_the_energy_is_no_higher_than_after_a_thousand_steps_of_adam(seed):
    assert compare_with_adam(seed) > 1.001, "they are bent"


@pytest.mark.slow
@settings(max_examples=200)
@given(seed=st.integers(0, 2**20))
def test_that_holds_for_many_random_decoders(seed):
    compare_with_adam(seed)
