import json
from typing import get_args

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_manifold as km
from keras_manifold.noise import Kind

KINDS = get_args(Kind)


def corrupted(noise, x, **kwargs):
    return ops.convert_to_numpy(noise(x, **kwargs))


N = 40_000  # bounds below are 5 standard errors


def test_gaussian_noise_has_its_level_as_standard_deviation():
    x = np.full((N,), 0.5, "float32")
    change = corrupted(km.NoiseInjection("gaussian", 1.5, seed=0), x, training=True) - x
    assert abs(change.mean()) < 5 * 1.5 / np.sqrt(N)
    assert abs(change.std() - 1.5) < 5 * 1.5 / np.sqrt(2 * N)


def test_masking_sets_its_level_of_the_entries_to_zero_and_leaves_the_rest():
    x = np.full((N,), 0.5, "float32")
    y = corrupted(km.NoiseInjection("masking", 0.3, seed=0), x, training=True)
    assert set(np.unique(y)) == {0.0, 0.5}
    assert abs((y == 0).mean() - 0.3) < 5 * np.sqrt(0.3 * 0.7 / N)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_small_levels_hold_in_low_precision(dtype):
    x = np.full((10 * N,), 0.5, "float32")
    y = corrupted(km.NoiseInjection("salt_and_pepper", 0.002, dtype=dtype, seed=0), x)
    for end in (0.0, 1.0):
        found = (y.astype("float32") == end).mean()
        assert abs(found - 0.001) < 5 * np.sqrt(0.001 / (10 * N))


@pytest.mark.parametrize(("clip", "ends"), [(None, (0.0, 1.0)), ((-1, 2), (-1.0, 2.0))])
def test_salt_and_pepper_sets_its_level_of_the_entries_to_both_ends_evenly(clip, ends):
    x = np.full((N,), 0.5, "float32")
    noise = km.NoiseInjection("salt_and_pepper", 0.4, clip=clip, seed=0)
    y = corrupted(noise, x, training=True)
    assert set(np.unique(y)) == {0.5, *ends}
    for end in ends:
        assert abs((y == end).mean() - 0.2) < 5 * np.sqrt(0.2 * 0.8 / N)


def test_clip_bounds_what_is_corrupted():
    x = np.linspace(0, 1, 1000, dtype="float32")
    y = corrupted(km.NoiseInjection("gaussian", 1.0, clip=(0, 1)), x, training=True)
    assert y.min() == 0.0
    assert y.max() == 1.0


@pytest.mark.parametrize("kind", ["gaussian", "masking", "salt_and_pepper"])
def test_it_is_the_identity_when_not_training(kind, digits):
    y = corrupted(km.NoiseInjection(kind, 0.5, clip=(0.2, 0.8)), digits[:5], training=False)
    np.testing.assert_array_equal(y, digits[:5])


@pytest.mark.parametrize("kind", ["gaussian", "masking", "salt_and_pepper"])
def test_level_zero_changes_nothing(kind, digits):
    y = corrupted(km.NoiseInjection(kind, 0.0), digits[:5], training=True)
    np.testing.assert_array_equal(y, digits[:5])


