"""Figures. Each function returns a matplotlib `Figure` and touches no global state."""

from keras_manifold.plot.denoisers import denoising_field as denoising_field
from keras_manifold.plot.denoisers import dimension_curve as dimension_curve
from keras_manifold.plot.directions import tangents as tangents
from keras_manifold.plot.directions import walk as walk
from keras_manifold.plot.images import are_images as are_images
from keras_manifold.plot.images import image_grid as image_grid
from keras_manifold.plot.latent import curves as curves
from keras_manifold.plot.latent import latent_map as latent_map
from keras_manifold.plot.lines import learning_curves as learning_curves
from keras_manifold.plot.lines import spectrum as spectrum

__all__ = [
    "are_images",
    "curves",
    "denoising_field",
    "dimension_curve",
    "image_grid",
    "latent_map",
    "learning_curves",
    "spectrum",
    "tangents",
    "walk",
]
