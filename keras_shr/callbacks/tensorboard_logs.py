"""Scalars for TensorBoard, with or without TensorFlow."""

import time
from pathlib import Path
from typing import Any

import keras

from keras_shr.errors import KerasShrError


class TensorBoardLogs(keras.callbacks.Callback):
    """Writes each epoch's logs and learning rate as TensorBoard scalars.

    Works on every backend and needs the package tensorboard, but not TensorFlow, through which
    `keras.callbacks.TensorBoard` writes. A run that resumes makes TensorBoard forget the points
    of the epochs that are repeated.

    Put it after the callbacks that add to the logs.

    Args:
        directory: for the event files; a file is added each time `fit` starts.

    Raises:
        KerasShrError: when tensorboard is not installed.
    """

    def __init__(self, directory):
        super().__init__()
        self.directory = Path(directory)
        _event_protocol()
        self._writer: Any = None

    def on_train_begin(self, logs=None) -> None:
        self.on_train_end()  # of a run that was interrupted

    def on_epoch_begin(self, epoch, logs=None) -> None:
        if self._writer is None:
            events, _, writer = _event_protocol()
            self._writer = writer(str(self.directory))
            # TensorBoard drops the points of earlier files from this step on.
            start = events.SessionLog(status=events.SessionLog.START)
            self._add(step=epoch + 1, session_log=start)

    def on_epoch_end(self, epoch, logs=None) -> None:
        _, summaries, _ = _event_protocol()
        values = {f"epoch/{key}": float(value) for key, value in (logs or {}).items()}
        optimizer = getattr(self.model, "optimizer", None)
        if optimizer is not None:
            rate = float(keras.ops.convert_to_tensor(optimizer.learning_rate))
            values.setdefault("epoch/learning_rate", rate)
        summary = summaries.Summary(
            value=[summaries.Summary.Value(tag=k, simple_value=v) for k, v in values.items()]
        )
        self._add(step=epoch + 1, summary=summary)
        self._writer.flush()

    def _add(self, **event):
        events, _, _ = _event_protocol()
        self._writer.add_event(events.Event(wall_time=time.time(), **event))

    def on_train_end(self, logs=None) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _event_protocol():
    """Tensorboard's event and summary messages and its writer of event files."""
    try:
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
    except ImportError:
        raise KerasShrError("TensorBoardLogs needs tensorboard: pip install tensorboard") from None
    return event_pb2, summary_pb2, EventFileWriter
