"""The tables of a run, put together from its cells in the order of the plan.

They are written anew after each cell, so they do not depend on who finished what and when; times,
which do, have a table of their own.
"""

import csv
import io
from pathlib import Path

from keras_shr.evaluation.scores import FIELDS
from keras_shr.files import read_json, write_text
from keras_shr.methods import METHODS
from keras_shr.reproduction.one_cell import DONE, SCORES, cell_config, time_row

KEY = ("method", "architecture", "data", "seed")
_STEPS = ("steps", "batch_images", "image_size", "parameters", "pair")
_FIFTH = ("val_auc_start_last_fifth", "val_auc_end", "val_auc_gain_last_fifth")
_CURVE = {"loss": "loss"} | {key: f"val_{key}" for key in ("auc_clean", "auc_seen", "R", "RUC")}
TABLES = {
    "cells.csv": (*KEY, "status", *_STEPS, *_FIFTH),
    "scores.csv": (*KEY, *FIELDS[2:]),
    "curves.csv": (*KEY, "epoch", "step", *_CURVE),
    "times.csv": (
        *KEY,
        *("train_seconds", "ms_per_step", "evaluate_seconds", "backend", "device", "versions"),
    ),
}
"""File → columns."""


def write_tables(output, cells, size, data):
    """Writes every table of the run in `output`."""
    output = Path(output)
    rows = {name: [] for name in TABLES}
    for cell in cells:
        folder = output / "cells" / cell.key
        config = cell_config(cell, size, data[cell.data])
        done = read_json(folder / DONE)
        status = "done" if done else read_failure(folder) or "not run"
        row = cell.columns | {
            "status": status,
            "steps": size.steps,
            "batch_images": size.images_per_step,
            "image_size": size.image_size,
            "pair": METHODS[cell.method].views > 1,
        }
        if done:
            curve = _curve(folder, cell, config)
            row |= {"parameters": done["parameters"]} | _last_fifth(curve)
            rows["curves.csv"] += curve
            rows["scores.csv"] += [found | cell.columns for found in _read(folder / SCORES)]
            rows["times.csv"].append(time_row(cell, folder))
        rows["cells.csv"].append(row)
    for name, columns in TABLES.items():
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows[name])
        write_text(output / name, text.getvalue())


def read_failure(folder):
    """Why a cell failed, in one line, or None."""
    try:
        return "failed: " + (folder / "failed.txt").read_text(encoding="utf-8").splitlines()[0]
    except FileNotFoundError:
        return None


def _read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _curve(folder, cell, config):
    return [
        cell.columns
        | {"epoch": row["epoch"], "step": int(row["epoch"]) * config.steps_per_epoch}
        | {column: row.get(source, "") for column, source in _CURVE.items()}
        for row in _read(folder / "history.csv")
    ]


def _last_fifth(curve):
    """Whether training had converged: what the last fifth of it still gained."""
    start = float(curve[int(0.8 * len(curve)) - 1]["auc_clean"])
    end = float(curve[-1]["auc_clean"])
    return dict(zip(_FIFTH, (f"{v:.6g}" for v in (start, end, end - start)), strict=True))
