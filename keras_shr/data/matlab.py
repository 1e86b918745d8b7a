"""An array of numbers out of a MATLAB file of version 5 to 7, as STB's label files are.

SciPy reads all of such files, in C that ends the process at one damaged file in 300, or takes
minutes and gigabytes; labels come from anywhere.
"""

import itertools
import math
import zlib

import numpy as np

LONGEST = 2**26
"""Bytes that a compressed variable may unpack to, 80 times one of STB's."""

_HEADER, _VERSION = 128, 0x100
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}
_CLASSES = range(6, 16)  # double, single, and integers
_COMPLEX = 0x800


def read_array(data: bytes, name: str) -> np.ndarray:
    """The variable `name` of a file's content, with MATLAB's shape, in the type it is stored in.

    Raises:
        ValueError: the content is damaged or of another version, or has no such array of numbers.
    """
    order = {b"IM": "<", b"MI": ">"}.get(data[_HEADER - 2 : _HEADER])
    if order is None or np.frombuffer(data[124:126], order + "u2")[0] != _VERSION:
        raise ValueError("not MATLAB's version 5 to 7 (save -v7)")
    for kind, content in _elements(memoryview(data)[_HEADER:], order):
        if kind == _COMPRESSED:
            kind, content = next(_elements(_unpacked(content), order), (None, b""))
        if kind == _MATRIX:
            found = _array(content, order, name)
            if found is not None:
                return found
    raise ValueError(f"it has no {name}")


def _array(content, order, name):
    """The array in a matrix element; None if it has another name."""
    parts = list(itertools.islice(_elements(content, order), 4))
    if [kind for kind, _ in parts[:3]] != [6, 5, 1] or bytes(parts[2][1]) != name.encode():
        return None
    flags = int(np.frombuffer(parts[0][1], order + "u4")[0])
    shape = np.frombuffer(parts[1][1], order + "i4").tolist()
    if flags & 0xFF not in _CLASSES or flags & _COMPLEX:
        raise ValueError(f"{name} is no array of real numbers")
    kind, values = parts[3] if len(parts) > 3 else (9, b"")
    if kind not in _NUMBERS or min(shape, default=-1) < 0 or len(shape) > 8:
        raise ValueError(f"{name} is damaged")
    numbers = np.frombuffer(values, order + _NUMBERS[kind])
    if math.prod(shape) != numbers.size:
        raise ValueError(f"{name} has {numbers.size} numbers for the shape {tuple(shape)}")
    return numbers.reshape(shape, order="F")


def _elements(view, order):
    """Kind and content of each part of a file or of a matrix."""
    place = 0
    while place < len(view):
        if place + 8 > len(view):
            raise ValueError("it ends in the middle of a part")
        kind, size = np.frombuffer(view[place : place + 8], order + "u4").tolist()
        start, step = place + 8, 8 + size + -size % 8
        if kind >> 16:  # up to four bytes, in the place of the size
            kind, size, start, step = kind & 0xFFFF, kind >> 16, place + 4, 8
        if kind == _COMPRESSED:  # the only one that is not filled up to eight bytes
            step = 8 + size
        if start + size > len(view) or (step == 8 and size > 4):
            raise ValueError("a part is longer than the file")
        yield kind, view[start : start + size]
        place += step


def _unpacked(content):
    unpacker = zlib.decompressobj()
    try:
        result = unpacker.decompress(content, LONGEST)
    except zlib.error as error:
        raise ValueError(f"it cannot be unpacked ({error})") from None
    if unpacker.unconsumed_tail:
        raise ValueError(f"it unpacks to more than {LONGEST} bytes")
    return memoryview(result)
