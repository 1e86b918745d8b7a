"""The report's tables as HTML, the best figure of each column or row marked."""

import html

from keras_shr.evaluation.protocol import SEEN, UNSEEN
from keras_shr.evaluation.summary import TABLE, best

_text = html.escape


def _interval(row, key, style):
    low, high = row.get(f"{key}_low"), row.get(f"{key}_high")
    if low is None or high is None:
        return ""
    return f"<small>{format(low, style)} – {format(high, style)}</small>"


def _cell(text, winner, small=""):
    return f"<td{' class=best' if winner else ''}>{text}{small}</td>"


def table(head, lines, classes=None):
    rows = [
        f"<tr{f' class={classes[i]}' if classes and classes[i] else ''}>{''.join(line)}</tr>"
        for i, line in enumerate(lines)
    ]
    header = "".join(f"<th>{cell}</th>" for cell in head)
    return f"<div class=scroll><table><tr>{header}</tr>{''.join(rows)}</table></div>"


_HEADS = {
    "auc_clean": ("AUC", "clean ↑"),
    "auc_seen": ("AUC", "seen kinds ↑"),
    "auc_unseen": ("AUC", "unseen kinds ↑"),
    "R_seen": ("R", "seen, px² ↓"),
    "R_unseen": ("R", "unseen, px² ↓"),
    "RUC_seen": ("RUC", "seen ↑"),
    "RUC_unseen": ("RUC", "unseen ↑"),
    "auc_extra": ("AUC", "lens and sensor ↑"),
    "R_extra": ("R", "lens and sensor, px² ↓"),
    "RUC_extra": ("RUC", "lens and sensor ↑"),
    "D_64": ("D_64", "clean ↓"),
    "D_(1)(2)": ("D_(1)(2)", "clean ↑"),
    "theorem3": ("Theorem 3", "proven ↑"),
    "unmoved": ("unmoved", "in fact ↑"),
}


def _head(name, small):
    return f"{_text(name)}<small>{_text(small)}</small>"


def comparison(summary, columns=TABLE):
    """The models side by side, the best of each column marked."""
    columns = [c for c in columns if any(row.get(c[0]) is not None for row in summary)]
    marks = {key: best(summary, key, direction) for key, _, _, direction in columns}
    head = ["model"] + [_head(*_HEADS.get(key, (name, ""))) for key, name, _, _ in columns]
    lines = []
    for i, row in enumerate(summary):
        line = [f"<td>{_text(row['model'])}{' (!)' if row['warning'] else ''}</td>"]
        for key, _, style, _ in columns:
            value = row.get(key)
            text = "–" if value is None else format(value, style)
            line.append(_cell(text, i in marks[key], _interval(row, key, style)))
        lines.append(line)
    return table(head, lines)


def by_kind(scores, protocol, metric, style, direction, warned):
    """A table of one metric by kind, models side by side."""
    kinds = sorted(protocol.perturbations, key=lambda kind: protocol.group(kind) != SEEN)
    lines, classes, previous = [], [], None
    for kind in kinds:
        group = protocol.group(kind)
        rows = [one.value(metric, group, kind=kind) for one in scores]
        values = [row and row["value"] for row in rows]
        ranked = [{"v": value, "warning": bad} for value, bad in zip(values, warned, strict=True)]
        winners = best(ranked, "v", direction)
        label = f"<td>{kind.replace('_', ' ')}{' (unseen)' if group == UNSEEN else ''}</td>"
        lines.append(
            [label]
            + [
                _cell("–" if value is None else format(value, style), i in winners)
                for i, value in enumerate(values)
            ]
        )
        classes.append("split" if previous not in (None, group) else "")
        previous = group
    return table(["kind"] + [_text(one.model) for one in scores], lines, classes)


def difference_table(rows, warned=()):
    """Each model against the first one, with paired intervals; models in `warned` get a mark."""
    if not rows:
        return ""
    models = list(dict.fromkeys(row["model"] for row in rows))
    keys = list(dict.fromkeys(row["figure"] for row in rows))
    found = {(row["model"], row["figure"]): row for row in rows}
    head = ["model"] + [
        _head(_HEADS[key][0], _HEADS[key][1].replace(" kinds", "").replace("px² ", "ratio "))
        for key in keys
    ]
    lines = [
        [f"<td>{_text(model)}{' (!)' * (model in warned)}</td>"]
        + [_difference(found.get((model, key))) for key in keys]
        for model in models
    ]
    first = _text(rows[0]["reference"])
    return (
        f"<h3>Difference to {first}</h3><p>AUC and RUC in points (the whole scale is 100), R as a "
        f"multiple of {first}'s. The intervals compare the models on the same pictures: a "
        "difference whose interval holds 0 (for R: 1) may be chance.</p>" + table(head, lines)
    )


def _difference(row):
    if row is None or row["value"] is None:
        return "<td>–</td>"
    factor, style, sign = (1, ".2f", "× ") if row["how"] == "ratio" else (100, "+.1f", "")
    value, low, high = (
        None if row[part] is None else format(factor * row[part], style)
        for part in ("value", "low", "high")
    )
    small = "" if low is None or high is None else f"<small>{low} to {high}</small>"
    return f"<td>{sign}{value}{small}</td>"
