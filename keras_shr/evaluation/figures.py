"""The report's figures, drawn from the rows of scores."""

import math

import numpy as np

from keras_shr.evaluation.plotting import (
    GROUP_WORDS,
    legend,
    new_figure,
    number,
    ordered_kinds,
    present_groups,
    save,
    short,
    style,
    tidy,
    words,
)
from keras_shr.evaluation.protocol import SEEN


def auc_heatmap(scores, protocol, path):
    """AUC of every kind and severity, a table in colours for each model."""
    kinds, severities = ordered_kinds(protocol), protocol.severities
    columns = 2 if len(scores) == 4 else min(len(scores), 3)
    rows = math.ceil(len(scores) / columns)
    width = 1.9 + columns * (1.1 + 0.62 * (len(severities) + 1))
    figure = new_figure(max(width, 5), rows * (1.1 + 0.36 * len(kinds)) + 0.4)
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    tables = []
    for one in scores:
        clean = number(one.value("auc"))
        tables.append(
            [
                [clean]
                + [
                    number(one.value("auc", protocol.group(k), kind=k, severity=s))
                    for s in severities
                ]
                for k in kinds
            ]
        )
    split = sum(protocol.group(kind) == SEEN for kind in kinds)
    values = np.array(tables, float)
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if len(finite) else (0, 1)
    high = max(high, low + 1e-3)
    for axes in grid.flat[len(scores) :]:
        axes.set_axis_off()
    for one, table, axes in zip(scores, values, grid.flat, strict=False):
        picture = axes.imshow(table, cmap="cividis", vmin=low, vmax=high, aspect="auto")
        for (i, j), value in np.ndenumerate(table):
            if np.isfinite(value):
                dark = (value - low) / (high - low) < 0.55
                color = "white" if dark else "black"
                axes.text(j, i, f"{100 * value:.0f}", ha="center", va="center", color=color)
        axes.set_xticks(range(len(severities) + 1), ["clean", *map(str, severities)])
        axes.set_yticks(range(len(kinds)), [words(kind) for kind in kinds])
        axes.set_xlabel("severity")
        axes.set_title(short(one.model), fontsize=11)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        if 0 < split < len(kinds):
            axes.axhline(split - 0.5, color="white", linewidth=3)
    figure.colorbar(picture, ax=grid, shrink=0.7, label="AUC (0 to 1; cells in %)", pad=0.02)
    line = " (below the line: kinds unseen in training)" if 0 < split < len(kinds) else ""
    figure.suptitle(f"AUC by kind and severity{line}")
    return save(figure, path)


def bars_by_kind(scores, protocol, path, metric, label, logarithmic=False, clean=False):
    """One group of bars a kind, one bar a model, with 95 % intervals."""
    kinds = ordered_kinds(protocol)
    figure = new_figure(max(7, (0.65 + 0.03 * len(scores)) * len(kinds) + 1.6), 4.3)
    axes = figure.subplots()
    width = 0.82 / len(scores)
    heights = []
    for i, one in enumerate(scores):
        found = [one.value(metric, protocol.group(kind), kind=kind) for kind in kinds]
        value = np.array([number(row) for row in found])
        error = np.abs(
            [[number(r, "low") for r in found], [number(r, "high") for r in found]] - value
        )
        heights.append(value)
        color, line, _, hatch = style(i)
        axes.bar(
            np.arange(len(kinds)) + (i - (len(scores) - 1) / 2) * width,
            value,
            width * 0.92,
            yerr=np.nan_to_num(error),
            label=short(one.model, 40),
            color=color,
            hatch=hatch,
            edgecolor="white",
            linewidth=0.4,
            error_kw={"elinewidth": 1, "ecolor": "0.25"},
        )
        if clean:
            axes.axhline(number(one.value(metric)), color=color, linestyle=line, linewidth=1.2)
    heights = np.array(heights)
    positive = heights[np.isfinite(heights) & (heights > 0)]
    if logarithmic and len(positive) and positive.max() > 20 * positive.min():
        axes.set_yscale("log")
        label += ", logarithmic"
    split = sum(protocol.group(kind) == SEEN for kind in kinds)
    if 0 < split < len(kinds):
        axes.axvspan(split - 0.5, len(kinds) - 0.5, color="0.94", zorder=0)
        axes.text(
            split - 0.4,
            1.01,
            "unseen in training",
            transform=axes.get_xaxis_transform(),
            fontsize=9,
        )
    axes.set_xlim(-0.5, len(kinds) - 0.5)
    axes.set_xticks(range(len(kinds)), [words(kind) for kind in kinds], rotation=35, ha="right")
    axes.set_ylabel(label)
    tidy(axes)
    legend(figure, axes, len(scores))
    return save(figure, path)


