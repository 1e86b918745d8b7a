"""CSV rows, TensorBoard scalars and the stop on a loss that is not finite."""

import csv
import sys

import keras
import numpy as np
import pytest
from callback_helpers import fit_plain, plain_model

from keras_shr.callbacks import CSVHistory, StopOnNonFiniteLoss, TensorBoardLogs
from keras_shr.errors import KerasShrError


class Extra(keras.callbacks.Callback):
    """Logs a value in every second epoch, as a callback with `every=2` does."""

    def on_epoch_end(self, epoch, logs=None):
        if epoch % 2:
            logs["extra"] = np.float32(epoch / 10)


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def log(path, epochs, first=0):
    """Drive the callback without a model."""
    callback = CSVHistory(path)
    callback.on_train_begin()
    for epoch in range(first, epochs):
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch, {"loss": epoch + first / 100})


def test_csv_history(tmp_path):
    path = tmp_path / "run" / "history.csv"
    history = fit_plain(plain_model(), 4, [Extra(), CSVHistory(path)])
    rows = read(path)
    assert list(rows[0]) == ["epoch", "seconds", "loss", "extra"]
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert [row["extra"] for row in rows] == ["", "0.100000001", "", "0.300000012"]
    np.testing.assert_array_equal(
        np.float32([row["loss"] for row in rows]), np.float32(history.history["loss"])
    )
    assert [p.name for p in path.parent.iterdir()] == ["history.csv"]


def test_csv_history_drops_the_rows_that_are_trained_again(tmp_path):
    path = tmp_path / "history.csv"
    log(path, 5)
    log(path, 4, first=2)
    assert [row["loss"] for row in read(path)] == ["0", "1", "2.02", "3.02"]
    log(path, 2)  # a new run
    assert [row["loss"] for row in read(path)] == ["0", "1"]


def test_csv_history_names_a_bad_line(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("epoch,loss\n1,2.0\nx,3\n")
    with pytest.raises(KerasShrError, match=r"history\.csv, line 3: no epoch number"):
        log(path, 4, first=2)
    for content in (b"\xff\xfe\x00\x01", b"epoch\n1\n\xff\n", b'epoch\n"' + b"1" * 200_000):
        path.write_bytes(content)
        with pytest.raises(KerasShrError, match=r"history\.csv: not a table in UTF-8 .* away to"):
            log(path, 4, first=2)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_stop_on_non_finite_loss(bad):
    y = np.ones((8, 1), "float32")
    y[5] = bad  # in the second batch
    callback = StopOnNonFiniteLoss()
    with pytest.raises(KerasShrError, match=r"the loss is (nan|inf) in epoch 1, batch 2: "):
        fit_plain(plain_model(), 3, [callback], y)
    fit_plain(plain_model(), 1, [callback])


def points(folder):
    """{(tag, step): value} as TensorBoard shows them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    tags = events.Tags()["scalars"]
    return {(tag, e.step): e.value for tag in tags for e in events.Scalars(tag)}


def test_tensorboard_logs(tmp_path, monkeypatch):
    pytest.importorskip("tensorboard")
    history = fit_plain(plain_model(), 3, [Extra(), TensorBoardLogs(tmp_path)])
    shown = points(tmp_path)
    assert shown["epoch/loss", 3] == pytest.approx(history.history["loss"][2])
    assert shown["epoch/extra", 2] == pytest.approx(0.1)
    assert shown["epoch/learning_rate", 1] == pytest.approx(1e-3)
    assert ("epoch/extra", 3) not in shown


def test_tensorboard_forgets_what_is_trained_again(tmp_path):
    pytest.importorskip("tensorboard")

    def log(first, epochs, offset):
        callback = TensorBoardLogs(tmp_path)
        callback.set_model(plain_model())
        for epoch in range(first, epochs):
            callback.on_epoch_begin(epoch)
            callback.on_epoch_end(epoch, {"loss": epoch + offset})
        callback.on_train_end()

    log(0, 5, 0)
    # Files are read in the order of their names, which hold the second they were made in.
    for file in tmp_path.iterdir():
        file.rename(file.with_name(file.name.replace("tfevents.", "tfevents.0")))
    log(2, 3, 0.5)
    losses = {step: v for (tag, step), v in points(tmp_path).items() if tag == "epoch/loss"}
    assert losses == {1: 0, 2: 1, 3: 2.5}


def test_tensorboard_of_a_run_that_was_interrupted_in_a_notebook(tmp_path):
    """Nothing told the callback that training had ended."""
    pytest.importorskip("tensorboard")
    callback = TensorBoardLogs(tmp_path)
    callback.set_model(plain_model())
    for offset in (0, 0.5):
        callback.on_train_begin()
        for epoch in range(2):
            callback.on_epoch_begin(epoch)
            callback.on_epoch_end(epoch, {"loss": epoch + offset})
        if not offset:  # files are read in the order of their names: seconds
            (file,) = tmp_path.iterdir()
            file.rename(file.with_name(file.name.replace("tfevents.", "tfevents.0")))
    callback.on_train_end()
    assert len(list(tmp_path.iterdir())) == 2
    losses = {step: v for (tag, step), v in points(tmp_path).items() if tag == "epoch/loss"}
    assert losses == {1: 0.5, 2: 1.5}


def test_without_tensorboard(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto", None)
    with pytest.raises(KerasShrError, match="pip install tensorboard"):
        TensorBoardLogs(tmp_path)
