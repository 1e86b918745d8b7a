"""The same command again goes on where a killed run stopped."""

import json
import re
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_shr._replicas import alone
from keras_shr.callbacks.robustness import check_every
from keras_shr.errors import KerasShrError
from keras_shr.files import (
    check_space,
    file_sha256,
    read_json,
    remove_leftovers,
    replacing,
    write_text,
)
from keras_shr.models.optimization import fitted_schedule

_STATE = "backup.json"
_RETURNED = "returned.weights.h5"
_WEIGHTS = re.compile(r"\w[\w.-]*\.weights\.h5", re.ASCII)


def _is_number(value):
    return type(value) in (int, float)


def _are(fits, values):
    return isinstance(values, list) and all(map(fits, values))


# Older backups say nothing of settings, began_at, returned and sha256.
_FIELDS = {
    "epoch": (lambda v: type(v) is int and v > 0, "a number of epochs"),
    "weights": (
        lambda v: isinstance(v, str) and _WEIGHTS.fullmatch(v),
        "the name of a .weights.h5 file beside it",
    ),
    "sha256": (lambda v: isinstance(v, str | None), "text"),
    "settings": (lambda v: isinstance(v, dict | None), "an object"),
    "began_at": (lambda v: v is None or type(v) is int, "a number of updates"),
    "seeds": (lambda v: isinstance(v, list), "a list"),
    "stopped_at": (lambda v: v is None or type(v) is int, "a number of epochs or null"),
    "returned": (lambda v: isinstance(v, str | None), "text"),
    "epochs": (lambda v: _are(_is_number, v), "a list of numbers"),
    "history": (
        lambda v: isinstance(v, dict) and all(_are(_is_number, each) for each in v.values()),
        "an object of lists of numbers",
    ),
}


def _read(directory):
    return read_json(Path(directory) / _STATE, _FIELDS)


