"""What every sink promises and is promised, sinks of somebody else included."""

import copy
import csv
import functools
from collections.abc import Mapping

import keras
import numpy as np
import pytest
from matplotlib.figure import Figure
from small_runs import model_of

import keras_manifold as km
from keras_manifold.plot._rendering import png_of
from keras_manifold.plot.lines import spectrum


class Complete:
    """A sink of somebody else, which is told everything."""

    def __init__(self, fails_in=None):
        self.told, self._fails_in = [], fails_in

    def __call__(self, name, value, step):
        self._tell("value", name, type(value), step)

    def begin(self, step):
        self._tell("begin", step)

    def flush(self):
        self._tell("flush")

    def close(self):
        self._tell("close")

    def methods(self):
        return [told[0] for told in self.told]

    def _tell(self, method, *arguments):
        self.told.append((method, *arguments))
        if method == self._fails_in:
            raise ZeroDivisionError("mine")


class Closing:
    """A sink with one of the three methods."""

    def __init__(self):
        self.values, self.closed = 0, 0

    def __call__(self, *arguments):
        self.values += 1

    def close(self):
        self.closed += 1


def as_function(path):
    def sink(name, value, step):
        pass

    return sink


def in_tensorboard(path):
    pytest.importorskip("tensorboardX", reason="of the extra `tensorboard`")
    return km.sinks.TensorBoardSink(path / "events")


def in_notebook(path):
    pytest.importorskip("IPython", reason="of the extra `tools`")
    return km.sinks.NotebookSink()


SINKS = {
    "directory": lambda path: km.sinks.DirectorySink(path / "run"),
    "tensorboard": in_tensorboard,
    "notebook": in_notebook,
    "function": as_function,
    "partial": lambda path: functools.partial(lambda kept, *value: None, []),
    "complete": lambda path: Complete(),
    "closing": lambda path: Closing(),
}


@pytest.fixture(params=SINKS)
def sink(request, tmp_path):
    return SINKS[request.param](tmp_path)


# Of one that only takes values, training asks no more.
@pytest.fixture(params=["directory", "tensorboard", "notebook", "partial", "complete"])
def trained_with(request, tmp_path):
    return SINKS[request.param](tmp_path)


def fit(digits, sinks, epochs=2, callbacks=(), watches=None, **options):
    keras.utils.set_random_seed(0)
    model = model_of()
    if watches is None:
        watches = [
            km.ReconstructionGrid(digits[:2], sinks=sinks),
            km.TangentAnalyzer(digits[:2], sinks=sinks),
        ]
    callbacks = [*callbacks, *watches]
    history = model.fit(
        digits[:50], epochs=epochs, callbacks=callbacks, verbose=0, **options
    )
    return history.history


# What every sink is held to.


def test_it_is_one(sink):
    assert isinstance(sink, km.sinks.Sink)


def test_values_are_taken_and_left_as_they_were(sink):
    arrays = {"spectrum": np.array([2.0, 1.0]), "codes": np.eye(3), "mine": np.zeros(())}
    before = copy.deepcopy(arrays)
    figure = spectrum([2.0, 1.0])
    png = png_of(figure)
    for step in (0, 3):
        for name, value in [("number", 0.5), ("figure", figure), ("arrays", arrays)]:
            sink(name, value, step)
    for method in ("flush", "close"):
        getattr(sink, method, lambda: None)()
    assert arrays.keys() == before.keys()
    for name, array in before.items():
        np.testing.assert_array_equal(arrays[name], array)
    assert png_of(figure) == png


@pytest.fixture(scope="module")
def alone(digits):
    """What a sink is told that has no other beside it, and the losses."""
    sink = Complete()
    losses = fit(digits, [sink], shuffle=False)["loss"]
    return sink.told, losses


@pytest.mark.filterwarnings("ignore:Training begins at step 0")  # of the folder
def test_it_changes_nothing_and_serves_one_fit_after_another(trained_with, alone, digits):
    beside = Complete()
    losses = fit(digits, [trained_with, beside], shuffle=False)["loss"]
    assert (beside.told, losses) == alone
    fit(digits, [trained_with], epochs=3, initial_epoch=2)
    fit(digits, [trained_with], epochs=1)


