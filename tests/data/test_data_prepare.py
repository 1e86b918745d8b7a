"""Prepared data sets: written whole or not at all, resumed, and read back."""

import json

import numpy as np
import pytest

from keras_shr.data import (
    FolderReader,
    PreparedReader,
    STBReader,
    load_arrays,
    open_data,
    prepare,
    read_tfrecords,
)
from keras_shr.data.joined import JoinedReader
from keras_shr.data.part import PartReader
from keras_shr.data.prepare import shard_range
from keras_shr.errors import DataError


class Interrupted(Exception):
    """Stands for a kill."""


class _StopsAt:
    """A reader that is cut off at one record, the first time or always."""

    def __init__(self, reader, stop):
        self.reader, self.stop, self.read = reader, stop, []

    def __getattr__(self, name):
        return getattr(self.reader, name)

    def __len__(self):
        return len(self.reader)

    def __getitem__(self, index):
        if index == self.stop:
            raise Interrupted
        self.read.append(index)
        return self.reader[index]


@pytest.fixture
def reader(stb_root):
    return STBReader(stb_root, size=32)  # six records


@pytest.fixture
def output(tmp_path):
    return tmp_path / "prepared"


def _files(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_round_trip(reader, tmp_path):
    progress = []
    manifest = prepare(
        reader, tmp_path / "p", shards=4, image_format="png", progress=lambda *p: progress.append(p)
    )
    assert progress == [(0, 6), (1, 6), (3, 6), (4, 6), (6, 6)]
    assert [s.records for s in manifest.shards] == [1, 2, 1, 2]
    expected, back = load_arrays(reader), read_tfrecords(tmp_path / "p")
    np.testing.assert_array_equal(back.images, expected.images)
    np.testing.assert_array_equal(back.keypoints, expected.keypoints)
    assert (back.ids, back.groups) == (expected.ids, expected.groups)
    assert (back.skeleton, back.name) == (expected.skeleton, expected.name)
    assert len(read_tfrecords(tmp_path / "p", limit=2)) == 2


def test_manifest_says_what_is_there(reader, output):
    prepare(reader, output, shards=2, source="STB", quality=90)
    value = json.loads((output / "manifest.json").read_text())
    assert value["count"] == 6
    assert value["schema_version"] == 1
    assert (value["kind"], value["split"], value["source"]) == ("stb", "train", "STB")
    assert (value["size"], value["image_format"], value["quality"]) == (32, "jpeg", 90)
    assert value["options"] == {"sensor": "BB", "stride": 1, "padding": 1.0}
    assert [s["file"] for s in value["shards"]] == [
        "shard-00000-of-00002.tfrecord",
        "shard-00001-of-00002.tfrecord",
    ]
    assert all(len(s["sha256"]) == 64 for s in value["shards"])


def test_jpeg_stays_close(folder_root, tmp_path):
    reader = FolderReader(folder_root, size=64)
    prepare(reader, tmp_path / "p")
    back, expected = read_tfrecords(tmp_path / "p"), load_arrays(reader)
    difference = np.abs(back.images.astype(int) - expected.images)
    assert difference.mean() < 1
    np.testing.assert_array_equal(back.keypoints, expected.keypoints)


def test_workers_do_not_change_a_byte(reader, tmp_path):
    prepare(reader, tmp_path / "one", shards=3)
    prepare(reader, tmp_path / "two", shards=3, workers=2)
    assert _files(tmp_path / "one") == _files(tmp_path / "two")


def test_cut_off_and_repeated(reader, tmp_path):
    prepare(reader, tmp_path / "whole", shards=3)
    output = tmp_path / "cut"
    with pytest.raises(Interrupted):
        prepare(_StopsAt(reader, 3), output, shards=3)
    assert sorted(p.name for p in output.iterdir()) == [
        "prepare.json",
        "shard-00000-of-00003.tfrecord",
    ]
    with pytest.raises(DataError, match=r"manifest.json: no such file"):
        PreparedReader(output)
    (output / ".partial-99-shard-00001-of-00003.tfrecord").write_bytes(b"of a killed run")
    second = _StopsAt(reader, None)
    prepare(second, output, shards=3)
    assert second.read == [2, 3, 4, 5]  # the first shard was kept
    assert _files(output) == _files(tmp_path / "whole")


def test_killed_before_the_manifest(reader, output):
    prepare(reader, output, shards=3)
    before = _files(output)
    (output / "manifest.json").unlink()
    again = _StopsAt(reader, None)
    prepare(again, output, shards=3)
    assert again.read == []
    assert _files(output) == before


def test_killed_between_a_shard_and_its_entry_in_the_journal(reader, output):
    prepare(reader, output, shards=3)
    before = _files(output)
    (output / "manifest.json").unlink()
    journal = json.loads(before["prepare.json"])
    journal["finished"] = {}
    (output / "prepare.json").write_text(json.dumps(journal))
    one, two = (output / f"shard-0000{i}-of-00003.tfrecord" for i in (1, 2))
    one.write_bytes(one.read_bytes()[:-5])  # not whole
    two.write_bytes(before["shard-00000-of-00003.tfrecord"])  # whole, but the wrong records
    again = _StopsAt(reader, None)
    prepare(again, output, shards=3)
    assert again.read == [2, 3, 4, 5]
    assert _files(output) == before


@pytest.mark.parametrize("damage", ["flip", "truncate", "delete"])
def test_damaged_shard_is_written_anew(reader, output, damage):
    prepare(reader, output, shards=3)
    before = _files(output)
    path = output / "shard-00001-of-00003.tfrecord"
    content = bytearray(before[path.name])
    if damage == "flip":
        content[200] ^= 1
    path.write_bytes(content[:-9] if damage == "truncate" else content)
    if damage == "delete":
        path.unlink()
    # Cut off while it is mended: the folder must not pass for a complete one.
    with pytest.raises(Interrupted):
        prepare(_StopsAt(reader, 3), output, shards=3)
    assert not (output / "manifest.json").exists()
    again = _StopsAt(reader, None)
    prepare(again, output, shards=3)
    assert again.read == [2, 3]
    assert _files(output) == before


def test_another_data_set_is_refused(reader, stb_root, tmp_path):
    output = tmp_path / "p"
    prepare(reader, output, shards=2)
    before = _files(output)
    for other, options, difference in (
        (STBReader(stb_root, size=48), {"shards": 2}, "size"),
        (STBReader(stb_root, "test", size=32), {"shards": 2}, "name, split, count, ids_sha256"),
        (STBReader(stb_root, size=32, padding=2), {"shards": 2}, "options"),
        (reader, {"shards": 3}, "shards"),
        (reader, {"shards": 2, "quality": 50}, "quality"),
    ):
        with pytest.raises(DataError, match=rf"holds another data set \(differs in {difference}\)"):
            prepare(other, output, **options)
    assert _files(output) == before
    journal = output / "prepare.json"
    journal.write_text(journal.read_text().replace('"plan_sha256": "', '"plan_sha256": "0'))
    with pytest.raises(DataError, match="differs in the version of keras_shr that began it"):
        prepare(reader, output, shards=2)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "holiday.jpg").touch()
    with pytest.raises(DataError, match="not empty"):
        prepare(reader, tmp_path / "full")
    for options in ({"shards": 0}, {"shards": 7}, {"image_format": "bmp"}):
        with pytest.raises(DataError):
            prepare(reader, tmp_path / "new", **options)


