"""A made-up run with known values: what `reproduce` would leave in its folder."""

import csv
import math
from pathlib import Path

import numpy as np

CELL = ("method", "architecture", "data", "seed")
SCORES = (
    *CELL,
    *("group", "kind", "severity", "metric", "decoding", "visibility", "value", "low", "high", "n"),
)
SEEN = ("brightness", "defocus_blur", "frost")
UNSEEN = ("gaussian_blur", "jpeg_compression", "saturate", "spatter", "speckle_noise")

# Clean AUC, AUC unseen, R unseen, RUC unseen, D_64, D_(1)(2) of seed 0; seed s adds SEED[s].
METHODS = {
    "baseline": (0.800, 0.500, 900.0, 0.600, 1000.0, 0.050),
    "supervised": (0.780, 0.640, 400.0, 0.740, 1010.0, 0.050),
    "rcc": (0.795, 0.520, 700.0, 0.640, 850.0, 0.045),
    "hdhr": (0.805, 0.550, 600.0, 0.660, 900.0, 0.100),
    "mst": (0.790, 0.540, 500.0, 0.680, 980.0, 0.055),
    "paper": (0.785, 0.650, 200.0, 0.760, 780.0, 0.070),
    "ours": (0.790, 0.720, 120.0, 0.830, 760.0, 0.110),
    "st_a": (0.795, 0.560, 600.0, 0.670, 990.0, 0.050),
    "st_g": (0.798, 0.510, 800.0, 0.620, 995.0, 0.050),
    "augmix": (0.797, 0.580, 650.0, 0.675, 995.0, 0.051),
    "augmix_no_jsd": (0.796, 0.570, 660.0, 0.665, 995.0, 0.051),
    "pg": (0.788, 0.600, 550.0, 0.690, 990.0, 0.049),
    "lip": (0.760, 0.470, 750.0, 0.610, 1100.0, 0.040),
}
SEED = (0.0, 0.004, -0.004)
EXTRA = ("vignette", "chromatic_aberration")


def write_csv(path, fields, rows):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fields, restval="")
        writer.writeheader()
        writer.writerows(rows)


def scores_of(cell, values, rng):
    """Rows of scores.csv of one cell."""
    clean, unseen, r, ruc, d64, gap = values

    def row(group, kind, metric, value, half=0.01):
        spread = half * value if metric in ("R", "D_64") else half
        visibility = "all" if metric.startswith("auc") else "any"
        found = {"group": group, "kind": kind, "severity": "", "metric": metric}
        found |= {"decoding": "argmax", "visibility": visibility, "n": 100}
        found |= {"value": value, "low": value - spread, "high": value + spread}
        return dict(zip(CELL, cell, strict=True)) | found

    yield row("clean", "", "auc", clean)
    yield row("clean", "", "D_64", d64)
    yield row("clean", "", "D_(1)(2)", gap, 0.001)
    seen = (clean + unseen) / 2
    groups = [("unseen", UNSEEN, unseen), ("seen", SEEN, seen), ("extra", EXTRA, unseen - 0.05)]
    for group, kinds, auc in groups:
        yield from (row(group, "", m, v) for m, v in (("auc", auc), ("R", r), ("RUC", ruc)))
        yield row(group, "", "theorem3", 0.1 * ruc)
        yield row(group, "", "unmoved", 0.5 * ruc)
        for i, kind in enumerate(kinds):
            shift = i - (len(kinds) - 1) / 2  # the kinds' mean is the group's value
            yield row(group, kind, "auc", auc + 0.02 * shift)
            yield row(group, kind, "R", r * math.exp(0.3 * shift))
        for p in range(31):
            area = 1 - (1 - ruc) * 2 * math.exp(-p / 8)
            yield row(group, "", f"stable_at_{p}", max(0.0, min(1.0, area)))
    yield row("all", "", "auc", (5 * unseen + 3 * seen) / 8)
    # What the report has to leave alone: another decoding, another visibility, one severity.
    yield row("clean", "", "auc", 0.123) | {"decoding": "subpixel"}
    yield row("clean", "", "auc", 0.123) | {"visibility": "seen"}
    yield row("unseen", UNSEEN[0], "auc", 0.123) | {"severity": "3"}


