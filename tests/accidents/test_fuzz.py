"""Damaged inputs by the thousand for whatever reads files of others. The only exception is ours."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from tests.accidents.found import found
from tests.accidents.fuzz_targets import TARGETS, in_folder
from tests.accidents.fuzzing import Counts, fuzz, open_input

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", TARGETS)
def test_damage(name, tmp_path):
    with in_folder(name, tmp_path) as target:
        counts = fuzz(target, max(10, round(60 * target.share)))
    assert counts.inputs > 0


@pytest.mark.parametrize("name", TARGETS)
def test_what_was_found_before(name, tmp_path):
    with in_folder(name, tmp_path) as target:
        for data in found(name).values():
            open_input(target, data, Counts())


@pytest.mark.slow
def test_a_hundred_thousand(tmp_path):
    """The command that writes results/fuzz.csv, with another seed."""
    command = [sys.executable, "-m", "tests.accidents.fuzz_report", "--seed", "2"]
    output = tmp_path / "fuzz.csv"
    done = subprocess.run(
        [*command, "--output", str(output)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    with output.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["target"] for row in rows] == list(TARGETS)
    assert sum(int(row["inputs"]) for row in rows) >= 100_000
    for row in rows:
        assert int(row["read"]) > 0  # the damage is not all of the kind that any parser refuses
        assert int(row["memory_growth_mb"]) < 1500  # one picture of max_pixels that EXIF turns
    assert not list(tmp_path.glob("*.bin"))
