"""What a run was made with: plain facts for its `run.json`."""

import math
import numbers
import platform
import sys
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

# What every layer has, and what says nothing where it is as usual.
_LEFT_OUT = ("name", "trainable", "dtype", "module", "registered_name")


def setup_of(model: keras.Model, x: np.ndarray, fit: Mapping[str, Any]) -> dict[str, Any]:
    """Facts about a training, as JSON can hold them; no paths, no names of machines.

    Args:
        model: The model that is trained.
        x: The samples that are watched, `(n, *input_shape)`.
        fit: The `params` of a callback.

    Returns:
        Mapping with `versions`, `backend`, `seed`, `data`, `samples`, `noise`, `penalties`,
        `loss`, `optimizer`, `parameters`, `epochs` and `steps`.
    """
    penalties = [
        getattr(model, "contractive_penalty", None),
        *getattr(model, "penalties", ()),
    ]
    return {
        "versions": _versions(),
        "backend": keras.backend.backend(),
        "seed": _seed(),
        "data": list(x.shape[1:]),
        "samples": len(x),
        "noise": described(getattr(model, "noise", None)),
        "penalties": [described(penalty) for penalty in penalties if penalty is not None],
        "loss": _name(getattr(model, "loss", None)),
        "optimizer": described(getattr(model, "optimizer", None)),
        "parameters": int(model.count_params()) if model.built else None,
        "epochs": fit.get("epochs"),
        "steps": fit.get("steps"),
    }


def described(thing: Any) -> dict[str, Any] | None:
    """An object of Keras: its class and the settings that are set.

    Args:
        thing: Anything with a `get_config`, or `None`.

    Returns:
        Mapping with `class` and the settings; `None` for `None`.
    """
    if thing is None:
        return None
    try:
        config = thing.get_config()
    except (AttributeError, NotImplementedError, TypeError):
        config = {}
    return {"class": type(thing).__name__, **_settings(config)}


def _settings(config):
    found = {name: _plain(value) for name, value in config.items() if name not in _LEFT_OUT}
    return {name: value for name, value in found.items() if value is not None}


def _plain(value):
    """What JSON holds and a reader understands; `None` for anything else."""
    if isinstance(value, bool | str):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        # Of a variable of float32 no more digits than it has.
        value = float(f"{float(value):.7g}")
        return value if math.isfinite(value) else str(value)
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, Mapping) and "class_name" in value:
        config = value.get("config")
        inner = _settings(config) if isinstance(config, Mapping) else {}
        return {"class": value["class_name"], **inner}
    return None


def _name(loss):
    if loss is None or isinstance(loss, str):
        return loss
    return getattr(loss, "__name__", type(loss).__name__)


def _versions():
    names = ("keras_manifold", "keras", "numpy", keras.backend.backend())
    found = {name: str(sys.modules[name].__version__) for name in names}
    return {"python": platform.python_version(), **found}


def _seed():
    """That of `keras.utils.set_random_seed`, while NumPy has drawn nothing; else `None`."""
    _, state, position, *_ = np.random.get_state()
    is_fresh = position == len(state)
    # The state of a generator that nobody seeded begins with this.
    return int(state[0]) if is_fresh and state[0] != 0x80000000 else None
