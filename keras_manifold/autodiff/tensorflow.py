import tensorflow as tf


def jvp(function, x, tangent):
    outputs, push = linearize(function, x)
    return outputs, push(tangent)


def linearize(function, x):
    outputs, pullback = vjp(function, x)
    return outputs, pushforward(function, x, outputs, pullback)


def pushforward(function, x, outputs, pullback):
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


def vjp(function, x):
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


def recomputed_map(function, x, count):
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

        (images,) = _one_by_one(written, [tf.TensorArray(tf.float32, count)], count)
        return images.stack(), gradients

    return stacked(tf.convert_to_tensor(x))


def _one_by_one(body, initial, count):
    return tf.while_loop(
        lambda index, *_: index < count,
        body,
        (tf.constant(0), *initial),
        parallel_iterations=1,
        maximum_iterations=count,
    )[1:]
