"""Keeps the model that did best on validation images under the seen perturbations."""

import contextlib
import json
from pathlib import Path

import keras

from keras_shr._replicas import alone
from keras_shr.callbacks._averaging import averaged_weights
from keras_shr.callbacks.probe import RobustnessProbe
from keras_shr.callbacks.robustness import check_every, is_due
from keras_shr.errors import KerasShrError
from keras_shr.files import read_json, remove_leftovers, replacing, write_text

_LOWER_IS_BETTER = (
    *("loss", "_R", "error", "epe", "epe_seen", "nme", "nme_seen"),
    *("supervision", "stability", "mae", "mse"),
)


_FIELDS = {
    "monitor": (lambda v: isinstance(v, str), "text"),
    "value": (lambda v: type(v) in (int, float), "a number"),
}


class BestCheckpoint(keras.callbacks.Callback):
    """Saves the whole model whenever it is the best so far: by default, the one with the highest
    AUC under the seen perturbations.

    The images are perturbed once, with the kinds that training may see (`RobustnessProbe`); the
    AUC goes into the logs as `val_auc_seen`. Beside `best.keras` stands `best.json` with the epoch
    and the value, by which a resumed run knows what to beat; a run that starts at epoch 1 forgets
    an older one. Both files are replaced in one step each. What was judged is saved: an optimizer's
    averaged weights, where it keeps them, by a probe's values, and the last ones by Keras' own
    validation, which does not look at averages.

    Put it before `CSVHistory`, `TensorBoardLogs` and `BackupAndResume`.

    Args:
        path: the `.keras` file.
        validation: `KeypointData`, `(images, keypoints)` or a `RobustnessProbe`; may be None where
            a `RobustnessCallback` earlier in the list, or Keras' own validation, logs `monitor`.
        every: epochs between measurements; the last epoch is always measured.
        monitor: which value of the logs decides.
        mode: `"max"`, `"min"`, or `"auto"`: the lowest loss, R, error or stability loss is the
            best, and the highest of anything else.

    Raises:
        KerasShrError: a path of another kind, or, after the first epoch, a `monitor` that is not in
            the logs.
    """

    def __init__(self, path, validation=None, every=1, monitor="val_auc_seen", mode="auto"):
        super().__init__()
        self.path = Path(path)
        if self.path.suffix != ".keras":
            raise KerasShrError(f"path is {path}, expected a file name that ends in .keras")
        self.state_path = self.path.with_suffix(".json")
        self.probe = RobustnessProbe.of(validation)
        self.every = check_every(every)
        self.monitor = monitor
        if mode not in ("auto", "max", "min"):
            raise KerasShrError(f"mode is {mode!r}; expected 'auto', 'max' or 'min'")
        self.lowest = mode == "min" or (mode == "auto" and monitor.endswith(_LOWER_IS_BETTER))
        self.best = None

    def on_train_begin(self, logs=None) -> None:
        self.best = None
        self._started = False
        for path in (self.path, self.state_path):
            remove_leftovers(path.parent, path.name)
        if self.probe is not None:
            self.probe.prepare(self.model)

    def on_epoch_begin(self, epoch, logs=None) -> None:
        if not self._started and epoch > 0 and self.path.exists():
            state = read_json(self.state_path, _FIELDS) or {}
            if state.get("monitor") == self.monitor:
                self.best = state["value"]
        self._started = True

    def on_epoch_end(self, epoch, logs=None) -> None:
        if not is_due(self, epoch):
            return
        logs = {} if logs is None else logs
        if self.monitor not in logs and self.probe is not None:
            measured = self.probe.measure(self.model)
            logs |= {f"val_{key}": value for key, value in measured.items()}
        if self.monitor not in logs:
            raise KerasShrError(
                f"BestCheckpoint watches {self.monitor!r}, which is not in the logs "
                f"({', '.join(sorted(logs))}); give validation= or put RobustnessCallback before it"
                ", measuring as often (every=, validation_freq=)"
            )
        value = float(logs[self.monitor])
        if self.best is None or (value < self.best if self.lowest else value > self.best):
            if value != value:  # NaN is never the best
                return
            probed = self.monitor in {f"val_{key}" for key in RobustnessProbe.KEYS}
            judged = averaged_weights(self.model) if probed else contextlib.nullcontext()
            with judged, alone(), replacing(self.path) as temporary:
                self.model.save(temporary)
            state = {"epoch": epoch + 1, "monitor": self.monitor, "value": value}
            write_text(self.state_path, json.dumps(state) + "\n")
            self.best = value
