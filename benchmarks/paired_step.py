"""What the paired step costs beside a plain Keras step on the same number of images.

    python -m benchmarks.paired_step --output results/paired_step.csv

The plain step is `fit` of the same network with `compile(loss="mse")` on target maps made
beforehand. The paired step draws the augmentation, makes its targets, correlates, compares the
pair and updates its metric. Both see `2 * pairs` images, the same optimizer and the same backend.
The paired step is timed with a perturbation that returns its input (the ratio that the project
holds itself to: at most 1.15), and once more with the real ten.

All steps of one backend are timed in one process, in turns, because a machine's pace drifts by
more than the difference: each turn gives one ratio and the median of the turns is reported. On a
machine that others use, the ratio of CPU times (all threads of the process) is the steadier one.
"""

import argparse
import contextlib
import csv
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

from benchmarks import machine
from benchmarks.step_timer import make_timer

FIELDS = (
    "machine",
    "backend",
    "jit_compile",
    "image_size",
    "pairs",
    "what",
    "seconds_per_step",
    "ratio",
    "ratio_lowest",
    "ratio_highest",
    "cpu_seconds_per_step",
    "cpu_ratio",
    "turns",
    "load",
    "command",
)
PLAIN = "plain step, MSE on given targets"
STEPS = {
    "paired step, perturbation apart": {},
    "paired step, perturbation and augmentation apart": {"augmentation": None},
    "paired step with its ten perturbations": {"perturb": True},
}


def network_options(options):
    return {
        "num_keypoints": 21,
        "image_size": options.size,
        "alpha": options.alpha,
        "heatmap_stride": options.stride,
        "filters": tuple(options.filters),
    }


def make_plain(options, images, keypoints):
    """The same network in Keras's own training, and its arrays: maps instead of keypoints."""
    import numpy as np
    from keras import ops

    from keras_shr.models import StableHeatmapRegressor, default_optimizer

    model = StableHeatmapRegressor(**network_options(options), target="gaussian")
    maps = np.concatenate(
        [
            ops.convert_to_numpy(model.targets(keypoints[start : start + 64]))
            for start in range(0, len(keypoints), 64)
        ]
    )
    network = model.network
    network.compile(default_optimizer(), loss="mse", jit_compile=options.jit)
    return network, images, maps, 2 * options.pairs


def make_paired(options, images, keypoints, perturb=False, **changes):
    from keras_shr.models import StableHeatmapRegressor, default_optimizer

    model = StableHeatmapRegressor(**network_options(options), **changes)
    model.compile(default_optimizer(), jit_compile=options.jit)
    count = len(images) // 2  # so that an epoch has as many steps
    return model, images[:count], keypoints[:count], options.pairs


def measure(options):
    """Rows of the table for the backend that this process runs on."""
    import numpy as np

    rng = np.random.default_rng(0)
    count = 2 * options.pairs * (options.steps + 1)
    images = rng.integers(0, 256, (count, options.size, options.size, 3), dtype="uint8")
    xy = rng.uniform(0, options.size - 1, (count, 21, 2))
    keypoints = np.concatenate([xy, np.full((count, 21, 1), 2.0)], axis=-1).astype("float32")

    timer = make_timer()
    identity = mock.patch("keras_shr.models.paired.perturb", lambda images, *rest: images)
    runs = {PLAIN: make_plain(options, images, keypoints)}
    for what, changes in STEPS.items():
        if not (options.apart_only and changes):
            runs[what] = make_paired(options, images, keypoints, **changes)

    def seconds(what):
        model, x, y, batch_size = runs[what]
        perturbed = STEPS.get(what, {}).get("perturb")
        with contextlib.nullcontext() if perturbed else identity:
            model.fit(x, y, batch_size=batch_size, shuffle=False, verbose=0, callbacks=[timer])
        return timer.seconds()

    for what in runs:
        start = time.perf_counter()
        seconds(what)  # compiles
        print(f"first pass {time.perf_counter() - start:6.1f} s  {what}", file=sys.stderr)
    turns = []
    for turn in range(options.turns):
        turns.append({what: seconds(what) for what in runs})
        shown = ", ".join("{:.0f} ({:.0f})".format(*(1e3 * s for s in turns[-1][w])) for w in runs)
        print(f"turn {turn + 1}: ms a step (CPU): {shown}", file=sys.stderr)

    rows = []
    for what in runs:
        ratios, cpu_ratios = ([turn[what][i] / turn[PLAIN][i] for turn in turns] for i in (0, 1))
        clock, cpu = (statistics.median(turn[what][i] for turn in turns) for i in (0, 1))
        rows.append(
            {
                "machine": machine.accelerator() or machine.processor_and_cores(),
                "backend": os.environ["KERAS_BACKEND"],
                "jit_compile": runs[what][0].jit_compile,
                "image_size": options.size,
                "pairs": options.pairs,
                "what": what,
                "seconds_per_step": f"{clock:.4f}",
                "ratio": f"{statistics.median(ratios):.3f}",
                "ratio_lowest": f"{min(ratios):.3f}",
                "ratio_highest": f"{max(ratios):.3f}",
                "cpu_seconds_per_step": f"{cpu:.4f}",
                "cpu_ratio": f"{statistics.median(cpu_ratios):.3f}",
                "turns": options.turns,
                "load": f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
            }
        )
    return rows


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backends", nargs="+", default=["tensorflow"])
    parser.add_argument("--jit", nargs="+", default=["auto"], choices=["auto", "on", "off"])
    parser.add_argument("--size", type=int, default=128, help="image side in px")
    parser.add_argument("--pairs", type=int, default=16)
    parser.add_argument("--alpha", type=float, default=0.5)
    parser.add_argument("--stride", type=int, default=2)
    parser.add_argument("--filters", type=int, nargs="+", default=[128, 64, 64, 64])
    parser.add_argument("--steps", type=int, default=8, help="timed steps in a turn")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--apart-only", action="store_true", help="only the step without them")
    parser.add_argument("--output", type=Path, help="CSV for the figures")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    options = parse_arguments()
    if options.child:
        options.jit = {"auto": "auto", "on": True, "off": False}[options.child]
        print(json.dumps(measure(options)))
        return
    rows = []
    for backend in options.backends:
        for jit in options.jit:
            environment = {"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ, "KERAS_BACKEND": backend}
            command = [sys.executable, "-m", __spec__.name, *sys.argv[1:], "--child", jit]
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
            rows += json.loads(done.stdout.splitlines()[-1])
    command = " ".join(["python -m benchmarks.paired_step", *sys.argv[1:]])
    for row in rows:
        print(f"{row['seconds_per_step']} s  {row['ratio']}  {row['backend']}  {row['what']}")
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        partial = options.output.with_suffix(".partial")
        with open(partial, "w", newline="") as file:
            writer = csv.DictWriter(file, FIELDS)
            writer.writeheader()
            writer.writerows(row | {"command": command} for row in rows)
        os.replace(partial, options.output)


if __name__ == "__main__":
    main()
