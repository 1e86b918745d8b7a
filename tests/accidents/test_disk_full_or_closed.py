"""A full or read-only disk, a file in the way: one clear line, nothing lost, nothing half-written.

The commands are the small ones of `small_commands`.
"""

import errno
import gc
import os

import keras
import numpy as np
import pytest
import small_commands
from run_snapshot import assert_same, leftovers, snapshot
from small_disks import RefusedWrites, fill, mounted, read_only

from keras_shr.callbacks import BackupAndResume
from keras_shr.cli import main
from keras_shr.evaluation import report
from keras_shr.evaluation.kept_pictures import KeptPictures
from keras_shr.export import convert
from keras_shr.reproduction import one_cell
from keras_shr.training import run as training

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
    for at in sorted({1, count // 2, count} if when == "open" else {count // 2}):
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


@pytest.mark.parametrize("name", ["fit", "evaluate", "export"])
def test_a_closed_folder_is_refused_before_the_work(name, tmp_path, monkeypatch, capsys):
    arguments = small_commands.PLANTED[name](monkeypatch)

    def work(*_, **__):
        raise AssertionError("the work was done in vain")

    monkeypatch.setattr(training, "open_parts", work)
    monkeypatch.setattr(report, "open_stores", work)
    monkeypatch.setattr(convert, "Graph", work)
    with mounted(tmp_path / "disk", 1_000_000) as disk, read_only(disk):
        refused(arguments(disk), capsys, f"{disk}: cannot be written to")


def test_a_full_disk_ends_a_run_of_many_cells(tmp_path, monkeypatch, capsys):
    """Though a line about the failed cell would still fit on it."""
    arguments = small_commands.reproduce(monkeypatch)

    def full(cell, folder, work):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "weights")

    monkeypatch.setattr(one_cell, "_train", full)
    refused(arguments(tmp_path), capsys, "weights: No space left on device")


def test_times_that_a_kill_took_away(tmp_path, monkeypatch):
    """Killed after the backup of the only epoch and before its time was written."""
    arguments = small_commands.reproduce(monkeypatch)
    assert main(arguments(tmp_path)) == 0
    for times in tmp_path.rglob("times.json"):
        times.unlink()
    assert main(arguments(tmp_path)) == 0
    assert (tmp_path / "out" / "times.csv").read_text().count(",,") == 3


def test_kept_pictures_on_a_full_disk_are_not_cut_short(tmp_path):
    """NumPy does not say why it could not write, nor always that it could not."""
    pictures = np.arange(30_000, dtype=np.uint8).reshape(1, 100, 100, 3)

    class Perturber:
        def stream(self, tasks):
            yield from (pictures for _ in tasks)

    task = ("snow", 1, pictures, [0])
    with mounted(tmp_path / "disk", 1_000_000) as disk:
        kept = KeptPictures(Perturber(), disk / "kept")
        filler = fill(disk, 16_384)
        with pytest.raises(OSError, match=r"No space left on device.*kept/snow-1") as caught:
            list(kept.stream([task]))
        assert caught.value.errno == errno.ENOSPC
        assert leftovers(disk) == []
        assert kept.lacks(task)
        filler.unlink()
        np.testing.assert_array_equal(next(kept.stream([task])), pictures)


def test_weights_on_a_full_disk_are_refused_in_one_line(tmp_path, capfd):
    """HDF5 prints tracebacks of its own when it cannot write what it holds."""
    model = keras.Sequential([keras.Input((100,)), keras.layers.Dense(1000)])
    model.compile("adam", "mse")
    with mounted(tmp_path / "disk", 1_000_000) as disk:
        fill(disk, 300_000)
        x = np.zeros((2, 100), "float32")
        with pytest.raises(OSError, match=r"No space left on device.*b/epoch-00001.weights.h5"):
            model.fit(x, x[:, :1], verbose=0, callbacks=[BackupAndResume(disk / "b")])
        gc.collect()  # where HDF5 would say it
        assert leftovers(disk) == []
    assert "Traceback" not in capfd.readouterr().err
