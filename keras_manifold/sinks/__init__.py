"""Where numbers, arrays and figures of a run go.

A sink is any callable `(name, value, step)`. A `value` is a number, a
`matplotlib.figure.Figure`, or a mapping from names to NumPy arrays; `step` counts the
epochs (or batches) that were trained before. It may have three methods more:

- `begin(step)`: before the first snapshot of a `fit`, with the step at which it begins;
- `flush()`: after each snapshot and each epoch;
- `close()`: at the end of training. If an exception ends it, at the start of the next.

What a sink of your own raises ends the training, as an error in any callback does. Those
below warn once where a disk fails, and let the training continue.
"""

from keras_manifold.sinks.directory import DirectorySink as DirectorySink
from keras_manifold.sinks.notebook import NotebookSink as NotebookSink
from keras_manifold.sinks.tensorboard import TensorBoardSink as TensorBoardSink

__all__ = ["DirectorySink", "NotebookSink", "TensorBoardSink"]
