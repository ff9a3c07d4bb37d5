# ---
# description: Which samples are unlike those of the training, by errors, denoising loss and distance off the tangents, beside scikit-learn's detectors.
# ---

# %% [markdown]
# # Is this sample odd?
#
# *Which samples are unlike those that the model was trained with?*
#
# A model that has learned one manifold rebuilds samples of it, and others badly. That gives three
# scores of oddness. We test them where the truth is known: one class of digits is held out of the
# training, and at the end the model meets it among new digits of the others. Three rounds, each
# with another class and seed. Detectors of scikit-learn see the same data.

# %%
import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import LocalOutlierFactor

import keras_manifold as km

images, labels = load_digits(return_X_y=True)
images = (images / 16).astype("float32")
STDDEV = 0.3


def data(held_out, seed):
    """Training samples, samples to judge, and which of these are of the class held out."""
    order = np.random.default_rng(seed).permutation(len(images))
    known = order[labels[order] != held_out]
    odd = order[labels[order] == held_out]
    judged = np.concatenate([known[1200:], odd])
    return images[known[:1200]], images[judged], labels[judged] == held_out


def trained(x, seed, epochs=40):
    keras.utils.set_random_seed(seed)
    model = km.AutoEncoder.dense(
        64, 12, units=(128,), noise=km.NoiseInjection("gaussian", STDDEV)
    )
    rate = keras.optimizers.schedules.CosineDecay(
        3e-3, epochs * len(x) // 128
    )
    model.compile(keras.optimizers.Adam(rate), loss="mse")
    model.fit(x, epochs=epochs, batch_size=128, verbose=0)
    return model


# %% [markdown]
# ## The scores
#
# - **Error**: the mean squared error of the reconstruction, `model.reconstruction_errors(x)`.
#   The norm of the score, $\|r(x) - x\| / \sigma^2$, puts samples into the same order.
# - **Denoising loss**: the same with noise added first, over several draws:
#   `dimension_curve(..., estimator="loss")` at the model's own level.
# - **Off the tangents**: the part of $x - r(x)$ that no tangent of the decoder explains. What lies
#   along the tangents is another sample of the manifold, not an odd one.


# %%
def off_the_tangents(model, x):
    space = km.tangent_space(model, x, of="decoder", k=8, verbose=0)
    rest = x - keras.ops.convert_to_numpy(model(x))
    along = np.einsum("nkd,nd->nk", space.vectors, rest)
    return np.linalg.norm(
        rest - np.einsum("nk,nkd->nd", along, space.vectors), axis=1
    )


def scores_of(x_train, x, seed):
    model = trained(x_train, seed)
    loss = km.dimension_curve(
        model, x, [STDDEV], estimator="loss", draws=16, seed=seed
    )
    pca = PCA(12).fit(x_train)
    factor = LocalOutlierFactor(novelty=True).fit(x_train)
    forest = IsolationForest(random_state=seed).fit(x_train)
    return {
        "error": model.reconstruction_errors(x, verbose=0),
        "denoising loss": loss.dimensions[0],
        "off the tangents": off_the_tangents(model, x),
        "PCA, 12 components": (
            (x - pca.inverse_transform(pca.transform(x))) ** 2
        ).sum(1),
        "LocalOutlierFactor": -factor.score_samples(x),
        "IsolationForest": -forest.score_samples(x),
    }


# %%
found = {}
for seed, held_out in enumerate((1, 4, 8)):
    x_train, x, is_odd = data(held_out, seed)
    for name, scores in scores_of(x_train, x, seed).items():
        quality = (
            roc_auc_score(is_odd, scores),
            average_precision_score(is_odd, scores),
        )
        found.setdefault(name, []).append(quality)

print(
    "area under the ROC curve, and average precision; classes 1, 4, 8 held out\n"
)
for name, qualities in found.items():
    areas, precisions = np.transpose(qualities)
    print(
        f"{name:20}",
        *(f"{a:.2f}" for a in areas),
        "  ",
        *(f"{p:.2f}" for p in precisions),
    )

# %% [markdown]
# 0.5 is chance for the area; for the average precision chance is the share of odd samples, about
# a third. How hard a class is differs more than the scores do. What the table says:
#
# - **`LocalOutlierFactor` is the best detector here**: try it first. It needs no network, and compares
#   pixels with those of the nearest training images.
# - The denoising loss is as good as the error or a little better, at the cost of its draws.
# - **The part off the tangents is on the whole no better than the error**: the idea is tempting,
#   and it does not deliver on these data.
#
# ## More data, more seeds
#
# `python benchmarks/odd_samples.py` asks the same with three seeds for each class, also of
# Fashion-MNIST, whose images have 784 pixels, and of scikit-learn's table of tumours, with two
# detectors of pyod beside:
#
# --8<-- "benchmarks/results/odd_samples.md:3"
#
# Neighbours find the most on both kinds of images, 784 pixels or 64: pyod's `KNN` on digits,
# `LocalOutlierFactor` on Fashion-MNIST. Our scores come next on digits, and are no better than PCA on
# Fashion-MNIST. On the table all but `ECOD` are within four hundredths, `IsolationForest`, which is
# poor at images, ahead. Which score is best depends on what is odd: try several where you know the
# answer.
#
# So **nothing here speaks for an autoencoder as a detector**: neighbours find more, also among images
# of 784 pixels, and PCA as much or nearly. What an autoencoder adds is to say *which part* of a sample is
# odd, which neighbours don't. (The error of PCA does so, too.)
#
# ## Which part is odd
#
# `reduce=False` gives the squared error of every entry: which pixel, which sensor.

# %% alt="Five digits of a class that the model has not seen, their reconstructions, and below in red where the error is largest."
model = trained(x_train, 0)
odd = x[is_odd][:5]
rows = [
    odd,
    keras.ops.convert_to_numpy(model(odd)),
    model.reconstruction_errors(odd, reduce=False),
]
km.plot.image_grid(
    [row.reshape(-1, 8, 8, 1) for row in rows],
    row_labels=["odd", "rebuilt", "error"],
    signed=[False, False, True],  # on a scale of its own
)
