import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers, ops

import keras_manifold as km


def linear(matrix):
    """x -> A x, so that J = A."""
    matrix = np.asarray(matrix, "float32")

    def function(x):
        return ops.matmul(x, ops.convert_to_tensor(matrix.T))

    return function


def flat(vectors):
    return vectors.reshape(*vectors.shape[:2], -1).astype("float64")


def assert_orthonormal(vectors, tolerance=1e-5):
    v = flat(vectors)
    np.testing.assert_allclose(
        v @ v.swapaxes(1, 2),
        np.broadcast_to(np.eye(v.shape[1]), (len(v), *[v.shape[1]] * 2)),
        atol=tolerance,
    )


def assert_singular_triplets(space, jacobians):
    """J v = sigma u for each triplet, and sigma is NumPy's."""
    matrices = jacobians.reshape(*jacobians.shape[:2], -1).astype("float64")
    sigma = np.linalg.svd(matrices, compute_uv=False)[:, : space.singular_values.shape[1]]
    largest = sigma[:, :1]
    assert (np.abs(space.singular_values - sigma) <= 1e-5 * largest).all()
    images = flat(space.vectors) @ matrices.swapaxes(1, 2)
    expected = space.singular_values[..., None] * space.code_vectors
    assert (np.abs(images - expected) <= 1e-5 * largest[..., None]).all()
    assert_orthonormal(space.vectors)
    assert_orthonormal(space.code_vectors)


@pytest.fixture(scope="module")
def lab():
    keras.utils.set_random_seed(0)
    return km.AutoEncoder.convolutional((28, 28, 1), latent_dim=32)


def test_one_image_through_the_lab_agrees_with_numpy(lab, rng):
    x = rng.uniform(size=(1, 28, 28, 1)).astype("float32")
    jacobian = km.jacobian(lab.encoder, x)[0]
    assert jacobian.shape == (32, 28, 28, 1)
    space = km.tangent_space(lab, x)
    sigma, vectors = space.singular_values[0], space.vectors[0].reshape(32, 784)
    assert sigma.shape == (32,)
    _, expected_sigma, expected = np.linalg.svd(
        jacobian.reshape(32, 784).astype("float64"), full_matrices=False
    )
    np.testing.assert_allclose(sigma, expected_sigma, atol=1e-5 * expected_sigma[0])
    up_to_sign = np.sign((vectors * expected).sum(1))[:, None]
    np.testing.assert_allclose(vectors * up_to_sign, expected, atol=1e-4)


def test_triplets_of_many_images_are_numpys(lab, rng):
    x = rng.uniform(size=(5, 28, 28, 1)).astype("float32")
    space = km.tangent_space(lab, x, k=16)
    assert space.vectors.shape == (5, 16, 28, 28, 1)
    assert space.singular_values.shape == (5, 16)
    assert space.code_vectors.shape == (5, 16, 32)
    assert_singular_triplets(space, km.jacobian(lab.encoder, x))


@pytest.mark.parametrize("scale", [1.0, 1e-15, 1e15])
@pytest.mark.parametrize("shape", [(3, 8), (8, 3), (4, 4), (1, 5), (5, 1)])
def test_triplets_of_a_linear_map_are_numpys_at_any_scale(rng, shape, scale):
    matrix = scale * rng.normal(size=shape)
    x = np.zeros((2, shape[1]), "float32")
    space = km.tangent_space(linear(matrix), x)
    jacobians = np.broadcast_to(matrix.astype("float32"), (2, *shape))
    assert_singular_triplets(space, jacobians)


@pytest.mark.parametrize("shape", [(6, 20), (20, 6)])
@pytest.mark.parametrize(
    "sigma",
    [
        [1, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7],
        [1, 1, 1, 0, 0, 0],
        [2, 2, 1, 1, 1e-5, 1e-5],
        [0, 0, 0, 0, 0, 0],
    ],
    ids=["decaying", "deficient", "repeated", "zero"],
)
def test_vectors_are_orthonormal_whatever_the_rank(rng, shape, sigma):
    left, _ = np.linalg.qr(rng.normal(size=(shape[0], 6)))
    right, _ = np.linalg.qr(rng.normal(size=(shape[1], 6)))
    matrix = (left * sigma @ right.T).astype("float32")
    space = km.tangent_space(linear(matrix), np.zeros((2, shape[1]), "float32"))
    assert_singular_triplets(space, np.broadcast_to(matrix, (2, *shape)))


