"""The two forms in which every reader hands over labelled images."""

from dataclasses import dataclass, field

import numpy as np

from keras_shr.errors import DataError
from keras_shr.skeletons import Skeleton, as_skeleton

PROTOCOL_PIXELS = 256
"""Distances are reported in pixels of a crop this wide, whatever size a model takes."""


def in_one_pixel(keypoints) -> bool:
    """Whether labels `(..., 3)` look like shares of width and height: with fractions, all of them
    between 0 and 1."""
    labelled = keypoints[keypoints[..., 2] > 0][:, :2]
    fractions = bool((labelled % 1).any())  # (0, 0) and (1, 1) are pixels
    return fractions and bool(((labelled >= 0) & (labelled <= 1)).all())


_PICTURE = "file:"


def picture_group(file) -> str:
    """The group of the records of one picture, where no other is known."""
    return f"{_PICTURE}{file}"


def is_picture_group(group) -> bool:
    """Whether a group is no more than one picture."""
    return group.startswith(_PICTURE)


def own_groups(groups) -> list[str]:
    """The groups of records, where each that has none (`""`) is a group of its own."""
    return [group or f"\0{i}" for i, group in enumerate(groups)]


def spread(count, limit):
    """Indices of at most `limit` of `count` records, evenly over all: the first ones may be one
    person's, or one clip."""
    if limit is None or limit >= count:
        return np.arange(count)
    return np.linspace(0, count - 1, limit).round().astype(int)


def refuse_shares(keypoints, what) -> None:
    """Refuses labels that look like shares of width and height.

    Raises:
        DataError: beginning with `what`, such as "all labelled keypoints".
    """
    if in_one_pixel(keypoints):
        raise DataError(
            f"{what} lie between 0 and 1; expected x and y in pixels of the images, not as shares "
            "of width and height"
        )


@dataclass(frozen=True)
class Record:
    """One labelled crop.

    Attributes:
        image: uint8 `(size, size, 3)`.
        keypoints: float32 `(keypoints, 3)`: x, y in pixels of `image` (an integer is a pixel's
            centre) and visibility (0 no label, 1 hidden, 2 seen). Unlabelled rows are zeros.
        id: unique within the data set; names the file (and annotation) it came from.
        group: what must not be split between training and testing (person, sequence), or "".
    """

    image: np.ndarray
    keypoints: np.ndarray
    id: str
    group: str = ""


@dataclass
class KeypointData:
    """A labelled data set in memory.

    Attributes:
        images: uint8 `(count, height, width, 3)`.
        keypoints: float32 `(count, keypoints, 3)`, as in `Record`.
        skeleton: names, bones and mirror pairs.
        ids: one string for each image.
        groups: one string for each image (person, sequence), possibly "".
        name: what a report calls the data set.
    """

    images: np.ndarray
    keypoints: np.ndarray
    skeleton: Skeleton
    ids: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    name: str = "data"

    def __post_init__(self):
        skeleton = as_skeleton(self.skeleton)
        if skeleton is None:
            raise DataError(
                f"{self.name}: skeleton is None; Skeleton.generic(count) numbers keypoints"
            )
        self.skeleton, self.keypoints = skeleton, np.asarray(self.keypoints)
        if not hasattr(self.images, "shape"):  # images that are read when asked for have one
            self.images = np.asarray(self.images)
        count = len(self.images)
        self.ids = list(self.ids) or [f"{i:06d}" for i in range(count)]
        self.groups = list(self.groups) or [""] * count
        expected = (count, len(self.skeleton), 3)
        if self.images.ndim != 4 or self.images.shape[-1] != 3 or self.images.dtype != np.uint8:
            raise DataError(
                f"{self.name}: images are {self.images.dtype} {self.images.shape}, "
                "expected uint8 (count, height, width, 3)"
            )
        if self.keypoints.shape != expected:
            raise DataError(
                f"{self.name}: keypoints have shape {self.keypoints.shape}, expected {expected}"
            )
        refuse_shares(self.keypoints, f"{self.name}: all labelled keypoints")
        lost = (self.keypoints[..., 2] > 0) & ~np.isfinite(self.keypoints[..., :2]).all(axis=-1)
        if lost.any():
            record, k = np.argwhere(lost)[0]
            raise DataError(
                f"{self.name} (record {self.ids[record]}): keypoint {k} is at "
                f"{self.keypoints[record, k, :2].tolist()}; expected finite pixels, or visibility "
                "0 for no label"
            )
        if not len(self.ids) == len(self.groups) == count:
            raise DataError(
                f"{self.name}: {len(self.ids)} ids and {len(self.groups)} groups for {count} images"
            )

    def __len__(self) -> int:
        return len(self.images)

    def take(self, indices) -> "KeypointData":
        """The records at `indices`, in that order; or those where a mask is True."""
        indices = np.asarray(indices)
        if indices.dtype == bool:
            indices = np.flatnonzero(indices)
        return KeypointData(
            self.images[indices],
            self.keypoints[indices],
            self.skeleton,
            [self.ids[i] for i in indices],
            [self.groups[i] for i in indices],
            self.name,
        )
