"""Figures beyond the paper."""

import numpy as np

from keras_shr.evaluation.plotting import new_figure, tidy
from keras_shr.reproduction.report.beyond_tables import TRUTH, costs, temporal_metrics
from keras_shr.reproduction.report.drawing import (
    BARS,
    PERCENT,
    Figure,
    legend,
    panel_title,
    plain_log,
    save_both,
)
from keras_shr.reproduction.report.methods import data_label, in_order, label, look
from keras_shr.reproduction.report.results import ALL, CLEAN, EXTRA, UNSEEN


def _panels(results, data, height, width=6.6):
    figure = new_figure(width * len(data), height)
    return figure, figure.subplots(1, len(data), squeeze=False)[0]


def _dumbbells(axes, results, data, methods, first, second, scale=PERCENT):
    """Two values of each method on a line: the first hollow, the second filled.

    Args:
        first, second: (words, metric, group).
    """
    for y, method in enumerate(reversed(methods)):
        style = look(method)
        ends = [results.estimate(method, data, *which[1:]) for which in (first, second)]
        if None not in ends:
            axes.plot([scale * e.value for e in ends], [y, y], color=style.color, linewidth=1.2)
        for estimate, face in zip(ends, ("white", style.color), strict=True):
            if estimate is not None:
                axes.errorbar(
                    scale * estimate.value,
                    y,
                    xerr=[[scale * end] for end in estimate.bars()],
                    marker="o",
                    markersize=8,
                    markerfacecolor=face,
                    markeredgecolor=style.color,
                    color=style.color,
                    elinewidth=1.2,
                    capsize=2.5,
                )
    for words, face in ((first[0], "white"), (second[0], "0.2")):
        axes.plot([], [], "o", markerfacecolor=face, markeredgecolor="0.2", label=words)
    axes.set_yticks(range(len(methods)), [label(m) for m in reversed(methods)])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-0.6, len(methods) - 0.4)
    tidy(axes, "x")


def _pairs(results, folder, key, title, caption, axis, first, second):
    data = [
        d
        for d in results.data
        if any(results.estimate(m, d, *second[1:]) for m in results.methods(d))
    ]
    if not data:
        return Figure(key, title, reason="no cell has these values")
    methods = {
        d: [m for m in results.methods(d) if results.estimate(m, d, *second[1:])] for d in data
    }
    figure, panels = _panels(results, data, 1.5 + 0.34 * max(map(len, methods.values())))
    for d, axes in zip(data, panels, strict=True):
        _dumbbells(axes, results, d, methods[d], first, second)
        panel_title(axes, data_label(d))
        axes.set_xlabel(axis)
    legend(figure, panels)
    return Figure(key, title, f"{caption} {BARS}", save_both(figure, folder, key))


def mpc(results, folder) -> Figure:
    return _pairs(
        results,
        folder,
        "mpc",
        "Clean AUC and its mean under all perturbations (mPC)",
        "The shorter the line, the less accuracy perturbation costs; rPC is the ratio of the two.",
        "AUC (%), larger is better",
        ("clean", "auc", CLEAN),
        ("mPC: mean over all kinds", "mPC", ALL),
    )


def theorem3(results, folder) -> Figure:
    return _pairs(
        results,
        folder,
        "theorem3",
        "Theorem 3: proven and true",
        "Share of heatmaps proven to keep their highest pixel, and share that kept it, under the "
        "five unseen kinds.",
        "share of heatmaps (%), larger is better",
        ("meets the theorem's condition", "theorem3", UNSEEN),
        ("highest pixel unmoved", "unmoved", UNSEEN),
    )


def extra(results, folder) -> Figure:
    kinds = ", ".join(kind.replace("_", " ") for kind in results.kinds(EXTRA))
    return _pairs(
        results,
        folder,
        "extra",
        "A perturbation family that nobody trained on",
        f"AUC under the five unseen kinds and under another family altogether ({kinds}).",
        "AUC (%), larger is better",
        ("five unseen kinds", "auc", UNSEEN),
        ("extra family", "auc", EXTRA),
    )


