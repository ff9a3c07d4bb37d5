"""Every way to penalise, each part, with and without curvature."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_manifold as km

WAYS = {
    "exact": {"probes": "exact"},
    "recomputed": {"probes": "exact", "chunk_size": 1},
    "random": {"probes": 2},
    "orthogonal": {"probes": 2, "probe_kind": "orthogonal"},
    "a loop": {"probes": 33},
}
CURVATURES = {"": {}, " with curvature": {"curvature": 0.5, "curvature_stddev": 0.5}}
MODES = {
    f"{way} of the {of}{curvature}": {"of": of, **WAYS[way], **CURVATURES[curvature]}
    for of in ("encoder", "reconstruction")
    for way in WAYS
    for curvature in CURVATURES
}
SHORT = (
    *("exact of the encoder", "exact of the encoder with curvature"),
    *("exact of the reconstruction", "exact of the reconstruction with curvature"),
    *("recomputed of the encoder", "recomputed of the reconstruction with curvature"),
    *("random of the encoder with curvature", "random of the reconstruction"),
    *("orthogonal of the encoder", "a loop of the encoder"),
)


# Half of them share the forward pass of the loss; noise makes one of its own.
@pytest.mark.parametrize(
    ("options", "noisy"),
    [
        pytest.param(
            mode,
            i % 2 == 1,
            id=f"{name}{' beside noise' if i % 2 else ''}",
            marks=() if name in SHORT else pytest.mark.slow,
        )
        for i, (name, mode) in enumerate(MODES.items())
    ],
)
def test_gradients_agree_with_finite_differences_of_the_weights(
    options, noisy, rng, deep_network
):
    # The value of each mode is compared with other oracles in test_contractive.py.
    x = rng.normal(size=(3, 9)).astype("float32")
    parts = deep_network((9, 3, 2)).keras_model(), deep_network((2, 3, 9)).keras_model()
    noise = layers.GaussianNoise(0.1) if noisy else None
    penalty = km.ContractivePenalty(1.0, seed=3, **options)
    seed = ops.convert_to_numpy(penalty.seed_generator.state.value)
    model = km.AutoEncoder(*parts, noise=noise, contractive_penalty=penalty)
    model.compile(keras.optimizers.SGD(1.0), loss=lambda y, y_pred: 0.0 * y_pred)
    before = model.get_weights()
    model.train_on_batch(x)
    gradients = [old - new for old, new in zip(before, model.get_weights())]

    directions = [rng.normal(size=weight.shape) for weight in before]

    def value(step):
        model.set_weights([w + step * d for w, d in zip(before, directions)])
        penalty.seed_generator.state.assign(seed)  # for the same random numbers
        model.reset_metrics()
        return float(model.test_on_batch(x, return_dict=True)["contractive_penalty"])

    step = 0.01  # of fourth order in the step, with roundings of 1e-7 / 0.01
    expected = 8 * (value(step) - value(-step)) - (value(2 * step) - value(-2 * step))
    expected /= 12 * step
    found = sum((g * d).sum() for g, d in zip(gradients, directions))
    scale = np.sqrt(sum((g**2).sum() for g in gradients))
    assert found == pytest.approx(expected, abs=1e-3 * float(scale))


@pytest.mark.parametrize("options", list(MODES.values())[::2], ids=list(MODES)[::2])
def test_no_samples_have_no_penalties(options, deep_network):
    parts = deep_network((9, 3, 2)).keras_model(), deep_network((2, 9)).keras_model()
    for function in (parts[0], parts):
        penalty = km.ContractivePenalty(1.0, **options)
        assert penalty(function, np.zeros((0, 9), "float32")).shape == (0,)
