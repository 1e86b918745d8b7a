"""Figure 2: the pipeline, drawn round a rendered hand."""

import numpy as np

from keras_shr.evaluation.plotting import new_figure
from keras_shr.perturbations import reference
from keras_shr.rendering import render_sample
from keras_shr.reproduction.report.drawing import Figure, save_both
from keras_shr.reproduction.report.method_figures import correlate

_SIDE = 1.9
_MAP = 64
_KEYPOINT = 8  # the index finger's tip
_INK, _FILL, _LOSS = "0.2", "#e3f0f9", "#fdf1e3"


def fig2(folder) -> Figure:
    figure = new_figure(13.5, 5.9)
    axes = figure.subplots()
    axes.set_xlim(0, 17.2)
    axes.set_ylim(0.3, 7.6)
    axes.set_aspect("equal")
    axes.set_axis_off()
    sample = render_sample(3, 5, size=128)
    perturbed = reference.perturb(sample.image, "glass_blur", 3, seed=1)
    x, y = (sample.keypoints[_KEYPOINT, :2] + 0.5) / 128 * _MAP - 0.5
    rows = (
        (5.5, sample.image, "clean picture $x$", _heatmap(x, y, 0.75), "$HT$", "$r_x$"),
        (0.9, perturbed, "perturbed picture $x'$", _heatmap(x, y, 0.95), "$HT'$", "$r_{x'}$"),
    )
    for bottom, picture, name, heatmap, before, after in rows:
        middle = bottom + _SIDE / 2
        _picture(axes, picture, 0.2, bottom, name)
        _picture(axes, heatmap, 6.4, bottom, before)
        _picture(axes, correlate(heatmap), 10.4, bottom, after)
        for start, end in ((2.2, 2.9), (5.6, 6.3), (8.4, 8.9), (9.8, 10.3)):
            _arrow(axes, (start, middle), (end, middle))
        _box(axes, 2.9, middle - 0.6, 2.7, 1.2, "backbone and\nupsampling")
        _box(axes, 8.9, middle - 0.4, 0.9, 0.8, "RCC")
    dot = 0.2 + (x + 0.5) / _MAP * _SIDE, 5.5 + _SIDE * (1 - (y + 0.5) / _MAP)
    axes.plot(*dot, "o", markersize=9, markerfacecolor="none", color="white", markeredgewidth=1.6)
    top, low = (bottom + _SIDE / 2 for bottom, *_ in rows)
    _link(axes, 4.25, low + 0.6, top - 0.6, "same weights")
    _link(axes, 1.15, low + 1.0, top - 1.5, "one of ten kinds,\nfive severities", arrow=True)
    _box(
        axes,
        13.6,
        top - 0.55,
        3.4,
        1.1,
        "$L_{wce}$: cross-entropy with the\nhighly differentiated map",
        _LOSS,
    )
    _box(
        axes,
        13.6,
        (top + low) / 2 - 0.55,
        3.4,
        1.1,
        "$λ L_{mst}$: change of the map,\nand at the clean peak",
        _LOSS,
    )
    _arrow(axes, (12.4, top), (13.5, top))
    _arrow(axes, (12.4, top - 0.5), (13.5, (top + low) / 2 + 0.25))
    _arrow(axes, (12.4, low + 0.5), (13.5, (top + low) / 2 - 0.25))
    caption = (
        "A clean and a perturbed picture pass through the same network; row-column correlation "
        "(RCC) strengthens the map's single peak; the clean map is compared with its target, and "
        "both maps with each other. The pictures are rendered; the maps, for the ringed fingertip, "
        "are drawn, not predicted."
    )
    title = "Figure 2. The pipeline"
    return Figure("fig2", title, caption, save_both(figure, folder, "fig2"))


def _heatmap(x, y, rival):
    """A broad true peak and a narrow rival."""
    rows, columns = np.mgrid[:_MAP, :_MAP]

    def peak(px, py, sigma):
        return np.exp(-((columns - px) ** 2 + (rows - py) ** 2) / (2 * sigma**2))

    other = (x + 30) % _MAP, (y + 30) % _MAP
    return np.maximum(peak(x, y, 4), rival * peak(*other, 2)).astype("float32")


def _picture(axes, picture, left, bottom, name):
    axes.imshow(picture, extent=(left, left + _SIDE, bottom, bottom + _SIDE), cmap="cividis")
    axes.text(left + _SIDE / 2, bottom - 0.1, name, ha="center", va="top", fontsize=11)


def _box(axes, left, bottom, width, height, words, fill=_FILL):
    from matplotlib.patches import FancyBboxPatch

    style = "round,pad=0,rounding_size=0.12"
    axes.add_patch(
        FancyBboxPatch(
            (left, bottom), width, height, boxstyle=style, facecolor=fill, edgecolor=_INK
        )
    )
    axes.text(left + width / 2, bottom + height / 2, words, ha="center", va="center", fontsize=10)


def _arrow(axes, start, end, style="-|>"):
    axes.annotate("", end, start, arrowprops={"arrowstyle": style, "color": _INK, "lw": 1.3})


def _link(axes, x, low, high, words, arrow=False):
    start, end = ((x, high), (x, low)) if arrow else ((x, low), (x, high))
    _arrow(axes, start, end, "-|>" if arrow else "<|-|>")
    axes.text(x + 0.15, (low + high) / 2, words, va="center", fontsize=10, color=_INK)
