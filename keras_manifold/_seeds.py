"""States of random numbers in saved models, which Keras itself leaves out."""

import warnings
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any

from keras import ops

_SEED_STATE = "seed_state_"


def save(store: MutableMapping, states: Sequence[Any]) -> None:
    """Adds the states to what is saved of a model.

    Args:
        store: Mapping from names to arrays.
        states: Variables of seed generators.
    """
    for index, state in enumerate(states):
        store[f"{_SEED_STATE}{index}"] = ops.convert_to_numpy(state)


def load(store: Mapping, load_others: Callable, states: Callable) -> None:
    """Loads what was saved of a model, with its states of random numbers.

    They are matched by number. Weights may come from a model with other noise: its states
    are of no use, and a warning says so.

    Args:
        store: Mapping from names to arrays.
        load_others: Called with the rest, a mapping.
        states: Called afterwards for the variables of seed generators.
    """
    saved = [key for key in store.keys() if key.startswith(_SEED_STATE)]  # noqa: SIM118
    load_others({key: store[key] for key in set(store.keys()) - set(saved)})
    variables = states()
    if len(variables) != len(saved):
        warnings.warn(
            f"The file holds {len(saved)} states of random numbers, this model has "
            f"{len(variables)}: they start anew, and a resumed training differs.",
            stacklevel=3,
        )
        return
    for index, state in enumerate(variables):
        state.assign(store[f"{_SEED_STATE}{index}"])
