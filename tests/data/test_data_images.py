import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from keras_shr.data import read_image
from keras_shr.data.images import SquareBox, crop, decode_image, encode_image
from keras_shr.errors import DataError
from tests.small_sets import red_centre

HALVES = np.zeros((6, 8, 3), np.uint8)
HALVES[:, 4:] = (255, 128, 0)


def _save(tmp_path, picture, name="p.png", **options):
    path = tmp_path / name
    picture.save(path, **options)
    return path


def test_rgb_stays_and_is_writable(tmp_path):
    image = read_image(_save(tmp_path, Image.fromarray(HALVES)))
    np.testing.assert_array_equal(image, HALVES)
    image[0, 0] = 7


def test_grey_palette_and_16_bits(tmp_path):
    grey = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
    expected = np.repeat(grey[..., None], 3, 2)
    np.testing.assert_array_equal(read_image(_save(tmp_path, Image.fromarray(grey))), expected)
    deep = grey.astype(np.uint16) * 257
    for name in ("p.png", "p.tif"):
        path = _save(tmp_path, Image.fromarray(deep), name)
        np.testing.assert_array_equal(read_image(path), expected)
    palette = Image.fromarray(HALVES).quantize(4)
    np.testing.assert_array_equal(read_image(_save(tmp_path, palette)), HALVES)
    one_bit = Image.fromarray(grey > 100)
    np.testing.assert_array_equal(
        read_image(_save(tmp_path, one_bit)), np.where(expected > 100, 255, 0)
    )


def test_transparent_parts_are_black(tmp_path):
    rgba = np.dstack([HALVES, np.full((6, 8), 255, np.uint8)])
    rgba[:3, :, 3] = 0
    image = read_image(_save(tmp_path, Image.fromarray(rgba)))
    assert not image[:3].any()
    np.testing.assert_array_equal(image[3:], HALVES[3:])
    grey_alpha = Image.merge("LA", [Image.new("L", (4, 4), 200), Image.new("L", (4, 4), 0)])
    assert not read_image(_save(tmp_path, grey_alpha)).any()
    palette = Image.fromarray(HALVES).quantize(4)
    clear = palette.getpixel((7, 0))
    assert not read_image(_save(tmp_path, palette, transparency=clear)).any()


def test_cmyk_jpeg(tmp_path):
    path = _save(tmp_path, Image.new("CMYK", (8, 6), (0, 255, 255, 0)), "p.jpg", quality=95)
    image = read_image(path)
    assert image.shape == (6, 8, 3)
    assert image[..., 0].min() > 200
    assert image[..., 1:].max() < 60


@pytest.mark.parametrize(("orientation", "undo"), [(3, 2), (6, 1), (8, 3)])
def test_exif_rotation(tmp_path, orientation, undo):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.rot90(HALVES, undo).copy())
    image = read_image(_save(tmp_path, stored, "p.png", exif=exif))
    np.testing.assert_array_equal(image, HALVES)


def test_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (4, 4), c) for c in ((255, 0, 0), (0, 0, 255))]
    path = _save(tmp_path, frames[0], "p.gif", save_all=True, append_images=frames[1:])
    assert read_image(path)[0, 0].tolist() == [255, 0, 0]


def test_unreadable_files(tmp_path):
    with pytest.raises(DataError, match=r"p.png \(record 7\): no such picture"):
        read_image(tmp_path / "p.png", "7")
    with pytest.raises(DataError, match="no such picture"):
        read_image(tmp_path)
    for name in ("p.png", "p.jpg"):
        noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
        path = _save(tmp_path, Image.fromarray(noise), name)
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        with pytest.raises(DataError, match=rf"{name} \(record 7\): cannot be read as a picture"):
            read_image(path, "7")
    path.write_bytes(b"")
    with pytest.raises(DataError, match="its content is not JPEG"):
        read_image(path)
    path = _save(tmp_path, Image.fromarray(np.zeros((4, 4), np.float32)), "p.tif")
    with pytest.raises(DataError, match="a floating-point picture"):
        read_image(path)


def test_a_file_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    path = tmp_path / "p.png"
    Image.new("RGB", (4, 4)).save(path)

    def refused(*_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(type(path), "open", refused)
    with pytest.raises(DataError, match=r"p.png: cannot be read \(Permission denied\)"):
        read_image(path)


def test_crop_of_the_whole_picture_is_the_picture():
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    np.testing.assert_array_equal(crop(image, SquareBox.of_image(16, 16), 16), image)


def test_crop_beyond_the_picture_is_black():
    image = np.full((20, 30, 3), 200, np.uint8)
    part = crop(image, SquareBox(-10, -5, 40), 40)
    expected = np.zeros((40, 40, 3), np.uint8)
    expected[5:25, 10:40] = 200
    np.testing.assert_array_equal(part, expected)
    assert not crop(image, SquareBox(500, 500, 40), 16).any()
    assert not crop(image, SquareBox(-500, 0, 40), 16).any()


def test_shrinking_is_antialiased():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    # Every second column white: any sampling without a filter gives black or white.
    middle = crop(stripes, SquareBox.of_image(64, 64), 16)[:, 2:-2]
    assert middle.min() > 110
    assert middle.max() < 145


@settings(max_examples=40, deadline=None)
@given(
    x=st.integers(20, 79),
    y=st.integers(20, 59),
    dx=st.floats(-15, 15),
    dy=st.floats(-15, 15),
    side=st.floats(50, 150),
    size=st.integers(48, 200),
)
def test_points_go_where_their_pixels_go(x, y, dx, dy, side, size):
    image = np.full((80, 100, 3), 90, np.uint8)
    image[y - 2 : y + 3, x - 2 : x + 3] = (255, 0, 0)
    box = SquareBox.around((x + dx, y + dy), side)
    np.testing.assert_allclose(box.centre, (x + dx, y + dy), atol=1e-9)
    point = box.map_points([x, y], size)
    assert np.abs(red_centre(crop(image, box, size)) - point).max() < 0.3


def test_encoded_images_come_back():
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    np.testing.assert_array_equal(decode_image(encode_image(image, "png"), "x"), image)
    smooth = np.add.outer(np.arange(32), np.arange(32))[..., None].repeat(3, 2).astype(np.uint8)
    near = decode_image(encode_image(smooth, "jpeg"), "x")
    assert np.abs(near.astype(int) - smooth).max() <= 2
    with pytest.raises(DataError, match="shard 3: cannot be read"):
        decode_image(b"nothing", "shard 3")
