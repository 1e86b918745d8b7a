"""Images that a model would take for something else are refused, with what was found."""

import keras
import numpy as np
import pytest

from keras_shr.errors import KerasShrError
from keras_shr.models._checks import check_images

SIZE = (6, 8)


def images(count=2, dtype="uint8", channels=3, level=200):
    return np.full((count, *SIZE, channels), level, dtype)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (images()[0], r"shape \(6, 8, 3\); expected \(count, 6, 8, 3\); one image is images\[None"),
        (images()[..., 0], r"shape \(2, 6, 8\); expected \(count, 6, 8, 3\)$"),
        (images(channels=1), r"shape \(2, 6, 8, 1\); expected \(count, 6, 8, 3\)$"),
        (images().swapaxes(1, 2), r"shape \(2, 8, 6, 3\)"),
        (images(dtype="float32", level=1), r"float32 with values up to 1; expected 0..255"),
        (images(dtype="float16", level=1.5), r"float16 with values up to 1\.5"),
        (np.linspace(-1, 1, 288).reshape(2, 6, 8, 3), "float64 with values up to 1"),
        (
            np.linspace(-2.1, 2.6, 288).reshape(2, 6, 8, 3),
            r"float64 with values from -2\.1 to 2\.6",
        ),
        (np.linspace(-124, 151, 288).reshape(2, 6, 8, 3), "values from -124 to 151; expected 0"),
        (images(dtype="int8", level=-56), "int8 with values from -56 to -56"),
        (images(dtype="uint16", level=4095), "uint16 with values from 4095 to 4095; expected 0"),
        (images(dtype="float32", level=65535.0), "values from 6.554e\\+04 to 6.554e"),
        (images(dtype=bool), "images are bool; expected uint8 or float values"),
        ([images()[0], images()[0, 1:]], "a list whose parts differ in shape"),
        ([], r"shape \(0,\)"),
    ],
)
def test_what_is_refused(given, message):
    with pytest.raises(KerasShrError, match=message) as caught:
        check_images(given, SIZE)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "given",
    [
        images(),
        images(level=1),  # integers may be dark
        images(dtype="float32", level=0),
        images(dtype="float32", level=1.6),
        images(0, "float32"),
        np.linspace(-9, 264, 288).reshape(2, 6, 8, 3),  # as bicubic resampling leaves edges
        images(dtype="int64"),
        list(images()),
        images(dtype="float32", level=np.nan),  # for the model's own checks to find
    ],
)
def test_what_is_taken(given):
    check_images(given, SIZE)


def test_one_bright_picture_of_the_first_sixteen_is_enough_and_channels_count():
    some = images(20, "float32", level=1)
    some[15] = 9
    check_images(some, SIZE)
    with pytest.raises(KerasShrError, match="up to 1"):
        check_images(np.roll(some, 1, 0), SIZE)  # number 16 is not looked at
    check_images(images(channels=1), SIZE, channels=1)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "uint8"])
def test_tensors_and_maps_of_memory(dtype, tmp_path):
    ones = keras.ops.ones((2, *SIZE, 3), dtype)
    if dtype == "uint8":
        return check_images(ones, SIZE)
    with pytest.raises(KerasShrError, match="up to 1"):
        check_images(ones, SIZE)
    np.save(tmp_path / "a.npy", images(dtype="float32", level=0.5))
    with pytest.raises(KerasShrError, match=r"up to 0\.5"):
        check_images(np.load(tmp_path / "a.npy", mmap_mode="r"), SIZE)
