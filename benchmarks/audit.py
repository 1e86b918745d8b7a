"""Known vulnerabilities of the packages in this environment, by pip-audit, recorded with the date.

    python benchmarks/audit.py --output results/audit.csv

Asks the Python Packaging Advisory Database by way of PyPI about what `pip` lists here, whole
environment. Ends with status 1 if there is one that is not among `ACCEPTED`, or if the service did
not answer.
"""

import argparse
import csv
import datetime
import json
import os
import subprocess
import sys
from pathlib import Path

FIELDS = ("date", "packages", "package", "version", "vulnerability", "fixed_in", "outcome", "why")
ACCEPTED = {}
"""Identifier → why it does no harm here. None at present."""
TOOLS = ("pip", "setuptools")
"""They install; nothing of the package runs them."""


def ask(path=None):
    """pip-audit's answer about this environment, or the one whose packages lie in `path`."""
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"]
    command += ["--skip-editable", "--local"] if path is None else ["--path", str(path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if not done.stdout.strip():
        sys.exit("pip-audit gave no answer; see its message above")
    return json.loads(done.stdout)["dependencies"]


def rows_of(packages):
    """One row for each vulnerability, or one that says that there is none."""
    today = datetime.date.today().isoformat()
    count = sum("vulns" in package for package in packages)
    left_out = [package["name"] for package in packages if "vulns" not in package]
    rows = []
    if len(left_out) > len(packages) // 10:  # such as a mirror that has no advisories
        why = f"the service knows nothing of {len(left_out)} of {len(packages)} packages"
        rows.append({"outcome": "NOT CHECKED", "why": why})
    for package in packages:
        for found in package.get("vulns", ()):
            names = [found["id"], *found.get("aliases", ())]
            why = next((ACCEPTED[name] for name in names if name in ACCEPTED), "")
            if package["name"] in TOOLS:
                why = why or "a tool of the environment, not a dependency"
            rows.append(
                {
                    "package": package["name"],
                    "version": package["version"],
                    "vulnerability": " ".join(names),
                    "fixed_in": " ".join(found.get("fix_versions", ())),
                    "outcome": "accepted" if why else "OPEN",
                    "why": why,
                }
            )
    rows = rows or [{"outcome": "none known"}]
    return [{"date": today, "packages": count} | row for row in rows]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, help="CSV for the result")
    parser.add_argument("--path", type=Path, help="site-packages of another environment")
    options = parser.parse_args()
    rows = rows_of(ask(options.path))
    for row in rows:
        print(" ".join(str(value) for value in row.values() if value))
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        partial = options.output.with_suffix(".partial")
        with open(partial, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, FIELDS)
            writer.writeheader()
            writer.writerows(rows)
        os.replace(partial, options.output)
    sys.exit(1 if any(row["outcome"] in ("OPEN", "NOT CHECKED") for row in rows) else 0)


if __name__ == "__main__":
    main()
