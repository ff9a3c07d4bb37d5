"""Annotations of arrays are held to, here and in every other test that makes one."""

import typing
from typing import Annotated

import numpy as np
import pytest
import shapes
from beartype.roar import BeartypeDoorHintViolation
from numpy.typing import NDArray

import keras_manifold as km

Matrix = Annotated[NDArray[np.float32], "n k"]
VECTORS = np.eye(3, dtype="float32")[None, :2]


def space(**arrays):
    defaults = {
        "vectors": VECTORS,
        "singular_values": np.ones((1, 2), "float32"),
        "code_vectors": np.eye(2, dtype="float32")[None],
    }
    return km.TangentSpace(**defaults | arrays)


@pytest.mark.parametrize(
    "value",
    [np.zeros(2, "float32"), np.zeros((2, 2)), [[1.0]]],
    ids=["rank", "type", "list"],
)
def test_an_array_of_another_form_is_refused(value):
    shapes.check(a=(np.zeros((2, 3), "float32"), Matrix))
    with pytest.raises(BeartypeDoorHintViolation, match="violates type hint"):
        shapes.check(a=(value, Matrix))


def test_a_name_of_a_size_means_one_number():
    a, b = np.zeros((2, 3), "float32"), np.zeros((2, 4), "float32")
    with pytest.raises(BeartypeDoorHintViolation, match="dimension k"):
        shapes.check(a=(a, Matrix), b=(b, Matrix))


def test_the_fields_of_a_tangent_space_agree():
    assert space().errors is None
    with pytest.raises(BeartypeDoorHintViolation, match="size of dimension"):
        space(singular_values=np.ones((1, 3), "float32"))


def test_arrays_on_disk_are_arrays_of_a_tangent_space(tmp_path):
    zarr = pytest.importorskip("zarr")
    stored = zarr.open_array(tmp_path, mode="w", shape=VECTORS.shape, dtype="float32")
    assert not isinstance(space(vectors=stored).vectors, np.ndarray)


def test_results_of_functions_are_checked(monkeypatch):
    def angles(a, b) -> Annotated[NDArray[np.float64], "n k"]:
        return a + b

    checked = shapes.checked(angles)
    assert checked(np.zeros((2, 3)), 1.0).shape == (2, 3)
    with pytest.raises(BeartypeDoorHintViolation, match="violates type hint"):
        checked(np.zeros(3), 1.0)


def test_public_functions_and_results_are_among_the_checked():
    assert {
        "Manifold",
        "AutoEncoder.reconstruction_errors",
        "Curves.velocities",
        "DimensionCurve.plateau",
        "TangentSpace",
        "captured_energy",
        "denoiser_dimension",
        "image_tangents",
        "jacobian",
        "local_dimension",
        "principal_angles",
    } <= set(shapes.CHECKED)


@pytest.mark.parametrize("name", km.__all__)
def test_public_arrays_say_their_shape(name):
    # An array alone leaves its shape to prose: write Annotated[NDArray[...], "n k"].
    thing = getattr(km, name)
    if not callable(thing):
        return
    hints = typing.get_type_hints(thing, include_extras=True)
    bare = [
        name for name, hint in hints.items() if np.ndarray in (hint, *typing.get_args(hint))
    ]
    assert bare == []
