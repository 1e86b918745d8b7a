"""Tables 1 to 3, the paper's numbers beside ours, and the table of Figure 8."""

import math

from keras_shr.evaluation.summary import csv_text
from keras_shr.reproduction import paper
from keras_shr.reproduction.report.methods import (
    BASELINE,
    OURS,
    PAPER,
    SUPERVISED,
    architecture_label,
    data_label,
    label,
)
from keras_shr.reproduction.report.tables import Cell, Table, measured, quoted

READING = (
    "Mean ± standard deviation over training seeds; where there is one seed, the 95 % interval "
    "over test pictures in brackets."
)


def _paper_columns():
    return [f"{data_label(data)}\npaper" for data in paper.DATA]


def _our_columns(results):
    return [f"{data_label(data)}\nours" for data in results.data]


def table1(results) -> Table:
    table = Table(
        "table1",
        "Table 1. How concentrated heatmaps are: D_64 with RCC, D_(1)(2) with HDHR",
        ["", *_paper_columns(), *_our_columns(results)],
        "Clean pictures. D_64 (heatmap px², smaller is tighter) depends on the heatmap's size, so "
        "compare rows, not columns. D_(1)(2): highest minus second highest value of the "
        f"max-normalised map, larger is better. {READING}",
    )
    for metric, arrow, methods, style, unit in (
        ("D_64", "↓", (BASELINE, "rcc"), ".0f", "heatmap px²"),
        ("D_(1)(2)", "↑", (BASELINE, "hdhr"), ".3f", ""),
    ):
        for method in methods:
            row: list[str | Cell] = [f"{metric} {arrow} {label(method)}"]
            row += [
                quoted(
                    paper.number("Table 1", data, method, metric),
                    ".2f" if unit else ".3f",
                    unit,
                    **{"data": data, "method": method, "metric": metric},
                )
                for data in paper.DATA
            ]
            row += [measured(results, method, data, metric, style, unit) for data in results.data]
            table.rows.append(row)
    table.splits = {2}
    return table


def table2(results) -> Table:
    table = Table(
        "table2",
        "Table 2. AUC on clean pictures (%)",
        ["method", *_paper_columns(), *_our_columns(results)],
        "Area under the share of keypoints within t px, t = 0, 1 .. 30 of a 256-px crop; the paper "
        "does not say how it averages over t. The paper's method is the one that it calls Ours; "
        f"below the line: methods that it does not have. {READING}",
    )
    quoted_methods = (BASELINE, *paper.COMPARED, "hdhr", PAPER)
    ours = [m for m in (SUPERVISED, "augmix_no_jsd", OURS) if m in results.methods()]
    for method in (*quoted_methods, *ours):
        row: list[str | Cell] = [label(method)]
        row += [
            quoted(
                paper.number("Table 2", data, method),
                ".1f",
                "%",
                **{"data": data, "method": method, "metric": "auc"},
            )
            for data in paper.DATA
        ]
        row += [measured(results, method, data, "auc") for data in results.data]
        table.rows.append(row)
    table.splits = {len(quoted_methods)}
    return table


def table3(results) -> Table:
    kinds = paper.UNSEEN_KINDS
    table = Table(
        "table3",
        "Table 3. AUC under the five kinds that training never showed (%)",
        ["", "clean", *(kind.replace("_", " ") for kind in kinds), "mean of five"],
        "Mean over severities. The paper does not print the mean of its five; it is worked out "
        f"from them. {READING}",
    )
    for data in paper.DATA:
        table.splits.add(len(table.rows))
        for method in (BASELINE, PAPER):
            row: list[str | Cell] = [f"paper, {data_label(data)}: {label(method)}"]
            columns = {"data": data, "method": method, "metric": "auc"}
            for kind in ("", *kinds):
                value = paper.number("Table 3", data, method, kind=kind)
                row.append(quoted(value, ".2f" if kind else ".1f", "%", kind=kind, **columns))
            row.append(quoted(paper.unseen_mean(data, method), ".2f", "%", kind="mean", **columns))
            table.rows.append(row)
    for data in results.data:
        table.splits.add(len(table.rows))
        ours = [m for m in (SUPERVISED, OURS) if m in results.methods(data)]
        for method in (BASELINE, PAPER, *ours):
            row = [f"ours, {data_label(data)}: {label(method)}"]
            row.append(measured(results, method, data, "auc"))
            row += [
                measured(results, method, data, "auc", group="unseen", kind=kind) for kind in kinds
            ]
            row.append(measured(results, method, data, "auc", group="unseen"))
            table.rows.append(row)
    table.splits.discard(0)
    return table


FIG8_METHODS = (BASELINE, PAPER, OURS)
_FIG8 = (
    ("auc_clean", "auc", "clean"),
    ("auc_unseen", "auc", "unseen"),
    ("auc_seen", "auc", "seen"),
    ("R", "R", "unseen"),
    ("RUC", "RUC", "unseen"),
)


def architectures(results) -> list[str]:
    """The paper's six, then others of the run."""
    return list(dict.fromkeys((*paper.ARCHITECTURES, *results.architectures)))


def fig8_table(results) -> Table:
    table = Table(
        "fig8_table",
        "Figure 8 as a table. Six architectures",
        [
            "",
            "parameters",
            "AUC clean\n% ↑",
            "AUC unseen\n% ↑",
            "AUC seen\n% ↑",
            "R unseen\npx² ↓",
            "RUC unseen\n% ↑",
        ],
        f"R and RUC under the five unseen kinds, as in the paper. {READING} "
        "Values from 0 to 1 in fig8.csv.",
    )
    for data in results.data:
        for architecture in architectures(results):
            table.splits.add(len(table.rows))
            for method in FIG8_METHODS:
                place = f"{data_label(data)}, " if len(results.data) > 1 else ""
                row: list[str | Cell] = [
                    f"{place}{architecture_label(architecture)}: {label(method)}"
                ]
                count = _parameters(results, method, data, architecture)
                row.append(f"{count / 1e6:.2f} M" if count else "–")
                for _, metric, group in _FIG8:
                    unit = "px²" if metric == "R" else "%"
                    style = ".0f" if metric == "R" else ".1f"
                    row.append(
                        measured(
                            results,
                            method,
                            data,
                            metric,
                            style,
                            unit,
                            group,
                            architecture=architecture,
                        )
                    )
                table.rows.append(row)
    table.splits.discard(0)
    return table


def _parameters(results, method, data, architecture):
    found = [row.get("parameters") for row in results.cell_rows(method, data, architecture)]
    found = [count for count in found if count and not math.isnan(count)]
    return found[0] if found else None


def fig8_csv(results) -> str:
    """One row an architecture, method and data set; values as in scores.csv, from 0 to 1."""
    rows = []
    for data in results.data:
        for architecture in architectures(results):
            for method in FIG8_METHODS:
                progress = results.progress(method, data, architecture)
                row = {"architecture": architecture, "method": method}
                for name, metric, group in _FIG8:
                    one = results.estimate(method, data, metric, group, architecture=architecture)
                    row[name] = one and one.value
                    row[f"{name}_spread"] = one and one.spread
                row |= {
                    "data": data,
                    "seeds": progress.done,
                    "parameters": _parameters(results, method, data, architecture),
                    "status": progress.state,
                    "remark": "; ".join(progress.faults),
                }
                rows.append(row)
    names = [name for name, _, _ in _FIG8]
    fields = ["architecture", "method", *names, "data", "seeds", "parameters", "status"]
    return csv_text(rows, [*fields, *(f"{name}_spread" for name in names), "remark"])
