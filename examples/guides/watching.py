# ---
# description: "Watch tangent vectors, spectra and reconstructions while Keras trains, stop by them, and compare runs on one page."
# ---

# %% [markdown]
# # Watching a run
#
# *What is my model learning, while it trains?*
#
# A loss says how well a model reconstructs. It does not say what its code follows. Two callbacks
# look at a few samples at the end of an epoch: `TangentAnalyzer` at the tangent space,
# `ReconstructionGrid` at the reconstructions.

# %%
import tempfile
from pathlib import Path

import keras
from matplotlib.figure import Figure
from sklearn.datasets import load_digits

import keras_manifold as km

x = (load_digits().images[..., None] / 16).astype("float32")
x_train, x_test = x[:1500], x[1500:]
runs = Path(tempfile.mkdtemp())


def trained(name, **options):
    keras.utils.set_random_seed(0)
    model = km.AutoEncoder.dense(
        (8, 8, 1), latent_dim=16, units=(128,), **options
    )
    model.compile(keras.optimizers.Adam(2e-3), loss="binary_crossentropy")
    return model.fit(
        x_train,
        validation_data=x_test,
        epochs=16,
        batch_size=64,
        verbose=0,
        callbacks=[
            km.TangentAnalyzer(
                x_test[:4], k=8, every=4, directory=runs / name
            ),
            km.ReconstructionGrid(x_test[:4], every=4, directory=runs / name),
        ],
    )


histories = {
    "plain": trained("plain"),
    "denoising": trained(
        "denoising", noise=km.NoiseInjection("gaussian", 0.4, clip=(0, 1))
    ),
}

# %% [markdown]
# ## The numbers
#
# `TangentAnalyzer` adds four numbers to what Keras reports. Each is a mean over the watched samples:
#
# | name | is | unit |
# |---|---|---|
# | `tangent_norm` | $\lVert J \rVert_F$, how strongly the code answers to the input | code per input |
# | `tangent_top` | the largest singular value | code per input |
# | `tangent_dimension` | how many directions matter, by the participation ratio | directions |
# | `tangent_drift` | angle between the leading directions now and one snapshot ago | radians |

# %% alt="Four panels by epoch for a plain and a denoising model: tangent norm, dimension, top and drift. The norm of the plain model grows well above that of the denoising one."
km.plot.learning_curves(
    histories,
    keys=[
        "tangent_norm",
        "tangent_dimension",
        "tangent_top",
        "tangent_drift",
    ],
)

# %% [markdown]
# The drift is worth a look. While it is large the model still changes its mind about what matters,
# even where the loss has nearly stopped falling. (With `every=4` the curves are stairs: between two snapshots the last value
# is repeated. The drift is 0 until the second snapshot.)
#
# ## The pictures
#
# With `directory` both callbacks write PNG pictures and NumPy arrays as they go, also before training
# (step 0). Open `index.html` there in a browser, while the model trains or later: a slider goes
# through the epochs, and curves follow it. On this page
#
# - a click or Enter on a picture opens it large, beside its input, with the values of its pixels
#   and its history; of a tangent vector $v$, a slider walks along $x + t v$;
# - a "?" beside each title says what a chart is and how to read it;
# - a click into a curve goes to that snapshot, a drag zooms, and axes may be logarithmic or along
#   wall time;
# - charts are saved as SVG or PNG, tables as CSV, Markdown or LaTeX;
# - the address keeps what is chosen, as in `index.html#epoch=8&sample=3`, so that a link shows it.
#
# `TangentSpace.load` reads the arrays:

# %%
print(
    *sorted(file.name for file in (runs / "denoising").glob("tangent_*")),
    sep="\n",
)

# %% alt="The eight strongest tangent vectors of one digit before training, after four and after sixteen epochs. They begin as speckle and become strokes."
steps = {
    f"epoch {step}": km.TangentSpace.load(
        runs / "denoising" / f"tangent_space_{step:04d}.npz"
    )
    for step in (0, 4, 16)
}
km.plot.tangents(steps, index=0)

