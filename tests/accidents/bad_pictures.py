"""Picture files as nobody wants them."""

import io
import struct
import zlib

import numpy as np
from PIL import Image


def encoded(image, kind="PNG", **options):
    stream = io.BytesIO()
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    image.save(stream, kind, **options)
    return stream.getvalue()


_NOISE = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
_PNG, _JPEG = encoded(_NOISE), encoded(_NOISE, "JPEG")

UNREADABLE = {
    "zero bytes": b"",
    "text": b"this is a text and no picture at all\n" * 20,
    "half a PNG": _PNG[: len(_PNG) // 2],
    "half a JPEG": _JPEG[: len(_JPEG) // 2],
    "a PNG's header": _PNG[:40],
    "a web page": b"<html><body>404 not found</body></html>",
    # Pillow would start Ghostscript, a program that such files have broken out of.
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%ls) (w) file\n",
}


def legal(image):
    """Unusual files that are pictures, by name: each shows `image`, uint8 `(height, width, 3)`."""
    first, other = Image.fromarray(image), Image.fromarray(255 - image)
    frames = {"save_all": True, "append_images": [other, other]}
    inverted = Image.fromarray(
        np.dstack([255 - image, np.zeros(image.shape[:2], np.uint8)]), "CMYK"
    )
    return {
        "animated GIF": encoded(first.quantize(256), "GIF", **frames),
        "animated PNG": encoded(first, "PNG", **frames),
        "animated WebP": encoded(first, "WEBP", lossless=True, **frames),
        "CMYK TIFF": encoded(inverted, "TIFF"),
        "CMYK JPEG": encoded(inverted, "JPEG", quality=100, subsampling=0),
        "16 bits": encoded(image[..., 0].astype(np.uint16) * 257),
        "16-bit TIFF": encoded(image[..., 0].astype(np.uint16) * 257, "TIFF"),
    }


def _chunk(kind, content):
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def png_bomb(side):
    """A valid PNG, one bit a pixel, that takes a thousandth of what it decodes to."""
    packer, row = zlib.compressobj(9), bytes(1 + side // 8)
    content = b"".join(packer.compress(row * 1000) for _ in range(side // 1000)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    parts = _chunk(b"IHDR", header), _chunk(b"IDAT", content), _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def huge(width=16000, height=16000):
    """Headers of far too many pixels, one for each format, with little or nothing behind."""
    small = Image.new("RGB", (8, 8), (200, 100, 0))
    jpeg = bytearray(encoded(small, "JPEG"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    gif = bytearray(encoded(small, "GIF"))
    gif[6:10] = struct.pack("<HH", width, height)
    bmp = bytearray(encoded(small, "BMP"))
    bmp[18:26] = struct.pack("<ii", width, height)
    tiff = bytearray(encoded(small, "TIFF"))
    directory = struct.unpack_from("<I", tiff, 4)[0]
    for entry in range(struct.unpack_from("<H", tiff, directory)[0]):
        place = directory + 2 + 12 * entry
        for tag, value in ((256, width), (257, height)):
            if struct.unpack_from("<H", tiff, place)[0] == tag:
                struct.pack_into("<HII", tiff, place + 2, 4, 1, value)
    webp = bytearray(encoded(small.convert("RGBA"), "WEBP", lossless=True))
    lossless = webp.index(b"VP8L") + 9
    (bits,) = struct.unpack_from("<I", webp, lossless)
    struct.pack_into("<I", webp, lossless, bits >> 28 << 28 | (height - 1) << 14 | (width - 1))
    lossy = bytearray(encoded(small, "WEBP"))
    struct.pack_into("<HH", lossy, lossy.index(b"\x9d\x01\x2a") + 3, width, height)
    moving = bytearray(
        encoded(small, "WEBP", save_all=True, append_images=[Image.new("RGB", (8, 8))])
    )
    for place, value in ((24, width), (27, height)):
        moving[place : place + 3] = (value - 1).to_bytes(3, "little")
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return {
        "png": b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", b"x"),
        "jpg": bytes(jpeg),
        "gif": bytes(gif),
        "bmp": bytes(bmp),
        "tif": bytes(tiff),
        "lossless.webp": bytes(webp),
        "lossy.webp": bytes(lossy),
        "moving.webp": bytes(moving),
        "ppm": f"P6 {width} {height} 255\n".encode(),
    }
