from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import ops

import keras_manifold as km
from keras_manifold._feeding import (
    bound,
    check_one_input,
    direct_monitors,
    keeping_variables,
    with_targets,
)

X = np.ones((4, 3), "float32")
W = np.arange(4.0)


def method(
    x=None, y=None, sample_weight=None, class_weight=None, validation_data=None, **kwargs
):
    """Such as Keras's own."""


def test_weighted_samples_are_their_own_targets():
    assert bound(method, X, None, (W,), {})["y"] is X
    assert bound(method, X, None, (), {})["y"] is None
    target = np.zeros_like(X)
    assert bound(method, X, target, (W,), {})["y"] is target


def test_arguments_keep_their_names_however_they_are_given():
    given = bound(method, X, None, (W,), {"verbose": 0})
    assert given["sample_weight"] is W
    assert given["verbose"] == 0
    assert "kwargs" not in given


@pytest.mark.parametrize(
    ("data", "has_target"),
    [(X, False), ((X,), False), ((X, None, W), True), ((X, X, W), True)],
)
def test_validation_data_are_completed_too(data, has_target):
    x, y, _ = bound(method, X, None, (), {"validation_data": data})["validation_data"]
    assert x is X
    assert y is (X if has_target else None)


def test_class_weights_are_refused():
    with pytest.raises(ValueError, match="`class_weight` must be None"):
        bound(method, X, None, (), {"class_weight": {0: 1.0}})


def test_a_step_has_the_batch_as_target_after_whatever_state_comes_first():
    x = ops.convert_to_tensor(X)
    state, data = with_targets(("state", (x,)))
    assert state == "state"
    inputs, target, weight = keras.utils.unpack_x_y_sample_weight(data)
    assert inputs is x
    assert target is x
    assert weight is None


@pytest.mark.parametrize("data", [{"image": X}, [X], (X,)])
def test_one_array_by_its_name_or_in_a_list_is_that_array(data):
    given = bound(method, data, data, (), {"validation_data": (data, data)})
    assert given["x"] is X
    assert given["y"] is X
    assert given["validation_data"] == (X, X, None)
    assert with_targets(((data,),))[0][0].shape == X.shape


def test_several_arrays_stay_several():
    for data in ([X, X], {"a": X, "b": X}):
        assert bound(method, data, None, (), {})["x"] is data


def test_sparse_rows_are_made_dense_up_to_a_size():
    sparse = pytest.importorskip("scipy.sparse")
    rows = sparse.csr_matrix(X)
    np.testing.assert_array_equal(bound(method, rows, None, (), {})["x"], X)
    many = sparse.csr_matrix((2**20, 2**10), dtype="float32")
    with pytest.raises(ValueError, match=r"sparse, 4\.0 GiB dense"):
        bound(method, many, None, (), {})


class Monitor:
    def __init__(self, monitor, mode="auto"):
        self.monitor, self.mode, self.monitor_op = monitor, mode, None


def test_callbacks_are_told_which_direction_is_better():
    ours, other = Monitor("val_reconstruction_loss"), Monitor("val_loss")
    chosen = Monitor("reconstruction_loss", mode="max")
    direct_monitors([ours, other, chosen], ("reconstruction_loss",))
    assert [callback.mode for callback in (ours, other, chosen)] == ["min", "auto", "max"]
    analyzer = km.TangentAnalyzer(X)
    direct_monitors([analyzer, Monitor("tangent_norm", "max")], ())
    with pytest.raises(ValueError, match=r'Monitor\("tangent_norm"\) without a mode'):
        direct_monitors([analyzer, Monitor("tangent_norm")], ())
    direct_monitors(None, ())


def test_an_interrupted_loop_leaves_the_variables():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    model.compile("sgd", "mse")
    before = model.get_weights()

    class Interrupt(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), keeping_variables(model):
        model.fit(X, X, verbose=0, callbacks=[Interrupt()])
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


