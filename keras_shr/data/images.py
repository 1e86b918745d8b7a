"""Pictures in, square uint8 RGB crops out."""

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

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


def crop(image, box: SquareBox, size: int) -> np.ndarray:
    """The part of `image` under `box`, resampled to `(size, size, 3)` uint8.

    Bilinear with antialiasing when it shrinks. What lies beyond the image is black (zeros), as in
    hand3d and mmpose.
    """
    height, width = image.shape[:2]
    # PIL sees `reach` source pixels beyond the box where the image has them, so a crop's border
    # is filtered like its middle.
    reach = int(np.ceil(max(1.0, box.side / size))) + 1

    def span(start, stop, limit):
        low, high = int(np.floor(start)), int(np.ceil(stop))
        return min(low, max(0, low - reach)), max(high, min(limit, high + reach))

    x0, x1 = span(box.left, box.left + box.side, width)
    y0, y1 = span(box.top, box.top + box.side, height)
    canvas = np.zeros((y1 - y0, x1 - x0, 3), np.uint8)
    left, right, top, bottom = max(x0, 0), min(x1, width), max(y0, 0), min(y1, height)
    if left < right and top < bottom:
        canvas[top - y0 : bottom - y0, left - x0 : right - x0] = image[top:bottom, left:right]
    corner = (box.left - x0, box.top - y0)
    part = (*corner, corner[0] + box.side, corner[1] + box.side)
    picture = Image.fromarray(canvas).resize((size, size), Image.Resampling.BILINEAR, box=part)
    return np.asarray(picture)


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


def read_image(path, record: str | None = None) -> np.ndarray:
    """Any picture file as uint8 RGB `(height, width, 3)`.

    EXIF rotation is applied. Grey, palette and CMYK pictures are converted, 16-bit ones scaled by
    255/65535, transparent ones laid over black; of an animation the first frame is used.

    Args:
        path: the file.
        record: id of the record that asked for it, named in errors.

    Raises:
        DataError: the file is missing, truncated, or no picture that Pillow can read.
    """
    return _to_rgb(_open(path, record), path, record)


def read_labels(path, record: str | None = None) -> np.ndarray:
    """A picture whose pixel values are numbers (a mask), as stored: `(height, width)`."""
    values = np.asarray(_open(path, record))
    return values if values.ndim == 2 else values[..., 0]


def encode_image(image, image_format: str = "jpeg", quality: int = 95) -> bytes:
    """uint8 RGB → the bytes of a JPEG (full colour resolution) or PNG file."""
    buffer = io.BytesIO()
    options = {"quality": quality, "subsampling": 0} if image_format == "jpeg" else {}
    Image.fromarray(image).save(buffer, image_format.upper(), **options)
    return buffer.getvalue()


def decode_image(data: bytes, where: str) -> np.ndarray:
    """The inverse of `encode_image`; `where` names the record in errors."""
    return _to_rgb(_decode(io.BytesIO(data), where), where, None)


def _where(path, record):
    return f"{path} (record {record})" if record else str(path)


def _open(path, record):
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{_where(path, record)}: no such picture")
    return _decode(path, _where(path, record))


def _decode(source, where):
    try:
        with Image.open(source) as picture:
            picture.load()
            return ImageOps.exif_transpose(picture)
    # Pillow's decoders raise OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error,
    # DecompressionBombError... : whatever it was, this file is no readable picture.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        if "cannot identify image" in reason:
            reason = "its content is no picture format that Pillow knows"
        raise DataError(f"{where}: cannot be read as a picture ({reason})") from error


def _to_rgb(picture, path, record):
    if picture.mode == "F":
        raise DataError(
            f"{_where(path, record)}: a floating-point picture; save it with 8 or 16 bits a channel"
        )
    if picture.mode.startswith("I"):  # 16 bits a pixel; older Pillows call it "I"
        values = np.asarray(picture).astype(np.int64)
        grey = np.clip((values + 128) // 257, 0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if picture.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        black = Image.new("RGBA", picture.size, (0, 0, 0, 255))
        picture = Image.alpha_composite(black, picture)
    # A copy that owns its memory: arrays of Pillow's are read-only.
    return np.array(picture.convert("RGB"))
