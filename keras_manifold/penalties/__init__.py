"""Penalties on derivatives, which `AutoEncoder` adds to its loss."""

from keras_manifold.penalties.contractive import ContractivePenalty as ContractivePenalty
from keras_manifold.penalties.isometry import IsometryPenalty as IsometryPenalty
from keras_manifold.penalties.protocol import Penalty as Penalty

__all__ = ["ContractivePenalty", "IsometryPenalty", "Penalty"]
