"""Prepared data sets whose files were damaged, exchanged, lost or edited: both readers name the
file, and where there is one the record and the byte; no damage passes."""

import contextlib
import hashlib
import json
import re
import shutil

import keras
import numpy as np
import pytest

from keras_shr.cli import main
from keras_shr.data import (
    FolderReader,
    Manifest,
    PreparedReader,
    load_arrays,
    named_data_errors,
    prepare,
    tfrecord_dataset,
)
from keras_shr.data.examples import decode_example, encode_example
from keras_shr.data.shards import check_shard, record_offsets, scan_shard, write_shard
from keras_shr.errors import DataError
from keras_shr.models import PairedHeatmapModel
from tests.small_sets import make_folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Three records of 16 pixels in two shards, of one and of two."""
    root = tmp_path_factory.mktemp("whole")
    make_folder(root / "source", splits=False)
    prepare(FolderReader(root / "source", size=16), root / "p", shards=2)
    return root / "p"


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "p")


def _numpy(folder):
    load_arrays(PreparedReader(folder))


def _stream(folder, verify="open"):
    pytest.importorskip("tensorflow")
    with named_data_errors(folder):
        list(tfrecord_dataset(folder, verify=verify))


READERS = {
    "numpy": _numpy,
    "tf.data": _stream,
    "tf.data checked on the way": lambda folder: _stream(folder, "stream"),
}


@pytest.fixture(params=READERS)
def read(request):
    return READERS[request.param]


def _shard(folder, number=1):
    return folder / Manifest.read(folder).shards[number].file


def _damaged(folder, change):
    path = _shard(folder)
    content = bytearray(path.read_bytes())
    path.write_bytes(change(content, record_offsets(path)[1]))


def _flip(place):
    def change(content, start):
        content[start + place] ^= 1
        return content

    return change


def _exchange(folder):
    first, second = _shard(folder, 0), _shard(folder, 1)
    content = first.read_bytes(), second.read_bytes()
    second.write_bytes(content[0])
    first.write_bytes(content[1])


def _edit(folder, change):
    path = folder / "manifest.json"
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def _set(**changes):
    return lambda folder: _edit(folder, lambda value: value.update(changes))


def _set_shard(**changes):
    return lambda folder: _edit(folder, lambda value: value["shards"][1].update(changes))


SECOND = r"shard-00001-of-00002\.tfrecord: "
ACCIDENTS = {
    "a flipped bit in a length": (
        lambda f: _damaged(f, _flip(3)),
        SECOND + r"record 1 at byte \d+ is corrupted: the checksum of its length",
    ),
    "a flipped bit in a length's checksum": (
        lambda f: _damaged(f, _flip(9)),
        SECOND + r"record 1 at byte \d+ is corrupted: the checksum of its length",
    ),
    "a flipped bit in a record": (
        lambda f: _damaged(f, _flip(100)),
        SECOND + r"record 1 at byte \d+ is corrupted: its checksum does not match",
    ),
    "cut off in a record": (
        lambda f: _damaged(f, lambda content, start: content[: start + 100]),
        SECOND + r"record 1 at byte \d+ is truncated: the file ends \d+ bytes short",
    ),
    "cut off in a length": (
        lambda f: _damaged(f, lambda content, start: content[: start + 5]),
        SECOND + r"record 1 at byte \d+ is truncated: the file ends 7 bytes short of its header",
    ),
    "cut off between records": (
        lambda f: _damaged(f, lambda content, start: content[:start]),
        SECOND + r"\d+ bytes and 1 records, expected \d+ bytes and 2 records",
    ),
    "nothing left": (
        lambda f: _damaged(f, lambda content, start: b""),
        SECOND + "0 bytes and 0 records, expected",
    ),
    "something added": (
        lambda f: _damaged(f, lambda content, start: content + b"more"),
        SECOND + r"record 2 at byte \d+ is truncated",
    ),
    "a record twice": (
        lambda f: _damaged(f, lambda content, start: content + content[start:]),
        SECOND + r"\d+ bytes and 3 records, expected",
    ),
    "zeros of the same length": (
        lambda f: _damaged(f, lambda content, start: bytes(len(content))),
        SECOND + "record 0 at byte 0 is corrupted",
    ),
    "a lost shard": (lambda f: _shard(f).unlink(), SECOND + "no such file, but the manifest lists"),
    "a folder in its place": (
        lambda f: (_shard(f).unlink(), (f / "shard-00001-of-00002.tfrecord").mkdir()),
        SECOND + "no such file",
    ),
    "two shards exchanged": (_exchange, r"shard-00000.*records, expected"),
    "a lost manifest": (lambda f: (f / "manifest.json").unlink(), r"manifest\.json: no such file"),
    "half a manifest": (
        lambda f: (f / "manifest.json").write_text((f / "manifest.json").read_text()[:200]),
        r"manifest\.json: not JSON",
    ),
    "an empty manifest": (
        lambda f: (f / "manifest.json").write_text(""),
        r"manifest\.json: not JSON",
    ),
    "an edited count": (_set(count=4), r"manifest\.json: damaged \(count is 4, but its shards"),
    "an edited size": (_set(size=32), r"16x16 pixels, expected 32x32"),
    "an edited format": (_set(image_format="bmp"), r"damaged \(image_format is 'bmp'\)"),
    "an edited number of bytes": (_set_shard(bytes=17), SECOND + r"\d+ bytes and 2 records, exp"),
    "an edited checksum": (_set_shard(sha256="0" * 64), SECOND + "its 2 records are whole, but it"),
    "a checksum that is none": (_set_shard(sha256="?"), r"the SHA-256 of shard-00001.* is '\?'"),
    "records that are none": (_set_shard(records=0), r"damaged \(shard-00001.* has 0 records\)"),
    "records and count edited": (
        lambda f: _edit(f, lambda v: (v["shards"][1].update(records=3), v.update(count=4))),
        r"ids\.txt: 3 ids for 4 records|: 2 records, but the manifest says 3",
    ),
    "no shards": (_set(shards=[], count=0), r"damaged \(no shards"),
    "a shard listed twice": (
        lambda f: _edit(f, lambda v: (v["shards"].append(v["shards"][1]), v.update(count=5))),
        r"damaged \(no shards, or one of them listed twice\)",
    ),
    "a keypoint more": (
        lambda f: _edit(f, lambda v: v["skeleton"]["keypoints"].append("sixth finger")),
        r"record 0 at byte 0 is no record of schema version 1 \(12 numbers as keypoints, exp",
    ),
    "a bone to nowhere": (
        lambda f: _edit(f, lambda v: v["skeleton"].update(edges=[[0, 99]])),
        r"damaged \(skeleton .*: edges has the pair \(0, 99\)",
    ),
}


@pytest.mark.parametrize("name", ACCIDENTS)
def test_both_readers_name_it(read, name, folder):
    accident, message = ACCIDENTS[name]
    accident(folder)
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    with pytest.raises(DataError, match=message) as error:
        read(folder)
    assert "\n" not in str(error.value)
    assert before == {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_the_ids_belong_to_the_manifest(folder):
    """The stream takes its ids from the records and does not read this file."""
    path = folder / "ids.txt"
    good = path.read_bytes()
    for content in (good[:-4], b"", good + b"more\n", good.replace(b"a", b"e"), b"\xff" + good):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"ids\.txt: (not the ids|cannot be read)"):
            PreparedReader(folder)
    path.unlink()
    with pytest.raises(DataError, match=r"ids\.txt: cannot be read"):
        PreparedReader(folder)
    _stream(folder)


def test_numbers_of_records_and_ids(folder):
    """Each of the three places that count is compared with the others."""
    shard = Manifest.read(folder).shards[1]
    assert check_shard(folder, shard) == record_offsets(_shard(folder))
    with pytest.raises(DataError, match="2 records, but the manifest says 3"):
        check_shard(folder, shard._replace(records=3))
    text = (folder / "ids.txt").read_text() + "more"
    (folder / "ids.txt").write_text(text)
    _set(ids_sha256=hashlib.sha256(text.encode()).hexdigest())(folder)
    with pytest.raises(DataError, match=r"ids\.txt: 4 ids for 3 records"):
        PreparedReader(folder)


def _features(whole):
    return decode_example(next(data for _, data in scan_shard(_shard(whole))))


def _without(name):
    return lambda features: {k: v for k, v in features.items() if k != name}


RECORDS = {
    "no picture": (_without("image"), "image is missing"),
    "no keypoints": (_without("keypoints"), "keypoints is missing"),
    "no id": (_without("id"), "id is missing"),
    "a picture that is none": (
        lambda f: f | {"image": b"no picture"},
        r"\('b/2.png'\): cannot be read as a picture",
    ),
    "half a picture": (
        lambda f: f | {"image": f["image"][:200]},
        r"\('b/2.png'\): cannot be read as a picture",
    ),
    "a number for a picture": (lambda f: f | {"image": 10**12}, "image is int"),
    "too few keypoints": (
        lambda f: f | {"keypoints": f["keypoints"][:-3]},
        "9 numbers as keypoints, expected 12",
    ),
    "a keypoint that is not finite": (
        lambda f: f | {"keypoints": np.where(np.arange(12) == 0, np.nan, f["keypoints"])},
        r"\('b/2.png'\): keypoint 0 is at \(nan,",
    ),
}


@pytest.mark.parametrize("name", RECORDS)
def test_records_that_were_written_wrong(read, name, folder):
    """Whole by every checksum, the manifest's included, and yet no records of this data set."""
    change, message = RECORDS[name]
    path = _shard(folder)
    first, second = (data for _, data in scan_shard(path))
    wrong = encode_example(change(_features(folder)))
    written = write_shard(path, [wrong, second])
    assert wrong != first
    _set_shard(**written._asdict())(folder)
    with pytest.raises(DataError, match=re.escape(path.name) + ": record 0 at byte 0.*" + message):
        read(folder)