# %% [markdown]
# ## One page for several runs
#
# [`report`][keras_manifold.report] puts the folders of some runs side by side into one HTML
# file, with a slider over the epochs. It needs no server and no network. Runs with the same label
# (`labels=`) are shown as their mean and spread, and a table tells the angles between the last
# tangent spaces and what differs in the setup.

# %%
page = km.report([runs / "plain", runs / "denoising"], runs / "compare.html")
print(page.name, "is there:", page.exists())

# %% [markdown]
# ## Figures for a paper
#
# Every plot takes `ax=`, so that matplotlib lays out the page. A PDF of one column, with its fonts
# in it:
#
# ```python
# import matplotlib
# import matplotlib.pyplot as plt
#
# matplotlib.rcParams.update({"pdf.fonttype": 42, "font.size": 8})
# figure, (top, bottom) = plt.subplots(
#     2, 1, figsize=(3.3, 4), height_ratios=[1, 2], layout="constrained"
# )
# km.plot.tangents(space, k=6, ax=top)
# km.plot.spectrum(space, ax=bottom)
# figure.savefig("figure.pdf")
# ```
#
# ## Stopping by what is seen
#
# The numbers are in Keras's `logs`, so every callback that stands *after* `TangentAnalyzer` in the
# list can use them. This stops once the drift has reached no new minimum for three epochs. Keep
# `every=1` for this: with a larger one the epochs before the second snapshot report a drift of 0, which
# EarlyStopping would take for the best value.
#
# ```python
# callbacks = [
#     km.TangentAnalyzer(x_test[:8]),
#     keras.callbacks.EarlyStopping(monitor="tangent_drift", mode="min", patience=3),
# ]
# ```
#
# ## Batches, and models of any kind
#
# One epoch can be long. With `every=100, unit="batch"` the callbacks take a snapshot every hundred batches.
# And the model need not be an `AutoEncoder`: name the part to look at.
#
# ```python
# km.TangentAnalyzer(x_test[:8], every=100, unit="batch", encoder=my_encoder)
# ```
#
# ## Runs that go on
#
# A run that was killed goes on with Keras's `BackupAndRestore` in the list: epochs, files and
# curves continue where they were. A *new* run does not write into the folder of another one; it
# is refused before its first batch. Pass `overwrite=True` to replace what the run before left, or
# `directory="runs/{time}"` for a new folder each time. `python -m keras_manifold serve runs` lists
# all runs below a folder in a browser.
#
# ## Anywhere else
#
# `log_dir="logs"` writes for TensorBoard, without TensorFlow: numbers, pictures, histograms of
# singular values, and the codes for its projector. In a notebook,
# `sinks=[km.callbacks.NotebookSink()]` shows each figure once and updates it in place.
# `examples/watching.py` also sends a run to Weights & Biases and to MLflow.
#
# A *sink* is any callable that takes a name, a value and a step. A value is a number, a figure or a
# mapping from names to arrays. This one keeps the figures in a list:

# %%
figures = []


def keep_figures(name, value, step):
    if isinstance(value, Figure):
        figures.append(f"{name} at step {step}")


model = km.AutoEncoder.dense((8, 8, 1), latent_dim=4)
model.compile("adam", loss="mse")
watch = km.TangentAnalyzer(x_test[:4], k=4, sinks=[keep_figures])
model.fit(x_train, epochs=1, callbacks=[watch], verbose=0)
print(*figures, sep="\n")

# %% [markdown]
# ## What it costs
#
# A snapshot computes one tangent space of the watched samples, and draws figures if they go anywhere.
# Drawing takes most of the time; for a `directory` it happens beside the training. With `every=4`
# it happens at every fourth epoch. On the disk samples
# are stored once, vectors and reconstructions of all but the last snapshot in half precision, and at
# most 8 pictures of each kind are kept: 200 snapshots of 16 images of 28×28 take 57 MB, see
# [How it works](../how_it_works.md#what-watching-costs). Without `directory`, `log_dir` and `sinks`
# no figure is drawn.
#
# In the API: [`TangentAnalyzer`][keras_manifold.TangentAnalyzer],
# [`ReconstructionGrid`][keras_manifold.ReconstructionGrid],
# [`report`][keras_manifold.report], and Keras's
# [`keras.callbacks.EarlyStopping`][].
