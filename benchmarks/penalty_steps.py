"""Training steps with a contractive penalty: ours, and as people write it.

Those of others are written twice: as `train_step` of a Keras model, after Keras's guides to
custom steps, and bare, without Keras's loop and, on PyTorch, without its layers.
"""

import numpy as np

WEIGHT = 0.1
TERMS = ("reconstruction_loss", "contractive_penalty")
SAMPLES = {2: 100_000, 4: 20_000}  # of an epoch, of rows and of images


def step_of(way, batch, latent_dim, size):
    """A function that takes one step. `size` is of images, 0 for rows of 784 numbers."""
    shape = (size, size, 1) if size else (784,)
    x = np.random.default_rng(0).uniform(size=(batch, *shape)).astype("float32")
    how, _, name = way.partition(" ")
    if how == "keras":
        return ours(name, x, latent_dim)
    return {"in": in_keras, "bare": bare}[how](name, x, latent_dim)


def autoencoder(x, latent_dim, **options):
    import keras_manifold as km

    if len(x.shape) == 2:
        return km.AutoEncoder.dense(x.shape[1:], latent_dim, units=(256,), **options)
    return km.AutoEncoder.convolutional(x.shape[1:], latent_dim, **options)


def ours(name, x, latent_dim):
    import keras_manifold as km

    options = name.split()
    is_compiled = options[-1] == "compiled" and bool(options.pop())
    is_epoch = options[-1] == "epoch" and bool(options.pop())
    penalty = None
    if options[-1] != "plain":
        chunk_size = int(options.pop()) if options[-1] == "8" else None
        probes = options[-1] if options[-1] == "exact" else int(options[-1])
        penalty = km.ContractivePenalty(
            WEIGHT,
            of="reconstruction" if "reconstruction" in options else "encoder",
            probes=probes,
            curvature=1.0 if "curvature" in options else 0.0,
            chunk_size=chunk_size,
        )
    noise = km.NoiseInjection() if "noise" in options else None
    model = autoencoder(x, latent_dim, noise=noise, contractive_penalty=penalty)
    step = of_model(model, x, jit_compile=is_compiled)
    if not is_epoch:
        return step
    many = np.resize(x, (SAMPLES[x.ndim], *x.shape[1:]))
    return lambda: model.fit(many, batch_size=len(x), verbose=0)


def of_model(model, x, jit_compile=False):
    """A step of a Keras model, as `fit` takes them. On JAX they are always compiled."""
    import keras

    jit_compile = jit_compile or keras.backend.backend() == "jax"
    model.compile("adam", loss="binary_crossentropy", jit_compile=jit_compile)
    x = keras.ops.convert_to_tensor(x)
    return lambda: model.train_on_batch(x, x)


# Of others, as `train_step` of a Keras model.


def in_keras(name, x, latent_dim):
    model = {
        "batch_jacobian": tape_model,
        "tape loop": tape_model,
        "autograd loop": torch_model,
        "torch jacrev": torch_model,
        "jax jacrev": jax_model,
    }[name](name, autoencoder(x, latent_dim))
    model.build(x.shape)
    return of_model(model, x)


def composed():
    """The base of their models: an encoder, a decoder, and both terms of the loss logged.

    As Keras's example of a variational autoencoder does, and ours.
    """
    import keras

    class Composed(keras.Model):
        def __init__(self, parts):
            super().__init__()
            self.encoder, self.decoder = parts.encoder, parts.decoder
            self.terms = [keras.metrics.Mean(name=name) for name in TERMS]

        def call(self, x):
            return self.decoder(self.encoder(x))

        def logged(self, loss, *terms):
            values = dict(zip(("loss", *TERMS), (loss, *terms)))
            for metric in self.metrics:
                if metric.name in values:
                    metric.update_state(values[metric.name])
            return {metric.name: metric.result() for metric in self.metrics}

    return Composed


def tape_model(name, parts):
    import tensorflow as tf

    class Model(composed()):
        def train_step(self, data):
            x = data[0]
            with tf.GradientTape() as tape:
                with tf.GradientTape(persistent=name == "tape loop") as inner:
                    inner.watch(x)
                    codes = self.encoder(x)
                    entries = tf.unstack(codes, axis=1)
                if name == "tape loop":
                    rows = [inner.gradient(entry, x) for entry in entries]
                    norms = sum(
                        tf.reduce_sum(row**2, axis=range(1, len(row.shape))) for row in rows
                    )
                else:
                    jacobian = inner.batch_jacobian(codes, x)
                    norms = tf.reduce_sum(jacobian**2, axis=range(1, len(jacobian.shape)))
                reconstruction = self.compute_loss(x, x, self.decoder(codes))
                penalty = tf.reduce_mean(norms)
                loss = reconstruction + WEIGHT * penalty
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply(gradients, self.trainable_variables)
            return self.logged(loss, reconstruction, penalty)

    return Model(parts)


def torch_model(name, parts):
    import torch

    class Model(composed()):
        def train_step(self, data):
            x = data[0]
            self.zero_grad()
            codes, norms = torch_norms(name, self.encoder, x)
            reconstruction = self.compute_loss(x, x, self.decoder(codes))
            penalty = norms.mean()
            loss = reconstruction + WEIGHT * penalty
            loss.backward()
            gradients = [v.value.grad for v in self.trainable_weights]
            with torch.no_grad():
                self.optimizer.apply(gradients, self.trainable_weights)
            return self.logged(loss, reconstruction, penalty)

    return Model(parts)


