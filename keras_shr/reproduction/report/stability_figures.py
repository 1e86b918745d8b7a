"""Figures 6, 7 and 9: how far keypoints move under the kinds that training never showed."""

import numpy as np

from keras_shr.evaluation.plotting import new_figure, tidy
from keras_shr.evaluation.protocol import UNSEEN
from keras_shr.reproduction import paper
from keras_shr.reproduction.report.drawing import (
    BARS,
    PERCENT,
    Figure,
    convergence_note,
    legend,
    not_run_marks,
    panel_title,
    plain_log,
    points,
    ranked_legend,
    save_both,
)
from keras_shr.reproduction.report.methods import (
    BASELINE,
    MODULES,
    OURS,
    PAPER,
    SUPERVISED,
    data_label,
    label,
    look,
)

THRESHOLDS = range(31)


def fig6(results, folder) -> Figure:
    title = "Figure 6. R under each unseen kind, and AUC, of the method's parts"
    methods = [m for m in (*MODULES, OURS) if _run(results, m)]
    if not methods:
        return Figure("fig6", title, reason="none of its methods was run")
    kinds = paper.UNSEEN_KINDS
    figure = new_figure(13, 0.9 + 3.4 * len(results.data))
    grid = figure.subplots(len(results.data), 2, squeeze=False, width_ratios=(1, 1.15))
    for data, (left, right) in zip(results.data, grid, strict=True):
        groups = [*((UNSEEN, kind) for kind in kinds), (UNSEEN, "")]
        words = [kind.replace("_", "\n") for kind in kinds]
        moved = {m: [results.estimate(m, data, "R", *group) for group in groups] for m in methods}
        accuracy = {
            m: [results.estimate(m, data, "auc")]
            + [results.estimate(m, data, "auc", *group) for group in groups]
            for m in methods
        }
        points(left, [*words, "all five"], moved, name=results.name)
        points(right, ["clean", *words, "all five"], accuracy, PERCENT, results.name)
        not_run_marks(left, moved)
        not_run_marks(right, accuracy)
        values = [e.value for row in moved.values() for e in row if e and e.value > 0]
        if values and max(values) > 8 * min(values):
            left.set_yscale("log")
            plain_log(left.yaxis)
        panel_title(left, f"{data_label(data)}: R, smaller is more stable")
        panel_title(right, f"{data_label(data)}: AUC, larger is more accurate")
        left.set_ylabel("R (px² of a 256-px crop)")
        right.set_ylabel("AUC (%)")
        for axes in (left, right):
            axes.axvline(len(axes.get_xticks()) - 1.5, color="0.5", linewidth=1)
    legend(figure, grid, 6)
    caption = (
        "R: mean squared displacement of the predicted keypoints between the clean and the "
        "perturbed picture. Never read it without AUC: a network that always answers the same "
        f"point has R = 0. {BARS}{_missing(results, MODULES)}{convergence_note(results, methods)}"
    )
    return Figure("fig6", title, caption, save_both(figure, folder, "fig6"))


def fig7(results, folder) -> Figure:
    title = "Figure 7. RUC curves of the method's parts"
    caption = (
        "Share of predicted keypoints that moved at most P px under the five unseen kinds; "
        "RUC is the mean height of the curve (in %, mean over seeds). Steps come from the "
        "heatmap's pixels: the highest one answers."
    )
    return _curves(results, folder, "fig7", title, caption, (*MODULES, OURS), MODULES)


def fig9(results, folder) -> Figure:
    title = "Figure 9. RUC curves of the compared methods"
    caption = (
        "As Figure 7. “Perturbed supervised” is a control that the paper does not have. Read it "
        "with the AUC of Table 2."
    )
    wanted = (BASELINE, SUPERVISED, PAPER, OURS, *paper.COMPARED)
    return _curves(
        results, folder, "fig9", title, caption, wanted, (BASELINE, PAPER, *paper.COMPARED)
    )


def _curves(results, folder, key, title, caption, methods, promised):
    methods = [m for m in methods if _run(results, m, "stable_at_0", UNSEEN)]
    if not methods:
        return Figure(key, title, reason="none of its methods was run")
    columns = min(2, len(results.data))
    rows = -(-len(results.data) // columns)
    figure = new_figure(7.8 * columns, 4.6 * rows)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(results.data) :]:
        axes.set_axis_off()
    for data, axes in zip(results.data, grid.flat, strict=False):
        areas = []
        for i, method in enumerate(methods):
            found = [results.estimate(method, data, f"stable_at_{p}", UNSEEN) for p in THRESHOLDS]
            area = results.estimate(method, data, "RUC", UNSEEN)
            if None in found or area is None:
                continue
            style, value = look(method), PERCENT * np.array([e.value for e in found])
            bars = PERCENT * np.array([e.bars() for e in found])
            (line,) = axes.plot(
                THRESHOLDS,
                value,
                color=style.color,
                linestyle=style.line,
                marker=style.marker,
                markevery=(i % 5, 5),
                markersize=6,
                linewidth=1.6,
            )
            band = value - bars[:, 0], value + bars[:, 1]
            axes.fill_between(THRESHOLDS, *band, color=style.color, alpha=0.12, linewidth=0)
            areas.append(
                (area.value, f"{PERCENT * area.value:.1f}  {results.name(method, data)}", line)
            )
        ranked_legend(axes, areas, "RUC (%)")  # below the curves there may be no room for it
        axes.set_xlim(0, 30)
        axes.set_ylim(top=101)
        panel_title(axes, data_label(data))
        axes.set_xlabel("P (px of a 256-px crop)")
        axes.set_ylabel("keypoints moved ≤ P px (%)")
        tidy(axes, "both")
    caption = f"{caption} Bands: as the bars of Figure 6.{_missing(results, promised)}"
    caption += convergence_note(results, methods)
    return Figure(key, title, caption, save_both(figure, folder, key))


def _run(results, method, metric="auc", group="clean"):
    return any(results.estimate(method, data, metric, group) for data in results.data)


def _missing(results, methods):
    """A sentence that names what was not run."""
    parts = []
    for data in results.data:
        absent = [label(m) for m in methods if results.estimate(m, data, "auc") is None]
        if absent:
            parts.append(f"{data_label(data)}: {', '.join(absent)}")
    return f" Not run: {'; '.join(parts)}." if parts else ""
