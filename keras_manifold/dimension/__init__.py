"""Local dimension of a manifold, from singular values and from denoisers."""

from keras_manifold.dimension.curve import DimensionCurve as DimensionCurve
from keras_manifold.dimension.curve import dimension_curve as dimension_curve
from keras_manifold.dimension.denoiser import denoiser_dimension as denoiser_dimension
from keras_manifold.dimension.spectrum import local_dimension as local_dimension

__all__ = ["DimensionCurve", "denoiser_dimension", "dimension_curve", "local_dimension"]
