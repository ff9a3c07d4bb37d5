"""A Keras model that learns to reconstruct its inputs."""

import functools
import inspect
import math
import numbers
import warnings
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_manifold._arguments import check_count
from keras_manifold._map.functions import check_has_derivative, independent_output_shape
from keras_manifold.penalties.contractive import ContractivePenalty


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
        **kwargs: `name`, `dtype`, `trainable`, as for every Keras model.

    Attributes:
        encoder: The layer that was given, to be called or saved alone.
        decoder: The same for the decoder.
        noise: The layer, or `None`.
        contractive_penalty: The `ContractivePenalty`, or `None`.

    Raises:
        TypeError: If `encoder`, `decoder` or `noise` is not a Keras layer, or
            `contractive_penalty` neither a `ContractivePenalty` nor a number.
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
        if self.contractive_penalty is not None:
            _functional_class()  # here, not within a compiled step
        for name in self._penalised_parts():
            check_has_derivative(name, getattr(self, name))
            _check_independent(name, getattr(self, name))
        self._reconstruction_tracker = keras.metrics.Mean(name="reconstruction_loss")
        if self.contractive_penalty is not None:
            self._penalty_tracker = keras.metrics.Mean(name="contractive_penalty")
        self._mean_of_values = _MeanOfValues(name="mean_of_values")

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
        input_shape = _checked_shape("input_shape", input_shape, rank=3)
        filters = _checked_shape("filters", filters)
        kernel_size = check_count("kernel_size", kernel_size)
        latent_dim = check_count("latent_dim", latent_dim)
        channels_first = keras.config.image_data_format() == "channels_first"
        channels = input_shape[0] if channels_first else input_shape[-1]
        size = tuple(input_shape[1:] if channels_first else input_shape[:-1])

        image = hidden = keras.Input(input_shape)
        for count in filters:
            sides = hidden.shape[2:] if channels_first else hidden.shape[1:-1]
            padding = "valid" if min(sides) >= kernel_size else "same"
            hidden = layers.Conv2D(
                count, kernel_size, strides=2, padding=padding, activation=activation
            )(hidden)
        code = layers.Dense(latent_dim, name="code")(layers.Flatten()(hidden))
        encoder = keras.Model(image, code, name="encoder")

        start = tuple(math.ceil(side / 2 ** len(filters)) for side in size)
        start_shape = (filters[0], *start) if channels_first else (*start, filters[0])
        code = keras.Input((latent_dim,))
        hidden = layers.Dense(math.prod(start_shape), activation=activation)(code)
        hidden = layers.Reshape(start_shape)(hidden)
        for count in reversed(filters):
            hidden = layers.Conv2DTranspose(
                count, kernel_size, strides=2, padding="same", activation=activation
            )(hidden)
        image = layers.Conv2DTranspose(
            channels, kernel_size, padding="same", activation=output_activation
        )(hidden)
        excess = [side * 2 ** len(filters) - want for side, want in zip(start, size)]
        if any(excess):
            image = layers.Cropping2D([(n // 2, n - n // 2) for n in excess])(image)
        decoder = keras.Model(code, image, name="decoder")
        return cls._built(encoder, decoder, input_shape, **kwargs)

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
        shape: Any = input_shape
        is_flat = isinstance(shape, numbers.Integral)
        shape = _checked_shape("input_shape", (shape,) if is_flat else shape)
        units = _checked_counts("units", units)
        latent_dim = check_count("latent_dim", latent_dim)
        encoder = keras.Sequential(
            [
                keras.Input(shape),
                layers.Flatten(),
                *(layers.Dense(width, activation=activation) for width in units),
                layers.Dense(latent_dim, name="code"),
            ],
            name="encoder",
        )
        decoder = keras.Sequential(
            [
                keras.Input((latent_dim,)),
                *(layers.Dense(width, activation=activation) for width in reversed(units)),
                layers.Dense(math.prod(shape), activation=output_activation),
                layers.Reshape(shape),
            ],
            name="decoder",
        )
        return cls._built(encoder, decoder, shape, **kwargs)

    @classmethod
    def _built(cls, encoder, decoder, input_shape, **kwargs):
        model = cls(encoder, decoder, **kwargs)
        model(keras.Input(input_shape))
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
        return self.encoder(x, training=False)

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
        return self.decoder(codes, training=False)

    def call(self, inputs, training=None):
        step = _step.get()
        if step is not None and step.x is inputs and self._can_share_forward(training):
            return self._call_with_penalty(inputs, training, step)
        if self.noise is not None:
            inputs = self.noise(inputs, training=bool(training))
        return self.decoder(self.encoder(inputs, training=training), training=training)

    def _call_with_penalty(self, inputs, training, step):
        """The output, with the penalty of the same forward pass left in the step."""

        def encode(x):
            return self.encoder(x, training=training)

        def decode(codes):
            return self.decoder(codes, training=training)

        if self.contractive_penalty.of == "reconstruction":
            parts = (encode, decode)
            outputs, step.penalties = self.contractive_penalty.with_outputs(parts, inputs)
            return outputs
        codes, step.penalties = self.contractive_penalty.with_outputs(encode, inputs)
        return decode(codes)

    def _can_share_forward(self, training):
        """Whether the forward pass is that of the penalty: clean, in inference mode."""
        is_clean = self.noise is None or not training
        return (
            self.contractive_penalty is not None
            and is_clean
            and all(_is_plain(getattr(self, name)) for name in self._penalised_parts())
        )

    def _penalised_parts(self):
        if self.contractive_penalty is None:
            return ()
        of_code = self.contractive_penalty.of == "code"
        return ("encoder",) if of_code else ("encoder", "decoder")

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
        given = inspect.signature(super().fit).bind(x, y, *args, **kwargs).arguments
        _check_no_class_weight(given.get("class_weight"))
        if given.get("validation_data") is not None:
            data = keras.utils.unpack_x_y_sample_weight(given["validation_data"])
            given["validation_data"] = (data[0], _target_of_weighted(*data), data[2])
        given["y"] = _target_of_weighted(x, y, given.get("sample_weight"))
        return super().fit(**given)

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
        given = inspect.signature(super().evaluate).bind(x, y, *args, **kwargs).arguments
        given["y"] = _target_of_weighted(x, y, given.get("sample_weight"))
        others = given.pop("kwargs", {})
        return super().evaluate(**given, **others)

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
        _check_no_class_weight(class_weight)
        return super().train_on_batch(
            x, y, sample_weight=sample_weight, return_dict=return_dict
        )

    def train_step(self, *args):
        args = _with_targets(args)
        with _Step(args[-1][0]):
            return super().train_step(*args)

    def test_step(self, *args):
        args = _with_targets(args)
        with _Step(args[-1][0]):
            return super().test_step(*args)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        y = x if y is None else y  # Keras builds the model from unpaired data
        _check_target(x, y, y_pred)
        sample_weight = self._weight_like_losses(sample_weight, y, y_pred)
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)

        batch = ops.shape(x)[0]
        share = self._share_of_replica()
        regularization = share * sum(ops.sum(value) for value in self.losses)
        self._reconstruction_tracker.update_state(
            (loss - regularization) / share, sample_weight=batch
        )
        if self.contractive_penalty is None:
            return loss

        # Last: a layer called from outside its model clears the collected losses.
        penalties = self._penalties(x)
        weighted = self._mean_of_values(
            penalties, penalties, _weight_of_samples(sample_weight)
        )
        self._penalty_tracker.update_state(weighted / share, sample_weight=batch)
        return loss + self.contractive_penalty.weight * weighted

    def _penalties(self, x):
        step = _step.get()
        if step is not None and step.x is x and step.penalties is not None:
            return step.penalties
        of_code = self.contractive_penalty.of == "code"
        function = self.encode if of_code else (self.encode, self.decode)
        return self.contractive_penalty(function, x)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        y = x if y is None else y
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def _weight_like_losses(self, sample_weight, y, y_pred):
        """Weights with one value a sample, given the shape of the losses they multiply."""
        if sample_weight is None or self.loss is None:
            return sample_weight
        if any(side != 1 for side in sample_weight.shape[1:]):
            return sample_weight
        loss = keras.losses.get(keras.tree.flatten(self.loss)[0])
        loss = loss.call if isinstance(loss, keras.losses.Loss) else loss
        one_loss = loss(y[:1], y_pred[:1])
        ones = ops.ones((1, *ops.shape(one_loss)[1:]), dtype=one_loss.dtype)
        sample_weight = ops.cast(ops.reshape(sample_weight, (-1,)), one_loss.dtype)
        return ops.reshape(sample_weight, (-1, *(1,) * (len(ones.shape) - 1))) * ones

    def _share_of_replica(self):
        """What Keras multiplies a loss with: 1, or 1 / replicas under `tf.distribute`."""
        one = ops.ones((1,))
        return self._mean_of_values(one, one)

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
        if self.contractive_penalty is not None:
            other.add(id(self.contractive_penalty.weight))
        return [v for v in self.variables if id(v) not in other]

    def get_config(self):
        return {
            **super().get_config(),
            **{
                name: keras.saving.serialize_keras_object(getattr(self, name))
                for name in _PARTS
            },
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        parts = {
            name: keras.saving.deserialize_keras_object(
                config[name], custom_objects=custom_objects
            )
            for name in _PARTS
        }
        return cls(**{**config, **parts})


_SEED_STATE = "seed_state_"

_PARTS = ("encoder", "decoder", "noise", "contractive_penalty")


class _Step:
    """A training or test step, in which `call` leaves the penalty at `x` for the loss."""

    def __init__(self, x):
        self.x = x
        self.penalties = None

    def __enter__(self):
        self._token = _step.set(self)

    def __exit__(self, *_):
        _step.reset(self._token)


# The step that runs in this thread: replicas of `tf.distribute` have a thread each.
_step: ContextVar[_Step | None] = ContextVar("step", default=None)


class _MeanOfValues(keras.losses.Loss):
    """Mean of given values, with weights and on replicas as Keras takes it of losses."""

    def call(self, y_true, y_pred):
        return y_pred


def _check_no_class_weight(class_weight):
    if class_weight is not None:
        raise ValueError(
            "`class_weight` must be None, as the target of an autoencoder has no "
            f"classes. Received: class_weight={class_weight!r}. Give each sample its "
            "weight with `sample_weight`."
        )


def _target_of_weighted(x, y, sample_weight):
    """The target to give to Keras, which drops weights that come without one."""
    return x if y is None and sample_weight is not None else y


def _with_targets(step_arguments):
    """The arguments of a step with the batch as its own target, if it has none.

    The data come last; on JAX a state comes before them.
    """
    *state, data = step_arguments
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    if isinstance(
        x, np.ndarray
    ):  # in an eager step: `call` gets the tensor that it becomes
        x = ops.convert_to_tensor(x)
    y = x if y is None else y
    return *state, keras.utils.pack_x_y_sample_weight(x, y, sample_weight)


def _weight_of_samples(sample_weight):
    """One weight a sample, from weights of samples or of their entries."""
    if sample_weight is None or len(sample_weight.shape) == 1:
        return sample_weight
    return ops.mean(sample_weight, axis=tuple(range(1, len(sample_weight.shape))))


def _as_penalty(penalty):
    if penalty is None or isinstance(penalty, ContractivePenalty):
        return penalty
    if isinstance(penalty, numbers.Real):
        return ContractivePenalty(float(penalty))
    raise TypeError(
        "`contractive_penalty` must be a ContractivePenalty, a number or None. "
        f"Received: contractive_penalty={penalty!r}."
    )


def _is_plain(layer):
    """Whether a layer is known to do the same in training as in inference.

    And to give nothing but its outputs: losses and masks would not leave a function that
    is differentiated.
    """
    if type(layer) in (keras.Sequential, _functional_class()):
        return all(map(_is_plain, layer.layers))
    # Dense takes `training` too, but reads it only when it is quantized.
    reads_training = (
        "training" in inspect.signature(layer.call).parameters
        if type(layer) not in (layers.Dense, layers.EinsumDense)
        else layer.quantization_mode is not None
    )
    return (
        getattr(layers, type(layer).__name__, None) is type(layer)
        and getattr(layer, "activity_regularizer", None) is None
        and not reads_training
        and type(layer) is not layers.Masking
    )


@functools.cache
def _functional_class():
    inputs = keras.Input((1,))
    return type(keras.Model(inputs, layers.Identity()(inputs)))


def _check_layer(name, value):
    if not isinstance(value, keras.Layer):
        raise TypeError(
            f"`{name}` must be a Keras layer or model. Received: {name}={value!r} "
            f"of type {type(value).__name__}. Wrap a function in keras.layers.Lambda."
        )


def _check_independent(name, model):
    """Refuses a model that mixes samples, if it says of what shape they are."""
    inputs: Any = getattr(model, "inputs", None) or ()
    # A model of a fixed batch size, such as a stateful RNN, can't take one sample alone.
    if len(inputs) != 1 or inputs[0].shape[0] or None in inputs[0].shape[1:]:
        return
    sample = np.random.default_rng(0).uniform(size=inputs[0].shape[1:]).astype("float32")
    independent_output_shape(name, lambda x: model(x, training=False), sample)


def _check_target(x, y, y_pred):
    shapes = [tuple(getattr(value, "shape", (None,))[1:]) for value in (x, y_pred, y)]
    if not any(_agree(shape, shapes[2]) for shape in shapes[:2]):
        raise ValueError(
            "The target must have the shape of the input or of the reconstruction, "
            f"{shapes[0]} or {shapes[1]} a sample. Received: a target of shape "
            f"{shapes[2]} a sample. An autoencoder's target is its input: leave labels "
            "out, as in fit(x)."
        )


def _agree(a, b):
    return len(a) == len(b) and all(m == n or None in (m, n) for m, n in zip(a, b))


def _checked_shape(name, shape, rank=None):
    sides = _checked_counts(name, shape)
    if len(sides) == 0 or rank not in (None, len(sides)):
        expected = "at least one whole number" if rank is None else f"{rank} whole numbers"
        raise ValueError(f"`{name}` must be {expected}. Received: {name}={shape!r}.")
    return sides


def _checked_counts(name, counts):
    if not isinstance(counts, (tuple, list)):
        raise ValueError(f"`{name}` must be a tuple. Received: {name}={counts!r}.")
    return tuple(check_count(f"{name}[{i}]", count) for i, count in enumerate(counts))
