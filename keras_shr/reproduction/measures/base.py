"""What every measure is, and the draws that several keep.

Beside its figures a measure keeps those that methods are compared by for each bootstrap draw of
its pictures or frames. The draws are the same for all cells, so that the report's intervals of
differences are paired.
"""

from collections.abc import Callable
from dataclasses import dataclass

from keras_shr.evaluation.summary import csv_text
from keras_shr.files import write_text
from keras_shr.reproduction.suites import MAIN

DRAW_COLUMNS = ("group", "kind", "metric", "draws")


def draws_file(file):
    """The file of the draws beside a measure's `file`."""
    return file.replace(".csv", "_draws.csv")


def write_with_draws(folder, file, rows, columns, drawn):
    """The figures last: a measure is done when they are there."""
    write_text(folder / draws_file(file), csv_text(drawn, DRAW_COLUMNS))
    write_text(folder / file, csv_text(rows, columns))


def draw_row(group, kind, metric, draws):
    """A row of `DRAW_COLUMNS`; four digits, far below the draws' spread."""
    text = " ".join(f"{value:.4g}" for value in draws)
    return dict(zip(DRAW_COLUMNS, (group, kind, metric, text), strict=True))


@dataclass(frozen=True)
class Measure:
    """A measurement of a trained model.

    Attributes:
        file: the name of the file that is there when it is done.
        run: called with the cell, its folder, the `Work` and the model.
        applies: whether a cell has it.
        on_video: whether it needs the run's own video.
    """

    file: str
    run: Callable
    applies: Callable = lambda cell: True
    on_video: bool = False

    def due(self, cell, folder, video) -> bool:
        """Whether it is still to be taken, in a run that has a video or not."""
        applies = self.applies(cell) and (video or not self.on_video)
        return applies and not (folder / self.file).exists()


def on_main(cell):
    """The methods are compared in depth on the main architecture only."""
    return cell.architecture == MAIN
