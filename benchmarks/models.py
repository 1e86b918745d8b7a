"""What each architecture costs: parameters, multiply-adds, time on a CPU, size when converted.

    KERAS_BACKEND=tensorflow python -m benchmarks.models --output results/models.csv
    python -m benchmarks.models --markdown

Each model is `StableHeatmapRegressor` with its defaults (heatmaps of stride 4, 21 keypoints,
symmetric row-column correlation); inference includes everything up to the heatmaps. A training
step is the paired one of the default method: augmentation, ten perturbations, both views.

Architectures take turns, because a machine's pace drifts by more than some of the differences:
ratios are medians over turns, each to MobileNetV2 in the same turn, which therefore always takes
part. Beside the time on the clock stands CPU time over all threads, the steadier one on a machine
that others use. What the CSV has for the same settings is not measured again without --fresh.
Under JAX only parameters and multiply-adds are measured.
"""

import argparse
import contextlib
import csv
import datetime
import os
import platform
import signal
import statistics
import sys
import time
from pathlib import Path

from benchmarks.paired_step import machine_name
from keras_shr.errors import KerasShrError
from keras_shr.files import replacing
from keras_shr.memory import keep_freed_memory

REFERENCE = "mobilenet_v2"
ARCHITECTURES = {
    "mobilenet_v2": {"backbone": "mobilenet_v2"},
    "mobilenet_v2_0.5": {"backbone": "mobilenet_v2", "alpha": 0.5},
    "shufflenet_v2_x1_0": {"backbone": "shufflenet_v2_x1_0"},
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


@contextlib.contextmanager
def within(seconds):
    """Raises TimeoutError in Python code that takes longer; no effect where there is no SIGALRM."""

    def stop(*_):
        raise TimeoutError(f"longer than {seconds} s")

    if not hasattr(signal, "SIGALRM"):
        yield
        return
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def build(name, size):
    from keras_shr.models import StableHeatmapRegressor

    return StableHeatmapRegressor(21, image_size=size, **ARCHITECTURES[name])


def inference(name, options):
    """A function that runs one image, compiled."""
    import numpy as np
    import tensorflow as tf

    from keras_shr import _compile

    model = build(name, options.size)
    shape = (1, options.size, options.size, 3)
    run = _compile.compiled(
        lambda images: model(images, training=False),
        input_signature=[tf.TensorSpec(shape, "uint8")],
    )
    image = tf.constant(np.random.default_rng(0).integers(0, 256, shape, dtype="uint8"))
    return lambda: run(image).numpy()


def training(name, options):
    """A function that does one paired step of `options.pairs` images."""
    import numpy as np

    rng = np.random.default_rng(0)
    size, pairs = options.train_size, options.pairs
    images = rng.integers(0, 256, (pairs, size, size, 3), dtype="uint8")
    keypoints = np.full((pairs, 21, 3), 2.0, "float32")
    keypoints[..., :2] = rng.uniform(0, size - 1, (pairs, 21, 2))
    model = build(name, size)
    model.compile()
    # As `fit` does, which is not used because it takes its time to start.
    model.optimizer.build(model.trainable_variables)
    return lambda: model.train_on_batch(images, keypoints)


def timed(function):
    """Seconds on the clock, and of CPU time over all threads."""
    start = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - start[0], time.process_time() - start[1]


def prepared(names, make, options):
    """The functions to time by architecture, called once each; those that took too long are out."""
    functions = {}
    for name in names:
        start = time.perf_counter()
        try:
            with within(options.limit):
                function = make(name, options)
                function()
        except TimeoutError as error:
            print(f"{name}: left out, preparing it took {error}", file=sys.stderr, flush=True)
            continue
        print(f"{name}: ready after {time.perf_counter() - start:.1f} s", file=sys.stderr)
        functions[name] = function
    return functions


def take_turns(functions, turns, limit):
    """Times of each function, `(clock, CPU)` in seconds, in each turn.

    A function that has had `limit` seconds gets no more turns.
    """
    found, spent = {name: [] for name in functions}, dict.fromkeys(functions, 0.0)
    for _ in range(turns):
        for name, function in functions.items():
            if spent[name] < limit:
                warm = timed(function)  # the caches are the model's again
                found[name].append(timed(function))
                spent[name] += warm[0] + found[name][-1][0]
    return found


def summary(name, times):
    """Medians of the times of a model, and of their ratios to the reference's in the same turn."""
    clock, cpu = (statistics.median(each[i] for each in times[name]) for i in (0, 1))
    pairs = list(zip(times[name], times[REFERENCE], strict=False))
    ratios = [statistics.median(own[i] / other[i] for own, other in pairs) for i in (0, 1)]
    return clock, cpu, *(f"{ratio:.2f}" for ratio in ratios)


def measure_times(part, names, options, table, settings):
    make, turns = {"inference": (inference, options.turns), "training": (training, 3)}[part]
    functions = prepared(dict.fromkeys((REFERENCE, *names)), make, options)
    if REFERENCE not in functions:
        raise KerasShrError(f"{REFERENCE} took longer than --limit {options.limit}")
    times = take_turns(functions, turns, options.limit)
    load = (
        f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores" if hasattr(os, "getloadavg") else ""
    )
    for name in names:
        if name not in functions:
            continue
        clock, cpu, ratio, cpu_ratio = summary(name, times)
        if part == "inference":
            figures = f"{1e3 * clock:.1f}", ratio, f"{1e3 * cpu:.1f}", cpu_ratio
        else:
            rates = (options.pairs / each for each in (clock, cpu))
            rate, cpu_rate = (f"{each:.2f}" for each in rates)
            figures = rate, ratio, cpu_rate, cpu_ratio
        figures = dict(zip(MEASURED[part], (*figures, len(times[name]), load), strict=True))
        table.add(settings(name), **figures)
        print(name, part, figures, flush=True)


def measure_counts(names, options, table, settings):
    from benchmarks.model_counts import multiply_adds, parameters

    for name in names:
        model = build(name, options.size)
        macs = multiply_adds(model)
        figures = dict(
            zip(MEASURED["counts"], (parameters(model), macs, f"{2e-9 * macs:.3f}"), strict=True)
        )
        table.add(settings(name), **figures)
        print(name, figures, flush=True)


def tflite_sizes(model):
    """Bytes of the converted model, with float32 and with float16 weights."""
    from keras_shr.export.graph import Graph
    from keras_shr.export.tflite import convert

    graph = Graph(model, "heatmaps")
    return [len(convert(graph, quantize)) for quantize in ("none", "float16")]


def measure_tflite(names, options, table, settings):
    for name in names:
        try:
            with within(options.limit):
                sizes = tflite_sizes(build(name, options.size))
        except TimeoutError as error:
            print(f"{name}: left out, converting it took {error}", file=sys.stderr, flush=True)
            continue
        figures = {
            column: f"{1e-6 * size:.2f}"
            for column, size in zip(MEASURED["tflite"], sizes, strict=True)
        }
        table.add(settings(name), **figures)
        print(name, figures, flush=True)


def measure(options, table):
    import keras

    backend = keras.config.backend()
    parts = options.measure or list(MEASURED)
    if backend != "tensorflow":
        print("times and .tflite sizes are measured on TensorFlow only", file=sys.stderr)
        parts = [part for part in parts if part == "counts"]
    else:
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(options.threads)
        tf.config.threading.set_inter_op_parallelism_threads(options.threads)

    def settings(name):
        chosen = name, backend, machine_name(), options.threads, options.size
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
    add("--limit", type=float, default=300, help="seconds to prepare a model, and to time it")
    add("--fresh", action="store_true", help="measure again what the CSV has already")
    add("--output", type=Path, default=Path("results/models.csv"))
    add("--markdown", action="store_true", help="measure nothing; print the CSV as a table")
    add("--fig8", type=Path, default=Path("results/reproduce/cpu/fig8.csv"))
    add("--data", help="of fig8.csv, by default the first that it has")
    return parser.parse_args(arguments)


def main():
    options = parse_arguments()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    table = Table(options.output)
    if options.markdown:
        from benchmarks.model_table import markdown

        print(markdown(table.rows.values(), options))
        return
    keep_freed_memory()
    measure(options, table)


if __name__ == "__main__":
    main()
