"""The report's figures, drawn from the rows of scores; colour-blind safe and readable in grey."""

import math

import numpy as np

from keras_shr.evaluation.drawing import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION
from keras_shr.evaluation.protocol import SEEN, UNSEEN
from keras_shr.evaluation.store import write_atomically

COLORS = [tuple(c / 255 for c in rgb) for rgb in (BLUE, ORANGE, GREEN, PURPLE, VERMILION, SKY)]
COLORS.append(tuple(BLACK))
MARKERS, LINES = (
    "osD^vPX",
    ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (1, 1))),
)
HATCHES = ("", "///", "...", "xx", "\\\\\\", "++", "oo")
_GROUPS = {SEEN: "seen in training", UNSEEN: "unseen in training"}


def _figure(width, height):
    """A figure that belongs to no window system and to no global list."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure, path):
    write_atomically(path, lambda to: figure.savefig(to, dpi=130, facecolor="white"))
    return path


def _tidy(axes, grid="y"):
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis=grid, color="0.88", linewidth=0.8)
    axes.set_axisbelow(True)


def _short(name, length=28):
    """A model's name as matplotlib may show it: not too long, `$` and a leading `_` tamed."""
    name = name if len(name) <= length else name[: length - 1] + "…"
    return name.replace("$", r"\$").lstrip("_") or "model"


def _legend(figure, axes, count):
    figure.legend(
        *axes.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=min(count, 4),
        frameon=False,
    )


def _kinds(protocol):
    """Kinds in order, the seen ones first."""
    return sorted(protocol.perturbations, key=lambda kind: protocol.group(kind) != SEEN)


def _words(kind):
    return kind.replace("_", " ")


def _groups(protocol):
    present = {protocol.group(kind) for kind in protocol.perturbations}
    return [group for group in (SEEN, UNSEEN) if group in present]


def _number(row, part="value"):
    return math.nan if row is None else row[part]


def auc_heatmap(scores, protocol, path):
    """AUC of every kind and severity, a table in colours for each model."""
    kinds, severities = _kinds(protocol), protocol.severities
    columns = 2 if len(scores) == 4 else min(len(scores), 3)
    rows = math.ceil(len(scores) / columns)
    width = 1.9 + columns * (1.1 + 0.62 * (len(severities) + 1))
    figure = _figure(max(width, 5), rows * (1.1 + 0.36 * len(kinds)) + 0.4)
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    tables = []
    for one in scores:
        clean = _number(one.value("auc"))
        tables.append(
            [
                [clean]
                + [
                    _number(one.value("auc", protocol.group(k), kind=k, severity=s))
                    for s in severities
                ]
                for k in kinds
            ]
        )
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
        axes.set_yticks(range(len(kinds)), [_words(kind) for kind in kinds])
        axes.set_xlabel("severity")
        axes.set_title(_short(one.model), fontsize=11)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        split = sum(protocol.group(kind) == SEEN for kind in kinds)
        if 0 < split < len(kinds):
            axes.axhline(split - 0.5, color="white", linewidth=3)
    figure.colorbar(picture, ax=grid, shrink=0.7, label="AUC (0 to 1; cells in %)", pad=0.02)
    figure.suptitle("AUC by kind and severity (below the line: kinds unseen in training)")
    return _save(figure, path)


def bars_by_kind(scores, protocol, path, metric, label, logarithmic=False, clean=False):
    """One group of bars a kind, one bar a model, with 95 % intervals."""
    kinds = _kinds(protocol)
    figure = _figure(max(7, 0.75 * len(kinds) + 1.6), 4.3)
    axes = figure.subplots()
    width = 0.82 / len(scores)
    heights = []
    for i, one in enumerate(scores):
        found = [one.value(metric, protocol.group(kind), kind=kind) for kind in kinds]
        value = np.array([_number(row) for row in found])
        error = np.abs(
            [[_number(r, "low") for r in found], [_number(r, "high") for r in found]] - value
        )
        heights.append(value)
        axes.bar(
            np.arange(len(kinds)) + (i - (len(scores) - 1) / 2) * width,
            value,
            width * 0.92,
            yerr=np.nan_to_num(error),
            label=_short(one.model, 40),
            color=COLORS[i % len(COLORS)],
            hatch=HATCHES[i % len(HATCHES)],
            edgecolor="white",
            linewidth=0.4,
            error_kw={"elinewidth": 1, "ecolor": "0.25"},
        )
        if clean:
            axes.axhline(
                _number(one.value(metric)),
                color=COLORS[i % len(COLORS)],
                linestyle=LINES[i % len(LINES)],
                linewidth=1.2,
            )
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
    axes.set_xticks(range(len(kinds)), [_words(kind) for kind in kinds], rotation=35, ha="right")
    axes.set_ylabel(label)
    _tidy(axes)
    _legend(figure, axes, len(scores))
    return _save(figure, path)


