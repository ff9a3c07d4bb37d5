"""What must hold for a user's function before anything is computed with it."""

import inspect
import os
import warnings

import keras
import numpy as np
from keras import ops

from keras_manifold import autodiff
from keras_manifold._arguments import takes

# The process in which this package first computed, and Keras with it; on JAX, that which
# imported it, as JAX may have computed for others before.
_first_process: int | None = os.getpid() if keras.backend.backend() == "jax" else None


def check_process():
    """Refuses to compute in a forked copy of a process that has computed.

    The copy has none of the threads that compute, and may wait for them for ever. On JAX a
    copy of a process that has imported it is refused, as nothing tells whether it computed.
    """
    global _first_process
    process = os.getpid()
    if _first_process is None:
        _first_process = process
    if process != _first_process:
        raise RuntimeError(
            "A process must not be forked after it has computed with Keras, or imported "
            "JAX: the copy may wait for ever for threads that it lacks. Received: a call "
            f"in process {process}, forked from process {_first_process}. Start workers "
            "anew, as multiprocessing.get_context('spawn') does, and make models in them."
        )


def check_records_gradients():
    """Refuses to train where PyTorch records no gradients."""
    if not autodiff.records_gradients():
        raise RuntimeError(
            "A training must record gradients. Received: a call within torch.no_grad() or "
            "torch.inference_mode(). Call it outside."
        )


def check_eager():
    """Refuses to compute NumPy results where a function is compiled, or in a fork."""
    check_process()
    if not autodiff.is_concrete(ops.zeros(())):
        raise TypeError(
            "Jacobians, tangent spaces and the like are NumPy arrays, computed in compiled "
            "functions of their own. Received: a call within a function that is being "
            "compiled, such as jax.jit or tf.function. Call them outside, or use "
            "keras_manifold.autodiff inside."
        )


def check_has_derivative(name, function):
    """Refuses a model that turns its inputs into integers."""
    for tensor in getattr(function, "inputs", None) or ():
        if not keras.backend.is_float_dtype(tensor.dtype):
            raise ValueError(
                f"`{name}` must take floating-point inputs to have a derivative. "
                f"Received: a model with inputs of dtype {tensor.dtype}. Declare "
                "keras.Input(shape) without a dtype: integer images are cast."
            )


def check_input(name, function, sample):
    """Refuses functions of several inputs, and samples of another shape than declared."""
    _check_takes_one(name, function)
    inputs = _declared_inputs(function)
    if len(inputs) > 1:
        raise TypeError(
            f"`{name}` must take one tensor. Received: a model of {len(inputs)} inputs. "
            "Wrap it in a function of the one that the Jacobian is by."
        )
    for tensor in inputs:
        shape = tuple(tensor.shape[1:])
        if not _fits_beside_one(shape, sample.shape):
            raise ValueError(
                f"`{name}` takes inputs of shape {(None, *shape)}. Received: samples of "
                f"shape {sample.shape}. For a single sample pass x[None]."
            )


def _check_takes_one(name, function):
    called = function.call if isinstance(function, keras.Layer) else function
    if not takes(called, 1):
        raise TypeError(
            f"`{name}` must take one tensor, and nothing else. Received: a callable of the "
            f"arguments {inspect.signature(called)}. Wrap it in a function of one."
        )


def _declared_inputs(function):
    """Inputs that a model declares, or its encoder where they are of one shape."""
    inputs = getattr(function, "inputs", None)
    if not inputs:
        encoder = getattr(function, "encoder", None)
        shape = getattr(function, "input_shape", None)
        if shape is not None and shape == getattr(encoder, "input_shape", None):
            inputs = getattr(encoder, "inputs", None)
    return inputs or ()


def _fits_beside_one(expected, found):
    """Whether a sample fits, of which Keras adds or drops a last side of 1."""
    forms = [found, (*found, 1), *([found[:-1]] if found[-1:] == (1,) else [])]
    return any(_fits(expected, form) for form in forms)


