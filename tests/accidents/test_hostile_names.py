"""Names and links that lead out of a data set's folder: nothing outside it is read or written."""

import io
import json
import os
import shutil

import pytest

from keras_shr.cli import main
from keras_shr.data import (
    COCOReader,
    FolderReader,
    Manifest,
    PreparedReader,
    RHDReader,
    STBReader,
    prepare,
)
from keras_shr.data.places import FOLLOW_LINKS
from keras_shr.errors import DataError
from tests.small_sets import grey_picture, make_coco, make_rhd, make_stb, save

OUTSIDE = (
    "../secret.png",
    "a/../../secret.png",
    "a/../../../{root.parent.name}/secret.png",
    "{root.parent}/secret.png",
    "link.png",
    "folder/secret.png",
    "link-to-link.png",
)


def _trap(root):
    """A picture beside `root`, and links in `root` that lead there."""
    (root / "a").mkdir(parents=True, exist_ok=True)
    save(root.parent / "secret.png", grey_picture(64, 64))
    (root / "link.png").symlink_to("../secret.png")
    (root / "folder").symlink_to("..")
    (root / "link-to-link.png").symlink_to("link.png")


@pytest.fixture
def opened(monkeypatch):
    """Every path that is opened."""
    found, real = [], io.open

    def spy(file, *arguments, **keywords):
        found.append(os.path.realpath(file) if isinstance(file, str | os.PathLike) else file)
        return real(file, *arguments, **keywords)

    monkeypatch.setattr("builtins.open", spy)
    monkeypatch.setattr("io.open", spy)
    return found


@pytest.mark.parametrize("name", OUTSIDE)
def test_index_and_coco_lead_nowhere(tmp_path, name, opened):
    root = tmp_path / "set"
    _trap(root)
    name = name.format(root=root)
    line = {"file": name, "keypoints": [[1, 2]] * 3}
    (root / "index.jsonl").write_text("\n" + json.dumps(line))
    make_coco(root)
    content = json.loads((root / "person.json").read_text())
    content["images"][0] = {"id": 7, "file_name": name}
    (root / "person.json").write_text(json.dumps(content))
    for reader in (FolderReader(root), COCOReader(root / "person.json")):
        del opened[:]
        with pytest.raises(DataError, match="outside") as error:
            reader[0]
        place = "index.jsonl:2" if isinstance(reader, FolderReader) else "person.json"
        assert str(error.value).startswith(f"{root / place} (record {reader.ids[0]}): ")
        assert not any("secret" in str(path) for path in opened)


def test_names_inside_by_detours_are_fine(tmp_path):
    root = tmp_path / "set"
    save(root / "a" / "p.png", grey_picture(64, 64))
    (root / "q.png").symlink_to("a/p.png")
    (tmp_path / "way").symlink_to(root)
    for name in ("a/../a/p.png", str(root / "a" / "p.png"), "q.png", "./a//p.png"):
        (root / "index.jsonl").write_text(json.dumps({"file": name, "keypoints": [[1, 2]]}))
        assert FolderReader(root)[0].image.any()
    (root / "index.jsonl").write_text(json.dumps({"file": "a/p.png", "keypoints": [[1, 2]]}))
    assert FolderReader(tmp_path / "way")[0].image.any()  # the folder itself may be a link


def test_windows_names_lead_nowhere(tmp_path):
    """On Windows they are absolute or climb; elsewhere they are odd names of files not there."""
    save(tmp_path / "secret.png", grey_picture(64, 64))
    for name in ("..\\secret.png", "C:\\secret.png", "C:secret.png", "\\\\host\\share\\s.png"):
        root = tmp_path / "set"
        root.mkdir(exist_ok=True)
        (root / "index.jsonl").write_text(json.dumps({"file": name, "keypoints": [[1, 2]]}))
        with pytest.raises(DataError, match=r"no such picture|outside"):
            FolderReader(root)[0]


