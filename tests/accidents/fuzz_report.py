"""Fuzzes everything that reads files of others, and writes down what was tried and found.

    KERAS_BACKEND=jax python -m tests.accidents.fuzz_report --output results/fuzz.csv

Each target runs in a process of its own, so that a crash of a library's C code is named too. An
input that is not handled is kept as `fuzz-TARGET.bin` beside the table. Equal seeds try equal
inputs.
"""

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.accidents.found import found
from tests.accidents.fuzz_targets import TARGETS, in_folder
from tests.accidents.fuzzing import fuzz

FIELDS = (
    "target",
    "reads",
    "inputs",
    "refused",
    "read",
    "unhandled",
    "found_before",
    "seconds",
    "slowest_ms",
    "memory_growth_mb",
    "seed",
)
_MEMORY = Path("/dev/shm")  # a disk would be the slowest part


def _one(name, inputs, seed, last):
    """Fuzzes a target in this process; prints a row as JSON."""
    place = _MEMORY if _MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=place) as folder, in_folder(name, folder) as target:
        fuzz(target, 20, seed + 1)  # imports and caches
        before, start = _peak(), time.perf_counter()
        counts = fuzz(target, inputs, seed, before=last.write_bytes)
    row = {
        "inputs": counts.inputs,
        "refused": counts.refused,
        "read": counts.inputs - counts.refused,
        "seconds": round(time.perf_counter() - start, 1),
        "slowest_ms": round(counts.slowest * 1000, 1),
        "memory_growth_mb": _peak() - before,
    }
    print(json.dumps(row))


def _peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def report(inputs, seed, output, names=tuple(TARGETS)):
    """Fuzzes the targets with so many inputs altogether.

    Returns:
        The rows, which are in the file `output`, too.
    """
    output = Path(output)
    shares = {}
    for name in names:
        with tempfile.TemporaryDirectory() as folder, in_folder(name, folder) as target:
            shares[name] = target.share
    rows = []
    for name in names:
        last = output.with_name(f"fuzz-{name}.bin")
        share = -(-inputs * shares[name] // sum(shares.values()))
        command = [sys.executable, "-m", __spec__.name, "--one", name, "--inputs", str(int(share))]
        command += ["--seed", str(seed), "--output", str(last)]
        done = subprocess.run(command, capture_output=True, text=True)
        row = {
            "target": name,
            "reads": TARGETS[name].__doc__.split("\n\n")[0].replace("\n    ", " "),
        }
        if done.returncode:
            print(f"{name}: see {last}\n{done.stderr[-3000:]}", file=sys.stderr)
            row["unhandled"] = 1
        else:
            last.unlink()
            row |= json.loads(done.stdout.splitlines()[-1]) | {"unhandled": 0}
        rows.append(row | {"found_before": len(found(name)), "seed": seed})
        print({k: v for k, v in rows[-1].items() if k != "reads"}, flush=True)
    with open(output, "w", newline="") as stream:
        writer = csv.DictWriter(stream, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=110_000, help="altogether")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("results/fuzz.csv"))
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--one", choices=TARGETS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        return _one(options.one, options.inputs, options.seed, options.output)
    rows = report(options.inputs, options.seed, options.output, options.targets)
    return int(any(row["unhandled"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
