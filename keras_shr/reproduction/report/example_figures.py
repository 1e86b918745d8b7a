"""Figures 1 and 5: predictions on similar frames, and predicted heatmaps."""

import numpy as np

from keras_shr.data.records import PROTOCOL_PIXELS
from keras_shr.errors import DataError
from keras_shr.evaluation.plotting import new_figure
from keras_shr.reproduction.report.drawing import Figure, convergence_note, save_both
from keras_shr.reproduction.report.methods import in_order, look
from keras_shr.skeletons import HAND_21


def fig1(results, folder) -> Figure:
    title = "Figure 1. Predictions on similar frames"
    rows = results.rows["frames.csv"]
    if not rows:
        return Figure("fig1", title, reason="there is no frames.csv")
    frames = sorted({row["frame"] for row in rows})
    methods = in_order(row["method"] for row in rows)
    pictures = _arrays(results.folder / "frames.npz").get("images")
    found: dict = {}
    for row in rows:
        found.setdefault((row["method"], row["frame"]), []).append(row)
    limits = _limits(rows, pictures)
    scale = PROTOCOL_PIXELS / max(pictures.shape[1:3]) if pictures is not None else 1.0
    unit = "px of a 256-px crop" if pictures is not None else "px of the picture"
    figure = new_figure(2.0 * len(frames) + 0.6, 2.35 * len(methods) + 0.4)
    grid = figure.subplots(len(methods), len(frames), squeeze=False)
    for method, line in zip(methods, grid, strict=True):
        for i, (frame, axes) in enumerate(zip(frames, line, strict=True)):
            keypoints = sorted(found.get((method, frame), []), key=lambda row: row["keypoint"])
            if pictures is not None and i < len(pictures):
                axes.imshow(pictures[i])
            _hand(axes, keypoints, ("label_x", "label_y"), "0.6", 3.5)
            _hand(axes, keypoints, ("x", "y"), look(method).color, 1.3)
            axes.set_xlim(limits[0])
            axes.set_ylim(limits[1][::-1])
            axes.set_aspect("equal")
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_color("0.8")
            before = found.get((method, frame - 1), [])
            moved = f", moved {step:.1f}" if (step := _moved(before, keypoints, scale)) else ""
            axes.set_title(f"{i + 1}: {_error(keypoints, scale)}{moved}", fontsize=10, loc="left")
        line[0].set_ylabel(results.name(method, results.data[0]), fontsize=11)
    truth = [
        _moved(found[methods[0], f - 1], found[methods[0], f], scale, "label_")
        for f in frames
        if (methods[0], f - 1) in found and (methods[0], f) in found
    ]
    truth = [step for step in truth if step]
    hand = f"; the hand itself moved {min(truth):.1f} to {max(truth):.1f}" if truth else ""
    caption = (
        f"One clip of rendered motion, its frames {frames[0]:.0f} to {frames[-1]:.0f}, left to "
        "right. Thick grey: label; coloured: prediction; above each: mean distance between "
        f"the two and how far the prediction moved since the frame before, mean, in {unit}{hand}."
        f"{convergence_note(results, methods, results.data[0])}"
    )
    return Figure("fig1", title, caption, save_both(figure, folder, "fig1"))


def _hand(axes, rows, columns, color, width):
    points = np.array([[row.get(column, np.nan) for column in columns] for row in rows])
    if not len(points) or not np.isfinite(points).any():
        return
    if len(points) == len(HAND_21):
        for a, b in HAND_21.edges:
            axes.plot(*points[[a, b]].T, color=color, linewidth=width, solid_capstyle="round")
    axes.plot(*points.T, "o", color=color, markersize=1.2 + width)


def _error(rows, scale):
    distance = [np.hypot(r["x"] - r["label_x"], r["y"] - r["label_y"]) for r in rows]
    distance = [d for d in distance if np.isfinite(d)]
    return f"{scale * np.mean(distance):.1f} px" if distance else "no label"


def _moved(before, rows, scale, which=""):
    """How far the points moved from one frame to the next, mean; None where that is unknown."""
    old = {row["keypoint"]: row for row in before}
    steps = [
        np.hypot(*(row[f"{which}{c}"] - old[row["keypoint"]][f"{which}{c}"] for c in "xy"))
        for row in rows
        if row["keypoint"] in old
    ]
    steps = [step for step in steps if np.isfinite(step)]
    return scale * float(np.mean(steps)) if steps else None


def _limits(rows, pictures):
    if pictures is not None:
        height, width = pictures.shape[1:3]
        return (-0.5, width - 0.5), (-0.5, height - 0.5)
    ends = []
    for columns in (("x", "label_x"), ("y", "label_y")):
        values = np.array([row.get(c, np.nan) for row in rows for c in columns])
        low, high = np.nanmin(values), np.nanmax(values)
        ends.append((low, high))
    side = 1.15 * max(high - low for low, high in ends)
    return tuple(((low + high - side) / 2, (low + high + side) / 2) for low, high in ends)


def fig5(results, folder) -> Figure:
    title = "Figure 5. Predicted heatmaps"
    path = results.folder / "peaks.npz"
    arrays = _arrays(path)
    if not arrays:
        return Figure("fig5", title, reason="there is no peaks.npz")
    for name in ("methods", "heatmaps"):
        if name not in arrays:
            raise DataError(f"{path}: no array {name!r}; it has {', '.join(arrays)}")
    methods, heatmaps = [str(m) for m in arrays["methods"]], arrays["heatmaps"]
    if heatmaps.ndim != 4 or len(heatmaps) != len(methods):
        raise DataError(
            f"{path}: heatmaps has shape {heatmaps.shape}, expected ({len(methods)} methods, "
            "examples, height, width)"
        )
    pictures, count = arrays.get("images"), heatmaps.shape[1]
    rows = len(methods) + (pictures is not None)
    figure = new_figure(2.1 * count + 0.6, 2.25 * rows + 0.3)
    grid = figure.subplots(rows, count, squeeze=False)
    for axes in grid.flat:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
    for i in range(count):
        if pictures is not None:
            grid[0, i].imshow(pictures[i])
            if "keypoints" in arrays:
                x, y = arrays["keypoints"][i, :2]
                size = np.array(pictures.shape[1:3]) / heatmaps.shape[2:]
                at = (x + 0.5) * size[1] - 0.5, (y + 0.5) * size[0] - 0.5
                grid[0, i].plot(*at, "+", color="white", markersize=13, markeredgewidth=3.5)
                grid[0, i].plot(*at, "+", color="black", markersize=12, markeredgewidth=1.5)
        for j in range(len(methods)):
            axes, heatmap = grid[j - len(methods), i], heatmaps[j, i]
            axes.imshow(heatmap / max(float(heatmap.max()), 1e-30), cmap="cividis", vmin=0, vmax=1)
            if "keypoints" in arrays:
                axes.plot(*arrays["keypoints"][i, :2], "+", color="white", markersize=10)
    for axes, name in zip(grid[-len(methods) :, 0], methods, strict=True):
        axes.set_ylabel(results.name(name, results.data[0]), fontsize=11)
    caption = (
        "One keypoint an example, each map divided by its maximum (yellow: 1); cross: the label. "
        "Chosen, not typical: of the first test pictures those, and the keypoint of each, in which "
        "the baseline has the strongest second peak."
        f"{convergence_note(results, methods, results.data[0])}"
    )
    return Figure("fig5", title, caption, save_both(figure, folder, "fig5"))


def _arrays(path):
    if not path.is_file():
        return {}
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
