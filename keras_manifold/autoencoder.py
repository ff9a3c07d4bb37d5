"""A Keras model that learns to reconstruct its inputs."""

import numbers
import warnings
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_manifold import architectures
from keras_manifold._feeding import bound, check_target, weight_like_losses, with_targets
from keras_manifold._map.compiled import forget_compiled
from keras_manifold._map.function import Map
from keras_manifold.penalties import ContractivePenalty, Penalty
from keras_manifold.penalties._loss import PenalisedLoss


@keras.saving.register_keras_serializable(package="keras_manifold")
class AutoEncoder(keras.Model):
    r"""Autoencoder: plain, denoising, contractive, or both, trained with `fit(x)`.

    The output is `decoder(encoder(inputs))`; in training the inputs go through `noise`
    first. The target is the batch itself, or `y` if `fit` is given one, and the loss is

    $$L = \text{loss}(x, g(f(\tilde{x}))) + \lambda \, \|J_f(x)\|_F^2$$

    with the second term, at the clean input, only with a `contractive_penalty`; it may be
    that of the reconstruction, $J_{g \circ f}$, too. The term is added in `evaluate` too,
    so `loss` and `val_loss` are the same quantity. `fit` reports `loss`,
    `reconstruction_loss` (the first term), `contractive_penalty` (the mean of
    $\|J_f(x)\|_F^2$, without the weight $\lambda$), and the compiled metrics.

    Args:
        encoder: Keras layer or model from `(batch, *input_shape)` to codes.
        decoder: Keras layer or model from codes to `(batch, *input_shape)`.
        noise: Layer that corrupts its inputs when called with `training=True`, such as
            [`NoiseInjection`][keras_manifold.NoiseInjection]. `None` for none.
        contractive_penalty: [`ContractivePenalty`][keras_manifold.ContractivePenalty], or a
            number as short for `ContractivePenalty(number)`. `None` for none.
        penalties: Further penalties, each with a name of its own: see
            [`Penalty`][keras_manifold.penalties.Penalty].
        **kwargs: `name`, `dtype`, `trainable`, as for every Keras model.

    Attributes:
        encoder: The layer that was given, to be called or saved alone.
        decoder: The same for the decoder.
        noise: The layer, or `None`.
        contractive_penalty: The `ContractivePenalty`, or `None`.
        penalties: List of the further penalties.

    Raises:
        TypeError: If `encoder`, `decoder` or `noise` is not a Keras layer,
            `contractive_penalty` neither a `ContractivePenalty` nor a number, or one of
            `penalties` no `Penalty`.
        ValueError: If there is a penalty and `encoder` (for that of the reconstruction
            `decoder` too) declares integer inputs, or mixes samples; the latter is seen of
            a model that declares the shape of its inputs.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> x = np.random.default_rng(0).uniform(size=(64, 8, 8, 1)).astype("float32")
        >>> model = km.AutoEncoder.dense((8, 8, 1), latent_dim=2, contractive_penalty=0.1)
        >>> model.compile("adam", loss="binary_crossentropy")
        >>> history = model.fit(x, epochs=2, verbose=0)
        >>> sorted(history.history)
        ['contractive_penalty', 'loss', 'reconstruction_loss']
        >>> tuple(model.encode(x).shape)
        (64, 2)

    References:
        Vincent, Larochelle, Bengio and Manzagol (2008), Extracting and composing robust
        features with denoising autoencoders, ICML.
        Rifai, Vincent, Muller, Glorot and Bengio (2011), Contractive auto-encoders:
        explicit invariance during feature extraction, ICML.
    """

    def __init__(
        self,
        encoder: keras.Layer,
        decoder: keras.Layer,
        *,
        noise: keras.Layer | None = None,
        contractive_penalty: ContractivePenalty | float | None = None,
        penalties: Sequence[Penalty] = (),
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        _check_layer("encoder", encoder)
        _check_layer("decoder", decoder)
        if noise is not None:
            _check_layer("noise", noise)
        self.encoder = encoder
        self.decoder = decoder
        self.noise = noise
        self.contractive_penalty = _as_penalty(contractive_penalty)
        self.penalties = [*penalties]
        self._penalised = PenalisedLoss(
            _by_name(self.contractive_penalty, self.penalties),
            self._map_of,
            name=_RECONSTRUCTION_LOSS,
        )
        self._trackers = self._penalised.trackers  # here Keras finds the metrics

    def __setattr__(self, name, value):
        if name in ("contractive_penalty", "penalties") and hasattr(self, "_penalised"):
            raise ValueError(
                f"`{name}` can't be changed after the model is made, as its loss and its "
                f"metrics are made of it. Received: {name}={value!r}. Assign the weight of "
                "a penalty, as in model.contractive_penalty.weight = 0.1 (0 turns it off), "
                "or make AutoEncoder(model.encoder, model.decoder, ...) anew."
            )
        super().__setattr__(name, value)

    @classmethod
    def convolutional(
        cls,
        input_shape: tuple[int, int, int],
        latent_dim: int,
        *,
        filters: Sequence[int] = (32, 64),
        kernel_size: int = 3,
        activation: str = "relu",
        output_activation: str | None = "sigmoid",
        **kwargs: Any,
    ) -> "AutoEncoder":
        """Convolutional autoencoder for images of any size.

        The encoder halves the image with one strided convolution for each entry of
        `filters` and ends in a dense layer without activation. The decoder mirrors it
        with transposed convolutions and crops what an odd size has too much.

        Args:
            input_shape: `(height, width, channels)`, or `(channels, height, width)`
                when Keras's image data format is `channels_first`.
            latent_dim: Size of the code, at least 1.
            filters: Filters of each strided convolution, from the image inwards.
            kernel_size: Height and width of every kernel.
            activation: Activation of every hidden layer.
            output_activation: Activation of the last layer. `"sigmoid"` suits inputs in
                [0, 1]; take `None` for others.
            **kwargs: `noise`, `contractive_penalty`, `name`: see `AutoEncoder`.

        Returns:
            An `AutoEncoder`, built, not compiled.

        Raises:
            ValueError: If `input_shape` is not of rank 3 with known sizes, or
                `latent_dim`, `filters` or `kernel_size` is below 1.

        Examples:
            >>> import keras_manifold as km
            >>> model = km.AutoEncoder.convolutional((9, 7, 1), latent_dim=4, filters=(8,))
            >>> model.decoder.output_shape
            (None, 9, 7, 1)
        """
        parts = architectures.convolutional(
            input_shape,
            latent_dim,
            filters=filters,
            kernel_size=kernel_size,
            activation=activation,
            output_activation=output_activation,
        )
        return cls._built(*parts, **kwargs)

    @classmethod
    def dense(
        cls,
        input_shape: tuple[int, ...] | int,
        latent_dim: int,
        *,
        units: Sequence[int] = (512, 256),
        activation: str = "relu",
        output_activation: str | None = "sigmoid",
        **kwargs: Any,
    ) -> "AutoEncoder":
        """Fully connected autoencoder for inputs of any shape.

        Args:
            input_shape: Shape of one sample.
            latent_dim: Size of the code, at least 1.
            units: Width of each hidden layer of the encoder; the decoder mirrors it.
            activation: Activation of every hidden layer.
            output_activation: Activation of the last layer. `"sigmoid"` suits inputs in
                [0, 1]; take `None` for others.
            **kwargs: `noise`, `contractive_penalty`, `name`: see `AutoEncoder`.

        Returns:
            An `AutoEncoder`, built, not compiled.

        Raises:
            ValueError: If `input_shape` has an unknown size, or `latent_dim` or `units` is
                below 1.

        Examples:
            >>> import keras_manifold as km
            >>> model = km.AutoEncoder.dense(20, latent_dim=4, output_activation=None)
            >>> model.decoder.output_shape
            (None, 20)
        """
        parts = architectures.dense(
            input_shape,
            latent_dim,
            units=units,
            activation=activation,
            output_activation=output_activation,
        )
        return cls._built(*parts, **kwargs)

    @classmethod
    def _built(cls, encoder, decoder, **kwargs):
        model = cls(encoder, decoder, **kwargs)
        model(keras.Input(encoder.input_shape[1:]))
        return model

    def encode(self, x: Any) -> Any:
        """Codes of clean inputs: `encoder(x, training=False)`.

        Args:
            x: Array or tensor of shape `(batch, *input_shape)`.

        Returns:
            Tensor of shape `(batch, latent_dim)`.

        Examples:
            >>> import numpy as np, keras_manifold as km
            >>> model = km.AutoEncoder.dense((8, 8, 1), latent_dim=2)
            >>> tuple(model.encode(np.zeros((5, 8, 8, 1), "float32")).shape)
            (5, 2)
        """
        return self._map_of("encoder")(x)

    def decode(self, codes: Any) -> Any:
        """Reconstructions from codes: `decoder(codes, training=False)`.

        Args:
            codes: Array or tensor of shape `(batch, latent_dim)`.

        Returns:
            Tensor of shape `(batch, *input_shape)`.

        Examples:
            >>> import numpy as np, keras_manifold as km
            >>> model = km.AutoEncoder.dense((8, 8, 1), latent_dim=2)
            >>> tuple(model.decode(np.zeros((5, 2), "float32")).shape)
            (5, 8, 8, 1)
        """
        return self._map_of("decoder")(codes)

    def call(self, inputs, training=None):
        is_clean = self.noise is None or not training
        shared = self._penalised.forward(inputs) if is_clean else None
        if shared is not None:
            part, outputs = shared
            return outputs if part == "reconstruction" else self.decode(outputs)
        if self.noise is not None:
            inputs = self.noise(inputs, training=bool(training))
        return self.decoder(self.encoder(inputs, training=training), training=training)

    def _map_of(self, part):
        """The function of a part, in inference mode."""
        encoder, decoder = Map(self.encoder, "encoder"), Map(self.decoder, "decoder")
        if part == "reconstruction":
            return encoder.then(decoder)
        return encoder if part == "encoder" else decoder

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """`keras.Model.compile`, after which nothing that was compiled before is used.

        Args:
            *args: As in Keras.
            **kwargs: As in Keras.

        Examples:
            See `AutoEncoder`.
        """
        super().compile(*args, **kwargs)
        forget_compiled(self)

    def fit(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """`keras.Model.fit`, whose target is the batch itself.

        Args:
            x: Samples, an array of shape `(n, *input_shape)`, or any data set that Keras
                takes.
            y: Targets of the same shape, if they are not the samples: such as clean images
                for noisy ones.
            *args: As in Keras.
            **kwargs: As in Keras. `sample_weight` counts without `y` too; `validation_data`
                may be samples alone.

        Returns:
            The `History` of [`keras.Model.fit`][]: see `AutoEncoder` for what it holds.

        Raises:
            ValueError: If a target has another shape than the input and the
                reconstruction (labels do), or `class_weight` is given.

        Examples:
            >>> import numpy as np, keras_manifold as km
            >>> x = np.random.default_rng(0).uniform(size=(64, 20)).astype("float32")
            >>> model = km.AutoEncoder.dense(20, latent_dim=2)
            >>> model.compile("adam", loss="mse")
            >>> sorted(model.fit(x, validation_data=x[:8], verbose=0).history)
            ['loss', 'reconstruction_loss', 'val_loss', 'val_reconstruction_loss']
        """
        return super().fit(**bound(super().fit, x, y, args, kwargs))

    def evaluate(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """`keras.Model.evaluate`, whose target is the batch itself.

        Args:
            x: Samples, an array of shape `(n, *input_shape)`, or any data set that Keras
                takes.
            y: Targets of the same shape, if they are not the samples.
            *args: As in Keras.
            **kwargs: As in Keras. `sample_weight` counts without `y` too.

        Returns:
            The losses and metrics of `fit`: a list, or a mapping with `return_dict=True`.

        Raises:
            ValueError: If a target has another shape than the input and the reconstruction.

        Examples:
            >>> import numpy as np, keras_manifold as km
            >>> x = np.random.default_rng(0).uniform(size=(64, 20)).astype("float32")
            >>> model = km.AutoEncoder.dense(20, latent_dim=2)
            >>> model.compile("adam", loss="mse")
            >>> sorted(model.evaluate(x, verbose=0, return_dict=True))
            ['loss', 'reconstruction_loss']
        """
        return super().evaluate(**bound(super().evaluate, x, y, args, kwargs))

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: None = None,
        return_dict: bool = False,
    ) -> Any:
        """`keras.Model.train_on_batch`, whose target is the batch itself.

        Args:
            x: Array or tensor of shape `(batch, *input_shape)`.
            y: Targets of the same shape, if they are not the samples.
            sample_weight: Array of shape `(batch,)`, or one value an entry.
            class_weight: `None`: an autoencoder's target has no classes.
            return_dict: Whether to return a mapping.

        Returns:
            The losses and metrics of `fit`: a list, or a mapping with `return_dict=True`.

        Raises:
            ValueError: If a target has another shape than the input and the
                reconstruction, or `class_weight` is given.

        Examples:
            >>> import numpy as np, keras_manifold as km
            >>> x = np.random.default_rng(0).uniform(size=(8, 20)).astype("float32")
            >>> model = km.AutoEncoder.dense(20, latent_dim=2)
            >>> model.compile("adam", loss="mse")
            >>> sorted(model.train_on_batch(x, return_dict=True))
            ['loss', 'reconstruction_loss']
        """
        others = (sample_weight, class_weight, return_dict)
        return super().train_on_batch(**bound(super().train_on_batch, x, y, others, {}))

    def train_step(self, *args):
        args = with_targets(args)
        self._penalised.begin(args[-1][0])
        with self._penalised.gradients_named():
            return super().train_step(*args)

    def test_step(self, *args):
        args = with_targets(args)
        self._penalised.begin(args[-1][0])
        return super().test_step(*args)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        y = x if y is None else y  # Keras builds the model from unpaired data
        check_target(x, y, y_pred)
        sample_weight = weight_like_losses(sample_weight, self.loss, y, y_pred)
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        regularization = sum(ops.sum(value) for value in self.losses)
        # Last: a layer called from outside its model clears the collected losses.
        return self._penalised.total(loss, x, sample_weight, regularization)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        y = x if y is None else y
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def save_own_variables(self, store):
        super().save_own_variables(store)
        for index, state in enumerate(self._seed_states()):
            store[f"{_SEED_STATE}{index}"] = ops.convert_to_numpy(state)

    def load_own_variables(self, store):
        saved = [key for key in store.keys() if key.startswith(_SEED_STATE)]  # noqa: SIM118
        rest = set(store.keys()) - set(saved)
        super().load_own_variables({key: store[key] for key in rest})
        states = self._seed_states()
        # Weights may come from a model with other noise: its seeds are of no use here.
        if len(states) != len(saved):
            warnings.warn(
                f"The file holds {len(saved)} states of random numbers, this model has "
                f"{len(states)}: they start anew, and a resumed training differs.",
                stacklevel=2,
            )
            return
        for index, state in enumerate(states):
            state.assign(store[f"{_SEED_STATE}{index}"])

    def _seed_states(self):
        """Of noise, penalty and layers like Dropout, which Keras itself does not save."""
        other = {id(v) for v in (*self.weights, *self.metrics_variables)}
        other |= {id(penalty.weight) for penalty in self._penalised.penalties.values()}
        return [v for v in self.variables if id(v) not in other]

    def get_config(self):
        return {
            **super().get_config(),
            **{
                name: keras.saving.serialize_keras_object(getattr(self, name))
                for name in _PARTS
            },
            "penalties": [*map(keras.saving.serialize_keras_object, self.penalties)],
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        def deserialized(value):
            return keras.saving.deserialize_keras_object(
                value, custom_objects=custom_objects
            )

        parts = {name: deserialized(config[name]) for name in _PARTS}
        penalties = [*map(deserialized, config.get("penalties", ()))]
        return cls(**{**config, **parts, "penalties": penalties})


_SEED_STATE = "seed_state_"

_RECONSTRUCTION_LOSS = "reconstruction_loss"

_PARTS = ("encoder", "decoder", "noise", "contractive_penalty")


def _as_penalty(penalty):
    if penalty is None or isinstance(penalty, ContractivePenalty):
        return penalty
    if isinstance(penalty, numbers.Real):
        return ContractivePenalty(float(penalty))
    raise TypeError(
        "`contractive_penalty` must be a ContractivePenalty, a number or None. "
        f"Received: contractive_penalty={penalty!r}."
    )


def _by_name(contractive_penalty, penalties):
    """All penalties by the names of their metrics."""
    named: list[tuple[Any, Any]] = []
    if contractive_penalty is not None:
        named.append(("contractive_penalty", contractive_penalty))
    named += [(getattr(penalty, "name", None), penalty) for penalty in penalties]
    taken = {_RECONSTRUCTION_LOSS, "loss"}
    for name, penalty in named:
        if not isinstance(penalty, Penalty):
            raise TypeError(
                "Each of `penalties` must be callable as penalty(function, x) and have "
                f"`name`, `of` and `weight`. Received: {penalty!r}. Such are "
                "ContractivePenalty and whatever keeps to km.penalties.Penalty."
            )
        if name in taken:
            raise ValueError(
                "Each penalty needs a name of its own, which is that of its metric. "
                f"Received: a second one named {name!r}. Pass name=... to it."
            )
        taken.add(name)
    return dict(named)


def _check_layer(name, value):
    if not isinstance(value, keras.Layer):
        raise TypeError(
            f"`{name}` must be a Keras layer or model. Received: {name}={value!r} "
            f"of type {type(value).__name__}. Wrap a function in keras.layers.Lambda."
        )
