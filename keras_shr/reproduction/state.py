"""The small files by which a run of `reproduce` knows what it is and how far it is."""

import csv
from pathlib import Path

from keras_shr.errors import DataError, shown
from keras_shr.files import read_json

PLAN = "plan.json"
FACTS = "facts.json"
TIMES = "times.json"


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_text(value):
    return isinstance(value, str)


def _is_list_of_text(value):
    return isinstance(value, list) and all(map(_is_text, value))


def _is_object_of_text(value):
    return isinstance(value, dict) and all(map(_is_text, value.values()))


def _is_video(value):
    return value is None or (
        isinstance(value, dict) and all(_is_text(value.get(k)) for k in ("data", "fingerprint"))
    )


_PLAN_FIELDS = {
    "size": (lambda v: isinstance(v, dict), "an object of settings"),
    "data": (_is_object_of_text, "an object of data sets"),
    "suites": (_is_list_of_text, "a list of suites"),
    "seeds": (lambda v: type(v) is int and v > 0, "a number above 0"),
    "video": (_is_video, "an object with data and fingerprint, or nothing"),
    "tests": (lambda v: v is None or _is_object_of_text(v), "an object of texts, or nothing"),
}
_FACTS_FIELDS = {
    "parameters": (lambda v: type(v) is int, "a number"),
    "evaluate_seconds": (lambda v: v == "" or _is_number(v), "a number, or empty"),
    **dict.fromkeys(("backend", "device", "versions"), (_is_text, "text")),
}


def read_plan(output) -> dict | None:
    """What the folder of a run was begun with, or None where nothing was.

    Raises:
        DataError: it is damaged.
    """
    return read_json(Path(output) / PLAN, _PLAN_FIELDS)


def read_facts(folder) -> dict | None:
    """What is known of a finished cell, or None where it is not finished.

    Raises:
        DataError: it is damaged.
    """
    return read_json(Path(folder) / FACTS, _FACTS_FIELDS)


def read_times(folder) -> list[dict]:
    """Seconds of each epoch of a cell and of a step in it.

    Raises:
        DataError: it is damaged.
    """
    path = Path(folder) / TIMES
    # A kill between an epoch's backup and its time leaves no time, of the only epoch perhaps.
    found = read_json(path)
    found = [] if found is None else found
    if not isinstance(found, list) or not all(
        isinstance(entry, dict) and all(_is_number(entry.get(k)) for k in ("seconds", "step"))
        for entry in found
    ):
        raise DataError(
            f"{path}: holds {shown(found)}, expected a list of objects with seconds and step; "
            "remove the file to start over"
        )
    return found


def read_table(path) -> list[dict]:
    """The rows of a CSV file of ours as text, none where there is no such file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
