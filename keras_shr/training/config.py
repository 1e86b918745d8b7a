"""What a training run is made of, and how a command changes it."""

import ast
import copy
import dataclasses
import runpy
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keras_shr.errors import KerasShrError, first_line, shown
from keras_shr.training._checks import check_model_options, check_settings


@dataclass(frozen=True)
class Config:
    """One training run.

    Attributes:
        data: the data set as `keras_shr.data.open_data` takes it: a folder, or a specification
            such as `"rendered:8000?seed=1"` or `"coco:person.json?images_root=images"`; or a list
            of them, to train on several together.
        split: the part to train on, or None for all of it. A data set without parts is all for
            training; one that has parts but not this one is refused.
        validation: another data set to validate on; None takes `validation_split` of `data`.
        validation_split: the part to validate on; where `data` has no `"val"`, or with None,
            `validation_share` of the training images (whole groups of them, where groups are known)
            are held out. Another name has to be there. A part that a data set calls its test part
            is taken only by that name.
        validation_share: share held out where there is no validation part.
        validation_limit: at most so many validation images, spread evenly over the set.
        image_size: side of the images in pixels.
        method: a training method by its name in `keras_shr.methods.METHODS`, such as `"augmix"`;
            None trains as `model` says, by default with our recipe.
        model: keyword arguments of `StableHeatmapRegressor`; with a `method` those of the network,
            `augmentation` and `seed`: the method decides the others.
        learning_rate: highest rate of the default schedule.
        batch_size: labelled images in a step. Perturbed copies come on top.
        accumulate: steps whose mean gradient makes one update, see
            `keras_shr.models.default_optimizer`: 4 steps of 16 images train as one of 64, in the
            memory of 16. Epochs, schedule and history go on counting steps.
        epochs: passes over the data.
        steps_per_epoch: batches in an epoch, or None for one pass.
        validate_every: epochs between validations.
        seed: of initial weights, order, augmentation and perturbation.
        init: a `.keras` file, or the name of a trained model, whose weights the run starts from;
            its keypoints may be others. Where `model` says nothing of a network, the file's is
            built; `image_size` stays what it is here. None starts from random weights.

    Raises:
        KerasShrError: a value of another type or range; it names setting, value and what is right.
    """

    data: str | list = ""
    split: str | None = "train"
    validation: str | list | None = None
    validation_split: str | None = "val"
    validation_share: float = 0.1
    validation_limit: int = 512
    image_size: int = 256
    method: str | None = None
    model: dict = field(default_factory=dict)
    learning_rate: float = 2e-3
    batch_size: int = 32
    accumulate: int = 1
    epochs: int = 60
    steps_per_epoch: int | None = None
    validate_every: int = 1
    seed: int = 0
    init: str | None = None

    def __post_init__(self):
        for name in ("split", "validation_split"):
            value = getattr(self, name)
            if isinstance(value, int | float) and not isinstance(value, bool):
                object.__setattr__(self, name, str(value))  # a fold's number
        check_settings(self)
        check_model_options(self.model, self.method)

    def override(self, assignments) -> "Config":
        """A copy with `name=value` assignments applied.

        `model.alpha=0.5` and `model.augmentation.rotation=10` reach inside. Values are Python
        literals; anything that is none is a string.

        Raises:
            KerasShrError: an unknown setting, or a value that it cannot have.
        """
        values = {f.name: copy.deepcopy(getattr(self, f.name)) for f in dataclasses.fields(self)}
        for name, value in assigned(assignments):
            *outer, last = name.split(".")
            if (outer or [last])[0] not in values or (outer and outer[0] != "model"):
                raise KerasShrError(
                    f"{name!r} is no setting; there are {', '.join(values)} and model.NAME"
                )
            place = values
            for depth, word in enumerate(outer, 1):
                place = place.setdefault(word, {})
                if not isinstance(place, dict):
                    raise KerasShrError(
                        f"{name}={value!r}: {'.'.join(outer[:depth])} is {shown(place)}, in which "
                        "nothing can be set"
                    )
            place[last] = value
        return Config(**values)


def assigned(words) -> Iterator[tuple[str, Any]]:
    """Yields name and value of each `name=value` word; a value that is no literal is a string."""
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise KerasShrError(f"{word!r} is no setting; write name=value")
        yield name, _literal(text)


def _literal(text):
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text


def load_config(path) -> Config:
    """The `config` that a Python file defines.

    Raises:
        KerasShrError: the file is missing, fails, or defines no `Config` of that name.
    """
    path = Path(path)
    if not path.is_file():
        raise KerasShrError(f"{path}: no such configuration file")
    try:
        config = runpy.run_path(str(path)).get("config")
    except Exception as error:  # the file is a program of the user's: anything may come out of it
        raise KerasShrError(_failure(path, error)) from error
    if not isinstance(config, Config):
        raise KerasShrError(
            f"{path}: defines no `config = keras_shr.training.Config(...)` (found {config!r})"
        )
    return config


def _failure(path, error):
    """Where a configuration file failed, and of what."""
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    line = error.lineno if isinstance(error, SyntaxError) else (lines or [None])[-1]
    where = f"{path}:{line}" if line else f"{path}"
    if isinstance(error, KerasShrError):
        return f"{where}: {error}"
    if isinstance(error, TypeError) and "Config.__init__" in str(error):
        names = ", ".join(f.name for f in dataclasses.fields(Config))
        return f"{where}: {first_line(error)}; there are {names}"
    return f"{where}: {type(error).__name__}: {first_line(error)}"
