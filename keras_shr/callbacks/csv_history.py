"""One CSV row for each epoch, also over interruptions."""

import csv
import io
import time
from pathlib import Path

import keras

from keras_shr.errors import KerasShrError, first_line
from keras_shr.files import remove_leftovers, write_text


class CSVHistory(keras.callbacks.Callback):
    """Writes each epoch's logs as a row of a CSV file.

    The first columns are `epoch` (counted from 1, as the progress bar does) and `seconds`. A run
    that resumes keeps the rows of the epochs it has behind it and drops the others, so no epoch
    is there twice; a run that starts at epoch 1 starts the file anew. A value that an epoch does
    not have is left empty; columns may come later. The file is replaced as a whole after each
    epoch, so a reader never sees half a row.

    Put it after the callbacks that add to the logs (`RobustnessCallback`, `BestCheckpoint`).

    Args:
        path: the file.
    """

    def __init__(self, path):
        super().__init__()
        self.path = Path(path)
        self._rows: list[dict] | None = None
        self._started = 0.0

    def on_train_begin(self, logs=None) -> None:
        self._rows = None
        remove_leftovers(self.path.parent, self.path.name)

    def on_epoch_begin(self, epoch, logs=None) -> None:
        if self._rows is None:
            self._rows = self._rows_before(epoch + 1)
        self._started = time.monotonic()

    def on_epoch_end(self, epoch, logs=None) -> None:
        row = {"epoch": epoch + 1, "seconds": f"{time.monotonic() - self._started:.1f}"}
        # Nine digits give a float32 back unchanged.
        row |= {key: f"{float(value):.9g}" for key, value in (logs or {}).items()}
        self._rows = [*(self._rows or ()), row]
        columns = list(dict.fromkeys(key for row in self._rows for key in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows)
        write_text(self.path, text.getvalue())

    def _rows_before(self, epoch):
        if epoch == 1 or not self.path.exists():
            return []
        rows, advice = [], "move the file away to log into a new one"
        try:
            text = self.path.read_text(encoding="utf-8")
            read = list(csv.DictReader(io.StringIO(text, newline="")))
        except (UnicodeDecodeError, csv.Error) as error:
            raise KerasShrError(
                f"{self.path}: not a table in UTF-8 ({first_line(error)}); {advice}"
            ) from None
        for number, row in enumerate(read, start=2):
            try:
                earlier = int(row["epoch"]) < epoch
            except (KeyError, TypeError, ValueError):
                raise KerasShrError(
                    f"{self.path}, line {number}: no epoch number in the column 'epoch'; {advice}"
                ) from None
            if earlier:
                rows.append({k: v for k, v in row.items() if k and v})
        return rows
