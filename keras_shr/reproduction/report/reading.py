"""The CSV files of a run, read and checked: what is wrong is said by file, line and column."""

import csv
import io
import math
from pathlib import Path

from keras_shr.errors import DataError

CELL = ("method", "architecture", "data", "seed")

# File: the columns it must have, those that hold numbers, and those whose number may be missing.
_SCHEMAS = {
    "cells.csv": ((*CELL, "status"), ()),
    "scores.csv": (
        (*CELL, "group", "kind", "severity", "metric", "decoding", "visibility", "value"),
        ("value", "low", "high", "n"),
    ),
    "draws.csv": ((*CELL, "group", "kind", "metric", "draws"), ()),
    "curves.csv": ((*CELL, "step"), ("epoch", "step", "loss", "auc_clean", "auc_seen", "R", "RUC")),
    "times.csv": (
        (*CELL, "ms_per_step", "device"),
        ("train_seconds", "ms_per_step", "evaluate_seconds"),
    ),
    "surfaces.csv": ((*CELL, "a", "b", "loss"), ("a", "b", "loss")),
    "smoothness.csv": ((*CELL, "image", "smoothness"), ("smoothness",)),
    "frames.csv": (
        ("method", "frame", "keypoint", "x", "y"),
        ("frame", "keypoint", "x", "y", "label_x", "label_y"),
    ),
    "temporal.csv": ((*CELL, "source", "metric", "value"), ("value", "low", "high")),
    "costs.csv": (
        ("method", "seconds_per_step", "ratio", "cpu_ratio", "machine"),
        ("seconds_per_step", "ratio", "cpu_ratio"),
    ),
    "calls.csv": (("date", "command", "version"), ()),
}
_CELL_NUMBERS = (
    "steps",
    "batch_images",
    "image_size",
    "parameters",
    "val_auc_start_last_fifth",
    "val_auc_end",
    "val_auc_gain_last_fifth",
)
FILES = tuple(_SCHEMAS)
STATUSES = ("done", "not run", "failed")  # the last with a colon and a reason


def read_rows(folder, name) -> list[dict]:
    """The rows of one file; numbers as floats (NaN for an empty cell), an empty list without it.

    Lines that start with `#` are comments.

    Raises:
        DataError: a missing column, or a cell that is not what its column holds.
    """
    path = Path(folder) / name
    if not path.is_file():
        return []
    required, numbers = _SCHEMAS[name]
    if name == "cells.csv":
        numbers = _CELL_NUMBERS
    rows = []
    try:
        content = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8 again"
        ) from None
    with io.StringIO(content, newline="") as file:
        lines = ((i, line) for i, line in enumerate(file, 1) if not line.startswith("#"))
        position = [0]

        def text():
            for i, line in lines:
                position[0] = i
                yield line

        reader = csv.reader(text())
        head = next(reader, None)
        if head is None:
            raise DataError(f"{path}: empty; expected columns {', '.join(required)}")
        missing = [column for column in required if column not in head]
        if missing:
            raise DataError(f"{path}: no column {missing[0]!r}; it has {', '.join(head)}")
        converted = [(column, column in numbers) for column in head]
        for fields in reader:
            if len(fields) != len(head):
                raise DataError(
                    f"{path}: line {position[0]} has {len(fields)} fields, expected {len(head)}"
                )
            try:
                rows.append(
                    {
                        column: (float(field) if field else math.nan) if is_number else field
                        for (column, is_number), field in zip(converted, fields, strict=True)
                    }
                )
            except ValueError:
                raise DataError(_not_a_number(path, position[0], converted, fields)) from None
    _check(path, name, rows)
    return rows


def _not_a_number(path, line, converted, fields):
    for (column, is_number), field in zip(converted, fields, strict=True):
        try:
            float(field or 0) if is_number else None
        except ValueError:
            return f"{path}: line {line}: {column} is {field!r}, expected a number"
    return f"{path}: line {line} cannot be read"


def _check(path, name, rows):
    if name == "cells.csv":
        if not rows:
            raise DataError(f"{path}: has no cell")
        seen = set()
        for row in rows:
            if row["status"].partition(":")[0] not in STATUSES:
                raise DataError(
                    f"{path}: status is {row['status']!r}, expected one of {', '.join(STATUSES)}"
                )
            key = tuple(row[column] for column in CELL)
            if key in seen:
                raise DataError(f"{path}: two rows for {', '.join(key)}")
            seen.add(key)
