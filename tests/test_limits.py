"""What Keras, or a backend, cannot do: proved on models of Keras's own.

The documentation's page on what works where names each of them. When one of these tests
fails, Keras has learnt something, and the page and the package can follow.
"""

import keras
import numpy as np
import pytest
from keras import layers

BACKEND = keras.backend.backend()
only = {
    name: pytest.mark.skipif(name != BACKEND, reason=f"a limit of {name}")
    for name in ("tensorflow", "jax", "torch")
}


def plain(**options):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(4)])
    model.compile("sgd", loss="mse", **options)
    return model


@pytest.fixture
def x(rng):
    return rng.normal(size=(8, 4)).astype("float32")


@only["torch"]
def test_pytorch_takes_one_step_an_execution(x):
    with pytest.raises(ValueError, match="`steps_per_execution` must be 1"):
        plain(steps_per_execution=2).fit(x, x, verbose=0)


@only["torch"]
def test_pytorch_exports_no_saved_model(tmp_path):
    with pytest.raises(Exception, match=r"dynamic_shapes|torch_xla"):
        plain().export(tmp_path / "model", verbose=False)


@only["torch"]
def test_pytorch_has_no_distribution():
    with pytest.raises(AttributeError, match="'NoneType' object"):
        keras.distribution.DataParallel()


@only["torch"]
def test_pytorch_draws_dropout_without_a_seed_from_its_own_generator(x):
    dropout = layers.Dropout(0.5)
    before = dropout.seed_generator.state.numpy().tolist()
    dropout(x, training=True)
    assert dropout.seed_generator.state.numpy().tolist() == before


@pytest.mark.skipif(BACKEND == "torch", reason="PyTorch itself takes them")
def test_a_torch_data_loader_must_yield_tuples(x):
    torch = pytest.importorskip("torch", reason="PyTorch is an optional extra")
    loader = torch.utils.data.DataLoader(x, batch_size=4)
    message = "'TensorSpec' object is not iterable|Data is expected to be in format"
    with pytest.raises((TypeError, ValueError), match=message):
        plain().predict(loader, verbose=0)


class WeightsWithoutTarget(keras.utils.PyDataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        return np.ones((4, 4), "float32"), None, np.ones(4, "float32")


@only["tensorflow"]
def test_a_py_dataset_with_weights_must_have_targets():
    with pytest.raises(Exception, match="did not match the expected structure"):
        plain().predict(WeightsWithoutTarget(), verbose=0)


def test_layers_shared_by_two_parts_of_a_model_cannot_be_loaded(tmp_path):
    shared = layers.Dense(4)
    parts = [keras.Sequential([keras.Input((4,)), shared]) for _ in range(2)]
    model = keras.Sequential([keras.Input((4,)), *parts])
    model.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match=r"expected .* variables, but received 0"):
        keras.saving.load_model(tmp_path / "model.keras")


@only["tensorflow"]
def test_weights_of_two_ranks_need_two_models(rng):
    x = rng.normal(size=(8, 6, 2)).astype("float32")
    model = keras.Sequential([keras.Input((6, 2)), layers.Dense(2)])
    model.compile(loss="mse")
    model.evaluate(x, x, sample_weight=np.ones((8, 1)), verbose=0)
    with pytest.raises(ValueError, match=r"unknown rank|must be specified"):
        model.evaluate(x, x, sample_weight=np.ones(8), verbose=0)


def test_seeds_are_not_saved(x, tmp_path):
    model = keras.Sequential([keras.Input((4,)), layers.Dropout(0.5, seed=1)])
    model(x, training=True)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    states = [
        keras.ops.convert_to_numpy(m.layers[0].seed_generator.state).tolist()
        for m in (model, again)
    ]
    assert states[0] != states[1]


def test_weights_without_a_target_are_dropped(x):
    class Seen(keras.Model):
        def call(self, x):
            return x

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, **_):
            assert sample_weight is None
            return keras.ops.mean(y_pred)

    model = Seen()
    model.compile("sgd")
    model.evaluate(x, sample_weight=np.ones(8), verbose=0)


def test_weights_of_images_are_put_on_their_columns(rng):
    # One weight a sample is broadcast along the last axis of the losses of images.
    images = rng.normal(size=(4, 4, 4, 1)).astype("float32")
    weights = np.array([1, 0, 0, 0], "float32")
    model = keras.Sequential([keras.Input((4, 4, 1)), layers.Rescaling(0.0)])
    model.compile(loss="mse")
    found = model.evaluate(images, images, sample_weight=weights, batch_size=4, verbose=0)
    of_column = (images[:, :, 0] ** 2).mean() / 4
    assert found == pytest.approx(of_column, rel=1e-4)
