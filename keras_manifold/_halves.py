"""A model of two halves that is its own target: noise, penalties and steps."""

import contextlib
import warnings
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import keras

from keras_manifold import _seeds
from keras_manifold._feeding import (
    check_one_input,
    direct_monitors,
    first_batch,
    with_targets,
)
from keras_manifold._map.checks import check_process, check_records_gradients
from keras_manifold._map.compiled import forget_compiled
from keras_manifold._map.function import Map, analysis, in_analysis
from keras_manifold._parts import Changeable, as_layer, check_codes, check_halves
from keras_manifold._storage.streams import sole
from keras_manifold._targets import check_targets, own_target
from keras_manifold._weighting import is_mean_of_entries, weighed, weights_of_samples
from keras_manifold.penalties import ContractivePenalty, Penalty
from keras_manifold.penalties._finite import FiniteLosses

# What a step begins with that needs no penalty.
_NO_LOSS = object()

_CHANGEABLE = ("noise", "contractive_penalty", "penalties")


class TwoHalves(keras.Model):
    """What `AutoEncoder` does within Keras's own loops.

    Args:
        encoder: Keras layer or model from samples to codes.
        decoder: Keras layer or model from codes to reconstructions.
        noise: See `AutoEncoder`, and so are `contractive_penalty` and `penalties`.
        **kwargs: `name`, `dtype`, `trainable`, as for every Keras model.
    """

    def __init__(
        self,
        encoder: keras.Layer,
        decoder: keras.Layer,
        *,
        noise: Any,
        contractive_penalty: Any,
        penalties: Any,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        check_process()
        self.encoder = as_layer("encoder", encoder)
        self.decoder = as_layer("decoder", decoder)
        check_halves(encoder, decoder, noise, contractive_penalty, penalties)
        self._is_layer = False
        # A loss, and whether its parts are means over entries; Keras copies lists.
        self._known = SimpleNamespace(loss=None, of_entries=None, weighs_metrics=False)
        self._changeable = Changeable(
            self._map_of,
            noise=noise,
            contractive_penalty=contractive_penalty,
            penalties=penalties,
        )

    def __setattr__(self, name, value):
        if name == "optimizer":  # by `compile`, which Keras wants to be its own
            forget_compiled(self)
            object.__setattr__(self, "_data_are_checked", False)
        if name in _CHANGEABLE:  # Keras takes no new layer once a model is built
            object.__setattr__(self, name, value)
            return
        if name in ("encoder", "decoder") and getattr(self, "built", False):
            raise ValueError(
                f"`{name}` can't be changed after the model is built, as its optimizer and "
                f"its compiled steps are of the old one. Received: {name}={value!r}. Make "
                "AutoEncoder(encoder, decoder, ...) anew."
            )
        super().__setattr__(name, value)

    def _change(self, name, value):
        self._data_are_checked = False
        self._changeable.change({name: value}, trained=self.built and self.compiled)
        for kind in ("train", "test", "predict"):
            if getattr(self, f"{kind}_function", None) is not None:
                getattr(self, f"make_{kind}_function")(force=True)

    @property
    def noise(self) -> keras.Layer | None:
        """The layer that corrupts inputs in training, or `None`; may be assigned."""
        return self._changeable.parts["noise"]

    @noise.setter
    def noise(self, noise: keras.Layer | float | tuple[float, float] | None) -> None:
        self._change("noise", noise)

    @property
    def contractive_penalty(self) -> ContractivePenalty | None:
        """The `ContractivePenalty`, or `None`; may be assigned."""
        return self._changeable.parts["contractive_penalty"]

    @contractive_penalty.setter
    def contractive_penalty(self, penalty: ContractivePenalty | float | None) -> None:
        self._change("contractive_penalty", penalty)

    @property
    def penalties(self) -> tuple[Penalty, ...]:
        """The further penalties; a sequence of others may be assigned."""
        return self._changeable.parts["penalties"]

    @penalties.setter
    def penalties(self, penalties: Sequence[Penalty]) -> None:
        self._change("penalties", penalties)

    @property
    def layers(self) -> list[keras.Layer]:
        # In the order of the data, which `summary` shows.
        others = self._changeable.layers
        noise = [layer for layer in others if layer is self.noise]
        penalties = [layer for layer in others if layer is not self.noise]
        return [*noise, self.encoder, self.decoder, *penalties]

    @property
    def input_shape(self):
        """That of the encoder, `(None, *input_shape)`, where it declares one."""
        return self.encoder.input_shape

    @property
    def output_shape(self):
        """That of the decoder, `(None, *output_shape)`, where it declares one."""
        return self.decoder.output_shape

    @property
    def metrics(self):
        return [*super().metrics, *self._changeable.penalised.trackers]

    def _map_of(self, part):
        """The function of a part, in inference mode."""
        encoder, decoder = Map(self.encoder, "encoder"), Map(self.decoder, "decoder")
        if part == "reconstruction":
            return encoder.then(decoder)
        return encoder if part == "encoder" else decoder

    def build(self, input_shape):
        halves = [half for half in (self.encoder, self.decoder) if not half.built]
        noise = self.noise
        if not halves and (noise is None or noise.built):
            return
        inputs = keras.tree.map_shape_structure(_symbolic, input_shape)
        if isinstance(input_shape, (tuple, list)):
            check_one_input(self.encoder, SimpleNamespace(shape=input_shape))
        if noise is not None and not noise.built:
            noise(inputs)
        if halves:
            codes = self.encoder(sole(inputs))
            check_codes(codes)
            self.decoder(codes)

    def call(self, inputs, training=None):
        penalised = self._changeable.penalised
        is_of_others = (training or self._is_layer) and not penalised.in_step
        if penalised.penalties and is_of_others and not in_analysis():
            self.add_loss(penalised.term(inputs))  # they make the loss of `losses`
        noise = self.noise if training else None
        shared = penalised.forward(inputs) if noise is None else None
        if shared is not None:
            part, outputs = shared
            return outputs if part == "reconstruction" else self.decode(outputs)
        if noise is not None:
            inputs = noise(inputs, training=True)
        codes = self.encoder(sole(inputs), training=training)
        check_codes(codes)
        return self.decoder(codes, training=training)

    def compute_output_spec(self, *args, **kwargs):
        # A functional model is built of it, whose `evaluate` has its penalty too.
        object.__setattr__(self, "_is_layer", True)
        return super().compute_output_spec(*args, **kwargs)

    def train_step(self, *args):
        args = with_targets(args)
        return self._step(super().train_step, args, args[-1][0])

    def test_step(self, *args):
        args = with_targets(args)
        return self._step(super().test_step, args, args[-1][0])

    def predict_step(self, *args):
        return self._step(super().predict_step, args, _NO_LOSS)

    def export(self, *args, **kwargs):
        with analysis():  # what is exported has no penalty
            return super().export(*args, **kwargs)

    def _step(self, step, args, x):
        penalised = self._changeable.penalised
        penalised.begin(x)
        try:
            with penalised.gradients_named():
                return step(*args)
        finally:
            penalised.end()

    def _prepared(self, given):
        """The arguments of `fit` or `evaluate`, after what can be seen before its steps."""
        check_process()
        check_one_input(self.encoder, given.get("x"))
        data = (given.get("x"), given.get("sample_weight"), given.get("validation_data"))
        is_weighted = data[1] is not None or not hasattr(data[0], "shape") or data[2]
        loss = getattr(self, "loss", None)
        if self.compiled and is_weighted and self._known.loss is not loss:
            self._known.of_entries = [*map(is_mean_of_entries, _losses(loss))]
            self._known.loss = loss
        if self.compiled and is_weighted:
            # Here, as on JAX the optimizer has no variables within a step.
            self._known.weighs_metrics = _weighs_metrics(self)
        names = ("reconstruction_loss", *self._changeable.penalised.penalties)
        direct_monitors(given.get("callbacks"), names)
        return given

    def _before_fit(self, given):
        """Checks the data for penalties, and watches whether losses stay finite."""
        check_records_gradients()
        penalties = self._changeable.penalised.penalties
        callbacks = given.get("callbacks")
        if not penalties or not self.compiled:
            return given
        batch, given["x"] = first_batch(given["x"])
        self._check_data(given["x"] if batch is None else batch)
        if not isinstance(callbacks, keras.callbacks.CallbackList):
            own = FiniteLosses(tuple(penalties))
            given["callbacks"] = [*keras.tree.flatten(callbacks or []), own]
        return given

    def _before_step(self, given):
        """Checks the first batch for penalties, where no data have been looked at."""
        check_records_gradients()
        if self.compiled and not self._data_are_checked:
            self._check_data(given["x"])
        return given

    def _check_data(self, x):
        strategy = getattr(self, "distribute_strategy", None)
        replicas = getattr(strategy, "num_replicas_in_sync", 1)
        if replicas == 1 and keras.distribution.distribution() is None:
            self._data_are_checked = self._changeable.penalised.check_data(x)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        y = self._target(x, y, y_pred)
        check_targets(x, y, y_pred, self.loss)
        weighed = self._weighed(sample_weight, y, y_pred)
        loss = super().compute_loss(x, *weighed[1:], weighed[0], training)
        # Last: a layer called from outside its model clears the collected losses.
        return self._changeable.penalised.total(
            loss, x, keras.tree.flatten(weighed[0])[0], self.losses
        )

    def _target(self, x, y, y_pred):
        if y is not None and y is not x:
            return y
        # Keras builds the model from unpaired data.
        inputs = getattr(self.encoder, "inputs", None) or ()
        return own_target(x, y_pred, [tensor.name for tensor in inputs])

    def _weighed(self, sample_weight, y, y_pred):
        """Weights, targets and outputs as Keras takes them."""
        tree = keras.tree
        targets, outputs = tree.flatten(y), tree.flatten(y_pred)
        losses = _losses(self.loss)
        if sample_weight is None or len(losses) not in (1, len(outputs)):
            return sample_weight, y, y_pred
        losses = losses * (len(outputs) // len(losses))
        is_known = self._known.loss is self.loss
        of_entries = (self._known.of_entries if is_known else None) or [None]
        of_entries = of_entries * (len(outputs) // len(of_entries))
        weights = tree.flatten(sample_weight)
        weights = weights * (len(outputs) // len(weights))
        found = [*map(weighed, weights, losses, targets, outputs, of_entries)]
        if not tree.is_nested(y_pred):
            return found[0]
        return tuple(tree.pack_sequence_as(y_pred, column) for column in zip(*found))

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        y = self._target(x, y, y_pred)
        sample_weight = keras.tree.map_structure(weights_of_samples, sample_weight)
        if self._known.weighs_metrics and _is_of_entries(sample_weight, y):
            raise ValueError(
                "`weighted_metrics` take one weight per sample. Received: sample_weight of "
                f"shape {tuple(sample_weight.shape)}, one per entry. Pass them as metrics."
            )
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def save_own_variables(self, store):
        super().save_own_variables(store)
        _seeds.save(store, self._seed_states())

    def load_own_variables(self, store):
        _seeds.load(store, super().load_own_variables, self._seed_states)

    def _seed_states(self):
        """Of noise, penalty and layers like Dropout, which Keras itself does not save."""
        other = {id(v) for v in (*self.weights, *self.metrics_variables)}
        states = [v for v in self.variables if id(v) not in other]
        # Settings, such as the weight of a penalty, are floating-point numbers.
        return [v for v in states if not keras.backend.is_float_dtype(v.dtype)]


def _symbolic(shape):
    return keras.Input(shape[1:])


def _losses(loss):
    return keras.tree.flatten(loss)


def _is_of_entries(sample_weight, y):
    if sample_weight is None or keras.tree.is_nested(y):
        return False
    return len(sample_weight.shape) == len(y.shape) > 1


def _weighs_metrics(model):
    """Whether `compile` got `weighted_metrics`."""
    with warnings.catch_warnings(), contextlib.suppress(Exception):
        warnings.simplefilter("ignore")  # a lambda among the losses
        return bool((model.get_compile_config() or {}).get("weighted_metrics"))
    return False
