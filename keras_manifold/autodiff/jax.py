from collections.abc import Callable
from typing import Any

import jax


def jvp(function: Callable, x: Any, tangent: Any) -> tuple[Any, Any]:
    return jax.jvp(function, (x,), (tangent,))


def linearize(
    function: Callable, x: Any, products: int = 1
) -> tuple[Any, Callable[..., Any]]:
    return jax.linearize(function, x)


def vjp(function: Callable, x: Any) -> tuple[Any, Callable[..., Any]]:
    outputs, pullback = jax.vjp(function, x)
    return outputs, lambda cotangent: pullback(cotangent)[0]


def pushforward(function: Callable, x: Any, outputs: Any, pullback: Any) -> Callable:
    # A compiled function takes this forward pass and that of the pullback for one.
    return jax.linearize(function, x)[1]


def recomputed_map(function: Callable, x: Any, count: int) -> Any:
    function = jax.checkpoint(function)
    return jax.lax.map(lambda index: function(x, index), jax.numpy.arange(count))


def most_groups(count: int, is_one_each: bool) -> int:
    return 64  # of dense layers they compile in a second, of convolutions in five


def together(linear_map: Callable, vectors: Any) -> Any:
    return jax.vmap(linear_map)(vectors)


def go_together(x: Any, outputs: Any) -> bool:
    return True


def bytes_held(function: Callable, x: Any, shape: tuple[int, ...]) -> int | None:
    x = jax.ShapeDtypeStruct(shape, x.dtype)
    equations = _equations(jax.make_jaxpr(function)(x).jaxpr)
    if any(equation.primitive.name in _LOOPS for equation in equations):
        return None  # how often is not said
    results = [variable for equation in equations for variable in equation.outvars]
    return 2 * x.dtype.itemsize * (x.size + sum(result.aval.size for result in results))


def shapes_between(function: Callable, x: Any, outputs: Any) -> list[tuple]:
    equations = _equations(jax.make_jaxpr(function)(x).jaxpr)
    return [v.aval.shape for equation in equations for v in equation.outvars]


_LOOPS = ("scan", "while")


def _equations(jaxpr):
    """Those of a computation, and of those that it calls; a loop is one."""
    equations = []
    for equation in jaxpr.eqns:
        inner = [equation.params.get(name) for name in ("jaxpr", "call_jaxpr")]
        called = next((found for found in inner if found is not None), None)
        if called is None or equation.primitive.name in _LOOPS:
            equations.append(equation)
        else:
            equations += _equations(getattr(called, "jaxpr", called))
    return equations


def check_second_derivatives(function: Callable, x: Any) -> None:
    def pulled_back(x):
        outputs, pullback = jax.vjp(function, x)
        return jax.numpy.sum(pullback(jax.numpy.ones_like(outputs))[0])

    jax.eval_shape(jax.grad(pulled_back), x)  # the rules are asked for, nothing is computed


def is_concrete(x: Any) -> bool:
    return not isinstance(x, jax.core.Tracer) and not isinstance(
        jax.numpy.zeros(()), jax.core.Tracer
    )


def is_on_cpu(x: Any) -> bool:
    return jax.default_backend() == "cpu"
