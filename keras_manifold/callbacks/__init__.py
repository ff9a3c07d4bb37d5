"""Callbacks that show, while `fit` runs, what an autoencoder learns."""

from keras_manifold.callbacks.noise_schedule import NoiseSchedule as NoiseSchedule
from keras_manifold.callbacks.penalty_schedule import PenaltySchedule as PenaltySchedule
from keras_manifold.callbacks.reconstruction_grid import (
    ReconstructionGrid as ReconstructionGrid,
)
from keras_manifold.callbacks.sample_grid import SampleGrid as SampleGrid
from keras_manifold.callbacks.tangent_analyzer import TangentAnalyzer as TangentAnalyzer
from keras_manifold.sinks import DirectorySink as DirectorySink
from keras_manifold.sinks import NotebookSink as NotebookSink
from keras_manifold.sinks import TensorBoardSink as TensorBoardSink

__all__ = [
    "DirectorySink",
    "NoiseSchedule",
    "NotebookSink",
    "PenaltySchedule",
    "ReconstructionGrid",
    "SampleGrid",
    "TangentAnalyzer",
    "TensorBoardSink",
]
