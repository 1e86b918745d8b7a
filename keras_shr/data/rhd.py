"""The Rendered Hand Pose data set in the layout in which it is published."""

from pathlib import Path

import numpy as np

from keras_shr.data.base import FARTHEST, Reader, clean_keypoints
from keras_shr.data.hand_crop import hand_box
from keras_shr.data.images import read_image, read_labels
from keras_shr.data.pickles import load_array_pickle
from keras_shr.data.places import inside
from keras_shr.errors import DataError, MissingPartError, shown
from keras_shr.skeletons import HAND_21

TO_HAND_21 = (0, 4, 3, 2, 1, 8, 7, 6, 5, 12, 11, 10, 9, 16, 15, 14, 13, 20, 19, 18, 17)
"""RHD lists each finger from its tip to the palm; this order turns them round."""

_FIRST_LEFT, _FIRST_RIGHT = 2, 18  # mask values: 0 background, 1 person, 2-17 left, 18- right
_MOST_FRAMES = 10**9
_SPLITS = {
    "training": "training",
    "train": "training",
    "evaluation": "evaluation",
    "test": "evaluation",
    "val": "evaluation",
}


class RHDReader(Reader):
    """Zimmermann and Brox's RHD (41,258 training and 2,728 evaluation pictures, two hands each).

    As in hand3d, the hand with more pixels in the mask is used, the right one on a tie, cropped
    around its middle MCP to its visible keypoints (`hand_crop.hand_box`). RHD's visibility 1
    becomes 2 (seen) and its 0 becomes 1 (hidden): it has coordinates for every joint. Positions
    are taken as they stand, an integer being a pixel's centre.

    Args:
        root: the folder `RHD_published_v2`, or the one above it.
        split: `"training"` or `"evaluation"` (`"train"`, and `"val"` or `"test"`, mean these; `fit`
            does not take the latter for its `val` but holds training pictures out).
        size: height and width of the crops in pixels.
        padding: factor on the crop's side; 1 is hand3d's.

    Raises:
        DataError: a folder, annotation or picture is missing or not what RHD has there.
    """

    kind = "rhd"

    def __init__(self, root, split="training", size=256, padding=1.0):
        if split not in _SPLITS:
            raise MissingPartError(f"RHD has the splits training and evaluation, not {split!r}")
        split = _SPLITS[split]
        root = Path(root)
        if (root / "RHD_published_v2").is_dir():
            root = root / "RHD_published_v2"
        self.folder = root / split
        path = self.folder / f"anno_{split}.pickle"
        if not path.is_file():
            raise MissingPartError(
                f"{path}: no such file; an RHD folder has {split}/anno_{split}.pickle and the "
                f"pictures {split}/color/00000.png, {split}/mask/00000.png"
            )
        self.padding = float(padding)
        self._frames, self._uv_vis = _annotations(path)
        super().__init__(
            f"rhd-{split}",
            HAND_21,
            size,
            [f"{split}/{frame:05d}" for frame in self._frames],
            split,
            {"padding": self.padding},
        )

    def _read(self, index):
        record, file = self.ids[index], f"{self._frames[index]:05d}.png"
        where = f"{self.folder} (record {record})"
        color_path, mask_path = (
            inside(self.folder, f"{kind}/{file}", where) for kind in ("color", "mask")
        )
        image = read_image(color_path, record)
        mask = read_labels(mask_path, record)
        if mask.shape != image.shape[:2]:
            raise DataError(
                f"{mask_path} (record {record}): {_by(mask)} pixels, but its colour picture has "
                f"{_by(image)}"
            )
        first = 0 if _shows_left_hand(mask) else 21
        keypoints = self._uv_vis[index, first : first + 21][list(TO_HAND_21)].astype(np.float64)
        keypoints[:, 2] += 1  # hidden 0, visible 1 → hidden 1, seen 2
        keypoints = clean_keypoints(keypoints, 21, f"{mask_path} (record {record})")
        box = hand_box(keypoints, self.padding)
        return self._cut(index, color_path, image, box, keypoints)


def _by(image):
    return f"{image.shape[1]}x{image.shape[0]}"


def _shows_left_hand(mask):
    right = int(np.count_nonzero(mask >= _FIRST_RIGHT))
    left = int(np.count_nonzero(mask >= _FIRST_LEFT)) - right
    return left > right


def _annotations(path):
    """Frame numbers in order, and `uv_vis` as float32 `(frames, 42, 3)`, checked."""
    annotations = load_array_pickle(path)
    if not isinstance(annotations, dict) or not annotations:
        raise DataError(f"{path}: not a dict of frame number → annotation")
    for frame in annotations:
        if isinstance(frame, str | bool) or not 0 <= frame < _MOST_FRAMES:
            raise DataError(f"{path}: record {shown(frame)}; expected a frame's number, from 0")
    frames = sorted(annotations)
    rows = np.empty((len(frames), 42, 3), np.float32)
    for row, frame in zip(rows, frames, strict=True):
        where = f"{path} (record {frame})"
        annotation = annotations[frame]
        value = annotation.get("uv_vis") if isinstance(annotation, dict) else None
        if not isinstance(value, np.ndarray) or value.dtype.kind not in "iuf":
            raise DataError(f"{where}: no array 'uv_vis' of 42x3 numbers")
        if value.shape != (42, 3):
            raise DataError(f"{where}: uv_vis has shape {value.shape}, expected (42, 3)")
        bad = ~(np.abs(value[:, :2]) <= FARTHEST).all(axis=1)  # NaN is not, either
        if bad.any():
            k = int(np.argmax(bad))
            raise DataError(f"{where}: uv_vis[{k}] is {value[k].tolist()}, expected finite pixels")
        if not np.isin(value[:, 2], (0, 1)).all():
            k = int(np.argmax(~np.isin(value[:, 2], (0, 1))))
            raise DataError(f"{where}: uv_vis[{k}] has visibility {value[k, 2]:g}, expected 0 or 1")
        row[:] = value
    return [int(frame) for frame in frames], rows
