"""A trained model on pictures of any size."""

from collections.abc import Iterable
from os import PathLike

import keras
import numpy as np
from keras import ops
from PIL import Image, ImageOps

from keras_shr.data.base import box_numbers
from keras_shr.data.decoding import named_picture_errors, to_rgb
from keras_shr.data.images import MAX_PIXELS, SquareBox, check_square, crop, read_image
from keras_shr.data.rectangles import square_around
from keras_shr.errors import DataError, KerasShrError, shown
from keras_shr.heatmaps import DECODERS
from keras_shr.models import load_trained
from keras_shr.models._prediction import filled_up
from keras_shr.prediction.found import Prediction
from keras_shr.prediction.portions import portions
from keras_shr.prediction.searching import MARGIN, search
from keras_shr.skeletons import HAND_21, Skeleton


class Predictor:
    """Predicts keypoints with a model on pictures of any size.

    Args:
        model: a model of this package (`StableHeatmapRegressor`, `PairedHeatmapModel`), the path of
            its `.keras` file, or the name of a trained one (`"hand"`).
        padding: factor on the longer side of a given box, the same as in training (1.25 for folder
            and COCO data).
        batch_size: crops that pass through the network together; fewer that are left over are
            filled up to a power of two, so that few shapes are compiled.
        method: how keypoints are decoded: `"argmax"` (heatmap pixels), `"dark"` or `"centroid"`.
        max_pixels: files with more pixels than this are refused before they are decoded.
        margin: what a search and a `Tracker` look at: the side of a square crop, in longer sides of
            the keypoints' bounding box. 1.8 was measured on hands; give what your training crops
            have. Of one keypoint the crop keeps its size.

    Example:

    >>> predictor = keras_shr.Predictor("runs/hand/best.keras")
    >>> found = predictor("photo.jpg")  # searched; boxes=[[120, 80, 300, 260]] says where
    >>> found.keypoints  # (1, 21, 3)
    """

    def __init__(
        self,
        model,
        padding=1.25,
        batch_size=32,
        method="dark",
        max_pixels=MAX_PIXELS,
        margin=MARGIN,
    ):
        if padding <= 0 or batch_size < 1:
            raise KerasShrError(
                f"padding is {padding!r} and batch_size {batch_size!r}; expected numbers above 0"
            )
        if not 1 <= margin < float("inf"):
            raise KerasShrError(
                f"margin is {margin!r}; expected 1 or more, or keypoints are cut off"
            )
        if method not in DECODERS:
            raise KerasShrError(f"method is {method!r}; it must be one of {', '.join(DECODERS)}")
        self.model = model if isinstance(model, keras.Model) else load_trained(model)
        if not hasattr(self.model, "predict_keypoints"):
            raise KerasShrError(
                f"{type(self.model).__name__} does not predict keypoints; wrap the network in "
                "keras_shr.models.PairedHeatmapModel"
            )
        channels = self.model.network.input_shape[3]
        if channels != 3:
            raise KerasShrError(
                f"the model takes images of {channels} channels, a Predictor's pictures are RGB; "
                "use predict_keypoints"
            )
        height, width = self.model.image_size
        if height != width:
            raise KerasShrError(f"the model takes {height}x{width} images; crops are square")
        self.size, self.padding, self.batch_size = height, float(padding), int(batch_size)
        self.method, self.max_pixels, self.margin = method, max_pixels, float(margin)

    @property
    def skeleton(self) -> Skeleton:
        """The model's skeleton; a hand's for 21 keypoints, else one without names."""
        count = self.model.num_keypoints
        default = HAND_21 if count == len(HAND_21) else Skeleton.generic(count)
        return self.model.skeleton or default

    def __call__(self, picture, boxes=None, heatmaps=False, whole=False) -> Prediction:
        """One picture; see `predict`."""
        return self.predict([picture], None if boxes is None else [boxes], heatmaps, whole)[0]

    def predict(self, pictures, boxes=None, heatmaps=False, whole=False) -> list[Prediction]:
        """Keypoints of pictures.

        Args:
            pictures: several pictures, each an array, uint8 `(height, width)` or `(height, width,
                1 to 4)` (grey, grey and opacity, RGB, RGBA), the path of a file or a Pillow image;
                the last two in any mode and turned as their EXIF says. What is transparent lies
                over black.
            boxes: for each picture None or `(count, 4)` rows of x, y, width, height. None searches
                the likeliest place at about 40 looks (`keras_shr.prediction.search`).
            heatmaps: keep the heatmaps too.
            whole: look once at the whole of a picture without boxes instead: for crops that the
                subject fills.

        Returns:
            One `Prediction` for each picture.

        Raises:
            DataError: naming the picture that is none, or the box that is not as above.
        """
        one = isinstance(pictures, str) or getattr(pictures, "ndim", None) in (2, 3)
        if one or not isinstance(pictures, Iterable):
            raise DataError(
                f"predict takes a list of pictures and got one {_kind(pictures)}; "
                "for a single picture call the predictor itself"
            )
        pictures = list(pictures)
        if boxes is None:
            boxes = [None] * len(pictures)
        if len(boxes) != len(pictures):
            raise DataError(f"{len(boxes)} lists of boxes for {len(pictures)} pictures")
        # Files are read a few at a time: hundreds of photographs do not fit the memory together.
        read = (
            (self._picture(picture, i), i, rows)
            for i, (picture, rows) in enumerate(zip(pictures, boxes, strict=True))
        )
        return [one for part in portions(read) for one in self._predict(part, heatmaps, whole)]

    def _predict(self, pictures, heatmaps, whole):
        """One `Prediction` for each `(array, number, boxes or None)`."""
        squares = [
            self.squares(picture, rows, f"picture {i}") if whole or rows is not None else []
            for picture, i, rows in pictures
        ]
        found = self.predict_squares([picture for picture, _, _ in pictures], squares, heatmaps)
        return [
            search(self, picture, heatmaps) if rows is None and not whole else one
            for (picture, _, rows), one in zip(pictures, found, strict=True)
        ]

    def squares(self, picture, boxes=None, where="picture") -> list[SquareBox]:
        """The crops to look at: squares around boxes, or around the whole picture.

        Args:
            picture: `(height, width, 3)`.
            boxes: `(count, 4)` rows of x, y, width, height, or None for the whole picture.
            where: what an error calls the picture.
        """
        if boxes is None:
            squares = [SquareBox.of_image(*picture.shape[:2])]
        else:
            squares = []
            for box in boxes:
                row = box_numbers(box)
                if row is None:
                    raise DataError(
                        f"{where}: box is {shown(box)}, expected [x, y, width, height] in pixels"
                    )
                squares.append(square_around(row, picture, self.padding, where))
        for square in squares:
            check_square(square, picture, self.size, where)
        return squares

    def predict_squares(self, pictures, squares, heatmaps=False) -> list[Prediction]:
        """Keypoints in given crops.

        Args:
            pictures: arrays, uint8 `(height, width, 3)`.
            squares: for each picture a list of `SquareBox`, as `squares` gives it.
            heatmaps: keep the heatmaps too.
        """
        crops = [
            crop(picture, square, self.size)
            for picture, several in zip(pictures, squares, strict=True)
            for square in several
        ]
        keypoints, maps = self._run(crops, heatmaps)
        found, start = [], 0
        for several in squares:
            part = slice(start, start + len(several))
            start = part.stop
            placed = keypoints[part].copy()
            for points, square in zip(placed, several, strict=True):
                points[:, :2] = square.unmap_points(points[:, :2], self.size)
            rows = [(s.left, s.top, s.side, s.side) for s in several]
            found.append(
                Prediction(
                    placed,
                    np.asarray(rows, "float32").reshape(-1, 4),
                    maps[part] if heatmaps else None,
                )
            )
        return found

    def _run(self, crops, heatmaps):
        """Keypoints in pixels of the crops, and heatmaps if wanted."""
        count, model = len(crops), self.model
        keypoints = [np.zeros((0, model.num_keypoints, 3), "float32")]
        maps = [np.zeros((0, *model.heatmap_size, model.num_keypoints), "float32")]
        for start in range(0, count, self.batch_size):
            batch = np.stack(crops[start : start + self.batch_size])
            found = model.predict_on_batch(filled_up(batch, self.batch_size))
            decoded = ops.convert_to_numpy(model.decode(found, self.method))
            keypoints.append(decoded[: len(batch)])
            if heatmaps:
                maps.append(np.asarray(found, "float32")[: len(batch)])
        return np.concatenate(keypoints), np.concatenate(maps) if heatmaps else None

    def _picture(self, picture, number):
        if isinstance(picture, str | PathLike):
            return read_image(picture, max_pixels=self.max_pixels)
        if isinstance(picture, Image.Image) and all(picture.size):
            with named_picture_errors(f"picture {number}"):  # its pixels are read only now
                return to_rgb(ImageOps.exif_transpose(picture))
        fits = isinstance(picture, np.ndarray) and picture.dtype == np.uint8 and picture.size
        channels = picture.shape[2:] if fits else ()
        if not fits or picture.ndim < 2 or channels not in ((), (1,), (2,), (3,), (4,)):
            raise DataError(
                f"picture {number} is {_kind(picture)}, expected uint8 (height, width) or (height, "
                "width, 1 to 4), the path of a file or a Pillow image"
            )
        if channels == (3,):
            return picture
        picture = picture[..., 0] if channels == (1,) else picture
        return to_rgb(Image.fromarray(np.ascontiguousarray(picture)))


def _kind(picture):
    """What an error calls something that is no picture."""
    if isinstance(picture, np.ndarray):
        return f"{picture.dtype} {picture.shape}"
    name = type(picture).__name__
    return f"{name} {shown(picture)}" if isinstance(picture, str | bytes | PathLike) else name
