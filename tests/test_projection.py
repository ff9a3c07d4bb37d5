"""Nearest points against closed forms."""

import keras
import numpy as np
import pytest
from decoders import Linear, Stereographic
from keras import layers

import keras_manifold as km


def test_the_nearest_point_of_a_plane_is_the_orthogonal_projection(rng):
    matrix = rng.normal(size=(2, 6))
    x = rng.normal(size=(9, 6)).astype("float32")
    codes, distances = km.project(Linear(matrix), x, np.zeros((9, 2)))
    expected = np.linalg.lstsq(matrix.T, x.T, rcond=None)[0].T
    np.testing.assert_allclose(codes, expected, atol=1e-4)
    left = np.linalg.norm(x - expected @ matrix, axis=1)
    np.testing.assert_allclose(distances, left, rtol=1e-5)


def test_the_nearest_point_of_the_sphere_is_along_the_radius(rng):
    points = rng.normal(size=(10, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    points = points[points[:, 2] < 0.7]
    scale = rng.uniform(0.5, 1.8, size=(len(points), 1))
    begin = Stereographic.codes(points) + 0.3
    codes, distances = km.project(Stereographic(), scale * points, begin)
    np.testing.assert_allclose(codes, Stereographic.codes(points), atol=2e-3)
    np.testing.assert_allclose(distances, np.abs(scale - 1)[:, 0], rtol=1e-4)


def test_it_begins_with_the_encoder_and_never_ends_farther(rng):
    model = km.AutoEncoder.dense((4, 2), 2, units=(8,))
    x = rng.normal(size=(12, 4, 2)).astype("float32")
    codes, distances = km.project(model, x, max_iterations=200)
    before = np.linalg.norm((model.predict(x, verbose=0) - x).reshape(12, -1), axis=1)
    assert codes.shape == (12, 2)
    assert (distances <= before * (1 + 1e-5)).all()
    assert distances.mean() < 0.99 * before.mean()


def test_points_of_the_manifold_have_no_distance(rng):
    codes = rng.normal(size=(5, 2)).astype("float32")
    decoder = Stereographic()
    x = keras.ops.convert_to_numpy(decoder(codes))
    found, distances = km.project(decoder, x, codes + 0.05)
    np.testing.assert_allclose(found, codes, atol=1e-4)
    assert distances.max() < 1e-4


def test_means_are_compared_and_ensembles_meet_in_the_middle():
    x = np.array([[2.0, 0.0]], "float32")
    codes, distances = km.project(lambda z: (z, 5 + 0 * z), x, np.ones((1, 2)))
    np.testing.assert_allclose(codes, x, atol=1e-4)
    ensemble = [layers.Rescaling(1.0, offset=shift) for shift in (-1.0, 1.0)]
    codes, distances = km.project(ensemble, x, np.ones((1, 2)))
    np.testing.assert_allclose(codes, x, atol=1e-3)
    np.testing.assert_allclose(distances, [np.sqrt(2)], rtol=1e-4)


def test_bad_input_is_refused_by_name_and_value():
    decoder, x = Linear(np.ones((2, 3))), np.ones((4, 3), "float32")
    with pytest.raises(ValueError, match=r"has no `encoder`. Received: codes=None"):
        km.project(decoder, x)
    with pytest.raises(ValueError, match="3 codes and 4 samples"):
        km.project(decoder, x, np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"x of shape \(4, 2\), for outputs of 3 entries"):
        km.project(decoder, x[:, :2], np.ones((4, 2)))
    with pytest.raises(FloatingPointError, match="`x` must be finite"):
        km.project(decoder, x * np.nan, np.ones((4, 2)))
    with pytest.raises(ValueError, match="tolerance=-1"):
        km.project(decoder, x, np.ones((4, 2)), tolerance=-1)


def test_what_is_not_done_is_said_with_its_number():
    x = np.array([[0.0, -0.6, 0.8]] * 2, "float32")
    begin = np.array([[1.0, 1.0], [0.0, -3.0]], "float32")
    with pytest.warns(RuntimeWarning, match="of 2 samples are not projected"):
        km.project(Stereographic(), x, begin, max_iterations=1)