def cost(results, folder) -> Figure:
    title = "Accuracy under perturbation against the cost of a training step"
    found = {data: costs(results, data) for data in results.data}
    data = [d for d in results.data if len(found[d]) > 1]
    if not data:
        return Figure("cost", title, reason="there are no times of two methods")
    figure, panels = _panels(results, data, 5.2, 7.4)
    for d, axes in zip(data, panels, strict=True):
        relative = all(one.ratio for one in found[d].values())
        for method, one in found[d].items():
            estimate = results.estimate(method, d, "auc", UNSEEN)
            if estimate is None:
                continue
            style, x = look(method), one.ratio if relative else one.milliseconds
            axes.errorbar(
                x,
                PERCENT * estimate.value,
                yerr=PERCENT * np.array(estimate.bars())[:, None],
                color=style.color,
                marker=style.marker,
                markersize=9,
                markeredgecolor="white",
                linestyle="none",
                elinewidth=1.2,
                capsize=2.5,
                label=style.label,
            )
        panel_title(axes, f"{data_label(d)} ({next(iter(found[d].values())).device})")
        axes.set_xlabel("time of a step, baseline = 1" if relative else "ms a step")
        axes.set_ylabel("AUC under the five unseen kinds (%)")
        axes.set_xscale("log")
        plain_log(axes.xaxis, (1, 1.5, 2, 3, 5, 7))
        tidy(axes, "both")
    legend(figure, panels, 5)
    caption = (
        "Upper left is best: accurate under perturbation and cheap to train (logarithmic axis). "
        f"All methods pass the same number of images through the network in a step. {BARS}"
    )
    return Figure("cost", title, caption, save_both(figure, folder, "cost"))


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
        axes.set_yticks(range(len(methods)), [label(m) for m in reversed(methods)])
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
    )
    return Figure("temporal", title, caption, save_both(figure, folder, "temporal"))


def curves(results, folder) -> Figure:
    title = "Validation AUC in training"
    found = {}
    for row in results.rows["curves.csv"]:
        if row["architecture"] == results.main and row.get("auc_clean") == row.get("auc_clean"):
            place = found.setdefault((row["data"], row["method"]), {})
            place.setdefault(row["step"], []).append(row["auc_clean"])
    data = [d for d in results.data if any(key[0] == d for key in found)]
    if not data:
        return Figure("curves", title, reason="there is no curves.csv")
    figure, panels = _panels(results, data, 5.0, 7.0)
    for d, axes in zip(data, panels, strict=True):
        for method in in_order(m for key, m in found if key == d):
            style, values = look(method), found[d, method]
            steps = sorted(values)
            axes.plot(
                steps,
                [PERCENT * np.mean(values[step]) for step in steps],
                color=style.color,
                linestyle=style.line,
                marker=style.marker,
                markersize=4,
                label=style.label,
            )
        last = max(max(values) for key, values in found.items() if key[0] == d)
        axes.axvspan(0.8 * last, last, color="0.94", zorder=0)
        axes.axhline(70, color="0.5", linewidth=0.9, linestyle="--")
        axes.set_ylim(bottom=0)
        axes.set_xlim(left=0)
        axes.set_xlabel("step")
        axes.set_ylabel("AUC of clean validation pictures (%)")
        panel_title(axes, data_label(d))
        tidy(axes)
    legend(figure, panels, 5)
    caption = (
        "Mean over seeds. Grey: the last fifth of training; dashed: the 70 % that the baseline has "
        "to reach before a comparison counts."
    )
    return Figure("curves", title, caption, save_both(figure, folder, "curves"))


def draw_beyond(results, folder) -> list[Figure]:
    """Every figure of this file that has something to show, or says why not."""
    return [draw(results, folder) for draw in (cost, theorem3, mpc, extra, temporal, curves)]