class BackupAndResume(keras.callbacks.Callback):
    """Backs up the training state after each epoch and resumes from it.

    `fit` with this callback and an existing backup restores weights, optimizer and the random
    state of layers, and goes on after the last finished epoch, even if the process was ended by
    SIGKILL. A backup is one weights file and a `backup.json` that names it, with its SHA-256; the
    latter is replaced in one step, so there is always one whole backup. It stays when training
    ends: a finished run that is started again restores its state and trains no further, and goes on
    if it is given more epochs. A run that a callback ended early comes back with the weights that
    it ended with, such as `EarlyStopping`'s best. The history that `fit` returns covers all epochs.
    What another callback counts for itself, such as `EarlyStopping`'s patience and best value, is
    not kept: it begins anew after a resume.

    Keras' own `BackupAndRestore` writes weights and epoch number one after the other, in place, and
    removes both at the end.

    Put it **last** in the list of callbacks, so that what the others write about an epoch is there
    before the epoch counts as finished.

    Args:
        directory: a folder for the backup alone.
        every: epochs between backups; the last epoch is always backed up.
        writes: False only resumes, from the backups of another process that shares the run.

    Raises:
        KerasShrError: when the backup is damaged, cannot be loaded, such as into another
            architecture, or is of a model with other settings.
    """

    def __init__(self, directory, every=1, writes=True):
        super().__init__()
        self.directory = Path(directory)
        self.every, self.writes = check_every(every), writes
        self._epochs, self._history, self._restored = [], {}, False
        self._held, self._ended = None, False  # weights not backed up yet; nothing is trained
        self._mine: dict = {}

    @staticmethod
    def finished_epochs(directory) -> int:
        """How many epochs the backup in `directory` has behind it; 0 without one."""
        state = _read(directory)
        return 0 if state is None else state["epoch"]

    @property
    def run_began_at(self) -> int | None:
        """What the optimizer had counted when the run in the folder began; None without one."""
        state = _read(self.directory)
        return None if state is None else state.get("began_at") or 0

    def on_train_begin(self, logs=None) -> None:
        self._epochs, self._history, self._restored = [], {}, False
        self._held, self._ended = None, False
        self.model._initial_epoch = None
        self._mine = _settings(self.model)  # other callbacks may lower the rate
        if self.writes:
            remove_leftovers(self.directory)
        state = _read(self.directory)
        if state is None:
            return
        self._check_settings(state.get("settings"))
        self._mine = (state.get("settings") or {}) | self._mine
        self._load(self.directory / state["weights"], state.get("sha256"), state["seeds"])
        if self.writes:
            self._remove_all_but(state["weights"], _RETURNED)  # a kill can have come before that
        self._epochs, self._history = list(state["epochs"]), dict(state["history"])
        self._restored = True
        planned = self.params["epochs"]
        done = state["stopped_at"] is not None and planned <= state["stopped_at"]
        self._ended = done
        # Keras reads this right after on_train_begin; it is how BackupAndRestore resumes too.
        self.model._initial_epoch = planned if done else min(state["epoch"], planned)
        if self.writes and self.params.get("verbose", 1):
            _say(self.directory, self.model._initial_epoch, planned)

    def on_epoch_begin(self, epoch, logs=None) -> None:
        # Left in place, it would make the next `fit` of this model start late as well.
        self.model._initial_epoch = None
        self._extend_history()

    def on_epoch_end(self, epoch, logs=None) -> None:
        self._epochs.append(epoch)
        for key, value in (logs or {}).items():
            self._history.setdefault(key, []).append(float(value))
        if (epoch + 1) % self.every == 0 or epoch + 1 >= self.params["epochs"]:
            self._held = None
            self._save(epoch + 1)
        else:  # when training has ended early, averages or the best epoch's may be in their place
            self._held = [np.array(value) for value in self.model.get_weights()]

    def on_train_end(self, logs=None) -> None:
        self.model._initial_epoch = None
        self._extend_history()
        state = _read(self.directory)
        if self._ended and state is not None and state.get("returned"):
            self._load(self.directory / _RETURNED, state["returned"], state["seeds"])
        # A callback ended training early: to start the same run again is not to train on.
        elif self.model.stop_training and self._epochs:
            ended = {"stopped_at": self.params["epochs"], "returned": self._save_returned()}
            if self._held is not None:
                returned = self.model.get_weights()
                self.model.set_weights(self._held)
                self._save(self._epochs[-1] + 1, ended)
                self.model.set_weights(returned)
            elif state is not None:
                self._write({**state, **ended})

    def _save_returned(self):
        """Saves the weights that `fit` returns; their SHA-256."""
        if not self.writes:
            return None
        return self._save_weights(self.directory / _RETURNED)

    def _save_weights(self, path):
        with alone(), replacing(path) as temporary:
            check_space(temporary, _bytes(self.model))  # HDF5 would print tracebacks
            self.model.save_weights(temporary)
            return file_sha256(temporary)

    def _save(self, epoch, ended=None):
        if not self.writes:
            return
        name = f"epoch-{epoch:05d}.weights.h5"
        checksum = self._save_weights(self.directory / name)
        self._write(
            {
                "epoch": epoch,
                "weights": name,
                "sha256": checksum,
                "settings": self._mine,
                "began_at": getattr(fitted_schedule(self.model.optimizer), "first_step", 0),
                "seeds": [np.asarray(v.value).tolist() for v in _seed_variables(self.model)],
                "stopped_at": None,
                "epochs": self._epochs,
                "history": self._history,
                **(ended or {}),
            }
        )
        self._remove_all_but(name, _RETURNED if ended else None)

    def _remove_all_but(self, *names):
        """Removes the weights of other epochs, torn ones too."""
        for other in self.directory.glob("*.weights.h5"):
            if other.name not in names:
                other.unlink(missing_ok=True)

    def _check_settings(self, theirs):
        """Refuses to go on with another model's run; older backups do not say."""
        mine = self._mine
        differing = [key for key in mine if theirs and mine[key] != theirs.get(key, mine[key])]
        if differing:
            key = differing[0]
            raise KerasShrError(
                f"{self.directory}: holds the run of a model with {key}={theirs[key]!r}, not "
                f"{mine[key]!r}; give this run another folder, or remove that one to start over"
            )

    def _write(self, state):
        if not self.writes:
            return
        write_text(self.directory / _STATE, json.dumps(state))

    def _load(self, path, checksum, seeds):
        if not self.model.built:
            raise KerasShrError(
                "BackupAndResume can only restore a built model: call it on a batch before fit"
            )
        optimizer = self.model.optimizer
        if optimizer is not None and not optimizer.built:
            optimizer.build(self.model.trainable_variables)
        # HDF5 has no checksum of its own: it would load other numbers without a word.
        if checksum is not None and path.exists() and file_sha256(path) != checksum:
            raise KerasShrError(
                f"{path}: damaged, its SHA-256 is not the one in {_STATE}; "
                f"remove {self.directory} to start over"
            )
        try:
            self.model.load_weights(path)
            for variable, value in zip(_seed_variables(self.model), seeds, strict=True):
                variable.assign(value)
        except Exception as error:
            lines = str(error).strip().splitlines() or [repr(error)]
            raise KerasShrError(
                f"{path}: this backup does not fit the model ({lines[0]}); "
                f"remove {self.directory} to start over"
            ) from error

    def _extend_history(self):
        """Put the epochs before the interruption into the history that `fit` returns."""
        if self._restored:
            self.model.history.epoch = list(self._epochs)
            self.model.history.history = {k: list(v) for k, v in self._history.items()}
            self._restored = False


def _bytes(model):
    variables = [*model.variables, *(model.optimizer.variables if model.optimizer else ())]
    return sum(np.prod(v.shape, dtype=int) * 4 for v in variables)


def _seed_variables(model):
    """The states of the model's seed generators (dropout), which no weights file holds."""
    others = {id(v) for v in [*model.weights, *model.metrics_variables]}
    return [v for v in model.variables if id(v) not in others]


def _settings(model):
    """What a model says of its training, as JSON."""
    config = model.training_config() if hasattr(model, "training_config") else {}
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)  # of loss scaling
    config = config | {"optimizer": type(optimizer).__name__}
    rate = getattr(optimizer, "_learning_rate", None)
    # In a model that was trained already another callback may have changed it.
    fresh = optimizer is None or not int(ops.convert_to_numpy(optimizer.iterations))
    constant = not isinstance(rate, keras.optimizers.schedules.LearningRateSchedule)
    if rate is not None and constant and fresh:
        config["learning_rate"] = float(f"{float(ops.convert_to_numpy(rate)):.6g}")
    return json.loads(json.dumps(_lasting(config), default=str))


def _lasting(value):
    """Without what changes with the layers made before, or with being built."""
    if not isinstance(value, dict):
        return value
    passing = {"build_config", "shared_object_id"} if "class_name" in value else {"name"}
    return {key: _lasting(each) for key, each in value.items() if key not in passing}


def _say(directory, epoch, planned):
    run = directory.parent if directory.name == "backup" else directory
    if epoch < planned:
        text = f"{run}: going on after epoch {epoch} of {planned}"
    else:
        text = f"{run}: all {planned} epochs are done, nothing is trained; give more of them, or "
        text += "another folder"
    print(text)
