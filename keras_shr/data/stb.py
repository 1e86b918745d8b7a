"""The Stereo Hand Pose Tracking Benchmark in the layout in which it is published."""

from pathlib import Path

import numpy as np

from keras_shr.data.base import FARTHEST, Reader, clean_keypoints, whole_number
from keras_shr.data.hand_crop import hand_box
from keras_shr.data.images import read_image
from keras_shr.data.matlab import read_array
from keras_shr.data.places import inside
from keras_shr.errors import DataError, MissingPartError
from keras_shr.skeletons import HAND_21

TO_HAND_21 = (0, 17, 18, 19, 20, 13, 14, 15, 16, 9, 10, 11, 12, 5, 6, 7, 8, 1, 2, 3, 4)
"""STB lists the palm's centre, then the fingers from the little one to the thumb."""

SEQUENCES = {
    "train": tuple(f"B{b}{motion}" for b in range(2, 7) for motion in ("Counting", "Random")),
    "test": ("B1Counting", "B1Random"),
}
"""The official split: the first background is for testing."""

_RING_MCP = 13  # in HAND_21
_HEIGHT, _WIDTH = 480, 640
_SPLITS = {"train": "train", "training": "train"} | dict.fromkeys(
    ("test", "val", "evaluation"), "test"
)
# focal lengths, principal point (pixels), picture name
_CAMERAS = {
    "BB": ((822.79041, 822.79041), (318.47345, 250.31296), "BB_left"),
    "SK": ((607.92271, 607.88192), (314.78337, 236.42484), "SK_color"),
}
# From the colour camera of the Kinect-like sensor to its depth camera, in which SK labels are.
_SK_ROTATION = (0.00531, -0.01196, 0.00301)
_SK_TRANSLATION = (-24.0381, -0.4563, -1.2326)  # mm


class STBReader(Reader):
    """Zhang et al.'s STB: twelve sequences of 1,500 frames of one left hand, 640x480.

    The labels are 3-D and projected into the picture. STB marks the centre of the palm instead of
    the wrist, so the wrist is put at `mcp + 2·(palm − mcp)` with the ring finger's MCP (hand3d),
    in space. The crop is hand3d's (`hand_crop.hand_box`); every keypoint counts as seen, since
    STB does not tell.

    Args:
        root: the folder with `images/` and `labels/`.
        split: `"train"` (backgrounds 2-6) or `"test"` (background 1), which `"val"` means too;
            `fit` does not take it for its `val` but holds a training sequence out.
        sensor: `"BB"` (left picture of the stereo camera, the usual one) or `"SK"` (colour
            picture of the depth sensor).
        size: height and width of the crops in pixels.
        stride: use every `stride`-th frame.
        padding: factor on the crop's side; 1 is hand3d's.

    A copy that holds only some sequences of the split is read as far as it goes; `name` then says
    how many there are.

    Raises:
        DataError: a folder, label file or picture is missing or not what STB has there.
    """

    kind = "stb"

    def __init__(self, root, split="train", sensor="BB", size=256, stride=1, padding=1.0):
        if split not in _SPLITS:
            raise MissingPartError(f"STB has the splits train and test, not {split!r}")
        if sensor not in _CAMERAS:
            raise DataError(f"STB has the sensors BB and SK, not {sensor!r}")
        stride = whole_number("stride", stride, 1)
        self.root, split = Path(root), _SPLITS[split]
        self.sensor, self.padding = sensor, float(padding)
        sequences = [s for s in SEQUENCES[split] if self._label_file(s).is_file()]
        if not sequences:
            raise MissingPartError(
                f"{self.root}: no label file of STB's split {split!r}; expected "
                f"labels/{SEQUENCES[split][0]}_{sensor}.mat and the pictures "
                f"images/{SEQUENCES[split][0]}/{_CAMERAS[sensor][2]}_0.png"
            )
        self._frames, points = [], []
        for sequence in sequences:
            xyz = _read_labels(self._label_file(sequence))
            chosen = range(0, len(xyz), stride)
            self._frames += [(sequence, frame) for frame in chosen]
            points.append(_project(xyz[::stride], sensor, self._label_file(sequence), stride))
        self._points = np.concatenate(points)
        name = f"stb-{split}" + ("" if sensor == "BB" else f"-{sensor}")
        if len(sequences) < len(SEQUENCES[split]):
            name += f" ({len(sequences)} of {len(SEQUENCES[split])} sequences)"
        super().__init__(
            name,
            HAND_21,
            size,
            [f"{sequence}/{_CAMERAS[sensor][2]}_{frame}" for sequence, frame in self._frames],
            split,
            {"sensor": sensor, "stride": stride, "padding": self.padding},
        )

    def _label_file(self, sequence):
        return self.root / "labels" / f"{sequence}_{self.sensor}.mat"

    def _read(self, index):
        record, (sequence, _) = self.ids[index], self._frames[index]
        path = inside(self.root, f"images/{record}.png", f"{self.root} (record {record})")
        image = read_image(path, record)
        if image.shape != (_HEIGHT, _WIDTH, 3):
            raise DataError(
                f"{path} (record {record}): {image.shape[1]}x{image.shape[0]} pixels; the camera's "
                f"constants hold for {_WIDTH}x{_HEIGHT}"
            )
        keypoints = clean_keypoints(self._points[index], 21, f"{path} (record {record})")
        box = hand_box(keypoints, self.padding)
        return self._cut(index, path, image, box, keypoints, sequence)


def _read_labels(path):
    """`handPara` of a label file as float64 `(frames, 21, 3)` in mm."""
    try:
        labels = read_array(path.read_bytes(), "handPara")
    except ValueError as error:
        raise DataError(f"{path}: not a readable MATLAB file ({error})") from error
    if labels.ndim != 3 or labels.shape[:2] != (3, 21) or not labels.size:
        raise DataError(f"{path}: handPara is of shape {labels.shape}, expected (3, 21, frames)")
    return labels.astype(np.float64).transpose(2, 1, 0)


def _project(xyz, sensor, path, stride):
    """Positions `(frames, 21, 2)` in the picture, in HAND_21's order, wrist for palm."""
    xyz = xyz[:, list(TO_HAND_21)]
    xyz[:, 0] = xyz[:, _RING_MCP] + 2 * (xyz[:, 0] - xyz[:, _RING_MCP])
    if sensor == "SK":
        from scipy.spatial.transform import Rotation

        # X_depth = R·X_color + t, so X_color = Rᵀ·(X_depth − t); rows times R do just that.
        xyz = (xyz - _SK_TRANSLATION) @ Rotation.from_rotvec(_SK_ROTATION).as_matrix()
    bad = ~(np.isfinite(xyz).all(axis=2) & (xyz[..., 2] > 0))
    if bad.any():
        frame, k = np.argwhere(bad)[0]
        raise DataError(
            f"{path} (frame {frame * stride}): keypoint {HAND_21.keypoints[k]} is at "
            f"{xyz[frame, k].tolist()} mm; expected finite numbers in front of the camera"
        )
    focal, centre, _ = _CAMERAS[sensor]
    with np.errstate(over="ignore"):  # as near to the camera as 1e-300 mm
        points = xyz[..., :2] / xyz[..., 2:] * focal + centre
    far = (np.abs(points) > FARTHEST).any(axis=2)
    if far.any():
        frame, k = np.argwhere(far)[0]
        raise DataError(
            f"{path} (frame {frame * stride}): keypoint {HAND_21.keypoints[k]} at "
            f"{xyz[frame, k].tolist()} mm would be {np.abs(points[frame, k]).max():.2g} pixels away"
        )
    return points
