"""Two trainings in two threads of one process, each with an analyzer of its own."""

import threading
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import keras_manifold as km


def linear_model(seed):
    """An autoencoder whose encoder's Jacobian is its transposed weights everywhere."""
    keras.utils.set_random_seed(seed)
    encoder, decoder = (
        keras.Sequential([keras.Input((size,)), keras.layers.Dense(other, use_bias=False)])
        for size, other in [(6, 2), (2, 6)]
    )
    model = km.AutoEncoder(encoder, decoder)
    model.compile(keras.optimizers.SGD(0.01 * (seed + 1)), loss="mse")
    return model


def threads_of_blas():
    return {lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"}


def in_a_thread(work, *arguments, **options):
    """Done by a thread that ends: one that lives may keep its hold on the number."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work, *arguments, **options).result()


@pytest.fixture
def _two_blas_threads():
    limit = in_a_thread(threadpool_limits, 2, user_api="blas")
    yield
    in_a_thread(limit.restore_original_limits)


@pytest.mark.usefixtures("_two_blas_threads")
def test_two_fits_in_two_threads_give_their_own_numbers_and_leave_blas_as_it_was(rng):
    x = rng.normal(size=(64, 6)).astype("float32")
    models = [linear_model(seed) for seed in range(2)]
    watches = [km.TangentAnalyzer(x[:3], k=2) for _ in models]
    threads_before = threads_of_blas()
    both_began = threading.Barrier(2, timeout=120)

    def train(model, watch):
        together = keras.callbacks.LambdaCallback(
            on_train_begin=lambda logs: both_began.wait()
        )
        model.fit(x, epochs=4, batch_size=16, verbose=0, callbacks=[together, watch])
        return model.encoder.get_weights()[0]

    with ThreadPoolExecutor(2) as pool:
        weights = list(pool.map(train, models, watches))

    assert threads_of_blas() == threads_before
    assert not np.allclose(*weights)
    for w, watch in zip(weights, watches):
        sigma = np.linalg.svd(w.astype("float64"), compute_uv=False)
        history = watch.history
        assert history["step"] == [0, 1, 2, 3, 4]
        # float32 passes of a network this small
        assert history["tangent_top"][-1] == pytest.approx(sigma[0], rel=1e-5)
        assert history["tangent_norm"][-1] == pytest.approx(np.linalg.norm(w), rel=1e-5)
        expected = np.square(sigma).sum() ** 2 / (sigma**4).sum()
        assert history["tangent_dimension"][-1] == pytest.approx(expected, rel=1e-5)