def _fits(expected, found):
    """Whether a sample has the sides that a model declares, of which some are `None`."""
    return len(expected) == len(found) and all(
        side in (None, other) for side, other in zip(expected, found)
    )


def check_not_quantised(name, function):
    """Refuses layers that round their inputs: their outputs are steps."""
    for layer in _all_layers(function):
        mode = getattr(layer, "quantization_mode", None)
        rounds = mode is not None and (
            mode == "float8" or getattr(layer, "inputs_quantizer", None) is not None
        )
        if rounds:
            raise ValueError(
                f"`{name}` must be smooth to have a derivative. Received: the layer "
                f"{layer.name!r}, which is quantised ({mode}) and rounds its inputs. Take "
                "the model as it was before `quantize`."
            )


def _all_layers(function):
    if isinstance(function, keras.Layer):
        yield function
        for layer in getattr(function, "layers", ()):
            yield from _all_layers(layer)


def checked_output_shape(name, function, samples):
    """Shape of one output, once the function is seen to map each sample on its own.

    That is seen exactly, from derivatives: of the outputs of one sample by the others there
    must be none. Mixing that has no derivative shows in the values.

    Args:
        name: What the user calls the function.
        function: A `Map`.
        samples: A few, `(any, *input_shape)`.
    """
    batch = _with_companions(samples)
    outputs = function(ops.convert_to_tensor(batch))
    if isinstance(outputs, (list, tuple, dict)):
        raise TypeError(
            f"`{name}` must return one tensor. Received: a {type(outputs).__name__} of "
            f"{len(outputs)}. Wrap it in a function that returns the one to look at."
        )
    together = ops.convert_to_numpy(outputs)
    alone = ops.convert_to_numpy(function(ops.convert_to_tensor(batch[:1])))
    if alone.shape[:1] != (1,) or together.shape != (len(batch), *alone.shape[1:]):
        raise ValueError(
            f"`{name}` must return one output a sample, of shape (batch, *output_shape). "
            f"Received: shape {alone.shape} for one sample and {together.shape} for "
            f"{len(batch)}."
        )
    if alone.size == 0:
        raise ValueError(
            f"`{name}` must return at least one entry a sample. Received: outputs of shape "
            f"{(None, *alone.shape[1:])}."
        )
    if not keras.backend.is_float_dtype(alone.dtype.name):
        raise ValueError(
            f"`{name}` must return floating-point numbers to have a derivative. "
            f"Received: outputs of dtype {alone.dtype.name}."
        )
    with autodiff.missing_derivatives_named():
        linear = function.at(ops.convert_to_tensor(batch))
    _check_values(name, function, batch, alone, together, linear.outputs)
    _check_no_cross_talk(name, linear, alone.dtype.itemsize)
    if samples.dtype == "float64":
        warn_where_truncated(name, function, batch)
    return alone.shape[1:]


def check_derivatives_of_samples(name, function, samples, indices=None):
    """Refuses derivatives that are not finite; warns where all are 0, outputs differing.

    Args:
        name: What the user calls the function.
        function: A `Map`.
        samples: A few, `(n, *input_shape)`.
        indices: Of the samples in the user's data; `None` for 0 to n - 1.
    """
    linear = function.at(ops.convert_to_tensor(samples))
    outputs = ops.convert_to_numpy(linear.outputs)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=outputs.shape)
    pulled = linear.pull(ops.cast(signs, linear.outputs.dtype))
    pulled = ops.convert_to_numpy(pulled).astype("float64").reshape(len(samples), -1)
    check_finite_derivatives(name, pulled, indices=indices)
    if not pulled.any():
        warn_where_lost(function, outputs, np.ones(outputs[0].size, bool))


