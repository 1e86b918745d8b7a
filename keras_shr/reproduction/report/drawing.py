"""What the report's figures share: saving, points with error bars, labelled curves."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_shr.evaluation.plotting import tidy
from keras_shr.files import replacing
from keras_shr.reproduction.report.methods import label, look
from keras_shr.reproduction.report.results import MARK

BARS = (
    "Bars: ± one standard deviation over seeds (small dots: single seeds), or the 95 % interval "
    "over test pictures where there is one seed."
)
PERCENT = 100
_GREY = "0.35"
_LEGEND_WIDTH = 2.15  # inches that the longest name takes with its line


@dataclass(frozen=True)
class Figure:
    """A figure of the report.

    Attributes:
        key: file name without its ending.
        title, caption: words above and below.
        path: of the PNG (the SVG lies beside it), or None where there was nothing to draw.
        reason: why there is none.
    """

    key: str
    title: str
    caption: str = ""
    path: Path | None = None
    reason: str = ""


def save_both(figure, folder, key) -> Path:
    """Write a matplotlib figure as PNG and SVG, the same bytes for the same figure."""
    import matplotlib

    folder = Path(folder)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # the layout is found; finding it again would double the time
    with matplotlib.rc_context({"svg.hashsalt": key, "svg.fonttype": "path"}):
        for kind, metadata in (("svg", {"Date": None}), ("png", {"Software": None})):
            with replacing(folder / f"{key}.{kind}") as temporary:
                figure.savefig(temporary, dpi=130, facecolor="white", metadata=metadata)
    return folder / f"{key}.png"


def convergence_note(results, methods, data=None) -> str:
    """A sentence for a caption where one of the methods has a dagger, else ""."""
    if any(results.name(method, data).endswith(MARK) for method in methods):
        return f" {MARK} had not converged: no comparison with it counts."
    return ""


def points(axes, places, series, scale=1.0, name=label):
    """Methods side by side at each place: mean, error bar and single seeds.

    Args:
        axes: of matplotlib.
        places: words below the horizontal axis.
        series: dict of method → list of `Estimate` or None, one a place.
        scale: factor on every value.
        name: a method's key → its entry in the legend.
    """
    step, shifts = _side_by_side(len(series))
    for (method, estimates), shift in zip(series.items(), shifts, strict=True):
        style = look(method)
        there = [(x, e) for x, e in enumerate(estimates) if e is not None]
        axes.errorbar(
            [x + shift for x, _ in there],
            [scale * e.value for _, e in there],
            np.array([[scale * end for end in e.bars()] for _, e in there]).reshape(-1, 2).T,
            linestyle="none",
            color=style.color,
            marker=style.marker,
            markersize=8,
            markeredgecolor="white",
            markeredgewidth=0.6,
            elinewidth=1.4,
            capsize=2.5,
            label=name(method),
        )
        for x, estimate in there:
            if estimate.n > 1:
                axes.plot(
                    np.full(estimate.n, x + shift + 0.28 * step),
                    scale * estimate.values,
                    ".",
                    color=style.color,
                    markersize=3,
                    alpha=0.7,
                )
    axes.set_xlim(-0.5, len(places) - 0.5)
    axes.set_xticks(range(len(places)), places)
    axes.tick_params(axis="x", length=0)
    for x in range(1, len(places)):
        axes.axvline(x - 0.5, color="0.9", linewidth=0.8, zorder=0)
    tidy(axes)


def _side_by_side(count):
    """The distance between methods at a place, and where each stands."""
    step = 0.8 / max(count, 1)
    return step, [(i - (count - 1) / 2) * step for i in range(count)]


def not_run_marks(axes, series):
    """Write `not run` where a method has no value, once where none has."""
    shifts = _side_by_side(len(series))[1]
    for x, estimates in enumerate(zip(*series.values(), strict=True)):
        missing = [estimate is None for estimate in estimates]
        if all(missing):
            marks = [(x, _GREY)]
        else:
            marks = [
                (x + shift, look(method).color)
                for method, shift, absent in zip(series, shifts, missing, strict=True)
                if absent
            ]
        for place, color in marks:
            axes.text(
                place,
                0.5,
                "not run",
                rotation=90,
                transform=axes.get_xaxis_transform(),
                ha="center",
                va="center",
                color=color,
                fontsize=9,
            )


def label_points(axes, found):
    """Write a name beside each point, with a thin line to it where there is no room close by.

    Args:
        axes: of matplotlib, with its limits and layout final.
        found: (x, y, lowest and highest y of its error bar, words, colour) of each point.
    """
    from matplotlib.patheffects import withStroke

    figure = axes.figure
    figure.draw_without_rendering()
    unit = figure.dpi / 72
    frame = axes.get_window_extent()
    centres = [axes.transData.transform((x, y)) for x, y, *_ in found]
    bars = [[axes.transData.transform((x, end)) for end in ends] for x, _, ends, _, _ in found]
    taken = [_box(centre, 13 * unit, 13 * unit) for centre in centres]
    bars = [(low[0], low[1], high[0], high[1]) for low, high in bars]
    for centre, (x, y, _, words, color) in sorted(
        zip(centres, found, strict=True), key=lambda one: -one[0][0]
    ):
        text = axes.annotate(
            words,
            (x, y),
            (0, 0),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=8.5,
            color="0.15",
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
            arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.6, "shrinkB": 4},
        )
        size = text.get_window_extent()
        best = None
        for distance in (10, 16, 24, 34, 46, 60, 76, 94, 114):
            for angle in np.linspace(0, 2 * np.pi, 24, endpoint=False):
                toward = np.array([np.cos(angle), np.sin(angle)])
                # From the marker's edge to the nearest edge of the words.
                half = np.array([size.width, size.height]) / 2
                offset = toward * (distance * unit + np.min(half / np.maximum(abs(toward), 1e-6)))
                box = _box(centre + offset, size.width, size.height)
                inside = (frame.x0 < box[0] and box[2] < frame.x1 and frame.y0 < box[1]) and box[
                    3
                ] < frame.y1
                if not inside or any(_overlap(box, other) for other in taken):
                    continue
                cost = distance + 12 * sum(_overlap(box, bar) for bar in bars)
                if best is None or cost < best[0]:
                    best = (cost, offset, box, distance)
        if best is None:  # rather over something else than not at all
            best = (0, np.array([size.width / 2 + 10 * unit, 0]), None, 0)
        text.set_position(tuple(best[1] / unit))
        if best[3] <= 10:
            text.arrow_patch.set_visible(False)
        if best[2] is not None:
            taken.append(best[2])


def _box(centre, width, height):
    x, y = centre
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _overlap(one, other):
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]


def legend(figure, axes, columns=4):
    """One legend below all panels, each method once."""
    found: dict = {}
    for one in np.ravel(axes):
        for handle, text in zip(*one.get_legend_handles_labels(), strict=True):
            found.setdefault(text, handle)
    fitting = int(figure.get_figwidth() / _LEGEND_WIDTH)
    figure.legend(
        found.values(),
        found.keys(),
        loc="outside lower center",
        ncols=max(1, min(len(found), columns, fitting)),
        frameon=False,
    )


def ranked_legend(axes, lines, title):
    """A legend beside the axes, the highest value first.

    Args:
        lines: `(value, text, line)` of each.
    """
    lines = sorted(lines, key=lambda entry: -entry[0])
    axes.legend(
        [line for _, _, line in lines],
        [text for _, text, _ in lines],
        title=title,
        alignment="left",
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        frameon=False,
        handlelength=3,
    )


def plain_log(axis, ticks=(1, 2, 5)):
    """Write a logarithmic axis in plain numbers, at `ticks` times the powers of ten."""
    from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

    axis.set_major_locator(LogLocator(subs=ticks))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def panels(count, height, width=6.6):
    """A figure with `count` axes in a row."""
    from keras_shr.evaluation.plotting import new_figure

    figure = new_figure(width * count, height)
    return figure, figure.subplots(1, count, squeeze=False)[0]


def panel_title(axes, text):
    axes.set_title(text, fontsize=11, loc="left")
