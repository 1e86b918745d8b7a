"""Files that are either the old one or the new one, whenever the process is killed."""

import contextlib
import json
import os
import shutil
from pathlib import Path

from keras_shr.errors import DataError

_PARTIAL = ".partial-"


@contextlib.contextmanager
def replacing(path):
    """A temporary path in the same folder to write to; it becomes `path` when the block ends."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Keras and NumPy tell formats by the end of a name, so the mark stands in front.
    temporary = path.with_name(f"{_PARTIAL}{os.getpid()}-{path.name}")
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(path):
    """A temporary name beside `path` for a new folder; it becomes `path` when the block ends well.

    What was there is deleted: check before that it is what the new folder replaces.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{_PARTIAL}{os.getpid()}-{path.name}")
    old = path.with_name(f"{_PARTIAL}{os.getpid()}-old-{path.name}")
    try:
        yield temporary
        # A folder cannot be replaced in one step; the old one stands until the new one is whole.
        if path.exists():
            os.replace(path, old)
        os.replace(temporary, path)
    finally:
        if old.exists() and not path.exists():
            os.replace(old, path)
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def remove_leftovers(path):
    """Remove what killed runs left of their attempts to write `path`; its name may be a pattern."""
    for leftover in Path(path).parent.glob(f"{_PARTIAL}*-{Path(path).name}"):
        leftover.unlink(missing_ok=True)


def write_text(path, text):
    """Write UTF-8 text to `path` by way of a temporary file."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_bytes(path, content):
    """Write bytes to `path` by way of a temporary file."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_json(path, value):
    """Write indented JSON to `path` by way of a temporary file."""
    write_text(path, json.dumps(value, indent=1) + "\n")


def read_json(path):
    """The content of a JSON file, or None where there is no such file.

    Raises:
        DataError: it is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({error}); remove the file to start over") from None
