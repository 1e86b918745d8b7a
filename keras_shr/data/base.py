"""What every reader is: a sequence of records with a skeleton."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from numbers import Integral
from pathlib import Path

import numpy as np

from keras_shr.data.images import crop
from keras_shr.data.places import usable_text
from keras_shr.data.records import Record
from keras_shr.errors import DataError, KerasShrError, shown
from keras_shr.files import read_users_json
from keras_shr.skeletons import Skeleton

FARTHEST = 1e6
"""Pixels from the picture's corner beyond which a labelled keypoint is taken for a mistake."""


_TINY = 4  # pixels: in pictures as small as this, labels may all lie within one pixel


class Reader(Sequence):
    """A data set as a sequence of `Record`: `len(reader)`, `reader[i]`, `for record in reader`.

    Labels are read and checked when the reader is made, pictures when a record is asked for. A
    reader can be pickled, so several processes can share the work.

    Attributes:
        kind: the name in `open_reader`, such as `"rhd"`.
        name: what a report calls this data set.
        skeleton: names, bones and mirror pairs of the keypoints.
        size: height and width of the crops in pixels.
        ids: one unique string for each record.
        split: which part of the data set this is, or "".
        splits: the parts that the records are of; empty where the data have none.
        options: what else decides the content, as plain JSON values.
        cpu_bound: whether a record costs Python time (so that threads would not help).
    """

    kind = ""
    cpu_bound = False

    def __init__(
        self,
        name: str,
        skeleton: Skeleton,
        size: int,
        ids: list[str],
        split: str = "",
        options: dict | None = None,
    ):
        if int(size) != size or size < 8:
            raise DataError(
                f"{name}: size is {size!r}; expected a whole number of pixels, 8 or more"
            )
        self.name, self.skeleton, self.size = name, skeleton, int(size)
        self.ids, self.split, self.options = ids, split or "", options or {}
        self.splits = [self.split] if self.split else []
        if not ids:
            raise DataError(f"{name}: no records")
        for record in ids:
            usable_text(record, f"{name}: an id")
        if len(set(ids)) < len(ids):
            twice = next(i for i, times in Counter(ids).items() if times > 1)
            raise DataError(f"{name}: two records have the id {shown(twice)}")

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index) -> Record:  # type: ignore[override]  # one record, no slices
        index = int(index)
        if not -len(self) <= index < len(self):
            raise IndexError(f"{self.name}: record {index} of {len(self)}")
        return self._read(index % len(self))

    def _read(self, index: int) -> Record:
        raise NotImplementedError

    def _cut(self, index, path, image, box, keypoints, group="") -> Record:
        """The record of a crop; `keypoints` are those of the source image."""
        record = self.ids[index]
        return Record(
            crop(image, box, self.size, f"{path} (record {record})"),
            place_in_crop(keypoints, box, self.size),
            record,
            group,
        )

    def labels(self) -> str | None:
        """A digest of the labels, or None for data that nobody edits (official and rendered)."""
        return None

    def describe(self) -> dict:
        """What this data set is, as JSON values: two readers that agree here hold the same
        records, wherever their files lie."""
        return {
            "kind": self.kind,
            "name": self.name,
            "split": self.split,
            "size": self.size,
            "count": len(self),
            "options": self.options,
            "skeleton": self.skeleton.to_dict(),
            "ids_sha256": hashlib.sha256("\n".join(self.ids).encode()).hexdigest(),
        }


def read_skeleton(path) -> Skeleton:
    """The skeleton in a JSON file, see `Skeleton.to_dict`.

    Raises:
        DataError: it holds none.
    """
    if not Path(path).is_file():
        raise DataError(f"{path}: no such file")
    value = read_users_json(path)
    try:
        return Skeleton.from_dict(value)
    except KerasShrError as error:
        raise DataError(f"{path}: {error}") from None


def refuse_shares_of(picture, path, where) -> None:
    """Refuses a picture of labels that all lie between 0 and 1, unless it is as small as that."""
    height, width = picture.shape[:2]
    if max(height, width) > _TINY:
        raise DataError(
            f"{where}: all labelled keypoints lie between 0 and 1, but {path} has {width}x{height} "
            "pixels; expected x and y in pixels, not as shares of width and height"
        )


def digest(values) -> str:
    """Of JSON values and arrays."""
    text = json.dumps(values, sort_keys=True, default=lambda value: np.asarray(value).tolist())
    return hashlib.sha256(text.encode()).hexdigest()


def whole_number(name: str, value, least: int) -> int:
    """`value` if it is a whole number of at least `least`, else a DataError that names it."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise DataError(f"{name} is {value!r}; expected a whole number of at least {least}")
    return int(value)


def clean_keypoints(values, count: int, where: str, farthest: float = FARTHEST) -> np.ndarray:
    """Labels as float32 `(count, 3)`: x, y, visibility 0, 1 or 2; unlabelled rows zeroed.

    Labelled keypoints outside the picture are kept: they train and measure nothing, and the
    picture's other keypoints count.

    Args:
        values: `count` rows of x, y or of x, y, visibility (without it: 2, seen). Coordinates of
            rows with visibility 0 may be anything, NaN and None included.
        count: how many keypoints there have to be.
        where: file and record, for errors.
        farthest: greatest distance in pixels from the first pixel, right, left, up or down.

    Raises:
        DataError: another number of keypoints, a visibility other than 0, 1, 2, or a labelled
            keypoint that is not finite or too far away.
    """
    points = as_numbers(values)
    if points is None or points.ndim != 2 or points.shape[1] not in (2, 3):
        raise DataError(f"{where}: keypoints are not rows of x, y, visibility")
    if len(points) != count:
        raise DataError(f"{where}: {len(points)} keypoints, expected {count}")
    if points.shape[1] == 2:
        points = np.column_stack([points, np.full(count, 2.0)])
    visibility = points[:, 2]
    bad = (visibility != 0) & (visibility != 1) & (visibility != 2)
    if bad.any():
        k = int(np.argmax(bad))
        raise DataError(
            f"{where}: keypoint {k} has visibility {visibility[k]:g}; expected 0 (no label), "
            "1 (hidden) or 2 (seen)"
        )
    labelled = visibility > 0
    bad = labelled & ~(np.abs(points[:, :2]) <= farthest).all(axis=1)  # NaN is not, either
    if bad.any():
        k = int(np.argmax(bad))
        raise DataError(
            f"{where}: keypoint {k} is at ({points[k, 0]:g}, {points[k, 1]:g}) with visibility "
            f"{visibility[k]:g}; expected finite pixels, or visibility 0 for no label"
        )
    return np.where(labelled[:, None], points, 0).astype(np.float32)


def as_numbers(values) -> np.ndarray | None:
    """Anything of a JSON file as float64, or None where it is no array of numbers."""
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None


def box_numbers(value) -> tuple[float, ...] | None:
    """A COCO box x, y, width, height as floats; None if it is no box of a positive size."""
    box = as_numbers(value)
    if box is None or box.shape != (4,) or not (np.abs(box) <= FARTHEST).all() or min(box[2:]) <= 0:
        return None
    return tuple(box.tolist())


def place_in_crop(keypoints, box, size: int) -> np.ndarray:
    """Clean keypoints of the source image → keypoints of the crop, unlabelled rows zero."""
    result = keypoints.astype(np.float32, copy=True)
    labelled = result[:, 2] > 0
    result[labelled, :2] = box.map_points(keypoints[labelled, :2], size)
    return result
