"""Planning and working off cells; training itself is replaced, but for the last, slow test."""

import csv
import dataclasses
import importlib
import json
import os
import subprocess
import sys

import keras
import pytest
from PIL import Image

from keras_shr.cli import main
from keras_shr.data import open_data
from keras_shr.errors import KerasShrError
from keras_shr.methods import METHODS
from keras_shr.rendering.rhd_writer import write_rhd
from keras_shr.reproduction import (
    ARCHITECTURES,
    SIZES,
    SUITES,
    Cell,
    clock,
    find_size,
    planned_cells,
    reproduce,
    results,
    run,
)
from keras_shr.reproduction.clock import Deadline, Estimate, OutOfTime, TrainingClock
from keras_shr.reproduction.data_sets import DataSet, make_data_set, parse_data
from keras_shr.reproduction.one_cell import cell_config
from keras_shr.training import run as training_run

TINY = dataclasses.replace(
    SIZES["cpu"],
    train_images=24,
    validation_images=6,
    test_images=6,
    image_size=32,
    images_per_step=6,
    steps=8,
    epochs=4,
    severities=(3,),
)


def quiet(line):
    pass


# Planning


def test_suites_name_methods_and_backbones_that_exist():
    for suite in SUITES:
        for cell in planned_cells([suite], ["rendered"], 1):
            assert cell.method in METHODS
            assert cell.architecture in ARCHITECTURES


def test_a_plan_has_each_cell_once_and_the_first_seed_first():
    cells = planned_cells(["table1", "ablation", "fig8"], ["rhd", "stb"], 3)
    assert len(set(cells)) == len(cells)
    assert [cell.seed for cell in cells] == sorted(cell.seed for cell in cells)
    # table1 is part of the ablation; fig8 shares three methods on MobileNetV2 with it.
    assert len(cells) == 3 * 2 * (11 + 3 * 6 - 3)
    assert set(planned_cells(["table1"], ["rhd"], 1)) <= set(cells)
    everything = set(planned_cells(["all"], ["rhd"], 1))
    for suite in SUITES:
        assert set(planned_cells([suite], ["rhd"], 1)) <= everything


def test_single_methods_can_be_planned():
    cells = planned_cells(["table3", "supervised", "ours"], ["rendered"], 2)
    assert [cell.method for cell in cells] == 2 * ["baseline", "paper", "ours", "supervised"]
    assert {cell.architecture for cell in cells} == {"mobilenet_v2"}


def test_an_unknown_suite_is_named():
    with pytest.raises(KerasShrError, match=r"no suite 'fig5'; there are table1.*: .*supervised"):
        planned_cells(["fig5"], ["rendered"], 1)


@pytest.mark.parametrize("size", SIZES)
def test_every_method_sees_the_same_number_of_images(size):
    data = {"rendered": DataSet("rendered", {"data": "prepared:t"}, None)}
    for cell in planned_cells(["all"], data, 1):
        config = cell_config(cell, SIZES[size], data["rendered"])
        assert config.batch_size * METHODS[cell.method].views == SIZES[size].images_per_step
        assert config.steps_per_epoch * config.epochs == SIZES[size].steps


def test_single_settings_of_a_size_can_be_changed():
    size = find_size("cpu", ["steps=7", "severities=[2, 4]", "test_images=None"])
    assert (size.steps, size.severities, size.test_images) == (7, (2, 4), None)
    assert size.image_size == SIZES["cpu"].image_size
    with pytest.raises(KerasShrError, match="there is no size 'huge'; there are cpu, gpu, paper"):
        find_size("huge")
    with pytest.raises(KerasShrError, match="'step' is no setting; there are train_images"):
        find_size("cpu", ["step=7"])
    with pytest.raises(KerasShrError, match="steps='many': expected a value like 3000"):
        find_size("cpu", ["steps=many"])
    with pytest.raises(KerasShrError, match="steps=0: it must be above 0"):
        find_size("cpu", ["steps=0"])
    assert find_size("cpu", ["rotation=0.0"]).rotation == 0


def test_data_words():
    assert parse_data(["rendered", "rhd=folder:a?size=3"]) == {
        "rendered": "",
        "rhd": "folder:a?size=3",
    }
    with pytest.raises(KerasShrError, match="expected rendered, or NAME=DATA"):
        parse_data(["prepared/rhd"])
    with pytest.raises(KerasShrError, match="two data sets are called 'a'"):
        parse_data(["a=x", "a=y"])


def test_data_without_a_test_part_are_refused(tmp_path):
    line = {"file": "a.png", "keypoints": [[1, 2]], "split": "train"}
    (tmp_path / "index.jsonl").write_text(json.dumps(line))
    with pytest.raises(KerasShrError, match="has no test part"):
        make_data_set("mine", f"folder:{tmp_path}", TINY, tmp_path)


# Time


def test_a_deadline_counts_what_is_still_needed():
    Deadline(None).check(1e9)
    Deadline(60).check(1)
    with pytest.raises(OutOfTime):
        Deadline(60).check(120)
    with pytest.raises(OutOfTime):
        Deadline(0).check()


