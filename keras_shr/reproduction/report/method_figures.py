"""Figures 2, 3 and 4: the method itself, worked out here without any training."""

import textwrap

import numpy as np

from keras_shr.drawing import BLUE, VERMILION
from keras_shr.evaluation.plotting import new_figure, tidy
from keras_shr.heatmaps import gaussian_heatmap, highly_differentiated_heatmap
from keras_shr.layers.row_column_correlation import row_column_correlation
from keras_shr.reproduction.report.drawing import Figure, panel_title, save_both

_MAP = "cividis"
_SIZE = 64
_BLUE, _RED = (tuple(c / 255 for c in rgb) for rgb in (BLUE, VERMILION))

# Title, then two peaks: row, column, sigma.
CASES = (
    ("A narrow peak fades", (20, 20, 4.0), (45, 45, 2.0)),
    ("A peak far from the diagonal fades", (14, 27, 4.0), (46, 46, 4.0)),
    ("Two equal peaks answer on the diagonal", (14, 46, 4.0), (46, 14, 4.0)),
)


def _gaussian(row, column, sigma, size=_SIZE):
    y, x = np.mgrid[:size, :size]
    return np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * sigma**2)).astype("float32")


def correlate(heatmap, variant="row_column"):
    """`row_column_correlation` of one map `(height, width)`."""
    return np.asarray(row_column_correlation(heatmap[None, ..., None], variant))[0, ..., 0]


def two_peaks(case):
    """The map of one of `CASES`, `(64, 64)`."""
    return np.maximum(*(_gaussian(*peak) for peak in case[1:]))


def fig3(folder) -> Figure:
    figure = new_figure(9.6, 10.2)
    grid = figure.subplots(3, 3)
    for case, row in zip(CASES, grid, strict=True):
        heatmap = two_peaks(case)
        maps = (heatmap, correlate(heatmap), correlate(heatmap, "symmetric"))
        names = ("heatmap", "RCC (the paper)", "symmetric RCC (ours)")
        for axes, one, name in zip(row, maps, names, strict=True):
            _show(axes, one)
            axes.plot([0, _SIZE - 1], [0, _SIZE - 1], color="white", linewidth=0.8, linestyle=":")
            for r, c in _peaks(one):
                _value(axes, c, r, one[r, c])
            panel_title(axes, name)
        row[0].set_ylabel(textwrap.fill(case[0], 24), fontsize=11, labelpad=10)
    caption = (
        "Three heatmaps with two peaks of height 1 before and after correlation; numbers are the "
        "heights of the peaks, dots the diagonal. Row-column correlation weighs a peak by its "
        "width and by its distance from the diagonal (Theorem 2), so a true peak far from it may "
        "lose. The symmetric form prefers no place. Computed with this package's own layer."
    )
    title = "Figure 3. Row-column correlation of two peaks"
    return Figure("fig3", title, caption, save_both(figure, folder, "fig3"))


def _show(axes, heatmap, **options):
    axes.imshow(heatmap, cmap=_MAP, vmin=0, vmax=1, **options)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def _value(axes, x, y, value):
    axes.annotate(
        f"{value:.2f}",
        (x, y),
        (24 if x < 40 else -24, 12),
        textcoords="offset points",
        ha="left" if x < 40 else "right",
        va="center",
        color="white",
        fontsize=10,
    )


def _peaks(heatmap, least=0.01):
    """Local maxima of at least `least`, as (row, column)."""
    padded = np.pad(heatmap, 1, constant_values=-1)
    height, width = heatmap.shape
    around = [
        padded[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
        for dy in (-1, 0, 1)
        for dx in (-1, 0, 1)
        if dy or dx
    ]
    return np.argwhere((heatmap > np.max(around, 0)) & (heatmap >= least))


def fig4(folder) -> Figure:
    half = 11
    centre = np.array([[[32.0, 32.0, 2.0]]], "float32")
    maps = {
        "Gaussian, σ = 2": np.asarray(gaussian_heatmap(centre, (_SIZE, _SIZE)))[0, ..., 0],
        "highly differentiated, α = .7, T = 8": np.asarray(
            highly_differentiated_heatmap(centre, (_SIZE, _SIZE))
        )[0, ..., 0],
    }
    figure = new_figure(13, 4.3)
    panels = figure.subplots(1, 3, width_ratios=(1, 1, 1.5))
    reach = slice(32 - half, 33 + half)
    extent = (-half - 0.5, half + 0.5, half + 0.5, -half - 0.5)
    for (name, heatmap), axes in zip(maps.items(), panels, strict=False):
        _show(axes, heatmap[reach, reach], extent=extent)
        panel_title(axes, name)
    axes, x = panels[2], np.arange(-half, half + 1)
    for (name, heatmap), color, line, marker in zip(
        maps.items(), (_BLUE, _RED), ("--", "-"), "sD", strict=True
    ):
        row = heatmap[32, reach]
        gap = row[half] - row[half + 1]
        axes.plot(
            x, row, line, color=color, marker=marker, markersize=5, label=f"{name}: gap {gap:.3f}"
        )
    axes.set_xlabel("distance from the keypoint (heatmap px)")
    axes.set_ylabel("value")
    axes.set_ylim(0, 1.32)
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.legend(frameon=False, loc="upper center")
    panel_title(axes, "a row through the keypoint")
    tidy(axes, "both")
    caption = (
        "The two training targets. The gap is the highest value minus the second highest: the "
        "wider it is, the larger a disturbance has to be before another pixel wins. Computed with "
        "this package's own functions."
    )
    title = "Figure 4. Gaussian and highly differentiated heatmap"
    return Figure("fig4", title, caption, save_both(figure, folder, "fig4"))
