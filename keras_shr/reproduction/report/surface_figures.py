"""Figure 10: loss surfaces on one colour scale, with their smoothness."""

import numpy as np

from keras_shr.errors import DataError
from keras_shr.evaluation.plotting import new_figure
from keras_shr.reproduction import paper
from keras_shr.reproduction.measures.surface import AMPLITUDE
from keras_shr.reproduction.report.drawing import (
    Figure,
    convergence_note,
    panel_title,
    plain_log,
    save_both,
)
from keras_shr.reproduction.report.methods import PAPER, data_label, in_order

_COLUMNS = 4


def fig10(results, folder) -> Figure:
    title = "Figure 10. Loss surfaces"
    surfaces = _surfaces(results)
    if not surfaces:
        return Figure("fig10", title, reason="there is no surfaces.csv")
    from matplotlib.colors import LogNorm, Normalize
    from matplotlib.patheffects import withStroke

    data = [name for name in results.data if any(key[0] == name for key in surfaces)]
    every = np.concatenate([z.ravel() for _, _, z in surfaces.values()])
    low, high = float(every.min()), float(every.max())
    logarithmic = low > 0 and high > 20 * low
    norm = (LogNorm if logarithmic else Normalize)(low, max(high, low + 1e-9))
    columns = min(_COLUMNS, max(sum(key[0] == name for key in surfaces) for name in data))
    lines = [
        (name, methods[i : i + columns])
        for name in data
        for methods in _papers_first(in_order(m for d, m in surfaces if d == name))
        for i in range(0, len(methods), columns)
    ]
    space = np.geomspace if logarithmic else np.linspace
    levels = space(low, max(high, low + 1e-9), 14)[1:-1]
    figure = new_figure(3.1 * columns + 1.2, 3.4 * len(lines))
    grid = figure.subplots(len(lines), columns, squeeze=False)
    for (name, methods), row in zip(lines, grid, strict=True):
        for axes in row[len(methods) :]:
            axes.set_axis_off()
        for method, axes in zip(methods, row, strict=False):
            a, b, z = surfaces[name, method]
            picture = axes.pcolormesh(a, b, z, cmap="cividis", norm=norm, shading="nearest")
            lines_ = axes.contour(a, b, z, levels=levels, colors="white", linewidths=0.9)
            lines_.set_path_effects([withStroke(linewidth=2.2, foreground="black")])
            axes.set_xlabel("a (0 clean, 1 perturbed)")
            place = f"{data_label(name)}: " if len(data) > 1 else ""
            panel_title(
                axes, f"{place}{results.name(method, name)}\n{_smoothness(results, method, name)}"
            )
        row[0].set_ylabel("b (random signs)")
    scale = ", logarithmic" if logarithmic else ""
    bar = figure.colorbar(picture, ax=grid, label=f"mean loss{scale}", shrink=0.8)
    if logarithmic:
        plain_log(bar.ax.yaxis, (1, 2, 3, 5, 7))
    counts = sorted(_images(results))
    spoken = f"{counts[0]}" + (f" to {counts[-1]}" if len(counts) > 1 else "") if counts else "no"
    caption = (
        "Mean loss around clean pictures (a = b = 0) along a perturbation (a) and along random "
        f"signs of {AMPLITUDE:g} grey levels (b). The loss means the same for every method: 1000 "
        "times the mean squared error between the max-normalised map and the same Gaussian target "
        "(σ 2 px), so a perfect map of another target (HDHR and whatever contains it) keeps a "
        "loss above 0. a leads from the clean picture (0) to one perturbed by one of the five "
        "unseen kinds at severity 3 (1). The paper's seven methods come first. All panels share "
        "the colour scale and the levels of the white lines. |Δ²|: mean "
        f"absolute second difference of the loss over {spoken} pictures, smaller is smoother."
        f"{convergence_note(results, {m for _, m in surfaces})}"
    )
    return Figure("fig10", title, caption, save_both(figure, folder, "fig10"))


def _papers_first(methods):
    """The methods of the paper's figure, then the others: in lists that begin a row each."""
    shown = (PAPER, *paper.COMPARED)
    lists = [m for m in shown if m in methods], [m for m in methods if m not in shown]
    if len(methods) <= _COLUMNS:
        return [[*lists[0], *lists[1]]]
    return [one for one in lists if one]


def _surfaces(results):
    """(data, method) → a, b and the loss `(b, a)`, mean over seeds."""
    cells: dict = {}
    for row in results.rows["surfaces.csv"]:
        if row["architecture"] == results.main:
            place = cells.setdefault((row["data"], row["method"]), {})
            place.setdefault((row["a"], row["b"]), []).append(row["loss"])
    surfaces = {}
    for (data, method), values in cells.items():
        a, b = (np.array(sorted({key[i] for key in values})) for i in (0, 1))
        if len(values) != len(a) * len(b):
            raise DataError(
                f"{results.folder / 'surfaces.csv'}: {method}, {data} has {len(values)} points, "
                f"expected a full grid of {len(a)} x {len(b)}"
            )
        surfaces[data, method] = (a, b, np.array([[np.mean(values[x, y]) for x in a] for y in b]))
    return surfaces


def _smoothness(results, method, data):
    estimate = results.estimate(method, data, "smoothness")
    if estimate is None:
        return "|Δ²| not measured"
    return f"|Δ²| {estimate.value:#.3g}" + (f" ± {estimate.spread:.1g}" if estimate.n > 1 else "")


def _images(results):
    """How many pictures the smoothness of each cell was measured on."""
    counts: dict = {}
    for row in results.rows["smoothness.csv"]:
        key = tuple(row[k] for k in ("method", "architecture", "data", "seed"))
        counts[key] = counts.get(key, 0) + 1
    return set(counts.values())