def make_run(folder, seeds=3, data=("rendered",), gain=0.001, methods=METHODS, extras=True):
    """Write a run; `stacked_hourglass` and the method `at` are planned and not run."""
    folder, rng = Path(folder), np.random.default_rng(0)
    cells, scores, curves, times = [], [], [], []
    grid = [(m, "mobilenet_v2") for m in (*methods, "at")]
    grid += [(m, a) for a in ("resnet50", "stacked_hourglass") for m in ("baseline", "paper")]
    for name in data:
        for method, architecture in grid:
            for seed in range(seeds):
                cell = (method, architecture, name, seed)
                done = method != "at" and architecture != "stacked_hourglass"
                found = dict(zip(CELL, cell, strict=True))
                row = found | {"status": "done" if done else "not run", "steps": 1000}
                row |= {"batch_images": 126, "image_size": 128, "pair": method == "paper"}
                cells.append(row)
                if not done:
                    continue
                shift = SEED[seed] + (0.01 if architecture == "resnet50" else 0)
                shift += 0.02 * data.index(name)
                auc, unseen, r, ruc, d64, gap = methods[method]
                values = (auc + shift, unseen + shift, r * math.exp(5 * SEED[seed]))
                values += (ruc + shift, d64 * math.exp(SEED[seed]), gap * math.exp(SEED[seed]))
                row |= {"parameters": 2_000_000, "val_auc_start_last_fifth": auc - gain}
                row |= {"val_auc_end": auc, "val_auc_gain_last_fifth": gain}
                scores += scores_of(cell, values, rng)
                for step in range(100, 1001, 100):
                    value = auc * (1 - math.exp(-step / 200))
                    curve = {"epoch": step // 100, "step": step, "loss": 1 / step}
                    curves.append(found | curve | {"auc_clean": value, "auc_seen": value - 0.2})
                ms = 20 * (1 + 0.1 * list(methods).index(method))
                times.append(found | {"train_seconds": 60, "ms_per_step": ms, "device": "1 x GPU",
                                      "evaluate_seconds": 30, "backend": "jax",
                                      "versions": "python 3.11"})  # fmt: skip
    columns = list(dict.fromkeys(key for row in cells for key in row))
    write_csv(folder / "cells.csv", columns, cells)
    write_csv(folder / "scores.csv", SCORES, scores)
    write_csv(folder / "curves.csv", list(curves[0]), curves)
    write_csv(folder / "times.csv", list(times[0]), times)
    if extras:
        _extras(folder, data[0], rng)


def _extras(folder, data, rng):
    surfaces, smoothness, temporal, frames = [], [], [], []
    grid = np.linspace(-1, 1, 9)
    for i, method in enumerate(("baseline", "paper", "ours", "st_a", "augmix", "pg")):
        found = {"method": method, "architecture": "mobilenet_v2", "data": data, "seed": 0}
        rough = (3.0, 0.7, 0.5, 2.0, 1.5, 1.2)[i]
        for a in grid:
            for b in grid:
                loss = 1 + rough * (a + 0.4) ** 2 + 0.3 * rough * b**2
                loss += 0.1 * rough * math.sin(6 * a + 4 * b)
                surfaces.append(found | {"a": a, "b": b, "loss": loss})
        for image in range(120):
            value = 0.1 * rough * (1 + 0.2 * rng.standard_normal())
            smoothness.append(found | {"image": image, "smoothness": value})
        for source in ("rendered_motion", "video"):
            for k, metric in enumerate(("jitter", "acceleration", "label_acceleration")):
                value = (1 + rough) * (1 + k) if k < 2 else 0.5
                temporal.append(found | {"source": source, "metric": metric, "value": value,
                                         "low": 0.9 * value, "high": 1.1 * value})  # fmt: skip
    hand = _hand()
    for method, size in (("baseline", 6.0), ("paper", 1.5)):
        for frame in range(7):
            label = hand + 2 * frame
            keypoints = label + size * rng.standard_normal(hand.shape)
            for k, ((x, y), (u, v)) in enumerate(zip(keypoints, label, strict=True)):
                frames.append({"method": method, "frame": frame, "keypoint": k, "x": x, "y": y,
                               "label_x": u, "label_y": v})  # fmt: skip
    for name, rows in (("surfaces", surfaces), ("smoothness", smoothness),
                       ("temporal", temporal), ("frames", frames)):  # fmt: skip
        write_csv(folder / f"{name}.csv", list(rows[0]), rows)
    y, x = np.mgrid[:32, :32]
    true = np.exp(-((x - 10) ** 2 + (y - 12) ** 2) / 8)
    wrong = np.exp(-((x - 25) ** 2 + (y - 22) ** 2) / 6)
    rivals = ((0.9, 0.7, 0.5), (0.1, 0.2, 0.05))
    maps = [[true + rival * wrong for rival in row] for row in rivals]
    np.savez(
        folder / "peaks.npz",
        methods=np.array(["baseline", "rcc"]),
        heatmaps=np.array(maps, "float32"),
        keypoints=np.array([[10.0, 12.0]] * 3),
        images=rng.integers(0, 255, (3, 64, 64, 3), dtype="uint8"),
    )


def _hand():
    """21 points that look a little like a hand, in px of a 128-px picture."""
    points = [(64.0, 110.0)]
    for finger in range(5):
        angle = math.radians(-130 + 20 * finger)
        points += [(64 + r * math.cos(angle), 105 + r * math.sin(angle)) for r in (30, 45, 57, 67)]
    return np.array(points)
