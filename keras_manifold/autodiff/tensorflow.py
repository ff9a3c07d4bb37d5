from collections.abc import Callable
from typing import Any

import tensorflow as tf

from keras_manifold.autodiff import _tensorflow_gradients as _tensorflow_gradients


def jvp(function: Callable, x: Any, tangent: Any) -> tuple[Any, Any]:
    outputs, push = linearize(function, x)
    return outputs, push(tangent)


def linearize(
    function: Callable, x: Any, products: int = 1
) -> tuple[Any, Callable[..., Any]]:
    outputs, pullback = vjp(function, x)
    return outputs, pushforward(function, x, outputs, pullback)


def pushforward(function: Callable, x: Any, outputs: Any, pullback: Any) -> Callable:
    # The pullback is linear in the cotangent u, and the derivative of <v, J'u> by u is Jv.
    # tf.autodiff.ForwardAccumulator is slower, and takes no loops such as those of RNNs.
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        cotangent = tf.zeros_like(outputs)
        tape.watch(cotangent)
        pulled_back = pullback(cotangent)

    def push(tangent):
        return tape.gradient(
            pulled_back,
            cotangent,
            output_gradients=tf.convert_to_tensor(tangent, pulled_back.dtype),
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )

    return push


def vjp(function: Callable, x: Any) -> tuple[Any, Callable[..., Any]]:
    x = tf.convert_to_tensor(x)
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(x)
        outputs = function(x)

    def pullback(cotangent):
        return tape.gradient(
            outputs,
            x,
            output_gradients=cotangent,
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )

    return outputs, pullback


def recomputed_map(function: Callable, x: Any, count: int) -> Any:
    dtype = tf.float64 if x.dtype == tf.float64 else tf.float32

    # tf.recompute_grad does not record the tapes of a function that differentiates.
    @tf.custom_gradient
    def stacked(x):
        def gradients(upstream, variables=()):
            sources = [x, *variables]

            def added(index, *totals):
                with tf.GradientTape(watch_accessed_variables=False) as tape:
                    tape.watch(sources)
                    image = function(x, index)
                found = tape.gradient(
                    image, sources, upstream[index], unconnected_gradients="zero"
                )
                found = [tf.convert_to_tensor(gradient) for gradient in found]
                return index + 1, *(a + b for a, b in zip(totals, found))

            of_x, *of_variables = _one_by_one(
                added, [tf.zeros_like(source) for source in sources], count
            )
            return (of_x, of_variables) if variables else of_x

        def written(index, images):
            return index + 1, images.write(index, function(x, index))

        (images,) = _one_by_one(written, [tf.TensorArray(dtype, count)], count)
        return images.stack(), gradients

    return stacked(tf.convert_to_tensor(x))


def most_groups(count: int, is_one_each: bool) -> int:
    # To vectorise a group takes long, which that of one pass need not be.
    return count if is_one_each and count <= 32 else 8


def together(linear_map: Callable, vectors: Any) -> Any:
    if vectors.shape.is_fully_defined():
        return tf.vectorized_map(linear_map, vectors)

    # What vectorises matrix products fails where a replica's share of a batch is empty.
    return tf.cond(
        tf.equal(tf.size(vectors), 0),
        lambda: tf.map_fn(linear_map, vectors),
        lambda: tf.vectorized_map(linear_map, vectors),
    )


def go_together(x: Any, outputs: Any) -> bool:
    # To vectorise takes longer than a pass, which only a graph takes once; and it takes
    # long to find that it can't vectorise the derivative of a loop, and fills the log.
    if not hasattr(outputs, "graph") or _is_for_xla():
        return False
    return not _loops(_operations_between(x, outputs), outputs.graph)


def shapes_between(function: Callable, x: Any, outputs: Any) -> list[tuple]:
    between = _operations_between(x, outputs) if hasattr(outputs, "graph") else ()
    results = [
        result
        for operation in between
        if operation.type != "ReadVariableOp"
        for result in operation.outputs
    ]
    return [tuple(result.shape) for result in results if result.shape.rank]


