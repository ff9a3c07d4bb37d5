"""Holds what the package returns to its annotations, for all tests.

`Annotated[NDArray[np.float32], "n k *input_shape"]` is what jaxtyping writes as
`Float32[np.ndarray, "n k *input_shape"]`; so the package need not import jaxtyping.
"""

import dataclasses
import functools
import inspect
import operator
import sys
import types
import typing

import jaxtyping
import numpy as np
from beartype.door import die_if_unbearable

CHECKED: set[str] = set()  # names, once `check_all` was called


@functools.cache  # beartype makes a function for each new hint
def hint_of(annotation):
    """The annotation with those of jaxtyping in it, and whether there are any."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        array, dimensions = inner
        is_numpy = bool(typing.get_args(array))  # `NDArray` of some numbers
        return _numbers_of(array)[np.ndarray if is_numpy else array, dimensions], True
    if origin in (typing.Union, types.UnionType):
        hints, have_shapes = zip(*map(hint_of, inner))
        return functools.reduce(operator.or_, hints), any(have_shapes)
    if origin is tuple and Ellipsis not in inner:
        hints, have_shapes = zip(*map(hint_of, inner))
        return tuple[hints], any(have_shapes)
    return annotation, False


def _numbers_of(array):
    inner = typing.get_args(array)
    if not inner:
        return jaxtyping.Float
    # `NDArray[d]` was `ndarray[Any, dtype[d]]` before NumPy 2.5.
    (dtype,) = typing.get_args(inner[-1]) or inner
    kinds = {np.floating: "Float", np.integer: "Integer"}
    return getattr(jaxtyping, kinds.get(dtype) or np.dtype(dtype).name.capitalize())


def check(**values_and_annotations):
    """Raises unless each value is as annotated; a name of a size means one number."""
    with jaxtyping.jaxtyped("context"):
        for value, annotation in values_and_annotations.values():
            die_if_unbearable(value, hint_of(annotation)[0])


def checked(function):
    """The function, whose results are held to their annotation."""
    annotation = inspect.signature(function).return_annotation
    hold = check

    def wrapper(*args, **kwargs):
        result = function(*args, **kwargs)
        hold(result=(result, annotation))
        return result

    # In the function's module, where doctests are looked for.
    wrapper = types.FunctionType(
        wrapper.__code__, function.__globals__, closure=wrapper.__closure__
    )
    return functools.update_wrapper(wrapper, function)


def check_fields(cls):
    """From now on, the fields of each instance are held to their annotations."""
    original = cls.__init__
    annotations = typing.get_type_hints(cls, include_extras=True)

    @functools.wraps(original)
    def init(self, *args, **kwargs):
        original(self, *args, **kwargs)
        names = [field.name for field in dataclasses.fields(cls)]
        check(**{name: (getattr(self, name), annotations[name]) for name in names})

    cls.__init__ = init


def check_members(cls):
    """From now on, what methods and properties return is held to their annotations."""
    for name, member in list(vars(cls).items()):
        is_property = isinstance(member, property)
        function = member.fget if is_property else member
        if not inspect.isfunction(function):
            continue
        if hint_of(inspect.signature(function).return_annotation)[1]:
            held = checked(function)
            setattr(cls, name, property(held, member.fset) if is_property else held)
            yield f"{cls.__name__}.{name}"


def check_all(package):
    """Functions, methods and dataclasses of the package's modules that annotate shapes."""
    modules = {
        name: module
        for name, module in sys.modules.items()
        if name.partition(".")[0] == package.__name__
    }
    found = {}
    for module in modules.values():
        for name, thing in vars(module).items():
            if getattr(thing, "__module__", None) != module.__name__:
                continue
            if inspect.isfunction(thing):
                if hint_of(inspect.signature(thing).return_annotation)[1]:
                    found[name] = thing, checked(thing)
                continue
            if not inspect.isclass(thing):
                continue
            CHECKED.update(check_members(thing))
            if dataclasses.is_dataclass(thing):
                annotations = typing.get_type_hints(thing, include_extras=True)
                if any(hint_of(annotation)[1] for annotation in annotations.values()):
                    check_fields(thing)
                    found[name] = thing, thing
    for module in modules.values():
        for name, (original, replacement) in found.items():
            if getattr(module, name, None) is original:
                setattr(module, name, replacement)
    CHECKED.update(found)
