"""Trains the same network by several methods and seeds: the runs behind results/comparison_*.csv.

    python -m train.compare 'folder:../shared/real_hands?subset=rooms,digits' --output runs/real
    python -m train.compare 'rendered:8000?seed=1' --output runs/rendered

Each cell (method, seed) sees the same number of images in the same number of steps: a method that
runs clean and perturbed copies side by side takes half as many labelled images a step. A finished
cell is skipped, so the same command goes on where it stopped. Choices are made on validation
images with the ten seen kinds; `keras-shr evaluate` is for the final models.
"""

import argparse
import csv
import json
import os
import time
from pathlib import Path

import keras
import numpy as np

from keras_shr.data import load_arrays, open_data
from keras_shr.metrics import (
    keypoint_auc,
    mean_squared_displacement,
    ruc,
)
from keras_shr.models import StableHeatmapRegressor, default_optimizer
from keras_shr.perturbations import TRAINING_PERTURBATIONS, reference
from keras_shr.training import Batches, save_for_inference

SIZE = 128
NETWORK = {"image_size": SIZE, "alpha": 0.5, "heatmap_stride": 2, "filters": (128, 64, 64, 64)}
PLAIN = {"target": "gaussian", "rcc": None, "stability": None}
METHODS = {
    # Gaussian target and mean squared error, clean images only.
    "baseline": PLAIN | {"perturbations": None},
    # The control that the paper lacks: the perturbed images are supervised as well.
    "supervised": PLAIN,
    "paper": {
        "target_options": {"alpha": 0.7, "threshold": 8, "metric": "chessboard"},
        "rcc": "row_column",
        "stability": "mst",
        "stop_gradient": False,
        "supervise_perturbed": False,
    },
    "ours": {},  # the defaults of StableHeatmapRegressor
}


class Validation(keras.callbacks.Callback):
    """AUC clean and under the seen kinds, R and RUC on validation images, one CSV row a call."""

    def __init__(self, data, path, copies=4, batch_size=64):
        super().__init__()
        self.data, self.path, self.batch_size = data, path, batch_size
        rng = np.random.default_rng(0)
        self.perturbed = [
            np.stack(
                [
                    reference.perturb(
                        image, rng.choice(TRAINING_PERTURBATIONS), int(rng.integers(1, 6)), seed=i
                    )
                    for i, image in enumerate(data.images)
                ]
            )
            for _ in range(copies)
        ]

    def on_epoch_end(self, epoch, logs=None):
        clean = self.model.predict_keypoints(self.data.images, self.batch_size)
        scale = 256 / SIZE
        moved = np.concatenate(
            [self.model.predict_keypoints(p, self.batch_size) for p in self.perturbed]
        )
        base = np.concatenate([clean] * len(self.perturbed))
        truth = np.concatenate([self.data.keypoints] * len(self.perturbed))
        found = {
            "epoch": epoch,
            "loss": logs["loss"],
            "auc": float(keypoint_auc(self.data.keypoints, clean, scale=scale)),
            "auc_seen": float(keypoint_auc(truth, moved, scale=scale)),
            "R": float(mean_squared_displacement(base, moved, scale=scale)),
            "RUC": float(ruc(base, moved, scale=scale)),
        }
        logs.update({f"val_{k}": v for k, v in found.items() if k not in ("epoch", "loss")})
        new = not self.path.exists() or epoch == 0
        with open(self.path, "w" if new else "a", newline="") as file:
            writer = csv.DictWriter(file, list(found))
            if new:
                writer.writeheader()
            writer.writerow(found)


def train_cell(name, options, seed, train, validation, args, folder):
    """Trains one cell and writes model, curve and settings."""
    if (folder / "done.json").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    # The seed decides initial weights and order. The draws of augmentation and perturbation follow
    # the step alone, so that one compiled step serves all seeds.
    keras.utils.set_random_seed(seed)
    options = dict(options)
    network = NETWORK | {"dtype": args.dtype} | options.pop("network", {})
    peak = options.pop("peak", args.peak)
    model = StableHeatmapRegressor(
        len(train.skeleton),
        skeleton=train.skeleton,
        augmentation={"rotation": 40.0},
        **network,
        **options,
    )
    optimizer = default_optimizer(peak)
    model.compile(optimizer, metrics=[])
    batch = args.batch if model.paired else 2 * args.batch
    steps = args.steps // args.epochs
    batches = Batches(train, batch, seed, steps)
    started = time.time()
    curve = Validation(validation, folder / "curve.csv")
    model.fit(
        batches,
        epochs=args.epochs,
        callbacks=[
            keras.callbacks.LambdaCallback(
                on_epoch_end=lambda e, logs: print(
                    f"{name}-{seed} {e + 1}/{args.epochs} {time.time() - started:.0f}s "
                    + " ".join(f"{k}={v:.3f}" for k, v in sorted(logs.items())),
                    flush=True,
                )
            ),
            curve,
        ],
        verbose=0,
    )
    save_for_inference(model, folder / "model.keras")
    facts = {
        "method": name,
        "seed": seed,
        "options": options,
        "steps": args.steps,
        "images_per_step": 2 * args.batch,
        "parameters": model.count_params(),
        "seconds": round(time.time() - started, 1),
        "backend": keras.config.backend(),
    }
    (folder / "done.json").write_text(json.dumps(facts, indent=1))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="a data set as `keras-shr evaluate` takes it")
    parser.add_argument("--methods", default="baseline,supervised,paper,ours")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--epochs", type=int, default=20, help="validation points")
    parser.add_argument("--batch", type=int, default=64, help="pairs a step")
    parser.add_argument("--peak", type=float, default=2e-3)
    parser.add_argument("--dtype", default="float32", help="precision policy of the network")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--extra", default="{}", help="JSON: more methods, name to options")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    methods = METHODS | json.loads(args.extra)
    train, validation = (
        load_arrays(open_data(args.data, split, SIZE), args.workers) for split in ("train", "val")
    )
    for seed in map(int, args.seeds.split(",")):
        for name in args.methods.split(","):
            train_cell(
                name, methods[name], seed, train, validation, args, args.output / f"{name}-{seed}"
            )


if __name__ == "__main__":
    main()
