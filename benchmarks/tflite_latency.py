"""What row-column correlation costs in a .tflite file on a CPU, and how fast the files are.

    python -m benchmarks.tflite_latency --output results/tflite_latency.csv

Each network is exported without and with correlation (heatmaps, one image, random weights: the time
does not depend on them). All files of one network run in turns in one process, one call each in an
order drawn anew, because a machine's pace drifts by more than the difference. `ratio` is the median
over turns of a call's time over that of the file without correlation, with the quartiles. On a
machine that others use, `cpu_ratio` is the steadier one: the 10th percentile of CPU time (what a
call costs when nobody disturbs it) over that of the file without correlation. The project aims at
1.03.

`--peer FILE.tflite` times another network in the same turns, such as MediaPipe's hand landmark
model (benchmarks/mediapipe_check.py says where it comes from); its ratio is to the same base.
"""

import argparse
import csv
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.machine import processor_and_cores

NETWORKS = {
    "a0.5-128-s2": {
        "image_size": 128,
        "alpha": 0.5,
        "heatmap_stride": 2,
        "filters": (128, 64, 64, 64),
    },
    "a1-128-s4": {"image_size": 128, "alpha": 1.0, "heatmap_stride": 4, "filters": (128,) * 3},
    "a1-256-s4": {"image_size": 256, "alpha": 1.0, "heatmap_stride": 4, "filters": (128,) * 3},
}
BASE = "without"
CORRELATIONS = {BASE: None, "row_column": "row_column", "symmetric": "symmetric"}
FIELDS = (
    *("machine", "runtime", "threads", "network", "image_size", "heatmap_size", "quantize"),
    *("file", "ms", "ratio", "ratio_lower_quartile", "ratio_upper_quartile"),
    *("cpu_ms", "cpu_ratio", "megabytes", "turns", "load", "command"),
)


def export_networks(name, quantize, folder):
    """Correlation → content of a .tflite file."""
    from keras_shr.export import export_model
    from keras_shr.models import StableHeatmapRegressor

    size = NETWORKS[name]["image_size"]
    pictures = np.random.default_rng(0).integers(0, 256, (8, size, size, 3), dtype="uint8")
    found = {}
    for label, rcc in CORRELATIONS.items():
        model = StableHeatmapRegressor(21, rcc=rcc, **NETWORKS[name])
        path = Path(folder) / f"{name}-{quantize}-{label}.tflite"
        export_model(model, path, "tflite", quantize, calibration=pictures)
        found[label] = path.read_bytes()
        print(f"{path.name}: {len(found[label]) / 1e6:.2f} MB", file=sys.stderr)
    return found, "x".join(map(str, model.heatmap_size))


def make_call(content, threads):
    """A function that runs one inference on a random picture."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=threads)
    interpreter.allocate_tensors()
    entry = interpreter.get_input_details()[0]
    rng = np.random.default_rng(0)
    interpreter.set_tensor(entry["index"], rng.uniform(0, 1, entry["shape"]).astype(entry["dtype"]))
    return interpreter.invoke


def time_call(call):
    """Seconds of a call, on the clock and of CPU time over all threads."""
    start = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - start[0], time.process_time() - start[1]


def measure(contents, threads, turns):
    """Label → the figures of its row."""
    running = {label: make_call(content, threads) for label, content in contents.items()}
    rng = np.random.default_rng(0)
    times = {label: np.zeros((turns + 3, 2)) for label in running}
    for turn in range(turns + 3):
        for label in rng.permutation(list(running)):
            times[label][turn] = time_call(running[label])
    times = {label: 1e3 * values[3:] for label, values in times.items()}  # the first warm up
    base, rows = times[BASE], {}
    undisturbed = {label: np.percentile(values[:, 1], 10) for label, values in times.items()}
    for label, values in times.items():
        quartiles = np.percentile(values[:, 0] / base[:, 0], (25, 50, 75))
        rows[label] = {
            "file": label,
            "ms": f"{np.median(values[:, 0]):.2f}",
            "ratio": f"{quartiles[1]:.3f}",
            "ratio_lower_quartile": f"{quartiles[0]:.3f}",
            "ratio_upper_quartile": f"{quartiles[2]:.3f}",
            "cpu_ms": f"{undisturbed[label]:.2f}",
            "cpu_ratio": f"{undisturbed[label] / undisturbed[BASE]:.3f}",
            "megabytes": f"{len(contents[label]) / 1e6:.2f}",
        }
    return rows


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--quantize", nargs="+", default=["none"])
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--turns", type=int, default=250)
    parser.add_argument("--peer", type=Path, action="append", default=[], help=".tflite file")
    parser.add_argument("--output", type=Path, help="CSV; rows of other settings are kept")
    return parser.parse_args()


def shown_command():
    """The command without folders of this machine."""
    words = [
        Path(word).name if os.sep in word and "results" not in word else word
        for word in sys.argv[1:]
    ]
    return " ".join(["python -m benchmarks.tflite_latency", *words])


def write(path, rows):
    """The table with `rows` in place of older rows of the same settings."""
    key = ("threads", "network", "quantize", "file")
    old = []
    if path.exists():
        with path.open(newline="") as file:
            old = list(csv.DictReader(file))
    new = {tuple(str(row[k]) for k in key) for row in rows}
    old = [row for row in old if tuple(row[k] for k in key) not in new]
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(old + rows)
    os.replace(partial, path)


def main():
    options = parse_arguments()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import importlib.metadata

    common = {
        "machine": processor_and_cores(),
        "runtime": f"ai-edge-litert {importlib.metadata.version('ai-edge-litert')}",
        "turns": options.turns,
        "command": shown_command(),
    }
    peers = {path.name: path.read_bytes() for path in options.peer}
    rows = []
    for name in options.networks:
        for quantize in options.quantize:
            with tempfile.TemporaryDirectory() as folder:
                contents, heatmap_size = export_networks(name, quantize, folder)
            for threads in options.threads:
                found = measure(contents | peers, threads, options.turns)
                for row in found.values():
                    row |= common | {
                        "threads": threads,
                        "network": name,
                        "image_size": NETWORKS[name]["image_size"],
                        "heatmap_size": heatmap_size,
                        "quantize": quantize,
                        "load": f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
                    }
                    print(
                        f"{name} {quantize} {threads} thread(s) {row['file']}: "
                        f"{row['ms']} ms, ratio {row['ratio']} ({row['ratio_lower_quartile']} to "
                        f"{row['ratio_upper_quartile']}), CPU {row['cpu_ratio']}"
                    )
                rows += found.values()
            if options.output:
                write(options.output, rows)


if __name__ == "__main__":
    main()
