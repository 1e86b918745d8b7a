"""Pictures in, square uint8 RGB crops out."""

import io
from typing import NamedTuple

import numpy as np
from PIL import Image

from keras_shr.data.decoding import MAX_PIXELS, decode, decode_file, to_rgb
from keras_shr.errors import DataError


class SquareBox(NamedTuple):
    """A square of the source image, measured from the outer corner of its first pixel.

    A pixel whose centre is the integer x covers [x, x + 1] on this scale.
    """

    left: float
    top: float
    side: float

    @classmethod
    def around(cls, centre, side) -> "SquareBox":
        """The square of `side` pixels whose middle is the point `centre` (x, y), a pixel position
        where an integer is a pixel's centre."""
        x, y = (float(v) + 0.5 - side / 2 for v in centre)
        return cls(x, y, float(side))

    @property
    def centre(self) -> tuple[float, float]:
        """The pixel position x, y of its middle, as `around` takes it."""
        return self.left + self.side / 2 - 0.5, self.top + self.side / 2 - 0.5

    @classmethod
    def of_image(cls, height, width) -> "SquareBox":
        """The smallest square that holds a whole image, the image in its middle."""
        side = max(height, width)
        return cls((width - side) / 2, (height - side) / 2, float(side))

    @classmethod
    def of_rectangle(cls, x, y, width, height, padding=1.0) -> "SquareBox":
        """The square with the middle of a COCO box and `padding` times its longer side."""
        side = padding * max(width, height)
        return cls(x + (width - side) / 2, y + (height - side) / 2, float(side))

    def map_points(self, points, size):
        """Positions `(..., 2)` in the source image → positions in the crop of `size` pixels."""
        corner = np.asarray([self.left, self.top])
        return (np.asarray(points, np.float64) + 0.5 - corner) * (size / self.side) - 0.5

    def unmap_points(self, points, size):
        """The inverse of `map_points`: positions in the crop → positions in the source image."""
        corner = np.asarray([self.left, self.top])
        return (np.asarray(points, np.float64) + 0.5) * (self.side / size) - 0.5 + corner


def crop(image, box: SquareBox, size: int, where: str = "picture") -> np.ndarray:
    """The part of `image` under `box`, resampled to `(size, size, 3)` uint8.

    Bilinear with antialiasing when it shrinks. What lies beyond the image is black (zeros), as in
    hand3d and mmpose.

    Raises:
        DataError: a box that is not finite, less than a pixel wide, or so much wider than the
            picture that memory would run out; `where` names the picture.
    """
    check_square(box, image, size, where)
    # One axis after the other, as Pillow does it inside, so that black beyond the picture takes
    # memory along one axis only; a high picture shrinks before it is filled up on the sides.
    low, high = _span(box.top, box.side, size, len(image))
    first, last = max(low, 0), max(min(high, len(image)), 0)
    image, rows, columns = image[first:last], (first, len(image)), (0, image.shape[1])
    for axis in (0, 1) if rows[1] > 2 * columns[1] else (1, 0):
        start, frame = (box.left, columns) if axis else (box.top, rows)
        image = _resample(image, start, box.side, size, axis, frame)
    return image


def check_square(box: SquareBox, image, size: int, where: str) -> None:
    """Refuse a square that cannot be cut out of a picture, see `crop`."""
    height, width = image.shape[:2]
    longer = max(height, width)
    widest = min(max(2 * longer, MAX_PIXELS // longer), MAX_PIXELS // size)
    if not (np.isfinite(box).all() and 1 <= box.side <= widest):
        raise DataError(
            f"{where}: a square {box.side:g} pixels wide of a picture of {width}x{height}; "
            f"expected 1 to {widest}"
        )


def _span(start, side, size, limit):
    """What of an axis Pillow is given: the box and, where the picture has them, so many pixels
    around it that a crop's border is filtered like its middle."""
    reach = int(np.ceil(max(1.0, side / size))) + 1
    low, high = int(np.floor(start)), int(np.ceil(start + side))
    return min(low, max(0, low - reach)), max(high, min(limit, high + reach))


def _resample(image, start, side, size, axis, frame):
    """`image` with `size` pixels along one axis: what lies from `start` to `start + side`.

    Along that axis its first pixel is number `frame[0]` of `frame[1]`, as `start` counts them.
    """
    low, high = _span(start, side, size, frame[1])
    first, last = max(low, frame[0]), min(high, frame[0] + image.shape[axis])
    if first >= last or not image.size:
        return np.zeros((image.shape[0], size, 3) if axis else (size, image.shape[1], 3), np.uint8)
    seen, padding = slice(first - frame[0], last - frame[0]), [(0, 0)] * 3
    part = image[:, seen] if axis else image[seen]
    if first != low or last != high:
        padding[axis] = (first - low, high - last)
        part = np.pad(part, padding)
    height, width = part.shape[:2]
    span = (start - low, start - low + side)
    shape, box = ((size, height), (span[0], 0, span[1], height))
    if not axis:
        shape, box = ((width, size), (0, span[0], width, span[1]))
    picture = Image.fromarray(np.ascontiguousarray(part))
    return np.asarray(picture.resize(shape, Image.Resampling.BILINEAR, box=box))


def resize_images(images, size):
    """uint8 images `(count, height, width, 3)` at `size` `(height, width)`, antialiased."""
    if images.shape[1:3] == tuple(size):
        return images
    return np.stack(
        [
            np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR))
            for image in images
        ]
    )


def read_image(path, record: str | None = None, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """A picture file as uint8 RGB `(height, width, 3)`: JPEG, PNG, WebP, TIFF, GIF, BMP or PPM.

    EXIF rotation is applied. Grey, palette and CMYK pictures are converted, 16-bit ones scaled by
    255/65535, transparent ones laid over black; of an animation the first frame is used.

    Args:
        path: the file.
        record: id of the record that asked for it, named in errors.
        max_pixels: a picture whose header tells of more is refused and not decoded.

    Raises:
        DataError: the file is missing, truncated, too large, or no such picture.
    """
    return decode_file(path, record, max_pixels, to_rgb)


def read_labels(path, record: str | None = None) -> np.ndarray:
    """A picture whose pixel values are numbers (a mask), as stored: `(height, width)`."""
    values = decode_file(path, record, MAX_PIXELS, np.array)
    return values if values.ndim == 2 else values[..., 0]


def encode_image(
    image, image_format: str = "jpeg", quality: int = 95, comment: bytes = b""
) -> bytes:
    """uint8 RGB → the bytes of a JPEG (full colour resolution, with a comment) or PNG file."""
    buffer = io.BytesIO()
    options: dict = {}
    if image_format == "jpeg":
        options = {"quality": quality, "subsampling": 0, "comment": comment}
    Image.fromarray(image).save(buffer, image_format.upper(), **options)
    return buffer.getvalue()


def decode_image(data: bytes, where: str, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """The inverse of `encode_image`; `where` names the record in errors."""
    return decode(io.BytesIO(data), where, max_pixels, to_rgb)
