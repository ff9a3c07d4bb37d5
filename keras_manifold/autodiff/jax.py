import jax


def vjp(function, x):
    outputs, pullback = jax.vjp(function, x)
    return outputs, lambda cotangent: pullback(cotangent)[0]
