"""What does watching cost?

    python benchmarks/callbacks.py epoch   # an epoch of 100,000 images, both callbacks
    python benchmarks/callbacks.py memory  # resident memory over 200 epochs
    python benchmarks/callbacks.py disk    # the folder of 200 snapshots of 16 images
    python benchmarks/callbacks.py wide    # a snapshot of MobileNetV2, 1,280 codes
    python benchmarks/callbacks.py         # all

The lab's network (28x28x1, 32 codes, batch 128), eight watched images, figures, arrays and
the page into a folder. A look costs the time inside the callbacks, and the processor's
time of drawing beside the training. Results go to `benchmarks/results/callbacks_*.md`.
"""

import argparse
import os
import re
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from workers import written

import keras_manifold as km


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", default=[], help=f"of {', '.join(PARTS)}")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--images", type=int, default=100_000)
    arguments = parser.parse_args()
    for part in arguments.parts or PARTS:
        PARTS[part](arguments)


class Timed(keras.callbacks.Callback):
    """Seconds between two points of each epoch: of what stands between two of these."""

    def __init__(self):
        super().__init__()
        self.begins, self.ends = [], []

    def on_epoch_begin(self, epoch, logs=None):
        self.begins.append(clocks())

    def on_epoch_end(self, epoch, logs=None):
        self.ends.append(clocks())


def clocks():
    """Seconds on the clock, and of the processor in all threads."""
    return np.array([time.perf_counter(), time.process_time()])


def watched(x, folder, every=1):
    options = {"directory": folder, "every": every}
    return [km.TangentAnalyzer(x[:8], **options), km.ReconstructionGrid(x[:8], **options)]


LOOKS = 40


def epoch(arguments):
    x = images(arguments.images)
    model = km.AutoEncoder.convolutional((28, 28, 1), latent_dim=32)
    model.compile("adam", loss="binary_crossentropy")
    model.fit(x[:128], epochs=2, verbose=0)  # compiles
    before, after = Timed(), Timed()
    with tempfile.TemporaryDirectory() as folder:
        callbacks = [before, *watched(x, folder), after]
        options = {"batch_size": 128, "epochs": arguments.epochs, "verbose": 2}
        model.fit(x, callbacks=callbacks, **options)
        files = sum(path.stat().st_size for path in Path(folder).iterdir())
    first = after.begins[0][0] - before.begins[0][0]
    inside = np.array(after.ends) - before.ends
    epochs = np.array(before.ends) - after.begins
    look = seconds_of_a_look(model, x)
    share = 100 * look / (np.median(epochs[:, 1]) - look)
    lines = [
        "| both callbacks look after each epoch | median | smallest | largest |",
        "|---|--:|--:|--:|",
        row("an epoch, s", epochs[:, 0]),
        row("an epoch, s of the processor, drawing beside it included", epochs[:, 1]),
        row("inside the callbacks, s: the training waits", inside[:, 0]),
        row("inside the callbacks, % of the epoch", 100 * inside[:, 0] / epochs[:, 0]),
        f"| a look, s of the processor, with drawing and files | {look:.3f} | | |",
        "",
        f"In all {share:.2f} % of the processor's time of an epoch. A look's is that of "
        f"{LOOKS} epochs of one batch with a look in each, less that of as many without. "
        f"The first look, before training, which compiles: {first:.2f} s. Files: "
        f"{files / 2**20 / (1 + len(inside)):.2f} MiB a look.",
    ]
    written(
        "callbacks_epoch.md",
        "What watching costs",
        f"{len(x)} images, batch 128, {len(epochs)} epochs, backend "
        f"{keras.backend.backend()}. The processor's time counts all threads, and not what "
        "other programs take.",
        lines,
    )


def seconds_of_a_look(model, x):
    """Of the processor, in all threads."""
    spent = []
    for watches in (True, False):
        with tempfile.TemporaryDirectory() as folder:
            callbacks = watched(x, folder) if watches else []
            started = time.process_time()
            model.fit(x[:128], epochs=LOOKS, batch_size=128, callbacks=callbacks, verbose=0)
            spent.append(time.process_time() - started)
    return (spent[0] - spent[1]) / LOOKS


def row(name, values):
    return f"| {name} | {np.median(values):.3f} | {values.min():.3f} | {values.max():.3f} |"


def memory(arguments):
    x = images(256)
    model = km.AutoEncoder.convolutional((28, 28, 1), latent_dim=32)
    model.compile("adam", loss="binary_crossentropy")
    resident = {}
    note = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: resident.update({epoch + 1: resident_mib()})
    )
    with tempfile.TemporaryDirectory() as folder:
        options = {"batch_size": 128, "epochs": 200, "verbose": 0}
        model.fit(x, callbacks=[*watched(x, folder), note], **options)
    shown = [1, 10, 25, 50, 100, 150, 200]
    lines = [
        "| epoch | " + " | ".join(map(str, shown)) + " |",
        "|---|" + "--:|" * len(shown),
        "| resident, MiB | " + " | ".join(f"{resident[e]:.0f}" for e in shown) + " |",
    ]
    written(
        "callbacks_memory.md",
        "Memory while watching",
        f"Resident set at the end of epochs of 256 images, with a look with figures and "
        f"files in each, backend {keras.backend.backend()}.",
        lines,
    )


