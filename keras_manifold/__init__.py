"""Train autoencoders in Keras, and see which manifold they learned."""

from keras_manifold import autodiff as autodiff
from keras_manifold import manifolds as manifolds
from keras_manifold import plot as plot
from keras_manifold import symmetries as symmetries
from keras_manifold.autoencoder import AutoEncoder as AutoEncoder
from keras_manifold.callbacks import PenaltySchedule as PenaltySchedule
from keras_manifold.callbacks import ReconstructionGrid as ReconstructionGrid
from keras_manifold.callbacks import TangentAnalyzer as TangentAnalyzer
from keras_manifold.contractive import ContractivePenalty as ContractivePenalty
from keras_manifold.dimension import denoiser_dimension as denoiser_dimension
from keras_manifold.dimension import local_dimension as local_dimension
from keras_manifold.jacobian import jacobian as jacobian
from keras_manifold.noise import NoiseInjection as NoiseInjection
from keras_manifold.report import report as report
from keras_manifold.tangent import TangentSpace as TangentSpace
from keras_manifold.tangent import captured_energy as captured_energy
from keras_manifold.tangent import principal_angles as principal_angles
from keras_manifold.tangent import tangent_space as tangent_space

__version__ = "0.1.0"

__all__ = [
    "AutoEncoder",
    "ContractivePenalty",
    "NoiseInjection",
    "PenaltySchedule",
    "ReconstructionGrid",
    "TangentAnalyzer",
    "TangentSpace",
    "autodiff",
    "captured_energy",
    "denoiser_dimension",
    "jacobian",
    "local_dimension",
    "manifolds",
    "plot",
    "principal_angles",
    "report",
    "symmetries",
    "tangent_space",
]
