"""Ctrl-C while a Keras model predicts."""

import contextlib
import signal
import threading
from collections.abc import Iterator

import keras


@contextlib.contextmanager
def interrupts_deferred() -> Iterator[None]:
    """In which Ctrl-C waits for the end, on JAX.

    There a prediction takes the memory of all variables, and gives it back in new ones
    after its computation, which nothing interrupts; a `KeyboardInterrupt` between the two
    would leave a model without values.
    """
    handler = signal.getsignal(signal.SIGINT)
    is_main = threading.current_thread() is threading.main_thread()
    if keras.backend.backend() != "jax" or not is_main or not callable(handler):
        yield
        return
    received: list[tuple] = []
    signal.signal(signal.SIGINT, lambda *arguments: received.append(arguments))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if received:
            handler(*received[0])
