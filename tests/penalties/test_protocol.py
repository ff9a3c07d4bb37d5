"""Every penalty keeps the promises of the Protocol, a third party's too."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_manifold as km


@keras.saving.register_keras_serializable("tests")
class SumOfSquares(layers.Layer):
    """A third party's: of the outputs, not of a derivative."""

    def __init__(self, weight, of="encoder", **kwargs):
        super().__init__(**kwargs)
        self.built = True  # it is called with a function, which builds nothing
        self.weight, self.of = weight, of

    def __call__(self, function, x):
        return ops.sum(ops.square(function(x)), axis=-1)


PENALTIES = {
    "contractive, exact": lambda **o: km.ContractivePenalty(0.5, probes="exact", **o),
    "contractive, probes": lambda **o: km.ContractivePenalty(0.5, probes=2, seed=0, **o),
    "contractive, orthogonal": lambda **o: km.ContractivePenalty(
        0.5, probes=2, probe_kind="orthogonal", seed=0, **o
    ),
    "isometry": lambda **o: km.IsometryPenalty(0.5, **{"of": "encoder", "seed": 0, **o}),
    "third party": lambda **o: SumOfSquares(0.5, **o),
}


@pytest.fixture(params=PENALTIES)
def penalty(request):
    return PENALTIES[request.param]


def test_it_is_a_penalty(penalty):
    assert isinstance(penalty(), km.penalties.Penalty)
    assert penalty().of == "encoder"
    assert float(ops.convert_to_numpy(penalty().weight)) == 0.5


def test_it_gives_one_value_a_sample_of_any_function(penalty, rng):
    x = ops.convert_to_tensor(rng.normal(size=(5, 3)).astype("float32"))
    values = ops.convert_to_numpy(penalty()(ops.tanh, x))
    assert values.shape == (5,)
    assert (values >= 0).all()
    assert np.isfinite(values).all()


@pytest.mark.parametrize("of", ["encoder", "decoder", "reconstruction"])
def test_it_trains_every_part_that_it_is_of(penalty, of, rng):
    model = km.AutoEncoder.dense(6, 2, units=(4,), penalties=[penalty(of=of, name="p")])
    model.compile(
        keras.optimizers.SGD(0.1), lambda y, y_pred: 0.0 * ops.mean(y_pred, axis=-1)
    )
    x = rng.normal(size=(8, 6)).astype("float32")
    part = model.decoder if of == "decoder" else model.encoder
    before = [np.array(w) for w in part.get_weights()]
    history = model.fit(x, epochs=2, verbose=0).history
    assert {"p", "loss", "reconstruction_loss"} <= set(history)
    changes = [np.abs(a - b).max() for a, b in zip(before, part.get_weights())]
    assert max(changes) > 0


def test_a_saved_model_has_it_again(penalty, rng, tmp_path):
    model = km.AutoEncoder.dense(6, 2, units=(4,), penalties=[penalty(name="p")])
    model.compile("sgd", "mse")
    x = rng.normal(size=(8, 6)).astype("float32")
    model.fit(x, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    found, expected = (m.evaluate(x, verbose=0, return_dict=True) for m in (loaded, model))
    assert found == pytest.approx(expected, rel=1e-5)


def test_it_counts_weights_of_samples(penalty, rng):
    model = km.AutoEncoder.dense(6, 2, units=(4,), penalties=[penalty(name="p")])
    model.compile("sgd", "mse")
    x = rng.normal(size=(8, 6)).astype("float32")
    found = {
        weight: model.evaluate(
            x, sample_weight=np.full(8, weight, "float32"), verbose=0, return_dict=True
        )["p"]
        for weight in (0.0, 1.0)
    }
    assert found[0.0] == 0.0
    assert found[1.0] > 0


@pytest.mark.parametrize("name", [name for name in PENALTIES if name != "third party"])
def test_those_of_derivatives_refuse_functions_that_mix_samples(name, rng):
    def centred(x):
        return x - ops.mean(x, axis=0, keepdims=True)

    x = ops.convert_to_tensor(rng.normal(size=(5, 3)).astype("float32"))
    with pytest.raises(ValueError, match="each sample on its own"):
        PENALTIES[name]()(centred, x)
