"""A fixed set of values is a `Literal`, and what is not in it is refused."""

import dataclasses
import inspect
import re
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import ArrayLike

import keras_manifold as km

# Texts of which there is no fixed set. Whatever else takes a text takes a `Literal`.
OPEN = {
    "activation": "Keras's names and those that a user registered",
    "channel_names": "a user's words",
    "cmap": "matplotlib's names",
    "column_labels": "a user's words",
    "directory": "a path",
    "feature_names": "a user's words",
    "keys": "names of metrics, which a user chooses",
    "labels": "a user's words",
    "log_dir": "a path",
    "name": "a scalar's or array's, which a user chooses",
    "output_activation": "as `activation`",
    "path": "a path",
    "penalty": "the name of one, which a user chooses",
    "prefix": "the first part of a file's name",
    "row_labels": "a user's words",
    "runs": "paths",
    "title": "a user's words",
}
X = np.random.default_rng(0).uniform(size=(2, 6, 6, 1)).astype("float32")
# What makes a call valid but for the argument that is tested.
VALUES = {
    "codes": lambda: np.zeros((2, 2), "float32"),
    "dimensions": lambda: np.ones((2, 3)),
    "model": lambda: km.AutoEncoder.dense(X.shape[1:], 2),
    "self": lambda: km.AutoEncoder.dense(X.shape[1:], 2),
    "singular_values": lambda: np.array([2.0, 1.0]),
    "start": lambda: np.zeros((2, 2), "float32"),
    "stddevs": lambda: [0.1, 0.2],
    "stddev": lambda: 0.1,
    "steps": lambda: 2,
    "stop": lambda: np.ones((2, 2), "float32"),
    "weight": lambda: 0.1,
    "x": lambda: X,
}
NONE_OF_THEM = "none of them"
LIKE_AN_ARRAY = set(typing.get_args(ArrayLike))


def names_of(module):
    defined = [
        name
        for name, thing in vars(module).items()
        if not name.startswith("_") and getattr(thing, "__module__", "") == module.__name__
    ]
    return getattr(module, "__all__", defined)


def public(module, prefix=""):
    """Functions, constructors and methods of ours, by their dotted names."""
    for name in names_of(module):
        thing = getattr(module, name)
        if inspect.ismodule(thing):
            yield from public(thing, f"{prefix}{name}.")
        elif inspect.isclass(thing) and not issubclass(thing, Exception):
            yield f"{prefix}{name}", thing
            for method in vars(thing):
                member = getattr(thing, method)
                # What Keras calls has no docstring of ours.
                is_ours = "Args:" in (inspect.getdoc(member) or "")
                if callable(member) and not method.startswith("_") and is_ours:
                    yield f"{prefix}{name}.{method}", member
        elif inspect.isfunction(thing):
            yield f"{prefix}{name}", thing


def evaluated(annotation, function):
    if not isinstance(annotation, str):
        return annotation
    names = re.findall(r"\w+", annotation)  # some are there for a type checker only
    return eval(annotation, dict.fromkeys(names, Any) | vars(inspect.getmodule(function)))


def leaves(annotation):
    """The classes and values of which an annotation is made."""
    origin = typing.get_origin(annotation)
    if origin is typing.Literal:
        return set(typing.get_args(annotation))
    if origin in (Annotated, Callable):
        return {annotation}
    # Of a mapping the values.
    inner = {*typing.get_args(annotation)[origin in (Mapping, dict) :]}
    if inner >= LIKE_AN_ARRAY:  # NumPy takes a text for one, we don't
        inner -= LIKE_AN_ARRAY
    return set().union(*map(leaves, inner)) if inner else {annotation}


def parameters():
    for name, function in dict(public(km)).items():
        for parameter in inspect.signature(function).parameters.values():
            annotation = evaluated(parameter.annotation, function)
            yield pytest.param(
                function, parameter, leaves(annotation), id=f"{name}-{parameter.name}"
            )


PARAMETERS = list(parameters())
# The fields of results are not a user's to choose.
WITH_CHOICES = [
    case
    for case in PARAMETERS
    if any(type(leaf) is str for leaf in case.values[2])
    and not dataclasses.is_dataclass(case.values[0])
]


def test_the_signatures_were_found():
    found = {case.id for case in WITH_CHOICES}
    assert {
        "ContractivePenalty-of",
        "ContractivePenalty-probe_kind",
        "ContractivePenalty-probes",
        "NoiseInjection-kind",
        "ReconstructionGrid-unit",
        "TangentAnalyzer-of",
        "TangentAnalyzer-unit",
        "local_dimension-rule",
        "symmetries.image_tangents-kinds",
        "tangent_space-method",
        "tangent_space-of",
        "tangent_space-verbose",
    } <= found


def test_a_text_is_a_literal_or_open():
    # Annotate what this finds as a Literal, or say in OPEN why it can't be one.
    found = []
    for case in PARAMETERS:
        _, parameter, types = case.values
        takes_text = str in types or isinstance(parameter.default, str)
        is_literal = any(type(leaf) is str for leaf in types)
        if takes_text and not is_literal and parameter.name not in OPEN:
            found.append(case.id)
    assert found == []


@pytest.mark.parametrize(("function", "parameter", "types"), WITH_CHOICES)
def test_a_literal_holds_what_is_not_refused(function, parameter, types):
    arguments = {
        other.name: VALUES[other.name]()
        for other in inspect.signature(function).parameters.values()
        if other.name in VALUES or other.default is other.empty
        if other.name != parameter.name and other.kind is not other.VAR_KEYWORD
    }
    is_several = isinstance(parameter.default, tuple)
    value = (NONE_OF_THEM,) if is_several else NONE_OF_THEM
    with pytest.raises(ValueError, match=f"`{parameter.name}` must ") as caught:
        function(**arguments, **{parameter.name: value})
    expected, _, received = str(caught.value).partition(" Received: ")
    assert NONE_OF_THEM in received
    named = set(re.findall(r"[\"'](\w+)[\"']", expected))
    assert named == {leaf for leaf in types if type(leaf) is str}
