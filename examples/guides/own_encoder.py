# ---
# description: "Use your own Keras encoder and decoder, subclassed layers, pretrained models, or any function, with keras_manifold."
# ---

# %% [markdown]
# # Your own encoder
#
# *I have an encoder already. How do I train it, or just look at it, with this package?*
#
# ## To train: put both halves into `AutoEncoder`
#
# Any two Keras layers or models will do: functional, sequential or subclassed. The encoder maps
# `(batch, *input_shape)` to codes, the decoder maps codes back. Compile and fit as ever.

# %%
import tempfile
from pathlib import Path

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits

import keras_manifold as km

keras.utils.set_random_seed(0)
x = (load_digits().images[..., None] / 16).astype("float32")
x_train, x_test = x[:1500], x[1500:]

image = keras.Input((8, 8, 1))
hidden = layers.Conv2D(16, 3, strides=2, padding="same")(image)
hidden = layers.BatchNormalization(momentum=0.9)(hidden)
hidden = layers.Activation("gelu")(hidden)
code = layers.Dense(8)(layers.Flatten()(hidden))
encoder = keras.Model(image, code)

decoder = keras.Sequential(
    [
        keras.Input((8,)),
        layers.Dense(4 * 4 * 16, activation="gelu"),
        layers.Reshape((4, 4, 16)),
        layers.Conv2DTranspose(
            1, 3, strides=2, padding="same", activation="sigmoid"
        ),
    ]
)

model = km.AutoEncoder(encoder, decoder, contractive_penalty=0.01)
model.compile("adam", loss="binary_crossentropy")
history = model.fit(
    x_train, validation_data=x_test, epochs=10, batch_size=64, verbose=0
)
for name, values in history.history.items():
    print(
        f"{name:28} {values[0]:.3f} after 1 epoch, {values[-1]:.3f} after 10"
    )

# %% [markdown]
# BatchNormalization mixes the samples of a batch while it trains. Penalty and tangent vectors
# are those of the model in inference mode, where it does not.
#
# ## To look: `tangent_space` takes nearly anything
#
# | you have | call |
# |---|---|
# | an object with `.encoder` and `.decoder` | `km.tangent_space(model, x)` |
# | a Keras encoder, trained elsewhere | `km.tangent_space(encoder, x)` |
# | a Keras decoder, and codes | `km.tangent_space(decoder, codes, of="decoder")` |
# | a function from a batch to codes | `km.tangent_space(function, x)` |
# | a function that is no encoder | `km.jacobian(function, x)` |

# %%
print("model:   ", km.tangent_space(model, x_test, k=4).vectors.shape)
print("encoder: ", km.tangent_space(encoder, x_test, k=4).vectors.shape)
codes = model.encode(x_test)
print(
    "decoder: ",
    km.tangent_space(decoder, codes, of="decoder", k=4).vectors.shape,
)
print(
    "function:",
    km.tangent_space(lambda x: encoder(x)[:, :4], x_test).vectors.shape,
)

# %% [markdown]
# A function is compiled at each call, a Keras layer once. It must be made of operations of
# Keras or of the backend, not of NumPy: NumPy has no derivatives.
#
# ## A layer inside a classifier
#
# The same calls say what a *classifier* looks at. Cut a model where you want to look:

# %% alt="The four strongest tangent vectors of a classifier's hidden layer at one digit, as red and blue pictures."
labels = load_digits().target
classifier = keras.Sequential(
    [
        keras.Input((8, 8, 1)),
        layers.Flatten(),
        layers.Dense(32, activation="gelu", name="features"),
        layers.Dense(10, activation="softmax"),
    ]
)
classifier.compile("adam", loss="sparse_categorical_crossentropy")
classifier.fit(x_train, labels[:1500], epochs=10, verbose=0)
features = keras.Model(
    classifier.inputs, classifier.get_layer("features").output
)
space = km.tangent_space(features, x_test, k=4)
km.plot.tangents(space, index=0, images=x_test)

# %% [markdown]
# ## What is refused, and why
#
# A Jacobian of one sample makes sense only if the other samples of the batch do not matter. A
# function that breaks this rule is refused, with the size of the effect:


# %%
def centred(x):
    return encoder(x) - keras.ops.mean(encoder(x), axis=0)


try:
    km.tangent_space(centred, x_test)
except ValueError as error:
    print(error)

# %% [markdown]
# ## Codes that are feature maps
#
# A convolutional encoder without a `Flatten` or pooling layer at its end has codes that are images.
# They count as flattened, and often there are more of them than inputs. For a code of one number
# per channel, put `layers.GlobalAveragePooling2D()` at the end: what moves about in the image then
# leaves the code as it is. Or give `k`, and only the strongest directions are computed.

# %%
maps = keras.Model(image, hidden)
pooled = keras.Model(image, layers.GlobalAveragePooling2D()(hidden))
for name, end in {"maps": maps, "pooled": pooled}.items():
    print(f"{name}:", end.output_shape[1:], km.tangent_space(end, x_test[:8]))

# %% [markdown]
# ## Saving
#
# An `AutoEncoder` saves and loads as every Keras model. Layers of your own must be registered
# with Keras, as for any file.

# %%
file = Path(tempfile.mkdtemp()) / "model.keras"
model.save(file)
loaded = keras.saving.load_model(file)
difference = loaded.predict(x_test, verbose=0) - model.predict(
    x_test, verbose=0
)
print("largest difference of a pixel:", np.abs(difference).max())

# %% [markdown]
# **Read next:** [Beyond one machine](beyond_one_machine.md). Which kinds of layers work on which
# backend: [What works where](../works_where.md). In the API:
# [`AutoEncoder`][keras_manifold.AutoEncoder],
# [`tangent_space`][keras_manifold.tangent_space], and Keras's
# [`keras.Model`][], [`keras.layers.BatchNormalization`][].
