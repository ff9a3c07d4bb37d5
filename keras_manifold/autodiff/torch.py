import contextlib
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode

COMPILES = False

# PyTorch has no derivative of the derivative of hard_sigmoid, which is one of two numbers.
_LIBRARY = torch.library.Library("aten", "IMPL")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # a kernel is replaced: the one that refuses
    _LIBRARY.impl(
        "hardsigmoid_backward",
        lambda upstream, x: torch.where((x > -3) & (x < 3), upstream / 6, 0.0),
        "Autograd",
    )


def jvp(function: Callable, x: Any, tangent: Any) -> tuple[Any, Any]:
    # Forward mode writes to both, which entries that share a place in memory don't allow.
    with torch.inference_mode(False), _plain_attention():
        x, tangent = _recorded(x.contiguous()), _recorded(tangent.contiguous())
        return torch.func.jvp(function, (x,), (tangent,))


# Entries that go into a convolution, on average and in all products, from which on tracing
# them is faster.
_CONVOLVED_TRACED = 2**20


def linearize(
    function: Callable, x: Any, products: int = 1
) -> tuple[Any, Callable[..., Any]]:
    push = pushforward(function, x, None, None)
    if products == 1 or not is_on_cpu(x) or torch.is_grad_enabled():
        return function(x), push
    recorded, outputs, is_traceable = _recorded_outputs(function, x)
    entries = [node._saved_input.numel() for node in _convolutions(recorded, outputs)]
    if entries and is_traceable and products * np.mean(entries) >= _CONVOLVED_TRACED:
        # What can't be traced is left to forward mode.
        with contextlib.suppress(Exception):
            return _traced(function, recorded.detach())
    return outputs.detach(), push


class _Mutations(TorchDispatchMode):
    """Sees whether an operation writes into its arguments."""

    seen = False

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.seen |= func._schema.is_mutable
        return func(*args, **kwargs or {})


def _recorded_outputs(function, x):
    """A point and its outputs as recorded, and whether the function may be traced.

    Of what writes into a tensor, the tracer keeps a part for each product, which then finds
    there what the product before has written.
    """
    with torch.inference_mode(False), torch.enable_grad(), _plain_attention():
        recorded = _recorded(x).detach().requires_grad_(True)
        with _Mutations() as mutations:
            outputs = function(recorded)
    return recorded, outputs, not mutations.seen


def _traced(function, x):
    """Forward mode computes each convolution three times in a product, this once."""
    with (
        torch.inference_mode(False),
        torch.no_grad(),
        _plain_attention(),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # of nodes that folding constants makes
        outputs, push = torch.func.linearize(function, x)

    def push_without_gradients(tangent):
        with torch.inference_mode(False), torch.no_grad():
            return push(_recorded(tangent))

    return outputs, push_without_gradients


def _recorded(tensor):
    # Within `torch.inference_mode` nothing is recorded, and all derivatives would be 0.
    return tensor.clone() if tensor.is_inference() else tensor


@torch.compiler.disable  # torch.compile can't differentiate twice
def vjp(function: Callable, x: Any) -> tuple[Any, Callable[..., Any]]:
    differentiate_again = torch.is_grad_enabled()
    with torch.inference_mode(False), torch.enable_grad(), _plain_attention():
        x = _recorded(x)
        x = x if x.requires_grad else x.detach().requires_grad_(True)
        outputs = function(x)

    @torch.compiler.disable
    def pullback(cotangent):
        if not outputs.requires_grad:
            return torch.zeros_like(x)
        with torch.inference_mode(False):
            (gradient,) = torch.autograd.grad(
                outputs,
                x,
                grad_outputs=_recorded(cotangent),
                retain_graph=True,
                create_graph=differentiate_again,
                materialize_grads=True,
            )
        return gradient

    return outputs, pullback


def pushforward(function: Callable, x: Any, outputs: Any, pullback: Any) -> Callable:
    # Two pullbacks in place of forward mode, which evaluates the function each time, take
    # longer: second derivatives of convolutions are slow.
    return lambda tangent: jvp(function, x, tangent)[1]


@torch.compiler.disable
def recomputed_map(function: Callable, x: Any, count: int) -> Any:
    if not torch.is_grad_enabled():
        return torch.stack([function(x, index) for index in range(count)])
    # Of one image, to see which weights it is made of.
    inputs = x.detach().requires_grad_(True)
    weights = [leaf for leaf in _leaves(function(inputs, 0)) if leaf is not inputs]
    return _Recomputed.apply(function, count, weights, x, *weights)


class _Recomputed(torch.autograd.Function):
    # torch.utils.checkpoint would compute a chunk again for each derivative inside it.

    @staticmethod
    def forward(ctx, function, count, weights, x, *_):
        ctx.function, ctx.count, ctx.weights = function, count, weights
        ctx.save_for_backward(x)
        return torch.stack([function(x, index) for index in range(count)])

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream):
        (x,) = ctx.saved_tensors
        sources = [x.detach().requires_grad_(True), *ctx.weights]
        totals = [torch.zeros_like(source) for source in sources]
        for index in range(ctx.count):
            with torch.enable_grad():
                image = ctx.function(sources[0], index)
            if not image.requires_grad:  # a constant, such as of frozen linear layers
                continue
            found = torch.autograd.grad(
                image, sources, upstream[index], materialize_grads=True
            )
            totals = [total + gradient for total, gradient in zip(totals, found)]
        return None, None, None, *totals


