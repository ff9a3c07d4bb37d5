# ---
# description: "First lines for flat vectors, images, a pretrained network, time series and tables: train or take a network, and look at its tangent vectors."
# ---

# %% [markdown]
# # First steps by kind of data
#
# *Which lines do I write for my own kind of data and network?*
#
# Each section stands alone, after these lines. Every plot shows itself as the last line of a cell;
# in a script, call its `show()` or `savefig("tangents.png")`.

# %%
import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits, load_sample_images, load_wine

import keras_manifold as km

keras.utils.set_random_seed(0)
digits = (load_digits().images / 16).astype("float32")  # (1797, 8, 8)

# %% [markdown]
# ## A flat network of your own
#
# Images as rows of numbers: `image_shape=` says how to draw them, in every plot and callback.

# %% alt="A handwritten digit and the eight tangent vectors of a dense network at it, drawn as pictures of eight by eight pixels."
x = digits.reshape(-1, 64)
encoder = keras.Sequential([layers.Dense(64, "gelu"), layers.Dense(8)])
decoder = keras.Sequential([layers.Dense(64, "gelu"), layers.Dense(64)])
model = km.AutoEncoder(encoder, decoder, noise=0.3)
model.compile("adam", "mse")
model.fit(x, epochs=20, verbose=0)
space = km.tangent_space(model, x[:16])
km.plot.tangents(space, image_shape=(8, 8))

# %% [markdown]
# ## A functional network for images
#
# A whole autoencoder of Keras, trained in your own way. It has no `encoder`: take
# `of="reconstruction"`, or cut the encoder out, as
# `keras.Model(whole.input, whole.get_layer("code").output)`.

# %% alt="A handwritten digit and the eight tangent vectors of a convolutional network at it."
x = digits[..., None]
image = keras.Input((8, 8, 1))
hidden = layers.Conv2D(16, 3, 2, "same", activation="gelu")(image)
code = layers.Dense(8, name="code")(layers.Flatten()(hidden))
hidden = layers.Reshape((4, 4, 16))(layers.Dense(256, "gelu")(code))
output = layers.Conv2DTranspose(1, 3, 2, "same")(hidden)
whole = keras.Model(image, output)
whole.compile("adam", "mse")
whole.fit(x, x, epochs=5, verbose=0)
km.plot.tangents(km.tangent_space(whole, x[:16], of="reconstruction", k=8))

# %% [markdown]
# ## A pretrained network
#
# `k` bounds the work: MobileNetV2 has 1,280 codes, of which the three strongest directions are
# looked at. `pooling="avg"` makes one vector of its feature maps; without it codes are feature
# maps of 2 × 2 × 1,280, which count as 5,120 numbers. (With a network at hand take
# `weights="imagenet"`; without, its weights are random, and so are its tangent vectors.)

# %% alt="Two photographs, each with three tangent vectors of MobileNetV2 as coloured pictures."
photos = np.stack(load_sample_images().images).astype("float32")
x = keras.ops.image.resize(photos, (64, 64)) / 127.5 - 1
x = keras.ops.convert_to_numpy(x)
encoder = keras.applications.MobileNetV2(
    (64, 64, 3), include_top=False, weights=None, pooling="avg"
)
space = km.tangent_space(encoder, x, k=3)
km.plot.tangents(space, index=None)

# %% [markdown]
# ## Time series with an LSTM
#
# Samples of shape `(length, channels)` are drawn as curves.

# %% alt="A series of two channels and its first three tangent vectors, as curves."
time = np.linspace(0, 6, 50) + np.random.uniform(0, 6, size=(500, 1))
x = np.stack([np.sin(time), np.cos(time)], axis=-1).astype("float32")
encoder = keras.Sequential([layers.LSTM(16), layers.Dense(4)])
lstm = layers.LSTM(16, return_sequences=True)
decoder = keras.Sequential([layers.RepeatVector(50), lstm, layers.Dense(2)])
model = km.AutoEncoder(encoder, decoder)
model.compile("adam", "mse")
model.fit(x, epochs=5, verbose=0)
space = km.tangent_space(model, x[:16], k=3)
km.plot.tangents(space, channel_names=["sine", "cosine"])

# %% [markdown]
# ## A table
#
# Rows of numbers, on one scale. Each tangent vector says which columns change together.

# %% alt="One wine and its two tangent vectors, as bars by the names of thirteen measurements."
wine = load_wine()
x = (wine.data - wine.data.mean(0)) / wine.data.std(0)
x = x.astype("float32")
model = km.AutoEncoder.dense(
    13, latent_dim=2, units=32, output_activation=None, noise=0.3
)
model.compile("adam", "mse")
model.fit(x, epochs=50, verbose=0)
space = km.tangent_space(model, x)
km.plot.tangents(space, feature_names=wine.feature_names)

# %% [markdown]
# ## Watch any of them
#
# While one of yours trains, hand `fit` a callback: `model.fit(x,
# callbacks=[km.TangentAnalyzer(x[:8], directory="runs/{time}")])`. A model without the attribute
# `encoder` needs `encoder=...`, a model from its inputs to its codes, or `of="reconstruction"`.
# `image_shape=`, `feature_names=` and `channel_names=` go there too. Of a model that is trained
# already, `space.save("space.npz")` keeps what was found.
#
# **Read next:** [Watching a run](watching.md), [Your own encoder](own_encoder.md). In the API:
# [`tangent_space`][keras_manifold.tangent_space],
# [`plot.tangents`][keras_manifold.plot.tangents].