def test_training_ends_before_an_epoch_that_would_be_too_long():
    class Passed(Deadline):
        asked = 0

        def check(self, needed=0.0):
            self.asked += needed > 0
            if self.asked == 2:
                raise OutOfTime("now")

    lines, seconds, saved = [], [], []
    clock = TrainingClock(
        Passed(), lines.append, seconds, lambda: saved.append(json.dumps(seconds))
    )
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = keras.ops.zeros((8, 2))
    with pytest.raises(OutOfTime):
        model.fit(x, x[:, :1], batch_size=2, epochs=5, verbose=0, callbacks=[clock])
    assert len(seconds) == len(saved) == len(lines) == 2
    assert json.loads(saved[-1]) == seconds
    assert lines[1].startswith("epoch 2 of 5: loss 0.000")
    # Rounded to hundredths: on a fast machine an epoch of four such steps takes none.
    assert all(entry["seconds"] + 0.005 >= entry["step"] > 0 for entry in seconds)


def test_what_is_compiled_once_is_not_expected_of_the_next_epoch(monkeypatch):
    now, asked, lines = [0.0], [], []
    monkeypatch.setattr(clock.time, "monotonic", lambda: now[0])

    class Asked(Deadline):
        def check(self, needed=0.0):
            asked.append(needed)

    training = TrainingClock(Asked(), lines.append, [], lambda: None)
    training.set_params({"steps": 10, "epochs": 9})
    training.on_train_begin()
    for epoch, first in enumerate((80, 2)):
        training.on_epoch_begin(epoch)
        for batch in range(10):
            training.on_train_batch_begin(batch)
            now[0] += first if batch == 0 else 2
            training.on_train_batch_end(batch, {"loss": 1.0})
        now[0] += 5  # its validation
        training.on_epoch_end(epoch, {"loss": 1.0})
    assert [needed for needed in asked if needed] == pytest.approx([1.1 * 25, 1.1 * 25])
    assert lines == [
        "epoch 1 of 9: loss 1.000, 103 s",
        "epoch 2 of 9: loss 1.000, 25 s; about 3 min of training left",
    ]


def test_the_estimate_goes_by_architecture():
    estimate, cells = Estimate(), planned_cells(["fig8"], ["rendered"], 1)
    assert estimate.left(cells) == ""
    estimate.add(Cell("baseline", "vgg19_bn", "rendered", 0), 600)
    estimate.add(Cell("baseline", "mobilenet_v2", "rendered", 0), 60)
    two = [Cell("ours", a, "rendered", 0) for a in ("vgg19_bn", "mobilenet_v2")]
    assert estimate.left(two) == "; about 11 min for the 2 left"


# Working off, with cells that only leave what a cell leaves


@pytest.fixture
def fake(monkeypatch):
    """Replaces data and cells; `fake[key]` is an exception to raise."""
    failures, done = {}, []

    def run_cell(cell, folder, work):
        if cell.key in failures:
            raise failures[cell.key]
        done.append(cell.key)
        (folder / "history.csv").write_text(
            "epoch,loss,val_auc_clean\n1,9,0\n2,8,0\n3,7,0\n4,2.5,0.1\n5,1.5,0.25\n"
        )
        (folder / "scores.csv").write_text(
            "model,data,group,kind,severity,metric,decoding,visibility,value,low,high,n\n"
            "x,y,clean,,,auc,argmax,all,0.5,0.4,0.6,126\n"
        )
        (folder / "times.json").write_text('[{"seconds": 2, "step": 0.1}]')
        row = "group,kind,severity,metric,decoding,visibility,value,low,high,n\n"
        (folder / "extra.csv").write_text(row + "extra,,,auc,argmax,all,0.25,0.2,0.3,126\n")
        (folder / "temporal.csv").write_text("source,metric,value,low,high\nmotion,jitter,3,2,4\n")
        (folder / "surfaces.csv").write_text("a,b,loss\n0,0,1.5\n")
        (folder / "maps.npz").touch()
        facts = {"parameters": 7, "evaluate_seconds": 1, "backend": "b", "device": "d"}
        (folder / "facts.json").write_text(json.dumps(facts | {"versions": "v"}))

    monkeypatch.setattr(run, "run_cell", run_cell)
    monkeypatch.setattr(run, "make_data_set", lambda n, *_: DataSet(n, {"data": "p:t"}, None))
    monkeypatch.setattr(run, "load_test", lambda *_: None)
    monkeypatch.setattr(run, "perturbed_pictures", lambda *_: None)
    monkeypatch.setattr(results, "_write_pictures", lambda *_: None)
    failures["done"] = done
    return failures


def table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


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
    assert fake["done"] == []


def test_all_cells_are_measured_on_the_same_frames(fake, tmp_path, monkeypatch):
    hands = open_data("rendered:1", size=32)
    monkeypatch.setattr(run, "make_data_set", lambda n, *_: DataSet(n, {"data": "p:t"}, hands))

    def frames(name, color):
        folder = tmp_path / name
        folder.mkdir()
        Image.new("RGB", (40, 40), color).save(folder / "a.png")
        line = {"file": "a.png", "keypoints": [[1, 2]] * 21}
        (folder / "index.jsonl").write_text(json.dumps(line))
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
