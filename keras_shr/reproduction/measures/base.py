"""What every measure is."""

from collections.abc import Callable
from dataclasses import dataclass

from keras_shr.reproduction.suites import MAIN


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
