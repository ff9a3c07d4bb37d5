"""Runs of `tangent_space` in an object store: here fsspec's store in memory."""

from pathlib import Path

import numpy as np
import pytest

import keras_manifold as km
from keras_manifold._storage import parts

zarr = pytest.importorskip("zarr", reason="Zarr is an optional extra")
fsspec = pytest.importorskip("fsspec", reason="fsspec is an optional extra")


@pytest.fixture
def x(rng):
    return rng.normal(size=(5, 6)).astype("float32")


@pytest.fixture
def address():
    yield "memory://bucket/run"
    fsspec.filesystem("memory").store.clear()


def assert_same_bits(a, b):
    a, b = a.arrays(), b.arrays()
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name][:], b[name][:], err_msg=name)


def test_results_in_an_object_store_are_those_in_memory(encoder, x, address):
    expected = km.tangent_space(encoder, x, k=2, batch_size=2)
    space = km.tangent_space(encoder, x, k=2, batch_size=2, path=address)
    assert_same_bits(space, expected)
    assert_same_bits(km.TangentSpace.load(address), expected)
    assert km.TangentSpace.load(address).of == "encoder"
    elsewhere = zarr.open_group(address, mode="r")["singular_values"]
    np.testing.assert_array_equal(elsewhere[:], expected.singular_values)


def test_a_run_that_was_cut_off_goes_on_in_an_object_store(encoder, x, address):
    def cut_off():
        yield from (x[:2], x[2:4])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        km.tangent_space(encoder, cut_off(), k=2, path=address, verbose=0)
    assert len(km.TangentSpace.load(address)) == 2
    km.tangent_space(encoder, x, k=2, batch_size=2, path=address)
    expected = km.tangent_space(encoder, x, k=2, batch_size=2)
    assert_same_bits(km.TangentSpace.load(address), expected)


def test_parts_meet_in_an_object_store(encoder, x, address):
    km.tangent_space(encoder, x, k=2, batch_size=2, path=address, part=(1, 2))
    with pytest.raises(ValueError, match=r"parts are missing: 0\..*run/part_<i>"):
        km.TangentSpace.load(address)
    km.tangent_space(encoder, x, k=2, batch_size=2, path=address, part=(0, 2))
    expected = km.tangent_space(encoder, x, k=2, batch_size=2)
    assert_same_bits(km.TangentSpace.load(address), expected)


def test_other_runs_and_other_things_in_an_object_store_are_refused(encoder, x, address):
    km.tangent_space(encoder, x, k=2, path=address)
    with pytest.raises(ValueError, match=r"memory://bucket/run.*another k"):
        km.tangent_space(encoder, x, k=3, path=address)
    with fsspec.open("memory://bucket/mine/notes.txt", "w") as file:
        file.write("mine")
    with pytest.raises(ValueError, match=r"memory://bucket/mine.*holds something else"):
        km.tangent_space(encoder, x, path="memory://bucket/mine")
    with pytest.raises(ValueError, match=r"must hold a Zarr group.*memory://bucket/none"):
        km.TangentSpace.load("memory://bucket/none")


def test_an_address_that_nobody_knows_is_refused(encoder, x):
    with pytest.raises(ValueError, match=r"fsspec knows.*Received: path='nope://a/b'"):
        km.tangent_space(encoder, x, path="nope://a/b")


def test_an_address_that_became_a_path_is_refused(encoder, x):
    with pytest.raises(ValueError, match=r"must be text.*Pass it as a str"):
        km.tangent_space(encoder, x, path=Path("s3://bucket/run"))


def test_a_file_of_another_machine_is_refused(encoder, x):
    with pytest.raises(ValueError, match=r"this machine.*file://elsewhere/run"):
        km.tangent_space(encoder, x, path="file://elsewhere/run")


def test_an_empty_folder_of_an_object_store_is_free(encoder, x, address):
    fsspec.filesystem("memory").mkdir("/bucket/run")
    assert len(km.tangent_space(encoder, x, k=2, path=address)) == len(x)


def test_parts_that_begin_at_one_moment_are_one_run(encoder, x, address, monkeypatch):
    seen = parts._check_shared
    monkeypatch.setattr(parts, "_check_shared", lambda *_: None)  # nobody sees the others
    for i in (0, 1):
        km.tangent_space(encoder, x, k=2, batch_size=2, path=address, part=(i, 2))
    monkeypatch.setattr(parts, "_check_shared", seen)
    expected = km.tangent_space(encoder, x, k=2, batch_size=2)
    assert_same_bits(km.TangentSpace.load(address), expected)


@pytest.mark.parametrize("scheme", ["file", "local"])
def test_an_address_of_this_machine_is_its_folder(scheme, encoder, x, tmp_path):
    address = (tmp_path / "a run").as_uri().replace("file", scheme)
    km.tangent_space(encoder, x, k=2, path=address)
    assert len(km.TangentSpace.load(address)) == len(x)
    assert len(km.TangentSpace.load(tmp_path / "a run")) == len(x)
    assert (tmp_path / ".a run.lock").exists()
