"""Where numbers, arrays and figures of a run go.

A sink is any callable `(name, value, step)`: see [`Sink`][keras_manifold.sinks.Sink], and
[`RunSink`][keras_manifold.sinks.RunSink] for one that is told when a `fit` begins and ends.
What a sink of your own raises ends the training, as an error in any callback does. Those
below warn once where a disk fails, and let the training continue.
"""

from keras_manifold.sinks.directory import DirectorySink as DirectorySink
from keras_manifold.sinks.notebook import NotebookSink as NotebookSink
from keras_manifold.sinks.protocol import RunSink as RunSink
from keras_manifold.sinks.protocol import Sink as Sink
from keras_manifold.sinks.tensorboard import TensorBoardSink as TensorBoardSink

__all__ = ["DirectorySink", "NotebookSink", "RunSink", "Sink", "TensorBoardSink"]
