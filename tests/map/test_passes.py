import numpy as np
import pytest
from keras import ops

from keras_manifold._map import passes


@pytest.mark.parametrize("count", [3, passes._PASSES_UNROLLED + 5])
def test_images_are_those_of_the_matrix_in_a_loop_and_side_by_side(rng, count):
    w = rng.normal(size=(count, 2)).astype("float32")
    like = ops.zeros((4, count))
    images = passes.images_of_unit_vectors(lambda u: ops.matmul(u, w), like)
    expected = np.broadcast_to(w[:, None], (count, 4, 2))
    np.testing.assert_allclose(ops.convert_to_numpy(images), expected, rtol=1e-6)


def test_chunks_of_vectors_share_a_pass(rng):
    w = rng.normal(size=(5, 2)).astype("float32")
    calls = []

    def linear_map(u):
        calls.append(u.shape[0])
        return ops.matmul(u, w)

    like = passes.repeated(ops.zeros((3, 5)), 2)  # three samples, two vectors in a pass
    images = passes.images_of_unit_vectors(linear_map, like, chunk_size=2)
    assert calls == [6, 6, 6]
    np.testing.assert_allclose(ops.convert_to_numpy(images)[:, 0], w, rtol=1e-6)


def test_the_size_of_a_sample_is_unknown_with_a_side():
    class Symbolic:
        shape = (None, 4, None)

    assert passes.sample_size(Symbolic()) is None
    assert passes.sample_size(ops.zeros((7, 4, 2))) == 8
