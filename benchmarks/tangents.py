"""How long do the tangent vectors of an image take, here and as people write it?

    python benchmarks/tangents.py images  # the lab's network, 1,000 and 10,000 images
    python benchmarks/tangents.py sides   # its decoder and its reconstruction
    python benchmarks/tangents.py memory  # peak memory against the number of images
    python benchmarks/tangents.py large   # 96×96×3 with 512 codes; reconstructions
    python benchmarks/tangents.py         # all four

Each way runs in a process of its own with its own framework. The processes take turns, so
that all see the same machine. Results go to `benchmarks/results/tangents_*.md`.
"""

import argparse
import json
import shutil
import tempfile

import numpy as np
from penalty_steps import torch_parts
from workers import Worker, in_turn, ratio, serve, written

LATENT_DIM = 32
BATCH = 128

# Way: backend, and how `work` does it.
WAYS = {
    "TensorFlow: keras_manifold.tangent_space": ("tensorflow", "ours"),
    "TensorFlow: compiled tape.batch_jacobian, tf.linalg.svd": (
        "tensorflow",
        "batch_jacobian",
    ),
    "TensorFlow: the lab, eager tape.jacobian, np.linalg.svd": ("tensorflow", "lab"),
    "PyTorch: keras_manifold.tangent_space": ("torch", "ours"),
    # Of a network in torch.nn: PyTorch can't vmap the convolutions of Keras, which come
    # channels-last ("Tensor.clone(memory_format) inside vmap").
    "PyTorch: torch.func vmap(jacrev), torch.linalg.svd": ("torch", "jacrev"),
    "JAX: keras_manifold.tangent_space": ("jax", "ours"),
    "JAX: jit vmap(jacrev), jnp.linalg.svd": ("jax", "jax jacrev"),
}
OURS, *_ = WAYS


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", default=[], help=", ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        return work(**json.loads(arguments.worker))
    for part in arguments.parts or PARTS:
        PARTS[part](arguments.rounds)


