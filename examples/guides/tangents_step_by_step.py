# ---
# description: "From the Jacobian of an encoder to its singular vectors to a picture, with every formula and every line of code."
# ---

# %% [markdown]
# # Tangent vectors, step by step
#
# *How does one get from a trained encoder to a picture of its tangent vectors, and what does
# the picture mean?*
#
# This guide does by hand what `km.tangent_space` does in one call, and checks each step.
#
# ## A model to look at

# %%
import keras
import numpy as np
from sklearn.datasets import load_digits

import keras_manifold as km

keras.utils.set_random_seed(0)
x = (load_digits().images[..., None] / 16).astype("float32")
x = np.random.default_rng(0).permutation(x)
noise = km.NoiseInjection("gaussian", 0.4, clip=(0, 1))
model = km.AutoEncoder.dense(
    (8, 8, 1), latent_dim=16, units=(128,), noise=noise
)
model.compile(keras.optimizers.Adam(2e-3), loss="binary_crossentropy")
history = model.fit(x[:1500], epochs=40, batch_size=64, verbose=0)

# %% [markdown]
# ## 1. The Jacobian
#
# The encoder $f$ maps an image $x$ of $8 \times 8 = 64$ pixels to a code of 16 numbers. Its
# Jacobian says how each number of the code answers to each pixel:
#
# $$J_{ij} = \frac{\partial f_i}{\partial x_j}, \qquad f(x + d) \approx f(x) + J d$$
#
# for a small change $d$ of the image.

# %%
image = x[1500:1501]
jacobian = km.jacobian(model.encoder, image)
jacobian.shape  # samples, code, then the shape of an image

# %% [markdown]
# Each row of $J$ has the shape of an image. It is the gradient of one entry of the code:

# %% alt="Sixteen small pictures, one for each entry of the code. Each shows red and blue strokes: the pixels that raise and lower that entry."
km.plot.image_grid(
    [jacobian[0, :8], jacobian[0, 8:]],
    signed=True,
    row_labels=["code 1 to 8", "code 9 to 16"],
)

# %% [markdown]
# Is it right? Compare with finite differences: move one pixel by a little, and see how far the
# code moves.

# %%
step = np.zeros_like(image)
step[0, 3, 4, 0] = 1e-3
codes = [
    keras.ops.convert_to_numpy(model.encode(image + s)) for s in (step, -step)
]
by_differences = (codes[0] - codes[1])[0] / 2e-3
print("by differences", by_differences[:4].round(2))
print("the Jacobian  ", jacobian[0, :4, 3, 4, 0].round(2))

# %% [markdown]
# ## 2. The singular value decomposition
#
# The rows of $J$ depend on how the code happens to be turned: another training run has other
# rows. The singular value decomposition asks a better question. Along which directions of the
# *image* does the code move most?
#
# $$J = U \Sigma V^\top = \sum_i \sigma_i \, u_i v_i^\top, \qquad J v_i = \sigma_i u_i$$
#
# - $v_i$ are directions in image space, at right angles to one another and of length 1. These
#   are the **tangent vectors**.
# - $u_i$ are the matching directions in code space.
# - $\sigma_i \ge 0$ says how far the code moves for one unit along $v_i$.
#
# There are at most 16 of them, as many as the code has entries. A small step along one of the
# other $64 - 16 = 48$ directions leaves the code where it is, to first order: the encoder is blind
# to them.

# %%
u, sigma, vt = np.linalg.svd(jacobian[0].reshape(16, 64), full_matrices=False)
print("singular values")
print(sigma.round(2))

# %% [markdown]
# The first tangent vector moves the code by $\sigma_1$ along $u_1$. Check it with a small step
# $t$ of $0.01$:

# %%
t = 0.01
moved = keras.ops.convert_to_numpy(
    model.encode(image + t * vt[0].reshape(image.shape))
)
unmoved = keras.ops.convert_to_numpy(model.encode(image))
print("the code moved by ", (moved - unmoved)[0, :4].round(4))
print("t × sigma × u says", (t * sigma[0] * u[:, 0])[:4].round(4))

# %% [markdown]
# ## 3. The picture
#
# A tangent vector has the shape of an image, so it can be drawn as one. Its sign is free:
# $v_i$ and $-v_i$ are the same direction. The package makes the entry of largest magnitude
# positive, so that the same input gives the same picture.
#
# One call does all three steps, for any number of images:

# %%
space = km.tangent_space(model, x[1500:], k=8)
space.vectors.shape, space.singular_values.shape, space.code_vectors.shape

# %% alt="One digit and its eight strongest tangent vectors, each above its singular value. Red pixels grow brighter and blue ones darker along the vector."
km.plot.tangents(space, index=0, images=x[1500:])

# %% [markdown]
# Red pixels grow brighter along the vector, blue ones darker. A stroke that is red on one side
# and blue on the other moves towards the red. The number is the singular value.
#
# Does it agree with what we did by hand? Signs aside, yes:

# %%
ours = space.vectors[0].reshape(8, 64)
print(
    "singular values differ by",
    f"{np.abs(space.singular_values[0] - sigma[:8]).max():.0e}",
)
print(
    "vectors agree, |v · v'|: ",
    np.abs(np.sum(ours * vt[:8], axis=1)).round(4),
)

# %% [markdown]
# ## 4. Walking along a tangent
#
# The straight line $x + t v$ leaves the manifold sooner or later. The autoencoder's
# reconstruction $g(f(x + t v))$ brings each point back to what the model has learned. $t$ is the
# Euclidean length of the change: 1 is one pixel from black to white, or many pixels by a little.

# %% alt="Three pairs of rows. In each, the upper row shows the digit with more and more of a tangent vector added, the lower row the reconstructions, which stay closer to digits."
km.plot.walk(space, x[1500:], model=model, index=0)

# %% [markdown]
# ## 5. Whose tangent vectors?
#
# There are three Jacobians, and three answers:
#
# | `of=` | Jacobian | tangent vectors | what they say |
# |---|---|---|---|
# | `"encoder"` | code by input | right singular vectors | which changes of the image the code sees |
# | `"decoder"` | reconstruction by code | left singular vectors | where the reconstruction can go |
# | `"reconstruction"` | reconstruction by input | right singular vectors | which changes come through |
#
# All that the decoder can produce is the learned manifold, and its tangent vectors lie along it. The
# encoder's say how the code is *read* from an image, which need not be along the directions in
# which the image is *written*. Principal angles measure how far two spaces are apart: 0° where
# they share a direction, 90° where a direction of one is at right angles to all of the other.

# %%
for of in ("decoder", "reconstruction"):
    other = km.tangent_space(model, x[1500:], of=of, k=8)
    angles = np.degrees(km.principal_angles(space, other)).mean(axis=0)
    print(f"encoder and {of}, mean principal angles in degrees:")
    print(angles.round(0))

# %% [markdown]
# Two spaces of eight dimensions have eight angles. Encoder and reconstruction share their first
# directions. Encoder and decoder are further apart. On manifolds whose tangents are known, count
# directions by the reconstruction. For the directions themselves compare it with the decoder, which
# is closer on some manifolds and far off at some points of others: see
# [Known truth](../known_truth.md).
#
# **Read next:** [Reading a spectrum](spectrum.md), how many of them matter;
# [How it works](../how_it_works.md), how they are computed for large models. In the API:
# [`jacobian`][keras_manifold.jacobian],
# [`tangent_space`][keras_manifold.tangent_space],
# [`principal_angles`][keras_manifold.principal_angles].
#
# **Reference.** Rifai, Dauphin, Vincent, Bengio and Muller (2011), The manifold tangent
# classifier, NIPS.
