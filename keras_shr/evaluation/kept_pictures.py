"""Perturbed pictures that are made once and read by every evaluation of the same images."""

import hashlib
import io
import itertools
from pathlib import Path

import numpy as np

from keras_shr.files import write_bytes


class KeptPictures:
    """Keeps the blocks that a perturber makes in a folder; stands in for the perturber.

    Several processes may share the folder.

    Args:
        perturber: `Perturber` or `NativePerturber`, one kind for a folder.
        folder: of the blocks; made if need be.
    """

    def __init__(self, perturber, folder):
        self.perturber, self.folder = perturber, Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self):
        self.perturber.__enter__()
        return self

    def __exit__(self, *error):
        return self.perturber.__exit__(*error)

    def lacks(self, task):
        """Whether the pictures of a task are still to be made."""
        return not self._path(task).exists()

    def stream(self, tasks):
        """See `Perturber.stream`."""
        missing: dict = {}

        def is_missing(path):  # asked twice, while another process may write it
            return missing.setdefault(path, not path.exists())

        tasks, ahead = itertools.tee((self._path(task), task) for task in tasks)
        made = self.perturber.stream(task for path, task in ahead if is_missing(path))
        for path, _ in tasks:
            if not is_missing(path):
                yield np.load(path)
                continue
            pictures = next(made)
            # In memory: `np.save` into a file does not notice all that a full disk refuses.
            content = io.BytesIO()
            np.save(content, pictures)
            write_bytes(path, content.getbuffer())
            yield pictures

    def _path(self, task):
        kind, severity, images, seeds = task
        key = hashlib.sha256(repr((list(seeds), images.shape)).encode())
        key.update(np.ascontiguousarray(images).data)
        return self.folder / f"{kind}-{severity}-{key.hexdigest()[:20]}.npy"
