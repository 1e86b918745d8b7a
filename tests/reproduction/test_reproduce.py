"""Working off cells that leave what a cell leaves; the slow tests at the end train."""

import dataclasses
import importlib
import json
import os
import subprocess
import sys

import pytest
from PIL import Image
from tiny import TINY, quiet, table

from keras_shr.cli import main
from keras_shr.data import open_data
from keras_shr.errors import KerasShrError
from keras_shr.rendering.rhd_writer import write_rhd
from keras_shr.reproduction import reproduce, run
from keras_shr.reproduction.clock import Deadline, OutOfTime
from keras_shr.reproduction.data_sets import DataSet
from keras_shr.training import run as training_run


def test_cells_are_worked_off_once_and_tables_follow_the_plan(fake, tmp_path):
    assert reproduce(["table1"], tmp_path, size=TINY, say=quiet) == []
    assert [r["method"] for r in table(tmp_path / "cells.csv")] == ["baseline", "rcc", "hdhr"]
    row = table(tmp_path / "cells.csv")[0]
    assert (row["status"], row["parameters"], row["pair"]) == ("done", "7", "False")
    assert row["val_auc_gain_last_fifth"] == "0.15"
    assert [r["step"] for r in table(tmp_path / "curves.csv")][:2] == ["2", "4"]
    score = table(tmp_path / "scores.csv")[2]
    assert (score["method"], score["data"], score["value"]) == ("rcc", "rendered", "0.5")
    score = table(tmp_path / "scores.csv")[3]
    assert (score["method"], score["group"], score["value"]) == ("rcc", "extra", "0.25")
    assert [row["value"] for row in table(tmp_path / "temporal.csv")] == ["3"] * 3
    assert table(tmp_path / "smoothness.csv") == []
    assert table(tmp_path / "times.csv")[0]["ms_per_step"] == "100.0"
    # Another suite adds to the plan and trains nothing again.
    reproduce(["table3"], tmp_path, size=TINY, say=quiet)
    assert [key.split("-")[0] for key in fake["done"]] == [
        *("baseline", "rcc", "hdhr", "paper", "ours")
    ]
    assert len(table(tmp_path / "cells.csv")) == 5
    # What an earlier call left is not this one's work, but stays in the tables.
    fake["mst-mobilenet_v2-rendered-0"] = OutOfTime("now")
    assert reproduce(["fig6"], tmp_path, size=TINY, say=quiet)
    assert reproduce(["table1"], tmp_path, size=TINY, say=quiet) == []
    status = {row["method"]: row["status"] for row in table(tmp_path / "cells.csv")}
    assert status["mst"] == "not run"


def test_a_cell_that_fails_is_named_and_tried_again(fake, tmp_path):
    key = "rcc-mobilenet_v2-rendered-0"
    fake[key] = RuntimeError("out of memory\nmore")
    lines = []
    left = reproduce(["table1"], tmp_path, size=TINY, say=lines.append)
    assert [cell.key for cell in left] == [key]
    status = [row["status"] for row in table(tmp_path / "cells.csv")]
    assert status == ["done", "failed: out of memory", "done"]
    assert any("failed: out of memory" in line for line in lines)
    del fake[key]
    assert reproduce(["table1"], tmp_path, size=TINY, say=quiet) == []
    assert {row["status"] for row in table(tmp_path / "cells.csv")} == {"done"}
    assert not list(tmp_path.glob("cells/*/failed.txt"))


def test_the_time_limit_leaves_cells_that_are_marked(fake, tmp_path):
    fake["rcc-mobilenet_v2-rendered-0"] = OutOfTime("now")
    left = reproduce(["table1"], tmp_path, size=TINY, say=quiet)
    assert [cell.method for cell in left] == ["rcc", "hdhr"]
    status = [row["status"] for row in table(tmp_path / "cells.csv")]
    assert status == ["done", "not run", "not run"]


