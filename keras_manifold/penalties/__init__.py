"""Penalties on derivatives, which `AutoEncoder` adds to its loss."""

from keras_manifold.penalties._protocol import Penalty as Penalty
from keras_manifold.penalties.contractive import ContractivePenalty as ContractivePenalty

__all__ = ["ContractivePenalty", "Penalty"]
