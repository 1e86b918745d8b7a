"""Predictions on disk, a chunk of images a file, so that a killed evaluation goes on."""

import json
import re
import zipfile
import zlib
from pathlib import Path

import numpy as np

from keras_shr.errors import KerasShrError
from keras_shr.files import read_json, remove_leftovers, replacing, write_text

CHUNK = 32
"""Images in one file; also the most that a run loses when it is killed."""
_BLOCK = 16 * CHUNK
_FIELDS = {
    "model": (lambda v: isinstance(v, str), "text"),
    "data": (lambda v: isinstance(v, str), "text"),
    "images": (lambda v: type(v) is int, "a number of images"),
    "protocol": (lambda v: isinstance(v, dict), "an object"),
}


def folder_names(names) -> dict[str, str]:
    """A folder name for each model name: only letters, digits, dot, dash and underscore."""
    folders = {name: re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip(".") or "model" for name in names}
    if len({folder.lower() for folder in folders.values()}) < len(folders):
        raise KerasShrError(f"model names must differ in letters and digits: {', '.join(folders)}")
    return folders


class Store:
    """One model's predictions in `folder`: `manifest.json` and `chunk_*.npz`.

    Args:
        folder: where they lie.
        name: the model's name, for errors.
        manifest: what the predictions depend on: `model`, `data` (fingerprints), `ids` of the
            images as a count, and `protocol`.
        resume: go on from the chunks that are there.
        overwrite: delete what is there first.
        part: `(i, n)`: this process predicts the i-th of n parts of the chunks, and others write
            into the folder at the same time. None for all.

    Raises:
        KerasShrError: a part that is none; a folder with predictions of other weights, data or
            settings, or with any at all without `resume`; a damaged manifest.
    """

    def __init__(self, folder, name, manifest, resume=True, overwrite=False, part=None):
        self.folder, self.name, self.count = Path(folder), name, manifest["images"]
        self.part = _checked_part(part, overwrite)
        if part is None:  # what looks left over may be another's that is being written
            remove_leftovers(self.folder)
        path = self.folder / "manifest.json"
        chunks = list(self.folder.glob("chunk_*.npz"))
        if path.exists() and not overwrite and (chunks or part is not None):
            self._check(path, manifest, resume)
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        for chunk in chunks:
            chunk.unlink()  # nothing says what these were predicted from
        write_text(path, json.dumps(manifest, indent=1))

    def _check(self, path, manifest, resume):
        found = read_json(path, _FIELDS)
        different = []
        if found["model"] != manifest["model"]:
            different.append("another network or other weights")
        if any(found[key] != manifest[key] for key in ("data", "images")):
            different.append("other images")
        old, new = found["protocol"], manifest["protocol"]
        if old != new:
            changed = [f"{k} {old.get(k)} instead of {new[k]}" for k in new if old.get(k) != new[k]]
            different.append("; ".join(changed) or "another protocol")
        if different or not resume:
            reason = " and ".join(different) if different else "an earlier run"
            raise KerasShrError(
                f"{self.folder} holds predictions of {reason}: choose another output folder, or "
                "delete them (--overwrite, in Python overwrite=True)"
            )

    def path(self, start):
        """File of the chunk whose first image is `start`."""
        return self.folder / f"chunk_{start:06d}.npz"

    def missing(self) -> list[int]:
        """First images of this process's chunks that are still to be predicted."""
        place, parts = self.part
        mine = range((place - 1) * CHUNK, self.count, parts * CHUNK)
        return [start for start in mine if not self.path(start).exists()]

    def write(self, start, arrays):
        """Store one chunk."""
        with replacing(self.path(start)) as temporary:
            np.savez_compressed(temporary, **arrays)

    def blocks(self):
        """Yields what `read` gives for successive images, some hundred at a time: answers to 75
        conditions take 33 kB an image, more than the image itself."""
        for start in range(0, self.count, _BLOCK):
            yield self.read(start, min(start + _BLOCK, self.count))

    def read(self, start=0, stop=None) -> dict[str, np.ndarray]:
        """The predictions of the images from `start` to before `stop`, by default of all.

        Returns:
            `argmax`, `subpixel` `(images, keypoints, 2)`, `score`, `peak_spread`, `peak_gap`
            `(images, keypoints)`, and for the perturbed pictures, one condition each:
            `perturbed_argmax`, `perturbed_subpixel` `(conditions, images, keypoints, 2)`,
            `perturbed_score`, `theorem3` `(conditions, images, keypoints)`.
        """
        stop, parts = self.count if stop is None else stop, []
        for first in range(start - start % CHUNK, stop, CHUNK):
            try:
                with self.path(first).open("rb") as file, np.load(file) as chunk:
                    part = {key: chunk[key] for key in chunk.files}
            except (
                OSError,
                ValueError,
                KeyError,
                EOFError,
                zipfile.BadZipFile,
                zlib.error,
            ) as error:
                raise KerasShrError(
                    f"{self.path(first)} cannot be read ({error}): delete it and repeat the command"
                ) from error
            wanted = slice(max(start - first, 0), stop - first)
            parts.append({k: v[:, wanted] if _axis(k) else v[wanted] for k, v in part.items()})
        return {k: np.concatenate([part[k] for part in parts], _axis(k)) for k in parts[0]}


def _checked_part(part, overwrite):
    if part is None:
        return 1, 1
    place, parts = part
    if not 1 <= place <= parts:
        raise KerasShrError(f"part is {place}/{parts}; expected 1/{parts} to {parts}/{parts}")
    if overwrite:
        raise KerasShrError("a part of an evaluation cannot overwrite: it would delete the others'")
    return place, parts


def _axis(key):
    """The axis of the images in a stored array."""
    return 1 if key.startswith("perturbed_") or key == "theorem3" else 0