def test_it_works_after_a_fit_that_an_exception_ended(trained_with, digits):
    class Fault(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    watches = [km.ReconstructionGrid(digits[:2], sinks=[trained_with])]
    with pytest.raises(KeyboardInterrupt):
        fit(digits, [], callbacks=[Fault()], watches=watches)
    fit(digits, [], watches=watches)


def test_a_callback_with_it_can_be_copied(sink, digits):
    watch = km.ReconstructionGrid(digits[:2], sinks=[sink])
    fit(digits, [], watches=[copy.deepcopy(watch)])
    assert watch.history == {"step": []}


# What every sink is promised.


def test_values_are_numbers_figures_and_mappings_of_arrays(digits):
    found = {}

    def keep(name, value, step):
        kinds = (float, Figure, Mapping)
        (kind,) = (one for one in kinds if isinstance(value, one))
        found.setdefault((name, kind), []).append((step, value))

    fit(digits, [keep])
    assert {
        ("reconstruction", Figure),
        ("reconstruction", Mapping),
        ("reconstruction_mse", float),
        ("tangent_norm", float),
        ("tangent_space", Mapping),
        ("tangent_spectrum", Figure),
        ("loss", float),
    } <= set(found)
    assert {kind for _, kind in found} == {float, Figure, Mapping}
    for (_, kind), values in found.items():
        if kind is Mapping:
            arrays = [array for _, value in values for array in value.values()]
            assert all(isinstance(array, np.ndarray) for array in arrays)
    assert {step for step, _ in found["loss", float]} == {1, 2}
    assert [step for step, _ in found["tangent_norm", float]] == [0, 1, 2]


def test_it_is_told_of_the_beginning_each_snapshot_and_the_end(digits):
    sink = Complete()
    fit(digits, [], watches=[km.ReconstructionGrid(digits[:2], sinks=[sink])])
    assert isinstance(sink, km.sinks.RunSink)
    others = [method for method in sink.methods() if method != "value"]
    assert others == ["begin", "flush", "flush", "flush", "close"]
    assert sink.told[0] == ("begin", 0)
    assert sink.methods()[-2:] == ["flush", "close"]


def test_a_training_that_resumes_says_where(digits):
    sink = Complete()
    fit(digits, [sink], epochs=3, initial_epoch=2)
    assert [told for told in sink.told if told[0] == "begin"] == [("begin", 2)] * 2


def test_methods_that_are_missing_are_not_called(digits):
    sink = Closing()
    assert not isinstance(sink, km.sinks.RunSink)
    fit(digits, [sink])
    assert sink.closed == 2, "once for each callback"
    assert sink.values > 0


@pytest.mark.parametrize("fails_in", ["begin", "value", "flush", "close"])
def test_what_it_raises_ends_the_training(fails_in, digits):
    with pytest.raises(ZeroDivisionError, match="mine"):
        fit(digits, [Complete(fails_in)])


@pytest.mark.parametrize("order", [1, -1])
def test_if_one_refuses_to_begin_all_are_closed(order, digits):
    sinks = [Complete(fails_in="begin"), Complete()][::order]
    with pytest.raises(ZeroDivisionError):
        fit(digits, sinks)
    assert [sink.methods().count("close") for sink in sinks] == [1, 1]


def test_after_an_exception_it_is_closed_before_the_next_fit_begins(digits):
    class Fault(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    sink = Complete()
    watches = [km.ReconstructionGrid(digits[:2], sinks=[sink])]
    with pytest.raises(KeyboardInterrupt):
        fit(digits, [], callbacks=[Fault()], watches=watches)
    assert "close" not in sink.methods()
    fit(digits, [], watches=watches)
    others = [told for told in sink.methods() if told in ("begin", "close")]
    assert others == ["begin", "close", "begin", "close"]


@pytest.mark.parametrize("sink", [None, "run", 3])
def test_what_cannot_be_called_is_refused(sink, digits):
    assert not isinstance(sink, km.sinks.Sink)
    with pytest.raises(TypeError, match=r"callable as sink\(name, value, step\)"):
        km.TangentAnalyzer(digits[:2], sinks=[sink])


def test_a_sink_of_the_test_can_keep_what_a_folder_keeps(digits, tmp_path):
    numbers = {}

    def keep(name, value, step):
        if isinstance(value, float):
            numbers[name, step] = value

    directory = km.sinks.DirectorySink(tmp_path)
    fit(digits, [keep, directory])
    with open(tmp_path / "run_scalars.csv", newline="") as file:
        written = {
            (name, int(row["step"])): float(text)
            for row in csv.DictReader(file)
            for name, text in row.items()
            if name != "step" and text
        }
    assert written == numbers