@pytest.mark.parametrize("kind", ["folder", "coco", "part", "joined"])
def test_corrected_labels_are_other_data(folder_root, coco_root, tmp_path, kind):
    if kind == "coco":
        spec = f"coco:{coco_root}/person.json?images_root={coco_root}/pictures"
        labels = coco_root / "person.json"
    else:
        spec, labels = f"folder:{folder_root}", folder_root / "index.jsonl"

    def again():
        reader = open_data(spec, size=32)
        if kind in ("part", "joined"):
            reader = PartReader(reader, range(len(reader)))
        if kind == "joined":
            reader = JoinedReader([reader])
        return prepare(reader, tmp_path / "out")

    again()
    before = _files(tmp_path / "out")
    again()  # nothing changed: nothing to do
    old = labels.read_text()
    at = next(i for i in range(old.index('"keypoints"'), len(old)) if old[i] in "123456789")
    labels.write_text(old[:at] + ("1" if old[at] != "1" else "2") + old[at + 1 :])
    other = r"holds another data set \(differs in labels\)"
    with pytest.raises(DataError, match=other):
        again()
    labels.write_text(old)
    again()
    assert _files(tmp_path / "out") == before


def test_error_in_a_worker_names_the_record(stb_root, tmp_path):
    picture = stb_root / "images" / "B3Random" / "BB_left_1.png"
    picture.write_bytes(picture.read_bytes()[:500])
    with pytest.raises(DataError, match=r"BB_left_1.png \(record B3Random/BB_left_1\): cannot"):
        prepare(STBReader(stb_root, size=32), tmp_path / "p", shards=3, workers=2)


def test_read_back_errors_name_shard_record_and_byte(reader, output):
    prepare(reader, output, shards=2)
    path = output / "shard-00001-of-00002.tfrecord"
    content = path.read_bytes()
    prepared = PreparedReader(output)
    good = [prepared[i] for i in range(6)]
    offset = prepared._offsets[1][1]
    path.write_bytes(content[: offset + 99] + b"?" + content[offset + 100 :])
    damaged = PreparedReader(output)
    np.testing.assert_array_equal(damaged[2].image, good[2].image)
    where = rf"shard-00001-of-00002.tfrecord: record 1 at byte {offset} is corrupted"
    with pytest.raises(DataError, match=where):
        damaged[3]
    path.write_bytes(content[: offset + 99])
    with pytest.raises(DataError, match=rf"tfrecord: record 1 at byte {offset} is truncated"):
        PreparedReader(output)


def test_manifest_and_ids_errors(reader, output):
    prepare(reader, output, shards=2)
    path = output / "manifest.json"
    good = json.loads(path.read_text())
    for change, message in (
        ({"schema_version": 99}, "schema version 99; this keras_shr reads 1"),
        ({"format": "other"}, "not the manifest of a prepared"),
        ({"count": 7}, r"damaged \(count is 7, but its shards hold 6"),
        ({"shards": [{}]}, "damaged"),
        ({"skeleton": {}}, "damaged"),
    ):
        path.write_text(json.dumps(good | change))
        with pytest.raises(DataError, match=rf"manifest.json: {message}"):
            PreparedReader(output)
    path.write_text("{")
    with pytest.raises(DataError, match=r"manifest.json: not JSON"):
        PreparedReader(output)
    path.write_text(json.dumps(good))
    with pytest.raises(DataError, match="prepared with size 32, asked for 64"):
        PreparedReader(output, size=64)
    (output / "ids.txt").write_text("a\nb\n")
    with pytest.raises(DataError, match=r"ids.txt: not the ids"):
        PreparedReader(output)


@pytest.mark.parametrize(("count", "shards"), [(6, 4), (10, 10), (41258, 81), (7, 1)])
def test_every_record_is_in_one_shard(count, shards):
    ranges = [shard_range(i, shards, count) for i in range(shards)]
    assert [i for r in ranges for i in r] == list(range(count))
    assert max(map(len, ranges)) - min(map(len, ranges)) <= 1
