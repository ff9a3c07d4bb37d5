# ---
# description: "More samples than fit memory, runs that go on after they were cut off, and several devices or processes."
# ---

# %% [markdown]
# # Beyond one machine
#
# *What if my data do not fit memory, my run may be cut off, or one device is not enough?*

# %%
import tempfile
from pathlib import Path

import keras
import numpy as np
from sklearn.datasets import load_digits

import keras_manifold as km

keras.utils.set_random_seed(0)
x = (load_digits().images[..., None] / 16).astype("float32")
x_train, x_test = x[:1500], x[1500:]
model = km.AutoEncoder.dense((8, 8, 1), latent_dim=16, units=(128,))
model.compile("adam", loss="binary_crossentropy")
history = model.fit(x_train, epochs=3, verbose=0)

# %% [markdown]
# ## Data that do not fit memory
#
# `fit` takes what every Keras model takes: `tf.data.Dataset`, `PyDataset`, a torch
# `DataLoader`, generators. `tangent_space` takes them too. Here a generator makes batches as they
# are needed:


# %%
def batches():
    for start in range(0, len(x_test), 64):
        yield x_test[start : start + 64]


space = km.tangent_space(model, batches(), k=8, verbose=0)
space.vectors.shape

# %% [markdown]
# ## Results that do not fit memory
#
# Eight vectors of a 224×224×3 image are 4.8 MB: a million images would take 4.8 TB. With a
# `path` the results go to disk as they come, into a [Zarr](https://zarr.dev) group that
# xarray, dask and others read too. Memory does not grow with the number of samples.

# %%
folder = Path(tempfile.mkdtemp()) / "tangents"
space = km.tangent_space(model, batches(), k=8, path=folder, verbose=0)
print(type(space.vectors).__name__, space.vectors.shape)
print("read from disk:", space.vectors[:2].shape)

# %% [markdown]
# ## Runs that were cut off
#
# Call again with the same arguments. What is on disk stays, and the run goes on after it. Here we
# cut one off ourselves, while it reads the fourth batch of 64. The third is then still being
# computed and not on disk:

# %%
started = Path(tempfile.mkdtemp()) / "tangents"


def cut_off():
    for number, batch in enumerate(batches()):
        if number == 3:
            raise KeyboardInterrupt
        yield batch


try:
    km.tangent_space(model, cut_off(), k=8, path=started, verbose=0)
except KeyboardInterrupt:
    print(
        "on disk:   ",
        km.TangentSpace.load(started).vectors.shape[0],
        "samples",
    )
resumed = km.tangent_space(model, batches(), k=8, path=started, verbose=0)
print("at the end:", resumed.vectors.shape[0], "samples")
print(
    "the same:  ",
    np.allclose(resumed.vectors[:], space.vectors[:], atol=1e-5),
)

# %% [markdown]
# A folder that holds another run is refused, so that results of two models never mix. Training
# has Keras's own [`keras.callbacks.BackupAndRestore`][]. It works as it is: the states of random
# numbers are in the file too.
#
# ## Several devices
#
# On TensorFlow, build and compile within `tf.distribute.MirroredStrategy`, as for every Keras
# model. Each batch is shared among the devices:
#
# ```python
# with tf.distribute.MirroredStrategy().scope():
#     model = km.AutoEncoder.convolutional((28, 28, 1), latent_dim=32)
#     model.compile("adam", loss="binary_crossentropy")
# model.fit(x_train, batch_size=512)
# ```
#
# On JAX, choose a distribution before the model is built. It covers the devices of one process,
# and of several:
#
# ```python
# keras.distribution.initialize()  # several processes only
# keras.distribution.set_distribution(keras.distribution.DataParallel())
# model = km.AutoEncoder.convolutional((28, 28, 1), latent_dim=32)
# ```
#
# On PyTorch, Keras itself trains on one device.
#
# ## Is it the same training?
#
# Without random numbers, yes, to rounding. `python examples/distributed.py` trains the same
# autoencoder in one process and in two, and prints how far apart they are. Which combinations
# are tested, and what differs with random numbers, is in
# [What works where](../works_where.md#more-than-one-device).
#
# `TangentAnalyzer` and `ReconstructionGrid` take snapshots in every process and write in the first one only.
# `tangent_space` does not split its samples: give each process its own part and its own `path`.
#
# In the API: [`tangent_space`][keras_manifold.tangent_space],
# [`TangentSpace`][keras_manifold.TangentSpace].
