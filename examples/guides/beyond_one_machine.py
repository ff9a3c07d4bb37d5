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
# Samples that are on disk are read batch by batch, by `fit`, `evaluate`, `tangent_space` and
# `reconstruction_errors` alike, and memory holds a few batches at a time:
#
# | Data | What to pass |
# |---|---|
# | a file of NumPy | `np.load("x.npy", mmap_mode="r")` |
# | HDF5 | `h5py.File("x.h5")["x"]` |
# | Zarr | `zarr.open_array("x.zarr")` |
# | dask | the array |
# | Parquet and Arrow, through Hugging Face's `datasets` | `dataset.select_columns("pixels")`, a table of one column |
# | ... streamed, as an `IterableDataset` | `dataset.with_format("numpy").batch(64)`, to all but `fit` |
# | anything else | `tf.data.Dataset`, `PyDataset`, torch `DataLoader`, generators of batches |
#
# **How they are shuffled.** Of samples on disk, `fit` shuffles the order of the batches and the
# samples within each, as neighbors on disk are read at once. Which samples share a batch stays as it is:
# if a file is sorted, by class for instance, shuffle it once when you write it. A `tf.data.Dataset` shuffles as
# you told it to. On TensorFlow, Keras itself would load all of an array; here it does not. `predict` is
# Keras's own and does.
#
# **What stays in memory.** Results do, unless they have a `path`, see below.
# [`distances`][keras_manifold.distances] reads all codes, as its matrix is larger than they are.
#
# Here a generator makes batches as they are needed:


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
# A folder that holds another run is refused, so that results of two models never mix.
#
# Training resumes by Keras's own [`keras.callbacks.BackupAndRestore`][]. It works as it is: the states
# of random numbers are in the file too.
#
# ## Parts of a run, on several processes or machines
#
# Processes that share a folder take a part each, `part=(i, n)`, with i from 0:

# %%
shared = Path(tempfile.mkdtemp()) / "tangents"
for i in range(3):  # three processes elsewhere
    km.tangent_space(model, x_test, k=8, path=shared, part=(i, 3), verbose=0)
joined = km.TangentSpace.load(shared)
alone = km.tangent_space(model, x_test, k=8, verbose=0)
print(joined)
print("the same bits:", np.array_equal(joined.vectors[:], alone.vectors))

# %% [markdown]
# Parts are contiguous, and cut between batches. Each goes on by itself if it was cut off, and has
# a lock of its own. `load` names those that are missing or unfinished. Another `n`, other arguments and another
# model are refused by name, and so are other samples where one of those that are compared differs: 64 of an
# array, the first batch of a data set. The bits are those of one process where all run on processors of one kind
# and with as many threads, and batches are of one size but for the last.
#
# A data set must bring the same batches in the same order to every process. Each part reads it from its
# beginning, so that arrays, on disk or not, and `PyDataset` suit parts better.
#
# **An array of jobs** under Slurm, which is no more than that:
#
# ```bash
# sbatch --array=0-63 --wrap 'python tangents.py'
# ```
#
# ```python
# part = int(os.environ["SLURM_ARRAY_TASK_ID"]), int(os.environ["SLURM_ARRAY_TASK_COUNT"])
# km.tangent_space(model, x, k=8, path="/scratch/me/tangents", part=part)
# ```
#
# **Several GPUs**: one process per device, each with a part, such as
# `CUDA_VISIBLE_DEVICES=0 python tangents.py 0 4`.
#
# **A Dask cluster** starts parts that failed again, as often as it is told, and shows what runs. `python examples/cluster/parts.py` maps
# parts over two workers of this machine, and over those of a cluster with `--scheduler
# tcp://HOST:8786`:
#
# ```python
# client = dask.distributed.Client("tcp://HOST:8786")  # or LocalCluster(n_workers=2)
# client.gather([client.submit(part_of_run, i, n, retries=3) for i in range(n)])
# ```
#
# Here `part_of_run(i, n)` is a function of yours that loads the model and calls `tangent_space`. A worker that
# was given up but still runs holds the lock of its part: whoever starts that part meanwhile gets
# `BlockingIOError`.
#
# The folder must be on a file system whose locks hold for all machines; Lustre's do where it is mounted with
# `flock`, not with `localflock`.
#
# **An object store** works too, by an address that [fsspec](https://filesystem-spec.readthedocs.io) knows, with
# `pip install keras_manifold[remote]` and what the store needs:
#
# ```python
# km.tangent_space(model, x, k=8, path="s3://bucket/tangents", part=part)  # pip install s3fs
# space = km.TangentSpace.load("s3://bucket/tangents")
# ```
#
# Runs go on and parts are joined as in a folder. Object stores have no locks: take care that no two processes
# write the same part at once, and begin one part before the others. Parts of different models that began at the
# same moment are seen when they are loaded. Credentials and endpoints are those of fsspec's configuration.
#
# ## Results of a million samples
#
# `load` reads nothing but names and shapes. `space[5:8]` reads these samples,
# [`local_dimension`][keras_manifold.local_dimension] some at a time, and figures those that they show:
# [`plot.spectrum`][keras_manifold.plot.spectrum] at most 100,000, spread evenly. `save` and `leading`
# need all in memory.
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
# `tangent_space` splits each batch over the devices of its process, where `keras.distribution` is set.
# Give each of several processes its part, as above.
#
# In the API: [`tangent_space`][keras_manifold.tangent_space],
# [`TangentSpace`][keras_manifold.TangentSpace].