@pytest.mark.parametrize("step", [13, pytest.param(1, marks=pytest.mark.slow)])
def test_no_flipped_bit_and_no_cut_passes(folder, step):
    """At every byte of a shard (`step` 1)."""
    path = _shard(folder)
    good = path.read_bytes()
    for place in range(0, len(good), step):
        flipped = bytearray(good)
        flipped[place] ^= 1 << place % 8
        for content in (bytes(flipped), good[:place]):
            path.write_bytes(content)
            with pytest.raises(DataError, match="shard-00001"):
                PreparedReader(folder)[1]
    path.write_bytes(good)
    assert PreparedReader(folder)[1].image.any()


def test_a_damaged_shard_leaves_the_others_readable(folder, whole):
    _damaged(folder, _flip(100))
    reader, good = PreparedReader(folder), PreparedReader(whole)
    np.testing.assert_array_equal(reader[0].image, good[0].image)
    with pytest.raises(DataError):
        reader[1]
    with pytest.raises(DataError):  # not only the first time
        reader[1]


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a stream of TensorFlow's")
def test_fit_names_the_record_that_stops_it(folder):
    """TensorFlow's error comes out of a compiled training step and names no file."""
    path = _shard(folder)
    wrong = RECORDS["half a picture"][0](_features(folder))
    written = write_shard(path, [encode_example(wrong), list(scan_shard(path))[1][1]])
    _set_shard(**written._asdict())(folder)
    network = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Conv2D(4, 1)])
    model = PairedHeatmapModel(network, perturbations=None, augmentation=None)
    model.compile()
    message = re.escape(f"{path}: record 0 at byte 0 ('b/2.png'): ")
    for options in ({}, {"shuffle": True, "repeat": True, "seed": 0}):
        dataset = tfrecord_dataset(folder, 1, **options)
        with pytest.raises(DataError, match=message), named_data_errors(folder):
            model.fit(dataset, steps_per_epoch=3, verbose=0, shuffle=False)


