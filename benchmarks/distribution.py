"""How far the weights of a run on several devices are from those of a run on one.

    python -m benchmarks.distribution --output results/distribution.csv

Trains the tiny network of `tests/distribution/fit_rendered.py` for two epochs on one processor, on
two of one machine, in two processes and in two processes with two processors each; then the same
with host devices under JAX. Seeds are fixed; what is left are sums in another order.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np

from benchmarks.machine import processor
from keras_shr.evaluation.summary import csv_text
from keras_shr.files import write_text
from tests.distribution.test_fit import finish, history, start, two_workers

FIELDS = (
    "backend",
    "devices",
    "largest_weight_difference",
    "largest_loss_difference",
    "seconds",
    "machine",
    "versions",
)
HOST_DEVICES = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
RUNS = {
    ("tensorflow", "1"): lambda folder: [start(folder, "none", "epochs=2")],
    ("tensorflow", "2, MirroredStrategy"): lambda folder: [
        start(folder, "mirrored", "epochs=2", LOGICAL="1")
    ],
    ("tensorflow", "2 processes, MultiWorkerMirroredStrategy"): lambda folder: two_workers(
        folder, "epochs=2"
    ),
    ("tensorflow", "2 processes with 2 each, MultiWorkerMirroredStrategy"): lambda folder: (
        two_workers(folder, "epochs=2", LOGICAL="1")
    ),
    ("jax", "1"): lambda folder: [start(folder, "none", "epochs=2", KERAS_BACKEND="jax")],
    ("jax", "2, DataParallel"): lambda folder: [
        start(folder, "mirrored", "epochs=2", KERAS_BACKEND="jax", **HOST_DEVICES)
    ],
    ("jax", "2 processes, jax.distributed"): lambda folder: two_workers(
        folder, "epochs=2", KERAS_BACKEND="jax"
    ),
    ("jax", "2 processes with 2 each, jax.distributed"): lambda folder: two_workers(
        folder, "epochs=2", KERAS_BACKEND="jax", **HOST_DEVICES
    ),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", default="results/distribution.csv")
    arguments = parser.parse_args()
    rows, alone = [], {}
    with tempfile.TemporaryDirectory() as scratch:
        for number, ((backend, devices), make) in enumerate(RUNS.items()):
            folder, started = Path(scratch) / str(number), time.time()
            finish(*make(folder))
            seconds = time.time() - started
            weights = keras.saving.load_model(folder / "model.keras").get_weights()
            found = weights, history(folder)["loss"]
            one = alone.setdefault(backend, found)
            pairs = zip(found[0], one[0], strict=True)
            row = {
                "backend": backend,
                "devices": devices,
                "largest_weight_difference": f"{max(abs(a - b).max() for a, b in pairs):.2g}",
                "largest_loss_difference": f"{np.abs(np.subtract(found[1], one[1])).max():.2g}",
                "seconds": round(seconds),
                "machine": processor(),
                "versions": f"keras {keras.__version__}",
            }
            print(row, flush=True)
            rows.append(row)
            write_text(arguments.output, csv_text(rows, FIELDS))


if __name__ == "__main__":
    main()
