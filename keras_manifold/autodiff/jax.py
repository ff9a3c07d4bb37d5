import jax

# More passes than these take too long to compile side by side.
_UNROLLED = 32


def jvp(function, x, tangent):
    return jax.jvp(function, (x,), (tangent,))


def vjp(function, x):
    outputs, pullback = jax.vjp(function, x)
    return outputs, lambda cotangent: pullback(cotangent)[0]


def mapped(function, xs):
    if len(xs) > _UNROLLED:
        return jax.lax.map(function, xs)
    return jax.numpy.stack([function(x) for x in xs])


def recomputed_map(function, x, count):
    function = jax.checkpoint(function)
    return jax.lax.map(lambda index: function(x, index), jax.numpy.arange(count))
