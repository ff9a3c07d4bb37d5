# ---
# description: The field, the score and the dimension that a denoising autoencoder has learned, with what it does not know.
# ---

# %% [markdown]
# # What a denoiser knows
#
# *What can one ask a denoising autoencoder, beyond clean samples?*
#
# A model that removes noise has to know where samples lie. The best denoiser $r$ of Gaussian
# noise of standard deviation $\sigma$ satisfies $r(x) - x = \sigma^2 \nabla \log p_\sigma(x)$
# (Alain and Bengio 2014), with $p_\sigma$ the density of the data with that noise. So the arrow
# from a sample to its clean version points to where samples are denser: back to the manifold.
#
# ## The field
#
# Two models learn a circle, one without noise and one with.

# %%
import warnings

import keras
import numpy as np
from sklearn.datasets import load_digits

import keras_manifold as km

circle = km.manifolds.circle(4000, noise=0.02, seed=0)


def trained(x, noise, epochs=50):
    keras.utils.set_random_seed(0)
    model = km.AutoEncoder.dense(
        x.shape[1], 128, units=(128,), output_activation=None, noise=noise
    )
    rate = keras.optimizers.schedules.CosineDecay(
        3e-3, epochs * len(x) // 128
    )
    model.compile(keras.optimizers.Adam(rate), loss="mse")
    model.fit(x, epochs=epochs, batch_size=128, verbose=0)
    return model


plain = trained(circle.x, None)
denoising = trained(circle.x, km.NoiseInjection("gaussian", 0.2))

# %% alt="Arrows on a grid around a circle, for two models. Those of the plain model are of no common direction and short; those of the denoising model point to the circle from both sides."
km.plot.denoising_field(
    {"plain": plain, "denoising": denoising}, circle.x[:500]
)

# %% [markdown]
# The plain model copies what it is given: its arrows are short and tell nothing. The denoising
# one points to the circle. **Far from the data the arrows mean nothing**: the network has seen
# samples within some $\sigma$ of the circle only.
#
# ## The score
#
# `score` divides the arrow by $\sigma^2$. It reads $\sigma$ from the model's noise, and refuses
# noise for which the formula does not hold (masking, clipped, of many levels). The true score
# of a circle under noise is known, so we can hold the learned one against it, at noisy samples.

# %%
stddev = 0.2
noisy = circle.x[:1000] + stddev * np.random.default_rng(0).normal(
    size=(1000, 2)
)
turns = 2 * np.pi * np.arange(720) / 720
points = np.stack([np.cos(turns), np.sin(turns)], axis=-1)
log_shares = -((noisy[:, None] - points) ** 2).sum(-1) / (2 * stddev**2)
shares = np.exp(log_shares - log_shares.max(axis=1, keepdims=True))
true = (
    shares @ points / shares.sum(axis=1, keepdims=True) - noisy
) / stddev**2

learned = km.score(denoising, noisy)
lengths = np.linalg.norm(true, axis=1)
cosine = (learned * true).sum(axis=1) / (
    np.linalg.norm(learned, axis=1) * lengths
)
is_long = lengths > 0.5 / stddev  # shorter ones have hardly a direction
angles = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
f"angle to the true score: median {np.median(angles[is_long]):.1f}°, 90 % below {np.quantile(angles[is_long], 0.9):.1f}°"

# %% [markdown]
# ## The dimension, over scales
#
# A denoiser removes the noise across the manifold and keeps the noise along it. The share that
# it keeps is the dimension. This needs a model that knows noise of every scale that is asked
# for: `level=(low, high)` draws a level for each sample.

# %% alt="Three curves of dimension against the standard deviation of the noise, with bands, and a dashed line at 2."
sphere = km.manifolds.sphere(4000, ambient_dim=10, seed=0)
levels = trained(sphere.x, km.NoiseInjection("gaussian", (0.05, 0.5)))
stddevs = np.geomspace(0.05, 0.5, 7)
curves = {
    estimator: km.dimension_curve(
        levels, sphere.x[:100], stddevs, estimator=estimator, draws=16, seed=0
    )
    for estimator in ("stein", "flipd", "loss")
}
km.plot.dimension_curve(curves, dimension=sphere.dimension)