def encoder_of(*shape):
    return keras.Sequential([keras.Input(shape), keras.layers.Flatten()])


@pytest.mark.parametrize("batches", [[X, X], [X, X, X], (X, X), list(X)])
def test_a_list_of_batches_is_refused_where_there_is_one_input(batches):
    with pytest.raises(ValueError, match=rf"{len(batches)} arrays.*np\.concatenate"):
        check_one_input(encoder_of(3), batches)
    first, second = keras.Input((3,)), keras.Input((3,))
    both = keras.Model([first, second], keras.layers.Add()([first, second]))
    check_one_input(both, batches)
    check_one_input(keras.layers.Dense(3), batches)


@pytest.mark.parametrize(
    ("shape", "x"),
    [
        ((3,), np.ones(3)),
        ((28, 28, 1), np.ones((28, 28, 1))),
        ((28, 28, 1), np.ones((28, 28))),
        ((5, 2), SimpleNamespace(element_spec=(np.ones((5, 2)), np.ones((5, 2))))),
        ((5, 2), {"image": np.ones((5, 2))}),
    ],
)
def test_a_sample_without_a_batch_is_refused(shape, x):
    with pytest.raises(ValueError, match=r"must come in batches.*\.batch\(32\)"):
        check_one_input(encoder_of(*shape), x)


@pytest.mark.parametrize(
    ("shape", "of_batch"),
    [((3,), (4, 3)), ((28, 28, 1), (28, 28, 28)), ((1,), (1,)), ((None, 3), (4, 3))],
)
def test_batches_of_every_shape_pass(shape, of_batch):
    check_one_input(encoder_of(*shape), np.ones(of_batch))
    check_one_input(encoder_of(*shape), SimpleNamespace(shape=(None, *of_batch[1:])))


@pytest.mark.tensorflow
def test_a_data_set_that_is_not_batched_is_refused_before_the_first_step():
    tf = pytest.importorskip("tensorflow")
    model = km.AutoEncoder.dense(3, 2, units=(4,))
    model.compile("sgd", "mse")
    before = model.get_weights()
    for data in (X, (X, X)):
        data = tf.data.Dataset.from_tensor_slices(data)
        for use in (model.fit, model.evaluate):
            with pytest.raises(ValueError, match=r"shape \(3,\) without a batch"):
                use(data, verbose=0)
        assert np.isfinite(model.fit(data.batch(2), verbose=0).history["loss"]).all()
    with pytest.raises(ValueError, match="list of 2 arrays"):
        model.fit([X, X], verbose=0)
    assert len(before) == len(model.get_weights())


def test_files_of_hdf5_are_arrays(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["x"] = X
        losses = []
        for x in (X, file["x"]):
            keras.utils.set_random_seed(1)
            model = km.AutoEncoder.dense(3, 2, units=(4,), contractive_penalty=0.1)
            model.compile("sgd", "mse")
            given = {"validation_data": x, "sample_weight": W, "batch_size": 2}
            given["shuffle"] = False  # files shuffle batches, and samples within each
            losses.append(model.fit(x, verbose=0, **given).history["val_loss"])
        np.testing.assert_allclose(*losses, rtol=1e-5)
        assert km.ReconstructionGrid(file["x"]).x.shape == X.shape
        assert model.reconstruction_errors(file["x"]).shape == (4,)


def test_generators_of_mappings_train():
    batches = [{"image": X[:2]}, {"image": X[2:]}]
    losses = []
    # Keras wants tuples of generators.
    for form in (lambda b: (b,), lambda b: (b, b["image"]), lambda b: (b["image"],)):
        keras.utils.set_random_seed(1)
        model = km.AutoEncoder.dense(3, 2, units=(4,))
        model.compile("sgd", "mse")
        data = (form(batch) for batch in batches)
        losses.append(model.fit(data, verbose=0).history["loss"])
    np.testing.assert_allclose(losses, [losses[0]] * 3, rtol=1e-5)
