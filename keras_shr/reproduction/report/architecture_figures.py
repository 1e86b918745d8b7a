"""Figure 8: the same on six architectures."""

from keras_shr.evaluation.plotting import new_figure
from keras_shr.evaluation.protocol import UNSEEN
from keras_shr.reproduction.report.drawing import (
    BARS,
    PERCENT,
    Figure,
    legend,
    not_run_marks,
    panel_title,
    points,
    save_both,
)
from keras_shr.reproduction.report.methods import architecture_label, data_label, label
from keras_shr.reproduction.report.paper_tables import FIG8_METHODS, architectures
from keras_shr.reproduction.report.results import CLEAN

_PANELS = (
    ("AUC, clean pictures", "AUC (%)", "auc", CLEAN),
    ("AUC, five unseen kinds", "AUC (%)", "auc", UNSEEN),
    ("RUC, five unseen kinds", "RUC (%)", "RUC", UNSEEN),
)


def fig8(results, folder) -> Figure:
    title = "Figure 8. Six architectures"
    names = architectures(results)
    found = {
        (data, panel): {
            method: [
                results.estimate(method, data, panel[2], panel[3], architecture=name)
                for name in names
            ]
            for method in FIG8_METHODS
        }
        for data in results.data
        for panel in _PANELS
    }
    if not any(e for series in found.values() for row in series.values() for e in row):
        return Figure("fig8", title, reason="none of its cells was run")
    figure = new_figure(14, 1.0 + 3.6 * len(results.data))
    grid = figure.subplots(len(results.data), len(_PANELS), squeeze=False)
    words = [architecture_label(name) for name in names]
    for data, row in zip(results.data, grid, strict=True):
        for panel, axes in zip(_PANELS, row, strict=True):
            series = found[data, panel]
            points(axes, words, series, PERCENT)
            not_run_marks(axes, series)
            axes.set_xticks(axes.get_xticks(), words, rotation=35, ha="right", fontsize=9)
            panel_title(axes, f"{data_label(data)}: {panel[0]}")
            axes.set_ylabel(panel[1])
    legend(figure, grid)
    caption = (
        f"Larger is better in every panel. {BARS} Numbers: the table below and fig8.csv."
        f"{_not_converged(results, names)}"
    )
    return Figure("fig8", title, caption, save_both(figure, folder, "fig8"))


def _not_converged(results, names):
    """A sentence that names what had not converged."""
    parts = []
    for data in results.data:
        for name in names:
            found = [(m, results.progress(m, data, name)) for m in FIG8_METHODS]
            methods = [label(m) for m, progress in found if progress.done and progress.faults]
            if methods:
                place = f"{data_label(data)}, " if len(results.data) > 1 else ""
                parts.append(f"{place}{architecture_label(name)} ({', '.join(methods)})")
    if not parts:
        return ""
    return f" Had not converged, so that no comparison with it counts: {'; '.join(parts)}."
