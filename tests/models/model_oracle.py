"""The table of PairedHeatmapModel's class and its losses, keypoint by keypoint in NumPy."""

import numpy as np

from tests import oracles


def output_map(z, target, rcc):
    """r of one keypoint's logits `(h, w)`."""
    z = z.astype("float64")
    if target == "gaussian" and rcc is None:
        return z
    heatmap = np.exp(z - z.max())
    return heatmap if rcc is None else oracles.rcc(heatmap, rcc)


def target_map(point, model):
    """The target of one keypoint in image pixels, or None where there is none."""
    size, image_size = model.heatmap_size, model.image_size
    x, y = ((point[i] + 0.5) * size[1 - i] / image_size[1 - i] - 0.5 for i in (0, 1))
    if not (point[2] >= model.min_visibility and oracles.in_frame(size, x, y)):
        return None
    if model.target == "gaussian":
        return oracles.gaussian(size, x, y, **{"sigma": 2.0} | model.target_options)
    return oracles.highly_differentiated(size, x, y, **model.target_options)


def supervision(r, wanted, target):
    if target == "gaussian":
        return 1000 * np.mean((r - wanted) ** 2)
    return oracles.wce(wanted, r)


def weighted_mean(values, weights):
    """Sum of weight times value over the keypoints that have both, by their number."""
    kept = [(v, w) for v, w in zip(values, weights, strict=True) if v is not None and w > 0]
    return sum(v * w for v, w in kept) / len(kept) if kept else 0.0


def loss(model, logits, keypoints, weights=None):
    """Supervision and stability of logits `(2 * batch, h, w, keypoints)`, before lambda."""
    batch, count = keypoints.shape[:2]
    weights = np.ones((batch, count)) if weights is None else weights
    weights = np.broadcast_to(weights[:, None] if weights.ndim == 1 else weights, (batch, count))
    supervised, stability, flat = [[], []], [], []
    for b in range(batch):
        for k in range(count):
            wanted = target_map(keypoints[b, k], model)
            pair = [
                output_map(logits[b + side * batch, :, :, k], model.target, model.rcc)
                for side in (0, 1)
            ]
            flat.append(weights[b, k])
            for values, r in zip(supervised, pair, strict=True):
                values.append(None if wanted is None else supervision(r, wanted, model.target))
            compare = {"mst": oracles.mst, "st": oracles.st}.get(model.stability)
            stability.append(None if wanted is None or compare is None else compare(*pair))
    if model.supervise_perturbed:
        clean = weighted_mean(supervised[0] + supervised[1], flat * 2)
    else:
        clean = weighted_mean(supervised[0], flat)
    return clean, weighted_mean(stability, flat)
