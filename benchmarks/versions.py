"""Does a wheel of this tree work with each Python and each end of the dependencies' ranges?

    python benchmarks/versions.py --output results/versions.csv

Needs nothing but the standard library. For each Python from 3.11 to 3.13 that is found here, and
for the lowest and the highest versions that requirements.txt allows (chosen by uv), one after the
other: an empty environment outside of the checkout, the wheel in it, the README's example, and a
choice of the tests on TensorFlow and on JAX, all with the wheel's code. Environments are large and
are deleted at once. Ends with status 1 if something failed.
"""

import argparse
import csv
import datetime
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ("3.11", "3.12", "3.13")
ENDS = {"lower": "lowest-direct", "upper": "highest"}
FIELDS = ("date", "python", "set", "what", "outcome", "seconds", "detail", "versions")
SHOWN = (
    *("keras", "tensorflow", "tensorflow-cpu", "jax", "numpy", "scipy", "pillow", "matplotlib"),
    *("imagecorruptions-imaug", "keras-cv", "ai-edge-litert", "onnx", "onnxruntime", "pytest"),
)
COMPILED = (
    *("numpy", "scipy", "pillow", "matplotlib", "tensorflow", "jaxlib", "h5py", "ml-dtypes"),
    *("opencv-python", "scikit-image", "numba", "llvmlite", "onnx", "onnxruntime", "grpcio"),
)
"""Taken as wheels: a version that has none for a Python is not one for it."""
MATHEMATICS = (
    "tests/test_heatmaps.py",
    "tests/test_losses.py",
    "tests/test_row_column_correlation.py",
    "tests/metrics",
)
TESTS = {
    "tensorflow": (
        *MATHEMATICS,
        "tests/layers",
        "tests/models/test_model_saving.py",
        "tests/models/test_model_compiling.py",
        "tests/perturbations/test_perturbation_parity.py",
        "tests/perturbations/test_perturbation_reference.py",
        "tests/data/test_data_tfrecord.py",
        "tests/data/test_data_coco_folder.py",
        "tests/data/test_data_rhd_stb.py",
        "tests/export/test_export_files.py",
        "tests/prediction/test_predictor.py",
        "tests/cli",
        # Defences that old packages may not share.
        "tests/accidents/test_hostile_models.py",
        "tests/accidents/test_hostile_matlab.py",
        "tests/accidents/test_hostile_names.py",
        "tests/accidents/test_hostile_pickles.py",
        "tests/accidents/test_hostile_records.py",
        "tests/accidents/test_pictures.py",
    ),
    "jax": MATHEMATICS,
}


def find_pythons():
    """`"3.12"` → interpreter: on the path, or among pyenv's versions."""
    roots = [Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"]
    found = {}
    for version in PYTHONS:
        candidates = [shutil.which(f"python{version}")]
        for root in roots:
            candidates += sorted(root.glob(f"{version}.*/bin/python"), reverse=True)
        for candidate in filter(None, candidates):
            code = "import sys, venv, ssl; print('%d.%d' % sys.version_info[:2])"
            shown = subprocess.run([candidate, "-c", code], capture_output=True, text=True)
            if shown.stdout.strip() == version:
                found[version] = str(candidate)
                break
    return found


class Step(Exception):
    """A command that failed; the message is its last line."""


def call(*command, folder, log, timeout=1800, **environment):
    """Runs a command with its output in `log`; raises `Step` with the end of it on failure."""
    # Nothing of the checkout may be imported in place of the wheel.
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    with open(log, "a", encoding="utf-8") as file:
        file.write("$ " + " ".join(map(str, command)) + "\n")
        file.flush()
        try:
            done = subprocess.run(
                [str(part) for part in command],
                cwd=folder,
                env=kept | {"TF_CPP_MIN_LOG_LEVEL": "2"} | environment,
                stdout=file,
                stderr=subprocess.STDOUT,
                timeout=timeout,
            )
        except subprocess.TimeoutExpired:
            raise Step(f"stopped after {timeout} s") from None
    lines = [line for line in Path(log).read_text(encoding="utf-8").splitlines() if line.strip()]
    if done.returncode:
        raise Step(lines[-1][:300])
    return lines[-1][:300]


def copy_tree(target):
    """The files of the project, tracked or about to be, without what git ignores."""
    listed = subprocess.check_output(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], cwd=ROOT, text=True
    )
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


