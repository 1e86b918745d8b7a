"""What each architecture costs: parameters, multiply-adds, time on a CPU, size when converted.

    KERAS_BACKEND=tensorflow python -m benchmarks.models --output results/models.csv
    python -m benchmarks.models --markdown

Each model is `StableHeatmapRegressor` with its defaults (heatmaps of stride 4, 21 keypoints,
symmetric row-column correlation); inference includes everything up to the heatmaps. A training
step is the paired one of the default method: augmentation, ten perturbations, both views.

Architectures take turns, because a machine's pace drifts by more than some of the differences:
ratios are medians over turns, each to MobileNetV2 in the same turn, which therefore always takes
part. Before that a training step is traced, which takes half a minute to three minutes each.
Beside the time on the clock stands CPU time over all threads, the steadier one on a machine that
others use. What the CSV has for the same settings is not measured again without --fresh.
Under JAX only parameters and multiply-adds are measured.
"""

import argparse
import csv
import datetime
import os
import platform
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.machine import processor_and_cores
from benchmarks.model_counts import multiply_adds, parameters
from benchmarks.model_table import markdown
from benchmarks.model_timing import inference, prepared, summary, take_turns, training, within
from keras_shr.errors import KerasShrError
from keras_shr.files import replacing
from keras_shr.memory import keep_freed_memory

REFERENCE = "mobilenet_v2"
ARCHITECTURES = {
    "mobilenet_v2": {"backbone": "mobilenet_v2"},
    "mobilenet_v2_0.5": {"backbone": "mobilenet_v2", "alpha": 0.5},
    "shufflenet_v2_x1_0": {"backbone": "shufflenet_v2_x1_0"},
    "efficientnet_lite0": {"backbone": "efficientnet_lite0"},
    "hrnet_w18": {"backbone": "hrnet_w18"},
    "hrnet_w32": {"backbone": "hrnet_w32"},
    "resnet50": {"backbone": "resnet50"},
    "stacked_hourglass": {"backbone": "stacked_hourglass"},
    "vgg19_bn": {"backbone": "vgg19_bn"},
}
OPTIONAL = ("hrnet_w32",)
"""Measured only if asked for."""

SETTINGS = ("architecture", "backend", "machine", "threads", "image_size", "train_size", "pairs")
MEASURED = {
    "counts": ("parameters", "multiply_adds", "gflops"),
    "inference": ("ms", "ms_ratio", "cpu_ms", "cpu_ms_ratio", "turns", "load"),
    "training": (
        *("pairs_per_s", "train_ratio", "pairs_per_cpu_s", "train_cpu_ratio"),
        *("train_turns", "train_load"),
    ),
    "tflite": ("tflite_mb", "tflite_float16_mb"),
}
"""Parts of the measurement and their columns: ms is for one image, ratios are of times."""

FIELDS = (*SETTINGS, *(name for names in MEASURED.values() for name in names))
FIELDS += ("versions", "date", "command")


