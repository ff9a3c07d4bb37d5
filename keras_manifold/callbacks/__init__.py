"""Callbacks that show, while `fit` runs, what an autoencoder learns."""

from keras_manifold.callbacks.penalty_schedule import PenaltySchedule as PenaltySchedule
from keras_manifold.callbacks.reconstruction_grid import (
    ReconstructionGrid as ReconstructionGrid,
)
from keras_manifold.callbacks.tangent_analyzer import TangentAnalyzer as TangentAnalyzer

__all__ = ["PenaltySchedule", "ReconstructionGrid", "TangentAnalyzer"]
