"""Accuracy and stability in the logs of `fit`."""

import keras

from keras_shr.callbacks.probe import RobustnessProbe
from keras_shr.errors import KerasShrError


def is_due(callback, epoch):
    """Whether a callback with `every` acts after this epoch (from 0); always after the last."""
    return (epoch + 1) % callback.every == 0 or epoch + 1 == callback.params["epochs"]


def check_every(every):
    if isinstance(every, bool) or not isinstance(every, int) or every < 1:
        raise KerasShrError(f"every is {every!r}, expected a number of epochs >= 1")
    return every


class RobustnessCallback(keras.callbacks.Callback):
    """Adds `val_auc_clean`, `val_auc_seen`, `val_R` and `val_RUC` to the logs.

    See `RobustnessProbe.measure` for what they are. Put it before `CSVHistory`,
    `TensorBoardLogs` and `BackupAndResume`.

    Args:
        validation: `KeypointData`, `(images, keypoints)` or a `RobustnessProbe`, which several
            callbacks can share.
        every: epochs between measurements; the last epoch is always measured.
    """

    def __init__(self, validation, every=1):
        super().__init__()
        probe = RobustnessProbe.of(validation)
        if probe is None:
            raise KerasShrError("validation is None; give KeypointData or (images, keypoints)")
        self.probe = probe
        self.every = check_every(every)

    def on_train_begin(self, logs=None) -> None:
        self.probe.prepare(self.model)

    def on_epoch_end(self, epoch, logs=None) -> None:
        if logs is not None and is_due(self, epoch):
            logs |= {f"val_{key}": value for key, value in self.probe.measure(self.model).items()}
