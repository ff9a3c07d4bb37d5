import warnings

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import checkpoint

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


def jvp(function, x, tangent):
    # Forward mode writes to both, which entries that share a place in memory don't allow.
    with torch.inference_mode(False), _plain_attention():
        x, tangent = _recorded(x.contiguous()), _recorded(tangent.contiguous())
        return torch.func.jvp(function, (x,), (tangent,))


def linearize(function, x):
    return function(x), pushforward(function, x, None, None)


def _recorded(tensor):
    # Within `torch.inference_mode` nothing is recorded, and all derivatives would be 0.
    return tensor.clone() if tensor.is_inference() else tensor


@torch.compiler.disable  # torch.compile can't differentiate twice
def vjp(function, x):
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


def pushforward(function, x, outputs, pullback):
    # Two pullbacks in place of forward mode, which evaluates the function each time, take
    # longer: second derivatives of convolutions are slow.
    return lambda tangent: jvp(function, x, tangent)[1]


@torch.compiler.disable
def recomputed_map(function, x, count):
    return torch.stack(
        [checkpoint(function, x, index, use_reentrant=False) for index in range(count)]
    )


def _plain_attention():
    # The fused kernels of attention have neither forward nor second derivatives.
    return sdpa_kernel(SDPBackend.MATH)


def check_second_derivatives(function, x):
    with torch.inference_mode(False), torch.enable_grad():
        x = _recorded(x).detach().requires_grad_(True)
        outputs, pullback = vjp(function, x)
        cotangent = torch.ones_like(outputs).requires_grad_(True)
        pulled_back = pullback(cotangent)
        if pulled_back.requires_grad:
            torch.autograd.grad(pulled_back.sum(), [x, cotangent], allow_unused=True)


def records_gradients():
    return torch.is_grad_enabled() and not torch.is_inference_mode_enabled()


def is_concrete(x):
    return not torch.compiler.is_compiling() and x.device.type != "meta"