def test_the_same_seed_gives_the_same_noise_and_each_call_another(digits):
    one, two = (km.NoiseInjection("gaussian", 0.4, seed=7) for _ in range(2))
    first, second = (corrupted(one, digits[:5], training=True) for _ in range(2))
    np.testing.assert_array_equal(first, corrupted(two, digits[:5], training=True))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("level", [0.4, (0.1, 0.4)], ids=["number", "pair"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_rebuilt_from_its_config_gives_the_same_noise(kind, level, digits):
    noise = km.NoiseInjection(kind, level, clip=(0, 1), seed=7, name="corruption")
    again = km.NoiseInjection.from_config(json.loads(json.dumps(noise.get_config())))
    assert again.get_config() == noise.get_config()
    np.testing.assert_array_equal(
        corrupted(noise, digits[:5], training=True),
        corrupted(again, digits[:5], training=True),
    )


@pytest.mark.parametrize("options", [{}, {"training": None}, {"training": False}])
def test_whether_it_is_training_is_decided_as_by_keras_preprocessing(options, digits):
    x = digits[:5]
    flip = layers.RandomFlip("horizontal_and_vertical", seed=0)
    is_changed = not np.array_equal(corrupted(flip, x, **options), x)
    noise = km.NoiseInjection("masking", 1.0)
    assert corrupted(noise, x, **options).any() != is_changed
    model = keras.Sequential([keras.Input((8, 8, 1)), noise])
    assert corrupted(model, x, training=False).any()
    assert not corrupted(model, x, training=True).any()


def test_in_a_model_it_corrupts_in_training_only(digits):
    model = keras.Sequential([keras.Input((8, 8, 1)), km.NoiseInjection("gaussian", 1.0)])
    model.compile(loss="mse")
    np.testing.assert_array_equal(model.predict(digits[:5], verbose=0), digits[:5])
    assert model.evaluate(digits, digits, verbose=0) == 0.0
    assert not np.array_equal(corrupted(model, digits[:5], training=True), digits[:5])


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX has none by itself")
@pytest.mark.parametrize("kind", KINDS)
def test_double_precision_stays(kind):
    x = np.full((3, 4, 4, 1), 1 / 3)
    noise = km.NoiseInjection(kind, 0.0, clip=(0, 1), dtype="float64")
    y = corrupted(noise, x, training=True)
    assert y.dtype == "float64"
    np.testing.assert_array_equal(y, x)


def test_integers_are_cast(digits):
    y = corrupted(km.NoiseInjection("masking", 0.5), (digits[:5] * 16).astype("uint8"))
    assert y.dtype == "float32"


def test_it_keeps_the_mask_of_a_sequence():
    steps = np.array([[1, 2, 0], [3, 0, 0]])
    embedding, recurrent = layers.Embedding(4, 3, mask_zero=True), layers.SimpleRNN(2)
    embedded, noise = embedding(steps), km.NoiseInjection()
    codes = corrupted(recurrent, noise(embedded, training=False))
    mask = embedding.compute_mask(steps)
    np.testing.assert_allclose(codes, corrupted(recurrent, embedded, mask=mask), rtol=1e-6)
    assert not np.allclose(codes, corrupted(recurrent, ops.convert_to_numpy(embedded)))


def test_labels_of_a_pipeline_are_not_taken_for_training(digits, tf):
    noise = km.NoiseInjection()
    pairs = tf.data.Dataset.from_tensor_slices((digits[:4], np.arange(4))).batch(2)
    with pytest.raises(TypeError, match=r"lambda x, y: \(noise\(x\), y\)"):
        pairs.map(noise)
    (noisy, _) = next(iter(pairs.map(lambda x, y: (noise(x), y))))
    assert noisy.shape == (2, 8, 8, 1)


@pytest.mark.parametrize("kind", ["gaussian", "masking", "salt_and_pepper"])
def test_it_maps_a_tf_data_pipeline_on_every_backend(kind, digits, tf):
    noise = km.NoiseInjection(kind, 0.4, clip=(0, 1), seed=0)
    pipeline = tf.data.Dataset.from_tensor_slices(digits[:200]).batch(100)
    clean = np.concatenate(list(pipeline.as_numpy_iterator()))
    noisy = pipeline.map(noise)
    first, second = (np.concatenate(list(noisy.as_numpy_iterator())) for _ in range(2))
    assert first.shape == clean.shape
    changed = (first != clean).mean()
    expected = {"gaussian": 0.75, "masking": 0.2, "salt_and_pepper": 0.3}[kind]
    assert changed == pytest.approx(expected, abs=0.15)
    assert not np.array_equal(first, second), "each epoch draws anew"
    assert first.min() >= 0
    assert first.max() <= 1
    off = pipeline.map(lambda x: noise(x, training=False))
    np.testing.assert_array_equal(np.concatenate(list(off.as_numpy_iterator())), clean)


def test_in_tf_data_too_the_seed_decides(digits, tf):
    pipeline = tf.data.Dataset.from_tensor_slices(digits[:20]).batch(10)

    def noisy(noise):
        return np.concatenate(list(pipeline.map(noise).as_numpy_iterator()))

    noise = km.NoiseInjection("gaussian", 0.4, seed=3)
    again = km.NoiseInjection.from_config(noise.get_config())
    other = km.NoiseInjection("gaussian", 0.4, seed=4)
    first = noisy(noise)
    np.testing.assert_array_equal(first, noisy(again))
    assert not np.array_equal(first, noisy(other))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "pink"}, "`kind` must be .* kind='pink'"),
        ({"kind": "masking", "level": 1.4}, r"in \[0, 1\] for masking noise.*level=1.4"),
        ({"kind": "salt_and_pepper", "level": -0.1}, r"in \[0, 1\].*level=-0.1"),
        ({"level": -1}, "at least 0 and finite for gaussian noise.*level=-1"),
        ({"level": float("nan")}, "level=nan"),
        ({"level": "0.4"}, "level='0.4'"),
        ({"clip": (1, 0)}, r"low < high.*clip=\(1, 0\)"),
        ({"clip": (0, 1, 2)}, r"clip=\(0, 1, 2\)"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        km.NoiseInjection(**options)


def test_levels_of_a_pair_are_drawn_for_each_sample_evenly_on_a_logarithmic_scale():
    noise = km.NoiseInjection("gaussian", (0.01, 1.0), seed=0)
    x = np.zeros((2000, 400), "float32")
    levels = corrupted(noise, x, training=True).std(axis=1)
    # Kolmogorov-Smirnov: 1.95/√n is exceeded once in a thousand, and levels are estimated
    # within 1/√800.
    shares = np.sort(np.log(levels / 0.01) / np.log(100))
    distance = np.abs(shares - (np.arange(2000) + 0.5) / 2000).max()
    assert distance < 1.95 / np.sqrt(2000) + 0.02
    config = noise.get_config()
    assert tuple(config["level"]) == (0.01, 1.0)
    again = km.NoiseInjection.from_config(config)
    np.testing.assert_array_equal(
        again(x[:2]), km.NoiseInjection.from_config(config)(x[:2])
    )


def test_a_pair_of_fractions_masks_each_sample_by_its_own():
    n, entries, low, high = 1000, 4000, 0.1, 0.9
    x = np.ones((n, entries), "float32")
    y = corrupted(km.NoiseInjection("masking", (low, high), seed=0), x, training=True)
    shares = (y == 0).mean(axis=1)
    # On the scale of the logarithm levels are estimated within this at the low end, and
    # closer above; Kolmogorov-Smirnov: 1.95/√n is exceeded once in a thousand.
    error = np.sqrt((1 - low) / (low * entries)) / np.log(high / low)
    places = np.sort(np.log(shares / low) / np.log(high / low))
    distance = np.abs(places - (np.arange(n) + 0.5) / n).max()
    assert distance < 1.95 / np.sqrt(n) + error
    # Levels are 0.1 x^u of even u, x = 9: their mean and mean square by integration.
    mean = (high - low) / np.log(high / low)
    square = (high**2 - low**2) / (2 * np.log(high / low))
    spread = np.sqrt(square - mean**2 + (mean - square) / entries)
    assert abs(shares.mean() - mean) < 5 * spread / np.sqrt(n)


def test_a_level_of_one_number_can_not_become_a_pair():
    noise = km.NoiseInjection("gaussian", 0.1)
    with pytest.raises(ValueError, match=r"must stay a number.*\(0.1, 1.0\) after 0.1"):
        noise.level = (0.1, 1.0)
    pair = km.NoiseInjection("gaussian", (0.1, 1.0))
    pair.level = (0.2, 0.2)
    assert pair.level == (0.2, 0.2)
    assert corrupted(pair, np.zeros((N,)), training=True).std() == pytest.approx(
        0.2, rel=5 / np.sqrt(2 * N)
    )


@pytest.mark.parametrize(
    "level", [(0, 1), (2, 1), (0.1, np.inf), (0.1,), "ab", (0.1, 0.2, 0.3), (1, (2, 3))]
)
def test_pairs_of_levels_that_are_none_are_refused(level):
    with pytest.raises(ValueError, match=r"a pair .low, high. of such levels"):
        km.NoiseInjection("gaussian", level)


def test_speckle_is_multiplied():
    x = np.concatenate([np.zeros(10), np.full(N, 4.0)]).astype("float32")
    y = corrupted(km.NoiseInjection("speckle", 0.5, seed=0), x, training=True)
    assert (y[:10] == 0).all()
    assert y[10:].std() == pytest.approx(2.0, rel=5 / np.sqrt(2 * N))
    assert y[10:].mean() == pytest.approx(4.0, abs=5 * 2 / np.sqrt(N))


@pytest.mark.parametrize(
    ("level", "shape", "sides"),
    [
        (0.25, (20, 12, 3), (10, 6)),
        (0.25, (40, 2), (10,)),
        (0.25, (40,), (10,)),
        (0.125, (8, 8, 8, 1), (4, 4, 4)),
    ],
    ids=["image", "series", "table", "volume"],
)
def test_a_block_is_one_span_along_each_axis_at_any_place(level, shape, sides):
    """Sides of level^(1/axes) of those of the sample."""
    y = corrupted(km.NoiseInjection("block", level, seed=0), np.ones((300, *shape)))
    is_gone = y.reshape(300, *shape) == 0
    has_channels = len(shape) > len(sides)
    if has_channels:
        assert (is_gone.all(-1) == is_gone.any(-1)).all()
        is_gone = is_gone[..., 0]
    starts = []
    for axis, side in enumerate(sides, start=1):
        others = tuple(i for i in range(1, is_gone.ndim) if i != axis)
        along = is_gone.any(axis=others)
        assert (along.sum(axis=1) == side).all()
        first = along.argmax(axis=1)
        last = along.shape[1] - 1 - along[:, ::-1].argmax(axis=1)
        assert (last - first + 1 == side).all()
        starts.append(first)
        places = along.shape[1] - side + 1
        # Each start about equally often: five standard errors of a share.
        shares = np.bincount(first, minlength=places) / 300
        assert len(shares) == places
        assert np.abs(shares - 1 / places).max() < 5 * np.sqrt(1 / places / 300)
    assert (is_gone.reshape(300, -1).sum(1) == np.prod(sides)).all()


@pytest.mark.parametrize("level", [0.002, 0.05, 0.3, 0.9, 1.0, (0.2, 0.2)], ids=str)
@pytest.mark.parametrize(
    "shape",
    [(8, 8, 1), (30, 2), (10,), (3, 4, 5, 1)],
    ids=["image", "series", "table", "v"],
)
def test_blocks_cover_their_level_on_average(shape, level):
    n = 10_000
    x = np.ones((n, *shape), "float32")
    y = corrupted(km.NoiseInjection("block", level, seed=0), x)
    covered = (y.reshape(n, -1) == 0).mean(axis=1)
    error = 5 * covered.std() / np.sqrt(n)
    assert covered.mean() == pytest.approx(np.max(level), abs=error + 1e-6)


def test_blocks_spare_no_channel_where_channels_come_first(monkeypatch):
    monkeypatch.setattr(keras.config, "image_data_format", lambda: "channels_first")
    for shape, size in (((3, 40), 10), ((3, 20, 12), 60)):
        y = corrupted(km.NoiseInjection("block", 0.25), np.ones((50, *shape), "float32"))
        is_gone = y == 0
        assert (is_gone.all(1) == is_gone.any(1)).all()
        assert (is_gone[:, 0].reshape(50, -1).sum(1) == size).all()


@keras.saving.register_keras_serializable(package="tests")
def shot_noise(x, level, seed):
    return x + level * ops.sqrt(ops.maximum(x, 0)) * keras.random.normal(
        ops.shape(x), seed=seed
    )


@pytest.mark.parametrize("level", [0.5, (0.5, 0.5)])
def test_a_callable_is_noise_too_and_survives_its_config(level):
    x = np.full((N, 1), 4.0, "float32")
    noise = km.NoiseInjection(shot_noise, level, clip=(0, 100), seed=0)
    y = corrupted(noise, x, training=True)
    assert y.std() == pytest.approx(1.0, rel=5 / np.sqrt(2 * N))
    again = km.NoiseInjection.from_config(noise.get_config())
    assert again.kind is shot_noise
    np.testing.assert_array_equal(corrupted(again, x, training=True), y)
    model = km.AutoEncoder.dense(3, 2, units=(4,), noise=noise)
    model.compile("sgd", loss="mse")
    model.fit(np.ones((8, 3)), verbose=0)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda x: x[:, :1], r"shape \(2, 1\) for inputs of shape \(2, 3\)"),
        (lambda x: x[:1], r"shape \(1, 3\) for inputs of shape \(2, 3\)"),
        (lambda x: x[0], r"shape \(3,\) for inputs of shape \(2, 3\)"),
        (lambda x: (x, x), "the corrupted batch. Received: tuple for inputs"),
        (lambda x: None, "the corrupted batch. Received: NoneType for inputs"),
    ],
)
def test_a_callable_that_returns_no_such_batch_is_refused(returned, message):
    noise = km.NoiseInjection(lambda x, level, seed: returned(x), 0.1)
    with pytest.raises(ValueError, match=message):
        noise(np.ones((2, 3)), training=True)


