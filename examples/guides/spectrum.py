# ---
# description: "How many directions does an autoencoder follow? Reading the singular values of a Jacobian, checked on manifolds of known dimension."
# ---

# %% [markdown]
# # Reading a spectrum
#
# *How many of the tangent vectors matter?*
#
# A code of six numbers can use six directions, or two. The singular values of the Jacobian
# tell which: a large one is a direction that the model follows, a tiny one is a direction that
# it ignores. Sorted and drawn, they are the **spectrum**.
#
# We begin where the answer is known, and end with digits, where it is not.
#
# ## A circle in twenty dimensions
#
# A circle has one dimension: at each point you can move along one direction only. It lies in a plane, which
# has two, and we put that plane into a space of 20. A little noise makes it like real data.

# %%
import keras
import numpy as np
from sklearn.datasets import load_digits

import keras_manifold as km

circle = km.manifolds.circle(
    1500, radius=3.0, ambient_dim=20, noise=0.05, seed=0
)
x_train, x_test = circle.x[:1200], circle.x[1200:]
circle.x.shape, circle.dimension


# %%
def trained(x, **options):
    keras.utils.set_random_seed(0)
    size = x.shape[1]
    model = km.AutoEncoder.dense(
        size,
        latent_dim=6,
        units=(64, 64),
        activation="gelu",
        output_activation=None,
        **options,
    )
    model.compile(keras.optimizers.Adam(3e-3), loss="mse")
    model.fit(x, epochs=100, batch_size=128, verbose=0)
    return model


models = {
    "plain": trained(x_train),
    "denoising": trained(x_train, noise=km.NoiseInjection("gaussian", 0.5)),
}
spaces = {
    name: km.tangent_space(model, x_test, of="reconstruction")
    for name, model in models.items()
}

# %% alt="Singular values of the two models by index, one to six. The plain curve falls slowly. The denoising curve falls steeply after the first value."
km.plot.spectrum(spaces, title="Jacobian of the reconstruction, circle")

# %% [markdown]
# The line is the median over the test points, the band holds all of them. The denoising model
# falls steeply after the first value: it has found the circle. The plain model uses more
# directions than the circle has: nothing in its loss asks it not to, as it may reconstruct the
# noise of the data too.
#
# Take the Jacobian of the *reconstruction* for this question. An encoder may follow directions
# that its decoder then drops.
#
# ## Four ways to make it a number
#
# With singular values $\sigma_1 \ge \sigma_2 \ge \dots$ and shares
# $p_i = \sigma_i^2 / \sum_j \sigma_j^2$:
#
# | `rule=` | formula | good to know |
# |---|---|---|
# | `"participation_ratio"` | $(\sum \sigma^2)^2 / \sum \sigma^4$ | the default; smooth; large values dominate |
# | `"entropy"` | $\exp(-\sum p \log p)$ | smooth; counts small values a little more |
# | `"gap"` | index before the largest ratio $\sigma_i / \sigma_{i+1}$ | whole numbers; right where there is a clear drop |
# | `"energy"` | how many hold 95 % of $\sum \sigma^2$ | whole numbers; depends on the share |

# %%
rules = ("participation_ratio", "entropy", "gap", "energy")
print("median over the test points; true dimension: 1")
for name, space in spaces.items():
    values = [
        np.median(km.local_dimension(space.singular_values, rule))
        for rule in rules
    ]
    print(
        f"{name:10}",
        "  ".join(
            f"{rule} {value:.1f}" for rule, value in zip(rules, values)
        ),
    )

# %% [markdown]
# All four agree where the spectrum has a clear drop. Where they disagree, there is none, and
# "the dimension" has no sharp meaning: report the spectrum.
#
# Give `local_dimension` *all* singular values (`k=None`). Without the small ones the rules see too few
# directions, or no drop.
#
# ## Are the directions right, too?
#
# The manifold knows its true tangents. The principal angle between them and the leading
# vector is 0° where the model is right, and 90° where it is as wrong as can be.

# %%
for name, space in spaces.items():
    angles = km.principal_angles(space.leading(1), circle.tangents[1200:])
    print(
        f"{name:10} angle to the true tangent, median: "
        f"{np.degrees(np.median(angles[:, -1])):.0f}°"
    )

# %% [markdown]
# [Known truth](../known_truth.md) asks the same of a sphere and a Swiss roll too, with penalties and
# over 500 points. Its models are trained otherwise, and the plain one is far worse there: six
# dimensions of the circle, and an angle of 81°. That is the point: without noise or penalty it is left
# to chance which directions a model follows.
#
# A low dimension alone proves little: a model can follow one direction, and the wrong one. On
# your own data nobody knows the true tangents. Known symmetries take their place.
#
# ## Digits
#
# The dimension is a property of each sample. For handwritten digits it differs from class to
# class and from sample to sample.

# %%
digits = load_digits()
images = (digits.images[..., None] / 16).astype("float32")
keras.utils.set_random_seed(0)
noise = km.NoiseInjection("gaussian", 0.4, clip=(0, 1))
model = km.AutoEncoder.dense(
    (8, 8, 1), latent_dim=16, units=(128,), noise=noise
)
model.compile(keras.optimizers.Adam(2e-3), loss="binary_crossentropy")
model.fit(images[:1500], epochs=30, batch_size=64, verbose=0)
space = km.tangent_space(model, images[1500:], of="reconstruction")
dimension = km.local_dimension(space.singular_values)
for label in range(10):
    of_class = dimension[digits.target[1500:] == label]
    print(f"{label}: {of_class.mean():.1f} ± {of_class.std():.1f}")

# %% [markdown]
# The class means differ little here; samples of one class differ about as much.
#
# These are numbers of *this model*: another noise level gives others. Compare classes, models
# and epochs with them; do not quote one as the dimension of digits.
#
# **Read next:** [Choosing noise and penalty](choosing_noise_and_penalty.md). In the API:
# [`local_dimension`][keras_manifold.local_dimension],
# [`plot.spectrum`][keras_manifold.plot.spectrum],
# [`manifolds`][keras_manifold.manifolds].
#
# **Reference.** Bac et al. (2021), Scikit-dimension: a Python package for intrinsic dimension
# estimation, Entropy 23: estimators that need no model, only points.
