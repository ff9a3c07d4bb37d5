"""Numbers in `logs` that callbacks of ours put there, for the length of one fit."""

import gc
import weakref

import keras
from small_runs import column, fit, model_of, new_model, rows

import keras_manifold as km
from keras_manifold.callbacks._logs import names_in_logs


class Model:
    pass


def test_callbacks_of_one_fit_share_their_names():
    model, params = Model(), {"epochs": 1}
    names_in_logs(model, params).add("a")
    names_in_logs(model, params).add("b")
    assert names_in_logs(model, params) == {"a", "b"}


def test_another_fit_and_another_model_begin_without_names():
    model, params = Model(), {"epochs": 1}
    names_in_logs(model, params).add("a")
    assert names_in_logs(Model(), params) == set()
    assert names_in_logs(model, {"epochs": 1}) == set(), "equal, but of a later fit"


def test_a_model_is_not_kept():
    model = Model()
    names_in_logs(model, {})
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


def test_a_name_of_an_earlier_fit_is_a_users_metric_in_a_later_one(digits, tmp_path):
    """A callback `tangent` ran before; then a user reports a number of the same name."""
    fit(model_of(), digits, [km.TangentAnalyzer(digits[:2])], epochs=1)

    class Mine(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["tangent_norm"] = 0.25 * (epoch + 1)

    watch = km.ReconstructionGrid(digits[:2], directory=tmp_path)
    fit(new_model(), digits, [Mine(), watch], epochs=2)
    found = column(tmp_path, "tangent_norm", "reconstruction")
    assert found == {1: 0.25, 2: 0.5}


def test_the_same_model_trained_again_forgets_the_names_too(digits, tmp_path):
    model = model_of()
    fit(model, digits, [km.TangentAnalyzer(digits[:2])], epochs=1)

    class Mine(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["tangent_norm"] = 0.25

    watch = km.ReconstructionGrid(digits[:2], directory=tmp_path)
    fit(model, digits, [Mine(), watch], epochs=1)
    assert column(tmp_path, "tangent_norm", "reconstruction") == {1: 0.25}


def test_in_one_fit_another_callbacks_numbers_are_not_taken_for_metrics(digits, tmp_path):
    watches = [
        km.TangentAnalyzer(digits[:2]),
        km.ReconstructionGrid(digits[:2], directory=tmp_path),
    ]
    fit(model_of(), digits, watches, epochs=1)
    assert "tangent_norm" not in rows(tmp_path, "reconstruction")[0]