def images(rounds):
    lines = [
        "| 32 tangents each, batches of 128 | images | ms an image "
        "| × ours on TensorFlow | × ours on its backend |",
        "|---|--:|--:|--:|--:|",
    ]
    for count, turns in ((1_000, rounds), (10_000, max(1, rounds // 2))):
        taken = {}
        workers = {}
        # Ten times as many images take the slower frameworks minutes, and tell nothing new.
        ways = {
            name: way
            for name, way in WAYS.items()
            if count == 1_000 or way[0] == "tensorflow"
        }
        counts = {name: 5 if way == "lab" else count for name, (_, way) in ways.items()}
        for name, (backend, way) in ways.items():
            workers[name] = Worker(__file__, backend=backend, way=way, count=counts[name])
            taken[name] = []
        for _ in range(turns):
            for name, worker in workers.items():
                taken[name].append(worker.seconds_a_step(1) / counts[name])
        for worker in workers.values():
            worker.stop()
        for name, seconds in taken.items():
            own = next(other for other in WAYS if other[:4] == name[:4])
            lines.append(
                f"| {name} | {counts[name]:,} | {1e3 * np.median(seconds):.2f} "
                f"| {ratio(seconds, taken[OURS])} | {ratio(seconds, taken[own])} |"
            )
            print(lines[-1], flush=True)
    written(
        "tangents_images.md",
        "Tangent vectors of images through the lab's network",
        f"28×28×1, 32 codes, all 32 triplets. Medians of {rounds} rounds in turn "
        f"({max(1, rounds // 2)} for 10,000 images), without compilation; ratios within a "
        "round, and their range. Above 1: slower than ours. Results stay in memory.",
        lines,
    )


# Of the decoder's 784 × 32 columns are fewer; a reconstruction is 784 × 784, of rank 32.
# TensorFlow holds all 784 rows of each at once, 24 GiB of 128 images.
SIDES = {
    "decoder": ({"tensorflow": 16}, 128, "forward"),
    "reconstruction": ({}, 8, "reverse"),
}
OF_SIDES = {
    "TensorFlow: compiled tape.batch_jacobian, tf.linalg.svd": "tensorflow",
    "PyTorch: torch.func vmap(jacfwd or jacrev), torch.linalg.svd": "torch",
    "JAX: jit vmap(jacfwd or jacrev), jnp.linalg.svd": "jax",
}


def sides(rounds):
    lines = [
        "| 32 tangents each | of | ours, ms an image | theirs ÷ ours |",
        "|---|---|--:|--:|",
    ]
    for of, (fewer, most, mode) in SIDES.items():
        for name, backend in OF_SIDES.items():
            count = fewer.get(backend, most)
            ways = f"ours {of}", f"theirs {backend} {of} {mode}"
            pair = [Worker(__file__, backend=backend, way=w, count=count) for w in ways]
            ours, theirs = in_turn(pair, rounds, 1)
            lines.append(
                f"| {name} | {of} | {1e3 * np.median(ours) / count:.2f} "
                f"| {ratio(theirs, ours)} |"
            )
            print(lines[-1], flush=True)
    written(
        "tangents_sides.md",
        "Tangent vectors of the lab's decoder, and of its reconstruction",
        "28×28×1, 32 codes, k = 32: 128 images of the decoder (16 on TensorFlow), 8 of the "
        f"reconstruction. Medians of {rounds} rounds in turn, without compilation. Theirs "
        "take the columns of a decoder forwards on JAX and PyTorch, all else backwards. "
        "Ours goes through the codes of a reconstruction, theirs do not know them.",
        lines,
    )


def memory(rounds):
    lines = [
        "| way, TensorFlow | images | s | peak memory, MiB | of it the result |",
        "|---|--:|--:|--:|--:|",
    ]
    for way, name in (("ours", "in memory"), ("ours to disk", "to disk, `path=`")):
        for count in (1_000, 3_000, 10_000):
            worker = Worker(__file__, backend="tensorflow", way=way, count=count)
            seconds = worker.seconds_a_step(1)
            result = count * 32 * (784 + 32 + 1) * 4 / 2**20
            lines.append(
                f"| {name} | {count:,} | {seconds:.1f} | {worker.stop():.0f} "
                f"| {result if way == 'ours' else 0:.0f} |"
            )
            print(lines[-1], flush=True)
    written(
        "tangents_memory.md",
        "Peak memory against the number of images",
        "The lab's network, 32 tangents each, batches of 128, each run in a fresh process. "
        "Memory is what the process holds at its peak beyond what it held when the model "
        "was built.",
        lines,
    )


LARGE = {
    "96×96×3, MobileNetV2 layers, 512 codes: encoder, k=16": {
        "tangent_space, dense": "mobilenet dense",
        'tangent_space, method="lanczos"': "mobilenet lanczos",
        "compiled tape.batch_jacobian, tf.linalg.svd": "mobilenet batch_jacobian",
    },
    "32×32×3, convolutional, 128 codes: reconstruction, k=16": {
        "tangent_space, through the code": "reconstruction 32 factors",
        'tangent_space, method="lanczos"': "reconstruction 32 lanczos",
        "all of the Jacobian, tf.linalg.svd": "reconstruction 32 dense",
    },
    "64×64×3, convolutional, 128 codes: reconstruction, k=16": {
        "tangent_space, through the code": "reconstruction 64 factors",
        'tangent_space, method="lanczos"': "reconstruction 64 lanczos",
        "all of the Jacobian, without its SVD": "reconstruction 64 jacobian",
    },
}


def large(rounds):
    lines = ["| TensorFlow | s an image | × ours | peak memory, MiB |", "|---|--:|--:|--:|"]
    for task, ways in LARGE.items():
        lines.append(f"| **{task}** | | | |")
        ours = None
        for name, way in ways.items():
            count = 1 if way.split()[-1] in ("dense", "jacobian") else 8
            count = 8 if "mobilenet" in way else count
            worker = Worker(__file__, backend="tensorflow", way=way, count=count)
            turns = 1 if count == 1 else rounds
            seconds = [worker.seconds_a_step(1) / count for _ in range(turns)]
            ours = ours or np.median(seconds)
            lines.append(
                f"| {name} | {np.median(seconds):.3f} | {np.median(seconds) / ours:.1f} "
                f"| {worker.stop():.0f} |"
            )
            print(lines[-1], flush=True)
    written(
        "tangents_large.md",
        "Tangent vectors of large maps",
        f"Medians of {rounds} runs of 8 images (dense reconstructions: one run of one "
        "image), without compilation. Memory is what the process holds at its peak beyond "
        "what it held when the model was built.",
        lines,
    )


PARTS = {"images": images, "sides": sides, "memory": memory, "large": large}


# What a process does.


def work(way, count):
    serve(made(way, count))


def made(way, count):
    if way.startswith("mobilenet"):
        return mobilenet(way.split()[1], count)
    if way.startswith("reconstruction"):
        _, size, method = way.split()
        return reconstruction(int(size), method, count)
    x = np.random.default_rng(0).uniform(size=(count, 28, 28, 1)).astype("float32")
    if way == "jacrev":
        encoder, _ = torch_parts(x, LATENT_DIM)
        return torch_jacobians(encoder, np.moveaxis(x, -1, 1).copy())
    if way.startswith("theirs torch"):
        encoder, decoder = torch_parts(x, LATENT_DIM)
        return torch_side(encoder, decoder, np.moveaxis(x, -1, 1).copy(), *way.split()[2:])

    import keras_manifold as km

    model = km.AutoEncoder.convolutional((28, 28, 1), LATENT_DIM)
    if way == "ours":
        return lambda: km.tangent_space(model, x, batch_size=BATCH, verbose=0)
    if way in ("ours decoder", "ours reconstruction"):
        options = {"of": way.split()[1], "k": LATENT_DIM, "batch_size": BATCH, "verbose": 0}
        return lambda: km.tangent_space(model, x, **options)
    if way.startswith("theirs"):
        _, backend, of, mode = way.split()
        function, x = (model.decoder, model.encode(x)) if of == "decoder" else (model, x)
        x = np.asarray(x)
        if backend == "tensorflow":
            return batch_jacobian(function, x)
        return jax_jacobians(function, x, mode)
    if way == "ours to disk":

        def to_disk():
            folder = tempfile.mkdtemp()
            km.tangent_space(model, x, batch_size=BATCH, path=folder, verbose=0)
            shutil.rmtree(folder)

        return to_disk
    if way == "batch_jacobian":
        return batch_jacobian(model.encoder, x)
    if way == "lab":
        return lab(model.encoder, x)
    return jax_jacobians(model.encoder, x)


def mobilenet(method, count):
    import keras

    import keras_manifold as km

    x = np.random.default_rng(0).uniform(size=(count, 96, 96, 3)).astype("float32")
    layers = keras.applications.MobileNetV2(
        (96, 96, 3), alpha=0.5, include_top=False, weights=None, pooling="avg"
    )
    encoder = keras.Sequential([layers, keras.layers.Dense(512)])
    if method == "batch_jacobian":
        return batch_jacobian(encoder, x, batch_size=count)
    return lambda: km.tangent_space(encoder, x, k=16, method=method, batch_size=count)


def reconstruction(size, method, count):
    import keras_manifold as km

    shape = (size, size, 3)
    x = np.random.default_rng(0).uniform(size=(count, *shape)).astype("float32")
    model = km.AutoEncoder.convolutional(shape, 128)
    if method == "jacobian":
        return lambda: km.jacobian(model, x)
    if method == "dense":

        def dense():
            import tensorflow as tf

            jacobian = km.jacobian(model, x).reshape(count, x[0].size, x[0].size)
            return tf.linalg.svd(jacobian)

        return dense
    method = "auto" if method == "factors" else method
    return lambda: km.tangent_space(
        model, x, of="reconstruction", k=16, method=method, batch_size=count
    )


def batch_jacobian(function, x, batch_size=BATCH):
    import tensorflow as tf

    @tf.function
    def decomposed(batch):
        with tf.GradientTape() as tape:
            tape.watch(batch)
            outputs = function(batch, training=False)
        jacobian = tape.batch_jacobian(outputs, batch)
        shape = (-1, outputs[0].shape.num_elements(), batch[0].shape.num_elements())
        return tf.linalg.svd(tf.reshape(jacobian, shape))

    dataset = tf.data.Dataset.from_tensor_slices(x).batch(batch_size)
    return lambda: [[part.numpy() for part in decomposed(batch)] for batch in dataset]


def lab(encoder, x):
    import tensorflow as tf

    def run():
        for image in x:
            batch = tf.convert_to_tensor(image[None])
            with tf.GradientTape() as tape:
                tape.watch(batch)
                codes = encoder(batch)
            jacobian = tape.jacobian(codes, batch)
            np.linalg.svd(jacobian.numpy().reshape(LATENT_DIM, -1), full_matrices=False)

    return run


def torch_side(encoder, decoder, x, of, mode):
    import torch

    if of == "reconstruction":
        return torch_jacobians(torch.nn.Sequential(encoder, decoder), x, mode)
    with torch.no_grad():
        codes = encoder(torch.from_numpy(x)).numpy()
    return torch_jacobians(decoder, codes, mode)


def torch_jacobians(function, x, mode="reverse"):
    import torch

    jacobian_of = torch.func.jacfwd if mode == "forward" else torch.func.jacrev
    jacobian = torch.func.vmap(jacobian_of(lambda image: function(image[None])[0]))

    @torch.no_grad()
    def run():
        found = []
        for start in range(0, len(x), BATCH):
            batch = torch.from_numpy(x[start : start + BATCH])
            matrices = jacobian(batch).reshape(len(batch), -1, batch[0].numel())
            parts = torch.linalg.svd(matrices, full_matrices=False)
            found.append([part.numpy() for part in parts])
        return found

    return run


def jax_jacobians(function, x, mode="reverse"):
    import jax

    weights = [v.value for v in function.trainable_variables]
    others = [v.value for v in function.non_trainable_variables]
    jacobian_of = jax.jacfwd if mode == "forward" else jax.jacrev

    def of_one(weights, image):
        return function.stateless_call(weights, others, image[None])[0][0]

    @jax.jit
    def decomposed(weights, batch):
        jacobian = jax.vmap(jacobian_of(of_one, argnums=1), (None, 0))(weights, batch)
        matrices = jacobian.reshape(len(batch), -1, batch[0].size)
        return jax.numpy.linalg.svd(matrices, full_matrices=False)

    starts = range(0, len(x), BATCH)
    return lambda: [
        [np.asarray(part) for part in decomposed(weights, x[start : start + BATCH])]
        for start in starts
    ]


if __name__ == "__main__":
    main()