def _leaves(tensor):
    """The tensors that a tensor was computed from, and which came from nowhere."""
    return [node.variable for node in _nodes(tensor) if hasattr(node, "variable")]


def _nodes(tensor, since=None):
    """What a tensor was computed by, as recorded, since another one or from the start."""
    nodes = [tensor.grad_fn]
    seen = set() if since is None else {since.grad_fn}
    while nodes:
        node = nodes.pop()
        if node is not None and node not in seen:
            seen.add(node)
            yield node
            nodes += [following for following, _ in node.next_functions]


def most_groups(count: int, is_one_each: bool) -> int:
    return count


@torch.compiler.disable
def together(linear_map: Callable, vectors: Any) -> Any:
    # A pass of PyTorch's is bound by what Python does for each operation.
    with torch.inference_mode(False), warnings.catch_warnings():
        warnings.simplefilter("error")  # of a loop in place of what can't be vectorised
        return torch.func.vmap(linear_map)(_recorded(vectors))


# Entries that go into convolutions, from which on their derivatives take longer together
# than one by one on a CPU.
_CONVOLVED_TOGETHER = 2**17


def go_together(x: Any, outputs: Any) -> bool:
    if not is_on_cpu(x):
        return True
    entries = sum(node._saved_input.numel() for node in _convolutions(x, outputs))
    return entries < _CONVOLVED_TOGETHER


def _convolutions(x, outputs):
    """Those between a tensor and what was made of it."""
    nodes = _nodes(outputs, since=x)
    return [node for node in nodes if node.name().startswith("Convolution")]


@torch.compiler.disable
def bytes_held(function: Callable, x: Any, shape: tuple[int, ...]) -> int | None:
    held = {}

    def packed(tensor):
        if not tensor.is_leaf:
            held[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    with torch.inference_mode(False), torch.enable_grad(), _plain_attention():
        x = _recorded(x).detach().requires_grad_(True)
        with torch.autograd.graph.saved_tensors_hooks(packed, lambda tensor: tensor):
            outputs = function(x)
    sides = x.numel() * x.element_size() + outputs.numel() * outputs.element_size()
    return 2 * (sides + 2 * sum(held.values()))


def _plain_attention():
    # The fused kernels of attention have neither forward nor second derivatives.
    return sdpa_kernel(SDPBackend.MATH)


def check_second_derivatives(function: Callable, x: Any) -> None:
    with torch.inference_mode(False), torch.enable_grad():
        x = _recorded(x).detach().requires_grad_(True)
        outputs, pullback = vjp(function, x)
        cotangent = torch.ones_like(outputs).requires_grad_(True)
        pulled_back = pullback(cotangent)
        if pulled_back.requires_grad:
            torch.autograd.grad(pulled_back.sum(), [x, cotangent], allow_unused=True)


def records_gradients() -> bool:
    return torch.is_grad_enabled() and not torch.is_inference_mode_enabled()


def is_concrete(x: Any) -> bool:
    return not torch.compiler.is_compiling() and x.device.type != "meta"


def shapes_between(function: Callable, x: Any, outputs: Any) -> list[tuple]:
    nodes = _nodes(outputs, since=x)
    return [tuple(given.shape) for node in nodes for given in node._input_metadata]


def is_on_cpu(x: Any) -> bool:
    return x.device.type == "cpu"
