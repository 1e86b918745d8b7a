"""Does half precision, or XLA, cost accuracy or stability? A small problem, several seeds.

    python -m benchmarks.precision --output results/precision.csv

Coloured dots on noise (64 px, 16x16 heatmaps), a small network with batch normalisation, 512
pictures, 480 steps of 32 with the default recipe and the package's default optimizer; for each
policy, with and without `jit_compile`, on each backend and seed. Accuracy (AUC over 0-30 px of a
256-px crop, clean and perturbed) and stability (R, RUC) on 256 other pictures, perturbed by the
five kinds that no training saw, severity 3. The differences between seeds are the noise that a
difference between rows has to exceed. Rows that the table has are not measured again.
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import machine
from benchmarks.tables import Table

POLICIES = ("float32", "mixed_float16", "mixed_bfloat16")
FIGURES = ("auc_clean", "auc_perturbed", "r", "ruc")
KEY = ("backend", "policy", "jit_compile", "seed")
FIELDS = (
    *("machine", *KEY, *FIGURES, "final_loss"),
    *("skipped_steps", "finite", "train_seconds", "command"),
)
SIZE, KEYPOINTS, EDGE = 64, 3, 256


def network(policy, seed):
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1, dtype=policy)(inputs)
    for filters, stride in ((16, 2), (32, 2), (32, 1), (32, 1)):
        x = layers.Conv2D(filters, 5, stride, padding="same", use_bias=False, dtype=policy)(x)
        x = layers.BatchNormalization(momentum=0.9, dtype=policy)(x)
        x = layers.ReLU(dtype=policy)(x)
    return keras.Model(inputs, layers.Conv2D(KEYPOINTS, 1, dtype=policy)(x))


def measure(policy, jit, seed, steps):
    """The figures of one run on this process's backend."""
    import numpy as np
    from keras import ops

    from keras_shr.metrics.functional import keypoint_auc, mean_squared_displacement, ruc
    from keras_shr.models import PairedHeatmapModel
    from keras_shr.perturbations import EVALUATION_PERTURBATIONS, perturb_kind
    from keras_shr.selftest.training import pictures

    images, keypoints = pictures(512, seed)
    model = PairedHeatmapModel(network(policy, seed), augmentation={"flip": 0.0}, seed=seed)
    model.compile(metrics=[], jit_compile=jit)
    start = time.perf_counter()
    history = model.fit(images, keypoints, batch_size=32, epochs=steps // 16, verbose=0).history
    seconds = time.perf_counter() - start

    images, keypoints = pictures(256, 1000)
    clean = model.predict_keypoints(images)
    scale = {"scale": EDGE / SIZE}
    accuracy = [keypoint_auc(keypoints, clean, **scale)]
    squared, within = [], []
    for number, kind in enumerate(EVALUATION_PERTURBATIONS):
        parts = [
            perturb_kind(ops.convert_to_tensor(part), kind, 3, seed=number, force=True)
            for part in np.split(images, 8)
        ]
        found = model.predict_keypoints(ops.convert_to_numpy(ops.concatenate(parts)))
        accuracy.append(keypoint_auc(keypoints, found, **scale))
        squared.append(mean_squared_displacement(clean, found, **scale))
        within.append(ruc(clean, found, **scale))
    finite = all(np.isfinite(ops.convert_to_numpy(v)).all() for v in model.variables)
    return {
        "auc_clean": round(float(accuracy[0]), 4),
        "auc_perturbed": round(statistics.mean(map(float, accuracy[1:])), 4),
        "r": round(statistics.mean(map(float, squared)), 2),
        "ruc": round(statistics.mean(map(float, within)), 4),
        "final_loss": round(float(history["loss"][-1]), 4),
        "skipped_steps": steps - int(ops.convert_to_numpy(model.optimizer.iterations)),
        "finite": bool(finite and np.isfinite(history["loss"]).all()),
        "train_seconds": round(seconds, 1),
        "machine": machine.accelerator() or machine.processor_and_cores(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backends", nargs="+", default=["tensorflow", "jax"])
    parser.add_argument("--policies", nargs="+", default=POLICIES, choices=POLICIES)
    parser.add_argument("--jit", nargs="+", default=["off", "on"], choices=["off", "on"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=480)
    parser.add_argument("--output", type=Path, help="CSV for the figures")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        policy, jit, seed = options.child
        print(json.dumps(measure(policy, jit == "on", int(seed), options.steps)))
        return
    table = Table(options.output, KEY, FIELDS)
    command = " ".join(["python -m benchmarks.precision", *sys.argv[1:]])
    for cell in itertools.product(options.backends, options.policies, options.jit):
        rows = [dict(zip(KEY, (*cell, str(seed)), strict=True)) for seed in range(options.seeds)]
        for row in rows:
            if row not in table:
                table.add(row | run(row, options.steps) | {"command": command})
        shown = [table.rows[table.key(row)] for row in rows]
        means = (
            f"{name} {statistics.mean(float(row[name]) for row in shown):.4g}" for name in FIGURES
        )
        backend, policy, jit = cell
        print(f"{backend} {policy} jit {jit}: {', '.join(means)}", flush=True)


def run(row, steps):
    """The figures of a row, measured in a process of its own."""
    environment = {"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ, "KERAS_BACKEND": row["backend"]}
    words = ["--steps", str(steps), "--child", row["policy"], row["jit_compile"], row["seed"]]
    done = subprocess.run(
        [sys.executable, "-m", __spec__.name, *words],
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
