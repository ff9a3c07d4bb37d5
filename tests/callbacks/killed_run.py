"""A run that test_killed.py kills: trains with both callbacks, and says how far it is.

    python killed_run.py <folder> <epoch|batch> <place of BackupAndRestore> <epochs>

What each epoch reports and sees goes to the file `seen.jsonl` as well, one line an epoch,
written by code that shares nothing with the package.
"""

import json
import os
import shutil
import sys
import time
from pathlib import Path

import h5py
import keras
import numpy as np

import keras_manifold as km

folder, unit, place, epochs = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
rng = np.random.default_rng(0)
x = rng.uniform(size=(40, 4, 4, 1)).astype("float32")
keras.utils.set_random_seed(0)
model = km.AutoEncoder.dense((4, 4, 1), 2, units=(4,))
model.compile(keras.optimizers.SGD(0.1), loss="mse")


class Seen(keras.callbacks.Callback):
    """Tells of each epoch, before anybody else: a kill can't keep it from this one only."""

    def on_epoch_begin(self, epoch, logs=None):
        print("epoch", epoch, flush=True)

    def on_epoch_end(self, epoch, logs=None):
        with open(f"{folder}/seen.jsonl", "a") as file:
            file.write(json.dumps({"epoch": epoch + 1, "loss": logs["loss"]}) + "\n")
            file.flush()
            os.fsync(file.fileno())


class Pause(keras.callbacks.Callback):
    """Makes an epoch last a tenth of a second, so that no run ends before it is killed."""

    def on_epoch_begin(self, epoch, logs=None):
        self.began = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        time.sleep(max(0.01, self.began + 0.1 - time.monotonic()))


options = {"directory": folder, "unit": unit, "every": 1 if unit == "epoch" else 3}
watches = [km.TangentAnalyzer(x[:2], **options), km.ReconstructionGrid(x[:2], **options)]
callbacks = list(watches)

weights = Path(folder, "backup", "latest.weights.h5")
if weights.exists() and not weights.with_name(weights.name + ".bkp").exists():
    try:
        h5py.File(weights).close()
    except OSError:  # Keras was killed in its first backup, and can't restore it
        shutil.rmtree(weights.parent)
backup = keras.callbacks.BackupAndRestore(weights.parent, double_checkpoint=True)
callbacks.insert(place, backup)
callbacks = [Seen(), *callbacks, Pause()]
print("begins", flush=True)
model.fit(x, batch_size=10, epochs=epochs, shuffle=False, callbacks=callbacks, verbose=0)
print("ends", json.dumps([watch.history for watch in watches]), flush=True)
