"""What `make` does, for any system: python tasks.py setup | demo | test | test-all | lint | docs |
types | audit | matrix | mutate

Each task first brings an environment up to date: `.venv` in the project, made with a Python from
3.11 to 3.13 and installed from requirements.txt; nothing happens where that is done already.
This file is plain enough for an old Python to read and to say which one is needed.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
PYTHONS = ((3, 11), (3, 12), (3, 13))
STAMP = "keras_shr-installed"
TASKS = ("setup", "demo", "test", "test-all", "lint", "docs", "types", "audit", "matrix", "mutate")

# What the second backend runs in `test`: the mathematics, where backends can differ, and a model's
# steps. `test-all` runs everything on both.
JAX_TESTS = (
    "tests/test_heatmaps.py",
    "tests/test_losses.py",
    "tests/test_row_column_correlation.py",
    "tests/metrics",
    "tests/models/test_stable_heatmap_regressor.py",
    "tests/perturbations/test_perturbation_mixture.py",
    "tests/methods",
)


def run(*command, **environment):
    """Runs a command in the project, shows it, and stops with its status where it fails."""
    command = [str(part) for part in command]
    settings = ["{}={}".format(*pair) for pair in environment.items()]
    print("$", " ".join([*settings, os.path.relpath(command[0]), *command[1:]]), flush=True)
    done = subprocess.run(command, cwd=str(ROOT), env=dict(os.environ, **environment))
    if done.returncode:
        sys.exit(done.returncode if done.returncode > 0 else 128 - done.returncode)


def version_of(python):
    """`(major, minor)` of an interpreter, or None where it does not start."""
    code = "import sys; print(*sys.version_info[:2])"
    try:
        shown = subprocess.check_output([python, "-c", code], stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        return None  # such as a pyenv shim without its version
    return tuple(int(part) for part in shown.split())


def find_python():
    """This interpreter if it will do, else one on the path."""
    if sys.version_info[:2] in PYTHONS:
        return sys.executable
    for version in reversed(PYTHONS):
        python = shutil.which("python{}.{}".format(*version))
        if python and version_of(python) == version:
            return python
    known = ", ".join("{}.{}".format(*version) for version in PYTHONS)
    sys.exit(
        "keras_shr needs one of Python {}; this is {}.{} and none of them is on the path.".format(
            known, *sys.version_info[:2]
        )
    )


def program(environment, name):
    folder, suffix = ("Scripts", ".exe") if os.name == "nt" else ("bin", "")
    return environment / folder / (name + suffix)


def fingerprint(python):
    """Changes with whatever an installation depends on."""
    digest = hashlib.sha256(repr(version_of(python)).encode())
    for name in ("requirements.txt", "pyproject.toml", "setup.py"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def prepare(environment):
    """Makes or updates the virtual environment, if it is not as the project's files want it."""
    python, stamp = program(environment, "python"), environment / STAMP
    if stamp.exists() and python.exists() and stamp.read_text() == fingerprint(str(python)):
        return
    start = time.time()
    if not python.exists() or version_of(str(python)) not in PYTHONS:
        run(find_python(), "-m", "venv", "--clear", environment)
    pip = (python, "-m", "pip", "--disable-pip-version-check")
    run(*pip, "install", "--quiet", "-r", "requirements.txt", "-e", ".")
    if subprocess.run([str(python), "-c", "import cv2"], stderr=subprocess.DEVNULL).returncode:
        # The perturbation library asks for the OpenCV with windows, which needs libGL of the
        # system. Servers and containers lack it; the build without windows does the same work.
        run(*pip, "uninstall", "--quiet", "--yes", "opencv-python")
        run(*pip, "install", "--quiet", "opencv-python-headless")
        run(python, "-c", "import cv2")
    stamp.write_text(fingerprint(str(python)))
    print(f"environment ready in {time.time() - start:.0f} s", flush=True)


def test(environment, everything, arguments):
    """The suite on TensorFlow, then on JAX with TensorFlow hidden; `everything`: slow tests too."""
    pytest = [program(environment, "python"), "-m", "pytest"]
    if everything:  # what their tests need, which would be skipped
        with_extra(environment, "notebooks", "nbclient, nbformat, ipykernel, ipywidgets")
        with_extra(environment, "app", "gradio")
    else:
        pytest += ["-m", "not slow"]
    if not everything and not arguments and (os.cpu_count() or 1) > 1:
        # Two processes, whose files keep their fixtures; slow tests start several by themselves.
        pytest += ["-n", "2", "--dist", "loadfile"]
    jax = [] if everything or arguments else list(JAX_TESTS)
    run(*pytest, *arguments, KERAS_BACKEND="tensorflow")
    run(*pytest, "-p", "tests.hide_tensorflow", *jax, *arguments, KERAS_BACKEND="jax")


def with_extra(environment, extra, module):
    """The environment's Python, after installing an extra of the project that has `module`."""
    python = program(environment, "python")
    code = "import " + module
    if subprocess.run([str(python), "-c", code], stderr=subprocess.DEVNULL).returncode:
        pip = (python, "-m", "pip", "--disable-pip-version-check")
        run(*pip, "install", "--quiet", "-e", f".[{extra}]")
    return python


def docs(environment, arguments):
    """The API reference as HTML in site/api, from the docstrings."""
    python = with_extra(environment, "docs", "pdoc")
    run(python, "docs/api/make.py", *(arguments or ["site/api"]))


def types(environment, arguments):
    """The type hints, as users' checkers read them."""
    run(with_extra(environment, "types", "mypy"), "-m", "mypy", *arguments)


def audit(environment, arguments):
    """Known vulnerabilities of what is installed; recorded with the date."""
    python = with_extra(environment, "audit", "pip_audit")
    run(python, "benchmarks/audit.py", *(arguments or ["--output", "results/audit.csv"]))


def mutate(environment, arguments):
    """Takes each protection out of a copy of the tree and shows the test that then fails."""
    run(program(environment, "python"), "-m", "tests.mutations", *arguments)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=TASKS)
    parser.add_argument(
        "--environment", type=Path, default=ROOT / ".venv", help="folder of the environment"
    )
    parser.add_argument("arguments", nargs="*", help="passed on, after --, to the task's program")
    options = parser.parse_args()
    environment = options.environment.absolute()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if options.task == "matrix":  # has environments of its own
        run(find_python(), "benchmarks/versions.py", *options.arguments)
        return
    prepare(environment)
    if options.task == "demo":
        program_ = program(environment, "keras-shr")
        run(program_, "demo", "--output", "demo_output", *options.arguments)
    elif options.task == "lint":
        ruff = program(environment, "ruff")
        run(ruff, "check", ".")
        run(ruff, "format", "--check", ".")
    elif options.task in ("docs", "types", "audit", "mutate"):
        tasks = {"docs": docs, "types": types, "audit": audit, "mutate": mutate}
        tasks[options.task](environment, options.arguments)
    elif options.task != "setup":
        test(environment, options.task == "test-all", options.arguments)


if __name__ == "__main__":
    main()
