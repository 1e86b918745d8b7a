"""Does the perturbations' test suite notice a wrong constant? Each one times 1.2 and 0.8.

    KERAS_BACKEND=tensorflow python benchmarks/perturbation_mutations.py

Every wrong constant is planted alone, and the suites run for its kind: `parity` (the reference's
own draws, mean absolute difference), `distribution` (statistics of 200 pictures, own draws), and
where neither sees it the tests that look at that constant in particular. `killed_by` names those
that fail; `largest_statistic_over_bound` above 1 is a failure of one of the first two. What
survives has its reason in `note`.
"""

import argparse
import csv
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FIELDS = (
    "kind",
    "constant",
    "severity",
    "factor",
    "killed_by",
    "statistic",
    "largest_statistic_over_bound",
    "note",
    "command",
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", default=ROOT / "results" / "perturbation_mutations.csv")
    parser.add_argument("--kinds", nargs="*", help="all by default")
    arguments = parser.parse_args()
    sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "perturbations")]
    from perturbation_constants import EQUIVALENT
    from perturbation_mutants import judge, mutants, soundness

    from keras_shr.files import replacing
    from keras_shr.perturbations import ALL_PERTURBATIONS

    rows, surprises = [], 0
    command = "python benchmarks/perturbation_mutations.py"
    for kind in arguments.kinds or ALL_PERTURBATIONS:
        started, survivors = time.perf_counter(), 0
        if not soundness(kind) < 1.0:
            sys.exit(f"{kind} fails without a mutant: {soundness(kind):.3g} times its bound")
        group = mutants(kind)
        for mutant in group:
            verdict = judge(mutant)
            row = {
                "kind": kind,
                "constant": mutant.constant,
                "severity": verdict.severity,
                "factor": mutant.factor,
                "killed_by": "; ".join(verdict.killed_by) or "survived",
                "statistic": verdict.statistic,
                "largest_statistic_over_bound": f"{verdict.excess:.3g}",
                "note": "",
                "command": command,
            }
            if not verdict.killed_by:
                survivors += 1
                row["note"] = EQUIVALENT.get(mutant.key, "")
                surprises += not row["note"]
                print(*(row[f] for f in FIELDS[:8]), sep=" | ", flush=True)
            rows.append(row)
        seconds = time.perf_counter() - started
        print(f"{kind}: {len(group)} mutants, {survivors} survived, {seconds:.0f} s", flush=True)
    alive = sum(row["killed_by"] == "survived" for row in rows)
    print(
        f"{len(rows)} mutants, {len(rows) - alive} killed, {alive} survived, "
        f"{surprises} of them without a reason"
    )
    with replacing(arguments.output) as path, open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return surprises > 0


if __name__ == "__main__":
    sys.exit(main())