@given(st.integers(0, 2**16))
def test_rotating_the_codes_changes_nothing_but_their_vectors(seed):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(3, 6))
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    x = np.zeros((1, 6), "float32")
    one, other = (km.tangent_space(linear(m), x) for m in (matrix, rotation @ matrix))
    np.testing.assert_allclose(one.singular_values, other.singular_values, rtol=1e-5)
    # Vectors turn within a nearly repeated pair, the space that they span does not.
    assert km.principal_angles(one, other).max() < 1e-4


def test_the_largest_entry_of_each_vector_is_positive(lab, rng):
    space = km.tangent_space(lab, rng.uniform(size=(3, 28, 28, 1)).astype("float32"))
    v = flat(space.vectors)
    assert (v.max(2) == np.abs(v).max(2)).all()


def test_the_batch_size_does_not_matter(lab, rng):
    x = rng.uniform(size=(7, 28, 28, 1)).astype("float32")
    whole, parts = (km.tangent_space(lab, x, k=4, batch_size=size) for size in (7, 3))
    np.testing.assert_allclose(whole.vectors, parts.vectors, atol=1e-4)
    np.testing.assert_allclose(whole.singular_values, parts.singular_values, rtol=1e-5)


class Batches(keras.utils.PyDataset):
    def __init__(self, x):
        super().__init__()
        self.x = x

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return self.x[index * 4 : index * 4 + 4], np.zeros(len(self.x[index * 4 :]))


def test_streams_of_batches_give_what_the_array_gives(digits):
    import tensorflow as tf

    model = km.AutoEncoder.dense((8, 8, 1), 3, units=(16,))
    x = digits[:6]
    expected = km.tangent_space(model, x).singular_values
    streams = {
        "tf.data": tf.data.Dataset.from_tensor_slices(x).batch(4),
        "tf.data of unknown length": tf.data.Dataset.from_tensor_slices(x)
        .filter(lambda x: True)
        .batch(4),
        "generator": (x[i : i + 4] for i in (0, 4)),
        "list of tuples": [(x[:4], None), (x[4:],)],
        "PyDataset": Batches(x),
    }
    for name, stream in streams.items():
        found = km.tangent_space(model, stream, verbose=0).singular_values
        np.testing.assert_allclose(found, expected, rtol=1e-5, err_msg=name)


def test_a_torch_data_loader_is_a_stream(digits):
    torch = pytest.importorskip("torch", reason="PyTorch is an optional extra")
    model = km.AutoEncoder.dense((8, 8, 1), 3, units=(16,))
    loader = torch.utils.data.DataLoader(digits[:6], batch_size=4)
    found = km.tangent_space(model, loader)
    np.testing.assert_allclose(
        found.singular_values,
        km.tangent_space(model, digits[:6]).singular_values,
        rtol=1e-5,
    )


def test_long_runs_show_a_progress_bar(capsys):
    function, x = linear(np.eye(2)), np.zeros((60, 2), "float32")
    km.tangent_space(function, x, batch_size=30)
    assert capsys.readouterr().out == ""
    km.tangent_space(function, x, batch_size=1)
    assert "60/60" in capsys.readouterr().out
    km.tangent_space(function, x, batch_size=1, verbose=0)
    assert capsys.readouterr().out == ""


