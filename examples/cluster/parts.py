"""Tangent spaces of many samples, in parts that the workers of a Dask cluster compute.

Trains an autoencoder on digits, maps the parts of one run over two workers of this machine,
and reads all parts as one.

    pip install -e ".[examples,zarr]" distributed && python examples/cluster/parts.py

With `--scheduler tcp://HOST:8786` the workers are those of a cluster that runs already, and
share the folder `--out`. A part that was cut off goes on when the script is called again.
"""

import argparse
import os
import time
from pathlib import Path


def part_of_run(i, n, model, x, path, batch_size):
    """Computes one part, in whichever process it is called."""
    import keras
    import numpy as np

    import keras_manifold as km

    encoder = keras.saving.load_model(model).encoder
    samples = np.load(x, mmap_mode="r")  # read batch by batch
    space = km.tangent_space(
        encoder, samples, k=4, batch_size=batch_size, path=path, part=(i, n), verbose=0
    )
    return f"part {i} of {n}: {len(space)} samples, by process {os.getpid()}"


def main():
    arguments = parsed_arguments()
    out = Path(arguments.out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    model, x = out / "model.keras", out / "x.npy"
    if not model.exists():  # a later call goes on with the same model
        train(model, x, arguments)

    from dask.distributed import Client, LocalCluster

    # One thread per worker: TensorFlow, JAX and PyTorch use the cores by themselves.
    cluster = arguments.scheduler or LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None
    )
    n = arguments.parts
    begun = time.perf_counter()
    with Client(cluster) as client:
        settings = (str(model), str(x), str(out / "space"), arguments.batch_size)
        parts = [
            client.submit(part_of_run, i, n, *settings, pure=False, retries=2)
            for i in range(n)
        ]
        for part in parts:
            print(part.result())
    if not arguments.scheduler:
        cluster.close()
    print(f"{time.perf_counter() - begun:.1f} s")

    import keras_manifold as km

    space = km.TangentSpace.load(out / "space")
    dimensions = km.local_dimension(space)
    print(space)
    print(f"mean dimension, of 4 directions: {dimensions.mean():.2f}")


def train(model, x, arguments):
    import keras
    import numpy as np
    from sklearn.datasets import load_digits

    import keras_manifold as km

    digits = (load_digits().images[..., None] / 16).astype("float32")
    keras.utils.set_random_seed(0)
    autoencoder = km.AutoEncoder.dense((8, 8, 1), latent_dim=16, units=(128,))
    autoencoder.compile("adam", loss="binary_crossentropy")
    autoencoder.fit(digits, epochs=arguments.epochs, batch_size=64, verbose=0)
    np.save(x, digits)
    unfinished = model.with_name("unfinished.keras")
    autoencoder.save(unfinished)
    unfinished.replace(model)  # a call that was cut off leaves no half of it


def parsed_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scheduler", help="of a cluster; two workers here if none")
    parser.add_argument("--parts", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--out", default="runs/parts", help="folder that all workers share")
    return parser.parse_args()


if __name__ == "__main__":
    main()
