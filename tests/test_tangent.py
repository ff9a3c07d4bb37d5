from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

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


@pytest.mark.parametrize("scale", [1.0, 1e-20, 1e20])
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
    model = km.AutoEncoder.dense((8, 8, 1), 3, units=(16,))
    x = digits[:6]
    expected = km.tangent_space(model, x).singular_values
    streams = {
        "generator": (x[i : i + 4] for i in (0, 4)),
        "list of tuples": [(x[:4], None), (x[4:],)],
        "PyDataset": Batches(x),
    }
    for name, stream in streams.items():
        found = km.tangent_space(model, stream, verbose=0).singular_values
        np.testing.assert_allclose(found, expected, rtol=1e-5, err_msg=name)


def test_a_tf_data_pipeline_gives_what_the_array_gives(digits, tf):
    model = km.AutoEncoder.dense((8, 8, 1), 3, units=(16,))
    x = digits[:6]
    expected = km.tangent_space(model, x).singular_values
    samples = tf.data.Dataset.from_tensor_slices(x)
    streams = {
        "known length": samples.batch(4),
        "unknown length": samples.filter(lambda x: True).batch(4),
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


def test_threads_may_save_to_one_file(tmp_path, rng):
    space = km.tangent_space(ops.sin, rng.normal(size=(50, 20)))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: space.save(tmp_path / "space.npz"), range(16)))
    found = km.TangentSpace.load(tmp_path / "space.npz")
    np.testing.assert_array_equal(found.vectors, space.vectors)
    assert [path.name for path in tmp_path.iterdir()] == ["space.npz"]


@pytest.mark.parametrize("name", ["array.npy", "notes.txt"])
def test_a_file_of_another_kind_is_refused(name, tmp_path):
    np.save(tmp_path / "array.npy", np.ones(3))
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(ValueError, match=f"{name} must be an npz file"):
        km.TangentSpace.load(tmp_path / name)


def test_a_file_of_something_else_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", vectors=np.ones(3))
    with pytest.raises(ValueError, match="without singular_values, code_vectors"):
        km.TangentSpace.load(tmp_path / "other.npz")


def test_leading_directions_are_the_first(lab, rng):
    space = km.tangent_space(lab, rng.uniform(size=(1, 28, 28, 1)).astype("float32"), k=5)
    np.testing.assert_array_equal(space.leading(2).vectors, space.vectors[:, :2])
    with pytest.raises(ValueError, match=r"`k` must be in \[1, 5\].*k=6"):
        space.leading(6)


class Parts:
    def __init__(self, encoder, decoder):
        self.encoder, self.decoder = encoder, decoder


def chain(rng, deep_network, sizes=(9, 6, 4)):
    """An encoder and a decoder, and their Jacobians at samples, in float64 NumPy."""
    networks = deep_network(sizes), deep_network(sizes[::-1], seed=1)
    x = rng.normal(size=(5, sizes[0])).astype("float32")
    codes, first = networks[0].outputs_and_jacobian(x)
    _, second = networks[1].outputs_and_jacobian(codes)
    return Parts(*(n.keras_model() for n in networks)), x, first, second


@pytest.mark.parametrize(
    ("method", "sizes"),
    [
        ("auto", (9, 6, 4)),
        ("dense", (9, 6, 4)),
        ("lanczos", (9, 6, 4)),
        ("auto", (3, 6, 5)),
        pytest.param("dense", (3, 6, 5), marks=pytest.mark.slow),
        pytest.param("lanczos", (3, 6, 5), marks=pytest.mark.slow),
    ],
)
def test_each_part_has_the_triplets_of_the_chain_rule(method, sizes, rng, deep_network):
    parts, x, first, second = chain(rng, deep_network, sizes)
    k = 3
    spaces = {
        of: km.tangent_space(parts, x, of=of, k=k, method=method)
        for of in ("encoder", "decoder", "reconstruction")
    }
    assert_singular_triplets(spaces["encoder"], first)
    assert_singular_triplets(spaces["reconstruction"], second @ first)
    # The image of a decoder's unit vector is its tangent.
    decoder = spaces["decoder"]
    turned = km.TangentSpace(decoder.code_vectors, decoder.singular_values, decoder.vectors)
    assert_singular_triplets(turned, second)
    for space in spaces.values():
        v = flat(space.vectors)
        assert (v.max(2) == np.abs(v).max(2)).all()
        assert (space.errors is not None) == (method == "lanczos")


def test_shapes_of_each_part_are_those_of_the_images(rng):
    model = km.AutoEncoder.convolutional((9, 8, 2), 4, filters=(3,))
    x = rng.uniform(size=(2, 9, 8, 2)).astype("float32")
    for of, shape in (("encoder", (4,)), ("decoder", (4,)), ("reconstruction", (9, 8, 2))):
        space = km.tangent_space(model, x, of=of, k=3)
        assert space.vectors.shape == (2, 3, 9, 8, 2)
        assert space.singular_values.shape == (2, 3)
        assert space.code_vectors.shape == (2, 3, *shape)


@pytest.mark.parametrize("of", ["encoder", "decoder", "reconstruction"])
def test_callables_get_tensors_of_the_backend(of, rng):
    def doubled(x):
        assert ops.is_tensor(x)
        return 2.0 * x

    space = km.tangent_space(Parts(doubled, doubled), np.ones((2, 3)), of=of)
    factor = 4.0 if of == "reconstruction" else 2.0
    np.testing.assert_allclose(space.singular_values, factor, rtol=1e-6)


