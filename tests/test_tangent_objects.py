"""`TangentSpace` as an object to live with."""

import io

import keras
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

import keras_manifold as km


@pytest.fixture
def linear(rng):
    """An encoder that is a matrix, and samples."""
    encoder = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3, use_bias=False)])
    return encoder, rng.normal(size=(5, 6)).astype("float32")


def arrays_of(space):
    return [np.asarray(array) for array in space.arrays().values()]


def test_a_space_keeps_its_samples_and_what_was_decomposed(linear, tmp_path):
    encoder, x = linear
    space = km.tangent_space(encoder, x, k=2)
    np.testing.assert_array_equal(space.inputs, x)
    assert (len(space), space.of) == (5, "encoder")
    assert (
        repr(space)
        == "<TangentSpace of the encoder: 5 samples of shape (6,), 2 directions>"
    )
    space.save(tmp_path / "space.npz")
    loaded = km.TangentSpace.load(tmp_path / "space.npz")
    assert (repr(loaded), loaded.of) == (repr(space), "encoder")
    for one, other in zip(arrays_of(space), arrays_of(loaded), strict=True):
        np.testing.assert_array_equal(one, other)
    assert space.leading(1).inputs is space.inputs


def test_samples_are_taken_by_index_slice_and_list(linear):
    encoder, x = linear
    space = km.tangent_space(encoder, x)
    assert [len(space[i]) for i in (0, -1, np.int64(2))] == [1, 1, 1]
    np.testing.assert_array_equal(space[-1].inputs, x[-1:])
    np.testing.assert_array_equal(space[2:5].vectors, space.vectors[2:5])
    np.testing.assert_array_equal(space[[0, 3]].inputs, x[[0, 3]])
    np.testing.assert_array_equal(space[::-2].inputs, x[::-2])
    np.testing.assert_array_equal(space[x[:, 0] > 0].inputs, x[x[:, 0] > 0])
    singles = list(space)
    assert len(singles) == 5
    np.testing.assert_array_equal(
        np.concatenate([s.vectors for s in singles]), space.vectors
    )
    np.testing.assert_array_equal(
        km.local_dimension(space), km.local_dimension(space.singular_values)
    )
    for index in (5, -6, "a", [7]):
        with pytest.raises(IndexError, match=r"in \[-5, 4\], a slice or a list.*Received"):
            space[index]


def test_a_space_on_disk_keeps_them_too_and_is_read_where_it_is_sliced(linear, tmp_path):
    pytest.importorskip("zarr", reason="of the extra `zarr`")
    encoder, x = linear
    km.tangent_space(encoder, x[:3], path=tmp_path / "space", batch_size=2)
    km.tangent_space(encoder, x, path=tmp_path / "space", batch_size=2)
    space = km.TangentSpace.load(tmp_path / "space")
    assert (len(space), space.of) == (5, "encoder")
    for index in (slice(1, 3), [0, 3], 2):
        found = space[index]
        assert isinstance(found.vectors, np.ndarray)
        np.testing.assert_array_equal(found.inputs, np.atleast_2d(x[index]))


def test_files_of_the_earlier_form_load(tmp_path, rng):
    arrays = {
        "vectors": rng.normal(size=(2, 3, 6)),
        "singular_values": np.ones((2, 3)),
        "code_vectors": np.ones((2, 3, 4)),
    }
    np.savez(tmp_path / "earlier.npz", **arrays)
    space = km.TangentSpace.load(tmp_path / "earlier.npz")
    assert (space.inputs, space.of, space.half_precision) == (None, None, False)
    assert repr(space) == "<TangentSpace: 2 samples of shape (6,), 3 directions>"
    np.savez(tmp_path / "callback.npz", **arrays, input=np.zeros((2, 6)))
    np.testing.assert_array_equal(
        km.TangentSpace.load(tmp_path / "callback.npz").inputs, np.zeros((2, 6))
    )


def test_half_precision_is_said_and_orthonormal_to_what_it_allows(tmp_path, rng):
    vectors = np.linalg.qr(rng.normal(size=(2, 50, 4)))[0].swapaxes(1, 2)
    np.savez(
        tmp_path / "half.npz",
        vectors=vectors.astype("float16"),
        singular_values=np.ones((2, 4), "float32"),
        code_vectors=np.ones((2, 4, 4), "float16"),
    )
    space = km.TangentSpace.load(tmp_path / "half.npz")
    assert repr(space).endswith("4 directions, in half precision>")
    assert space.vectors.dtype == space.code_vectors.dtype == "float32"
    gram = space.vectors @ space.vectors.swapaxes(1, 2)
    np.testing.assert_allclose(gram, np.broadcast_to(np.eye(4), gram.shape), atol=1e-3)
    space[:1].save(tmp_path / "again.npz")
    again = km.TangentSpace.load(tmp_path / "again.npz")
    assert again.half_precision
    np.testing.assert_array_equal(again.vectors, space.vectors[:1])


