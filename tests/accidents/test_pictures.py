"""Broken, strange and far too large pictures, in every reader and in the commands."""

import contextlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_shr.cli import main
from keras_shr.data import (
    COCOReader,
    FolderReader,
    RHDReader,
    STBReader,
    decoding,
    read_image,
)
from keras_shr.data.images import SquareBox, crop
from keras_shr.errors import DataError
from tests.accidents.bad_pictures import UNREADABLE, encoded, huge, legal, png_bomb
from tests.accidents.measured import measured
from tests.small_sets import grey_picture, make_coco, make_folder, make_rhd, make_stb, save

# name: what makes the set, the reader, and the picture of its record 0
READERS = {
    "rhd": (make_rhd, RHDReader, "training/color/00000.png"),
    "rhd-mask": (make_rhd, RHDReader, "training/mask/00000.png"),
    "stb": (make_stb, STBReader, "images/B2Counting/BB_left_0.png"),
    "coco": (
        make_coco,
        lambda root: COCOReader(root / "person.json", root / "pictures"),
        "pictures/a.png",
    ),
    "folder": (make_folder, FolderReader, "a/1.png"),
}


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    root = tmp_path_factory.mktemp("sets")
    for name, (make, _, _) in READERS.items():
        make(root / name)
    return root


@pytest.fixture(params=READERS)
def reader(request, sets, tmp_path):
    """A reader and the picture of its record 0, in a copy of its own."""
    root = shutil.copytree(sets / request.param, tmp_path / "set")
    _, make, picture = READERS[request.param]
    return make(root), root / picture


@pytest.mark.parametrize("accident", UNREADABLE)
def test_no_picture(reader, accident, monkeypatch, tmp_path):
    reader, path = reader
    monkeypatch.chdir(tmp_path)
    path.write_bytes(UNREADABLE[accident])
    with pytest.raises(DataError) as error:
        reader[0]
    text = str(error.value)
    assert text.startswith(f"{path} (record {reader.ids[0]}): cannot be read as a picture (")
    assert "\n" not in text
    assert not (tmp_path / "victim").exists()


def test_a_folder_in_a_pictures_place(reader):
    reader, path = reader
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match="no such picture"):
        reader[0]


def test_one_pixel(reader):
    """Where a reader knows the size that a picture has to have, it says so."""
    reader, path = reader
    save(path, np.full((1, 1, 3), 200, np.uint8))
    if reader.kind == "folder":
        assert (reader[0].image == 200).all()
        return
    with pytest.raises(DataError, match="1x1") as error:
        reader[0]
    assert path.name in str(error.value)
    assert f"(record {reader.ids[0]})" in str(error.value)


IMAGE = np.zeros((20, 24, 3), np.uint8)
IMAGE[..., 0] = np.arange(24) * 9
IMAGE[:10] += 20


@pytest.mark.parametrize("name", legal(IMAGE))
def test_unusual_pictures(tmp_path, name):
    (tmp_path / "p").write_bytes(legal(IMAGE)[name])
    expected = IMAGE[..., :1].repeat(3, axis=2) if name.startswith("16") else IMAGE
    found = read_image(tmp_path / "p")
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).max() <= (8 if "JPEG" in name else 0)


@pytest.mark.parametrize("kind", huge())
def test_too_many_pixels_by_the_header(tmp_path, kind):
    path = tmp_path / f"p.{kind}"
    path.write_bytes(huge()[kind])
    with pytest.raises(DataError) as error:
        read_image(path, "7")
    assert str(error.value) == (
        f"{path} (record 7): 16000x16000 pixels, more than max_pixels = 120000000; not decoded"
    )
    # With a smaller number it is a picture, or half of one.
    path.write_bytes(huge(50, 40)[kind])
    with contextlib.suppress(DataError):
        assert read_image(path).shape == (40, 50, 3)
    with pytest.raises(DataError, match="50x40 pixels, more than max_pixels = 1999"):
        read_image(path, max_pixels=1999)


