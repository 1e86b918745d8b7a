"""Stopping in time, and saying how long the rest will take."""

import sys
import time

import keras

from keras_shr.errors import KerasShrError


class OutOfTime(KerasShrError):
    """The time limit was reached; the same command goes on."""


class Deadline:
    """The moment to stop at.

    Args:
        seconds: from now; None is never.
    """

    def __init__(self, seconds=None):
        self.at = None if seconds is None else time.monotonic() + seconds

    def check(self, needed=0.0):
        """Raises `OutOfTime` unless `needed` more seconds are left."""
        if self.at is not None and time.monotonic() + needed >= self.at:
            raise OutOfTime("the time limit was reached")


class TrainingClock(keras.callbacks.Callback):
    """Ends training in time, after the last epoch that fits; measures steps; reports epochs.

    Put it after `BackupAndResume`: an epoch that it ends is backed up already.

    Args:
        deadline: `Deadline`.
        say: called with one line an epoch.
        seconds: seconds of training and of its steps of the epochs so far, from an earlier run;
            extended in place.
        save: called after each epoch, to keep `seconds`.
    """

    def __init__(self, deadline, say, seconds, save):
        super().__init__()
        self.deadline, self.say, self.seconds, self.save = deadline, say, seconds, save

    def on_train_begin(self, logs=None):
        self._begun = time.monotonic()  # includes compiling

    def on_epoch_begin(self, epoch, logs=None):
        # What an earlier run did and did not back up is done again.
        del self.seconds[epoch:]
        self._first_step: float | None = None
        self._first_took = self._steps = 0.0

    def on_train_batch_begin(self, batch, logs=None):
        if self._first_step is None:
            self._first_begun = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        self.deadline.check()
        if self._first_step is None:  # it holds tracing and compiling
            float(logs["loss"])
            self._first_step = time.monotonic()
            self._first_took = self._first_step - self._first_begun
        elif batch + 1 == self.params["steps"]:
            float(logs["loss"])  # JAX answers before it has computed
            self._steps = (time.monotonic() - self._first_step) / batch

    def on_epoch_end(self, epoch, logs=None):
        now = time.monotonic()
        took, self._begun = now - self._begun, now
        self.seconds.append({"seconds": round(took, 2), "step": round(self._steps, 5)})
        self.save()
        left = self.params["epochs"] - epoch - 1
        # The next one need not be compiled.
        once = self._first_took - self._steps if self._steps else 0.0
        each = took - max(0.0, once)
        shown = " ".join(
            f"{name.removeprefix('val_')} {logs[name]:.3f}"
            for name in ("loss", "val_auc_clean", "val_auc_seen", "val_RUC")
            if name in logs
        )
        # Of the first epoch alone too little is known: its validation was compiled as well.
        rest = f"; about {_words(left * each)} of training left" if left and epoch else ""
        self.say(f"epoch {epoch + 1} of {epoch + 1 + left}: {shown}, {took:.0f} s{rest}")
        if left:
            self.deadline.check(1.1 * each)


class Estimate:
    """How long the cells that are left will take, from those that were done."""

    def __init__(self):
        self._seconds = {}

    def add(self, cell, seconds):
        self._seconds.setdefault(cell.architecture, []).append(seconds)

    def left(self, cells):
        """Words for the time that `cells` will take, or "" while nothing is known."""
        every = [s for seconds in self._seconds.values() for s in seconds]
        if not every or not cells:
            return ""
        total = 0.0
        for cell in cells:
            like = self._seconds.get(cell.architecture, every)
            total += sum(like) / len(like)
        return f"; about {_words(total)} for the {len(cells)} left"


def _words(seconds):
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def say(line):
    """One line of progress on standard error."""
    print(line, file=sys.stderr, flush=True)


def seldom(say, seconds):
    """`say`, but for lines that come less than `seconds` after the one before (or the start)."""
    last = time.monotonic()

    def tell(line):
        nonlocal last
        if time.monotonic() - last > seconds:
            last = time.monotonic()
            say(line)

    return tell
