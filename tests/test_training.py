"""Everything that Keras's `fit` offers, with an `AutoEncoder`."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_manifold as km

BACKEND = keras.backend.backend()
SLOW_TO_COMPILE = [pytest.mark.slow] if BACKEND == "torch" else []  # half a minute


def small(**options):
    return km.AutoEncoder.dense((8, 8, 1), latent_dim=3, units=(16,), **options)


def regularised():
    return small(
        noise=km.NoiseInjection("gaussian", 0.1, seed=1),
        contractive_penalty=km.ContractivePenalty(0.1, seed=2),
    )


def loss_of(model, *data, **options):
    return model.evaluate(*data, **options, verbose=0, return_dict=True)["loss"]


def compiled(model, **options):
    options = {"optimizer": keras.optimizers.SGD(0.5), "loss": "mse", **options}
    model.compile(**options)
    return model


def linear_autoencoder(rng, shape):
    """An `AutoEncoder` without hidden layer, and the weights of its encoder."""
    size = int(np.prod(shape))
    w = rng.normal(size=(size, 2)).astype("float32")
    encoder = keras.Sequential(
        [keras.Input(shape), layers.Flatten(), layers.Dense(2, use_bias=False)]
    )
    decoder = keras.Sequential([layers.Dense(size), layers.Reshape(shape)])
    penalty = km.ContractivePenalty(0.5, probes="exact")
    model = km.AutoEncoder(encoder, decoder, contractive_penalty=penalty)
    encoder.set_weights([w])
    return model, w


class Batches(keras.utils.PyDataset):
    def __init__(self, *arrays):
        super().__init__()
        self.arrays = arrays

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return tuple(array[index * 25 : index * 25 + 25] for array in self.arrays)


def torch_batches(*arrays):
    torch = pytest.importorskip("torch", reason="PyTorch is an optional extra")
    tensors = torch.utils.data.TensorDataset(*map(torch.from_numpy, arrays))
    return torch.utils.data.DataLoader(tensors, batch_size=25)


def tf_batches(*arrays):
    tf = pytest.importorskip(
        "tensorflow", reason="tf.data is TensorFlow's, which is not installed"
    )
    return tf.data.Dataset.from_tensor_slices(arrays).batch(25)


FEEDS = {
    "x": lambda x, w: {"x": x, "batch_size": 25},
    "x, y": lambda x, w: {"x": x, "y": x, "batch_size": 25},
    "tf.data of x": lambda x, w: {"x": tf_batches(x).map(lambda x: x)},
    "tf.data of (x,)": lambda x, w: {"x": tf_batches(x)},
    "tf.data of (x, y)": lambda x, w: {"x": tf_batches(x, x)},
    "PyDataset of (x,)": lambda x, w: {"x": Batches(x)},
    "generator": lambda x, w: {"x": ((x[i : i + 25],) for i in range(0, 90, 25))},
    "torch DataLoader": lambda x, w: {"x": torch_batches(x)},
}
WEIGHTED_FEEDS = {
    "x, weights": lambda x, w: {"x": x, "sample_weight": w, "batch_size": 25},
    "x, y, weights": lambda x, w: {"x": x, "y": x, "sample_weight": w, "batch_size": 25},
    "tf.data of (x, y, weights)": lambda x, w: {"x": tf_batches(x, x, w)},
    "PyDataset of (x, y, weights)": lambda x, w: {"x": Batches(x, x, w)},
    "torch DataLoader of (x, y, weights)": lambda x, w: {"x": torch_batches(x, x, w)},
}


def trained_and_evaluated(feed, x, weights):
    keras.utils.set_random_seed(0)
    penalty = km.ContractivePenalty(0.1, probes="exact")
    model = compiled(small(contractive_penalty=penalty))
    history = model.fit(**feed(x, weights), shuffle=False, verbose=0).history
    found = {name: values[0] for name, values in history.items()}
    evaluated = model.evaluate(**feed(x, weights), verbose=0, return_dict=True)
    return found | {f"evaluated {name}": value for name, value in evaluated.items()}


def weights_of_ninety():
    return np.random.default_rng(0).uniform(size=90).astype("float32")


@pytest.fixture(scope="module")
def expected_losses(digits):
    """Of arrays without weights, and with."""
    feeds = FEEDS["x"], WEIGHTED_FEEDS["x, weights"]
    return [trained_and_evaluated(f, digits[:90], weights_of_ninety()) for f in feeds]


# Keras's adapters make the same batches of these as of one that stays.
ALIKE = ("tf.data of x", "tf.data of (x, y)", "PyDataset of (x,)", "torch DataLoader")


def marked(name, *marks):
    if name.startswith("tf.data"):
        marks = (*marks, pytest.mark.tensorflow)
    return pytest.param(name, marks=marks)


@pytest.mark.parametrize(
    "name",
    [
        marked(name, *([pytest.mark.slow] if name in ALIKE else []))
        for name in (*FEEDS, *WEIGHTED_FEEDS)
        if name not in ("x", "x, weights")
    ],
)
def test_every_way_to_feed_it_gives_the_same_losses(name, digits, expected_losses):
    x, weights = digits[:90], weights_of_ninety()  # the last batch is smaller
    found = trained_and_evaluated((FEEDS | WEIGHTED_FEEDS)[name], x, weights)
    assert found == pytest.approx(expected_losses[name in WEIGHTED_FEEDS], rel=1e-5)


@pytest.mark.parametrize(
    "name", [marked(n) for n in ("tf.data of (x,)", "PyDataset of (x,)", "generator")]
)
def test_every_way_to_feed_predict_gives_the_same_reconstructions(name, digits):
    model = compiled(small())
    expected = model.predict(digits[:90], verbose=0)
    found = model.predict(**FEEDS[name](digits[:90], None), verbose=0)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def mean_of_each_sample(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred), axis=(1, 2, 3))


@pytest.mark.parametrize(
    "loss",
    [
        "mse",
        mean_of_each_sample,
        keras.losses.MeanSquaredError(reduction="mean_with_sample_weight"),
    ],
    ids=["mse", "one a sample", "mean_with_sample_weight"],
)
@pytest.mark.parametrize("ones", [(), (1,), (1, 1)])
def test_weights_of_samples_weigh_reconstruction_and_penalty(loss, ones, rng):
    # As many samples as rows and columns, so that a weight put on these would not fail.
    x = rng.normal(size=(4, 4, 4, 1)).astype("float32")
    weights = rng.uniform(size=4).astype("float32")
    model, w = linear_autoencoder(rng, (4, 4, 1))
    model.compile(loss=loss, weighted_metrics=["mae"])
    error = ops.convert_to_numpy(model(x)) - x
    found = model.evaluate(
        x,
        sample_weight=weights.reshape(-1, *ones),
        batch_size=4,
        verbose=0,
        return_dict=True,
    )
    reconstruction = (weights * (error**2).mean((1, 2, 3))).mean()
    if getattr(loss, "reduction", None) == "mean_with_sample_weight":
        reconstruction /= weights.mean()
    penalty = weights.mean() * (w**2).sum()
    expected = {
        "reconstruction_loss": reconstruction,
        "contractive_penalty": penalty,
        "loss": reconstruction + 0.5 * penalty,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-4)
    if ones == ():
        mae = np.average(np.abs(error).mean((1, 2, 3)), weights=weights)
        assert found["mae"] == pytest.approx(mae, rel=1e-4)


def test_weights_of_entries_weigh_the_penalty_with_their_mean(rng):
    x = rng.normal(size=(3, 4, 4, 1)).astype("float32")
    weights = rng.uniform(size=(3, 4, 4)).astype("float32")
    model, w = linear_autoencoder(rng, (4, 4, 1))
    model.compile(loss="mse")
    error = ops.convert_to_numpy(model(x)) - x
    found = model.evaluate(x, x, sample_weight=weights, verbose=0, return_dict=True)
    expected = {
        "reconstruction_loss": (weights[..., None] * error**2).mean(),
        "contractive_penalty": weights.mean() * (w**2).sum(),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-4)


def test_weights_count_without_a_target(digits):
    ignored = np.array([1.0] * 10 + [0.0] * 10, "float32")
    model = compiled(small())
    expected = loss_of(model, digits[:10]) / 2
    found = loss_of(model, digits[:20], sample_weight=ignored)
    assert found == pytest.approx(expected, rel=1e-5)
    history = model.fit(
        digits[:20],
        sample_weight=ignored,
        validation_data=(digits[:20], None, ignored),
        verbose=0,
    ).history
    after = loss_of(model, digits[:10]) / 2
    assert history["loss"][0] == pytest.approx(expected, rel=1e-5)
    assert history["val_loss"][0] == pytest.approx(after, rel=1e-5)


def test_validation_data_needs_the_inputs_only(digits):
    model = compiled(small())
    history = model.fit(digits[:50], validation_data=digits[50:90], verbose=0).history
    expected = loss_of(model, digits[50:90])
    assert history["val_loss"][0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "call",
    [
        lambda m, x: m.fit(x, class_weight={0: 1.0}),
        lambda m, x: m.fit(x, None, 4, 1, 0, None, 0.0, None, True, {0: 1.0}),
        lambda m, x: m.train_on_batch(x, class_weight={0: 1.0}),
    ],
    ids=["fit", "fit by position", "train_on_batch"],
)
def test_class_weights_are_refused(call, digits):
    with pytest.raises(ValueError, match=r"`class_weight` must be None.*sample_weight"):
        call(compiled(small()), digits[:4])


def test_arguments_may_be_given_by_place_as_in_keras(digits):
    model = compiled(small())
    found = model.evaluate(digits[:20], None, 20, 0, np.zeros(20, "float32"))
    assert found[0] == 0
    history = model.fit(digits[:20], None, 10, 3, 0).history
    assert len(history["loss"]) == 3


def test_masks_and_weights_of_sequences(rng):
    # The third step of each sequence is masked: it has no part in the reconstruction.
    x = rng.normal(size=(4, 3, 2)).astype("float32")
    x[:, 2] = 0
    weights = rng.uniform(size=4).astype("float32")
    encoder = keras.Sequential(
        [layers.Masking(), layers.SimpleRNN(2, return_sequences=True)]
    )
    decoder = layers.TimeDistributed(layers.Dense(2))
    model = compiled(km.AutoEncoder(encoder, decoder))
    losses = []
    for last in (0.0, 7.0):
        target = x.copy()
        target[:, 2] = last
        losses.append(loss_of(model, x, target, sample_weight=weights))
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert loss_of(model, x, x, sample_weight=2 * weights) == pytest.approx(
        2 * losses[0], rel=1e-5
    )


@pytest.mark.parametrize(
    "options",
    [{"run_eagerly": True}, {"steps_per_execution": 2}],
    ids=lambda options: next(iter(options)),
)
def test_how_steps_are_run_changes_no_loss(options, digits):
    def losses(**options):
        keras.utils.set_random_seed(0)
        model = compiled(regularised(), **options)
        fit = {"batch_size": 16, "shuffle": False, "epochs": 2, "verbose": 0}
        return model.fit(digits[:32], **fit).history

    if BACKEND == "torch" and "steps_per_execution" in options:
        pytest.skip("Keras takes one step an execution there: see test_limits.py")
    expected = losses()
    for name, values in losses(**options).items():
        assert values == pytest.approx(expected[name], rel=1e-4), name


@pytest.mark.filterwarnings("ignore")  # of what PyTorch's compiler sees
@pytest.mark.parametrize("chunk_size", [pytest.param(None, marks=SLOW_TO_COMPILE), 2])
def test_compiled_steps_train_as_others(chunk_size, digits):
    # Without random numbers, of which XLA draws others than TensorFlow's own kernels.
    losses = []
    for jit_compile in (False, True):
        keras.utils.set_random_seed(0)
        penalty = km.ContractivePenalty(0.1, probes="exact", chunk_size=chunk_size)
        model = compiled(small(contractive_penalty=penalty), jit_compile=jit_compile)
        losses.append(model.fit(digits[:32], shuffle=False, epochs=2, verbose=0).history)
    for name in losses[0]:
        assert losses[0][name] == pytest.approx(losses[1][name], rel=1e-4), name


def test_accumulated_gradients_are_those_of_the_whole_batch(digits):
    weights = []
    for batch_size, accumulated in ((32, None), (16, 2)):
        keras.utils.set_random_seed(0)
        penalty = km.ContractivePenalty(0.1, probes="exact")
        optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=accumulated)
        model = compiled(small(contractive_penalty=penalty), optimizer=optimizer)
        model.fit(digits[:64], batch_size=batch_size, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    for one, other in zip(*weights):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_averaged_weights_and_clipped_gradients(digits):
    penalty = km.ContractivePenalty(0.1, probes="exact")

    def after_each_step(**options):
        keras.utils.set_random_seed(0)
        optimizer = keras.optimizers.SGD(0.1, **options)
        model = compiled(small(contractive_penalty=penalty), optimizer=optimizer)
        yield model.get_weights()
        for _ in range(2):
            model.train_on_batch(digits[:16])
            yield model.get_weights()
        optimizer.finalize_variable_values(model.trainable_variables)
        yield model.get_weights()

    _, first, second, _ = after_each_step()
    *_, averaged = after_each_step(use_ema=True, ema_momentum=0.75)
    for one, two, mean in zip(first, second, averaged):
        np.testing.assert_allclose(mean, 0.75 * one + 0.25 * two, atol=1e-6)
    start, clipped, *_ = after_each_step(clipvalue=1e-3)
    moved = np.concatenate([np.ravel(b - a) for a, b in zip(start, clipped)])
    assert np.abs(moved).max() == pytest.approx(1e-4, rel=1e-2)


def test_compiled_metrics_see_input_and_reconstruction(digits):
    model = compiled(small(), metrics=["mae"], weighted_metrics=["mse"])
    found = model.evaluate(digits[:10], verbose=0, return_dict=True)
    error = model.predict(digits[:10], verbose=0) - digits[:10]
    assert found["mae"] == pytest.approx(np.abs(error).mean(), rel=1e-4)
    assert found["mse"] == pytest.approx(found["loss"], rel=1e-4)


def test_integer_images_train_as_the_same_numbers_in_floating_point(digits):
    integers = (16 * digits[:32]).astype("uint8")
    histories = []
    for x in (integers, integers.astype("float32")):
        keras.utils.set_random_seed(0)
        encoder = keras.Sequential(
            [layers.Rescaling(1 / 16), layers.Flatten(), layers.Dense(3)]
        )
        decoder = keras.Sequential([layers.Dense(64), layers.Reshape((8, 8, 1))])
        penalty = km.ContractivePenalty(0.1, probes="exact")
        model = compiled(km.AutoEncoder(encoder, decoder, contractive_penalty=penalty))
        watch = km.TangentAnalyzer(x[:3], k=2)
        history = model.fit(x, shuffle=False, callbacks=[watch], verbose=0).history
        histories.append(history)
        w = encoder.get_weights()[0] / 16
        assert history["tangent_norm"][0] == pytest.approx(np.linalg.norm(w), rel=1e-4)
    for name, values in histories[0].items():
        assert values == pytest.approx(histories[1][name], rel=1e-4, abs=1e-6), name


def test_an_encoder_that_makes_its_inputs_integers_has_no_penalty():
    encoder = keras.Sequential(
        [keras.Input((8,), dtype="uint8"), layers.Rescaling(1 / 255)]
    )
    with pytest.raises(ValueError, match=r"`encoder` must take floating-point.*uint8"):
        km.AutoEncoder(encoder, layers.Dense(8), contractive_penalty=0.1)
    with pytest.raises(ValueError, match=r"`function` must take floating-point.*uint8"):
        km.jacobian(encoder, np.ones((2, 8), "uint8"))


@pytest.fixture
def policy(request):
    yield keras.config.set_dtype_policy(request.param)
    keras.config.set_dtype_policy("float32")


@pytest.mark.filterwarnings("ignore:.*computes in b?float16")
# The spacing of numbers in the forward pass, with room for a few roundings in a row.
@pytest.mark.parametrize(
    ("policy", "tolerance"),
    [
        ("mixed_float16", 8 * 2**-11),
        pytest.param("mixed_bfloat16", 8 * 2**-8, marks=pytest.mark.slow),
    ],
    indirect=["policy"],
)
def test_mixed_precision_keeps_penalty_and_tangents_in_float32(
    policy, tolerance, two_layers, rng, digits
):
    network = two_layers((6, 10, 3))
    encoder = network.keras_model()
    assert encoder.compute_dtype in ("float16", "bfloat16")
    x = rng.normal(size=(5, 6)).astype("float32")
    sigma = np.linalg.svd(network.jacobian(x), compute_uv=False)

    space = km.tangent_space(encoder, x)
    assert space.singular_values.dtype == "float32"
    np.testing.assert_allclose(
        space.singular_values, sigma, atol=tolerance * sigma.max(), rtol=0
    )
    vectors = space.vectors.reshape(5, 3, 6)
    gram = vectors @ vectors.swapaxes(1, 2)
    np.testing.assert_allclose(gram, np.broadcast_to(np.eye(3), gram.shape), atol=1e-5)
    for options in (
        {"probes": "exact"},
        {"probes": "exact", "chunk_size": 2},
        {"probes": 3, "probe_kind": "orthogonal"},
    ):
        values = km.ContractivePenalty(1.0, **options)(encoder, x)
        assert keras.backend.standardize_dtype(values.dtype) == "float32"
        np.testing.assert_allclose(
            ops.convert_to_numpy(values), (sigma**2).sum(1), rtol=2 * tolerance
        )

    model = compiled(regularised())
    history = model.fit(
        digits,
        epochs=3,
        verbose=0,
        callbacks=[km.TangentAnalyzer(digits[:2]), km.ReconstructionGrid(digits[:2])],
    ).history
    assert history["loss"][-1] < history["loss"][0]
    scaled = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled == (encoder.compute_dtype == "float16")
