"""What the settings of a `Config` may be, so that a wrong one is named before anything is read."""

import difflib
import inspect
import json
import math
from collections.abc import Callable

from keras_shr.errors import KerasShrError, shown
from keras_shr.layers import RandomKeypointAffine
from keras_shr.methods import METHODS
from keras_shr.models import PairedHeatmapModel, StableHeatmapRegressor

_LARGEST_SEED = 2**32 - 1  # NumPy's


def _is_whole(value, least=1, most=math.inf):
    return type(value) is int and least <= value <= most


def _is_number(value):
    return type(value) in (int, float) and math.isfinite(value)


def _is_text(value):
    return isinstance(value, str)


def _is_data(value):
    return _is_text(value) or (
        isinstance(value, list | tuple) and len(value) > 0 and all(map(_is_text, value))
    )


def _or_none(check):
    return lambda value: value is None or check(value)


_COUNT = (_is_whole, "a whole number, 1 or more")
_TEXT_OR_NONE = (_or_none(_is_text), "text or None")
_SETTINGS: dict[str, tuple[Callable, str]] = {
    "data": (_is_data, "a path or a specification, or a list of them"),
    "split": _TEXT_OR_NONE,
    "validation": (_or_none(_is_data), "a path or a specification, a list of them, or None"),
    "validation_split": _TEXT_OR_NONE,
    "validation_share": (lambda v: _is_number(v) and 0 < v < 1, "a number between 0 and 1"),
    "validation_limit": _COUNT,
    "image_size": (lambda v: _is_whole(v, 8), "a whole number of pixels, 8 or more"),
    "method": (_or_none(METHODS.__contains__), f"None or one of {', '.join(METHODS)}"),
    "model": (lambda v: isinstance(v, dict), "a dictionary, or single settings as model.alpha=0.5"),
    "learning_rate": (lambda v: _is_number(v) and v > 0, "a number above 0"),
    "batch_size": _COUNT,
    "accumulate": _COUNT,
    "epochs": _COUNT,
    "steps_per_epoch": (_or_none(_is_whole), "a whole number, 1 or more, or None"),
    "validate_every": _COUNT,
    "seed": (lambda v: _is_whole(v, 0, _LARGEST_SEED), f"a whole number, 0 to {_LARGEST_SEED}"),
    "init": _TEXT_OR_NONE,
}


def check_settings(config) -> None:
    """Refuses a setting of a wrong type or range.

    Args:
        config: `Config`.

    Raises:
        KerasShrError: naming it, its value and what would be right.
    """
    for name, (is_right, expected) in _SETTINGS.items():
        value = getattr(config, name)
        try:
            right = is_right(value)
        except TypeError:  # unhashable
            right = False
        if not right:
            raise _wrong(name, value, expected)


def _parameters(function):
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = list(inspect.signature(function).parameters.values())
    return {p.name: p.default for p in parameters if p.kind in named}


_ELSEWHERE = {
    "num_keypoints": "the data say how many",
    "skeleton": "it comes with the data, in skeleton.json for example",
    "image_size": "give image_size itself",
    "network": "give backbone",
}
_MODEL = {
    name: default
    for function in (PairedHeatmapModel, StableHeatmapRegressor)
    for name, default in _parameters(function).items()
    if name not in _ELSEWHERE
}
_TRAINING = _parameters(PairedHeatmapModel).keys() - {*_ELSEWHERE, "augmentation", "seed"}
_AUGMENTATION = _parameters(RandomKeypointAffine)
_OPTIONS: dict[str, tuple[Callable, str]] = {
    "filters": (
        lambda v: type(v) is int or isinstance(v, list | tuple),
        "a whole number, or several",
    ),
    "stability_weight": (
        lambda v: _is_number(v) or (isinstance(v, dict) and "class_name" in v),
        "a number, or a schedule as Keras serialises it",
    ),
    "perturbations": (
        _or_none(lambda v: isinstance(v, list | tuple) and all(map(_is_text, v))),
        "a list of names, or None",
    ),
    "target_options": (_or_none(lambda v: isinstance(v, dict)), "a dictionary, or None"),
    "augmentation": (
        _or_none(lambda v: isinstance(v, dict)),
        "a dictionary, or single settings as model.augmentation.rotation=10, or None",
    ),
    "scale": (
        lambda v: isinstance(v, list | tuple) and len(v) == 2 and all(map(_is_number, v)),
        "a pair of numbers, as (0.8, 1.25)",
    ),
}
"""What the default does not tell of an option. Of others it gives the type."""
_BY_DEFAULT: dict[type, tuple[Callable, str]] = {
    bool: (lambda v: type(v) is bool, "True or False"),
    int: (lambda v: type(v) is int, "a whole number"),
    float: (_is_number, "a number"),
}


def check_model_options(options, method=None) -> None:
    """Refuses keyword arguments that the model does not have, and values of another type.

    Args:
        options: `Config.model`.
        method: `Config.method`, beside which only the network may be described.

    Raises:
        KerasShrError: naming the setting, its value and what would be right.
    """
    for name, value in options.items():
        if name in _ELSEWHERE:
            raise KerasShrError(f"model.{name}={shown(value)}: leave it out; {_ELSEWHERE[name]}")
    _check_options("model", options, _MODEL)
    ignored = [name for name in options if method is not None and name in _TRAINING]
    if ignored:
        name = ignored[0]
        raise KerasShrError(
            f"model.{name}={shown(options[name])} has no effect with method={method!r}, which "
            "decides how it trains; leave one of the two out"
        )
    augmentation = options.get("augmentation")
    if augmentation is not None:
        _check_options("model.augmentation", augmentation, _AUGMENTATION)
    try:
        json.dumps(options)
    except (TypeError, ValueError):
        raise KerasShrError(
            f"model={shown(options)}: expected numbers, text, lists and dictionaries, as the run's "
            "config.json has to hold them"
        ) from None


def _check_options(where, options, known):
    for name, value in options.items():
        if name not in known:
            close = difflib.get_close_matches(str(name), known, 1)
            meant = f"did you mean {close[0]}? " if close else ""
            raise KerasShrError(
                f"{where}.{name}={shown(value)}: no such setting; {meant}there are "
                f"{', '.join(known)}"
            )
        rule = _OPTIONS.get(name) or _BY_DEFAULT.get(type(known[name]))
        if rule is not None and not rule[0](value):
            raise _wrong(f"{where}.{name}", value, rule[1])


def _wrong(name, value, expected):
    return KerasShrError(f"{name} is {shown(value)}; expected {expected}")
