"""MATLAB files: what SciPy writes is read alike."""

import io

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from keras_shr.data.matlab import read_array


def _file(compressed=False, **variables):
    stream = io.BytesIO()
    savemat(stream, variables, do_compression=compressed)
    return stream.getvalue()


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    "dtype", ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", ">f8"]
)
def test_arrays_of_every_type_and_shape(dtype, compressed):
    for shape in ((3, 21, 5), (1, 1), (2, 1), (4, 1, 1, 2), (7, 3)):
        values = np.arange(np.prod(shape)).astype(dtype).reshape(shape) % 100
        data = _file(compressed, x="text", first=np.arange(3), values=values, last=[[1j]])
        found = read_array(data, "values")
        np.testing.assert_array_equal(found, loadmat(io.BytesIO(data))["values"])
        np.testing.assert_array_equal(found, values)


def test_other_machines_and_smaller_numbers():
    """Big-endian, and doubles that MATLAB stores as bytes where they are small integers."""
    name = np.array([1, 1], ">u4").tobytes() + b"v" + bytes(7)
    flags = np.array([6, 8, 6, 0], ">u4").tobytes()
    shape = np.array([5, 8, 2, 3], ">u4").tobytes()
    values = np.array([2, 6], ">u4").tobytes() + bytes([1, 2, 3, 4, 5, 6, 0, 0])
    matrix = flags + shape + name + values
    data = b"MATLAB".ljust(124) + b"\x01\x00MI" + np.array([14, len(matrix)], ">u4").tobytes()
    np.testing.assert_array_equal(read_array(data + matrix, "v"), [[1, 3, 5], [2, 4, 6]])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (_file(v=1.0), "it has no w"),
        (_file(w="text"), "w is no array of real numbers"),
        (_file(w=[[1j]]), "w is no array of real numbers"),
        (_file(w={"a": 1}), "w is no array of real numbers"),
        (b"", "not MATLAB's version 5 to 7"),
        (b"MATLAB 7.3".ljust(124) + b"\x00\x02IM", "not MATLAB's version 5 to 7"),
        (_file(w=np.ones((3, 4)))[:-9], "a part is longer than the file"),
        (_file(True, w=np.ones((30, 40)))[:-9], "a part is longer than the file"),
        (_file(w=1.0) + b"\0", "w"),
    ],
)
def test_what_is_none(data, message):
    if message == "w":  # what follows the variable is not looked at
        assert read_array(data, "w") == 1
        return
    with pytest.raises(ValueError, match=message):
        read_array(data, "w")
