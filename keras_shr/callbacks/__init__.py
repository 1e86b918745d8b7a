"""Callbacks of a training run, in the order that they belong in a list:

    RobustnessCallback or BestCheckpoint   add validation figures to the logs
    HeatmapPictures
    CSVHistory, TensorBoardLogs            write the logs down
    StopOnNonFiniteLoss
    BackupAndResume                        last: an epoch is finished when all is written

`run_callbacks` makes such a list for a folder.
"""

from keras_shr.callbacks.backup_and_resume import BackupAndResume
from keras_shr.callbacks.best_checkpoint import BestCheckpoint
from keras_shr.callbacks.csv_history import CSVHistory
from keras_shr.callbacks.heatmap_pictures import HeatmapPictures
from keras_shr.callbacks.probe import RobustnessProbe
from keras_shr.callbacks.robustness import RobustnessCallback
from keras_shr.callbacks.run import run_callbacks
from keras_shr.callbacks.stop_on_non_finite_loss import StopOnNonFiniteLoss
from keras_shr.callbacks.tensorboard_logs import TensorBoardLogs

__all__ = [
    "BackupAndResume",
    "BestCheckpoint",
    "CSVHistory",
    "HeatmapPictures",
    "RobustnessCallback",
    "RobustnessProbe",
    "StopOnNonFiniteLoss",
    "TensorBoardLogs",
    "run_callbacks",
]
