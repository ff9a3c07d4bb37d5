"""Derivatives that TensorFlow does not have: registered when this module is imported.

Resizing is a linear map of the image, so that the gradient of its gradient is the resize
itself; softsign has a closed form; a variance depends on its mean. With these, functions
that hold such operations have both products with their Jacobian, and penalties train. First
derivatives of TensorFlow's own stay what they are.
"""

import contextlib
import importlib
from typing import Any

import tensorflow as tf

raw = tf.raw_ops


def _no_others(gradient, op):
    """The gradient by the first input, and none by those that say where and how."""
    return [gradient, *(None for _ in op.inputs[1:])]


def _size(images):
    """Height and width; as numbers where they are known, so that shapes stay known."""
    static = images.shape[1:3]
    return static.as_list() if static.is_fully_defined() else tf.shape(images)[1:3]


def _bilinear(op, upstream):
    # TensorFlow calls the transposed resize not differentiable, and a second derivative
    # through it is 0 without a word.
    images = op.inputs[0]
    settings = {name: op.get_attr(name) for name in ("align_corners", "half_pixel_centers")}

    @tf.custom_gradient
    def transposed(of_outputs):
        def again(of_images):
            return raw.ResizeBilinear(images=of_images, size=_size(of_outputs), **settings)

        return raw.ResizeBilinearGrad(
            grads=of_outputs, original_image=images, **settings
        ), again

    return _no_others(transposed(upstream), op)


def _bicubic(op, upstream):
    resized = raw.ResizeBicubic(
        images=upstream,
        size=_size(op.inputs[0]),
        align_corners=op.get_attr("align_corners"),
        half_pixel_centers=op.get_attr("half_pixel_centers"),
    )
    return _no_others(tf.cast(resized, op.inputs[0].dtype), op)


def _nearest(op, upstream):
    resized = raw.ResizeNearestNeighbor(
        images=upstream,
        size=_size(op.inputs[0]),
        align_corners=op.get_attr("align_corners"),
        half_pixel_centers=op.get_attr("half_pixel_centers"),
    )
    return _no_others(resized, op)


def _scaled(op, upstream):
    resized = raw.ScaleAndTranslate(
        images=upstream,
        size=_size(op.inputs[0]),
        scale=op.inputs[2],
        translation=op.inputs[3],
        kernel_type=op.get_attr("kernel_type"),
        antialias=op.get_attr("antialias"),
    )
    return _no_others(tf.cast(resized, op.inputs[0].dtype), op)


def _cropped(op, upstream):
    resized = raw.CropAndResize(
        image=upstream,
        boxes=op.inputs[1],
        box_ind=op.inputs[2],
        crop_size=_size(op.inputs[0]),
        method=op.get_attr("method"),
    )
    return _no_others(resized, op)


def _area(op, upstream):
    # Each axis on its own is a matrix: what unit vectors, as channels, become.
    images, size = op.inputs
    align_corners = op.get_attr("align_corners")

    def matrix(side, resized_side):
        unit_vectors = tf.eye(side)[None, :, None, :]
        resized = raw.ResizeArea(
            images=unit_vectors, size=[resized_side, 1], align_corners=align_corners
        )
        return resized[0, :, 0, :]

    sides = _size(images)
    of_rows = matrix(sides[0], size[0])
    of_columns = matrix(sides[1], size[1])
    gradient = tf.einsum("ih,jw,bijc->bhwc", of_rows, of_columns, upstream)
    gradient = tf.ensure_shape(gradient, images.shape)
    return _no_others(tf.cast(gradient, images.dtype), op)


def _softsign(op, upstream):
    of_outputs, features = op.inputs
    factor = 1 / (1 + tf.abs(features))
    slope = tf.square(factor)
    return [
        upstream * slope,
        -2 * upstream * of_outputs * tf.sign(features) * slope * factor,
    ]


def _squared_difference(op, upstream):
    # tf.nn.moments, and so layer normalisation, stops the gradient of the mean in
    # mean((x - mean)^2). First derivatives lose nothing by it, second ones do. What is
    # added is 0, and its derivative is what was lost.
    of_x, of_mean = _FIRST["SquaredDifference"](op, upstream)
    x, stopped = op.inputs
    mean = _mean_of(x, stopped)
    if of_x is None or mean is None:
        return of_x, of_mean
    return of_x + 2 * upstream * (stopped - mean), of_mean


def _mean_of(x, stopped):
    """The mean of `x` that was stopped, if it is one, as a function of `x`."""
    if tf.executing_eagerly() and hasattr(stopped, "numpy"):
        axes = [i for i, side in enumerate(stopped.shape) if side == 1 != x.shape[i]]
        if len(stopped.shape) != len(x.shape) or not axes:
            return None
        mean = tf.reduce_mean(x, axes, keepdims=True)
        return mean if bool(tf.reduce_all(mean == stopped)) else None
    stop = stopped.op
    mean = stop.inputs[0] if stop.type == "StopGradient" else None
    is_of_x = mean is not None and mean.op.type == "Mean" and mean.op.inputs[0] is x
    return mean if is_of_x else None


_FIRST: dict[str, Any] = {}  # gradients of TensorFlow's own that ours begin with


def _register(name, gradient):
    with contextlib.suppress(KeyError):  # as somebody has done this before us
        tf.RegisterGradient(name)(gradient)


def _replace(name, gradient):
    # There is no public way. Where there is none at all, second derivatives stay what they
    # were, and the check of a function before its first use finds that.
    framework = importlib.import_module(tf.RegisterGradient.__module__)
    registry = getattr(getattr(framework, "gradient_registry", None), "_registry", {})
    if "type" in registry.get(name, {}):
        _FIRST[name] = registry[name]["type"]
        registry[name]["type"] = gradient


for _name, _gradient in {
    "CropAndResizeGradImage": _cropped,
    "ResizeArea": _area,
    "ResizeBicubicGrad": _bicubic,
    "ResizeNearestNeighborGrad": _nearest,
    "ScaleAndTranslateGrad": _scaled,
    "SoftsignGrad": _softsign,
}.items():
    _register(_name, _gradient)
_replace("ResizeBilinear", _bilinear)
_replace("SquaredDifference", _squared_difference)
