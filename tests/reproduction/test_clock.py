"""Stopping in time, and estimates of what is left."""

import json

import keras
import pytest

from keras_shr.reproduction import (
    Cell,
    clock,
    planned_cells,
)
from keras_shr.reproduction.clock import Deadline, Estimate, OutOfTime, TrainingClock


def test_a_deadline_counts_what_is_still_needed():
    Deadline(None).check(1e9)
    Deadline(60).check(1)
    with pytest.raises(OutOfTime):
        Deadline(60).check(120)
    with pytest.raises(OutOfTime):
        Deadline(0).check()


def test_training_ends_before_an_epoch_that_would_be_too_long():
    class Passed(Deadline):
        asked = 0

        def check(self, needed=0.0):
            self.asked += needed > 0
            if self.asked == 2:
                raise OutOfTime("now")

    lines, seconds, saved = [], [], []
    clock = TrainingClock(
        Passed(), lines.append, seconds, lambda: saved.append(json.dumps(seconds))
    )
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = keras.ops.zeros((8, 2))
    with pytest.raises(OutOfTime):
        model.fit(x, x[:, :1], batch_size=2, epochs=5, verbose=0, callbacks=[clock])
    assert len(seconds) == len(saved) == len(lines) == 2
    assert json.loads(saved[-1]) == seconds
    assert lines[1].startswith("epoch 2 of 5: loss 0.000")
    # Rounded to hundredths: on a fast machine an epoch of four such steps takes none.
    assert all(entry["seconds"] + 0.005 >= entry["step"] > 0 for entry in seconds)


def test_what_is_compiled_once_is_not_expected_of_the_next_epoch(monkeypatch):
    now, asked, lines = [0.0], [], []
    monkeypatch.setattr(clock.time, "monotonic", lambda: now[0])

    class Asked(Deadline):
        def check(self, needed=0.0):
            asked.append(needed)

    training = TrainingClock(Asked(), lines.append, [], lambda: None)
    training.set_params({"steps": 10, "epochs": 9})
    training.on_train_begin()
    for epoch, first in enumerate((80, 2)):
        training.on_epoch_begin(epoch)
        for batch in range(10):
            training.on_train_batch_begin(batch)
            now[0] += first if batch == 0 else 2
            training.on_train_batch_end(batch, {"loss": 1.0})
        now[0] += 5  # its validation
        training.on_epoch_end(epoch, {"loss": 1.0})
    assert [needed for needed in asked if needed] == pytest.approx([1.1 * 25, 1.1 * 25])
    assert lines == [
        "epoch 1 of 9: loss 1.000, 103 s",
        "epoch 2 of 9: loss 1.000, 25 s; about 3 min of training left",
    ]


def test_the_estimate_goes_by_architecture():
    estimate, cells = Estimate(), planned_cells(["fig8"], ["rendered"], 1)
    assert estimate.left(cells) == ""
    estimate.add(Cell("baseline", "vgg19_bn", "rendered", 0), 600)
    estimate.add(Cell("baseline", "mobilenet_v2", "rendered", 0), 60)
    two = [Cell("ours", a, "rendered", 0) for a in ("vgg19_bn", "mobilenet_v2")]
    assert estimate.left(two) == "; about 11 min for the 2 left"