def check_finite_derivatives(name, derivatives, indices=None):
    """Refuses derivatives, `(n, any)`, that are NaN or infinite at a sample.

    Args:
        name: What the user calls the function.
        derivatives: At each sample.
        indices: Of the samples in the user's data; `None` for 0 to n - 1.
    """
    finite = np.isfinite(derivatives).all(axis=1)
    if not finite.all():
        bad = np.flatnonzero(~finite)
        if indices is None:
            where = f"at sample {bad[0]} and at {len(bad) - 1} others beside it"
        else:
            where = f"at sample {np.min(indices[bad])}, of {len(finite)} looked at"
        raise FloatingPointError(
            f"`{name}` must have a finite derivative at each sample. Received: NaN or "
            f"infinite entries {where}. Roots, norms and logarithms have none at 0, as of "
            "a silent clip or a black image: add a small number inside them, as in "
            "sqrt(x + 1e-6). Or weights have overflowed: look at the loss."
        )


def _with_companions(samples):
    """Five samples: those at hand in turn, or others of about the size of a single one."""
    if len(samples) > 1:  # others could be outside of what an Embedding takes
        return samples[np.arange(_COMPANIONS) % len(samples)]
    step = max(1.0, 0.1 * float(np.abs(samples).max(initial=0.0)))
    moved = [samples + samples.dtype.type(step * i) for i in range(_COMPANIONS)]
    return np.concatenate(moved)


def _check_values(name, function, batch, alone, together, again):
    tolerance = _VALUES if alone.dtype.itemsize > 2 else _VALUES_OF_HALF_PRECISION

    def change(one, other):
        with np.errstate(
            invalid="ignore"
        ):  # inf - inf; what is not finite is refused later
            change = np.abs(one.astype("float64") - other).max(initial=0.0)
        largest = np.abs(together.astype("float64")).max(initial=0.0)
        return change if change > tolerance * largest else 0.0

    found = change(together, ops.convert_to_numpy(again))
    if found:
        raise ValueError(
            f"`{name}` must map each sample on its own, in the same way at each call, but "
            f"its outputs change by {found:.2g} from one call to the next. {_ADVICE}"
        )
    largest = int(np.argmax(np.abs(together).reshape(len(batch), -1).max(axis=1)))
    for index in sorted({0, largest}):
        if index:
            one = ops.convert_to_tensor(batch[index : index + 1])
            alone = ops.convert_to_numpy(function(one))
        found = change(alone[0], together[index])
        if found:
            raise ValueError(
                f"`{name}` must map each sample on its own, but sample {index} changes by "
                f"{found:.2g} when it is evaluated beside another. {_ADVICE}"
            )


def _check_no_cross_talk(name, linear, itemsize):
    """Refuses outputs of one sample that have a derivative by another."""
    count = len(linear.inputs)
    rng = np.random.default_rng(0)
    signs = rng.choice([-1.0, 1.0], size=tuple(linear.outputs.shape[1:]))
    sizes = np.zeros((count, count))
    for index in range(count):
        cotangent = np.zeros(tuple(linear.outputs.shape))
        cotangent[index] = signs
        with autodiff.missing_derivatives_named():
            pulled = linear.pull(ops.cast(cotangent, linear.outputs.dtype))
        pulled = ops.convert_to_numpy(pulled).astype("float64").reshape(count, -1)
        pulled = np.where(np.isfinite(pulled), pulled, 0.0)
        sizes[index] = np.abs(pulled).max(axis=1, initial=0.0)
    own = np.diag(sizes).max()
    others = sizes - np.diag(np.diag(sizes))
    tolerance = _CROSS_TALK if itemsize > 2 else _CROSS_TALK_OF_HALF_PRECISION
    if others.max() > tolerance * max(own, others.max()):
        mixed, other = np.unravel_index(np.argmax(others), others.shape)
        raise ValueError(
            f"`{name}` must map each sample on its own, but sample {mixed} changes by "
            f"{others.max():.2g} when it is evaluated beside another, sample {other}, that "
            f"moves by 1. {_ADVICE}"
        )


