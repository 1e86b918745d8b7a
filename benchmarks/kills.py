"""SIGKILL of real commands at random moments: does the same command finish as if nothing happened?

    KERAS_BACKEND=tensorflow python benchmarks/kills.py --kills 50

Each command is started, all its processes are killed at a random moment, and it is started again,
up to five times; then it may finish, and what it wrote is compared with what an undisturbed run
wrote: all bytes of shards, predictions, pictures and exported files, all weights, all figures of
CSV and JSON files but times. `during_writes` kills came within milliseconds of a file being
written, the others evenly over the run; `with_leftovers` of them left temporary files, none of
which may be there after the end. The network is tiny, the pictures are 32 px.
"""

import argparse
import csv
import os
import shutil
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "results" / "kills.csv"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("commands", nargs="*", help="prepare, fit, ...; all by default")
    parser.add_argument("--kills", type=int, default=50, help="of each command")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "accidents")]
    from real_kills import COMMANDS, Server, kill_and_finish

    backend, problems = os.environ.get("KERAS_BACKEND", "tensorflow"), 0
    folder = Path(tempfile.mkdtemp(prefix="kills-"))
    with Server(backend) as server:
        assert server.command(COMMANDS["fit"], folder) == 0
        (folder / "out").rename(folder / "made")
        for name in arguments.commands or COMMANDS:
            started = time.monotonic()
            tally = kill_and_finish(server, name, folder, arguments.kills, seed=arguments.seed)
            found = asdict(tally) | {"problems": len(tally.problems)}
            row = {"command": name, "backend": backend} | found
            row["undisturbed_seconds"] = f"{tally.undisturbed_seconds:.1f}"
            row["seconds"] = f"{time.monotonic() - started:.0f}"
            row["seed"] = arguments.seed
            row["made_by"] = f"KERAS_BACKEND={backend} python benchmarks/kills.py"
            print(row, *tally.problems, sep="\n", flush=True)
            _write(arguments.output, row)
            problems += len(tally.problems)
    shutil.rmtree(folder)
    return problems > 0


def _write(path, row):
    """Puts the row of a command and backend in the place of an older one."""
    from keras_shr.files import replacing

    rows = []
    if path.exists():
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
    key = (row["command"], row["backend"])
    rows = [r for r in rows if (r["command"], r["backend"]) != key] + [row]
    rows.sort(key=lambda r: (r["backend"] != "tensorflow", r["backend"]))
    with replacing(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, list(row), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    sys.exit(main())
