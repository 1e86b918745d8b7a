"""Every public name has a docstring, and its Args name the parameters that its signature has."""

import ast
import functools
import importlib
import importlib.util
import inspect
import itertools
import re
from pathlib import Path

import keras
import pytest

_MAKE = Path(__file__).resolve().parents[1] / "docs" / "api" / "make.py"
_spec = importlib.util.spec_from_file_location("api_reference", _MAKE)
api = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(api)

MODULES = api.public_modules()
_SECTION = re.compile(
    r"^(Args|Attributes|Returns|Yields|Raises|Example|Examples|Note|Source):", re.M
)
# What Keras asks a layer, loss, metric, model or callback to have; Keras describes it.
_OF_KERAS = (
    keras.Layer,
    keras.Model,
    keras.Loss,
    keras.Metric,
    keras.callbacks.Callback,
    keras.optimizers.schedules.LearningRateSchedule,
)


def _public():
    for name in MODULES:
        for member, value in api.public_members(importlib.import_module(name)).items():
            if inspect.isclass(value) or inspect.isfunction(value):
                yield f"{name}.{member}", value


def _methods():
    for where, cls in _public():
        if not inspect.isclass(cls):
            continue
        of_keras = {name for base in _OF_KERAS if issubclass(cls, base) for name in dir(base)}
        for name, value in vars(cls).items():
            if isinstance(value, classmethod | staticmethod):
                value = value.__func__
            elif isinstance(value, property):
                value = value.fget
            elif isinstance(value, functools.cached_property):
                value = value.func
            if not inspect.isfunction(value) or name.startswith("_") or name in of_keras:
                continue
            # What overrides a described method does as that one says.
            above = [vars(base)[name] for base in cls.__mro__[1:] if name in vars(base)]
            if value.__doc__ or not any(method.__doc__ for method in above):
                yield f"{where}.{name}", value


def _arguments(docstring, section="Args"):
    """Names in a Google-style section, or None where there is no such section."""
    match = re.search(rf"^{section}:\n((?:(?:[ ].*)?\n?)*)", docstring, re.M)
    if match is None:
        return None
    lines = [line for line in match[1].splitlines() if line.strip()]
    indent = len(lines[0]) - len(lines[0].lstrip())
    heads = [line[indent:].partition(":")[0] for line in lines if line[indent] != " "]
    return [name.strip().lstrip("*") for head in heads for name in head.split(",")]


def _parameters(value):
    function = value.__init__ if inspect.isclass(value) else value
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.name not in ("self", "cls")], {
        p.name for p in parameters if p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    }


def _faults(where, value):
    docstring = inspect.cleandoc(value.__doc__ or "")
    # dataclasses write `Name(field, ...)` themselves where nobody wrote anything
    if not docstring or docstring.startswith(f"{getattr(value, '__name__', '')}("):
        return [f"{where}: no docstring"]
    if inspect.isclass(value) and issubclass(value, Exception):
        return []
    named = _arguments(docstring)
    if named is None and inspect.isclass(value):
        named = _arguments(docstring, "Attributes")
    own, open_ended = _parameters(value)
    if named is None:  # a sentence may do, if it speaks of all of two or more
        words = set(re.findall(r"\w+", docstring))
        silent = [name for name in own if name not in words] if len(own) > 1 else []
        return [f"{where}: nothing is said of {name}" for name in silent]
    missing = [name for name in own if name not in named and name not in open_ended]
    unknown = [name for name in named if name not in own and not open_ended]
    faults = [f"{where}: Args do not name {name}" for name in missing]
    if "Args:" in docstring:
        faults += [f"{where}: Args name {name}, which it does not take" for name in unknown]
    return faults


@pytest.mark.parametrize("name", MODULES)
def test_module_says_what_it_is_for(name):
    assert (importlib.import_module(name).__doc__ or "").strip()


def test_public_names_are_described():
    faults = [fault for where, value in _public() for fault in _faults(where, value)]
    assert not faults, "\n".join(faults)


def _constants():
    for name in MODULES:
        module = importlib.import_module(name)
        for member, value in api.public_members(module).items():
            if not inspect.isclass(value) and not inspect.isfunction(value):
                yield (
                    f"{name}.{member}",
                    importlib.import_module(api.constant_origin(module, member)),
                )


def _says(module, constant):
    """Whether a string follows the constant where it is set."""
    body = ast.parse(inspect.getsource(module)).body
    for statement, following in itertools.pairwise(body):
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == constant:
            value = getattr(following, "value", None)
            return isinstance(value, ast.Constant) and isinstance(value.value, str)
    return False


def test_constants_are_described():
    faults = [name for name, home in _constants() if not _says(home, name.rpartition(".")[2])]
    assert not faults, "\n".join(faults)


def test_no_module_hides_a_function():
    meant = {"keras_shr.models.weights", "keras_shr.perturbations.reference"}
    meant |= {"keras_shr.perturbations.sensor"}
    assert {name for name in MODULES if name.count(".") > 1} == meant


def test_methods_are_described():
    faults = [fault for where, value in _methods() for fault in _faults(where, value)]
    assert not faults, "\n".join(faults)


def _documented(size, color):
    """A sentence about `size`.

    Args:
        size: of it.
        colour: misspelt,
            on two lines.
    """


def _spoken(size, color):
    """A sentence about `size` alone."""


def _silent(size):
    pass


def test_faults_are_found():
    assert _faults("f", _documented) == [
        "f: Args do not name color",
        "f: Args name colour, which it does not take",
    ]
    assert _faults("f", _spoken) == ["f: nothing is said of color"]
    assert _faults("f", _silent) == ["f: no docstring"]


def test_public_functions_say_what_they_return():
    """The package has `py.typed`, so checkers believe its hints and infer nothing."""
    functions = {value for _, value in (*_public(), *_methods()) if not inspect.isclass(value)}
    silent = [f"{f.__module__}.{f.__qualname__}" for f in functions if not _returns(f)]
    assert not silent, "\n".join(sorted(silent))


def _returns(function):
    return "return" in inspect.unwrap(function).__annotations__
