import contextlib
import signal
import threading

import keras
import numpy as np
import pytest
from keras import ops

import keras_manifold as km
from keras_manifold._map.interrupts import interrupts_deferred

X = np.random.default_rng(0).normal(size=(4, 6)).astype("float32")


@pytest.fixture(autouse=True)
def _ctrl_c_raises():
    # A process in the background ignores it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt():
    signal.raise_signal(signal.SIGINT)


def test_an_interrupt_comes_at_the_end_on_jax():
    before, done = signal.getsignal(signal.SIGINT), []

    def work():
        with interrupts_deferred():
            interrupt()
            done.append(True)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert bool(done) == (keras.backend.backend() == "jax")
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_leaves_the_model_its_weights():
    layers = [keras.layers.Dense(3), keras.layers.BatchNormalization()]
    model = keras.Sequential([keras.Input((6,)), *layers])
    interrupting = []

    class Interrupting(keras.Layer):
        def call(self, x):
            if interrupting:
                interrupt()
            return x

    model.add(Interrupting())
    before = km.jacobian(model, X)
    interrupting.append(True)
    km.forget_compiled(model)
    with pytest.raises(KeyboardInterrupt):
        km.jacobian(model, X)
    interrupting.clear()
    np.testing.assert_allclose(km.jacobian(model, X), before)
    model.predict(X, verbose=0)


def test_interrupts_while_jacobians_are_computed_leave_the_model_usable():
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
    before = km.jacobian(model, X)

    for delay in (0.0005, 0.001, 0.002, 0.004, 0.008):
        timer = threading.Timer(delay, interrupt)
        # An interrupt may be lost in what ignores all errors, such as a destructor.
        with contextlib.suppress(KeyboardInterrupt):
            timer.start()
            while timer.is_alive():
                km.jacobian(model, X)
            timer.join()
        np.testing.assert_allclose(km.jacobian(model, X), before)
        ops.convert_to_numpy(model.weights[0].value)


def test_other_threads_are_not_concerned():
    found, handler = [], signal.getsignal(signal.SIGINT)

    def work():
        with interrupts_deferred():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [handler]
