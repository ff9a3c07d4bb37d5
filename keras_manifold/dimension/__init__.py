"""Local dimension of a manifold, from singular values and from a denoiser."""

from keras_manifold.dimension.denoiser import denoiser_dimension as denoiser_dimension
from keras_manifold.dimension.spectrum import local_dimension as local_dimension

__all__ = ["denoiser_dimension", "local_dimension"]