def test_a_cell_that_another_process_has_is_left_to_it(fake, tmp_path):
    folder = tmp_path / "cells" / "rcc-mobilenet_v2-rendered-0"
    folder.mkdir(parents=True)
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX);"
            "print('held', flush=True); sys.stdin.read()",
            str(folder / ".lock"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout.readline().strip() == b"held"
    left = reproduce(["table1"], tmp_path, size=TINY, say=quiet)
    assert [cell.method for cell in left] == ["rcc"]
    holder.kill()  # a process that dies lets go
    holder.communicate()
    assert reproduce(["table1"], tmp_path, size=TINY, say=quiet) == []


def test_a_folder_of_other_settings_is_refused(fake, tmp_path):
    reproduce(["table1"], tmp_path, size=TINY, say=quiet)
    other = dataclasses.replace(TINY, steps=400)
    with pytest.raises(KerasShrError, match=r"another size \(steps=8\)"):
        reproduce(["table1"], tmp_path, size=other, say=quiet)
    with pytest.raises(KerasShrError, match="no size 'huge'"):
        reproduce(["table1"], tmp_path, size="huge", say=quiet)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("plan.json", "[]", r"plan.json: holds \[\], expected an object; remove"),
        ("plan.json", '{"size": {}, "data": {"a": 3}}', "plan.json: data is .*object of data sets"),
        ("facts.json", "{}", "facts.json: parameters is None, expected a number; remove"),
        ("times.json", '[{"seconds": "2"}]', "times.json: holds .*with seconds and step; remove"),
    ],
)
def test_a_damaged_state_is_named(fake, tmp_path, name, content, message):
    reproduce(["baseline"], tmp_path, size=TINY, say=quiet)
    (damaged,) = tmp_path.rglob(name)
    damaged.write_text(content)
    with pytest.raises(KerasShrError, match=message):
        reproduce(["baseline"], tmp_path, size=TINY, say=quiet)


def test_a_mistake_in_the_first_call_does_not_take_the_folder(fake, tmp_path, monkeypatch):
    def missing(*arguments):
        raise KerasShrError("nowhere: no such file")

    with monkeypatch.context() as patch:
        patch.setattr(run, "make_data_set", missing)
        for suite in ("table1", "table3"):  # alike but for the suite: both stay planned
            with pytest.raises(KerasShrError, match="nowhere"):
                reproduce([suite], tmp_path, ["mine=nowhere"], TINY, say=quiet)
    assert json.loads((tmp_path / "plan.json").read_text())["suites"] == ["table1", "table3"]
    assert reproduce(["table1"], tmp_path, ["mine=somewhere"], TINY, say=quiet) == []
    with pytest.raises(KerasShrError, match=r"another data \(mine='somewhere'\)"):
        reproduce(["table1"], tmp_path, ["mine=elsewhere"], TINY, say=quiet)


@pytest.mark.parametrize("wrong", [{"seeds": 0}, {"time_limit": -1}])
def test_nothing_to_do_is_refused(tmp_path, wrong):
    with pytest.raises(KerasShrError, match="must be above 0"):
        reproduce(["table1"], tmp_path / "x", size=TINY, say=quiet, **wrong)
    assert not (tmp_path / "x").exists()


def test_a_video_that_does_not_fit_is_refused_before_training(fake, tmp_path, monkeypatch):
    arguments = ["table1"], tmp_path, ["rendered"], TINY, 1
    with pytest.raises(KerasShrError, match="nowhere"):
        reproduce(*arguments, video="nowhere", say=quiet)
    line = {"file": "a.png", "keypoints": [[1, 2]]}
    (tmp_path / "index.jsonl").write_text(json.dumps(line))
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    hands = open_data("rendered:1", size=32)
    monkeypatch.setattr(run, "make_data_set", lambda n, *_: DataSet(n, {"data": "p:t"}, hands))
    with pytest.raises(KerasShrError, match="has 1 keypoints and rendered 21"):
        reproduce(*arguments, video=f"folder:{tmp_path}", say=quiet)
    with pytest.raises(KerasShrError, match="has no clip of three frames or more"):
        reproduce(*arguments, video="rendered:2", say=quiet)
    assert fake["done"] == []


def test_all_cells_are_measured_on_the_same_frames(fake, tmp_path, monkeypatch):
    hands = open_data("rendered:1", size=32)
    monkeypatch.setattr(run, "make_data_set", lambda n, *_: DataSet(n, {"data": "p:t"}, hands))

    def frames(name, color):
        folder = tmp_path / name
        folder.mkdir()
        Image.new("RGB", (40, 40), color).save(folder / "a.png")
        line = {"file": "a.png", "keypoints": [[1, 2]] * 21, "group": "clip"}
        (folder / "index.jsonl").write_text("\n".join([json.dumps(line)] * 3))
        return f"folder:{folder}"

    one, other = frames("one", "red"), frames("other", "blue")
    arguments = {"size": TINY, "say": quiet}
    reproduce(["table1"], tmp_path / "run", **arguments)
    reproduce(["table1"], tmp_path / "run", video=one, **arguments)
    reproduce(["table3"], tmp_path / "run", **arguments)
    with pytest.raises(KerasShrError, match=r"measured on other frames \(video='folder:.*one'\)"):
        reproduce(["table3"], tmp_path / "run", video=other, **arguments)
    reproduce(["table3"], tmp_path / "run", video=one, **arguments)


