# ---
# description: What noise in training does to the code of an autoencoder, shown on real digits.
# ---

# %% [markdown]
# # Denoising
#
# *What does an autoencoder learn from noise that it does not learn without?*
#
# An autoencoder with a wide enough code can copy its input, dust and all. A **denoising**
# autoencoder cannot: its input is corrupted, and its target is the clean sample. To tell
# the two apart it must know what samples look like (Vincent et al. 2008).
#
# Here we train one model with noise and one without, on the same digits, and compare what
# they do and which directions their codes follow.
#
# ## The data

# %%
import keras
import numpy as np
from sklearn.datasets import load_digits

import keras_manifold as km

x = (load_digits().images[..., None] / 16).astype("float32")
x = np.random.default_rng(0).permutation(x)
x_train, x_test = x[:1500], x[1500:]
x_train.shape, x_test.shape

# %% [markdown]
# Pixels lie between 0 and 1. That matters: the level of the noise is in the same unit.
#
# ## The noise
#
# `NoiseInjection` is a Keras layer. `"gaussian"` adds a normal random number to each pixel;
# 0.4 is its standard deviation. `clip` keeps the result in the range of the pixels.
#
# $$\tilde{x} = \min(\max(x + \epsilon, 0), 1), \qquad \epsilon \sim \mathcal{N}(0, 0.4^2 I)$$

# %% alt="Ten handwritten digits and below each the same digit with noise. Most can still be read."
keras.utils.set_random_seed(0)
noise = km.NoiseInjection("gaussian", 0.4, clip=(0, 1))
noisy = keras.ops.convert_to_numpy(noise(x_test, training=True))
km.plot.image_grid([x_test[:10], noisy[:10]], row_labels=["clean", "noisy"])

# %% [markdown]
# There are two more kinds: `"masking"` sets a share of the pixels to 0, `"salt_and_pepper"`
# sets a share to the lowest or the highest value.
#
# ## Two models
#
# They differ in one argument. `fit(x)` needs no target: it is the batch itself, before the
# noise. Binary cross-entropy suits pixels in [0, 1].


# %%
def trained(**options):
    keras.utils.set_random_seed(0)
    model = km.AutoEncoder.dense(
        (8, 8, 1), latent_dim=16, units=(128,), **options
    )
    model.compile(keras.optimizers.Adam(2e-3), loss="binary_crossentropy")
    history = model.fit(
        x_train, validation_data=x_test, epochs=40, batch_size=64, verbose=0
    )
    return model, history


plain, plain_history = trained()
denoising, denoising_history = trained(noise=noise)

# %% alt="Loss by epoch. Without noise both curves fall together. With noise the training loss stays far above the validation loss."
histories = {"plain": plain_history, "denoising": denoising_history}
km.plot.learning_curves(histories, keys=["loss"])

# %% [markdown]
# The training loss of the denoising model is higher, and its validation loss lower than its
# training loss. Nothing is wrong: only training sees noise. To judge a denoising model by
# what it is for, validate on noisy images with clean targets:
# `validation_data=(noisy, x_test)`.
#
# ## What they make of noisy digits

# %% alt="Noisy digits and their reconstructions. The plain model keeps much of the noise; the denoising model returns clean digits."
km.plot.image_grid(
    [
        x_test[:10],
        noisy[:10],
        plain.predict(noisy[:10], verbose=0),
        denoising.predict(noisy[:10], verbose=0),
    ],
    row_labels=["clean", "noisy", "plain", "denoising"],
)

# %%
for name, model in {"plain": plain, "denoising": denoising}.items():
    error = model.predict(noisy, verbose=0) - x_test
    print(
        f"{name:10} root mean square error, noisy to clean: {np.sqrt((error**2).mean()):.3f}"
    )

# %% [markdown]
# ## What their codes follow
#
# The tangent vectors of the encoder are the directions in pixel space to which the code
# responds most. [Tangent vectors, step by step](tangents_step_by_step.md) says how
# they are computed.

# %% alt="The eight strongest tangent vectors at one digit. Those of the plain model are speckled. Those of the denoising model show strokes that move or change."
spaces = {
    "plain": km.tangent_space(plain, x_test, k=8),
    "denoising": km.tangent_space(denoising, x_test, k=8),
}
km.plot.tangents(spaces, index=2, images=x_test)

# %% [markdown]
# The plain code responds to speckle. The denoising code has learned to ignore it, and what
# is left are changes that digits make: strokes that shift and turn.
#
# We can put a number on that. When an image shifts by a pixel, it changes along a known
# direction. Which share of its squared length lies within the span of the eight tangent vectors?
# A random direction would have $8 / 64 = 12.5\,\%$.

# %%
known = km.symmetries.image_tangents(
    x_test, ["shift_y", "shift_x", "rotation", "thickness"]
)
for name, space in spaces.items():
    shares = km.captured_energy(space, known).mean(axis=0)
    print(
        f"{name:10} down {shares[0]:.0%}   right {shares[1]:.0%}   "
        f"turn {shares[2]:.0%}   thicker {shares[3]:.0%}"
    )

# %% [markdown]
# Shifts and turns are followed far above chance by the denoising code. Thickness is hardly
# followed by either.
#
# ## Why it works
#
# For small Gaussian noise and squared error, the best reconstruction function $r$ points to
# where data are dense (Alain and Bengio 2014):
#
# $$r(x) - x \approx \sigma^2 \, \nabla \log p(x)$$
#
# Off the manifold of the data that is a step back towards it. Along the manifold $p$ changes
# little, and $r$ leaves such changes alone. So the Jacobian of $r$ is close to a projection on
# the tangent space: this is why noise makes tangent vectors better.
#
# **Read next:** [Contraction](contraction.md), the same idea as a penalty;
# [Choosing noise and penalty](choosing_noise_and_penalty.md), how much of it.
# In the API: [`NoiseInjection`][keras_manifold.NoiseInjection],
# [`AutoEncoder`][keras_manifold.AutoEncoder].
#
# **References.** Vincent, Larochelle, Bengio and Manzagol (2008), Extracting and composing
# robust features with denoising autoencoders, ICML. Alain and Bengio (2014), What regularized
# auto-encoders learn from the data-generating distribution, JMLR.
