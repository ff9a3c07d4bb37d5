# ---
# description: Shortest paths between codes along what a decoder has learned, and distances measured on it.
# ---

# %% [markdown]
# # Paths and distances
#
# *How far is one code from another, and which way does one go?*
#
# A straight line between two codes may cross a region where there are no data: the decoder
# draws there what no sample looks like. A **geodesic** is the shortest curve as the decoder
# sees it, with steps measured in its outputs.

# %%
import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

import keras_manifold as km

digits = load_digits()
order = np.random.default_rng(0).permutation(len(digits.images))
x = (digits.images / 16).astype("float32")[order][..., None]
labels = digits.target[order]

keras.utils.set_random_seed(0)
model = km.AutoEncoder.dense((8, 8, 1), 2, units=(128, 64), activation="elu")
model.compile(keras.optimizers.Adam(2e-3), "mse")
model.fit(x[:1500], epochs=60, batch_size=64, verbose=0)
codes = keras.ops.convert_to_numpy(model.encode(x[:1500]))

# %% [markdown]
# Of a hundred pairs, take the two whose straight line is longest beside the geodesic.

# %% alt="Two pairs of handwritten digits, each with ten images along the geodesic and ten along the straight line of codes: the straight lines stand still and jump, the geodesics change step by step."
start, stop = np.random.default_rng(1).choice(1500, (2, 100), replace=False)
paths = km.geodesics(model, codes[start], codes[stop], steps=32, verbose=0)
ratios = paths.straight_lengths / paths.lengths
bent = paths[np.argsort(-ratios)[:2]]
km.plot.curves(bent, model, frames=10)

# %% [markdown]
# The numbers are lengths, in units of the decoder's output. Each geodesic goes by steps of one
# size from image to image; the straight line stands still in places and jumps in others.
#
# ## Where they go
#
# The map shows why. It is bright where a step in codes is a large step of the image: the
# straight lines (dashed) climb over such ridges, the geodesics go around. An ellipse is what
# the decoder moves by one length in every direction.

# %% alt="Codes of digits as coloured points over a map that is bright where a step of the code changes the image much; ellipses, and two dashed straight lines beside the geodesics that go around bright ridges."
km.plot.latent_map(model, codes, labels[:1500], curves=bent, x=x[:1500])

# %% [markdown]
# `km.neighbor_preservation` gives the two numbers of the title.
#
# ## When the straight line is enough
#
# Print the ratio before you trust, or pay for, a geodesic.

# %%
print(
    "straight / geodesic:", np.percentile(ratios, [0, 50, 90, 100]).round(3)
)
print(
    "iterations, at most:",
    paths.iterations.max(),
    " converged:",
    paths.converged.sum(),
)

# %% [markdown]
# With more codes learned manifolds are often nearly flat (Shao et al. 2018): the decoder has
# room to lay its data out straight.

# %%
keras.utils.set_random_seed(0)
wide = km.AutoEncoder.dense((8, 8, 1), 16, units=(128, 64), activation="elu")
wide.compile(keras.optimizers.Adam(2e-3), "mse")
wide.fit(x[:1500], epochs=30, batch_size=64, verbose=0)
wide_codes = keras.ops.convert_to_numpy(wide.encode(x[:1500]))
flat = km.geodesics(
    wide, wide_codes[start[:40]], wide_codes[stop[:40]], steps=32, verbose=0
)
print(
    "16 codes:",
    np.percentile(flat.straight_lengths / flat.lengths, [0, 50, 100]).round(
        3
    ),
)

# %% [markdown]
# ## Distances between all samples
#
# `km.distances` joins each code with its nearest neighbors and takes shortest paths over that
# graph, with edges as long as the decoder says. Any estimator that takes
# `metric="precomputed"` can use the matrix. Here: the label of the held-out digits by their
# three nearest neighbors.

# %%
test_codes = keras.ops.convert_to_numpy(model.encode(x[1500:]))
to_train = km.distances(model, codes, test_codes, neighbors=10).T
nearest = np.argsort(to_train, axis=1)[:, :3]
by_decoder = np.array(
    [np.bincount(labels[:1500][row]).argmax() for row in nearest]
)
by_codes = (
    KNeighborsClassifier(3).fit(codes, labels[:1500]).predict(test_codes)
)
print(
    "right, by distances of codes:     ",
    (by_codes == labels[1500:]).mean().round(3),
)
print(
    "right, by distances of the decoder:",
    (by_decoder == labels[1500:]).mean().round(3),
)

# %% [markdown]
# ## A decoder that is flat by training
#
# `km.IsometryPenalty` asks the decoder to stretch all directions alike. Its value is at least
# 1 / d, and 1 / d for a scaled isometry, here 0.5.

# %%
keras.utils.set_random_seed(0)
even = km.AutoEncoder.dense(
    (8, 8, 1),
    2,
    units=(128, 64),
    activation="elu",
    penalties=[km.IsometryPenalty(0.01)],
)
even.compile(keras.optimizers.Adam(2e-3), "mse")
history = even.fit(x[:1500], epochs=60, batch_size=64, verbose=0).history
even_codes = keras.ops.convert_to_numpy(even.encode(x[:1500]))
again = km.geodesics(
    even, even_codes[start], even_codes[stop], steps=32, verbose=0
)
print("relaxed distortion:", round(history["isometry_penalty"][-1], 3))
print(
    "straight / geodesic:",
    (again.straight_lengths / again.lengths).mean().round(3),
)
for name, one in (("without", model), ("with", even)):
    errors = np.square(one.predict(x[1500:], verbose=0) - x[1500:]).mean()
    print(f"held-out error {name} the penalty: {errors:.4f}")

# %% [markdown]
# Further: [`geodesics`][keras_manifold.geodesics] takes decoders that return `(mean, stddev)`
# and ensembles, whose geodesics keep out of regions without data;
# [`exponential`][keras_manifold.exponential] and `Curves.velocities` go along a direction;
# [`project`][keras_manifold.project] finds the codes that really are nearest to a sample.
#
# Five trainings with 16 codes, instead of one: [Oracles](../oracles.md#what-geodesics-buy)
# has how much longer straight lines are, how much distances vary from one training to the next, and
# what a geodesic costs.