@pytest.mark.parametrize(
    "kind",
    [int, layers.Dropout, layers.Dropout(0.5), lambda x, level: x, lambda x, *, seed: x],
    ids=["int", "class of layers", "layer", "two arguments", "by name"],
)
def test_what_can_not_be_called_as_noise_is_refused(kind):
    with pytest.raises(ValueError, match=r"a function kind\(x, level, seed\) that returns"):
        km.NoiseInjection(kind, 0.1)


def test_a_pair_is_short_for_gaussian_noise_of_its_range():
    halves = [layers.Dense(size) for size in (2, 4)]
    model = km.AutoEncoder(*halves, noise=(0.1, 0.5))
    assert (model.noise.kind, model.noise.level) == ("gaussian", (0.1, 0.5))
    model.noise = [0.2, 0.3]
    assert (model.noise.kind, model.noise.level) == ("gaussian", (0.2, 0.3))
    for bad in ((0.5, 0.1), ("a", "b")):
        with pytest.raises(ValueError, match=r"or a pair .low, high. of such levels"):
            model.noise = bad
    with pytest.raises(TypeError, match="`noise` must be a Keras layer"):
        km.AutoEncoder(*halves, noise=(0.1, 0.2, 0.3))


@pytest.mark.parametrize("kind", ["speckle", "block"])
def test_new_kinds_corrupt_in_tf_data_on_every_backend(kind, tf):
    noise = km.NoiseInjection(kind, (0.2, 0.5), seed=0)
    data = tf.data.Dataset.from_tensor_slices(np.ones((4, 8, 8, 1), "float32")).batch(2)
    batches = [np.asarray(batch) for batch in data.map(noise)]
    assert [batch.shape for batch in batches] == [(2, 8, 8, 1)] * 2
    assert all((batch != 1).any() for batch in batches)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (km.NoiseInjection("gaussian", 0.3), "<NoiseInjection gaussian, level=0.3>"),
        (
            km.NoiseInjection("gaussian", (0.1, 1.0), clip=(0, 1)),
            "<NoiseInjection gaussian, level=(0.1, 1), clip=(0.0, 1.0)>",
        ),
    ],
)
def test_a_layer_says_its_kind_and_level(layer, expected):
    assert repr(layer) == expected
