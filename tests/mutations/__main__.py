"""Removes each protection in turn and shows the test that then fails.

    python -m tests.mutations              # make mutate
    python -m tests.mutations files.py     # those whose line has the word

Works in a copy of the tree. First all named tests must pass; then each protection is taken out
alone and its test, alone, must fail. Ends with status 1 if one passes all the same, or if the text
to take out is not there any more.
"""

import argparse
import contextlib
import csv
import os
import re
import shutil
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fork_server import ForkServer
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
    print(f"\n{len(rows)} protections taken out, {len(rows) - len(bad)} noticed by the tests")
    for row in bad:
        print(f"{row['outcome'].upper()}: {row['protection']} ({row['file']}, {row['test']})")
    _write(arguments.output, rows)
    return len(bad) > 0


def _copy(place):
    shutil.copytree(ROOT, place, ignore=shutil.ignore_patterns(*_LEFT_OUT), symlinks=True)
    return place


def _all(chosen, trees):
    rows = []
    for backend in sorted({m.backend for m in chosen}, reverse=True):
        mine = [m for m in chosen if m.backend == backend]
        with contextlib.ExitStack() as stack:
            pools = [stack.enter_context(Pool(tree, backend)) for tree in trees]
            rows += _on_backend(mine, pools)
    return rows


class Pool(ForkServer):
    """A tree and a process that runs its tests."""

    def __init__(self, tree, backend):
        super().__init__(tree / "tests/mutations/pytest_server.py", LIMIT, KERAS_BACKEND=backend)
        self.tree = tree

    def pytest(self, *arguments):
        """pytest's status and what it printed."""
        log = self.tree / "log.txt"
        log.unlink(missing_ok=True)
        status = self.run({"tree": str(self.tree), "arguments": arguments}, log)
        return status, log.read_text(encoding="utf-8", errors="replace")


def _on_backend(chosen, pools):
    state, free = _baseline(chosen, pools[0]), list(pools)
    lock = threading.Lock()

    def judge(mutant):
        with lock:
            pool = free.pop()
        started = time.monotonic()
        try:
            outcome, seen = _judge(mutant, pool, state[mutant.test])
        finally:
            with lock:
                free.append(pool)
        row = (mutant.says, mutant.file, mutant.test, mutant.backend)
        row += (f"{time.monotonic() - started:.0f}", outcome, seen)
        print(f"{outcome:10} {mutant.says}\n{'':11}{mutant.test}: {seen}", flush=True)
        return dict(zip(FIELDS, row, strict=True))

    with ThreadPoolExecutor(len(pools)) as threads:
        return list(threads.map(judge, chosen))


def _baseline(chosen, pool):
    """Test → how it went in the tree as it is: passed, skipped or failed."""
    state = dict.fromkeys(sorted({m.test for m in chosen}), "failed")
    report = pool.tree / "report.xml"
    print(f"{len(state)} tests with all protections in place", flush=True)
    limit, pool.limit = pool.limit, 3600
    _, said = pool.pytest(*state, f"--junitxml={report}")
    pool.limit = limit
    if not report.exists():
        sys.exit(said)
    results = _results(report)
    for test in state:
        found = {how for name, how in results if name == test or name.startswith(f"{test}[")}
        state[test] = next((how for how in ("failed", "passed", "skipped") if how in found), "none")
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


def _judge(mutant, pool, before):
    problem = mutant.problem(pool.tree)
    if problem:
        return "not made", problem
    if before != "passed":
        return "no test", f"the test {before} with the protection in place"
    path = pool.tree / mutant.file
    text = path.read_text(encoding="utf-8")
    path.write_text(mutant.changed(pool.tree), encoding="utf-8")
    try:
        status, said = pool.pytest(mutant.test, "-x")
    except TimeoutError as error:
        return "killed", str(error)
    finally:
        path.write_text(text, encoding="utf-8")
    lines = [line[2:].strip() for line in said.splitlines() if line.startswith("E ")]
    last = (said.strip().splitlines() or ["pytest said nothing"])[-1]
    if status == 0:
        return "survived", "the test passed"
    if status not in (1, None):  # pytest's own troubles: nothing was tested
        return "no test", last[:200]
    return "killed", _anywhere((lines or [last])[0], pool.tree)[:200]


def _anywhere(text, tree):
    """What a test said, without where this machine keeps its files."""
    for place, name in ((sys.executable, "python"), (tree, "TREE"), (tempfile.gettempdir(), "TMP")):
        text = text.replace(str(place), name)
    return re.sub(r"TMP/pytest-of-[^/]+/pytest-\d+", "TMP", text)


def _write(path, rows):
    """Puts the rows in the place of older ones of their protections; drops what is not listed."""
    from keras_shr.files import replacing

    known = {}
    if path.exists():
        with path.open(newline="", encoding="utf-8") as file:
            known = {(row["protection"], row["test"]): row for row in csv.DictReader(file)}
    known |= {(row["protection"], row["test"]): row for row in rows}
    rows = [known[m.says, m.test] for m in mutants() if (m.says, m.test) in known]
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    sys.exit(main())
