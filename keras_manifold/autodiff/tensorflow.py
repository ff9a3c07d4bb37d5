import tensorflow as tf


def jvp(function, x, tangent):
    x = tf.convert_to_tensor(x)
    tangent = tf.convert_to_tensor(tangent, x.dtype)
    with tf.autodiff.ForwardAccumulator(x, tangent) as accumulator:
        outputs = function(x)
    return outputs, accumulator.jvp(outputs, tf.UnconnectedGradients.ZERO)


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