class Table:
    """The CSV: rows by their settings, written after each part."""

    def __init__(self, path):
        self.path, self.rows = Path(path), {}
        if self.path.exists():
            with open(self.path, newline="", encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    self.rows[self.key(row)] = row

    @staticmethod
    def key(row):
        return tuple(str(row[name]) for name in SETTINGS)

    def has(self, settings, part):
        row = self.rows.get(self.key(settings), {})
        return all(row.get(name) for name in MEASURED[part])

    def add(self, settings, **found):
        """Puts figures in the row of these settings and writes the file."""
        row = self.rows.get(self.key(settings)) or dict(settings)
        command = " ".join(["python -m benchmarks.models", *sys.argv[1:]])
        commands = [each for each in row.get("command", "").split("; ") if each]
        row |= found | {"versions": versions(), "date": datetime.date.today().isoformat()}
        row |= {"command": "; ".join(dict.fromkeys([*commands, command]))}
        self.rows[self.key(settings)] = {name: str(value) for name, value in row.items()}
        names = list(ARCHITECTURES)
        rows = sorted(self.rows.values(), key=lambda row: names.index(row["architecture"]))
        with (
            replacing(self.path) as temporary,
            open(temporary, "w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, FIELDS)
            writer.writeheader()
            writer.writerows(rows)


def versions():
    import keras

    backend = keras.config.backend()
    backend = sys.modules["tensorflow" if backend == "tensorflow" else backend]
    parts = (f"keras {keras.__version__}", f"{backend.__name__} {backend.__version__}")
    return ", ".join((*parts, f"Python {platform.python_version()}"))


def build(name, size):
    from keras_shr.models import StableHeatmapRegressor

    return StableHeatmapRegressor(21, image_size=size, **ARCHITECTURES[name])


def measure_times(part, names, options, table, settings):
    """Lets a group of architectures and the reference take turns, then the next group."""

    def make(name):
        if part == "inference":
            return inference(build(name, options.size))
        return training(build(name, options.train_size), options.pairs)

    def ready(wanted):
        return prepared({name: partial(make, name) for name in wanted}, options.limit)

    reference = ready([REFERENCE])
    if not reference:
        raise KerasShrError(f"{REFERENCE} took longer than --limit {options.limit}")
    group, turns = options.at_once or len(names), options.turns if part == "inference" else 3
    for start in range(0, len(names), group):
        wanted = names[start : start + group]
        others = ready([name for name in wanted if name != REFERENCE])
        times = take_turns(reference | others, turns, options.limit)
        for name in wanted:
            if name in times:
                figures = figures_of(part, times[name], times[REFERENCE], options.pairs)
                report(name, part, figures, table, settings)


def figures_of(part, times, reference, pairs):
    """The columns of a part of the measurement."""
    clock, cpu, ratio, cpu_ratio = summary(times, reference)
    if part == "inference":
        clock, cpu = f"{1e3 * clock:.1f}", f"{1e3 * cpu:.1f}"
    else:
        clock, cpu = f"{pairs / clock:.2f}", f"{pairs / cpu:.2f}"
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    load = f"{load} on {os.cpu_count()} cores"
    return clock, f"{ratio:.2f}", cpu, f"{cpu_ratio:.2f}", len(times), load


def measure_counts(names, options, table, settings):
    for name in names:
        model = build(name, options.size)
        macs = multiply_adds(model)
        report(name, "counts", (parameters(model), macs, f"{2e-9 * macs:.3f}"), table, settings)


def measure_tflite(names, options, table, settings):
    for name in names:
        try:
            with within(options.limit):
                sizes = tflite_sizes(build(name, options.size))
        except TimeoutError as error:
            print(f"{name}: left out, converting it took {error}", file=sys.stderr, flush=True)
        else:
            report(name, "tflite", [f"{1e-6 * size:.2f}" for size in sizes], table, settings)


def tflite_sizes(model):
    """Bytes of the exported model, with float32 and with float16 weights."""
    from keras_shr.export import export_model

    sizes = []
    with tempfile.TemporaryDirectory() as folder:
        for quantize in ("none", "float16"):
            path = Path(folder) / f"{quantize}.tflite"
            export_model(model, path, "tflite", quantize)
            sizes.append(path.stat().st_size)
    return sizes


def report(name, part, figures, table, settings):
    """Prints figures in the order of the part's columns and writes them to the table."""
    found = dict(zip(MEASURED[part], figures, strict=True))
    table.add(settings(name), **found)
    print(name, part, ", ".join(f"{key} {value}" for key, value in found.items()), flush=True)


def measure(options, table):
    import keras

    backend = keras.config.backend()
    parts = options.measure or list(MEASURED)
    if backend != "tensorflow":
        print("times and .tflite sizes are measured on TensorFlow only", file=sys.stderr)
        parts = [part for part in parts if part == "counts"]
    else:
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")  # each model is a new function, which it finds strange
        tf.config.threading.set_intra_op_parallelism_threads(options.threads)
        tf.config.threading.set_inter_op_parallelism_threads(options.threads)

    def settings(name):
        chosen = name, backend, processor_and_cores(), options.threads, options.size
        return dict(zip(SETTINGS, (*chosen, options.train_size, options.pairs), strict=True))

    for part in parts:
        names = [
            name
            for name in options.architectures
            if options.fresh or not table.has(settings(name), part)
        ]
        if not names:
            print(f"{part}: all measured before", file=sys.stderr)
        elif part == "counts":
            measure_counts(names, options, table, settings)
        elif part == "tflite":
            measure_tflite(names, options, table, settings)
        else:
            measure_times(part, names, options, table, settings)


def parse_arguments(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = [name for name in ARCHITECTURES if name not in OPTIONAL]
    add = parser.add_argument
    add("--architectures", nargs="+", choices=ARCHITECTURES, default=default, metavar="NAME")
    add("--measure", nargs="+", choices=MEASURED, help="parts of the table, by default all")
    add("--size", type=int, default=256, help="image side in px")
    add("--train-size", type=int, default=128, help="image side of the training steps in px")
    add("--pairs", type=int, default=4, help="pairs in a training step")
    add("--threads", type=int, default=os.cpu_count())
    add("--turns", type=int, default=9, help="of inference; training takes 3")
    add("--at-once", type=int, default=0, help="how many take turns; 0 for all; fewer save memory")
    add("--limit", type=float, default=300, help="seconds to prepare a model, and to time it")
    add("--fresh", action="store_true", help="measure again what the CSV has already")
    add("--output", type=Path, default=Path("results/models.csv"))
    add("--markdown", action="store_true", help="measure nothing; print the CSV as a table")
    add("--fig8", type=Path, default=Path("results/reproduce/cpu/fig8.csv"))
    add("--data", help="of fig8.csv, by default the first that it has")
    return parser.parse_args(arguments)


def main():
    options = parse_arguments()
    table = Table(options.output)
    if options.markdown:
        print(markdown(table.rows.values(), options))
        return
    keep_freed_memory()
    measure(options, table)


if __name__ == "__main__":
    main()
