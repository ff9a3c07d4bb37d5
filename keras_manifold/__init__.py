"""Train autoencoders in Keras, and see which manifold they learned."""

from keras_manifold import _installed as _installed  # isort: split

from keras_manifold import architectures as architectures
from keras_manifold import autodiff as autodiff
from keras_manifold import callbacks as callbacks
from keras_manifold import manifolds as manifolds
from keras_manifold import penalties as penalties
from keras_manifold import plot as plot
from keras_manifold import sinks as sinks
from keras_manifold import symmetries as symmetries
from keras_manifold.autoencoder import AutoEncoder as AutoEncoder
from keras_manifold.callbacks import NoiseSchedule as NoiseSchedule
from keras_manifold.callbacks import PenaltySchedule as PenaltySchedule
from keras_manifold.callbacks import ReconstructionGrid as ReconstructionGrid
from keras_manifold.callbacks import SampleGrid as SampleGrid
from keras_manifold.callbacks import TangentAnalyzer as TangentAnalyzer
from keras_manifold.curves import Curves as Curves
from keras_manifold.curves import curve_lengths as curve_lengths
from keras_manifold.curves import exponential as exponential
from keras_manifold.curves import geodesics as geodesics
from keras_manifold.denoising import score as score
from keras_manifold.dimension import DimensionCurve as DimensionCurve
from keras_manifold.dimension import denoiser_dimension as denoiser_dimension
from keras_manifold.dimension import dimension_curve as dimension_curve
from keras_manifold.dimension import local_dimension as local_dimension
from keras_manifold.jacobians import forget_compiled as forget_compiled
from keras_manifold.jacobians import jacobian as jacobian
from keras_manifold.metric import log_volume as log_volume
from keras_manifold.metric import pullback_metric as pullback_metric
from keras_manifold.noise import NoiseInjection as NoiseInjection
from keras_manifold.pages import report as report
from keras_manifold.penalties import ContractivePenalty as ContractivePenalty
from keras_manifold.penalties import IsometryPenalty as IsometryPenalty
from keras_manifold.preservation import neighbor_preservation as neighbor_preservation
from keras_manifold.projection import project as project
from keras_manifold.sampling import sample as sample
from keras_manifold.shortest_paths import distances as distances
from keras_manifold.subspaces import captured_energy as captured_energy
from keras_manifold.subspaces import principal_angles as principal_angles
from keras_manifold.tangent import TangentSpace as TangentSpace
from keras_manifold.tangent import tangent_space as tangent_space

__version__ = "0.1.0"

__all__ = [
    "AutoEncoder",
    "ContractivePenalty",
    "Curves",
    "DimensionCurve",
    "IsometryPenalty",
    "NoiseInjection",
    "NoiseSchedule",
    "PenaltySchedule",
    "ReconstructionGrid",
    "SampleGrid",
    "TangentAnalyzer",
    "TangentSpace",
    "architectures",
    "autodiff",
    "callbacks",
    "captured_energy",
    "curve_lengths",
    "denoiser_dimension",
    "dimension_curve",
    "distances",
    "exponential",
    "forget_compiled",
    "geodesics",
    "jacobian",
    "local_dimension",
    "log_volume",
    "manifolds",
    "neighbor_preservation",
    "penalties",
    "plot",
    "principal_angles",
    "project",
    "pullback_metric",
    "report",
    "sample",
    "score",
    "sinks",
    "symmetries",
    "tangent_space",
]


def __getattr__(name: str) -> object:
    if name.lower() == "autoencoder":
        raise AttributeError(
            f"module 'keras_manifold' has no attribute {name!r}. Did you mean: "
            "'AutoEncoder'?"
        )
    raise AttributeError(f"module 'keras_manifold' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])