def test_a_tangent_space_round_trips_through_a_file(tmp_path, lab, rng):
    space = km.tangent_space(lab, rng.uniform(size=(2, 28, 28, 1)).astype("float32"), k=3)
    path = tmp_path / "space.npz"
    space.save(path)
    again = km.TangentSpace.load(path)
    for name in ("vectors", "singular_values", "code_vectors"):
        np.testing.assert_array_equal(getattr(space, name), getattr(again, name))
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_of_something_else_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", vectors=np.ones(3))
    with pytest.raises(ValueError, match="without singular_values, code_vectors"):
        km.TangentSpace.load(tmp_path / "other.npz")


def test_leading_directions_are_the_first(lab, rng):
    space = km.tangent_space(lab, rng.uniform(size=(1, 28, 28, 1)).astype("float32"), k=5)
    np.testing.assert_array_equal(space.leading(2).vectors, space.vectors[:, :2])
    with pytest.raises(ValueError, match=r"`k` must be in \[1, 5\].*k=6"):
        space.leading(6)


class Mixing(layers.Layer):
    def call(self, x):
        return x - ops.mean(x, axis=0, keepdims=True)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"k": 0}, ValueError, "`k` must be .* at least 1.*k=0"),
        ({"k": 3}, ValueError, r"`k` must be in \[1, 2\].*k=3"),
        ({"of": "encodre"}, ValueError, "of='encodre'"),
        ({"batch_size": 0}, ValueError, "`batch_size` must be .* at least 1.*=0"),
        ({"x": np.ones((0, 4), "float32")}, ValueError, "at least one sample"),
        ({"k": 1.5}, ValueError, "`k` must be a whole number.*k=1.5"),
        ({"x": iter([])}, ValueError, "empty stream"),
        (
            {"x": iter([np.ones((1, 4), "float32"), np.ones((1, 5), "float32")])},
            ValueError,
            r"of one shape.*\(4,\) and then of \(5,\)",
        ),
        ({"model": 3}, TypeError, "`encoder` or be callable.*model=3"),
        ({"model": Mixing()}, ValueError, "sample 0 changes by"),
        ({"model": layers.Reshape((2, 2))}, ValueError, r"\(batch, latent_dim\).*2, 2"),
        ({"model": linear(np.full((2, 4), np.nan))}, FloatingPointError, "2 of 2 samples"),
    ],
)
def test_bad_input_is_refused(arguments, error, message):
    good = {"model": linear(np.ones((2, 4))), "x": np.ones((2, 4), "float32")}
    with pytest.raises(error, match=message):
        km.tangent_space(**{**good, **arguments})


def spanned(*angles):
    """A plane turned by the given angles out of the first two axes of four."""
    vectors = np.zeros((1, len(angles), 4))
    for i, angle in enumerate(angles):
        vectors[0, i, i], vectors[0, i, i + 2] = np.cos(angle), np.sin(angle)
    return vectors


@pytest.mark.parametrize(
    "angles", [(0.0, 0.0), (1e-6, 1e-3), (0.3, 1.2), (0.7853, 0.7855), (0.1, np.pi / 2)]
)
def test_principal_angles_are_those_by_which_a_plane_was_turned(rng, angles):
    mixing, _ = np.linalg.qr(rng.normal(size=(2, 2)))
    found = km.principal_angles(spanned(0.0, 0.0), mixing @ spanned(*angles))
    np.testing.assert_allclose(found[0], angles, atol=1e-9)


def test_principal_angles_agree_with_scipy(rng):
    from scipy.linalg import subspace_angles

    a, b = (np.linalg.qr(rng.normal(size=(4, 9, k)))[0].swapaxes(1, 2) for k in (3, 5))
    expected = [np.sort(subspace_angles(a[i].T, b[i].T)) for i in range(4)]
    np.testing.assert_allclose(km.principal_angles(a, b), expected, atol=1e-9)
    np.testing.assert_allclose(km.principal_angles(b, a), expected, atol=1e-9)


@pytest.mark.parametrize("shape", [(2, 1, 4), (1, 1, 5)])
def test_principal_angles_of_spaces_that_do_not_match_are_refused(shape):
    with pytest.raises(ValueError, match="same number of samples and the same input shape"):
        km.principal_angles(np.ones((1, 1, 4)), np.ones(shape))