def ruc_curves(scores, protocol, path):
    """Share of keypoints that moved at most P px, P from 0 to 30, with 95 % bands."""
    groups = _groups(protocol)
    figure = _figure(5 * len(groups), 4.2)
    panels = figure.subplots(1, len(groups), squeeze=False, sharey=True)[0]
    for group, axes in zip(groups, panels, strict=True):
        for i, one in enumerate(scores):
            found = [one.value(f"stable_at_{p}", group) for p in range(31)]
            area = _number(one.value("RUC", group))
            value, low, high = ([_number(r, p) for r in found] for p in ("value", "low", "high"))
            color = COLORS[i % len(COLORS)]
            axes.plot(
                value,
                label=_short(one.model, 40),
                color=color,
                linestyle=LINES[i % len(LINES)],
                marker=MARKERS[i % len(MARKERS)],
                markevery=(2 * i % 5, 5),
                markersize=5,
            )
            if np.isfinite(low).all():
                axes.fill_between(range(31), low, high, color=color, alpha=0.15, linewidth=0)
            axes.text(
                0.97,
                0.05 + 0.07 * (len(scores) - 1 - i),
                f"{_short(one.model, 22)}: RUC {area:.3f}",
                transform=axes.transAxes,
                ha="right",
                color=color,
                fontsize=9,
            )
        axes.set_title(f"kinds {_GROUPS[group]}", fontsize=11)
        axes.set_xlabel("P (px of a 256-px crop)")
        axes.set_xlim(0, 30)
        axes.set_ylim(0, 1.01)
        _tidy(axes, "both")
    panels[0].set_ylabel("share of keypoints moved ≤ P px")
    _legend(figure, panels[0], len(scores))
    return _save(figure, path)


def auc_by_severity(scores, protocol, path):
    """AUC from clean (0) to the highest severity, seen and unseen kinds."""
    groups = _groups(protocol)
    figure = _figure(5 * len(groups), 4.2)
    panels = figure.subplots(1, len(groups), squeeze=False, sharey=True)[0]
    for group, axes in zip(groups, panels, strict=True):
        for i, one in enumerate(scores):
            found = [
                one.value("auc"),
                *(one.value("auc", group, severity=s) for s in protocol.severities),
            ]
            places = [0, *protocol.severities]
            value, low, high = ([_number(r, p) for r in found] for p in ("value", "low", "high"))
            color = COLORS[i % len(COLORS)]
            style = {"marker": MARKERS[i % len(MARKERS)], "linestyle": LINES[i % len(LINES)]}
            axes.plot(places, value, label=_short(one.model, 40), color=color, **style)
            if np.isfinite(low).all():
                axes.fill_between(places, low, high, color=color, alpha=0.15, linewidth=0)
        axes.set_title(f"kinds {_GROUPS[group]}", fontsize=11)
        axes.set_xlabel("severity")
        axes.set_xticks(places, ["clean", *map(str, protocol.severities)])
        _tidy(axes)
    panels[0].set_ylabel("AUC")
    _legend(figure, panels[0], len(scores))
    return _save(figure, path)


def draw_all(scores, protocol, folder) -> dict[str, str]:
    """Every figure as PNG in `folder`.

    Returns:
        File name → what it shows.
    """
    folder.mkdir(parents=True, exist_ok=True)
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