# Samples of which a check makes sure: what mixes three or four shows too.
_COMPANIONS = 5

# Changes of outputs relative to the largest, and of derivatives, that rounding may cause.
_VALUES, _VALUES_OF_HALF_PRECISION = 3e-3, 3e-2
_CROSS_TALK, _CROSS_TALK_OF_HALF_PRECISION = 1e-6, 1e-3

_ADVICE = (
    "Layers that take statistics of the batch or draw random numbers do this, such as "
    "BatchNormalization in training mode: call yours with training=False, as is done with "
    "a Keras model."
)


def warn_where_lost(function, outputs, are_zero):
    """Warns where a derivative is 0 at every sample, although the outputs differ.

    Args:
        function: The `Map`.
        outputs: At several samples, `(n, *output_shape)`.
        are_zero: Of which outputs the derivative is exactly 0 everywhere, `(size,)`.
    """
    outputs = outputs.reshape(len(outputs), -1)[:, are_zero]
    count = int((outputs != outputs[:1]).any(axis=0).sum())
    if count:
        warnings.warn(
            f"The derivative of `{'` and `'.join(function.names)}` is exactly 0 at every "
            f"sample in {count} of {len(are_zero)} outputs, although these differ from "
            "sample to sample. Rounding, casts to whole numbers and Embedding layers lose "
            "derivatives; activations that saturate at every sample do the same.",
            stacklevel=3,
        )


def warn_where_not_finite(values, *, stacklevel):
    """Warns where what was made of a model's outputs is not finite.

    Args:
        values: Of each sample, `(n, *any)`.
        stacklevel: As for `warnings.warn`, from where this is called.
    """
    bad = ~np.isfinite(values).reshape(len(values), -1).all(axis=1)
    if bad.any():
        warnings.warn(
            f"The result is NaN or infinite at {bad.sum()} of {len(values)} samples: "
            "outputs of the model are NaN, infinite or too large there. Look at its "
            "weights and its loss.",
            stacklevel=stacklevel + 1,
        )


def warn_where_half(name, function):
    """Warns where a layer computes in half precision."""
    for layer in _all_layers(function):
        dtype = getattr(layer, "compute_dtype", None)
        if dtype in ("float16", "bfloat16"):
            warnings.warn(
                f"`{name}` computes in {dtype}, by its layer {layer.name!r}: derivatives, "
                "and all that is made of them, are as accurate as that, about "
                f"{'1e-3' if dtype == 'float16' else '1e-2'} of the largest. For more, "
                "load its weights into a model that is made in float32.",
                stacklevel=2,
            )
            return


def warn_where_truncated(name, function, samples):
    """Warns where `floatx` is float64 and the function computes in less."""
    x = ops.convert_to_tensor(samples)
    step = 1e-9 * (1 + np.abs(samples))
    linear = function.at(x)
    outputs = [
        ops.convert_to_numpy(value)
        for value in (linear.outputs, function(ops.convert_to_tensor(samples + step)))
    ]
    ones = ops.ones_like(linear.outputs)
    expected = np.sum(ops.convert_to_numpy(linear.pull(ones)) * step)
    changes = outputs[1].astype("float64") - outputs[0]
    is_float64 = {x.dtype, *(value.dtype for value in outputs)}
    is_float64 = {keras.backend.standardize_dtype(dtype) for dtype in is_float64}
    far = abs(changes.sum() - expected) > 0.05 * (np.abs(changes).sum() + abs(expected))
    if is_float64 != {"float64"} or far:
        warnings.warn(
            f"floatx is float64, but `{name}` computes in less on "
            f"{keras.backend.backend()}: results are as accurate as float32. Layers keep "
            "the dtype that they were made with; JAX needs JAX_ENABLE_X64=1 in the "
            "environment.",
            stacklevel=2,
        )
