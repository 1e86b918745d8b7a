"""A disk that is full or read-only, a file in the way: one clear line, nothing lost or half-written.

The commands are the small ones of `small_commands`; `test_disk_for_real.py` has whole ones.
"""

import os

import pytest
import small_commands
from run_snapshot import assert_same, leftovers, snapshot
from small_disks import RefusedWrites, fill, mounted, read_only

from keras_shr.cli import main

COMMANDS = sorted(small_commands.PLANTED)


@pytest.fixture(params=COMMANDS)
def arguments(request, monkeypatch):
    """A function from a folder to a command's arguments."""
    return small_commands.PLANTED[request.param](monkeypatch)


def refused(arguments, capsys, *texts):
    """The command ends with status 1 and one line that has all of `texts`."""
    capsys.readouterr()
    assert main(arguments) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    said = [line for line in lines if line.startswith(f"keras-shr {arguments[0]}: ")]
    assert len(said) == 1
    assert said[0] == lines[-1]
    assert not any("Traceback" in line for line in lines)
    for text in texts:
        assert text in said[0]
    assert ".partial-" not in said[0]


def finishes(arguments, place, expected):
    assert main(arguments(place)) == 0
    assert_same(snapshot(place, small_timed()), expected)
    assert leftovers(place) == []


def small_timed():
    return {"facts.json", "model.keras", "filler"}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What each command writes, made once."""
    made = {}

    def find(name, arguments):
        if name not in made:
            place = tmp_path_factory.mktemp("undisturbed")
            with RefusedWrites(place).planted() as counted:
                assert main(arguments(place)) == 0
            made[name] = snapshot(place, small_timed()), counted.count
        return made[name]

    return find


@pytest.mark.parametrize("when", ["open", "write"])
def test_a_disk_that_becomes_full(arguments, when, undisturbed, tmp_path, capsys, request):
    """At the first file, in the middle and at the last; then there is space again."""
    expected, count = undisturbed(request.node.callspec.params["arguments"], arguments)
    for at in sorted({1, count // 2, count}):
        place = tmp_path / str(at)
        place.mkdir()
        with RefusedWrites(place, at, when).planted():
            refused(arguments(place), capsys, str(place), "No space left on device")
        assert leftovers(place) == []
        snapshot(place, small_timed())  # what has its name can be read
        finishes(arguments, place, expected)


def test_a_full_disk_keeps_the_earlier_result(arguments, tmp_path, capsys, undisturbed, request):
    expected, _ = undisturbed(request.node.callspec.params["arguments"], arguments)
    with mounted(tmp_path / "disk", 4_000_000) as disk:
        filler = fill(disk, 0)
        refused(arguments(disk), capsys, str(disk), "No space left on device")
        assert {p.name for p in disk.rglob("*") if p.is_file()} <= {"filler", ".lock"}
        filler.unlink()
        finishes(arguments, disk, expected)
        filler = fill(disk, 0)
        main([*arguments(disk)])  # all is there: some have nothing to write, some cannot
        assert leftovers(disk) == []
        assert_same(snapshot(disk, small_timed()), expected)


def test_a_read_only_folder(arguments, tmp_path, capsys, undisturbed, request):
    expected, _ = undisturbed(request.node.callspec.params["arguments"], arguments)
    with mounted(tmp_path / "disk", 4_000_000) as disk:
        with read_only(disk):
            refused(arguments(disk), capsys, str(disk))
        assert list(disk.iterdir()) == []
        finishes(arguments, disk, expected)
        with read_only(disk):
            main(arguments(disk))
        assert_same(snapshot(disk, small_timed()), expected)


def test_a_file_in_the_place_of_the_folder(arguments, tmp_path, capsys):
    place = tmp_path / "file"
    place.write_text("mine")
    refused(arguments(place), capsys, f"{place}: is a file; give a folder")
    assert place.read_text() == "mine"


@pytest.mark.parametrize("name", [n for n in COMMANDS if not n.startswith("export")])
def test_an_output_that_is_a_file(name, tmp_path, capsys, monkeypatch):
    arguments = small_commands.PLANTED[name](monkeypatch)
    (tmp_path / "out").write_text("mine")
    refused(arguments(tmp_path), capsys, f"{tmp_path / 'out'}: is a file; give a folder")
    assert (tmp_path / "out").read_text() == "mine"
    assert os.listdir(tmp_path) == ["out"]


def test_an_export_onto_a_folder_or_a_strange_file(tmp_path, capsys, monkeypatch):
    arguments = small_commands.export(monkeypatch)
    (tmp_path / "out.tflite").mkdir()
    refused(arguments(tmp_path), capsys, "out.tflite: is a folder; give a file's name")
    arguments = small_commands.export(monkeypatch, "saved_model")
    (tmp_path / "out").write_text("mine")
    refused(arguments(tmp_path), capsys, "out exists and is not a SavedModel")


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
def test_a_folder_without_permission(arguments, tmp_path, capsys):
    tmp_path.chmod(0o500)
    try:
        refused(arguments(tmp_path), capsys, f"{tmp_path}: cannot be written to")
    finally:
        tmp_path.chmod(0o700)
