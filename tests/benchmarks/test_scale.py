"""The scale benchmark's measuring, planning and table, without a real cell."""

import csv
import sys

import pytest

from benchmarks import scale, step_parts
from benchmarks.process_memory import usage

CHILD = """
import subprocess, sys, time
block = bytearray({here} << 20)
block[::4096] = b"x" * len(block[::4096])
if {there}:
    words = [sys.executable, "-c", {code!r}.format(here={there}, there=0, code="")]
    subprocess.run(words, check=True)
time.sleep(0.4)
print("done")
sys.exit({here} == 1)
"""


def test_memory_is_that_of_the_whole_tree():
    def run(here, there):
        text = CHILD.format(here=here, there=there, code=CHILD)
        return usage([sys.executable, "-c", text], every=0.02)

    small, large = run(1, 0), run(40, 80)
    assert small.code == 1
    assert (large.code, large.output.split()) == (0, ["done", "done"])
    assert 110 << 20 < large.peak - small.peak < 160 << 20
    assert 35 << 20 < large.main_peak - small.main_peak < 60 << 20
    assert (small.processes, large.processes) == (1, 2)
    assert 0.4 < small.seconds < 30
    assert 0 < small.cpu_seconds < small.seconds + 5


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the benchmark with made-up cells and gives those that were measured."""

    def made_up(what, images, options):
        measured.append((what, images))
        if what == "prepare":
            folder = scale.prepared(options, images)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "manifest.json").touch()
        row = dict.fromkeys(scale.FIELDS, "") | {"what": what, "images": images}
        row |= {"image_size": options.size, "batch": options.batch, "workers": options.workers}
        return row | {
            "batch": "" if what in ("prepare", "score") else options.batch,
            "workers": options.workers if what in ("prepare", "evaluate") else "",
        }

    measured = []
    monkeypatch.setattr(scale, "measure", made_up)

    def run(*words):
        measured.clear()
        words = [str(word) for word in words]
        work = ["--work", str(tmp_path / "work"), "--output", str(tmp_path / "scale.csv")]
        monkeypatch.setattr(sys, "argv", ["scale", *work, *words])
        scale.main()
        return list(measured)

    return run


def test_cells_that_the_table_has_are_not_measured_again(run, tmp_path):
    first = run("--images", 100, 200, "--cells", "prepare", "evaluate")
    assert first == [("prepare", 100), ("prepare", 200), ("evaluate", 100), ("evaluate", 200)]
    more = run("--images", 100, 300, "--cells", "prepare", "evaluate", "score")
    assert more == [("prepare", 300), ("evaluate", 300), ("score", 100), ("score", 300)]
    with open(tmp_path / "scale.csv", newline="") as file:
        rows = [(row["what"], row["images"]) for row in csv.DictReader(file)]
    assert rows[:3] == [("prepare", "100"), ("prepare", "200"), ("prepare", "300")]
    assert len(rows) == 8
    # Another size is another row, and what is gone is made again.
    assert run("--images", 100, "--cells", "prepare", "--size", 64) == [("prepare", 100)]
    (tmp_path / "work" / "rendered-96-200" / "manifest.json").unlink()
    assert run("--images", 100, 200, "--cells", "prepare") == [("prepare", 200)]


def test_what_fit_would_stream_is_not_kept_in_memory():
    options = scale.parse_arguments(["--work", "w", "--images", "1000", "40000", "--size", "128"])
    planned = list(scale.plan(options))
    assert ("fit, in memory", 1000) in planned
    assert ("fit, in memory", 40000) not in planned  # 1.97 GB
    assert ("fit, streamed", 40000) in planned


def test_a_row_names_no_folder_of_this_machine():
    words = ["--work", "/tmp/mine", "--images", "1000"]
    assert scale.shown(words) == ["--work", "WORK", "--images", "1000"]


def test_shares_of_a_step_add_up():
    turn = {
        "input pipeline": 40.0,
        "augmentation": 1.0,
        "perturbation": 2.0,
        "forward": 5.0,
        "gradient": 15.0,
        "update": 2.0,
        "step": 18.0,
    }
    parts = step_parts.split(turn, batches=20)
    assert parts == {
        "input pipeline": 2.0,
        "augmentation": 1.0,
        "perturbation": 2.0,
        "forward": 5.0,
        "backward": 10.0,
        "update": 2.0,
    }
    times = {name: [(value, 2 * value)] * 3 for name, value in turn.items()}
    rows = list(step_parts.rows_of(times, 20))
    assert [row["part"] for row in rows] == [*step_parts.PARTS, step_parts.WHOLE]
    assert sum(float(row["share"]) for row in rows[:-1]) == pytest.approx(1, abs=0.004)
    assert (rows[-1]["ms"], rows[-1]["share"]) == ("18000.00", "0.900")
    assert (rows[4]["ms"], rows[4]["cpu_ms"], rows[4]["share"]) == ("10000.00", "20000.00", "0.455")
