"""One row a model: the headline figures, the differences between models, and a table of them."""

import csv
import io
import math

import numpy as np

from keras_shr.evaluation.protocol import EXTRA, SEEN, UNSEEN

CONSTANT = 0.1
"""A network whose answers spread less than this share of the labels' spread answers a constant."""

# Key in the summary: metric, group, decoding, which direction is better (0: neither).
HEADLINES = {
    "auc_clean": ("auc", "clean", "argmax", 1),
    "auc_seen": ("auc", SEEN, "argmax", 1),
    "auc_unseen": ("auc", UNSEEN, "argmax", 1),
    "auc_perturbed": ("auc", "all", "argmax", 1),
    "R_seen": ("R", SEEN, "argmax", -1),
    "R_unseen": ("R", UNSEEN, "argmax", -1),
    "R": ("R", "all", "argmax", -1),
    "RUC_seen": ("RUC", SEEN, "argmax", 1),
    "RUC_unseen": ("RUC", UNSEEN, "argmax", 1),
    "RUC": ("RUC", "all", "argmax", 1),
    "auc_extra": ("auc", EXTRA, "argmax", 1),
    "R_extra": ("R", EXTRA, "argmax", -1),
    "RUC_extra": ("RUC", EXTRA, "argmax", 1),
    "epe_clean": ("epe", "clean", "argmax", -1),
    "D_n": ("D_n", "clean", "argmax", -1),
    "D_(1)(2)": ("D_(1)(2)", "clean", "argmax", 1),
    "theorem3": ("theorem3", "all", "argmax", 1),
    "unmoved": ("unmoved", "all", "argmax", 1),
    "score": ("score", "clean", "argmax", 0),
    "auc_clean_hand3d": ("auc_hand3d", "clean", "argmax", 1),
    "auc_clean_mmpose": ("auc_mmpose", "clean", "argmax", 1),
    "auc_clean_subpixel": ("auc", "clean", "subpixel", 1),
    "auc_seen_subpixel": ("auc", SEEN, "subpixel", 1),
    "auc_unseen_subpixel": ("auc", UNSEEN, "subpixel", 1),
    "R_subpixel": ("R", "all", "subpixel", -1),
    "R_seen_subpixel": ("R", SEEN, "subpixel", -1),
    "R_unseen_subpixel": ("R", UNSEEN, "subpixel", -1),
    "RUC_subpixel": ("RUC", "all", "subpixel", 1),
    "RUC_seen_subpixel": ("RUC", SEEN, "subpixel", 1),
    "RUC_unseen_subpixel": ("RUC", UNSEEN, "subpixel", 1),
}
_COMPARED = (
    *("auc_clean", "auc_seen", "auc_unseen", "auc_extra"),
    *("RUC_seen", "RUC_unseen", "RUC_extra", "R_seen", "R_unseen", "R_extra"),
)


def headline(scores, key, neighbours):
    """The row of a headline figure of one model, or None where there is none."""
    metric, group, decoding, _ = HEADLINES[key]
    return scores.value(f"D_{neighbours}" if metric == "D_n" else metric, group, decoding)


def summarize(scores, data, protocol) -> list[dict]:
    """One flat dict a model: each headline with `_low` and `_high`, blank (None) without a value.

    Args:
        scores: list of `Scores`.
        data: `KeypointData`.
        protocol: `Protocol`.
    """
    rows = []
    for one in scores:
        row = {"model": one.model, "data": data.name, "images": len(data)}
        for key in HEADLINES:
            found = headline(one, key, protocol.neighbours)
            name = f"D_{protocol.neighbours}" if key == "D_n" else key
            for suffix, part in (("", "value"), ("_low", "low"), ("_high", "high")):
                row[name + suffix] = _plain(found[part]) if found else None
        row["variety"] = _plain(one.variety)
        row["warning"] = _warning(one)
        rows.append(row)
    return rows


def _plain(value):
    return None if value is None or math.isnan(value) else float(value)


def _warning(scores):
    if scores.variety < CONSTANT:
        return (
            "answers nearly the same keypoints for every picture, which makes its R and RUC "
            "worthless"
        )
    return ""


