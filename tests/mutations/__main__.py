"""Removes each protection in turn and shows the test that then fails.

    python -m tests.mutations              # make mutate
    python -m tests.mutations files.py     # those whose line has the word

Works in a copy of the tree. First all named tests must pass; then each protection is taken out
alone and its test, alone, must fail. Ends with status 1 if one passes all the same, or if the text
to take out is not there any more.
"""

import argparse
import csv
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutations.mutants import ROOT, mutants

FIELDS = ("protection", "file", "test", "backend", "seconds", "outcome", "seen")
LIMIT = 600
_LEFT_OUT = (".git", ".venv", "__pycache__", "site", "build", "dist", "*.egg-info", "results")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="only mutants whose text, file or test has one")
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 1) // 2))
    parser.add_argument("--output", type=Path, default=ROOT / "results" / "mutations.csv")
    arguments = parser.parse_args()
    chosen = [
        m
        for m in mutants()
        if not arguments.words or any(w in f"{m.says} {m.file} {m.test}" for w in arguments.words)
    ]
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        trees = [_copy(Path(folder) / str(number)) for number in range(arguments.jobs)]
        rows = _all(chosen, trees)
    bad = [row for row in rows if not row["outcome"].startswith("killed")]
    print(f"\n{len(rows)} protections, {len(rows) - len(bad)} missed by a test when taken out")
    for row in bad:
        print(f"{row['outcome'].upper()}: {row['protection']} ({row['file']}, {row['test']})")
    if not arguments.words:
        _write(arguments.output, rows)
    return len(bad) > 0


def _copy(place):
    shutil.copytree(ROOT, place, ignore=shutil.ignore_patterns(*_LEFT_OUT), symlinks=True)
    return place


def _all(chosen, trees):
    state, free = _baseline(chosen, trees[0]), list(trees)
    lock = threading.Lock()

    def judge(mutant):
        with lock:
            tree = free.pop()
        started = time.monotonic()
        try:
            outcome, seen = _judge(mutant, tree, state[mutant.test, mutant.backend])
        finally:
            with lock:
                free.append(tree)
        row = (mutant.says, mutant.file, mutant.test, mutant.backend)
        row += (f"{time.monotonic() - started:.0f}", outcome, seen)
        row = dict(zip(FIELDS, row, strict=True))
        print(f"{outcome:10} {mutant.says}\n{'':11}{mutant.test}: {seen}", flush=True)
        return row

    with ThreadPoolExecutor(len(trees)) as pool:
        return list(pool.map(judge, chosen))


def _baseline(chosen, tree):
    """(test, backend) → how it went in the tree as it is: passed, skipped or failed."""
    state = {}
    for backend in sorted({m.backend for m in chosen}):
        for test in sorted({m.test for m in chosen if m.backend == backend}):
            state[test, backend] = "failed"
        tests = [test for test, its in state if its == backend]
        report = tree / "report.xml"
        print(f"{len(tests)} tests on {backend}, with all protections", flush=True)
        _pytest(tree, backend, *tests, f"--junitxml={report}", limit=None)
        results = _results(report)
        for test in tests:
            found = {how for name, how in results if name == test or name.startswith(f"{test}[")}
            if found:
                order = ("failed", "passed", "skipped")
                state[test, backend] = next(how for how in order if how in found)
    return state


def _results(report):
    """(name, how it went) of each test of a JUnit file."""
    found = []
    for case in ElementTree.parse(report).iter("testcase"):
        file = case.get("classname").replace(".", "/") + ".py"
        kinds = {child.tag for child in case}
        how = "failed" if kinds & {"failure", "error"} else "passed"
        found.append((f"{file}::{case.get('name')}", "skipped" if "skipped" in kinds else how))
    return found


def _judge(mutant, tree, before):
    problem = mutant.problem(tree)
    if problem:
        return "not made", problem
    if before != "passed":
        return "no test", f"the test {before} with the protection in place"
    path = tree / mutant.file
    text = path.read_text(encoding="utf-8")
    path.write_text(mutant.changed(tree), encoding="utf-8")
    try:
        done = _pytest(tree, mutant.backend, mutant.test, "-x", limit=LIMIT)
    except subprocess.TimeoutExpired:
        return "killed", f"the test did not end within {LIMIT} s"
    finally:
        path.write_text(text, encoding="utf-8")
    if done.returncode == 0:
        return "survived", "the test passed"
    if done.returncode != 1:  # pytest's own troubles: nothing was tested
        return "no test", _last_line(done)
    return "killed", _reason(done)


def _pytest(tree, backend, *arguments, limit):
    environment = os.environ | {
        "KERAS_BACKEND": backend,
        "PYTHONPATH": str(tree),
        # A changed file of the same size and second would be taken for the compiled one.
        "PYTHONDONTWRITEBYTECODE": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    command = [sys.executable, "-m", "pytest", "-q", "--tb=short", *arguments]
    return subprocess.run(
        command, cwd=tree, env=environment, capture_output=True, text=True, timeout=limit
    )


def _reason(done):
    """The first line of what pytest says went wrong."""
    lines = [line[2:].strip() for line in done.stdout.splitlines() if line.startswith("E ")]
    return (lines or [_last_line(done)])[0][:200]


def _last_line(done):
    return ((done.stdout + done.stderr).strip().splitlines() or ["pytest said nothing"])[-1][:200]


def _write(path, rows):
    from keras_shr.files import replacing

    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    sys.exit(main())
