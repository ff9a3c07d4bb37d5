import tracemalloc

import keras
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from keras import ops

import keras_manifold as km

VARIANCES = np.array([4.0, 1.0, 0.25, 0.0])
STDDEVS = np.array([0.2, 0.5, 1.0, 2.0])
ESTIMATORS = ("stein", "flipd", "loss")


def best_denoiser(stddev):
    """Of N(0, diag(VARIANCES)) under noise of `stddev`."""
    gains = (VARIANCES / (VARIANCES + stddev**2)).astype("float32")
    return lambda x: x * ops.convert_to_tensor(gains)


DENOISERS = [best_denoiser(stddev) for stddev in STDDEVS]
EXPECTED = np.array([(VARIANCES / (VARIANCES + s**2)).sum() for s in STDDEVS])
# tr G², which the spread of an estimate of tr G is made of.
SQUARED = np.array([((VARIANCES / (VARIANCES + s**2)) ** 2).sum() for s in STDDEVS])


def test_stein_counts_the_share_of_noise_that_is_kept_at_any_sample(rng):
    x = rng.normal(size=(200, 4)) * np.sqrt(VARIANCES)
    curve = km.dimension_curve(DENOISERS, x, STDDEVS, draws=20, seed=0)
    error = 5 * np.sqrt(2 * SQUARED / (200 * 20))
    assert (np.abs(curve.dimensions.mean(1) - EXPECTED) < error + 0.01).all()
    assert curve.dimensions.std() > 0


def test_flipd_is_exact_at_the_mean_and_elsewhere(rng):
    curve = km.dimension_curve(DENOISERS, np.zeros((2, 4)), STDDEVS, estimator="flipd")
    np.testing.assert_allclose(curve.dimensions, EXPECTED[:, None] * [1, 1], rtol=1e-5)
    x = rng.normal(size=(5, 4))
    curve = km.dimension_curve(DENOISERS, x, STDDEVS, estimator="flipd")
    for i, stddev in enumerate(STDDEVS):
        shrunk = x * stddev**2 / (VARIANCES + stddev**2)
        expected = EXPECTED[i] + (shrunk**2).sum(1) / stddev**2
        np.testing.assert_allclose(curve.dimensions[i], expected, rtol=1e-4)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("dimension", [1, 3, 5])
def test_a_projection_has_the_dimension_of_its_plane_at_all_scales(
    estimator, dimension, rng
):
    plane, _ = np.linalg.qr(rng.normal(size=(6, dimension)))
    project = (plane @ plane.T).astype("float32")

    def denoiser(x):
        return x @ ops.convert_to_tensor(project)

    x = rng.normal(size=(40, 6)) @ project
    curve = km.dimension_curve(
        denoiser, x, [0.1, 1.0, 3.0, 5.0], estimator=estimator, draws=50, seed=0
    )
    # Chi-square of `dimension` degrees of freedom, with the same directions at all scales.
    error = 0 if estimator == "flipd" else 5 * np.sqrt(2 * dimension / (40 * 50))
    np.testing.assert_allclose(curve.dimensions.mean(1), dimension, atol=error + 1e-3)
    assert curve.plateau().mean() == pytest.approx(dimension, abs=error + 1e-3)


@pytest.mark.parametrize("dimension", [1, 2])
def test_the_plateau_of_circle_and_sphere_is_their_dimension(dimension, rng):
    """The mean behind noise: radial, by the ratio of Bessel functions of x / σ²."""
    units = rng.normal(size=(5, dimension + 1))
    units /= np.linalg.norm(units, axis=1, keepdims=True)

    def mean_behind(stddev):
        def denoise(x):
            length = ops.sqrt(ops.sum(x**2, axis=1, keepdims=True))
            if dimension == 2:  # I_{3/2} / I_{1/2}: coth t - 1/t
                at = length / stddev**2
                ratio = 1 / ops.tanh(at) - 1 / at
            else:  # I_1 / I_0 of large arguments, by its expansion
                at = length / stddev**2
                ratio = 1 - 1 / (2 * at) - 1 / (8 * at**2) - 1 / (8 * at**3)
            return ratio * x / length

        return denoise

    stddevs = np.array([0.02, 0.05, 0.1, 0.3])
    curve = km.dimension_curve(
        [mean_behind(s) for s in stddevs], units, stddevs, estimator="flipd"
    )
    np.testing.assert_allclose(curve.plateau(), dimension, atol=0.02)


