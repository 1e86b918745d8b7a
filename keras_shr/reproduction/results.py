"""The tables of a run, put together from its cells in the order of the plan.

They are written anew after each cell, so they do not depend on who finished what and when; times,
which do, have a table of their own.
"""

import csv
import io
from pathlib import Path

import numpy as np

from keras_shr.evaluation.scores import FIELDS
from keras_shr.files import replacing, write_text
from keras_shr.methods import METHODS
from keras_shr.reproduction.kept import rows_by_cell
from keras_shr.reproduction.measures import (
    EXTRA_KINDS,
    PEAKS,
    SCORES,
    TEMPORAL,
    VIDEO,
    motion,
    peaks,
    surface,
)
from keras_shr.reproduction.measures.base import DRAW_COLUMNS, draws_file
from keras_shr.reproduction.one_cell import cell_config, is_done, time_row
from keras_shr.reproduction.state import read_facts, read_table

KEY = ("method", "architecture", "data", "seed")
_STEPS = ("steps", "batch_images", "image_size", "parameters", "pair")
_FIFTH = ("val_auc_start_last_fifth", "val_auc_end", "val_auc_gain_last_fifth")
_CURVE = {"loss": "loss"} | {key: f"val_{key}" for key in ("auc_clean", "auc_seen", "R", "RUC")}
TABLES = {
    "cells.csv": (*KEY, "status", *_STEPS, *_FIFTH),
    "scores.csv": (*KEY, *FIELDS[2:]),
    "draws.csv": (*KEY, *DRAW_COLUMNS),
    "curves.csv": (*KEY, "epoch", "step", *_CURVE),
    "times.csv": (
        *KEY,
        *("train_seconds", "ms_per_step", "evaluate_seconds", "backend", "device", "versions"),
    ),
    "temporal.csv": (*KEY, *motion.COLUMNS),
    "frames.csv": (*KEY, *motion.FRAME_COLUMNS),
    "surfaces.csv": (*KEY, *surface.COLUMNS),
    "smoothness.csv": (*KEY, "image", "smoothness"),
}
"""File → columns."""
_PARTS = {
    "scores.csv": (SCORES.file, EXTRA_KINDS.file),
    "draws.csv": tuple(draws_file(m.file) for m in (SCORES, EXTRA_KINDS, TEMPORAL, VIDEO)),
    "temporal.csv": (TEMPORAL.file, VIDEO.file),
    **{name: (name,) for name in ("surfaces.csv", "smoothness.csv")},
}


def write_tables(output, cells, kept, size, data, tests=None):
    """Writes every table of the run in `output`.

    Args:
        output: the run's folder.
        cells: of the plan.
        kept: those of them whose rows stay as they are.
        size: `Size`.
        data: name → `DataSet`.
        tests: name → `KeypointData`, for the pictures of Figures 1 and 5; without them these
            stay as they are.
    """
    output = Path(output)
    rows: dict = {name: [] for name in TABLES}
    before = {name: rows_by_cell(output / name) for name in TABLES} if kept else {}
    for cell in cells:
        if cell in kept:
            for name in TABLES:
                rows[name] += before[name].get(cell, [])
            continue
        folder = output / "cells" / cell.key
        config = cell_config(cell, size, data[cell.data])
        facts = read_facts(folder)
        status = "done" if is_done(cell, folder, False) else read_failure(folder) or "not run"
        row = cell.columns | {
            "status": status,
            "steps": size.steps,
            "batch_images": size.images_per_step,
            "image_size": size.image_size,
            "pair": METHODS[cell.method].views > 1,
        }
        if facts:
            curve = _curve(folder, cell, config)
            row |= {"parameters": facts["parameters"]} | _last_fifth(curve)
            rows["curves.csv"] += curve
            rows["times.csv"].append(time_row(cell, folder, facts))
            for name, files in _PARTS.items():
                for file in files:
                    rows[name] += [found | cell.columns for found in read_table(folder / file)]
            if _is_shown(cell, cells):
                rows["frames.csv"] += [f | cell.columns for f in read_table(folder / "frames.csv")]
        rows["cells.csv"].append(row)
    for name, columns in TABLES.items():
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows[name])
        write_text(output / name, text.getvalue())
    # Kept cells have no maps from which the pictures could be put together anew.
    if tests and not any(_is_shown(cell, cells) for cell in kept):
        _write_pictures(output, cells, tests, bool(rows["frames.csv"]), size)


def _is_shown(cell, cells):
    """Whether Figures 1 and 5 show the cell: some methods, the first data set, the first seed."""
    return PEAKS.applies(cell) and cell.data == cells[0].data


def _write_pictures(output, cells, tests, frames, size):
    """`frames.npz` and `peaks.npz`: what Figures 1 and 5 are drawn on."""
    if frames:
        images = motion.sequence(0, size.image_size).images[motion.SHOWN.start : motion.SHOWN.stop]
        _save(output / "frames.npz", images=images)
    found = {}
    for cell in cells:
        path = output / "cells" / cell.key / PEAKS.file
        if _is_shown(cell, cells) and path.exists():
            with np.load(path) as file:
                found[cell.method] = file["maps"].astype("float32")
    if "baseline" in found:
        _save(output / "peaks.npz", **peaks.examples(found, tests[cells[0].data]))


def _save(path, **arrays):
    with replacing(path) as temporary:
        np.savez_compressed(temporary, **arrays)


def read_failure(folder):
    """Why a cell failed, in one line, or None."""
    try:
        return "failed: " + (folder / "failed.txt").read_text(encoding="utf-8").splitlines()[0]
    except FileNotFoundError:
        return None


def _curve(folder, cell, config):
    return [
        cell.columns
        | {"epoch": row["epoch"], "step": int(row["epoch"]) * config.steps_per_epoch}
        | {column: row.get(source, "") for column, source in _CURVE.items()}
        for row in read_table(folder / "history.csv")
    ]


def _last_fifth(curve):
    """Whether training had converged: what the last fifth of it still gained, if it has one."""
    if len(curve) < 5:
        return {}
    start = float(curve[int(0.8 * len(curve)) - 1]["auc_clean"])
    end = float(curve[-1]["auc_clean"])
    return dict(zip(_FIFTH, (f"{v:.6g}" for v in (start, end, end - start)), strict=True))
