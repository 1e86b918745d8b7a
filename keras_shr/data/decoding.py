"""Picture files of any origin through Pillow: formats, size limit, modes."""

import contextlib
from pathlib import Path

import numpy as np
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from keras_shr.errors import DataError, first_line

MAX_PIXELS = 120_000_000
"""A picture of more pixels is refused unless told otherwise. One takes about 0.9 GB, 1.4 GB where
its EXIF turns it."""
_BAND = 4_000_000

# Pillow knows forty more formats, one of which (EPS) starts another program.
_FORMATS = (
    (b"\xff\xd8\xff", JpegImagePlugin.JpegImageFile),
    (b"\x89PNG\r\n\x1a\n", PngImagePlugin.PngImageFile),
    (b"RIFF", WebPImagePlugin.WebPImageFile),
    (b"GIF8", GifImagePlugin.GifImageFile),
    (b"BM", BmpImagePlugin.BmpImageFile),
    (b"II", TiffImagePlugin.TiffImageFile),
    (b"MM", TiffImagePlugin.TiffImageFile),
    (b"P", PpmImagePlugin.PpmImageFile),
)


def decode_file(path, record, max_pixels, content):
    """`decode` of a file, which `record` asked for if it is not None."""
    path = Path(path)
    where = f"{path} (record {record})" if record else str(path)
    if not path.is_file():
        raise DataError(f"{where}: no such picture")
    try:
        with path.open("rb") as stream:
            return decode(stream, where, max_pixels, content)
    except OSError as error:  # such as no permission, or a network drive that went away
        raise DataError(f"{where}: cannot be read ({error.strerror or error})") from error


def decode(stream, where, max_pixels, content):
    """`content(picture)` of the Pillow picture in a binary stream, turned as its EXIF says.

    Raises:
        DataError: it is no picture, damaged, or its header tells of more than `max_pixels`.
    """
    start = stream.read(30)
    stream.seek(0)
    kind = next((kind for prefix, kind in _FORMATS if start.startswith(prefix)), None)
    if kind is None:
        raise DataError(
            f"{where}: cannot be read as a picture (its content is not JPEG, PNG, WebP, TIFF, GIF, "
            "BMP or PPM)"
        )
    with named_picture_errors(where):
        _check_size(_webp_size(start), max_pixels)  # its decoder takes memory when it is made
        picture = kind(stream)  # reads the header
        _check_size(picture.size, max_pixels)
        picture.load()
        ImageOps.exif_transpose(picture, in_place=True)
        return content(picture)


@contextlib.contextmanager
def named_picture_errors(where):
    """Lets whatever goes wrong with a Pillow picture say which one it was.

    Raises:
        DataError: in the place of any exception.
    """
    try:
        yield
    except DataError as error:
        raise DataError(f"{where}: {error}") from None
    # Pillow's decoders raise OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error,
    # DecompressionBombError... : whatever it was, this is no readable picture.
    except Exception as error:
        raise DataError(f"{where}: cannot be read as a picture ({first_line(error)})") from error


def _check_size(size, max_pixels):
    width, height = size
    if width * height > max_pixels:
        raise DataError(
            f"{width}x{height} pixels, more than max_pixels = {max_pixels}; not decoded"
        )
    if not width * height:
        raise DataError(f"cannot be read as a picture ({width}x{height} pixels)")


def _webp_size(start):
    """Width and height that a WebP file begins with; 1x1 for other files and unknown versions."""
    number = int.from_bytes
    version, body = (start[12:16], start[20:30]) if start[:4] == b"RIFF" else (b"", b"")
    if version == b"VP8X":
        return number(body[4:7], "little") + 1, number(body[7:10], "little") + 1
    if version == b"VP8L":
        bits = number(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if version == b"VP8 ":
        return number(body[6:8], "little") & 0x3FFF, number(body[8:10], "little") & 0x3FFF
    return 1, 1


def to_rgb(picture):
    """A Pillow picture of any mode as uint8 `(height, width, 3)`."""
    if picture.mode == "F":
        raise DataError("a floating-point picture; save it with 8 or 16 bits a channel")
    width, height = picture.size
    result = np.empty((height, width, 3), np.uint8)
    # Some rows at a time: what is made on the way would take several times a large picture's
    # memory.
    rows = max(1, _BAND // width)
    for top in range(0, height, rows):
        box = (0, top, width, min(top + rows, height))
        result[top : top + rows] = _band_to_rgb(picture.crop(box), picture.info)
    return result


def _band_to_rgb(picture, info):
    if picture.mode.startswith("I"):  # 16 bits a pixel; older Pillows call it "I"
        values = np.asarray(picture).astype(np.int64)
        return np.clip((values + 128) // 257, 0, 255).astype(np.uint8)[..., None]
    if picture.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in info:
        picture = picture.convert("RGBA")
        black = Image.new("RGBA", picture.size, (0, 0, 0, 255))
        picture = Image.alpha_composite(black, picture)
    return np.asarray(picture.convert("RGB"))
