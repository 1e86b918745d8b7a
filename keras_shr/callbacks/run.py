"""All callbacks of one run in one folder."""

from pathlib import Path

import keras

from keras_shr.callbacks.backup_and_resume import BackupAndResume
from keras_shr.callbacks.best_checkpoint import BestCheckpoint
from keras_shr.callbacks.csv_history import CSVHistory
from keras_shr.callbacks.heatmap_pictures import HeatmapPictures
from keras_shr.callbacks.probe import RobustnessProbe
from keras_shr.callbacks.robustness import RobustnessCallback
from keras_shr.callbacks.stop_on_non_finite_loss import StopOnNonFiniteLoss
from keras_shr.callbacks.tensorboard_logs import TensorBoardLogs


def run_callbacks(
    directory, validation=None, every=1, pictures=None, tensorboard=False, writes=True
) -> list[keras.callbacks.Callback]:
    """Callbacks that log, checkpoint and back up a run, in the right order.

    The folder then holds `history.csv`, `best.keras` and `best.json` (with `validation`),
    `pictures/`, `tensorboard/` and `backup/`; the same call on the same folder resumes.

    Args:
        directory: of the run.
        validation: `KeypointData`, `(images, keypoints)`, a `RobustnessProbe` or None.
        every: epochs between validations and pictures.
        pictures: images for `HeatmapPictures` (`KeypointData` or an array), or None.
        tensorboard: also write TensorBoard scalars.
        writes: False on all but the first of several machines that share a run: they resume from
            the folder and write nothing.

    Example:

    >>> model.fit(images, keypoints, epochs=50, callbacks=run_callbacks("runs/hand", validation))
    """
    directory = Path(directory)
    backup = BackupAndResume(directory / "backup", writes=writes)
    if not writes:
        return [StopOnNonFiniteLoss(), backup]
    callbacks = []
    if validation is not None:
        probe = RobustnessProbe.of(validation)
        callbacks += [
            RobustnessCallback(probe, every),
            BestCheckpoint(directory / "best.keras", probe, every),
        ]
    if pictures is not None:
        callbacks.append(HeatmapPictures(directory / "pictures", pictures, every))
    callbacks.append(CSVHistory(directory / "history.csv"))
    if tensorboard:
        callbacks.append(TensorBoardLogs(directory / "tensorboard"))
    return [*callbacks, StopOnNonFiniteLoss(), backup]
