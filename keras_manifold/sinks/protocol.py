"""What a sink has to be."""

from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Sink(Protocol):
    """Any callable that takes what a callback saw: a function will do.

    It is called in the process that trains, between two batches, with

    - a `float`, for each number of the callback and in Keras's `logs`;
    - a `matplotlib.figure.Figure`, for each figure;
    - a mapping from names to NumPy arrays, for all arrays of one snapshot.

    What it raises ends the training, as an error in any callback does. A sink that wants to
    know when a `fit` begins and ends has some of the methods of
    [`RunSink`][keras_manifold.sinks.RunSink] as well.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> largest = {}
        >>> def keep_largest(name, value, step):
        ...     if isinstance(value, float):
        ...         largest[name] = max(value, largest.get(name, value))
        >>> isinstance(keep_largest, km.sinks.Sink)
        True
        >>> x = np.random.default_rng(0).uniform(size=(64, 8, 8, 1)).astype("float32")
        >>> model = km.AutoEncoder.dense((8, 8, 1), latent_dim=2)
        >>> model.compile("adam", loss="mse")
        >>> watch = km.ReconstructionGrid(x[:4], sinks=[keep_largest])
        >>> history = model.fit(x, epochs=2, callbacks=[watch], verbose=0)
        >>> sorted(largest)
        ['loss', 'reconstruction_loss', 'reconstruction_mse']
    """

    def __call__(self, name: str, value: Any, step: int, /) -> Any:
        """Takes one value.

        Args:
            name: Begins with the callback's `prefix`; a number in `logs` keeps its name,
                but that `step` and `epoch` become `logs_step` and `logs_epoch`.
            value: A number, a figure or a mapping.
            step: Epochs (or batches, with `unit="batch"`) that were trained before.
        """
        ...


@runtime_checkable
class RunSink(Sink, Protocol):
    """A sink that is told when a `fit` begins, continues and ends.

    Callbacks call each of the three methods that a sink has: one or two may be missing.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> class Count:
        ...     def begin(self, step):
        ...         self.numbers = 0
        ...     def __call__(self, name, value, step):
        ...         self.numbers += isinstance(value, float)
        ...     def flush(self):
        ...         print(self.numbers, "numbers so far")
        ...     def close(self):
        ...         print("the end")
        >>> isinstance(Count(), km.sinks.RunSink)
        True
        >>> x = np.random.default_rng(0).uniform(size=(64, 8, 8, 1)).astype("float32")
        >>> model = km.AutoEncoder.dense((8, 8, 1), latent_dim=2)
        >>> model.compile("adam", loss="mse")
        >>> watch = km.ReconstructionGrid(x[:4], sinks=[Count()])
        >>> history = model.fit(x, epochs=1, callbacks=[watch], verbose=0)
        1 numbers so far
        4 numbers so far
        the end
    """

    def begin(self, step: int) -> Any:
        """Called before the first snapshot of a `fit`.

        Args:
            step: The step at which training begins; above 0, it resumes.
        """
        ...

    def flush(self) -> Any:
        """Called after each snapshot and each epoch."""
        ...

    def close(self) -> Any:
        """Called at the end of training; if an exception ends it, at the start of the next.

        Also if `begin`, of this sink or of another, has raised.
        """
        ...
