"""What a training step of each method costs beside the baseline's, at a size of `reproduce`.

    python -m benchmarks.method_steps --output results/reproduce/cpu/costs.csv

The times that `reproduce` notes are those of whole trainings, which other work on the machine
slows down by more than methods differ. Here a few steps of a method and a few of the baseline are
taken in turns, in one process, on the same number of images. Each turn gives a ratio, and their
median is reported: of the clock, and of CPU time (all threads of the process), which a shared
machine disturbs less. Steps are as `reproduce` takes them: augmentation, views, targets, losses,
optimizer; the first pass of each, which compiles, does not count. Pictures are noise: no step's
time depends on them.

`keras-shr report` takes the ratios from costs.csv where the run's folder has one. The file goes on
where it was stopped: methods that it holds are left out.
"""

import argparse
import gc
import os
import statistics
from pathlib import Path

from benchmarks.step_timer import make_timer
from benchmarks.tables import Table

FIELDS = (
    *("method", "backend", "machine", "size", "image_size", "batch_images"),
    *("seconds_per_step", "ratio", "ratio_lowest", "ratio_highest"),
    *("cpu_seconds_per_step", "cpu_ratio", "cpu_ratio_lowest", "cpu_ratio_highest"),
    *("steps", "turns", "load", "command"),
)
BASELINE = "baseline"


class Steps:
    """A method's model, ready to take a few steps."""

    def __init__(self, method, size, steps, timer):
        import numpy as np

        from keras_shr.reproduction import Cell
        from keras_shr.reproduction.data_sets import DataSet
        from keras_shr.reproduction.one_cell import cell_config
        from keras_shr.reproduction.suites import MAIN
        from keras_shr.skeletons import HAND_21
        from keras_shr.training.run import build_model

        cell = Cell(method, MAIN, "noise", 0)
        config = cell_config(cell, size, DataSet("noise", {"data": "noise"}, None))
        rng, count = np.random.default_rng(0), config.batch_size * (steps + 1)
        side = size.image_size
        self.images = rng.integers(0, 256, (count, side, side, 3), dtype="uint8")
        places = rng.uniform(0, side - 1, (count, len(HAND_21), 2))
        seen = np.full((count, len(HAND_21), 1), 2.0)
        self.keypoints = np.concatenate([places, seen], axis=-1).astype("float32")
        self.batch, self.timer = config.batch_size, timer
        self.model = build_model(config, HAND_21)
        self.take()  # compiles

    def take(self):
        """Seconds of a step, on the clock and of CPU time."""
        arrays = self.images, self.keypoints
        self.model.fit(
            *arrays, batch_size=self.batch, shuffle=False, verbose=0, callbacks=[self.timer]
        )
        return self.timer.seconds()


def summary(turns):
    """Columns of the table for pairs (a method's seconds, the baseline's) of `Steps.take`."""
    columns = {}
    for i, prefix in enumerate(("", "cpu_")):
        ratios = [own[i] / base[i] for own, base in turns]
        columns[f"{prefix}seconds_per_step"] = f"{statistics.median(o[i] for o, _ in turns):.4f}"
        columns[f"{prefix}ratio"] = f"{statistics.median(ratios):.3f}"
        columns[f"{prefix}ratio_lowest"] = f"{min(ratios):.3f}"
        columns[f"{prefix}ratio_highest"] = f"{max(ratios):.3f}"
    return columns


def measure(options, table, command):
    import keras

    from keras_shr.memory import keep_freed_memory
    from keras_shr.reproduction import find_size
    from keras_shr.reproduction.one_cell import device

    keep_freed_memory()  # as the command does
    size, timer = find_size(options.size), make_timer()
    common = {
        "backend": keras.config.backend(),
        "machine": device(),
        "size": options.size,
        "image_size": size.image_size,
        "batch_images": size.images_per_step,
        "steps": options.steps,
        "turns": options.turns,
        "command": command,
    }
    todo = [method for method in options.methods if {"method": method} not in table]
    baseline = Steps(BASELINE, size, options.steps, timer) if todo else None
    for method in todo:
        # The baseline against itself says how far chance goes.
        own = Steps(method, size, options.steps, timer)
        turns = [(own.take(), baseline.take()) for _ in range(options.turns)]
        load = f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
        row = {"method": method, **common, **summary(turns), "load": load}
        table.add(row)
        print(f"{method}: x {row['cpu_ratio']} of CPU time, x {row['ratio']} on the clock")
        del own
        gc.collect()


def main():
    from keras_shr.methods import METHODS

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="cpu", help="of `keras-shr reproduce`")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--steps", type=int, default=8, help="timed steps in a turn")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--output", type=Path, help="CSV for the figures")
    options = parser.parse_args()
    words = ["python -m benchmarks.method_steps", f"--size {options.size}"]
    words += [f"--steps {options.steps} --turns {options.turns}"]
    measure(options, Table(options.output, ("method",), FIELDS), " ".join(words))


if __name__ == "__main__":
    main()
