"""Pages that show runs: one self-contained HTML file, while `fit` runs and after it."""

from keras_manifold.pages._reports import report as report

__all__ = ["report"]