def disk(arguments):
    with tempfile.TemporaryDirectory() as folder:
        watched_on_disk(folder, 0, 199)  # that before training is the first of 200
        written_of_disk(folder)


def watched_on_disk(folder, start, stop):
    """Trains with both callbacks; from another epoch than 0 it continues the run there."""
    x = digits()
    # A rate at which all snapshots differ, and at which it still learns: the vectors of a
    # model that answers to nothing would take no space.
    model = km.AutoEncoder.dense((28, 28, 1), latent_dim=32, units=256, noise=0.4)
    model.compile(keras.optimizers.Adam(1e-3), loss="binary_crossentropy")
    options = {"directory": folder, "labels": np.arange(16)}
    callbacks = [
        km.TangentAnalyzer(x[:16], k=8, **options),
        km.ReconstructionGrid(x[:16], **options),
    ]
    given = {"initial_epoch": start, "epochs": stop, "callbacks": callbacks}
    model.fit(x, batch_size=128, verbose=0, **given)
    assert callbacks[0].history["tangent_dimension"][-1] > 1, "it learns something"


def written_of_disk(folder):
    rest = {path.name: path.stat().st_size for path in Path(folder).iterdir()}
    kinds = {
        "vectors, codes, spectra (`tangent_space_*.npz`)": r"tangent_space_\d+\.npz",
        "reconstructions (`reconstruction_*.npz`)": r"reconstruction_\d+\.npz",
        "pictures (`*.png`)": r".*\.png",
        "page (`index.html`)": r"index\.html",
        "samples, numbers, settings": r".*",
    }
    lines = ["| in the folder | files | MB |", "|---|--:|--:|"]
    count, size = len(rest), sum(rest.values())
    for kind, pattern in kinds.items():
        found = [rest.pop(name) for name in list(rest) if re.fullmatch(pattern, name)]
        lines.append(f"| {kind} | {len(found)} | {sum(found) / 1e6:.2f} |")
    lines.append(f"| all | {count} | {size / 1e6:.2f} |")
    written(
        "callbacks_disk.md",
        "What a run takes on disk",
        "200 snapshots of 16 digits, enlarged to 28×28, by `TangentAnalyzer(k=8)` and "
        f"`ReconstructionGrid`, 32 codes, backend {keras.backend.backend()}.",
        lines,
    )


def wide(arguments):
    """A snapshot of a wide encoder beside `tangent_space` of as many directions."""
    encoder = keras.applications.MobileNetV2(
        (96, 96, 3), include_top=False, weights=None, pooling="avg"
    )
    x = np.random.default_rng(0).uniform(-1, 1, size=(4, 96, 96, 3)).astype("float32")
    watch = km.TangentAnalyzer(x, k=8, encoder=encoder)
    watch.set_params({"verbose": 0})
    watch.set_model(encoder)
    watch.on_train_begin()

    def snapshot():
        taken = len(seconds["TangentAnalyzer(k=8), a snapshot"])
        watch.on_epoch_end(taken - 1) if taken else watch.on_epoch_begin(0)

    def spaces(k):
        km.tangent_space(encoder, x, k=k, batch_size=4, verbose=0)

    calls = {
        "TangentAnalyzer(k=8), a snapshot": snapshot,
        "tangent_space(k=8)": lambda: spaces(8),
        "tangent_space(), all directions": lambda: spaces(None),
    }
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(3):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - started)
    lines = ["| | first, compiles, s | second, s | third, s |", "|---|--:|--:|--:|"]
    for name, taken in seconds.items():
        lines.append(f"| `{name}` | " + " | ".join(f"{s:.1f}" for s in taken) + " |")
    written(
        "callbacks_wide.md",
        "A wide encoder",
        "MobileNetV2 without weights, 96×96×3, 1,280 codes, 4 samples, in one process in "
        f"turn, backend {keras.backend.backend()}.",
        lines,
    )


PARTS = {"epoch": epoch, "memory": memory, "disk": disk, "wide": wide}


def resident_mib():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def digits():
    """256 of scikit-learn's digits, enlarged to 28×28."""
    from scipy.ndimage import zoom
    from sklearn.datasets import load_digits

    x = zoom(load_digits().images[:256] / 16, (1, 3.5, 3.5), order=1)
    return np.clip(x, 0, 1)[..., None].astype("float32")


def images(count):
    """Fashion-MNIST, again from its beginning, if Keras has it; else noise, as slow."""
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    if (home / "datasets" / "fashion-mnist").exists():
        (x, _), _ = keras.datasets.fashion_mnist.load_data()
        x = x[np.arange(count) % len(x), ..., None].astype("float32") / 255
    else:
        x = np.random.default_rng(0).uniform(size=(count, 28, 28, 1)).astype("float32")
    return x


if __name__ == "__main__":
    main()
