"""Short NumPy versions of the metrics, in float64 loops, to test the package against."""

from itertools import pairwise

import numpy as np


def used(y_true, visibility="all", weight=None):
    """Yield (sample, keypoint, weight) of every keypoint that counts."""
    for b in range(y_true.shape[0]):
        for k in range(y_true.shape[1]):
            seen = y_true[b, k, 2] == 2 if visibility == "seen" else y_true[b, k, 2] > 0
            w = 1.0
            if weight is not None:
                w = float(weight[b] if np.ndim(weight) == 1 else weight[b, k])
            if seen and w and np.isfinite(y_true[b, k, :2]).all():
                yield b, k, w


def distance(a, b, scale=1.0):
    d = float(np.hypot(*(np.float64(a[:2]) - np.float64(b[:2])))) * scale
    return d if np.isfinite(d) else np.inf


def length(keypoints, normalize):
    labelled = keypoints[keypoints[:, 2] > 0]
    if normalize is None:
        return 1.0
    if normalize == "box":
        return (
            float((labelled[:, :2].max(0) - labelled[:, :2].min(0)).max()) if len(labelled) else 0
        )
    i, j = normalize
    if min(keypoints[i, 2], keypoints[j, 2]) == 0:
        return 0.0
    return distance(keypoints[i], keypoints[j])


def errors(y_true, y_pred, normalize=None, scale=1.0, visibility="all", weight=None):
    """[(keypoint, error, weight)]."""
    out = []
    for b, k, w in used(y_true, visibility, weight):
        size = length(y_true[b], normalize) * (scale if normalize else 1.0)
        if size > 0:
            out.append((k, distance(y_true[b, k], y_pred[b, k], scale) / size, w))
    return out


def mean(pairs):
    pairs = list(pairs)
    total = sum(w for _, w in pairs)
    return sum(v * w for v, w in pairs) / total if total else np.nan


def pck(errs, threshold, inclusive=True):
    return mean((e <= threshold if inclusive else e < threshold, w) for _, e, w in errs)


def auc(errs, convention):
    keypoints = sorted({k for k, _, _ in errs})
    if convention == "ours":
        return np.mean([pck(errs, t) for t in range(31)])
    scores = []
    for k in keypoints:
        own = [x for x in errs if x[0] == k]
        if convention == "hand3d":
            y = [pck(own, t) for t in np.linspace(0, 30, 20)]
            scores.append(np.mean([(a + b) / 2 for a, b in pairwise(y)]))
        else:
            scores.append(np.mean([pck(own, 1.5 * i, False) for i in range(20)]))
    return np.mean(scores)


def peak_spread(heatmap, n):
    """One map (height, width)."""
    order = sorted(np.ndindex(heatmap.shape), key=lambda p: (-heatmap[p], p))[:n]
    return sum((y - order[0][0]) ** 2 + (x - order[0][1]) ** 2 for y, x in order)


def peak_gap(heatmap):
    top = np.sort(heatmap, axis=None)[::-1]
    return (top[0] - max(top[1], 0)) / top[0] if top[0] > 0 else 0.0


def theorem3(clean, perturbed, corrected=False):
    """One pair of maps (height, width), in float64: (left side, right side)."""
    clean, perturbed = np.float64(clean), np.float64(perturbed)
    top = np.sort(clean, axis=None)[::-1]
    change = perturbed - clean
    at = change[np.unravel_index(clean.argmax(), clean.shape)]
    bound = np.sqrt((change**2).sum() + clean.size * at**2)
    return top[0] - top[1], bound * (np.sqrt(1 + 1 / (1 + clean.size)) if corrected else 1)
