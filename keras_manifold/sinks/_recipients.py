"""The sinks of one callback, during one `fit`."""

from collections.abc import Iterable
from typing import Any

from keras_manifold._storage.snapshots import Drawing, Snapshot
from keras_manifold.plot._rendering import png_of
from keras_manifold.sinks.directory import DirectorySink
from keras_manifold.sinks.protocol import Sink


class Recipients:
    """Sinks that get the same, in their order, until they are closed; none at first."""

    def __init__(self) -> None:
        self._sinks: list[Sink] = []

    def __len__(self):
        return len(self._sinks)

    def __contains__(self, sink):
        return any(sink is one for one in self._sinks)

    def open(self, sinks: Iterable[Sink]) -> None:
        """Takes sinks as they come; if one of them can't be made, closes those before."""
        try:
            for sink in sinks:
                self._sinks.append(sink)
        except BaseException:
            self.close()
            raise

    def begin(self, step: int) -> None:
        """Tells them at which step training begins; if one refuses, closes all."""
        try:
            self._tell("begin", step)
        except BaseException:
            self.close()
            raise

    def put(self, name: str, value: Any, step: int) -> None:
        """Hands one value to all."""
        for sink in self._sinks:
            sink(name, value, step)

    def put_all(self, snapshot: Snapshot) -> None:
        """Hands all values of a snapshot to all."""
        for name, value in snapshot.values():
            if isinstance(value, Drawing) and not self._may_draw:
                value = value()
                png_of(value)  # as it is now: somebody may do with it as he likes
            self.put(name, value, snapshot.step)

    def flush(self) -> None:
        """Tells them that a snapshot or an epoch is complete."""
        self._tell("flush")

    def close(self) -> None:
        """Tells them that training has ended, and hands them nothing more."""
        try:
            self._tell("close")
        finally:
            self._sinks = []

    @property
    def _may_draw(self):
        """Whether all of them draw figures themselves, beside the training."""
        return all(isinstance(sink, DirectorySink) for sink in self._sinks)

    def _tell(self, method, *arguments):
        for sink in self._sinks:
            if hasattr(sink, method):
                getattr(sink, method)(*arguments)
