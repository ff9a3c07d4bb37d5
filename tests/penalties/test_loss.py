"""The penalised loss, in a model of its own: not only `AutoEncoder` can use it."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_manifold as km
from keras_manifold._map.function import Map
from keras_manifold.penalties._loss import PenalisedLoss


class Exact(layers.Layer):
    """A third party's penalty: the squared norm of the outputs."""

    def __init__(self, of, weight, name="energy"):
        super().__init__(name=name)
        self.built = True  # it is called with a function, which builds nothing
        self.of, self.weight = of, weight

    def __call__(self, function, x):
        return ops.sum(ops.square(function(x)), axis=-1)

    def get_config(self):
        return {"of": self.of, "weight": self.weight, "name": self.name}


class Regression(keras.Model):
    """A model without a decoder, whose loss is penalised by its own derivative."""

    def __init__(self, body, penalty):
        super().__init__()
        self.body = body
        self._penalised = PenalisedLoss(
            {penalty.name: penalty}, lambda part: Map(self.body), name="data_loss"
        )
        self._trackers = self._penalised.trackers

    def call(self, x, training=None):
        shared = self._penalised.forward(x)
        return self.body(x, training=training) if shared is None else shared[1]

    def train_step(self, *args):
        self._penalised.begin(args[-1][0])
        return super().train_step(*args)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        return self._penalised.total(loss, x, sample_weight)


def linear(w):
    layer = layers.Dense(w.shape[1], use_bias=False)
    model = keras.Sequential([keras.Input((w.shape[0],)), layer])
    layer.set_weights([w])
    return model


@pytest.fixture
def w(rng):
    return rng.normal(size=(4, 2)).astype("float32")


def test_another_model_trains_on_its_loss_and_its_penalty(rng, w):
    model = Regression(linear(w), km.ContractivePenalty(0.5, probes="exact"))
    model.compile(keras.optimizers.SGD(0.0), "mse")
    x, y = rng.normal(size=(6, 4)).astype("float32"), np.zeros((6, 2), "float32")
    found = model.train_on_batch(x, y, return_dict=True)
    data, penalty = np.mean((x @ w) ** 2), np.sum(w.astype("float64") ** 2)
    assert found["data_loss"] == pytest.approx(data, rel=1e-4)
    assert found["contractive_penalty"] == pytest.approx(penalty, rel=1e-4)
    assert found["loss"] == pytest.approx(data + 0.5 * penalty, rel=1e-4)


@pytest.mark.parametrize("of", ["encoder", "decoder", "reconstruction"])
def test_a_third_partys_penalty_gets_the_function_and_the_points_of_its_part(rng, w, of):
    x = rng.normal(size=(6, 4)).astype("float32")
    model = km.AutoEncoder(linear(w), linear(w.T), penalties=[Exact(of, 0.25)])
    model.compile("sgd", "mse")
    found = model.evaluate(x, verbose=0, return_dict=True)
    outputs = {"encoder": x @ w, "decoder": x @ w @ w.T, "reconstruction": x @ w @ w.T}[of]
    energy = np.mean(np.sum(outputs.astype("float64") ** 2, axis=1))
    assert found["energy"] == pytest.approx(energy, rel=1e-4)
    expected = found["reconstruction_loss"] + 0.25 * energy
    assert found["loss"] == pytest.approx(expected, rel=1e-4)


def test_penalties_of_several_parts_add_up(rng, w):
    x = rng.normal(size=(6, 4)).astype("float32")
    of_decoder = km.ContractivePenalty(2.0, of="decoder", probes="exact", name="of_decoder")
    model = km.AutoEncoder(
        linear(w),
        linear(w.T),
        contractive_penalty=km.ContractivePenalty(1.0, probes="exact"),
        penalties=[of_decoder],
    )
    model.compile("sgd", "mse")
    norm = np.sum(w.astype("float64") ** 2)
    found = model.evaluate(x, verbose=0, return_dict=True)
    assert found["contractive_penalty"] == pytest.approx(norm, rel=1e-4)
    assert found["of_decoder"] == pytest.approx(norm, rel=1e-4)
    assert found["loss"] == pytest.approx(found["reconstruction_loss"] + 3 * norm, rel=1e-4)


def test_weights_of_samples_weigh_the_penalty_too(rng):
    encoder = keras.Sequential([keras.Input((2,)), layers.Lambda(ops.square)])
    decoder = keras.Sequential([keras.Input((2,)), layers.Lambda(lambda z: z)])
    model = km.AutoEncoder(
        encoder, decoder, contractive_penalty=km.ContractivePenalty(1.0, probes="exact")
    )
    model.compile("sgd", "mse")
    x = np.array([[1.0, 0.0], [2.0, 0.0]], "float32")  # penalties 4 and 16
    found = model.evaluate(
        x, sample_weight=np.array([3.0, 1.0]), verbose=0, return_dict=True
    )
    assert found["contractive_penalty"] == pytest.approx((3 * 4 + 16) / 2, rel=1e-5)


def test_a_saved_model_keeps_its_penalties(tmp_path, rng, w):
    keras.saving.register_keras_serializable("tests")(Exact)
    model = km.AutoEncoder(linear(w), linear(w.T), penalties=[Exact("decoder", 0.25)])
    model.compile("sgd", "mse")
    x = rng.normal(size=(6, 4)).astype("float32")
    expected = model.evaluate(x, verbose=0, return_dict=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.evaluate(x, verbose=0, return_dict=True) == pytest.approx(expected)


def test_penalties_that_are_none_or_share_a_name_are_refused(w):
    parts = linear(w), linear(w.T)
    with pytest.raises(TypeError, match=r"callable as penalty\(function, x\)"):
        km.AutoEncoder(*parts, penalties=[0.1])
    with pytest.raises(ValueError, match="a second one named 'energy'"):
        km.AutoEncoder(*parts, penalties=[Exact("encoder", 1.0), Exact("decoder", 1.0)])
    with pytest.raises(ValueError, match="a second one named 'contractive_penalty'"):
        km.AutoEncoder(
            *parts, contractive_penalty=0.1, penalties=[km.ContractivePenalty(0.1)]
        )