@pytest.mark.parametrize("shape", [(6, 6, 1), (40, 2), (5,)])
def test_a_notebook_shows_the_first_samples(shape, rng):
    space = km.TangentSpace(
        rng.normal(size=(9, 4, *shape)),
        np.ones((9, 4)),
        np.ones((9, 4, 5)),
        inputs=rng.normal(size=(9, *shape)),
        of="encoder",
    )
    width, height = Image.open(io.BytesIO(space._repr_png_())).size
    assert 200 < height < 1000 < 1.2 * width < 2000


def test_plots_take_a_space_alone_and_refuse_other_samples(rng):
    x = rng.uniform(size=(3, 6, 6, 1))
    space = km.TangentSpace(
        rng.normal(size=(3, 4, 6, 6, 1)), np.ones((3, 4)), np.ones((3, 4, 5)), inputs=x
    )
    figure = km.plot.tangents(space, None, labels=["a", "b", "c"])
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts.count("input") == 3
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["a", "b", "c"]
    assert isinstance(km.plot.walk(space), Figure)
    assert isinstance(km.plot.tangents(space, images=x), Figure)
    with pytest.raises(ValueError, match=r"samples of the space, which keeps them itself"):
        km.plot.tangents(space, images=x[::-1])
    with pytest.raises(
        ValueError, match=r"`images` must be.*\(3, 6, 6, 1\).*\(2, 6, 6, 1\)"
    ):
        km.plot.tangents(space, images=x[:2])
    with pytest.raises(ValueError, match=r"samples with other values"):
        km.plot.tangents({"a": space, "b": space[::-1]})
    with pytest.raises(
        ValueError, match=r"`labels` must be one per sample, 3.*shown, 1. Received: 2"
    ):
        km.plot.tangents(space, labels=["a", "b"])
    plain = km.TangentSpace(space.vectors, space.singular_values, space.code_vectors)
    with pytest.raises(ValueError, match=r"which does not keep them.*x=None"):
        km.plot.walk(plain)


def watched_fit(model, x, callback):
    model.compile("sgd", "mse")
    model.fit(x, x, epochs=2, verbose=0, callbacks=[callback])


def test_a_whole_autoencoder_gets_one_warning_that_says_what_to_do(linear, recwarn):
    _, x = linear
    whole = keras.Sequential([keras.Input((6,)), keras.layers.Dense(6)], name="whole")
    with pytest.warns(UserWarning, match=r"whole autoencoder.*'whole'.*of=.reconstruction"):
        km.tangent_space(whole, x, k=2)
    maps = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            keras.layers.Conv2D(2, 3, 2, "same", name="maps"),
            keras.layers.Conv2DTranspose(1, 3, 2, "same"),
        ]
    )
    images = x[:, :1, None, None] * np.ones((1, 4, 4, 1), "float32")
    with pytest.warns(
        UserWarning, match=r"get_layer\('maps'\).*and keras.layers.GlobalAveragePooling2D"
    ):
        km.tangent_space(maps, images, k=2)
    watching = km.TangentAnalyzer(x[:2], encoder=whole)
    with pytest.warns(UserWarning, match=r"whole autoencoder.*'whole'") as seen:
        watched_fit(whole, x, watching)
    assert len([w for w in seen if "whole autoencoder" in str(w.message)]) == 1
    recwarn.clear()
    km.tangent_space(whole, x, k=2, of="reconstruction")
    km.tangent_space(linear[0], x)
    watched_fit(whole, x, km.TangentAnalyzer(x[:2], of="reconstruction"))
    assert not [w for w in recwarn if "whole autoencoder" in str(w.message)]


@pytest.mark.parametrize(
    ("choose", "options"),
    [
        (lambda space: space[1], {"labels": "cat"}),
        (lambda space: space[1], {"labels": ["cat"]}),
        (lambda space: space, {"index": 1, "labels": ["ape", "cat", "dog"]}),
        (lambda space: space, {"index": 1, "labels": np.array("cat")}),
        (lambda space: space, {"index": [-2, 0], "labels": ["cat", "ape"]}),
    ],
)
def test_a_label_is_that_of_the_sample_that_is_shown(linear, choose, options):
    encoder, x = linear
    space = choose(km.tangent_space(encoder, x[:3]))
    (ax,) = km.plot.tangents(space, **options).axes
    assert next(text.get_text() for text in ax.get_yticklabels()) == "cat"


def test_feature_maps_as_codes_are_named_with_what_pools_them():
    maps = keras.Sequential([keras.Input((2, 600)), keras.layers.Conv1D(520, 1)])
    x = np.ones((1, 2, 600), "float32")
    with pytest.warns(UserWarning, match=r"\(2, 520\).*GlobalAveragePooling1D"):
        km.tangent_space(maps, x)
