"""Samples that do not fit memory, against the same samples in memory."""

import importlib

import keras
import numpy as np
import pytest

import keras_manifold as km
from keras_manifold._storage.stored import StoredBatches, is_stored

SAMPLES, SHAPE = 50, (4, 3)


def memory_mapped(x, path):
    np.save(path / "x.npy", x)
    return np.load(path / "x.npy", mmap_mode="r")


def in_zarr(x, path):
    zarr = pytest.importorskip("zarr", reason="Zarr is an optional extra")
    return zarr.create_array(path / "x.zarr", data=x, chunks=(16, *SHAPE))


def in_hdf5(x, path):
    file = importlib.import_module("h5py").File(path / "x.h5", "w")
    return file.create_dataset("x", data=x)


def in_dask(x, path):
    array = pytest.importorskip("dask.array", reason="dask is none of our extras")
    return array.from_array(x, chunks=(16, *SHAPE))


def in_a_table(x, path):
    datasets = pytest.importorskip("datasets", reason="Hugging Face's are no extra of ours")
    features = datasets.Features({"x": datasets.Array2D(SHAPE, x.dtype.name)})
    table = datasets.Dataset.from_dict({"x": x}, features=features)
    table.to_parquet(path / "x.parquet")
    return datasets.Dataset.from_parquet(
        str(path / "x.parquet"), cache_dir=path, features=features
    )


class Counted:
    """Samples on disk of somebody else, of which a few may be read at a time."""

    def __init__(self, x):
        self.x, self.shape, self.dtype, self.chunks = x, x.shape, x.dtype, None
        self.most = 0

    def __len__(self):
        return len(self.x)

    def __getitem__(self, key):
        found = self.x[key]
        self.most = max(self.most, len(found))
        return found

    def __array__(self, *args, **kwargs):
        raise AssertionError("all of it was read")


KINDS = {
    "NumPy": memory_mapped,
    "Zarr": in_zarr,
    "HDF5": in_hdf5,
    "dask": in_dask,
    "datasets": in_a_table,
}


@pytest.fixture
def x(rng):
    return rng.uniform(size=(SAMPLES, *SHAPE)).astype("float32")


def compiled():
    keras.utils.set_random_seed(0)
    model = km.AutoEncoder.dense(SHAPE, 2, units=(5,), output_activation=None)
    model.compile(keras.optimizers.SGD(0.01), loss="mse")
    return model


@pytest.mark.parametrize(
    ("kind", "dtype"), [("NumPy", "uint8"), *((kind, "float32") for kind in KINDS)]
)
def test_samples_on_disk_are_as_good_as_those_in_memory(kind, dtype, x, tmp_path):
    x = (10 * x).astype(dtype)
    stored = KINDS[kind](x, tmp_path)
    assert is_stored(stored)
    assert not is_stored(x)
    in_memory, on_disk = compiled(), compiled()
    settings = {"epochs": 2, "batch_size": 16, "shuffle": False, "verbose": 0}
    weights = np.linspace(0, 1, SAMPLES)
    x = x.astype("float32")
    histories = [
        model.fit(
            data, sample_weight=weights, validation_data=(data, None), **settings
        ).history
        for model, data in ((in_memory, x), (on_disk, stored))
    ]
    assert histories[0].keys() == histories[1].keys()
    for name, expected in histories[0].items():
        assert histories[1][name] == pytest.approx(expected, rel=1e-4), name
    model = in_memory
    assert model.evaluate(stored, verbose=0) == pytest.approx(
        model.evaluate(x, verbose=0), rel=1e-5
    )
    np.testing.assert_array_equal(
        model.reconstruction_errors(stored), model.reconstruction_errors(x)
    )
    spaces = [km.tangent_space(model, data, batch_size=16) for data in (stored, x)]
    for name, array in spaces[0].arrays().items():
        np.testing.assert_array_equal(array, spaces[1].arrays()[name], err_msg=name)


