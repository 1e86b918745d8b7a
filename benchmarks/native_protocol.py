"""Whether the native perturbations give the evaluation's figures: the same model, several seeds.

    python -m benchmarks.native_protocol MODEL.keras DATA --limit 60 --output FILE.csv

Each implementation evaluates the model with each seed. They agree where their means differ by no
more than seeds of one implementation do; the last column says by how many standard errors.
"""

import argparse
import csv
import math
import statistics
import sys
import tempfile
from pathlib import Path

from keras_shr.data import load_arrays, open_data
from keras_shr.evaluation import evaluate
from keras_shr.evaluation.predictor import load_models
from keras_shr.evaluation.protocol import IMPLEMENTATIONS, protocol_size
from keras_shr.files import replacing
from keras_shr.memory import keep_freed_memory

SCORES = ("auc_seen", "auc_unseen", "R_seen", "R_unseen", "RUC_seen", "RUC_unseen")
FIELDS = ("score", "implementation", "mean", "seeds", "z", "images", "command")


def measure(models, data, implementation, seed):
    with tempfile.TemporaryDirectory() as folder:
        report = evaluate(
            models, data, folder, seed=seed, examples=0, draws=2, implementation=implementation
        )
    return {score: report.summary[0][score] for score in SCORES}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--split", default="val")
    parser.add_argument("--limit", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--output", default="results/native_protocol.csv")
    options = parser.parse_args()
    keep_freed_memory()
    models = load_models({"model": options.model})
    size = protocol_size(models)[0]
    data = load_arrays(open_data(options.data, options.split, size), 0, limit=options.limit)
    found = {
        implementation: [
            measure(models, data, implementation, seed) for seed in range(options.seeds)
        ]
        for implementation in IMPLEMENTATIONS
    }
    rows = []
    for score in SCORES:
        values = {name: [one[score] for one in runs] for name, runs in found.items()}
        means = {name: statistics.mean(v) for name, v in values.items()}
        errors = [statistics.stdev(v) / math.sqrt(len(v)) for v in values.values()]
        z = (means["native"] - means["reference"]) / math.hypot(*errors)
        for name in IMPLEMENTATIONS:
            shown = " ".join(f"{v:.5g}" for v in values[name])
            rows.append(
                dict(
                    zip(
                        FIELDS,
                        (score, name, f"{means[name]:.5g}", shown, f"{z:.2f}", len(data), ""),
                        strict=True,
                    )
                )
            )
            print(score, name, rows[-1]["mean"], f"({shown})", f"z {z:.2f}", flush=True)
    # The model by its name: where it lies on this machine is nobody's business.
    shown = [Path(a).name if a == options.model else a for a in sys.argv[1:]]
    command = " ".join(["python -m benchmarks.native_protocol", *shown])
    with replacing(options.output) as path, open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        writer.writerows(row | {"command": command} for row in rows)


if __name__ == "__main__":
    main()