def test_memory_stays_flat(tmp_path):
    """Reads pictures of which one would take 2 GB, in a process whose memory can be seen."""
    for kind, content in huge().items():
        (tmp_path / f"header.{kind}").write_bytes(content)
    bomb = png_bomb(16000)
    (tmp_path / "whole.png").write_bytes(bomb)
    assert len(bomb) < 16000**2 / 1000
    save(tmp_path / "small.png", grey_picture(64, 64, (20, 30)))
    code = """
from pathlib import Path
from keras_shr.data.images import SquareBox, crop, read_image
from keras_shr.errors import DataError
small = read_image(Path(sys.argv[2]) / "small.png")
crop(small, SquareBox.of_image(64, 64), 256)
start()
refused = 0
for path in sorted(Path(sys.argv[2]).iterdir()):
    try:
        read_image(path)
    except DataError as error:
        assert "max_pixels" in str(error), error
        refused += 1
for side in (1e6, 1e12, 1e300):
    try:
        crop(small, SquareBox(0.0, 0.0, side), 256)
    except DataError:
        refused += 1
print(refused)
"""
    printed, megabytes = measured(code, tmp_path)
    assert printed == [str(len(huge()) + 1 + 3)]
    assert megabytes < 40


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "L", "1", "CMYK", "I;16"])
def test_rows_in_parts_are_the_whole_picture(mode, monkeypatch):
    """Large pictures are converted some rows at a time; 19 rows in parts of 7."""
    rng = np.random.default_rng(0)
    if mode == "I;16":
        picture = Image.fromarray(rng.integers(0, 65536, (19, 30), np.uint16))
    else:
        picture = Image.fromarray(rng.integers(0, 256, (19, 30, 4), np.uint8), "RGBA")
        picture = picture if mode == "RGBA" else picture.convert("RGB").convert(mode)
    if mode == "LA":
        picture.putalpha(77)
    if mode == "P":
        picture.info["transparency"] = 3
    whole = decoding.to_rgb(picture)
    monkeypatch.setattr(decoding, "_BAND", 7 * 30)
    np.testing.assert_array_equal(decoding.to_rgb(picture), whole)
    assert whole.std() > 5


def test_a_large_picture_takes_little_more_than_its_pixels(tmp_path):
    """48 million pixels with alpha: 192 MB in Pillow, 144 MB as an array."""
    path = tmp_path / "large.png"
    Image.new("RGBA", (8000, 6000), (9, 8, 7, 99)).save(path, compress_level=1)
    code = f"""
from keras_shr.data.images import read_image
start()
print(read_image({str(path)!r}).size)
"""
    printed, megabytes = measured(code)
    assert printed == [str(8000 * 6000 * 3)]
    assert megabytes < 1.3 * (192 + 144)


def test_max_pixels_is_the_users_to_set(tmp_path, capsys):
    make_folder(tmp_path / "mine", splits=False)  # of 64x64 and 100x50
    assert FolderReader(tmp_path / "mine", max_pixels=5000)[1].image.any()
    with pytest.raises(DataError, match=r"2\.png .*: 100x50 pixels, more than max_pixels = 4999"):
        FolderReader(tmp_path / "mine", max_pixels=4999)[1]
    make_coco(tmp_path)
    with pytest.raises(DataError, match="100x80 pixels, more than max_pixels = 7999"):
        COCOReader(tmp_path / "person.json", tmp_path / "pictures", max_pixels=7999)[0]
    with pytest.raises(DataError, match="max_pixels is 0"):
        FolderReader(tmp_path / "mine", max_pixels=0)
    words = ["prepare", "folder", str(tmp_path / "mine"), str(tmp_path / "out"), "--workers", "1"]
    assert main([*words, "--option", "max_pixels=4999"]) == 1
    assert "b/2.png (record b/2.png): 100x50 pixels" in capsys.readouterr().err
    assert main([*words, "--option", "max_pixels=5000"]) == 0  # the pictures are the same


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ([0, 0, 9e5, 2], "a square 1.125e\\+06 pixels wide of a picture of 64x64; expected 1 to"),
        ([0, 0, 0.5, 0.5], "a square 0.625 pixels wide"),
        ([0, 0, 1e300, 2], r"index.jsonl:1 \(record p.png\): box is \[0, 0, 1e\+300, 2\]"),
        ([0, 0, 10**400, 2], r"index.jsonl:1 \(record p.png\): box is"),
        ([0, 0, float("nan"), 2], r"index.jsonl:1 \(record p.png\): box is"),
    ],
)
def test_boxes_far_larger_or_smaller_than_the_picture(tmp_path, box, message):
    save(tmp_path / "p.png", grey_picture(64, 64))
    line = {"file": "p.png", "keypoints": [[1, 2]], "box": box}
    (tmp_path / "index.jsonl").write_text(json.dumps(line))
    with pytest.raises(DataError, match=message):
        FolderReader(tmp_path, size=128)[0]