def test_a_callable_is_taken_for_the_part_that_is_named(rng):
    matrix = rng.normal(size=(6, 3))
    for of, size in (("encoder", 3), ("decoder", 3), ("reconstruction", 3)):
        space = km.tangent_space(linear(matrix), np.zeros((2, size), "float32"), of=of)
        vectors = "code_vectors" if of == "decoder" else "vectors"
        assert getattr(space, vectors).shape == (2, 3, 3)
        expected = np.linalg.svd(matrix, compute_uv=False)
        np.testing.assert_allclose(space.singular_values, [expected] * 2, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:.*computes in b?float16")
@pytest.mark.parametrize(
    "policy", ["mixed_float16", pytest.param("mixed_bfloat16", marks=pytest.mark.slow)]
)
def test_layers_of_half_precision_give_what_half_precision_can(policy, rng, deep_network):
    # Of 11 or 8 bits; block Lanczos sees a map that is not quite linear.
    tolerance = {"mixed_float16": 0.02, "mixed_bfloat16": 0.15}[policy]
    networks = deep_network((9, 6, 4)), deep_network((4, 6, 9), seed=1)
    x = rng.normal(size=(5, 9)).astype("float32")
    codes, first = networks[0].outputs_and_jacobian(x)
    _, second = networks[1].outputs_and_jacobian(codes)
    keras.config.set_dtype_policy(policy)
    try:
        parts = Parts(*(network.keras_model() for network in networks))
        expected = {"encoder": first, "decoder": second, "reconstruction": second @ first}
        for of, jacobians in expected.items():
            sigma = np.linalg.svd(jacobians, compute_uv=False)[:, :2]
            for method in ("dense", "lanczos"):
                space = km.tangent_space(parts, x, of=of, k=2, method=method)
                np.testing.assert_allclose(
                    space.singular_values, sigma, atol=tolerance * sigma.max()
                )
                assert space.vectors.dtype == "float32"
                assert_orthonormal(space.vectors)
    finally:
        keras.config.set_dtype_policy("float32")


def test_large_maps_that_do_not_factor_are_never_formed(rng):
    # 1,089 × 1,089: a blur after a curve, whose spectrum decays.
    ramp = np.exp(-(np.subtract.outer(np.arange(33), np.arange(33)) ** 2) / 50)
    blur = ops.convert_to_tensor(ramp.astype("float32"))

    def function(x):
        return ops.einsum("ij,njk,kl->nil", blur, ops.tanh(x), blur)

    x = rng.normal(size=(2, 33, 33)).astype("float32")
    space = km.tangent_space(function, x, of="reconstruction", k=5)
    assert space.errors.shape == (2, 5)
    slope = 1 - np.tanh(x.astype("float64").reshape(2, 1, -1)) ** 2
    jacobians = np.kron(ramp, ramp) * slope
    images = flat(space.code_vectors)
    turned = km.TangentSpace(space.vectors, space.singular_values, images)
    assert_singular_triplets(turned, jacobians)
    assert (space.errors <= 1e-5 * space.singular_values[:, :1]).all()
    again = km.tangent_space(function, x, of="reconstruction", k=5)
    np.testing.assert_array_equal(space.vectors, again.vectors)
    other = km.tangent_space(function, x, of="reconstruction", k=5, seed=1)
    np.testing.assert_allclose(other.singular_values, space.singular_values, rtol=1e-5)


@pytest.mark.parametrize("of", ["encoder", "decoder", "reconstruction"])
def test_neither_batch_size_nor_company_changes_the_vectors(of, rng, deep_network):
    parts, x, *_ = chain(rng, deep_network)
    whole = km.tangent_space(parts, x, of=of)
    for size in (1, 2, 4):
        other = km.tangent_space(parts, x, of=of, batch_size=size)
        np.testing.assert_allclose(other.vectors, whole.vectors, atol=1e-4)
        np.testing.assert_allclose(other.code_vectors, whole.code_vectors, atol=1e-4)


def test_memory_of_large_jacobians_is_bounded_by_smaller_batches(rng):
    from keras_manifold._map.budget import ENTRIES_HELD
    from keras_manifold._map.function import Map
    from keras_manifold._map.ways import Dense

    w = ops.convert_to_tensor(rng.normal(size=(2000, 600)).astype("float32"))
    way = Dense(Map(lambda x: ops.matmul(x, w)), np.zeros((1, 2000), "float32"))
    assert 1 <= way.samples_at_a_time < 32
    assert way.samples_at_a_time * 2000 * 600 <= ENTRIES_HELD


def test_samples_of_double_precision_go_through_functions_of_single_precision(rng):
    x = rng.normal(size=(3, 4))
    w = rng.normal(size=(2, 4))
    space = km.tangent_space(linear(w), x)
    assert_singular_triplets(space, np.broadcast_to(w.astype("float32"), (3, 2, 4)))


def test_of_entries_that_tie_the_first_is_positive(rng):
    w = -np.array([[0.5, 0.5, -0.5, 0.5]]) * (1 + 1e-6 * rng.normal(size=(50, 4)))[:, None]
    layer = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, use_bias=False)])
    for matrix in w:
        layer.set_weights([matrix.T])
        space = km.tangent_space(layer, np.ones((1, 4)))
        np.testing.assert_allclose(space.vectors[0, 0], [0.5, 0.5, -0.5, 0.5], atol=1e-5)
