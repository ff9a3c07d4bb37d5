"""A short training on one or two devices, run by `test_distribution.py` in a process of its
own, as devices can't be added to one in which TensorFlow or JAX has started.

    python tests/distributed_run.py one|mirrored|data_parallel <folder>

Prints one line of JSON.
"""

import json
import os
import sys

mode, folder = sys.argv[1:]
if mode == "data_parallel":
    os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"

import contextlib

import keras
import numpy as np

if mode == "mirrored":
    import tensorflow as tf

    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * 2
    )
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    assert strategy.num_replicas_in_sync == 2
    scope = strategy.scope
else:
    scope = contextlib.nullcontext
if mode == "data_parallel":
    distribution = keras.distribution.DataParallel()
    assert distribution.device_mesh.shape == (2,)
    keras.distribution.set_distribution(distribution)

import keras_manifold as km

x = np.random.default_rng(0).uniform(size=(32, 4, 4, 1)).astype("float32")


def trained(samples, watches=(), **regularisation):
    keras.utils.set_random_seed(0)
    with scope():
        model = km.AutoEncoder.dense((4, 4, 1), 3, units=(8,), **regularisation)
        model.compile(
            keras.optimizers.SGD(0.1, momentum=0.9), loss="mse", weighted_metrics=["mae"]
        )
    history = model.fit(
        x[:samples],
        epochs=2,
        batch_size=8,
        shuffle=False,
        validation_data=x[:8],
        verbose=0,
        callbacks=list(watches),
    ).history
    space = km.tangent_space(model, x[:5], k=2, batch_size=3)
    return {
        "history": history,
        "weights": [weight.tolist() for weight in model.get_weights()],
        "singular_values": space.singular_values.tolist(),
    }


handed_on = []


def watches(name):
    options = {
        "directory": f"{folder}/{name}",
        "sinks": [lambda name, *_: handed_on.append(name)],
    }
    return [
        km.TangentAnalyzer(x[:3], k=2, **options),
        km.ReconstructionGrid(x[:3], **options),
    ]


noisy = {"noise": km.NoiseInjection(seed=0), "contractive_penalty": 0.1}
results = {
    "plain": trained(32, watches("plain")),
    "regularised": trained(32, watches("regularised"), **noisy),
}
results["plain"]["handed_on"] = len(handed_on)
if mode == "data_parallel":
    from keras_manifold._map.devices import shared_out

    layer = keras.layers.Dense(2)
    layer.build((None, 16))
    on_devices = shared_out(x[:3], layer.weights)
    results["shards"] = [shard.data.shape for shard in on_devices.addressable_shards]
if mode != "data_parallel":  # which needs batches that the devices can share evenly
    # The last batch leaves nothing for the second device.
    results["partial"] = trained(
        25, contractive_penalty=km.ContractivePenalty(0.1, probes="exact", chunk_size=2)
    )
else:
    try:
        trained(27)
    except ValueError as error:
        results["uneven"] = str(error)
print(json.dumps(results))