class Cell:
    """One Python with one end of the ranges, in a folder of its own that is deleted afterwards."""

    def __init__(self, folder, version, end, python, common):
        self.folder, self.version, self.end, self.python = folder, version, end, python
        self.wheel, self.tree, self.uv, self.log = common
        self.program = folder / "environment" / "bin" / "python"

    def steps(self):
        """Names and functions, in order; a function returns a line of detail."""
        yield "install the wheel", self.install
        for backend in TESTS:
            yield f"tests, {backend}", lambda b=backend: self.tests(b)
        for backend in TESTS:
            yield f"README example, {backend}", lambda b=backend: self.example(b)

    def install(self):
        run = {"folder": self.folder, "log": self.log}
        call(self.python, "-m", "venv", "environment", **run)
        chosen = self.folder / "chosen.txt"
        call(
            *(self.uv, "pip", "compile", "--quiet", self.tree / "requirements.txt"),
            *("--resolution", ENDS[self.end], "--python", self.program, "--output-file", chosen),
            *(part for name in COMPILED for part in ("--only-binary", name)),
            **run,
        )
        wheel = f"keras-shr @ {self.wheel.as_uri()}"
        install = (self.uv, "pip", "install", "--quiet", "--python", self.program)
        call(*install, "--requirements", chosen, wheel, **run)
        code = "import cv2"
        if subprocess.run([self.program, "-c", code], stderr=subprocess.DEVNULL).returncode:
            # As tasks.py does: the OpenCV with windows needs libGL of the system.
            uninstall = (self.uv, "pip", "uninstall", "--quiet", "--python", self.program)
            call(*uninstall, "opencv-python", **run)
            name = "opencv-python-headless"
            pinned = [line for line in chosen.read_text().splitlines() if "opencv-python=" in line]
            call(*install, pinned[0].split()[0].replace("opencv-python", name), **run)
        return "installed"

    def versions(self):
        """What is installed, in one line."""
        code = (
            "import importlib.metadata as m\n"
            "for d in m.distributions(): print(d.metadata['Name'].lower(), d.version)"
        )
        lines = subprocess.check_output([self.program, "-c", code], text=True).splitlines()
        found = dict(line.split() for line in lines)
        return " ".join(f"{name}=={found[name]}" for name in SHOWN if name in found)

    def example(self, backend):
        place = self.folder / f"example_{backend}"
        place.mkdir()
        return call(
            *(self.program, self.tree / "tests" / "readme_example.py", self.tree / "README.md"),
            folder=place,
            log=self.log,
            KERAS_BACKEND=backend,
        ).replace(str(self.folder), "")

    def tests(self, backend):
        options = () if backend == "tensorflow" else ("-p", "tests.hide_tensorflow")
        if self.end == "lower":
            # Old packages call what their newer dependencies have deprecated; elsewhere any warning
            # is an error.
            options += ("-W", "default::DeprecationWarning", "-W", "default::FutureWarning")
        return call(
            *(self.program, "-m", "pytest", "-m", "not slow", *options, *TESTS[backend]),
            folder=self.tree,
            log=self.log,
            KERAS_BACKEND=backend,
        )


def run_cell(cell, output) -> list[dict]:
    """Rows of the table, written as they come; after a failed installation there are no more."""
    rows, versions = [], ""
    for what, step in cell.steps():
        start = time.monotonic()
        try:
            outcome, detail = "ok", step()
        except Step as error:
            outcome, detail = "FAILED", str(error)
        if what == "install the wheel" and outcome == "ok":
            versions = cell.versions()
        rows.append(
            {
                "date": datetime.date.today().isoformat(),
                "python": cell.version,
                "set": cell.end,
                "what": what,
                "outcome": outcome,
                "seconds": round(time.monotonic() - start),
                "detail": detail,
                "versions": versions,
            }
        )
        write(output, rows)
        print("  {outcome:6}  {seconds:4} s  {what}: {detail}".format(**rows[-1]), flush=True)
        if not versions:
            break
    return rows


def write(path, rows):
    """The table, the rows of other cells kept; replaced in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    done = {(row["python"], row["set"]) for row in rows}
    if path.exists():
        with open(path, newline="", encoding="utf-8") as file:
            kept = [row for row in csv.DictReader(file) if (row["python"], row["set"]) not in done]
        rows = [*kept, *rows]
    rows = sorted(rows, key=lambda row: (row["python"], row["set"]))
    partial = path.with_suffix(".partial")
    with open(partial, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        writer.writerows(rows)
    os.replace(partial, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pythons", nargs="+", default=PYTHONS, choices=PYTHONS)
    parser.add_argument("--sets", nargs="+", default=list(ENDS), choices=ENDS)
    parser.add_argument("--output", type=Path, default=ROOT / "results" / "versions.csv")
    parser.add_argument("--log", type=Path, help="file for the output of all commands")
    options = parser.parse_args()
    found = find_pythons()
    missing = [version for version in options.pythons if version not in found]
    failed = bool(missing)
    for version in missing:
        print(f"Python {version} is not on this machine: skipped")
    with tempfile.TemporaryDirectory(prefix="keras_shr_versions_") as folder:
        folder = Path(folder)
        log = options.log or folder / "log.txt"
        tools, tree = folder / "tools", folder / "tree"
        copy_tree(tree)
        run = {"folder": folder, "log": log}
        call(sys.executable, "-m", "venv", tools, **run)
        call(tools / "bin" / "pip", "install", "--quiet", "uv>=0.9", **run)
        uv = tools / "bin" / "uv"
        call(uv, "build", "--quiet", "--wheel", "--out-dir", folder / "wheel", tree, **run)
        (wheel,) = (folder / "wheel").glob("*.whl")
        shutil.rmtree(tree / "keras_shr")  # what the tests import is the wheel
        for version in options.pythons:
            for end in options.sets if version in found else ():
                print(f"Python {version}, {end} ends", flush=True)
                place = folder / f"{version}_{end}"
                place.mkdir()
                common = (wheel, tree, uv, log)
                rows = run_cell(Cell(place, version, end, found[version], common), options.output)
                failed |= any(row["outcome"] != "ok" for row in rows)
                shutil.rmtree(place)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
