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


_EXPLAIN = {
    "auc_clean": "accuracy on clean pictures ↑",
    "auc_seen": "seen kinds ↑",
    "auc_unseen": "unseen kinds ↑",
    "R_seen": "px², seen kinds ↓",
    "R_unseen": "px², unseen kinds ↓",
    "RUC_seen": "seen kinds ↑",
    "RUC_unseen": "unseen kinds ↑",
    "D_64": "heatmap px² ↓",
    "D_(1)(2)": "peak's lead ↑",
    "theorem3": "proven unmoved ↑",
    "unmoved": "truly unmoved ↑",
}


def comparison(summary, columns=TABLE):
    """The models side by side, the best of each column marked."""
    columns = [c for c in columns if any(row.get(c[0]) is not None for row in summary)]
    marks = {key: best(summary, key, direction) for key, _, _, direction in columns}
    head = ["model"] + [
        f"{_text(name.removesuffix(' seen').removesuffix(' unseen').removesuffix(' clean'))}"
        f"<small>{_EXPLAIN.get(key, '')}</small>"
        for key, name, _, _ in columns
    ]
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


_FIGURES = {
    "auc_clean": ("AUC on clean pictures", 100, "points"),
    "auc_seen": ("AUC under the seen kinds", 100, "points"),
    "auc_unseen": ("AUC under the unseen kinds", 100, "points"),
    "RUC_seen": ("RUC, seen kinds", 100, "points"),
    "RUC_unseen": ("RUC, unseen kinds", 100, "points"),
    "R_seen": ("R, seen kinds", 1, "×"),
    "R_unseen": ("R, unseen kinds", 1, "×"),
}


def difference_table(rows):
    """Each model against the first one, with paired intervals."""
    if not rows:
        return ""
    models = list(dict.fromkeys(row["model"] for row in rows))
    keys = list(dict.fromkeys(row["figure"] for row in rows))
    head = ["model"] + [
        f"{_FIGURES[key][0]}<small>{'ratio ↓' if _FIGURES[key][1] == 1 else 'points ↑'}</small>"
        for key in keys
    ]
    lines = []
    for model in models:
        line = [f"<td>{_text(model)}</td>"]
        for key in keys:
            row = next((r for r in rows if (r["model"], r["figure"]) == (model, key)), None)
            factor = _FIGURES[key][1]
            style = ".2f" if factor == 1 else "+.1f"
            if row is None or row["value"] is None:
                line.append("<td>–</td>")
                continue
            small = ""
            if row["low"] is not None:
                small = (
                    f"<small>{format(factor * row['low'], style)} to "
                    f"{format(factor * row['high'], style)}</small>"
                )
            sign = "× " if factor == 1 else ""
            line.append(f"<td>{sign}{format(factor * row['value'], style)}{small}</td>")
        lines.append(line)
    first = _text(rows[0]["reference"])
    return (
        f"<h3>Difference to {first}</h3><p>100 points of AUC or RUC are the whole scale. R is "
        f"given as a multiple of {first}'s. The intervals compare the models on the same "
        "pictures: a difference whose interval holds 0 (for R: 1) may be chance.</p>"
        + table(head, lines)
    )