# %%
{
    name: round(float(np.median(curve.plateau())), 2)
    for name, curve in curves.items()
}

# %% [markdown]
# The sphere has dimension 2. [Oracles](../oracles.md) has the same for three more manifolds, beside
# other estimators, **and one that fails**: of a Swiss roll, of dimension 2, such a network says 2.3 to
# 2.6. Read the curve, not one number:
#
# - **below the spacing of the training samples** networks are wrong, and not all in one direction: of a
#   sphere of dimension 5, whose 4,000 samples lie 0.25 apart, `"flipd"` says 5.9 at $\sigma = 0.05$ and
#   `"loss"` 5.7, too many, and `"stein"` 4.6, too few;
# - **at large scales** the sphere looks like a ball and then like a point, and `"stein"` and
#   `"loss"` fall; `"stein"` is low already before, 1.8 of 2 at all scales up to 0.17;
# - `"flipd"` is exact for a given network and noisy where the network is.
#
# **A model of one level is wrong at another**, and `dimension_curve` warns:

# %%
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    km.dimension_curve(denoising, circle.x[:10], [0.05, 0.2], draws=2)
next(text for w in caught if "was trained" in (text := str(w.message)))

# %% [markdown]
# Real images need not have a plateau at all. Digits of 8×8 pixels:

# %% alt="A curve of dimension of digits that falls at all scales, without a plateau."
digits = (load_digits().images / 16).reshape(-1, 64).astype("float32")
of_digits = trained(digits, km.NoiseInjection("gaussian", (0.05, 0.5)))
curve = km.dimension_curve(of_digits, digits[:100], stddevs, draws=16, seed=0)
km.plot.dimension_curve(curve)

# %% [markdown]
# The curve falls all the way: the number depends on the scale, and any single one would be
# arbitrary.
#
# ## Samples
#
# `sample` runs chains that the denoiser keeps near the manifold. We begin 300 of them at one
# point of the circle. A chain that stands still is close to the manifold, too: look at how far
# the chains are off **and** at how evenly they cover it (Kolmogorov-Smirnov distance of the
# angles from uniform ones, 0.5 or more for a single point).


# %%
def off_and_uncovered(samples):
    angles = np.sort(
        np.arctan2(samples[:, 1], samples[:, 0]) / (2 * np.pi) % 1
    )
    ranks = np.arange(len(angles)) / len(angles)
    off = np.abs(np.linalg.norm(samples, axis=1) - 1).mean()
    return f"off {off:.3f}, uncovered {np.abs(angles - ranks).max():.3f}"


start = np.repeat(circle.x[:1], 300, axis=0)
for method in ("tangent", "denoising", "langevin"):
    found = km.sample(denoising, start, 100, method=method, seed=0, verbose=0)
    print(f"{method:10}", off_and_uncovered(found))
print("standing  ", off_and_uncovered(start))

# %% [markdown]
# `"tangent"`, the default, moves along the learned tangents only, so that it can take long steps.
#
# With smaller noise the others fall behind: the [Oracles](../oracles.md) page has circle and sphere
# at $\sigma = 0.1$, with three trainings each.
#
# And images? The same three methods on digits, `"tangent"` with two lengths of its steps: 1,000 images
# for training, chains begun at noise, beside what one would hope for (held-out images), and what one
# has to beat (copies of the training images, a mixture of Gaussians, noise). `python benchmarks/denoisers.py samples` writes the table.
#
# --8<-- "benchmarks/results/denoisers_samples.md:7"
#
# `"tangent"` covers the most of the data among the three and gives up some precision for it, and its
# samples are as close to the training images as those of `"denoising"`; the samples of `"langevin"` are
# the farthest from them, as far as held-out images. **The `"denoising"` chain collapses**: its precision
# is 1.00 and its recall 0.25 (0.17 to 0.29), so all its samples look right, and three quarters of the test
# images have none near them. With 0 for `output_stddev` it narrows to where data are densest.
#
# **No chain covers digits as held-out images do, and a mixture of 20 Gaussians covers more**, with more
# samples that are no digits. None of them is a generator of sharp new
# images: for that, use a diffusion model.