@pytest.mark.parametrize("command", ["fit", "evaluate"])
def test_the_commands_say_it_in_one_line(command, folder, tmp_path, monkeypatch, capsys):
    from tests.prediction.prediction_helpers import lamp_model

    monkeypatch.chdir(tmp_path)
    _damaged(folder, _flip(100))
    if command == "fit":
        words = ["fit", "--data", str(folder), "--output", "out", "--set", "image_size=16"]
        words += ["model.backbone=small_cnn"]  # the others take multiples of 32 pixels
    else:
        lamp_model(16).save("lamps.keras")
        words = ["evaluate", "lamps.keras", str(folder), "--output", "out"]
    assert main(words) == 1
    (line,) = (t for t in capsys.readouterr().err.splitlines() if t.startswith("keras-shr"))
    assert line.startswith(f"keras-shr {command}: {_shard(folder)}: record 1 at byte ")
    with contextlib.suppress(FileNotFoundError):
        assert not any("keras" in path.name for path in (tmp_path / "out").iterdir())


def test_prepare_mends_what_is_damaged(folder, whole, capsys):
    """The same command writes the damaged shard anew and keeps the other."""
    source = str(whole.parent / "source")
    good = {path.name: path.read_bytes() for path in whole.iterdir()}
    words = ["prepare", "folder", source, str(folder), "--shards", "2", "--size", "16"]
    for name in ("a flipped bit in a record", "a lost shard", "two shards exchanged"):
        ACCIDENTS[name][0](folder)
        assert main(words) == 0
        again = {path.name: path.read_bytes() for path in folder.iterdir()}
        assert (
            json.loads(again["manifest.json"])["shards"]
            == json.loads(good["manifest.json"])["shards"]
        )
        assert {k: v for k, v in again.items() if "shard-" in k} == {
            k: v for k, v in good.items() if "shard-" in k
        }
