"""The notebooks: what their files must hold, and (slow) that each runs at small settings."""

import ast
import json
import re
from itertools import chain
from pathlib import Path

import keras
import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "notebooks"
NAMES = (
    "export_and_tflite",
    "fine_tune",
    "measure_robustness",
    "quick_start",
    "train_your_keypoints",
    "your_own_model",
)
# Shown on GitHub with its pictures (python -m benchmarks.notebook_outputs); the others run first.
STORED = "quick_start"
REQUIRED = {"export_and_tflite": "ai_edge_litert", "quick_start": "ipywidgets"}

BADGE = re.compile(
    r"\]\(https://colab\.research\.google\.com/github/([\w.-]+/[\w.-]+)/blob/main/notebooks/"
    r"([\w.-]+)\.ipynb\)"
)
ABSOLUTE = re.compile(r"""(?:^|["'\s(=])(?:/[A-Za-z]|~/|[A-Za-z]:\\)""", re.MULTILINE)
# What an installation may name. TensorFlow, Keras and NumPy are the machine's own.
INSTALLED = {"keras-shr", "ai-edge-litert"}


def read(name):
    return json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))


def sources(book, kind):
    return ["".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == kind]


def without_magics(code):
    return re.sub(r"^(\s*)%.*$", r"\1pass", code, flags=re.MULTILINE)


def test_every_notebook_is_known_to_these_tests():
    assert tuple(sorted(path.stem for path in FOLDER.glob("*.ipynb"))) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_it_is_a_valid_notebook_of_a_moderate_size(name):
    nbformat = pytest.importorskip("nbformat")
    path = FOLDER / f"{name}.ipynb"
    nbformat.validate(nbformat.read(path, as_version=nbformat.NO_CONVERT))
    assert path.stat().st_size < (400_000 if name == STORED else 30_000)


@pytest.mark.parametrize("name", NAMES)
def test_it_begins_with_a_badge_that_opens_itself(name):
    first = read(name)["cells"][0]
    assert first["cell_type"] == "markdown"
    text = "".join(first["source"])
    assert text.startswith("# ")
    assert "**Takes**" in text
    (badge,) = BADGE.findall(text)
    assert badge[1] == name


def test_all_badges_and_installations_name_one_repository():
    books = [read(name) for name in NAMES]
    badges = {repository for book in books for repository, _ in BADGE.findall(json.dumps(book))}
    installed = {
        found
        for book in books
        for found in re.findall(r'REPOSITORY = "https://github\.com/(.*)"', book_code(book))
    }
    assert len(badges) == 1
    assert installed == badges


def book_code(book):
    return "\n".join(sources(book, "code"))


@pytest.mark.parametrize("name", NAMES)
def test_installing_leaves_the_machines_own_packages_alone(name):
    book = read(name)
    lines = [line for line in book_code(book).splitlines() if "pip install" in line]
    assert len(lines) == 1
    (line,) = lines
    assert line.strip().startswith("%pip install -q ")
    assert not re.search(r"==|~=|<|--upgrade|\s-U\b|--force", line)
    named = {re.match(r"[\w-]+", asked).group() for asked in re.findall(r'"([^"]+)"', line)}
    assert "keras-shr" in named
    assert named <= INSTALLED
    # Not where the package is there already, and no extra that brings more than the notebook uses.
    first = sources(book, "code")[0]
    assert 'if importlib.util.find_spec("keras_shr") is None:\n    %pip' in first
    assert "[" not in line


@pytest.mark.parametrize("name", NAMES)
def test_it_is_committed_without_outputs_and_absolute_paths(name):
    for cell in read(name)["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] or name == STORED
            assert cell["execution_count"] is None
            assert not ABSOLUTE.findall("".join(cell["source"]))


def test_stored_outputs_are_pictures_and_words():
    """No warnings of a machine, no errors, no paths, nothing that only a running notebook shows."""
    cells = [cell for cell in read(STORED)["cells"] if cell["cell_type"] == "code"]
    outputs = [output for cell in cells for output in cell["outputs"]]
    pictures = [output["data"] for output in outputs if output["output_type"] == "display_data"]
    assert len(pictures) >= 5
    assert all(list(data) == ["image/jpeg"] for data in pictures)
    words = [output for output in outputs if output["output_type"] != "display_data"]
    assert {(output["output_type"], output["name"]) for output in words} == {("stream", "stdout")}
    assert not ABSOLUTE.findall("".join(chain(*(output["text"] for output in words))))


@pytest.mark.parametrize("name", NAMES)
def test_its_code_can_be_parsed_and_has_a_small_setting(name):
    code = book_code(read(name))
    ast.parse(without_magics(code))
    assert 'SMALL = os.environ.get("KERAS_SHR_NOTEBOOK_SMALL") == "1"' in code


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", NAMES)
def test_it_runs(name, tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    pytest.importorskip(REQUIRED.get(name, "nbclient"))
    if keras.config.backend() != "tensorflow":
        pytest.skip("the notebooks are run on TensorFlow, as in Colab")
    monkeypatch.setenv("KERAS_SHR_NOTEBOOK_SMALL", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")  # else jupyter_core warns of the old ones
    book = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    client = nbclient.NotebookClient(
        book,
        timeout=600,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    )
    client.execute()
    ran = [cell for cell in book.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in ran)
    pictures = sum("image/png" in o.get("data", {}) for cell in ran for o in cell.outputs)
    assert pictures > 0
