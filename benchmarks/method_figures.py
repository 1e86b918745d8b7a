"""Draws the figures of docs/method.md: the pipeline, the targets, row-column correlation.

python -m benchmarks.method_figures docs
"""

import argparse
import shutil
import tempfile
from pathlib import Path

import numpy as np

from keras_shr.drawing import BLUE, GREEN, VERMILION
from keras_shr.evaluation.plotting import new_figure, save, tidy
from keras_shr.heatmaps import gaussian_heatmap, highly_differentiated_heatmap
from keras_shr.reproduction.report.method_figures import correlate
from keras_shr.reproduction.report.pipeline_figure import fig2

SIZE, HALF = 64, 11
PAPER = {"alpha": 0.7, "threshold": 8, "metric": "chessboard"}
OURS = {"alpha": 0.5, "threshold": 8, "metric": "cityblock"}

# Title, peaks (row, column, sigma, height), the true one first.
CASES = (
    ("the true peak is broad", ((18, 24, 4.0, 1.0), (44, 38, 2.0, 1.1))),
    ("the true peak is far from the diagonal", ((10, 48, 3.0, 1.0), (34, 28, 3.0, 0.2))),
)


def targets(path):
    """The three targets round a keypoint, and the row through it."""
    point = np.array([[[32.0, 32.0, 2.0]]], "float32")
    size = (SIZE, SIZE)
    maps = {
        "Gaussian, σ 2": gaussian_heatmap(point, size),
        "paper: chessboard, α .7": highly_differentiated_heatmap(point, size, **PAPER),
        "default here: city-block, α .5": highly_differentiated_heatmap(point, size, **OURS),
    }
    figure = new_figure(13, 3.9)
    panels = figure.subplots(1, 4, width_ratios=(1, 1, 1, 1.5))
    reach = slice(32 - HALF, 33 + HALF)
    x = np.arange(-HALF, HALF + 1)
    looks = zip((BLUE, VERMILION, GREEN), ("--", "-", "-."), "sDo", panels, strict=False)
    for (name, heatmap), (color, line, marker, axes) in zip(maps.items(), looks, strict=True):
        heatmap = np.asarray(heatmap)[0, reach, reach, 0]
        _map(axes, heatmap, name)
        row = heatmap[HALF]
        short = name.split(": ")[-1].split(",")[0]
        label = f"{short} (gap {row[HALF] - row[HALF + 1]:.2f})"
        panels[3].plot(
            x, row, line, color=np.divide(color, 255), marker=marker, markersize=5, label=label
        )
    panels[3].set_xlabel("heatmap px from the keypoint")
    panels[3].set_title("the row through it", fontsize=13)
    panels[3].legend(frameon=False, fontsize=10, loc="upper left", bbox_to_anchor=(0.58, 1.02))
    tidy(panels[3], "both")
    return save(figure, path)


def correlation(path):
    """Two maps of two peaks before and after both variants of correlation."""
    figure = new_figure(10.2, 7.4)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    for (title, peaks), panels in zip(CASES, figure.subplots(2, 3), strict=True):
        heatmap = np.zeros((SIZE, SIZE), "float32")
        for row, column, sigma, height in peaks:
            square = (rows - row) ** 2 + (columns - column) ** 2
            heatmap = np.maximum(heatmap, height * np.exp(-square / (2 * sigma**2)))
        heatmap = heatmap / heatmap.max()
        maps = (heatmap, correlate(heatmap), correlate(heatmap, "symmetric"))
        names = ("network's map", "row-column (paper)", "symmetric (default)")
        for axes, one, name in zip(panels, maps, names, strict=True):
            _map(axes, one, name)
            axes.plot([0, SIZE - 1], [0, SIZE - 1], color="white", linewidth=0.8, linestyle=":")
            for row, column, sigma, _ in peaks:
                axes.text(
                    column + 2 * sigma + 1,
                    row,
                    f"{one[row, column]:.2f}",
                    color="white",
                    fontsize=12,
                    va="center",
                )
            answer = np.unravel_index(one.argmax(), one.shape)
            axes.plot(*answer[::-1], "o", markersize=20, mfc="none", mec="white", mew=1.8)
        panels[0].set_ylabel(title, fontsize=12)
    return save(figure, path)


def _map(axes, heatmap, name):
    axes.imshow(heatmap, cmap="cividis", vmin=0, vmax=1)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_title(name, fontsize=13)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    with tempfile.TemporaryDirectory() as temporary:
        shutil.copyfile(fig2(temporary).path, folder / "pipeline.png")
    targets(folder / "targets.png")
    correlation(folder / "rcc.png")


if __name__ == "__main__":
    main()
