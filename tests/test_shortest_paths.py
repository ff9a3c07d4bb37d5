"""Distances over a graph and by geodesics, against the sphere's angles."""

import sys

import numpy as np
import pytest
from decoders import Linear, Stereographic

import keras_manifold as km

pytest.importorskip("sklearn", reason="the graph is scikit-learn's and SciPy's")
SPHERE = Stereographic()


def cap(rng, count):
    """Points of the lower half of the sphere with their codes and angles."""
    points = rng.normal(size=(count, 3))
    points[:, 2] = -np.abs(points[:, 2])
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    angles = np.arccos(np.clip(points @ points.T, -1, 1))
    np.fill_diagonal(angles, 0.0)
    return Stereographic.codes(points), angles


def test_paths_over_a_dense_graph_are_a_little_longer_than_great_circles(rng):
    codes, angles = cap(rng, 400)
    found = km.distances(SPHERE, codes, neighbors=12)
    assert found.shape == (400, 400)
    assert np.array_equal(found, found.T)
    assert (np.diag(found) == 0).all()
    far = angles > 0.5
    ratio = found[far] / angles[far]
    assert ratio.min() > 0.995  # pieces of a line are chords
    assert np.median(ratio) < 1.06


def test_distances_keep_the_triangle_inequality(rng):
    found = km.distances(SPHERE, cap(rng, 60)[0], neighbors=5)
    through = (found[:, :, None] + found[None]).min(axis=1)
    assert (found <= through + 1e-9).all()


def test_geodesic_distances_are_angles(rng):
    codes, angles = cap(rng, 6)
    found = km.distances(SPHERE, codes, method="geodesic", edge_steps=32)
    off = ~np.eye(6, dtype=bool)
    np.testing.assert_allclose(found[off], angles[off], rtol=1e-3)
    part = km.distances(SPHERE, codes[:2], codes[2:], method="geodesic", edge_steps=32)
    np.testing.assert_allclose(part, found[:2, 2:], rtol=1e-5)


def test_others_join_the_graph(rng):
    codes, _ = cap(rng, 40)
    whole = km.distances(SPHERE, codes, neighbors=6)
    part = km.distances(SPHERE, codes[:10], codes[10:], neighbors=6)
    np.testing.assert_allclose(part, whole[:10, 10:], rtol=1e-9)


def test_equal_codes_are_at_distance_zero():
    codes = np.array([[0.0], [0.0], [1.0], [1.0]], "float32")
    found = km.distances(Linear([[2.0]]), codes, neighbors=2)
    expected = 2 * np.abs(codes - codes.T)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_it_feeds_estimators_that_take_a_precomputed_metric(rng):
    from sklearn.neighbors import KNeighborsClassifier

    codes, _ = cap(rng, 60)
    labels = codes[:, 0] > 0
    found = km.distances(SPHERE, codes, neighbors=6)
    classifier = KNeighborsClassifier(3, metric="precomputed").fit(found, labels)
    assert classifier.score(found, labels) > 0.9


def test_a_graph_in_parts_is_refused_with_their_sizes():
    codes = np.array([[0.0], [0.1], [0.2], [9.0], [9.1]], "float32")
    with pytest.raises(ValueError, match=r"falls into 2 parts, of 3, 2 codes.*`neighbors`"):
        km.distances(Linear([[1.0]]), codes, neighbors=1)


def test_bad_input_is_refused_by_name_and_value(rng):
    codes = rng.normal(size=(5, 2)).astype("float32")
    for change, message in (
        ({"neighbors": 5}, "below the number of codes, 5. Received: neighbors=5"),
        ({"neighbors": 0}, "neighbors=0"),
        ({"edge_steps": 0}, "edge_steps=0"),
        ({"edge_steps": 1, "method": "geodesic"}, "edge_steps=1"),
        ({"method": "straight"}, "method='straight'"),
        ({"others": codes[:, :1]}, r"others of shape \(5, 1\)"),
    ):
        with pytest.raises(ValueError, match=message):
            km.distances(SPHERE, codes, **change)


def test_a_missing_library_is_said_by_name(rng, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.neighbors", None)
    with pytest.raises(ImportError, match="pip install scikit-learn"):
        km.distances(SPHERE, rng.normal(size=(5, 2)), neighbors=2)
