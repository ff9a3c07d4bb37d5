import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import checkpoint


def jvp(function, x, tangent):
    # Forward mode writes to both, which entries that share a place in memory don't allow.
    x, tangent = x.contiguous(), tangent.contiguous()
    with _plain_attention():
        return torch.func.jvp(function, (x,), (tangent,))


def linearize(function, x):
    return function(x), pushforward(function, x, None, None)


@torch.compiler.disable  # torch.compile can't differentiate twice
def vjp(function, x):
    differentiate_again = torch.is_grad_enabled()
    with torch.enable_grad(), _plain_attention():
        x = x if x.requires_grad else x.detach().requires_grad_(True)
        outputs = function(x)

    @torch.compiler.disable
    def pullback(cotangent):
        if not outputs.requires_grad:
            return torch.zeros_like(x)
        (gradient,) = torch.autograd.grad(
            outputs,
            x,
            grad_outputs=cotangent,
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