def ruc_curves(scores, protocol, path):
    """Share of keypoints that moved at most P px, P from 0 to 30, with 95 % bands."""
    groups = present_groups(protocol)
    figure = new_figure(5 * len(groups), 4.2)
    panels = figure.subplots(1, len(groups), squeeze=False, sharey=True)[0]
    for group, axes in zip(groups, panels, strict=True):
        for i, one in enumerate(scores):
            color, line, marker, _ = style(i)
            found = [one.value(f"stable_at_{p}", group) for p in range(31)]
            area = number(one.value("RUC", group))
            value, low, high = ([number(r, p) for r in found] for p in ("value", "low", "high"))
            axes.plot(
                value,
                label=short(one.model, 40),
                color=color,
                linestyle=line,
                marker=marker,
                markevery=(2 * i % 5, 5),
                markersize=5,
            )
            if np.isfinite(low).all():
                axes.fill_between(range(31), low, high, color=color, alpha=0.15, linewidth=0)
            if len(scores) > 4:
                continue  # more lines of text would cover the curves; the table has them
            axes.text(
                0.97,
                0.05 + 0.07 * (len(scores) - 1 - i),
                f"{short(one.model, 22)}: RUC {area:.3f}",
                transform=axes.transAxes,
                ha="right",
                color=color,
                fontsize=9,
            )
        axes.set_title(f"kinds {GROUP_WORDS[group]}", fontsize=11)
        axes.set_xlabel("P (px of a 256-px crop)")
        axes.set_xlim(0, 30)
        axes.set_ylim(0, 1.01)
        tidy(axes, "both")
    panels[0].set_ylabel("share of keypoints moved ≤ P px")
    legend(figure, panels[0], len(scores))
    return save(figure, path)


def auc_by_severity(scores, protocol, path):
    """AUC from clean (0) to the highest severity, seen and unseen kinds."""
    groups = present_groups(protocol)
    figure = new_figure(5 * len(groups), 4.2)
    panels = figure.subplots(1, len(groups), squeeze=False, sharey=True)[0]
    for group, axes in zip(groups, panels, strict=True):
        for i, one in enumerate(scores):
            found = [
                one.value("auc"),
                *(one.value("auc", group, severity=s) for s in protocol.severities),
            ]
            places = [0, *protocol.severities]
            value, low, high = ([number(r, p) for r in found] for p in ("value", "low", "high"))
            color, line, marker, _ = style(i)
            label = short(one.model, 40)
            axes.plot(places, value, label=label, color=color, linestyle=line, marker=marker)
            if np.isfinite(low).all():
                axes.fill_between(places, low, high, color=color, alpha=0.15, linewidth=0)
        axes.set_title(f"kinds {GROUP_WORDS[group]}", fontsize=11)
        axes.set_xlabel("severity")
        axes.set_xticks(places, ["clean", *map(str, protocol.severities)])
        tidy(axes)
    panels[0].set_ylabel("AUC")
    legend(figure, panels[0], len(scores))
    return save(figure, path)


_FIGURES = (
    *("auc_by_severity.png", "ruc_curves.png", "r_by_kind.png"),
    *("auc_by_kind.png", "auc_by_kind_and_severity.png"),
)


def draw_all(scores, protocol, folder) -> dict[str, str]:
    """Every figure as PNG in `folder`, where those of an earlier report go.

    Returns:
        File name → what it shows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in _FIGURES:
        (folder / name).unlink(missing_ok=True)
    labelled = any(one.value("auc") for one in scores)
    captions = {}
    if labelled:
        auc_by_severity(scores, protocol, folder / "auc_by_severity.png")
        captions["auc_by_severity.png"] = (
            "AUC as the perturbation grows, averaged over the kinds of each group. A robust "
            "network's line stays flat; bands are 95 % intervals."
        )
    ruc_curves(scores, protocol, folder / "ruc_curves.png")
    captions["ruc_curves.png"] = (
        "How many predicted keypoints stay within P pixels of where they were on the clean "
        "picture. Higher is more stable; the mean height of the curve is RUC."
    )
    bars_by_kind(
        scores, protocol, folder / "r_by_kind.png", "R", "R (px²), smaller is better", True
    )
    captions["r_by_kind.png"] = (
        "R by kind: mean squared displacement of the predicted keypoints. Lower is more stable; "
        "no bar on a logarithmic scale means that nothing moved."
    )
    if labelled:
        bars_by_kind(
            scores, protocol, folder / "auc_by_kind.png", "auc", "AUC, larger is better", clean=True
        )
        captions["auc_by_kind.png"] = (
            "AUC by kind, averaged over severities; the horizontal lines are each model's AUC on "
            "clean pictures."
        )
        auc_heatmap(scores, protocol, folder / "auc_by_kind_and_severity.png")
        captions["auc_by_kind_and_severity.png"] = "AUC of every kind and severity."
    return captions