def test_two_seeds_differ_and_one_seed_does_not():
    x = np.zeros((3, 4))
    curves = [
        km.dimension_curve(DENOISERS, x, STDDEVS, seed=seed).dimensions
        for seed in (0, 0, 1, None, None)
    ]
    np.testing.assert_array_equal(curves[0], curves[1])
    assert np.abs(curves[0] - curves[2]).min() > 0
    assert np.abs(curves[3] - curves[4]).min() > 0


@pytest.mark.parametrize("estimator", ESTIMATORS)
@given(n=st.integers(1, 9), batch_size=st.integers(1, 10))
@example(n=7, batch_size=3)
@example(n=2, batch_size=9)
@settings(max_examples=2)
def test_batches_change_nothing_and_images_are_samples_like_others(
    estimator, n, batch_size
):
    x = np.random.default_rng(n).normal(size=(n, 2, 2, 1))
    arguments = {"estimator": estimator, "seed": 0}
    whole, in_batches = (
        km.dimension_curve(ops.tanh, x, [0.5, 1.0], batch_size=size, **arguments)
        for size in (64, batch_size)
    )
    flat = km.dimension_curve(ops.tanh, x.reshape(n, 4), [0.5, 1.0], **arguments)
    for found in (in_batches, flat):
        np.testing.assert_allclose(found.dimensions, whole.dimensions, rtol=1e-4)


@given(scale=st.floats(0.1, 10), seed=st.integers(0, 2**31))
@settings(max_examples=6)
def test_flipd_is_the_same_in_other_coordinates_at_the_scale_that_moves_along(scale, seed):
    """y = a Q x + b leaves tr J and ‖r(x) - x‖/σ, with σ a in place of σ."""
    rng = np.random.default_rng(seed)
    q, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    q, shift = q.astype("float32"), rng.normal(size=4).astype("float32")

    def moved(y):
        x = (y - ops.convert_to_tensor(shift)) @ ops.convert_to_tensor(q) / scale
        return scale * ops.tanh(x) @ ops.convert_to_tensor(q.T) + ops.convert_to_tensor(
            shift
        )

    x = rng.normal(size=(5, 4)).astype("float32")
    here = km.dimension_curve(ops.tanh, x, [0.5], estimator="flipd")
    there = km.dimension_curve(
        moved, scale * x @ q.T + shift, [0.5 * scale], estimator="flipd"
    )
    np.testing.assert_allclose(there.dimensions, here.dimensions, rtol=1e-3, atol=1e-3)


def test_the_plateau_is_where_the_curve_is_flattest_for_its_length():
    stddevs = np.geomspace(0.01, 1, 7)
    ends = [10.0, 7, 3.2, 3, 2.8, 1.5, 0.5]
    curve = km.DimensionCurve(stddevs, np.array([ends, ends[::-1]]).T, "stein")
    np.testing.assert_allclose(curve.plateau(), [3, 3])
    assert km.DimensionCurve(stddevs[:1], np.ones((1, 4)), "loss").plateau().shape == (4,)
    two = km.DimensionCurve(stddevs[:2], np.array([[1.0], [2.0]]), "loss")
    assert two.plateau() == pytest.approx(1.5)
    assert repr(two) == "DimensionCurve(loss, 1 samples at 2 scales from 0.01 to 0.0215443)"


