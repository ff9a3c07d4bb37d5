"""A Keras model that learns to reconstruct its inputs."""

from collections.abc import Sequence
from typing import Annotated, Any

import keras
import numpy as np
from numpy.typing import NDArray

from keras_manifold import architectures
from keras_manifold._arguments import Verbose
from keras_manifold._feeding import bound, keeping_variables
from keras_manifold._halves import TwoHalves
from keras_manifold._map.checks import check_process
from keras_manifold._reconstructing import squared_errors
from keras_manifold.penalties import ContractivePenalty, Penalty


@keras.saving.register_keras_serializable(package="keras_manifold")
class AutoEncoder(TwoHalves):
    r"""Autoencoder: plain, denoising, contractive, or both, trained with `fit(x)`.

    The output is `decoder(encoder(inputs))`; in training the inputs go through `noise`
    first. The target is the batch itself, or `y` if `fit` is given one, and the loss is

    $$L = \text{loss}(x, g(f(\tilde{x}))) + \lambda \, \|J_f(x)\|_F^2$$

    with the second term, at the clean input, only with a `contractive_penalty`; it may be
    that of the reconstruction, $J_{g \circ f}$, too. The term is added in `evaluate` too,
    so `loss` and `val_loss` are the same quantity. `fit` reports `loss`,
    `reconstruction_loss` (the first term), `contractive_penalty` (the mean of
    $\|J_f(x)\|_F^2$, without the weight $\lambda$), and the compiled metrics.

    Inside a larger model the term is added to that model's losses: in training and
    `evaluate` where it is functional, in training only where it is a subclass, which does
    not tell evaluation from prediction.

    Args:
        encoder: Keras layer or model from `(batch, *input_shape)` to codes.
        decoder: Keras layer or model from codes to `(batch, *input_shape)`.
        noise: Layer that corrupts its inputs when called with `training=True`, such as
            [`NoiseInjection`][keras_manifold.NoiseInjection], or a number or a pair
            `(low, high)` as short for `NoiseInjection("gaussian", level)`. `None` for none.
        contractive_penalty: [`ContractivePenalty`][keras_manifold.ContractivePenalty], or a
            number as short for `ContractivePenalty(number)`. `None` for none.
        penalties: Further penalties, each with a name of its own: see
            [`Penalty`][keras_manifold.penalties.Penalty].
        **kwargs: `name`, `dtype`, `trainable`, as for every Keras model.

    Attributes:
        encoder: The layer that was given, to be called or saved alone.
        decoder: The same for the decoder.

    `noise`, `contractive_penalty` and `penalties` may be assigned at any time, as they may
    be given here: the next step has what was assigned. As a layer of a functional model,
    and wherever it is called with `training=True`, as in a subclassed model that trains or
    a loop of your own, an autoencoder adds its penalties to `losses`, unweighted by
    samples.

    Raises:
        TypeError: If `encoder` or `decoder` is not a Keras layer, `noise` neither a layer
            nor a number or pair, `contractive_penalty` neither a `ContractivePenalty` nor a
            number, or one of `penalties` no `Penalty`.
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
        noise: keras.Layer | float | tuple[float, float] | None = None,
        contractive_penalty: ContractivePenalty | float | None = None,
        penalties: Sequence[Penalty] = (),
        **kwargs: Any,
    ):
        super().__init__(
            encoder,
            decoder,
            noise=noise,
            contractive_penalty=contractive_penalty,
            penalties=penalties,
            **kwargs,
        )

    @classmethod
    def convolutional(
        cls,
        input_shape: tuple[int, ...],
        latent_dim: int,
        *,
        filters: Sequence[int] | int = (32, 64),
        kernel_size: int = 3,
        activation: str = "relu",
        output_activation: str | None = "sigmoid",
        **kwargs: Any,
    ) -> "AutoEncoder":
        """Convolutional autoencoder for signals, images and volumes of any size.

        The encoder halves each side with one strided convolution for each entry of
        `filters` and ends in a dense layer without activation. The decoder mirrors it
        with transposed convolutions and crops what an odd size has too much.

        Args:
            input_shape: `(length, channels)`, `(height, width, channels)` or `(depth,
                height, width, channels)`; channels first when that is Keras's image data
                format.
            latent_dim: Size of the code, at least 1.
            filters: Filters of each strided convolution, from the image inwards; one number
                is one convolution.
            kernel_size: Sides of every kernel.
            activation: Activation of every hidden layer.
            output_activation: Activation of the last layer. `"sigmoid"` suits inputs in
                [0, 1]; take `None` for others.
            **kwargs: `noise`, `contractive_penalty`, `name`: see `AutoEncoder`.

        Returns:
            An `AutoEncoder`, built, not compiled.

        Raises:
            ValueError: If `input_shape` is not of rank 2, 3 or 4 with known sizes, or
                `latent_dim`, `filters` or `kernel_size` is below 1.

        Examples:
            >>> import keras_manifold as km
            >>> model = km.AutoEncoder.convolutional((9, 7, 1), latent_dim=4, filters=(8,))
            >>> model.decoder.output_shape
            (None, 9, 7, 1)
        """
        check_process()
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
        units: Sequence[int] | int = (512, 256),
        activation: str = "relu",
        output_activation: str | None = "sigmoid",
        **kwargs: Any,
    ) -> "AutoEncoder":
        """Fully connected autoencoder for inputs of any shape.

        Args:
            input_shape: Shape of one sample.
            latent_dim: Size of the code, at least 1.
            units: Width of each hidden layer of the encoder, which the decoder mirrors; one
                number is one layer.
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
        check_process()
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
            Tensor of shape `(batch, *code_shape)`, such as `(batch, latent_dim)`.

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
            codes: Array or tensor of shape `(batch, *code_shape)`.

        Returns:
            Tensor of shape `(batch, *input_shape)`.

        Examples:
            >>> import numpy as np, keras_manifold as km
            >>> model = km.AutoEncoder.dense((8, 8, 1), latent_dim=2)
            >>> tuple(model.decode(np.zeros((5, 2), "float32")).shape)
            (5, 8, 8, 1)
        """
        return self._map_of("decoder")(codes)

    def fit(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """`keras.Model.fit`, whose target is the batch itself.

        Args:
            x: Samples, an array of shape `(n, *input_shape)`, or any data set that Keras
                takes. Where there are penalties, the first samples of a data set are read
                once more, before training; of a generator its first batch, which stays.
                Arrays on disk (memory-mapped, of Zarr, HDF5 or dask) and tables of Hugging
                Face's `datasets` are read batch by batch: `shuffle` mixes the batches, and
                the samples within each.
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
            FloatingPointError: If a penalised derivative is not finite at one of the
                samples that are most likely to have none, such as one of zeros.

        Examples:
            >>> import numpy as np, keras_manifold as km
            >>> x = np.random.default_rng(0).uniform(size=(64, 20)).astype("float32")
            >>> model = km.AutoEncoder.dense(20, latent_dim=2)
            >>> model.compile("adam", loss="mse")
            >>> sorted(model.fit(x, validation_data=x[:8], verbose=0).history)
            ['loss', 'reconstruction_loss', 'val_loss', 'val_reconstruction_loss']
        """
        given = self._before_fit(self._prepared(bound(super().fit, x, y, args, kwargs)))
        with keeping_variables(self):
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
        given = self._prepared(bound(super().evaluate, x, y, args, kwargs))
        with keeping_variables(self):
            return super().evaluate(**given)

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
            FloatingPointError: As in `fit`, for the first batch.

        Examples:
            >>> import numpy as np, keras_manifold as km
            >>> x = np.random.default_rng(0).uniform(size=(8, 20)).astype("float32")
            >>> model = km.AutoEncoder.dense(20, latent_dim=2)
            >>> model.compile("adam", loss="mse")
            >>> sorted(model.train_on_batch(x, return_dict=True))
            ['loss', 'reconstruction_loss']
        """
        others = (sample_weight, class_weight, return_dict)
        given = bound(super().train_on_batch, x, y, others, {})
        return super().train_on_batch(**self._before_step(self._prepared(given)))

    def reconstruction_errors(
        self,
        x: Any,
        *,
        reduce: bool = True,
        batch_size: int = 32,
        verbose: Verbose = "auto",
    ) -> Annotated[NDArray[np.float32], "n ..."]:
        """Mean squared error of the reconstruction of each sample, without noise.

        Large ones are of samples unlike those of the training: anomalies. Cost: one
        `predict`, and one batch in memory.

        Args:
            x: Array of shape `(n, *input_shape)`, or any iterable of batches, or of tuples
                that begin with one.
            reduce: Whether to take the mean over the entries of each sample.
            batch_size: Samples per batch, at least 1, where `x` does not come in batches.
            verbose: 0 for no progress bar, 1 for one, `"auto"` for one on runs that are
                long or of unknown length.

        Returns:
            NumPy array, float32, at least 0, of shape `(n,)`; without `reduce` the squared
            error of each entry, `(n, *input_shape)`.

        Raises:
            ValueError: If there are no samples, or the reconstructions are not of their
                shape.

        Examples:
            >>> import numpy as np, keras_manifold as km
            >>> model = km.AutoEncoder.dense((8, 8, 1), latent_dim=2)
            >>> x = np.random.default_rng(0).uniform(size=(5, 8, 8, 1)).astype("float32")
            >>> model.reconstruction_errors(x).shape
            (5,)
            >>> model.reconstruction_errors(x, reduce=False).shape
            (5, 8, 8, 1)
        """
        return squared_errors(
            self, x, reduce=reduce, batch_size=batch_size, verbose=verbose
        )

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


_PARTS = ("encoder", "decoder", "noise", "contractive_penalty")