def test_the_command_says_that_cells_are_left(fake, tmp_path, capsys):
    arguments = ["reproduce", "table1", "--output", str(tmp_path)]
    fake["hdhr-mobilenet_v2-rendered-0"] = OutOfTime("now")
    assert main(arguments) == 3
    assert "1 cells left" in capsys.readouterr().out
    (call,) = table(tmp_path / "calls.csv")
    assert call["command"] == f"keras-shr reproduce table1 --output {tmp_path}"
    assert "keras-shr 0." in call["version"]
    del fake["hdhr-mobilenet_v2-rendered-0"]
    assert main(arguments) == 0
    assert "all cells done" in capsys.readouterr().out
    assert main(["reproduce", "table9", "--output", str(tmp_path)]) == 1


def test_the_limit_counts_from_the_start_of_the_process(tmp_path, monkeypatch):
    given = []
    command = importlib.import_module("keras_shr.cli.reproduce")
    monkeypatch.setattr(command, "since_start", lambda: 7.0)
    monkeypatch.setattr(command, "_end_at", given.append)
    monkeypatch.setattr(
        "keras_shr.reproduction.reproduce", lambda *a, **_: given.append(a[6]) or []
    )
    monkeypatch.setattr("keras_shr._compile.keep_compiled", lambda folder: None)
    for limit in ("60", "5"):
        assert main(["reproduce", "table1", "--output", str(tmp_path), "--time-limit", limit]) == 0
    assert given == [53, 53, 1e-3, 1e-3]


def test_jax_keeps_what_it_compiled_in_the_folder(tmp_path):
    pytest.importorskip("jax")
    program = (
        "import jax; from keras_shr.reproduction import run\n"
        "def compile_one(*a):\n"
        "    jax.jit(lambda x: x @ x)(jax.numpy.ones((4, 4)))\n"
        "    raise SystemExit\n"
        "run.make_data_set = compile_one\n"
        "from keras_shr.cli import main\n"
        f"main(['reproduce', 'table1', '--output', {str(tmp_path)!r}])"
    )
    always = {"KERAS_BACKEND": "jax", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    environment = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
    subprocess.run([sys.executable, "-c", program], env=environment | always, timeout=200)
    assert list((tmp_path / "compiled").iterdir())


@pytest.mark.slow
def test_a_run_that_is_stopped_twice_ends_as_one_that_is_not(tmp_path, monkeypatch):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    # Four batches an epoch: two may come in the same order by chance.
    size = dataclasses.replace(TINY, steps=16)
    assert reproduce(["table3"], whole, size=size, workers=1, say=quiet) == []

    class Stopping(Deadline):
        """Stops after so many looks at the clock, in training and in evaluation."""

        left = 0

        def check(self, needed=0.0):
            Stopping.left -= 1
            if Stopping.left < 0:
                raise OutOfTime("now")

    monkeypatch.setattr(run, "Deadline", Stopping)
    for looks in (23, 38):
        Stopping.left = looks
        assert reproduce(["table3"], parts, size=size, workers=1, say=quiet)
    Stopping.left = 10**9
    assert reproduce(["table3"], parts, size=size, workers=1, say=quiet) == []
    for name in ("cells.csv", "curves.csv", "scores.csv", "draws.csv"):
        assert (parts / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.slow
def test_a_cell_on_prepared_rhd(tmp_path, monkeypatch):
    """The commands of docs/reproducing.md, with rendered hands in RHD's own files."""
    root = write_rhd(tmp_path, training=24, evaluation=6, seed=2)
    for split in ("train", "test"):
        place = str(tmp_path / "prepared" / "rhd" / split)
        arguments = ["prepare", "rhd", str(root), place, "--split", split]
        assert main([*arguments, "--size", "32", "--shards", "4", "--workers", "1"]) == 0
    monkeypatch.setattr(training_run, "_STREAM_BYTES", 0)  # as RHD, which is larger than that
    size = dataclasses.replace(TINY, steps=4, epochs=2)
    data = [f"rhd={tmp_path / 'prepared' / 'rhd'}"]
    output = tmp_path / "run"
    assert reproduce(["baseline"], output, data, size, workers=1, say=quiet) == []
    (cell,) = table(output / "cells.csv")
    assert (cell["data"], cell["status"]) == ("rhd", "done")
    scores = {(row["metric"], row["group"], row["kind"]) for row in table(output / "scores.csv")}
    assert {("auc", "clean", ""), ("R", "unseen", ""), ("RUC", "unseen", "")} <= scores
    assert len(table(output / "smoothness.csv")) == 6
    assert (output / "peaks.npz").exists()


def test_the_command_ends_in_time_whatever_holds_it_up(tmp_path):
    """Compiling cannot be interrupted; here it is a sleep."""
    program = (
        "import time; from keras_shr.reproduction import run\n"
        "run.make_data_set = lambda *a: time.sleep(300)\n"
        "from keras_shr.cli import main\n"
        f"main(['reproduce', 'table1', '--output', {str(tmp_path)!r}, '--time-limit', '1'])"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=200)
    assert ended.returncode == 3
    assert b"the time limit was reached" in ended.stderr
