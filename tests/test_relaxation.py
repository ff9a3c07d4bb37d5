"""The minimiser beside first-order steps, which need no derivative of ours."""

import keras
import numpy as np
from decoders import small_decoder

import keras_manifold as km


def relu_free_energy(weights, curves):
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
        _, gradient = relu_free_energy(weights, curves)
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        corrected = first / (1 - 0.9**step), second / (1 - 0.999**step)
        curves = curves - rate * corrected[0] / (np.sqrt(corrected[1]) + 1e-8)
    return relu_free_energy(weights, curves)[0]


def test_the_energy_is_no_higher_than_after_a_thousand_steps_of_adam(rng):
    decoder = small_decoder()
    start, stop = rng.normal(size=(2, 10, 2)).astype("float32")
    curves = km.geodesics(decoder, start, stop, steps=16)
    weights = [keras.ops.convert_to_numpy(w) for w in decoder.weights]
    share = np.linspace(0, 1, 17)[:, None]
    line = start[:, None] + share * (stop - start)[:, None]
    best = np.min([adam(weights, line, rate, 1000) for rate in (0.003, 0.03)], axis=0)
    energies, gradient = relu_free_energy(weights, curves.codes.astype("float64"))
    np.testing.assert_allclose(curves.energies, energies, rtol=1e-4)
    assert (energies <= best * (1 + 1e-4)).all()
    # Stationary, by the gradient in closed form.
    at_line = relu_free_energy(weights, line)[1]
    assert np.abs(gradient).max() < 2e-2 * np.abs(at_line).max()
