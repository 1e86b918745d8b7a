"""A worker process that is killed alone: one clear line and no hang; the same command goes on."""

import os
import subprocess
import threading
import time

import numpy as np
import pytest
import small_commands
from mortal_workers import Pictures
from run_snapshot import assert_same, leftovers, snapshot

import keras_shr.data
from keras_shr.cli import main
from keras_shr.data import prepare
from keras_shr.data.workers import run_tasks
from keras_shr.errors import DataError, KerasShrError
from keras_shr.evaluation import perturber

pytestmark = pytest.mark.timeout(120)  # a hang is what is looked for


def prepared(place, workers=2):
    options = ["--shards", "4", "--format", "png", "--workers", str(workers)]
    return main(["prepare", "rendered", "8", str(place / "out"), *options])


def test_prepare(tmp_path, monkeypatch, capsys):
    """A kill of the second worker is named; then the command finishes as an undisturbed one."""
    mark = tmp_path / "mark"
    monkeypatch.setattr(keras_shr.data, "open_data", lambda *_: Pictures(5, "killed", mark=mark))
    assert prepared(tmp_path) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert "ended by itself (exit code -9) at task 2; " in lines[-1]
    assert lines[-1].startswith("keras-shr prepare: ")
    assert not any("Traceback" in line for line in lines)
    assert leftovers(tmp_path) == []
    mark.touch()
    assert prepared(tmp_path) == 0
    (tmp_path / "undisturbed").mkdir()
    assert prepared(tmp_path / "undisturbed", workers=1) == 0
    assert_same(snapshot(tmp_path / "out"), snapshot(tmp_path / "undisturbed" / "out"))


def test_other_workers_leave_nothing_when_one_fails(tmp_path):
    """They are ended in the middle of a shard; its temporary file goes too."""
    until = (tmp_path / "out", ".partial-*shard-00001-*")  # a worker may be slow to start
    reader = Pictures(0, "broken", pause=0.4, until=until)
    with pytest.raises(DataError, match="n0: not a picture"):
        prepare(reader, tmp_path / "out", shards=2, workers=2)
    assert leftovers(tmp_path) == []
    assert not list((tmp_path / "out").glob("shard-*"))


def test_workers_end_when_the_command_is_interrupted(tmp_path):
    def interrupted(done, total):
        if done:
            raise KeyboardInterrupt

    reader = Pictures(9, "nothing", pause=0.2)
    with pytest.raises(KeyboardInterrupt) as kept:  # and with it the frames of the command
        prepare(reader, tmp_path / "out", shards=8, workers=2, progress=interrupted)
    shards = sorted((tmp_path / "out").glob("shard-*"))
    time.sleep(1)
    assert sorted((tmp_path / "out").glob("shard-*")) == shards
    assert leftovers(tmp_path) == []
    del kept


def test_a_task_that_cannot_be_sent_is_an_error():
    with pytest.raises(Exception, match="pickle"):
        list(run_tasks(np.abs, [lambda: 0, lambda: 1], None, 2))


def test_evaluate(tmp_path, monkeypatch, capsys):
    arguments = small_commands.evaluate(monkeypatch)(tmp_path)
    arguments[arguments.index("--workers") + 1] = "1"
    shifts = perturber.REFERENCE
    source = os.path.join(os.path.dirname(__file__), "mortal_workers.py:killed_at_the_third")
    monkeypatch.setattr(perturber, "REFERENCE", source)
    assert main(arguments) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].startswith("keras-shr evaluate: a perturbation worker ended by itself (exit")
    assert "(exit code -9)" in lines[-1]
    assert not any("Traceback" in line for line in lines)
    assert leftovers(tmp_path) == []
    monkeypatch.setattr(perturber, "REFERENCE", shifts)
    assert main(arguments) == 0


def test_a_worker_that_is_starting_ends_too(monkeypatch):
    """`close` while a thread has not yet said which process it started."""
    begun, go_on = threading.Event(), threading.Event()

    def slow_start(*args, **kwargs):
        begun.set()
        go_on.wait(30)
        return subprocess.Popen(*args, **kwargs)

    monkeypatch.setattr(
        perturber, "subprocess", type("_", (), {"Popen": slow_start, "PIPE": subprocess.PIPE})
    )
    pool = perturber.Perturber(1, f"{small_commands.evaluation_fakes.__file__}:shift")
    images = np.zeros((1, 32, 32, 3), np.uint8)
    pool._threads.submit(pool._there, ("snow", 1, images, [0]))
    assert begun.wait(30)
    closing = threading.Thread(target=pool.close, daemon=True)
    closing.start()
    time.sleep(0.2)  # it has gone through the processes that it knows
    go_on.set()
    closing.join(20)
    assert not closing.is_alive()


def test_a_dead_worker_is_no_error_of_the_program():
    """What a user can mend: one line, no traceback."""
    reader = Pictures(0, "killed")
    with pytest.raises(KerasShrError, match="with too little memory, ask for fewer workers"):
        keras_shr.data.load_arrays(_cpu_bound(reader), workers=2)


def _cpu_bound(reader):
    reader.cpu_bound = True
    reader.ids = [f"n{i}" for i in range(65)]  # two blocks
    return reader
