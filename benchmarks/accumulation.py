"""Peak memory and pace of a large batch beside the same update from several small ones.

    python -m benchmarks.accumulation --output results/accumulation.csv

One batch of 64 pairs, and 2 x 32, 4 x 16 and 8 x 8 with `accumulate`: each in a process of its own,
which trains for some updates on random pictures. Memory is the highest resident memory of the
process; what it has before the first step is given beside it.
"""

import argparse
import csv
import datetime
import json
import os
import sys
import time
from pathlib import Path

from benchmarks.machine import processor_and_cores
from benchmarks.process_memory import usage
from keras_shr.memory import keep_freed_memory

FIELDS = (
    *("network", "image_size", "batch", "accumulate", "peak_mb", "before_mb", "pairs_per_s"),
    *("updates", "backend", "machine", "load", "seed", "versions", "date", "command"),
)


def child(options):
    """Trains, and prints JSON: pairs a second without the first update, and memory before."""
    import numpy as np

    from benchmarks.process_memory import resident_of_session
    from keras_shr.models import StableHeatmapRegressor, default_optimizer

    keep_freed_memory()
    rng = np.random.default_rng(options.seed)
    model = StableHeatmapRegressor(21, options.size, alpha=options.alpha, seed=options.seed)
    model.compile(default_optimizer(accumulate=options.accumulate))
    model.optimizer.build(model.trainable_variables)
    shape = (options.batch, options.size, options.size, 3)
    images = rng.integers(0, 256, shape, dtype="uint8")
    keypoints = np.full((options.batch, 21, 3), 2.0, "float32")
    keypoints[..., :2] = rng.uniform(0, options.size - 1, keypoints[..., :2].shape)
    before = sum(resident_of_session(os.getsid(0)).values())
    start = None
    for update in range(options.updates):
        for _ in range(options.accumulate):
            model.train_on_batch(images, keypoints)
        if update == 0:
            start = time.perf_counter()  # traced
    pairs = (options.updates - 1) * options.accumulate * options.batch
    pace = pairs / (time.perf_counter() - start)
    print(json.dumps({"pairs_per_s": round(pace, 2), "before_mb": round(before / 1e6)}))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=64, help="of an update")
    parser.add_argument("--parts", nargs="+", type=int, default=[1, 2, 4, 8])
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--alpha", type=float, default=1.0)
    parser.add_argument("--updates", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("results/accumulation.csv"))
    parser.add_argument("--batch", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--accumulate", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.batch:
        child(options)
        return
    from benchmarks.scale import versions
    from keras_shr.files import replacing

    environment = {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2", **os.environ}
    backend, rows = environment["KERAS_BACKEND"], []
    for parts in options.parts:
        batch = options.pairs // parts
        words = ["-m", __spec__.name, *sys.argv[1:], "--batch", batch, "--accumulate", parts]
        took = usage([sys.executable, *map(str, words)], environment)
        if took.code:
            sys.exit(took.code)
        row = json.loads(took.output.splitlines()[-1])
        row |= {
            "network": f"MobileNetV2 alpha {options.alpha:g}",
            "image_size": options.size,
            "batch": batch,
            "accumulate": parts,
            "peak_mb": round(took.main_peak / 1e6),
            "updates": options.updates,
            "backend": backend,
            "machine": processor_and_cores(),
            "load": f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
            "seed": options.seed,
            "versions": versions(backend),
            "date": datetime.date.today().isoformat(),
            "command": " ".join(["python -m benchmarks.accumulation", *sys.argv[1:]]),
        }
        rows.append(row)
        print({name: row[name] for name in FIELDS[:7]}, file=sys.stderr, flush=True)
        with replacing(options.output) as temporary, open(temporary, "w", newline="") as file:
            writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
