"""Figures over time: how much keypoints shake from frame to frame, and training curves."""

import numpy as np

from keras_shr.evaluation.plotting import new_figure, tidy
from keras_shr.reproduction.report.beyond_tables import TRUTH, temporal_metrics
from keras_shr.reproduction.report.drawing import (
    BARS,
    PERCENT,
    Figure,
    convergence_note,
    panel_title,
    ranked_legend,
    save_both,
)
from keras_shr.reproduction.report.methods import (
    BASELINE,
    MODULES,
    OURS,
    PAPER,
    data_label,
    in_order,
    look,
)

_OF_THE_METHOD = {*MODULES, OURS, "rcc_hdhr", "hdhr_mst", "symmetric", "paper_supervised"}
_PARTS = {
    "parts of the method": lambda m: m in _OF_THE_METHOD,
    "compared methods": lambda m: m not in _OF_THE_METHOD or m in (BASELINE, PAPER, OURS),
}
"""The panels of the training curves → whether a method is in one."""
_FEW = 8
"""So many methods have room in one panel."""


def temporal(results, folder) -> Figure:
    title = "Motion: how much keypoints shake from frame to frame"
    rows = [row for row in results.rows["temporal.csv"] if row["architecture"] == results.main]
    pairs = temporal_metrics(results)
    places = [
        (d, *pair)
        for d in results.data
        for pair in pairs
        if any((row["data"], row["source"], row["metric"]) == (d, *pair) for row in rows)
    ]
    if not places:
        return Figure("temporal", title, reason="there is no temporal.csv")
    columns = min(2, len(places))
    lines = -(-len(places) // columns)
    most = max(len({r["method"] for r in rows if r["data"] == d}) for d, _, _ in places)
    figure = new_figure(6.4 * columns, lines * (1.1 + 0.32 * most) + 0.3)
    grid = figure.subplots(lines, columns, squeeze=False)
    for axes in grid.flat[len(places) :]:
        axes.set_axis_off()
    for (data, source, metric), axes in zip(places, grid.flat, strict=False):
        methods = in_order(row["method"] for row in rows if row["data"] == data)
        for y, method in enumerate(reversed(methods)):
            estimate, style = results.estimate(method, data, metric, source), look(method)
            if estimate is not None:
                axes.errorbar(
                    estimate.value,
                    y,
                    xerr=np.array(estimate.bars())[:, None],
                    color=style.color,
                    marker=style.marker,
                    markersize=8,
                    elinewidth=1.2,
                    capsize=2.5,
                )
        true = results.estimate(methods[0], data, f"{TRUTH}{metric}", source)
        if true is not None:
            axes.axvline(true.value, color="0.4", linewidth=1.2, linestyle="--")
            axes.annotate(
                "true motion",
                (true.value, len(methods) - 0.5),
                (4, 0),
                textcoords="offset points",
                va="top",
                color="0.3",
                fontsize=9,
            )
        axes.tick_params(axis="y", length=0)
        axes.set_yticks(range(len(methods)), [results.name(m, data) for m in reversed(methods)])
        axes.set_xlim(left=0)
        axes.set_ylim(-0.6, len(methods) - 0.4)
        axes.set_xlabel("px of a 256-px crop, smaller is calmer")
        place = f"{data_label(data)}; " if len({d for d, _, _ in places}) > 1 else ""
        panel_title(axes, f"{place}{source.replace('_', ' ')}: {metric.replace('_', ' ')}")
        tidy(axes, "x")
    caption = (
        "Jitter: how far a keypoint moves from frame to frame beyond its true motion; "
        "acceleration: what is left of its motion when even speed is taken out. Read it with AUC: "
        f"a network that answers a constant would not shake. {BARS}"
        f"{convergence_note(results, in_order(row['method'] for row in rows))}"
    )
    return Figure("temporal", title, caption, save_both(figure, folder, "temporal"))


def curves(results, folder) -> Figure:
    title = "Validation AUC in training"
    found: dict = {}
    for row in results.rows["curves.csv"]:
        if row["architecture"] == results.main and row.get("auc_clean") == row.get("auc_clean"):
            place = found.setdefault((row["data"], row["method"]), {})
            place.setdefault(row["step"], []).append(row["auc_clean"])
    data = [d for d in results.data if any(key[0] == d for key in found)]
    if not data:
        return Figure("curves", title, reason="there is no curves.csv")
    parts = []
    for d in data:
        methods = in_order(m for key, m in found if key == d)
        if len(methods) <= _FEW:
            parts.append((d, "", methods))
            continue
        for words, wanted in _PARTS.items():
            if some := [m for m in methods if wanted(m)]:
                parts.append((d, f": {words}", some))
    columns = min(2, len(parts))
    lines = -(-len(parts) // columns)
    figure = new_figure(8.0 * columns, 4.8 * lines)
    grid = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes in grid[len(parts) :]:
        axes.set_axis_off()
    for (d, words, methods), axes in zip(parts, grid, strict=False):
        last_values = []
        for method in methods:
            style, values = look(method), found[d, method]
            steps = sorted(values)
            means = [PERCENT * np.mean(values[step]) for step in steps]
            (line,) = axes.plot(
                steps,
                means,
                color=style.color,
                linestyle=style.line,
                marker=style.marker,
                markersize=5,
                linewidth=1.5,
            )
            last_values.append((means[-1], f"{means[-1]:.1f}  {results.name(method, d)}", line))
        ranked_legend(axes, last_values, "at the end (%)")  # as the lines lie at their ends
        last = max(max(values) for key, values in found.items() if key[0] == d)
        axes.axvspan(0.8 * last, last, color="0.94", zorder=0)
        axes.axhline(70, color="0.5", linewidth=0.9, linestyle="--")
        axes.set_ylim(bottom=0)
        axes.set_xlim(left=0)
        axes.set_xlabel("step")
        axes.set_ylabel("AUC of clean validation pictures (%)")
        panel_title(axes, f"{data_label(d)}{words}")
        tidy(axes)
    caption = (
        "Mean over seeds. Grey: the last fifth of training; dashed: the 70 % that the baseline has "
        "to reach before a comparison counts. Methods in the order of their ends."
        f"{convergence_note(results, {m for _, m in found})}"
    )
    return Figure("curves", title, caption, save_both(figure, folder, "curves"))