@pytest.mark.parametrize("shape", [(64, 64), (20, 600), (600, 20), (1, 300), (300, 1)])
def test_a_crop_much_larger_than_its_picture_is_that_of_the_filled_up_picture(shape):
    """The whole picture lies in the middle of black; shrinking it by eight may differ by the
    rounding between the two axes."""
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    side = 8 * max(shape)
    filled = np.zeros((side, side, 3), np.uint8)
    filled[100 : 100 + shape[0], 50 : 50 + shape[1]] = image
    found = crop(image, SquareBox(-50.0, -100.0, float(side)), 40)
    expected = crop(filled, SquareBox(0.0, 0.0, float(side)), 40)
    assert np.abs(found.astype(int) - expected).max() <= 1


def _folder_of_all_kinds(folder):
    """Eight readable pictures; names of those that are not."""
    folder.mkdir()
    for number, content in enumerate(legal(grey_picture(60, 50, (20, 20))).values()):
        (folder / f"good{number}.png").write_bytes(content)
    (folder / "onepixel.png").write_bytes(encoded(np.full((1, 1, 3), 9, np.uint8)))
    bad = {f"bad{i}.png": content for i, content in enumerate(UNREADABLE.values())}
    bad["bomb.png"] = png_bomb(16000)
    for name, content in bad.items():
        (folder / name).write_bytes(content)
    return sorted(bad)


def test_predict_names_and_skips_and_goes_on(tmp_path, capsys, monkeypatch):
    from tests.prediction.prediction_helpers import lamp_model

    monkeypatch.chdir(tmp_path)
    lamp_model().save("lamps.keras")
    bad = _folder_of_all_kinds(tmp_path / "pictures")
    assert main(["predict", "lamps.keras", "pictures", "--output", "out"]) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("skipped: ")]
    assert [Path(line.split(": ")[1]).name for line in lines] == bad
    content = json.loads(Path("out/predictions.json").read_text())
    names = [image["file_name"] for image in content["images"]]
    assert names == [*(f"good{i}.png" for i in range(7)), "onepixel.png"]
    assert len(content["annotations"]) == 8
    written = {path.name for path in Path("out").iterdir()}
    assert written == {"predictions.json", *(Path(n).with_suffix(".jpg").name for n in names)}
    # A smaller limit skips one more; only pictures without any fault end with 0.
    assert main(["predict", "lamps.keras", "pictures", "--output", "o", "--max-pixels", "9"]) == 1
    assert json.loads(Path("o/predictions.json").read_text())["images"][0]["width"] == 1
    for name in bad:
        Path("pictures", name).unlink()
    assert main(["predict", "lamps.keras", "pictures", "--output", "out"]) == 0
    assert not Path("victim").exists()


def test_prepare_stops_at_a_broken_picture_and_goes_on_when_it_is_mended(tmp_path, capsys):
    make_folder(tmp_path / "mine", splits=False)
    words = ["prepare", "folder", str(tmp_path / "mine"), "--shards", "3", "--size", "16"]
    assert main([*words, str(tmp_path / "undisturbed")]) == 0
    picture = tmp_path / "mine" / "b" / "2.png"
    good = picture.read_bytes()
    for content in (b"", good[:80], huge()["png"]):
        picture.write_bytes(content)
        capsys.readouterr()
        assert main([*words, str(tmp_path / "out"), "--workers", "1"]) == 1
        (line,) = (t for t in capsys.readouterr().err.splitlines() if t.startswith("keras-shr"))
        assert line.startswith(f"keras-shr prepare: {picture} (record b/2.png): ")
        left = {path.name for path in (tmp_path / "out").iterdir()}
        assert left == {"prepare.json", "shard-00000-of-00003.tfrecord"}
    picture.write_bytes(good)
    assert main([*words, str(tmp_path / "out")]) == 0
    for path in (tmp_path / "undisturbed").iterdir():
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()
