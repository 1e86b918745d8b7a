"""Figure 2: the pipeline, drawn round a rendered hand."""

import numpy as np

from keras_shr.evaluation.plotting import new_figure
from keras_shr.perturbations import reference
from keras_shr.rendering import render_sample
from keras_shr.reproduction.report.drawing import Figure, save_both
from keras_shr.reproduction.report.method_figures import correlate

_SIDE = 2.3
_MAP = 64
_KEYPOINT = 8  # the index finger's tip
_INK, _FILL, _LOSS = "0.2", "#e3f0f9", "#fdf1e3"
_TOP, _LOW = 4.2, 0.7  # bottoms of the two rows of pictures
_LOSSES = 13.4  # left end of the column of losses


def fig2(folder) -> Figure:
    figure = new_figure(12, 4.5)
    axes = figure.subplots()
    axes.set_xlim(0, 17.4)
    axes.set_ylim(0.1, 6.6)
    axes.set_aspect("equal")
    axes.set_axis_off()
    sample = render_sample(3, 5, size=128)
    perturbed = reference.perturb(sample.image, "glass_blur", 3, seed=1)
    x, y = (sample.keypoints[_KEYPOINT, :2] + 0.5) / 128 * _MAP - 0.5
    # In the perturbed map the rival has become the highest, and the true peak low, broad and moved.
    moved = _heatmap(x + 4, y - 5, 0.6, 1.0, width=5.5)
    rows = (
        (_TOP, sample.image, "clean picture $x$", _heatmap(x, y, 1.0, 0.6), "$H$", "$r_x$"),
        (_LOW, perturbed, "perturbed picture $x'$", moved, "$H'$", "$r_{x'}$"),
    )
    for bottom, picture, name, heatmap, before, after in rows:
        middle = bottom + _SIDE / 2
        _picture(axes, picture, 0.2, bottom, name)
        _picture(axes, heatmap, 6.2, bottom, before)
        _picture(axes, correlate(heatmap), 10.2, bottom, after)
        for start, end in ((2.55, 3.2), (5.5, 6.15), (8.55, 8.9), (9.8, 10.15)):
            _arrow(axes, (start, middle), (end, middle))
        _box(axes, 3.2, middle - 0.65, 2.3, 1.3, "backbone and\nupsampling", _FILL)
        _box(axes, 8.9, middle - 0.4, 0.9, 0.8, "RCC", _FILL)
        dot = 0.2 + (x + 0.5) / _MAP * _SIDE, bottom + _SIDE * (1 - (y + 0.5) / _MAP)
        axes.plot(*dot, "o", markersize=10, markerfacecolor="none", color="white", mew=1.8)
    top, low = _TOP + _SIDE / 2, _LOW + _SIDE / 2
    half = (top + low) / 2
    _link(axes, 4.35, low + 0.65, top - 0.65, "same weights")
    _link(axes, 0.55, _LOW + _SIDE, _TOP - 0.55, "one of ten kinds,\nfive severities", arrow=True)
    supervision = "$L_{wce}$: cross-entropy with the\nhighly differentiated target"
    _box(axes, _LOSSES, top - 0.65, 3.9, 1.3, supervision, _LOSS)
    stability = "$λ\\,L_{mst}$: change of the map,\nand at the clean peak"
    _box(axes, _LOSSES, half - 0.65, 3.9, 1.3, stability, _LOSS)
    _box(
        axes, _LOSSES, low - 0.65, 3.9, 1.3, "keras_shr's default:\n$L_{wce}$ here too", dashed=True
    )
    _arrow(axes, (12.55, top), (_LOSSES, top))
    _arrow(axes, (12.55, top - 0.7), (_LOSSES, half + 0.3))
    _arrow(axes, (12.55, low + 0.7), (_LOSSES, half - 0.3))
    _arrow(axes, (12.55, low), (_LOSSES, low), line="--")
    caption = (
        "A clean and a perturbed picture pass through the same network; row-column correlation "
        "(RCC) strengthens the map's single peak; the clean map is compared with its target, and "
        "both maps with each other. Dashed: what keras_shr adds. The pictures are rendered; the "
        "maps, for the ringed fingertip, are drawn, not predicted."
    )
    title = "Figure 2. The pipeline"
    return Figure("fig2", title, caption, save_both(figure, folder, "fig2"))


def _heatmap(x, y, true, rival, width=4.0):
    """A broad true peak and a narrow rival, of such heights."""
    rows, columns = np.mgrid[:_MAP, :_MAP]

    def peak(px, py, sigma):
        return np.exp(-((columns - px) ** 2 + (rows - py) ** 2) / (2 * sigma**2))

    other = 41.0, 56.0
    return np.maximum(true * peak(x, y, width), rival * peak(*other, 2)).astype("float32")


def _picture(axes, picture, left, bottom, name):
    axes.imshow(picture, extent=(left, left + _SIDE, bottom, bottom + _SIDE), cmap="cividis")
    axes.text(left + _SIDE / 2, bottom - 0.1, name, ha="center", va="top", fontsize=13)


def _box(axes, left, bottom, width, height, words, fill="white", dashed=False):
    from matplotlib.patches import FancyBboxPatch

    axes.add_patch(
        FancyBboxPatch(
            (left, bottom),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.12",
            facecolor=fill,
            edgecolor=_INK,
            linestyle="--" if dashed else "-",
        )
    )
    axes.text(left + width / 2, bottom + height / 2, words, ha="center", va="center", fontsize=12)


def _arrow(axes, start, end, style="-|>", line="-"):
    look = {"arrowstyle": style, "color": _INK, "lw": 1.4, "ls": line, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, start, arrowprops=look)


def _link(axes, x, low, high, words, arrow=False):
    start, end = ((x, high), (x, low)) if arrow else ((x, low), (x, high))
    _arrow(axes, start, end, "-|>" if arrow else "<|-|>")
    axes.text(x + 0.15, (low + high) / 2, words, va="center", fontsize=12, color=_INK)
