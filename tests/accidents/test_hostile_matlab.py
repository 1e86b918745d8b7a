"""STB's labels as a MATLAB file that was made to do harm: no crash, no memory, no endless depth."""

import io
import zlib

import numpy as np
import pytest
from scipy.io import savemat

from keras_shr.data import (
    STBReader,
)
from keras_shr.errors import DataError
from tests.accidents.measured import measured
from tests.small_sets import make_stb


def _element(kind, content):
    return np.array([kind, len(content)], "<u4").tobytes() + content + bytes(-len(content) % 8)


def _matrix(kind, shape, name, *parts):
    """A MATLAB matrix element; kinds: 1 cells, 6 double, 16 function handle, 17 opaque."""
    flags = _element(6, np.array([kind, 0], "<u4").tobytes())
    size = _element(5, np.array(shape, "<i4").tobytes())
    return _element(14, flags + size + _element(1, name) + b"".join(parts))


def _mat(*elements):
    head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    return head + b"".join(elements)


def _cells_in_cells(depth):
    content = _matrix(6, (1, 1), b"", _element(9, bytes(8)))
    for _ in range(depth):
        content = _matrix(1, (1, 1), b"", content)
    return content


VALUES = np.ones((3, 21, 2)) * 900
NUMBERS = _element(9, VALUES.tobytes("F"))
GOOD = _matrix(6, (3, 21, 2), b"handPara", NUMBERS)


def _unpacks_to(megabytes):
    """Labels that are zeros, a thousandth of their size in the file."""
    frames = megabytes * 2**20 // 504 + 1
    head = _matrix(6, (3, 21, frames), b"handPara") + np.array([9, 504 * frames], "<u4").tobytes()
    head = head[:4] + np.array([len(head) - 8 + 504 * frames], "<u4").tobytes() + head[8:]
    packer, zeros = zlib.compressobj(1), bytes(2**20)
    packed = packer.compress(head)
    packed += b"".join(packer.compress(zeros) for _ in range(megabytes)) + packer.flush()
    return _mat(np.array([15, len(packed)], "<u4").tobytes() + packed)


MATS = {
    "function handle": lambda: _mat(_matrix(16, (1, 1), b"handPara", GOOD)),
    "opaque": lambda: _mat(_matrix(17, (3, 21, 2), b"handPara", NUMBERS)),
    "text": lambda: _mat(_matrix(4, (3, 21, 2), b"handPara", NUMBERS)),
    "cells": lambda: _mat(_matrix(1, (3, 21, 2), b"handPara", *[GOOD] * 126)),
    "cells in cells": lambda: _mat(_matrix(1, (1, 1), b"handPara", _cells_in_cells(3_000))),
    "too many frames": lambda: _mat(_matrix(6, (3, 21, 2**31 - 1), b"handPara", NUMBERS)),
    "negative frames": lambda: _mat(_matrix(6, (3, 21, -2), b"handPara", NUMBERS)),
    "no frames": lambda: _mat(_matrix(6, (3, 21, 0), b"handPara", _element(9, b""))),
    "version 7.3": lambda: b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(400),
}


@pytest.fixture(scope="module")
def stb(tmp_path_factory):
    root = tmp_path_factory.mktemp("stb")
    make_stb(root)
    return root


@pytest.mark.parametrize("name", MATS)
def test_hostile_matlab_files(stb, name):
    path = stb / "labels" / "B2Counting_BB.mat"
    path.write_bytes(MATS[name]())
    with pytest.raises(DataError, match=r"B2Counting_BB\.mat: ") as error:
        STBReader(stb)
    assert "\n" not in str(error.value)


def test_labels_take_little_memory(stb):
    """A megabyte that unpacks to half a gigabyte."""
    (stb / "labels" / "B2Counting_BB.mat").write_bytes(_unpacks_to(500))
    code = """
from keras_shr.data.stb import STBReader
from keras_shr.errors import DataError
STBReader(sys.argv[2], "test")
start()
try:
    STBReader(sys.argv[2])
except DataError as error:
    print(*str(error).split(": ")[1].split())
"""
    printed, megabytes = measured(code, stb)
    assert " ".join(printed).startswith("not a readable MATLAB file (it unpacks to more than")
    assert megabytes < 250


def test_compressed_labels_are_read(stb):
    path = stb / "labels" / "B2Counting_BB.mat"
    path.write_bytes(_mat(GOOD))
    plain = STBReader(stb)
    buffer = io.BytesIO()
    savemat(buffer, {"handPara": VALUES}, do_compression=True)
    path.write_bytes(buffer.getvalue())
    np.testing.assert_array_equal(STBReader(stb)._points, plain._points)


def test_other_variables_of_a_matlab_file_are_not_read(stb):
    """Cells in cells would fill the stack of a reader that follows them."""
    deep = _matrix(1, (1, 1), b"other", _cells_in_cells(3_000))
    (stb / "labels" / "B2Counting_BB.mat").write_bytes(_mat(deep, GOOD))
    assert len(STBReader(stb)) == 2 + 3
