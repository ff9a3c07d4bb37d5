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


def test_loss_is_the_same_on_average_over_the_data(rng):
    """At x: ‖(G - I) x‖² / σ² + tr G²; the mean over N(0, Λ) is tr G."""
    x = rng.normal(size=(4000, 4)) * np.sqrt(VARIANCES)
    curve = km.dimension_curve(DENOISERS, x, STDDEVS, estimator="loss", draws=4, seed=0)
    spread = curve.dimensions.std(axis=1) / np.sqrt(4000)
    assert (np.abs(curve.dimensions.mean(1) - EXPECTED) < 5 * spread).all()
    assert (spread < 0.05).all()


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


def test_a_level_that_the_model_was_not_trained_with_costs_a_warning(recwarn):
    noise = km.NoiseInjection("gaussian", 0.3)
    model = km.AutoEncoder.dense(4, 2, units=(8,), noise=noise)
    x = np.zeros((2, 4))
    with pytest.warns(
        UserWarning, match=r"level=0.3.*stddevs \[0.1\].*level=\(low, high\)"
    ):
        km.dimension_curve(model, x, [0.1, 0.3], draws=2)
    recwarn.clear()
    km.dimension_curve(model, x, [0.3], draws=2)
    km.dimension_curve([model], x, [0.5], draws=2)
    assert [str(w.message) for w in recwarn if w.category is UserWarning] == []


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
