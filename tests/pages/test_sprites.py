import numpy as np
import pytest

import keras_manifold as km


@pytest.mark.parametrize(
    ("shape", "to_planes"),
    [
        ((6, 5), lambda v: v[None]),
        ((6, 5, 1), lambda v: np.moveaxis(v, -1, 0)),
        ((6, 5, 3), lambda v: np.moveaxis(v, -1, 0)),
        ((3, 6, 5), lambda v: v),
        ((1, 6, 5), lambda v: v),
        ((7,), lambda v: v[None, None]),
        ((40, 2), lambda v: v.T[:, None]),
        ((2, 3, 4, 5), lambda v: v.reshape(1, 1, -1)),
        ((128, 70), lambda v: v[None, ::2, ::2]),
        ((1500,), lambda v: v[None, None, ::3]),
    ],
)
def test_pictures_are_the_arrays_to_half_a_level_of_their_scale(
    tmp_path,
    shape,
    to_planes,
    half_a_level,
    tile,
    write_reconstructions,
    write_tangents,
    fragments_of,
):
    vectors = write_tangents(tmp_path, 1, samples=2, k=3, shape=shape)["vectors"]
    rows = write_reconstructions(tmp_path, 1, samples=2, shape=shape)
    files = fragments_of(km.report(tmp_path)).files
    tangents = files["tangent_space_0001.npz"]["pictures"]
    grid = files["reconstruction_0001.npz"]["pictures"]
    for sample in range(2):
        # A scale for each sample, with 0 in its middle.
        limit = np.abs(to_shown(vectors[sample], to_planes)).max()
        assert tangents["ranges"][sample][1] >= limit - 1e-7
        assert tangents["ranges"][sample][0] == -tangents["ranges"][sample][1]
        for i in range(3):
            np.testing.assert_allclose(
                tile(tangents, sample, i),
                to_planes(vectors[sample, i]),
                atol=half_a_level(tangents, sample),
            )
        for row, values in rows.items():
            np.testing.assert_allclose(
                tile(grid[row], 0, sample),
                to_planes(values[sample]),
                atol=half_a_level(grid[row], 0),
            )


def to_shown(vectors, to_planes):
    return np.stack([to_planes(vector) for vector in vectors])