def test_links_are_followed_where_the_user_says_so(tmp_path, monkeypatch):
    root = tmp_path / "set"
    _trap(root)
    monkeypatch.setenv(FOLLOW_LINKS, "1")
    for name in ("link.png", "folder/secret.png"):
        (root / "index.jsonl").write_text(json.dumps({"file": name, "keypoints": [[1, 2]]}))
        assert FolderReader(root)[0].image.any()
    (root / "index.jsonl").write_text(json.dumps({"file": "../secret.png", "keypoints": [[1, 2]]}))
    with pytest.raises(DataError, match="lies outside"):
        FolderReader(root)[0]


@pytest.mark.parametrize(
    ("make", "reader", "picture"),
    [
        (make_rhd, RHDReader, "training/color/00000.png"),
        (make_rhd, RHDReader, "training/mask/00000.png"),
        (make_stb, STBReader, "images/B2Counting/BB_left_0.png"),
        (make_stb, STBReader, "images/B2Counting"),
    ],
)
def test_links_in_rhd_and_stb(tmp_path, make, reader, picture):
    make(tmp_path / "set")
    path = tmp_path / "set" / picture
    shutil.move(path, tmp_path / "secret")
    path.symlink_to(tmp_path / "secret")
    with pytest.raises(DataError, match=rf"a link to .*secret.*not followed unless {FOLLOW_LINKS}"):
        reader(tmp_path / "set")[0]


SHARD_NAMES = (
    "../x.tfrecord",
    "a/../../x.tfrecord",
    "/tmp/x.tfrecord",
    "C:\\x.tfrecord",
    "..\\x.tfrecord",
    "\\\\host\\x.tfrecord",
    "",
    ".",
    "..",
    ".hidden",
    "a\0b",
    "a/b.tfrecord",
    None,
    5,
    ["x"],
    "manifest.json\n",
)


@pytest.mark.parametrize("name", SHARD_NAMES)
def test_manifests_name_plain_files_only(prepared, name, opened, stream):
    path = prepared / "manifest.json"
    value = json.loads(path.read_text())
    shutil.copy(prepared / value["shards"][0]["file"], prepared.parent / "x.tfrecord")
    value["shards"][0]["file"] = name
    path.write_text(json.dumps(value))
    del opened[:]
    for read in (Manifest.read, PreparedReader, stream):
        with pytest.raises(DataError, match=r"manifest.json: damaged \(a shard's file is"):
            read(prepared)
    assert not any("tfrecord" in str(path) for path in opened)


def test_a_shard_that_is_a_link(prepared, stream):
    shard = prepared / Manifest.read(prepared).shards[0].file
    shutil.move(shard, prepared.parent / "x.tfrecord")
    shard.symlink_to("../x.tfrecord")
    for read in (lambda p: PreparedReader(p)[0], stream):
        with pytest.raises(DataError, match=r"manifest\.json: .* is a link to .*x\.tfrecord"):
            read(prepared)


def test_prepare_writes_inside_its_folder_whatever_the_journal_says(prepared, tmp_path):
    """The list of finished shards names files; those names are not used."""
    reader = FolderReader(tmp_path / "source", size=16)
    before = {path.name: path.read_bytes() for path in prepared.iterdir()}
    path = prepared / "prepare.json"
    journal = json.loads(path.read_text())
    for name in SHARD_NAMES:
        journal["finished"]["0"]["file"] = name
        path.write_text(json.dumps(journal))
        prepare(reader, prepared, shards=2)
        assert {path.name: path.read_bytes() for path in prepared.iterdir()} == before
    assert {p.name for p in tmp_path.iterdir()} == {"p", "source"}


def test_a_command_ends_with_one_line(tmp_path, capsys):
    """In the hands of `prepare`."""
    root = tmp_path / "set"
    _trap(root)
    (root / "index.jsonl").write_text(json.dumps({"file": "../secret.png", "keypoints": [[1, 2]]}))
    words = ["prepare", "folder", str(root), str(tmp_path / "out"), "--workers", "1"]
    assert main(words) == 1
    error = capsys.readouterr().err
    assert "index.jsonl:1 (record ../secret.png): '../secret.png' lies outside " in error
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["prepare.json"]
