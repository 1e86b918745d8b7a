"""Writing and the errors of writing; `tests/accidents` kills and fills disks."""

import errno
import os

import pytest

from keras_shr.files import (
    check_space,
    remove_leftovers,
    replacing,
    replacing_folder,
    write_json,
    write_text,
)


def test_a_file_is_replaced_when_the_block_ends_well(tmp_path):
    path = tmp_path / "new" / "a.txt"
    write_text(path, "old\n")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old\n"
    assert path.read_text() == "new"
    assert os.listdir(path.parent) == ["a.txt"]


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(TypeError), replacing(path) as temporary:
        temporary.write_text(1 / temporary.write_text("half"))
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError("Can't write data (file write failed, error message = 'No space left on device')"),
        RuntimeError("Can't decrement id ref count (error message = 'No space left on device')"),
    ],
    ids=["system", "h5py", "h5py on closing"],
)
def test_errors_of_writing_name_the_file(error, tmp_path):
    path = tmp_path / "weights.h5"
    with pytest.raises(OSError, match="No space left on device") as caught, replacing(path):
        raise error
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "No such file or directory", "picture.png"),
        OSError(errno.EIO, "Input/output error"),
        OSError("image file is truncated"),
        ValueError("no number"),
    ],
)
def test_errors_of_other_files_pass_as_they_are(error, tmp_path):
    """A shard is written while pictures are read."""
    with pytest.raises(type(error)) as caught, replacing(tmp_path / "shard"):
        raise error
    assert caught.value is error


def test_the_old_folder_comes_back_when_the_new_one_cannot_take_its_place(tmp_path, monkeypatch):
    folder, replace = tmp_path / "model", os.replace
    (folder / "old").mkdir(parents=True)

    def refused(source, target):
        if str(target) == str(folder) and ".partial-" in str(source):
            raise PermissionError(errno.EACCES, "Permission denied", str(source), None, str(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", refused)
    with (
        pytest.raises(OSError, match="Permission denied") as caught,
        replacing_folder(folder) as temporary,
    ):
        (temporary / "new").mkdir(parents=True)
    assert caught.value.filename == str(folder)
    assert os.listdir(tmp_path) == ["model"]
    assert os.listdir(folder) == ["old"]


def test_leftovers_of_one_name_or_of_all(tmp_path):
    for name in (".partial-1-a.csv", ".partial-2-b.csv", ".replaced-3-model", "partial-4-a.csv"):
        (tmp_path / name).touch()
    (tmp_path / "model").mkdir()
    remove_leftovers(tmp_path, "a.csv")
    assert not (tmp_path / ".partial-1-a.csv").exists()
    assert (tmp_path / ".partial-2-b.csv").exists()
    remove_leftovers(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["model", "partial-4-a.csv"]
    remove_leftovers(tmp_path / "no such folder")


# 255 bytes, what most file systems take.
@pytest.mark.parametrize("letter", ["a", "é", "手", "😀"])
def test_names_as_long_as_they_may_be(letter, tmp_path):
    size = len(letter.encode())
    longest = letter * ((255 - 4) // size) + ".npz"
    for count in (0, *range(8, (255 - 4) // size)):
        name = letter * count + longest[-4:]
        with replacing(tmp_path / name) as temporary:
            temporary.touch()
            assert temporary.suffix == ".npz"
            assert len(os.fsencode(temporary.name)) <= max(len(os.fsencode(name)), 255 - 32)
        (tmp_path / name).unlink()
    write_text(tmp_path / longest, "whole")
    assert os.listdir(tmp_path) == [longest]


def test_leftovers_of_long_names(tmp_path):
    names = [f"{'手' * 70}{end}" for end in ("_1.npz", "_2.npz")]
    twin = "足" + names[0][1:]  # differs in what is left out of a temporary name
    for name in (*names, twin):
        with replacing(tmp_path / name) as temporary:
            temporary.touch()
        (tmp_path / name).rename(temporary)
    remove_leftovers(tmp_path, names[0])
    assert len(os.listdir(tmp_path)) == 2
    remove_leftovers(tmp_path)
    assert not os.listdir(tmp_path)
    folder = tmp_path / ("手" * 80)
    with replacing_folder(folder) as temporary:
        temporary.mkdir()
    folder.rename(temporary.with_name(temporary.name.replace("partial", "replaced")))
    remove_leftovers(tmp_path, folder.name)
    assert os.listdir(tmp_path) == [folder.name]


def test_space_is_asked_for(tmp_path):
    check_space(tmp_path / "a", 1)
    with pytest.raises(OSError, match="No space left on device") as caught:
        check_space(tmp_path / "a", 2**60)
    assert caught.value.filename == str(tmp_path / "a")


def test_json_is_for_people_too(tmp_path):
    write_json(tmp_path / "a.json", {"a": 1})
    assert (tmp_path / "a.json").read_text() == '{\n "a": 1\n}\n'