def torch_norms(name, encoder, x):
    """Codes, and the squared norm of the Jacobian of each sample."""
    import torch

    if name == "torch jacrev":

        def of_one(x):
            code = encoder(x[None])[0]
            return code, code

        jacobian, codes = torch.func.vmap(torch.func.jacrev(of_one, has_aux=True))(x)
        return codes, (jacobian**2).flatten(1).sum(1)
    inputs = x.clone().requires_grad_(True)
    codes = encoder(inputs)
    norms = 0.0
    for entry in codes.unbind(1):
        (row,) = torch.autograd.grad(entry.sum(), inputs, create_graph=True)
        norms = norms + (row**2).flatten(1).sum(1)
    return codes, norms


def jax_model(name, parts):
    import jax

    class Model(composed()):
        def train_step(self, state, data):
            weights, others, of_optimizer, of_metrics = state
            loss_of = jax.value_and_grad(self.loss_of, has_aux=True)
            (loss, terms), gradients = loss_of(weights, others, data[0])
            weights, of_optimizer = self.optimizer.stateless_apply(
                of_optimizer, gradients, weights
            )
            told, found, logs = dict(zip(("loss", *TERMS), (loss, *terms))), [], {}
            for metric in self.metrics:
                values = of_metrics[len(found) :][: len(metric.variables)]
                if metric.name in told:
                    values = metric.stateless_update_state(values, told[metric.name])
                logs[metric.name] = metric.stateless_result(values)
                found += values
            return logs, (weights, others, of_optimizer, found)

        def loss_of(self, weights, others, x):
            codes, norms = jax_norms(self.encoder, weights, others, x)
            y = jax_decoded(self, weights, others, codes)
            terms = self.compute_loss(x, x, y), norms.mean()
            return terms[0] + WEIGHT * terms[1], terms

    return Model(parts)


def jax_norms(encoder, weights, others, x):
    import jax

    weights = weights[: len(encoder.trainable_variables)]
    others = others[: len(encoder.non_trainable_variables)]

    def of_one(x):
        code = encoder.stateless_call(weights, others, x[None])[0][0]
        return code, code

    jacobian, codes = jax.vmap(jax.jacrev(of_one, has_aux=True))(x)
    return codes, (jacobian**2).reshape(len(x), -1).sum(1)


def jax_decoded(model, weights, others, codes):
    weights = weights[len(model.encoder.trainable_variables) :]
    others = others[len(model.encoder.non_trainable_variables) :]
    return model.decoder.stateless_call(weights, others, codes)[0]


# Of others, bare.


def bare(name, x, latent_dim):
    steps = {
        "batch_jacobian": tape_step,
        "autograd loop": torch_step,
        "torch jacrev": torch_step,
        "jax jacrev": jax_step,
    }
    return steps[name](name, x, latent_dim)


def tape_step(name, x, latent_dim):
    import tensorflow as tf

    model = tape_model(name, autoencoder(x, latent_dim))
    model.logged = lambda loss, *terms: loss
    model.build(x.shape)
    model.compile("adam", loss="binary_crossentropy", jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    step, x = tf.function(model.train_step), tf.constant(x)
    return lambda: step((x,)).numpy()


def torch_step(name, x, latent_dim):
    import torch
    from torch import nn

    encoder, decoder = torch_parts(x, latent_dim)
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()])
    x = torch.tensor(np.moveaxis(x, -1, 1).copy() if x.ndim == 4 else x)

    def step():
        optimizer.zero_grad()
        codes, norms = torch_norms(name, encoder, x)
        loss = nn.functional.binary_cross_entropy(decoder(codes), x)
        (loss + WEIGHT * norms.mean()).backward()
        optimizer.step()
        return float(loss)

    return step


def torch_parts(x, latent_dim):
    from torch import nn

    if x.ndim == 2:
        encoder = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, latent_dim))
        layers = nn.Linear(latent_dim, 256), nn.ReLU(), nn.Linear(256, 784), nn.Sigmoid()
        return encoder, nn.Sequential(*layers)
    side = (((x.shape[1] - 3) // 2 + 1) - 3) // 2 + 1
    start = -(-x.shape[1] // 4)
    encoder = nn.Sequential(
        nn.Conv2d(1, 32, 3, stride=2),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64 * side * side, latent_dim),
    )
    decoder = nn.Sequential(
        nn.Linear(latent_dim, start * start * 32),
        nn.ReLU(),
        nn.Unflatten(1, (32, start, start)),
        nn.ConvTranspose2d(32, 64, 3, stride=2, padding=1, output_padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(64, 32, 3, stride=2, padding=1, output_padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(32, 1, 3, padding=1),
        nn.Sigmoid(),
    )
    return encoder, decoder


def jax_step(name, x, latent_dim):
    import jax
    import keras

    model = jax_model(name, autoencoder(x, latent_dim))
    model.build(x.shape)
    optimizer = keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)
    others = [v.value for v in model.non_trainable_variables]

    def loss(weights, x):
        codes, norms = jax_norms(model.encoder, weights, others, x)
        y = jax_decoded(model, weights, others, codes)
        return keras.losses.BinaryCrossentropy()(x, y) + WEIGHT * norms.mean()

    @jax.jit
    def update(weights, state, x):
        value, gradients = jax.value_and_grad(loss)(weights, x)
        return value, *optimizer.stateless_apply(state, gradients, weights)

    weights = [v.value for v in model.trainable_variables]
    state = [v.value for v in optimizer.variables]
    x = keras.ops.convert_to_tensor(x)

    def step():
        nonlocal weights, state
        value, weights, state = update(weights, state, x)
        return float(value)

    return step
