"""A kill at each file operation of a command, then the same command: nothing lost, nothing left.

The commands work in this process and `crash_points` ends them; `test_kills.py` kills real ones.
"""

import json

import pytest
import small_commands
from crash_points import each_crash
from run_snapshot import assert_same, leftovers, snapshot

from keras_shr.cli import main
from keras_shr.data import Manifest
from keras_shr.data.shards import check_shard
from keras_shr.files import replacing, replacing_folder

# Two equal runs write the same but for what is measured in seconds.
_TIMED = {"facts.json", "model.keras"}


def running(arguments):
    """The command as a function of the place."""

    def command(place):
        assert main(arguments(place)) == 0

    return command


def goes_on(command, whole, place, ignore=()):
    """The same command finishes with the result of the undisturbed run and leaves nothing else."""
    command(place)
    assert_same(snapshot(place, ignore), snapshot(whole, ignore))
    assert leftovers(place) == []


def check_prepared(folder):
    """A folder that has a manifest is complete."""
    if (folder / "manifest.json").exists():
        manifest = Manifest.read(folder)
        assert len(manifest.read_ids(folder)) == 6
        for shard in manifest.shards:
            check_shard(folder, shard)


def test_prepare(tmp_path, monkeypatch):
    command, kills = running(small_commands.prepare(monkeypatch)), 0
    for whole, place in each_crash(command, tmp_path):
        check_prepared(place / "out")
        goes_on(command, whole, place)
        kills += 1
    assert kills > 40


def test_prepare_again_after_damage(tmp_path, monkeypatch):
    """The manifest goes before the damaged shard is written anew, and comes back last."""
    command = running(small_commands.prepare(monkeypatch))

    def damaged(place):
        command(place)
        shard = place / "out" / "shard-00001-of-00003.tfrecord"
        shard.write_bytes(shard.read_bytes()[:-9])

    (tmp_path / "as-it-was").mkdir()
    damaged(tmp_path / "as-it-was")
    before, gone = snapshot(tmp_path / "as-it-was"), 0
    for whole, place in each_crash(command, tmp_path, damaged):
        if snapshot(place) != before:
            check_prepared(place / "out")
            gone += not (place / "out" / "manifest.json").exists()
        goes_on(command, whole, place)
    assert gone >= 10


def test_fit(tmp_path, monkeypatch):
    command, kills = running(small_commands.fit(monkeypatch)), 0
    for whole, place in each_crash(command, tmp_path, last_replaced=True):
        snapshot(place, leftovers(place))  # what stands under its own name can be read
        goes_on(command, whole, place)
        kills += 1
    assert kills == 10


@pytest.mark.slow
def test_fit_at_each_operation(tmp_path, monkeypatch):
    command = running(small_commands.fit(monkeypatch))
    for whole, place in each_crash(command, tmp_path):
        goes_on(command, whole, place)


def test_evaluate(tmp_path, monkeypatch):
    command, kills = running(small_commands.evaluate(monkeypatch)), 0
    for whole, place in each_crash(command, tmp_path, last_replaced=True):
        goes_on(command, whole, place)
        kills += 1
    assert kills >= 10


@pytest.mark.slow
def test_evaluate_at_each_operation(tmp_path, monkeypatch):
    command = running(small_commands.evaluate(monkeypatch))
    for whole, place in each_crash(command, tmp_path):
        goes_on(command, whole, place)


@pytest.mark.parametrize("format", ["tflite", "saved_model"])
def test_export(format, tmp_path, monkeypatch):
    """Over an older file: the JSON beside a file is always that file's."""
    seen = set()
    earlier = running(small_commands.export(monkeypatch, format, "heatmaps"))
    command = running(small_commands.export(monkeypatch, format, "keypoints"))
    name, file = ("out.tflite",) * 2 if format == "tflite" else ("out", "out/saved_model.pb")
    for whole, place in each_crash(command, tmp_path, before=earlier):
        description, file_there = place / f"{name}.json", (place / file).exists()
        said = json.loads(description.read_text())["outputs"] if description.exists() else None
        held = (place / file).read_text() if file_there else None
        assert said in (None, held) or held is None
        seen.add((said, held))
        goes_on(command, whole, place)
    assert ("heatmaps", "heatmaps") in seen
    assert (None, "keypoints") in seen


def test_a_folder_that_was_moved_away_is_put_back(tmp_path):
    def write(text):
        def command(place):
            with replacing_folder(place / "model") as temporary:
                temporary.mkdir()
                with open(temporary / "weights", "w") as file:
                    file.write(text)

        return command

    gone = 0
    for _, place in each_crash(write("new"), tmp_path, before=write("old")):
        gone += not (place / "model").exists()
        with pytest.raises(ZeroDivisionError), replacing_folder(place / "model"):
            raise ZeroDivisionError  # the next attempt fails
        assert (place / "model" / "weights").read_text() in ("old", "new")
        assert leftovers(place) == []
    assert gone == 1


@pytest.mark.parametrize(
    "last", [True, pytest.param(False, marks=pytest.mark.slow, id="each operation")]
)
def test_reproduce(last, tmp_path, monkeypatch):
    command, kills = running(small_commands.reproduce(monkeypatch)), 0
    for whole, place in each_crash(command, tmp_path, last_replaced=last):
        goes_on(command, whole, place, _TIMED)
        facts = [json.loads(path.read_text()) for path in place.rglob("facts.json")]
        assert [f["parameters"] for f in facts] == [7] * 3
        kills += 1
    assert kills >= 25


def test_a_temporary_file_of_another_name_is_left_alone(tmp_path):
    other = tmp_path / ".partial-1-my-model"
    other.mkdir()
    (tmp_path / ".partial-1-x.csv").touch()
    with replacing_folder(tmp_path / "model") as temporary:
        temporary.mkdir()
    with replacing(tmp_path / "a.csv") as temporary:
        temporary.touch()
    assert leftovers(tmp_path) == [".partial-1-my-model", ".partial-1-x.csv"]
