"""Short NumPy versions of the method's formulas, written from the paper and nothing else."""

import numpy as np


def gaussian(size, x, y, sigma):
    rows, columns = np.mgrid[: size[0], : size[1]].astype("float64")
    return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))


def in_frame(size, x, y):
    """From edge to edge of the pixels, a thousandth of one for rounding."""
    low, right, bottom = -0.5 - 1e-3, size[1] - 0.5 + 1e-3, size[0] - 0.5 + 1e-3
    return low <= x <= right and low <= y <= bottom


def nearest_pixel(size, x, y):
    """Its x and y; a point on the far edge belongs to the last one."""
    return [min(max(np.floor(v + 0.5), 0), s - 1) for v, s in zip((x, y), size[::-1], strict=True)]


def highly_differentiated(size, x, y, alpha=0.7, threshold=8, metric="chessboard"):
    rows, columns = np.mgrid[: size[0], : size[1]].astype("float64")
    column, row = nearest_pixel(size, x, y)
    dx, dy = abs(columns - column), abs(rows - row)
    distance = {
        "chessboard": np.maximum(dx, dy),
        "cityblock": dx + dy,
        "euclidean": np.hypot(dx, dy),
    }[metric]
    return np.where(distance <= threshold, alpha**distance, 0.0)


def rcc(heatmap, variant="row_column"):
    """Eq. 1 and 7 for one map in float64, or in extended precision where it underflows."""
    h = np.asarray(heatmap, "longdouble")
    if variant == "symmetric":
        result = h @ h.T @ h
    else:
        side = max(h.shape)
        square = np.zeros((side, side), "longdouble")
        square[: h.shape[0], : h.shape[1]] = h
        result = (square @ square)[: h.shape[0], : h.shape[1]]
    highest = result.max()
    return np.asarray(result / highest if highest > 0 else result, "float64")


def wce(target, heatmap, normalize=True):
    """Eq. 8 for one keypoint, with a non-negative map."""
    r = heatmap / heatmap.sum()
    loss = -sum(w * 1.0 * np.log(p) for w, p in zip(target.flat, r.flat, strict=True) if w > 0)
    return loss / target.sum() if normalize else loss


def mst(clean, perturbed):
    """Eq. 9 for one keypoint."""
    delta = perturbed - clean
    return (delta**2).sum() / delta.size + delta.flat[clean.argmax()] ** 2


def st(clean, perturbed):
    return np.linalg.norm(perturbed - clean)
