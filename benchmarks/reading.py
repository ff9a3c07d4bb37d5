"""How much memory does reading samples from disk take?

    python benchmarks/reading.py

Rows of 784 numbers in a file, 784-256-32 with one probe, in 10, 40 and 160 batches of
1,024. Memory is what the process holds at its peak beyond what it held with everything
compiled, sampled every 20 ms, without the pages of files that it maps. Each cell is a
process of its own. Results go to `benchmarks/results/reading.md`.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from workers import BACKENDS, Peak, said_by, written

ENTRIES, BATCH = 784, 1024
BATCHES = (10, 40, 160)
CALLS = ("fit", "reconstruction_errors", "tangent_space")
KINDS = {"npy": "memory-mapped `.npy`", "h5": "HDF5", "zarr": "Zarr"}
ROWS = [(backend, "npy", call) for backend in BACKENDS for call in CALLS] + [
    ("tensorflow", kind, call) for kind in ("h5", "zarr") for call in CALLS[:2]
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measured(*arguments.measure)))
        return
    sizes = [f"{count * BATCH * ENTRIES * 4 / 2**20:.0f} MiB" for count in BATCHES]
    lines = [
        f"| peak memory, MiB, of a file of | | | {' | '.join(sizes)} |",
        "|---|---|---|" + "--:|" * len(BATCHES),
    ]
    with tempfile.TemporaryDirectory() as folder:
        files = {kind: [made(folder, kind, n) for n in BATCHES] for kind in KINDS}
        for backend, kind, call in ROWS:
            cells = [said_by(__file__, call, f, backend=backend) for f in files[kind]]
            cells = " | ".join(f"{cell:.0f}" for cell in cells)
            lines.append(f"| {BACKENDS[backend]} | {KINDS[kind]} | `{call}` | {cells} |")
            print(lines[-1], flush=True)
    how = __doc__.split("\n\n")[2].partition("Results go")[0]
    written("reading.md", "Memory of samples on disk", " ".join(how.split()), lines)


def made(folder, kind, batches):
    """A file of random rows."""
    file, shape = f"{folder}/{batches}.{kind}", (batches * BATCH, ENTRIES)
    if kind == "npy":
        x = np.lib.format.open_memmap(file, "w+", "float32", shape)
    elif kind == "h5":
        import h5py

        x = h5py.File(file, "w").create_dataset("x", shape, "float32")
    else:
        import zarr

        x = zarr.open_array(
            file, mode="w", shape=shape, dtype="float32", chunks=(BATCH, ENTRIES)
        )
    rng = np.random.default_rng(0)
    for start in range(0, shape[0], BATCH):
        x[start : start + BATCH] = rng.random((BATCH, ENTRIES), "float32")
    if kind == "npy":
        x.flush()
    elif kind == "h5":
        x.file.close()
    return file


def opened(file):
    if file.endswith("npy"):
        return np.load(file, mmap_mode="r")
    if file.endswith("h5"):
        import h5py

        return h5py.File(file)["x"]
    import zarr

    return zarr.open_array(file, mode="r")


def measured(call, file):
    """MiB at the peak of a call with the samples of a file."""
    import keras_manifold as km

    model = km.AutoEncoder.dense((ENTRIES,), 32, units=(256,), contractive_penalty=1e-3)
    model.compile("adam", "mse")
    x = opened(file)
    options = {"batch_size": BATCH, "verbose": 0}
    with tempfile.TemporaryDirectory() as folder:
        calls = {
            "fit": lambda x, name: model.fit(x, **options),
            "reconstruction_errors": lambda x, name: model.reconstruction_errors(
                x, batch_size=BATCH
            ),
            "tangent_space": lambda x, name: km.tangent_space(
                model, x, k=2, path=Path(folder) / name, **options
            ),
        }
        calls[call](np.array(x[: 2 * BATCH]), "compiled")
        peak = Peak()
        calls[call](x, "measured")
        return peak.most - peak.before


if __name__ == "__main__":
    main()
