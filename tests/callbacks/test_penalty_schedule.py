import keras
import numpy as np
import pytest

import keras_manifold as km


def trained(x, schedule, *, epochs=4, **options):
    encoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, use_bias=False)])
    penalty = km.ContractivePenalty(0.5, probes="exact")
    model = km.AutoEncoder(encoder, keras.layers.Dense(4), contractive_penalty=penalty)
    # Weights stay, so that the penalty is known.
    model.compile(keras.optimizers.SGD(0.0), loss="mse")
    callbacks = [km.PenaltySchedule(schedule, **options)]
    history = model.fit(x, epochs=epochs, batch_size=4, callbacks=callbacks, verbose=0)
    return model, history.history


@pytest.fixture
def x(rng):
    return rng.normal(size=(8, 4)).astype("float32")


def test_the_weight_of_each_epoch_is_in_its_loss_and_in_its_logs(x):
    weights = [0.0, 1.0, 10.0, 0.5]
    model, history = trained(x, lambda epoch, weight: weights[epoch])
    (w,) = model.encoder.get_weights()
    for epoch, weight in enumerate(weights):
        penalty = history["loss"][epoch] - history["reconstruction_loss"][epoch]
        assert penalty == pytest.approx(weight * (w**2).sum(), rel=1e-4, abs=1e-5)
    assert history["penalty_weight"] == weights
    assert model.contractive_penalty.get_config()["weight"] == 0.5


def test_the_schedule_gets_the_epoch_and_the_present_weight(x):
    seen = []

    def halved(epoch, weight):
        seen.append((epoch, weight))
        return weight / 2

    trained(x, halved)
    assert seen == [(0, 0.5), (1, 0.25), (2, 0.125), (3, 0.0625)]


def test_nothing_is_compiled_again(x):
    traces = []

    class Counted(keras.layers.Layer):
        def call(self, x):
            traces.append(1)
            return x

    model = km.AutoEncoder(Counted(), keras.layers.Dense(4), contractive_penalty=0.1)
    model.compile("sgd", loss="mse", run_eagerly=False)
    model.fit(x, epochs=1, batch_size=4, verbose=0)
    at_epochs = []

    def schedule(epoch, weight):
        at_epochs.append(len(traces))  # after what `fit` looks at before it trains
        return float(epoch)

    callbacks = [km.PenaltySchedule(schedule)]
    model.fit(x, epochs=3, batch_size=4, callbacks=callbacks, verbose=0)
    # PyTorch evaluates every step: 2 steps an epoch of one forward pass and the penalty.
    eager = keras.backend.backend() == "torch"
    assert len(traces) - at_epochs[0] == (12 if eager else 0)


def test_it_prints_the_weights_if_asked(x, capsys):
    trained(x, lambda epoch, weight: 0.25, epochs=1, verbose=1)
    assert "Epoch 1: PenaltySchedule sets the weight to 0.25." in capsys.readouterr().out


def test_a_model_without_a_penalty_is_refused_before_training(x):
    model = km.AutoEncoder(keras.layers.Dense(2), keras.layers.Dense(4))
    model.compile("sgd", loss="mse")
    schedule = km.PenaltySchedule(lambda epoch, weight: 1.0)
    with pytest.raises(ValueError, match="needs a model with a contractive penalty"):
        model.fit(x, callbacks=[schedule], verbose=0)


@pytest.mark.parametrize("weight", [-1.0, float("nan"), None, "much"])
def test_weights_out_of_range_are_refused(weight, x):
    with pytest.raises(ValueError, match=r"`schedule\(0, 0.5\)` must be .* Received"):
        trained(x, lambda epoch, _: weight)


def test_a_schedule_that_cannot_be_called_is_refused():
    with pytest.raises(TypeError, match=r"`schedule` must be callable .* schedule=0.1"):
        km.PenaltySchedule(0.1)


def test_numpy_numbers_are_weights(x):
    _, history = trained(x, lambda epoch, weight: np.float32(0.25), epochs=1)
    assert history["penalty_weight"] == [0.25]