def trained_with(noise):
    return km.AutoEncoder.dense(4, 2, units=(8,), noise=noise)


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        (None, r"trained without noise, .*stddevs \[0.1 0.3\]"),
        (0.3, r"noise of level=0.3, .*stddevs \[0.1\].*level=\(low, high\)"),
        (0.0, r"noise of level=0.0, .*stddevs \[0.1 0.3\]"),
        (km.NoiseInjection("gaussian", (0.2, 0.4)), r"\(0.2, 0.4\), .*stddevs \[0.1\]"),
        (km.NoiseInjection("gaussian", 0.1, clip=(-1, 1)), r"clip=\(-1.0, 1.0\), after"),
        (km.NoiseInjection("masking", 0.1), "noise of kind='masking', "),
        (km.NoiseInjection("salt_and_pepper", 0.1), "noise of kind='salt_and_pepper', "),
        (km.NoiseInjection("speckle", 0.1), "noise of kind='speckle', "),
        (km.NoiseInjection("block", 0.1), "noise of kind='block', "),
    ],
    ids=repr,
)
def test_noise_that_the_model_was_not_trained_with_costs_a_warning(noise, message):
    with pytest.warns(UserWarning, match=message) as caught:
        km.dimension_curve(trained_with(noise), np.zeros((2, 4)), [0.1, 0.3], draws=2)
    (warning,) = (w for w in caught if w.category is UserWarning)
    assert warning.filename == __file__, "the line of the user"


def test_each_model_of_a_list_is_compared_with_its_own_scale(recwarn):
    x, levels = np.zeros((2, 4)), (0.3, 0.5)
    models = [trained_with(level) for level in levels]
    km.dimension_curve(models, x, levels, draws=2)
    km.dimension_curve([trained_with((0.2, 0.6))] * 2, x, levels, draws=2)
    km.dimension_curve(ops.tanh, x, levels, draws=2)
    assert [str(w.message) for w in recwarn if w.category is UserWarning] == []
    with pytest.warns(UserWarning, match=r"level=0.3, .*stddevs \[0.5\]"):
        km.dimension_curve([models[0]], x, [0.5], draws=2)
    with pytest.warns(UserWarning, match=r"level=0.5, .*stddevs \[0.6\]"):
        km.dimension_curve(models, x, [0.3, 0.6], draws=2)


def test_all_models_of_a_list_are_checked_before_any_work():
    seen = []

    def good(x):
        seen.append(len(x))
        return 0.5 * x

    with pytest.raises(ValueError, match=r"shape \(None, 2\)"):
        km.dimension_curve([good, lambda x: x[:, :2]], np.ones((50, 4)), [0.1, 0.2])
    assert max(seen) <= 5, "the samples of the check"


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_outputs_that_are_not_finite_cost_one_warning_with_their_number(estimator, value):
    def denoiser(x):
        return ops.where(x > 5, value * ops.ones_like(x), 0.5 * x)

    x = np.zeros((6, 4))
    x[:2, 0] = 9
    with pytest.warns(UserWarning, match="NaN or infinite at 2 of 6 samples") as caught:
        curve = km.dimension_curve(denoiser, x, [0.1, 0.2], estimator=estimator, seed=0)
    assert len([w for w in caught if w.category is UserWarning]) == 1
    finite = np.isfinite(curve.dimensions)
    np.testing.assert_array_equal(finite, [[False] * 2 + [True] * 4] * 2)


@pytest.mark.parametrize("estimator", ["stein", "loss"])
def test_the_draws_are_held_batch_by_batch_and_are_those_of_one_array(estimator):
    n, size, draws, stddev = 50, 4000, 64, 0.5
    x = np.random.default_rng(1).normal(size=(n, size)).astype("float32")
    arguments = {"estimator": estimator, "draws": draws, "seed": 0, "batch_size": 7}
    km.dimension_curve(lambda x: 0.5 * x, x[:7], [stddev], draws=2)  # frameworks load
    tracemalloc.start()
    try:
        curve = km.dimension_curve(lambda x: 0.5 * x, x, [stddev], **arguments)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Two sums in float64 and their product, and some batches.
    assert peak < 10 * x.nbytes
    noise = stddev * np.random.default_rng(0).standard_normal((draws, n, size), "float32")
    noise = noise.astype("float64")
    if estimator == "stein":
        around = 0.5 * (noise - noise.mean(axis=0))
        expected = (noise * around).sum((0, 2)) / ((draws - 1) * np.square(noise).mean())
    else:
        expected = np.square(0.5 * (x + noise) - x).sum(2).mean(0) / stddev**2
    # In float32 an output is off by 1e-7 of its size, and errors of entries average out.
    np.testing.assert_allclose(curve.dimensions[0], expected, rtol=1e-5)


