"""Our hand models beside MediaPipe's hand landmark network, on the same perturbed crops.

    python -m benchmarks.mediapipe_compare ../shared/real_hands PATH/hand_landmark_full.tflite \\
        --models hand hand-rendered --every 4 --output results/mediapipe.csv

Where to get the network is in benchmarks/mediapipe_check.py. All see the same 256-px crops,
perturbed by the reference library before anyone resizes them, in two ways: the crop as it is
("crop"), and turned upright and cut out by the labels ("tracked"), as MediaPipe's tracker would by
the last frame's landmarks. `stereo` is judged by labels that were triangulated; the labels of the
others are MediaPipe's own, so that only R and RUC, which need none, mean anything there.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.mediapipe_check import INPUT, LandmarkModel, tracker_crop
from keras_shr.data import PartReader, load_arrays, open_data
from keras_shr.data.images import resize_images
from keras_shr.evaluation.protocol import Protocol
from keras_shr.evaluation.runner import joined_blocks, make_perturber, tasks
from keras_shr.evaluation.summary import csv_text
from keras_shr.files import write_text
from keras_shr.heatmaps import image_to_heatmap
from keras_shr.metrics import keypoint_auc, mean_squared_displacement, ruc
from keras_shr.models import load_trained
from keras_shr.perturbations import EVALUATION_PERTURBATIONS, TRAINING_PERTURBATIONS

SIZE = 256
DRAWS = 200
DATA = {"stereo": "subset=stereo&split=test", "val": "subset=rooms,digits&split=val"}


def our_network(name):
    """Crops → `(images, keypoints, 2)` in their pixels."""
    model = load_trained(name)

    def network(crops):
        small = resize_images(crops, model.image_size)
        found = model.predict_keypoints(small, method="dark")[..., :2]
        return rescaled(found, model.image_size[0], crops.shape[1])

    return network


def mediapipe_network(path):
    model = LandmarkModel(path)

    def network(crops):
        small = resize_images(crops, (INPUT, INPUT)).astype("float32") / 255
        return rescaled(np.stack([model(image)[0] for image in small]), INPUT, crops.shape[1])

    return network


def rescaled(points, before, after):
    """Pixels of one size of square image as those of another."""
    return np.asarray(image_to_heatmap(points, (before, before), (after, after)))


def tracked(network):
    """The network on crops that are turned upright and cut out by the labels."""

    def predict(images, keypoints):
        turned = [
            tracker_crop(image, points[:, :2].astype(float))
            for image, points in zip(images, keypoints, strict=True)
        ]
        crops = np.stack([np.clip(np.round(255 * crop), 0, 255) for crop, _, _ in turned])
        found = network(crops.astype("uint8"))
        return np.stack([p @ m.T + o for p, (_, m, o) in zip(found, turned, strict=True)])

    return predict


def two_ways(name, network):
    return {
        f"{name}, crop": lambda images, keypoints: network(images),
        f"{name}, tracked": tracked(network),
    }


def predictions(data, predictors, protocol):
    """Name → clean `(images, keypoints, 2)` and condition → the same, and seconds an image."""
    found = {name: {} for name in predictors}
    seconds = dict.fromkeys(predictors, 0.0)

    def ask(images, condition):
        for name, predict in predictors.items():
            start = time.process_time()
            found[name][condition] = predict(images, data.keypoints)
            seconds[name] += time.process_time() - start

    ask(data.images, "clean")
    with make_perturber(protocol) as perturber:
        stream = perturber.stream(tasks(data.images, data.ids, protocol))
        for number, condition in enumerate(protocol.conditions, 1):
            ask(joined_blocks(stream, len(data)), condition)
            print(f"\r{number}/{len(protocol.conditions)} conditions", end="", file=sys.stderr)
    print(file=sys.stderr)
    count = len(data) * (1 + len(protocol.conditions))
    return found, {name: s / count for name, s in seconds.items()}


def figures(labels, answers, kinds):
    """AUC, R and RUC over some kinds, from `(images, keypoints, ·)` arrays."""
    clean = answers["clean"]
    moved = [points for condition, points in answers.items() if condition[0] in kinds]
    repeat = len(moved)
    pairs = np.tile(clean, (repeat, 1, 1))
    moved = np.concatenate(moved)
    return {
        "auc": float(keypoint_auc(np.tile(labels, (repeat, 1, 1)), moved)),
        "R": float(mean_squared_displacement(pairs, moved)),
        "RUC": float(ruc(pairs, moved)),
    }


def every_figure(labels, answers):
    row = {"auc_clean": float(keypoint_auc(labels, answers["clean"]))}
    families = {"seen": TRAINING_PERTURBATIONS, "unseen": EVALUATION_PERTURBATIONS}
    for family, kinds in families.items():
        row |= {f"{key}_{family}": v for key, v in figures(labels, answers, kinds).items()}
    return row


def with_intervals(labels, answers, seed=0):
    """The figures with 95 % intervals from draws of whole images."""
    row, rng, draws = every_figure(labels, answers), np.random.default_rng(seed), []
    for _ in range(DRAWS):
        chosen = rng.integers(0, len(labels), len(labels))
        draws.append(every_figure(labels[chosen], {c: p[chosen] for c, p in answers.items()}))
    for key in list(row):
        low, high = np.percentile([draw[key] for draw in draws], (2.5, 97.5))
        row |= {f"{key}_low": float(low), f"{key}_high": float(high)}
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photographs", type=Path)
    parser.add_argument("networks", nargs="*", type=Path, help="hand_landmark_*.tflite")
    parser.add_argument("--models", nargs="*", default=["hand"], help=".keras files or names")
    parser.add_argument("--data", nargs="+", default=list(DATA), choices=list(DATA))
    parser.add_argument("--every", type=int, default=1, help="take every n-th image")
    parser.add_argument("--severities", nargs="+", type=int, default=[1, 3, 5])
    parser.add_argument("--output", type=Path, default=Path("results/mediapipe.csv"))
    options = parser.parse_args()
    predictors = {}
    for name in options.models:
        predictors |= two_ways(Path(name).stem, our_network(name))
    for path in options.networks:
        predictors |= two_ways(path.stem, mediapipe_network(path))
    kinds = TRAINING_PERTURBATIONS + EVALUATION_PERTURBATIONS
    protocol = Protocol((SIZE, SIZE), kinds, tuple(options.severities))
    rows = []
    for name in options.data:
        reader = open_data(f"folder:{options.photographs}?{DATA[name]}", None, SIZE)
        data = load_arrays(PartReader(reader, range(0, len(reader), options.every)), 0)
        answers, seconds = predictions(data, predictors, protocol)
        for model, found in answers.items():
            row = {"model": model, "data": name, "images": len(data)}
            row |= {k: f"{v:.4g}" for k, v in with_intervals(data.keypoints, found).items()}
            rows.append(row | {"cpu_ms": f"{1000 * seconds[model]:.1f}"})
            shown = ", ".join(
                f"{k} {v}" for k, v in row.items() if "_low" not in k and "_high" not in k
            )
            print(shown, flush=True)
    command = " ".join(
        ["python", *(Path(word).name if ".tflite" in word else word for word in sys.argv)]
    )
    rows = [row | {"command": command} for row in rows]
    write_text(options.output, csv_text(rows, list(rows[0])))


if __name__ == "__main__":
    main()
