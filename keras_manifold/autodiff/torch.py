import torch


def vjp(function, x):
    differentiate_again = torch.is_grad_enabled()
    with torch.enable_grad():
        x = x if x.requires_grad else x.detach().requires_grad_(True)
        outputs = function(x)

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
