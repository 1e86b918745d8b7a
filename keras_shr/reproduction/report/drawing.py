"""What the report's figures share: saving, points with error bars, labelled curves."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_shr.evaluation.plotting import tidy
from keras_shr.files import replacing
from keras_shr.reproduction.report.methods import look

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


def points(axes, places, series, scale=1.0, labels=True):
    """Methods side by side at each place: mean, error bar and single seeds.

    Args:
        axes: of matplotlib.
        places: words below the horizontal axis.
        series: dict of method → list of `Estimate` or None, one a place.
        scale: factor on every value.
        labels: whether the methods get entries in a legend.
    """
    step = 0.8 / max(len(series), 1)
    for i, (method, estimates) in enumerate(series.items()):
        style = look(method)
        there = [(x, e) for x, e in enumerate(estimates) if e is not None]
        shift = (i - (len(series) - 1) / 2) * step
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
            label=style.label if labels else None,
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


def not_run_marks(axes, series):
    """Write `not run` where no method has a value."""
    for x, estimates in enumerate(zip(*series.values(), strict=True)):
        if all(estimate is None for estimate in estimates):
            axes.text(
                x,
                0.5,
                "not run",
                rotation=90,
                transform=axes.get_xaxis_transform(),
                ha="center",
                va="center",
                color=_GREY,
                fontsize=9,
            )


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