def test_no_more_than_a_batch_is_read_at_a_time(x, tmp_path):
    counted, model = Counted(x), compiled()
    history = model.fit(counted, epochs=2, batch_size=8, validation_data=counted, verbose=0)
    assert np.isfinite(history.history["val_loss"]).all()
    model.evaluate(counted, batch_size=8, verbose=0)
    model.reconstruction_errors(counted, batch_size=8)
    km.tangent_space(model, counted, batch_size=8)
    assert counted.most == 8


def test_validation_data_in_memory_have_batches_of_the_same_size(x):
    sizes = []

    class Seen(keras.callbacks.Callback):
        def on_test_batch_end(self, batch, logs=None):
            sizes.append(batch)

    compiled().fit(
        Counted(x), batch_size=25, validation_data=(x, None), callbacks=[Seen()], verbose=0
    )
    assert sizes == [0, 1], "50 samples in two batches"


def test_a_batch_of_a_memory_mapped_array_is_a_batch(x, tmp_path):
    stored, model = memory_mapped(x, tmp_path), compiled()
    assert np.isfinite(model.train_on_batch(stored[:8])).all()


def test_parts_read_their_own_samples(x, tmp_path):
    pytest.importorskip("zarr", reason="Zarr is an optional extra")
    counted, model = Counted(x), compiled()
    for i in range(3):
        km.tangent_space(model, counted, batch_size=8, path=tmp_path / "a", part=(i, 3))
    assert counted.most == 8
    np.testing.assert_array_equal(km.TangentSpace.load(tmp_path / "a").inputs[:], x)


def test_shuffling_is_of_batches_and_within_them():
    x = np.arange(20.0).reshape(20, 1)
    keras.utils.set_random_seed(1)
    batches = StoredBatches(Counted(x), x, batch_size=8, shuffle=True)
    assert batches.num_batches == 3
    seen = [batches[i] for i in range(3)]
    for (inputs, targets), start, stop in zip(seen, (0, 8, 16), (8, 16, 20)):
        np.testing.assert_array_equal(inputs, targets)
        assert sorted(inputs[:, 0]) == list(range(start, stop))
    assert list(seen[0][0][:, 0]) != list(range(8))
    assert list(batches[0][0][:, 0]) != list(seen[0][0][:, 0])


def test_what_can_not_be_right_is_refused_by_name(x, tmp_path):
    model, counted = compiled(), Counted(x)
    with pytest.raises(ValueError, match=r"not split.*validation_split=0\.2"):
        model.fit(counted, validation_split=0.2, verbose=0)
    with pytest.raises(ValueError, match=r"`y` must be one per sample of `x`, 50.*: 7\."):
        model.fit(counted, x[:7], verbose=0)
    with pytest.raises(ValueError, match="`batch_size` must be a whole number"):
        model.fit(counted, batch_size=0, verbose=0)
    with pytest.raises(ValueError, match="with at least one sample"):
        km.tangent_space(model, Counted(x[:0]))
    x[33] = np.nan
    with pytest.raises(FloatingPointError, match=r"entries in x\[33\] and"):
        km.tangent_space(model, counted, batch_size=16)


def test_a_table_of_several_columns_is_refused(x, tmp_path):
    table = in_a_table(x, tmp_path).add_column("label", list(range(SAMPLES)))
    with pytest.raises(TypeError, match=r"one array of inputs.*dict with 2 entries"):
        km.tangent_space(compiled(), table)


def test_distances_are_of_codes_on_disk_too(x, tmp_path):
    codes = x[:6, 0, :2]
    np.save(tmp_path / "codes.npy", codes)
    stored = np.load(tmp_path / "codes.npy", mmap_mode="r")
    found = km.distances(lambda codes: codes, stored, method="geodesic", edge_steps=2)
    expected = np.linalg.norm(codes[:, None].astype("float64") - codes, axis=2)
    np.testing.assert_allclose(found, expected, atol=1e-5)
