"""What worker processes of these tests do; imports nothing that they should not load."""

import os
import signal
import time
from pathlib import Path

import numpy as np

from keras_shr.data.base import Reader
from keras_shr.data.records import Record
from keras_shr.errors import DataError
from keras_shr.skeletons import Skeleton


class Pictures(Reader):
    """Eight pictures; at one of them something happens to the process that reads it.

    Args:
        at: the number of that picture.
        what: `"killed"`, `"broken"` (a DataError), or nothing.
        pause: seconds that the others take.
        mark: a file; once it is there nothing happens any more.
        until: a folder and a pattern; what happens waits (half a minute at most) for such a file.
    """

    kind = "rendered"

    def __init__(self, at, what, pause=0.0, mark=None, until=None):
        super().__init__("numbers", Skeleton("one", ("a",)), 8, [f"n{i}" for i in range(8)])
        self.at, self.what, self.pause, self.mark = at, what, pause, mark
        self.until = until

    def _read(self, index):
        if not (self.mark and Path(self.mark).exists()):
            if index == self.at:
                self._happen()
            time.sleep(self.pause)
        image = np.full((8, 8, 3), 30 * (index % 8), np.uint8)
        return Record(image, np.full((1, 3), 2, np.float32), self.ids[index], "")

    def _happen(self):
        if self.until:
            folder, pattern = self.until
            latest = time.monotonic() + 30
            while not any(Path(folder).glob(pattern)):
                assert time.monotonic() < latest, f"no {pattern} in {folder}"
                time.sleep(0.01)
        if self.what == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.what == "broken":
            raise DataError(f"n{self.at}: not a picture")


def killed_at_the_third(image, kind, severity, seed):
    """A perturbation during which its process is killed, the third time."""
    killed_at_the_third.count = getattr(killed_at_the_third, "count", 0) + 1
    if killed_at_the_third.count == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return image
