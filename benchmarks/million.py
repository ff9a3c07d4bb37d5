"""What do tangent spaces of a million samples cost, in two processes, to disk?

    python benchmarks/million.py [--most 1000000] [--backend torch]

Samples of 64 entries in a memory-mapped file, an encoder 64-128-16, k = 4. Two processes
compute a part each into one folder, in batches of 4,096, fewer at 1,000 samples. Time is
from the first call to the end of the slower process, without imports and with compilation;
memory is what each process
holds at its peak, sampled every 20 ms, beyond what it held with the model built, without
the pages of the mapped file. Results go to
`benchmarks/results/million.md`.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from workers import Peak, Worker, serve, written

ENTRIES, CODES, K, BATCH, PARTS = 64, 16, 4, 4096, 2


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--most", type=int, default=1_000_000)
    parser.add_argument("--backend", default="torch")
    parser.add_argument("--note", default="", help="of the machine, such as what else ran")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        return work(**json.loads(arguments.worker))
    counts = [count for count in (10**3, 10**4, 10**5, 10**6) if count <= arguments.most]
    lines = [
        f"| samples, {arguments.backend} | s | CPU s of both | CPU ms per 1,000 samples "
        "| peak memory of each process, MiB | bytes on disk | per sample |",
        "|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            seconds, spent, peaks = finished(count, folder, arguments.backend)
            size = sum(
                file.stat().st_size
                for file in (Path(folder) / "space").rglob("*")
                if file.is_file()
            )
        lines.append(
            f"| {count:,} | {seconds:.1f} | {spent:.1f} | {1e6 * spent / count:.1f} "
            f"| {', '.join(f'{peak:.0f}' for peak in peaks)} | {size:,} "
            f"| {size / count:,.0f} |"
        )
        print(lines[-1], flush=True)
    per_sample = K * (ENTRIES + CODES + 1) * 4 + ENTRIES * 4
    hours = spent / count * 1e9 / 3600
    terabytes = per_sample / 1e3
    lines += [
        "",
        f"On paper, at 1,000,000,000 samples: {per_sample:,} bytes of results per sample "
        f"are {terabytes:,.2f} TB, of {ENTRIES * 4} GB of samples. At the rate of the last "
        f"row that is {hours:,.0f} hours of a core, which parts share. Chunks of 4 MiB are "
        f"{1e9 * K * ENTRIES * 4 / 2**22:,.0f} files of vectors alone: these break first, "
        "on file systems that limit their number. More parts do not help there; larger "
        "chunks would.",
    ]
    written(
        "million.md",
        "A million samples, in two processes",
        " ".join(__doc__.split("\n\n")[2].partition("Results go")[0].split())
        + f" One run. {arguments.note}".rstrip(),
        lines,
    )


def finished(count, folder, backend):
    """Seconds of the slower process, and peak memory of each, in MiB."""
    x = np.lib.format.open_memmap(f"{folder}/x.npy", "w+", "float32", (count, ENTRIES))
    rng = np.random.default_rng(0)
    for start in range(0, count, 100_000):
        x[start : start + 100_000] = rng.normal(size=x[start : start + 100_000].shape)
    x.flush()
    workers = [
        Worker(__file__, backend=backend, folder=folder, part=[i, PARTS])
        for i in range(PARTS)
    ]
    begun = time.perf_counter()
    for worker in workers:
        worker.process.stdin.write("1\n")
        worker.process.stdin.flush()
    for worker in workers:
        worker._answer()
    seconds = time.perf_counter() - begun
    for worker in workers:
        worker.stop()
    found = [json.loads(Path(f"{folder}/cost_{i}.json").read_text()) for i in range(PARTS)]
    return seconds, sum(spent for spent, _ in found), [peak for _, peak in found]


def work(folder, part):
    import keras
    from keras import layers

    import keras_manifold as km

    keras.utils.set_random_seed(0)
    encoder = keras.Sequential(
        [
            keras.Input((ENTRIES,)),
            layers.Dense(128, activation="relu"),
            layers.Dense(CODES),
        ]
    )
    x = np.load(f"{folder}/x.npy", mmap_mode="r")

    def run_part():
        peak, begun = Peak(), time.process_time()
        km.tangent_space(
            encoder,
            x,
            k=K,
            batch_size=min(BATCH, len(x) // PARTS),
            path=f"{folder}/space",
            part=part,
            verbose=0,
        )
        cost = time.process_time() - begun, peak.most - peak.before
        Path(f"{folder}/cost_{part[0]}.json").write_text(json.dumps(cost))

    steps = iter([lambda: encoder(np.zeros((1, ENTRIES), "float32")), run_part])
    serve(lambda: next(steps)())


if __name__ == "__main__":
    main()