def test_lists_make_a_curve_of_arrays():
    curve = km.DimensionCurve([1, 2], [[3, 4, 5], [3, 4, 5]], "loss")
    assert curve.stddevs.dtype == curve.dimensions.dtype == "float64"
    assert curve.plateau().tolist() == [3, 4, 5]
    assert repr(curve) == "DimensionCurve(loss, 3 samples at 2 scales from 1 to 2)"


@pytest.mark.parametrize(
    ("stddevs", "dimensions", "message"),
    [
        ([0.2, 0.1], np.ones((2, 3)), r"each larger than the one before.*\[0.2, 0.1\]"),
        ([0.1, 0.1], np.ones((2, 3)), r"\[0.1, 0.1\]"),
        ([-0.1, 0.1], np.ones((2, 3)), r"above 0, .*\[-0.1, 0.1\]"),
        ([], np.ones((0, 3)), r"stddevs=\[\]"),
        ([0.1, 0.2], np.ones((3, 3)), r"shapes \(3, 3\) and \(2,\)"),
        ([0.1, 0.2], [1.0, 2.0], r"shape \(s, n\).*shapes \(2,\)"),
        ([0.1, 0.2], [[1.0], [1.0, 2.0]], r"numbers of shape \(s, n\)"),
        ([0.1], "ab", "dimensions='ab'"),
    ],
)
def test_what_is_no_curve_is_refused(stddevs, dimensions, message):
    with pytest.raises(ValueError, match=message):
        km.DimensionCurve(stddevs, dimensions, "stein")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"stddevs": []}, "`stddevs` must be finite numbers above 0"),
        ({"stddevs": 0.1}, "stddevs=0.1"),
        ({"stddevs": "ab"}, "stddevs='ab'"),
        ({"stddevs": [0.0, 1.0]}, r"stddevs=\[0.0, 1.0\]"),
        ({"stddevs": [1.0, np.inf]}, "inf"),
        ({"stddevs": [0.2, 0.1]}, r"each larger than the one before.*\[0.2, 0.1\]"),
        ({"stddevs": [0.1, 0.1]}, r"np.unique"),
        ({"stddevs": ["0.1", "0.2"]}, r"stddevs=\['0.1', '0.2'\]"),
        ({"stddevs": [True, 2.0]}, r"stddevs=\[True, 2.0\]"),
        ({"stddevs": [[0.1], [0.1, 0.2]]}, r"stddevs=\[\[0.1\]"),
        ({"stddevs": [1.0, 1e200]}, r"squares that float32 can hold.*\[1.0, 1e\+200\]"),
        ({"stddevs": [1e-200, 1.0]}, r"squares that .*\[1e-200, 1.0\]"),
        ({"estimator": "mle"}, "`estimator` must be .*estimator='mle'"),
        ({"draws": 0, "estimator": "loss"}, "draws=0"),
        ({"draws": 1}, "`draws` must be a whole number of at least 2.*draws=1"),
        ({"seed": 1.5}, "seed=1.5"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"model": DENOISERS}, "one per scale. Received: 4 models for 2 stddevs"),
        ({"model": lambda x: x[:, :2]}, r"shape \(None, 2\)"),
        ({"x": np.zeros((0, 4))}, "at least one sample"),
    ],
    ids=lambda value: str(value)[:30] if isinstance(value, dict) else None,
)
def test_bad_input_is_refused(arguments, message):
    arguments = {"model": DENOISERS[0], "x": np.ones((2, 4)), "stddevs": [0.1, 0.2]} | (
        arguments
    )
    with pytest.raises(ValueError, match=message):
        km.dimension_curve(**arguments)


def test_samples_that_are_not_finite_are_refused():
    with pytest.raises(FloatingPointError, match=r"`x` .*NaN"):
        km.dimension_curve(DENOISERS[0], np.full((2, 4), np.nan), [0.1, 0.2])


def test_a_model_of_one_layer_has_the_trace_of_its_weights(rng):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, use_bias=False)])
    x = np.zeros((3, 4))
    curve = km.dimension_curve(model, x, [1.0], estimator="flipd")
    np.testing.assert_allclose(
        curve.dimensions, np.trace(model.get_weights()[0]), rtol=1e-4
    )
