"""Figures beyond the paper: mPC, Theorem 3, other perturbations, cost."""

import numpy as np

from keras_shr.evaluation.plotting import tidy
from keras_shr.evaluation.protocol import EXTRA, UNSEEN
from keras_shr.reproduction.report.beyond_tables import COST_CAPTION, costs, how_measured
from keras_shr.reproduction.report.drawing import (
    BARS,
    PERCENT,
    Figure,
    convergence_note,
    label_points,
    legend,
    panel_title,
    panels,
    plain_log,
    save_both,
)
from keras_shr.reproduction.report.methods import data_label, look
from keras_shr.reproduction.report.results import ALL, CLEAN

_LOGARITHMIC = 2.5
"""How many times the smallest cost the largest must be before the axis is logarithmic."""


def _dumbbells(axes, results, data, methods, first, second, numbers=False, scale=PERCENT):
    """Two values of each method on a line: the first hollow, the second filled.

    Args:
        first, second: (words, metric, group).
        numbers: whether the values stand above the points.
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
                if numbers:
                    axes.annotate(
                        f"{scale * estimate.value:.1f}",
                        (scale * estimate.value, y),
                        (0, 5),
                        textcoords="offset points",
                        ha="center",
                        va="bottom",
                        fontsize=8,
                    )
    for words, face in ((first[0], "white"), (second[0], "0.2")):
        axes.plot([], [], "o", markerfacecolor=face, markeredgecolor="0.2", label=words)
    axes.set_yticks(range(len(methods)), [results.name(m, data) for m in reversed(methods)])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-0.6, len(methods) - 0.4)
    tidy(axes, "x")


def _pairs(results, folder, key, title, caption, axis, first, second, numbers=False):
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
    height = 0.4 if numbers else 0.34
    figure, grid = panels(len(data), 1.5 + height * max(map(len, methods.values())))
    for d, axes in zip(data, grid, strict=True):
        _dumbbells(axes, results, d, methods[d], first, second, numbers)
        panel_title(axes, data_label(d))
        axes.set_xlabel(axis)
    legend(figure, grid)
    note = "".join(dict.fromkeys(convergence_note(results, methods[d], d) for d in data))
    return Figure(key, title, f"{caption} {BARS}{note}", save_both(figure, folder, key))


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
        numbers=True,
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
    figure, grid = panels(len(data), 5.6, 8.4)
    labels = []
    for d, axes in zip(data, grid, strict=True):
        relative = all(one.ratio for one in found[d].values())
        there = []
        for method, one in found[d].items():
            estimate = results.estimate(method, d, "auc", UNSEEN)
            if estimate is None:
                continue
            style, x = look(method), one.milliseconds
            if relative and one.ratio is not None:
                x = one.ratio
            value, bars = PERCENT * estimate.value, PERCENT * np.array(estimate.bars())
            ends = value - bars[0], value + bars[1]
            there.append((x, value, ends, results.name(method, d), style.color))
            axes.errorbar(
                x,
                value,
                yerr=bars[:, None],
                color=style.color,
                marker=style.marker,
                markersize=9,
                markeredgecolor="white",
                linestyle="none",
                elinewidth=0.9,
                capsize=2,
            )
        labels.append(there)
        panel_title(axes, f"{data_label(d)} ({next(iter(found[d].values())).device})")
        axes.set_xlabel("time of a step, baseline = 1" if relative else "ms a step")
        axes.set_ylabel("AUC under the five unseen kinds (%)")
        places = [x for x, *_ in there]
        if places and max(places) > _LOGARITHMIC * min(places):
            axes.set_xscale("log")
            plain_log(axes.xaxis, (1, 1.2, 1.5, 2, 3, 5, 7))
            axes.set_xlabel(f"{axes.get_xlabel()} (logarithmic)")
        axes.margins(x=0.1, y=0.06)
        tidy(axes, "both")
    for axes, there in zip(grid, labels, strict=True):
        label_points(axes, there)
    note = "".join(dict.fromkeys(convergence_note(results, found[d], d) for d in data))
    caption = (
        "Upper left is best: accurate under perturbation and cheap to train. "
        f"{COST_CAPTION} {how_measured(results)} {BARS}{note}"
    )
    return Figure("cost", title, caption, save_both(figure, folder, "cost"))
