"""How much memory does reading samples from disk take?

    python benchmarks/reading.py

Rows of 784 numbers in memory-mapped files of NumPy, 784-256-32 with one probe, batches of
1,024. Memory is what the process holds at its peak beyond what it held with everything
compiled, sampled every 20 ms, without the pages of the mapped file. Each cell is a process
of its own. Results go to `benchmarks/results/reading.md`.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path

import numpy as np
from workers import Peak, said_by, written

BACKENDS = {"tensorflow": "TensorFlow", "torch": "PyTorch", "jax": "JAX"}
CALLS = ("fit", "reconstruction_errors", "tangent_space")
MIB = (32, 128, 512)  # of the file
ENTRIES, BATCH = 784, 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measured(*arguments.measure)))
        return
    sizes = " | ".join(f"file of {size:,} MiB" for size in MIB)
    lines = [f"| peak memory, MiB | | {sizes} |", "|---|---|" + "--:|" * len(MIB)]
    with tempfile.TemporaryDirectory() as folder:
        files = [file_of(Path(folder), size) for size in MIB]
        for backend, title in BACKENDS.items():
            for call in CALLS:
                cells = [said_by(__file__, call, file, backend=backend) for file in files]
                cells = " | ".join(f"{cell:.0f}" for cell in cells)
                lines.append(f"| {title} | `{call}` | {cells} |")
                print(lines[-1], flush=True)
    how = __doc__.split("\n\n")[2].partition("Results go")[0]
    written("reading.md", "Memory of samples on disk", " ".join(how.split()), lines)


def file_of(folder, mib):
    rows = mib * 2**20 // (4 * ENTRIES)
    file = folder / f"{mib}.npy"
    x = np.lib.format.open_memmap(file, "w+", "float32", (rows, ENTRIES))
    rng = np.random.default_rng(0)
    for start in range(0, rows, 10_000):
        x[start : start + 10_000] = rng.random(x[start : start + 10_000].shape, "float32")
    x.flush()
    return file


def measured(call, file):
    """MiB at the peak of a call with the samples of a file."""
    import keras_manifold as km

    model = km.AutoEncoder.dense((ENTRIES,), 32, units=(256,), contractive_penalty=1e-3)
    model.compile("adam", "mse")
    x = np.load(file, mmap_mode="r")
    with tempfile.TemporaryDirectory() as folder:
        calls = {
            "fit": lambda x, _: model.fit(x, batch_size=BATCH, verbose=0),
            "reconstruction_errors": lambda x, _: model.reconstruction_errors(
                x, batch_size=BATCH
            ),
            "tangent_space": lambda x, name: km.tangent_space(
                model, x, k=2, batch_size=BATCH, path=os.path.join(folder, name), verbose=0
            ),
        }
        calls[call](np.array(x[: 2 * BATCH]), "compiled")
        peak = Peak()
        calls[call](x, "measured")
        return peak.most - peak.before


if __name__ == "__main__":
    main()