def _operations_between(x, outputs):
    """Those of a graph that make one tensor of another."""
    seen, left = {x.op}, [outputs.op]
    while left:
        operation = left.pop()
        if operation not in seen:
            seen.add(operation)
            left += [tensor.op for tensor in operation.inputs]
    return seen - {x.op}


def _is_for_xla():
    """Whether XLA will compile what is traced now.

    There TensorFlow vectorises in a function of its own, whose results hold the shapes that
    its gradient asks for. XLA takes all that such a function depends on, weights and
    samples, as constants, and compiles each step anew.
    """
    vectorised = tf.vectorized_map(tf.negative, tf.zeros((2,)))
    return vectorised.op.type.endswith("PartitionedCall")


def _loops(operations, graph):
    """Whether one of them is a loop, or calls a function that has one."""
    functions = None
    called: set[str] = set()
    left = [operation.node_def for operation in operations]
    while left:
        node = left.pop()
        if node.op in ("While", "StatelessWhile"):
            return True
        for name in _functions_of(node) - called:
            if functions is None:
                library = graph.as_graph_def().library.function
                functions = {function.signature.name: function for function in library}
            called.add(name)
            if name in functions:
                left += functions[name].node_def
    return False


def _functions_of(node):
    several = [[*value.list.func, value.func] for value in node.attr.values()]
    return {function.name for some in several for function in some if function.name}


def bytes_held(function: Callable, x: Any, shape: tuple[int, ...]) -> int | None:
    traced = tf.function(function, autograph=False)
    graph = traced.get_concrete_function(tf.TensorSpec(shape, x.dtype)).graph
    operations = graph.get_operations()
    if _loops(operations, graph):
        return None  # how often is not said
    results = [
        result
        for operation in operations
        if operation.type not in ("Const", "ReadVariableOp")
        for result in operation.outputs
        if result.dtype.is_floating and result.shape.is_fully_defined()
    ]
    return 2 * sum(result.dtype.size * result.shape.num_elements() for result in results)


def _one_by_one(body, initial, count):
    return tf.while_loop(
        lambda index, *_: index < count,
        body,
        (tf.constant(0), *initial),
        parallel_iterations=1,
        maximum_iterations=count,
    )[1:]


def check_second_derivatives(function: Callable, x: Any) -> None:
    # A registered gradient may say that it has none; then the product is lost silently.
    outputs = function(x)
    u = tf.random.stateless_normal(tf.shape(outputs), (0, 1), dtype=outputs.dtype)
    v = tf.random.stateless_normal(tf.shape(x), (0, 2), dtype=x.dtype)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x, u])
        outputs, inner = vjp(function, x)
        pulled_back = inner(u)
    tape.gradient(pulled_back, x, v)
    pushed = tape.gradient(pulled_back, u, v, unconnected_gradients="zero")
    one, other = (
        tf.reduce_sum(tf.cast(a, "float64") * tf.cast(b, "float64"))
        for a, b in ((u, pushed), (v, pulled_back))
    )
    size = tf.norm(tf.cast(u, "float64")) * tf.norm(tf.cast(pushed, "float64"))
    size += tf.norm(tf.cast(v, "float64")) * tf.norm(tf.cast(pulled_back, "float64"))
    tolerance = 1e-3 if outputs.dtype.size > 2 else 5e-2
    if abs(one - other) > tolerance * size:
        raise LookupError("gradient registry has no entry for: " + _lost(function, x))


def _lost(function, x):
    """Operations whose derivative by the cotangent TensorFlow gives as none."""

    def pulled_back(x):
        outputs, pullback = vjp(function, x)
        return pullback(tf.ones_like(outputs))

    graph = tf.function(pulled_back, autograph=False).get_concrete_function(x).graph
    names = {operation.type for operation in graph.get_operations()}
    return "_or_".join(sorted(name for name in names if "Grad" in name)) or "an_operation"


def is_concrete(x: Any) -> bool:
    return tf.executing_eagerly() and not tf.is_symbolic_tensor(x)


def is_on_cpu(x: Any) -> bool:
    return not tf.config.list_logical_devices("GPU")