def best(rows, key, direction):
    """Indices of the best models under one figure; those that answer a constant cannot win."""
    values = [
        row.get(key) if not row.get("warning") and row.get(key) is not None else math.nan
        for row in rows
    ]
    if direction == 0 or sum(not math.isnan(v) for v in values) < 2:
        return []
    target = np.nanmax(values) if direction > 0 else np.nanmin(values)
    return [i for i, value in enumerate(values) if value == target]


def differences(scores) -> list[dict]:
    """Each model against the first: differences (R: the ratio) with paired 95 % intervals.

    The intervals come from the same draws of pictures for both models, so they are narrower than
    the models' own intervals suggest.
    """
    reference, rows = scores[0], []
    for one in scores[1:]:
        for key in _COMPARED:
            metric, group, decoding, _ = HEADLINES[key]
            mine, theirs = one.value(metric, group), reference.value(metric, group)
            if mine is None or theirs is None:
                continue
            draws = [scores.draws[metric, group, "", decoding] for scores in (one, reference)]
            how = "ratio" if metric == "R" else "difference"
            values = (mine["value"], theirs["value"])
            with np.errstate(divide="ignore", invalid="ignore"):
                if how == "ratio":
                    value, spread = np.divide(*values), np.divide(*draws)
                else:
                    value, spread = np.subtract(*values), np.subtract(*draws)
            spread = spread[np.isfinite(spread)]
            enough = len(spread) and not math.isnan(mine["low"])
            low, high = np.percentile(spread, (2.5, 97.5)) if enough else (math.nan, math.nan)
            rows.append(
                {
                    "model": one.model,
                    "reference": reference.model,
                    "figure": key,
                    "how": how,
                    "value": _plain(value) if np.isfinite(value) else None,
                    "low": _plain(low),
                    "high": _plain(high),
                }
            )
    return rows


def csv_text(rows, fields) -> str:
    """These fields of rows as CSV; None and NaN become empty cells."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fields, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _cell(row[key]) for key in fields})
    return text.getvalue()


def _cell(value):
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return "" if value is None else value


TABLE = (
    ("auc_clean", "AUC clean", ".3f", 1),
    ("auc_seen", "AUC seen", ".3f", 1),
    ("auc_unseen", "AUC unseen", ".3f", 1),
    ("R_seen", "R seen", ".0f", -1),
    ("R_unseen", "R unseen", ".0f", -1),
    ("RUC_seen", "RUC seen", ".3f", 1),
    ("RUC_unseen", "RUC unseen", ".3f", 1),
    ("auc_extra", "AUC sensor", ".3f", 1),
    ("R_extra", "R sensor", ".0f", -1),
    ("RUC_extra", "RUC sensor", ".3f", 1),
    ("D_64", "D_64", ".0f", -1),
    ("D_(1)(2)", "D_(1)(2)", ".3f", 1),
    ("theorem3", "Thm 3", ".3f", 1),
    ("unmoved", "unmoved", ".3f", 1),
)
"""Columns of the comparison: key, heading, format and which direction is better."""


def compare(summary, file=None) -> str:
    """A terminal table of the models side by side, the best of each column marked `*`.

    Args:
        summary: rows of `summarize` (or of `summary.csv`, read as text).
        file: where to print; None prints to standard output, False does not print.

    Returns:
        The table.
    """
    rows = [_numbers(row) for row in summary]
    columns = [column for column in TABLE if any(row.get(column[0]) is not None for row in rows)]
    table = [["model", *(heading for _, heading, _, _ in columns)]]
    marks = {key: best(rows, key, direction) for key, _, _, direction in columns}
    for i, row in enumerate(rows):
        cells = [row["model"] + (" (!)" if row.get("warning") else "")]
        for key, _, style, _ in columns:
            value = row.get(key)
            text = "-" if value is None else format(value, style)
            cells.append(text + ("*" if i in marks[key] else " "))
        table.append(cells)
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in table
    ]
    lines.insert(1, "-" * max(len(line) for line in lines))
    lines += [f"(!) {row['model']} {row['warning']}" for row in rows if row.get("warning")]
    lines.append("* best; R in px² of a 256-px crop, smaller is better, as is D_64")
    text = "\n".join(lines)
    if file is not False:
        print(text, file=file)
    return text


def _numbers(row):
    """A row as `summarize` gives it, also when it was read from the CSV."""
    words = {"model", "data", "warning"}
    return {
        key: value if key in words else (None if value in ("", None) else float(value))
        for key, value in row.items()
    }
