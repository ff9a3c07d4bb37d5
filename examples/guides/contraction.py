# ---
# description: What a contractive penalty does to an autoencoder, what it costs, and how it is computed.
# ---

# %% [markdown]
# # Contraction
#
# *What does a contractive penalty buy, and what does it cost?*
#
# A **contractive** autoencoder pays for every response of its code to the input (Rifai et al.
# 2011). It keeps the responses that it needs to reconstruct the data, and drops the others.
#
# $$L = \text{loss}(x, g(f(x))) + \lambda \, \|J_f(x)\|_F^2, \qquad
# \|J_f(x)\|_F^2 = \sum_{ij} \left(\frac{\partial f_i}{\partial x_j}\right)^2$$
#
# $f$ is the encoder, $g$ the decoder, $J_f$ the Jacobian of the encoder and $\lambda$ the
# `weight`. The penalty is in squared units of code per squared unit of input.

# %%
import keras
import numpy as np
from sklearn.datasets import load_digits

import keras_manifold as km

x = (load_digits().images[..., None] / 16).astype("float32")
x = np.random.default_rng(0).permutation(x)
x_train, x_test = x[:1500], x[1500:]

# %% [markdown]
# ## Three weights
#
# A number for `contractive_penalty` is its weight. 0 measures the penalty without paying.


# %%
def trained(penalty):
    keras.utils.set_random_seed(0)
    model = km.AutoEncoder.dense(
        (8, 8, 1),
        latent_dim=16,
        units=(128,),
        activation="tanh",
        contractive_penalty=penalty,
    )
    model.compile(keras.optimizers.Adam(2e-3), loss="binary_crossentropy")
    history = model.fit(
        x_train, validation_data=x_test, epochs=30, batch_size=64, verbose=0
    )
    return model, history


models, histories = {}, {}
for weight in (0.0, 0.01, 0.1):
    name = f"weight {weight:g}"
    models[name], histories[name] = trained(weight)

# %% alt="Loss, reconstruction loss and penalty by epoch for three weights. A larger weight has a far smaller penalty, on a logarithmic axis, and a somewhat larger reconstruction loss."
figure = km.plot.learning_curves(
    histories, keys=["loss", "reconstruction_loss", "contractive_penalty"]
)
figure.axes[2].set_yscale("log")
figure

# %% [markdown]
# `loss` is the sum that is minimised. `reconstruction_loss` and `contractive_penalty` are its
# two parts, the latter without the weight. `val_loss` and its parts are the same quantities on the
# validation data.

# %%
spaces = {
    name: km.tangent_space(model, x_test) for name, model in models.items()
}
noise = km.NoiseInjection("gaussian", 0.2, seed=0)
noisy = noise(x_test, training=True)
print("              reconstruction    ‖J‖²   local dimension   code moved")
for name, model in models.items():
    loss = model.evaluate(x_test, verbose=0, return_dict=True)[
        "reconstruction_loss"
    ]
    sigma = spaces[name].singular_values
    codes, moved = (
        keras.ops.convert_to_numpy(model.encode(a)) for a in (x_test, noisy)
    )
    step = (
        np.linalg.norm(moved - codes, axis=1).mean()
        / np.linalg.norm(codes, axis=1).mean()
    )
    print(
        f"{name:12} {loss:14.3f} {(sigma**2).sum(axis=1).mean():9.2f} "
        f"{km.local_dimension(sigma).mean():16.1f} {step:12.0%}"
    )

# %% [markdown]
# The columns: reconstruction loss; penalty a sample; how many directions the code follows; and how
# far noise with a standard deviation of 0.2 on each pixel moves the code, relative to the length of
# the code. A smaller penalty alone could mean that all codes shrank and the decoder grew. That the
# *relative* step falls too says that the code has become less sensitive to noise.
#
# ## Which directions are left

# %% alt="Singular values by index for three weights. With a larger weight the whole curve is lower and falls off more steeply."
km.plot.spectrum(spaces)

# %% [markdown]
# Each singular value is how far the code moves for one unit of input along a tangent vector.
# The penalty is the sum of their squares, $\|J\|_F^2 = \sum_i \sigma_i^2$, so it presses on all
# of them; reconstruction holds up those along which the data vary.

# %% alt="Eight strongest tangent vectors of one digit for three weights. At weight 0.01 they are smoother than at 0. At weight 0.1 the first four are smooth, and the rest, with smaller singular values, are speckled."
km.plot.tangents(spaces, index=2, k=8, images=x_test)

# %% [markdown]
# With the largest weight the first four directions stand out. Behind them the singular values drop
# to a third and less, and the vectors turn to speckle.
#
# ## How it is computed, and what to pick
#
# | `probes=` | what is computed | cost of a step |
# |---|---|---|
# | `1` (the default) | one random direction $u$ for each sample: $\lVert J^\top u \rVert^2$, right on average | up to 17 % more than a plain step of a convolutional network, up to 55 % of a small dense one |
# | `p` | the mean of `p` of them, error smaller by $\sqrt{p}$ | in proportion |
# | `"exact"` | all rows of $J$ | one backward pass for each entry of the code: 3.6 to 5.5 plain steps at 32 codes |
#
# The costs are [measured](../how_it_works.md#what-it-costs_1). Stochastic gradients are random anyway,
# so begin with one probe. For a number that you want to report, take `"exact"`. Both, on the same
# model:

# %%
encoder = models["weight 0.01"].encoder
exact = km.ContractivePenalty(1.0, probes="exact")(encoder, x_test)
print(f"exact:     {float(keras.ops.mean(exact)):.3f}")
for probes in (1, 8):
    penalty = km.ContractivePenalty(1.0, probes=probes, seed=0)
    draws = [
        float(keras.ops.mean(penalty(encoder, x_test))) for _ in range(10)
    ]
    print(
        f"{probes} probe(s): {np.mean(draws):.3f} ± {np.std(draws):.3f}  (10 draws, {len(x_test)} samples)"
    )

# %% [markdown]
# ## Of the code, or of the reconstruction?
#
# `of="code"` is the penalty of Rifai et al.: that of the encoder. A decoder can undo it. With
# `of="reconstruction"` the Jacobian of $g \circ f$ pays, which nothing can undo (Alain and Bengio
# 2014). On manifolds with known tangents the second finds them more reliably:
# see [Known truth](../known_truth.md).
#
# ## Starting gently
#
# A weight that is large from the first step can hold the code constant. Let it grow:
#
# ```python
# warm_up = km.PenaltySchedule(lambda epoch, weight: 0.1 * min(epoch / 10, 1))
# model.fit(x_train, epochs=50, callbacks=[warm_up])
# ```
#
# **Read next:** [Choosing noise and penalty](choosing_noise_and_penalty.md). A longer run over
# six weights is `python examples/contraction.py`. In the API:
# [`ContractivePenalty`][keras_manifold.ContractivePenalty],
# [`PenaltySchedule`][keras_manifold.PenaltySchedule].
#
# **References.** Rifai, Vincent, Muller, Glorot and Bengio (2011), Contractive auto-encoders:
# explicit invariance during feature extraction, ICML. Alain and Bengio (2014), What regularized
# auto-encoders learn from the data-generating distribution, JMLR.
