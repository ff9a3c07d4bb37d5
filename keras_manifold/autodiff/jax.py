import jax


def jvp(function, x, tangent):
    return jax.jvp(function, (x,), (tangent,))


def vjp(function, x):
    outputs, pullback = jax.vjp(function, x)
    return outputs, lambda cotangent: pullback(cotangent)[0]
