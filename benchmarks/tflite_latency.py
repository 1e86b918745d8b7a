"""What row-column correlation costs in a .tflite file on a CPU, and how fast the files are.

    python benchmarks/tflite_latency.py --output results/tflite_latency.csv

Each network is exported without and with correlation (heatmaps, one image, random weights: the time
does not depend on them) and all files of one network are timed in turns in one process, because a
machine's pace drifts by more than the difference. A turn gives one ratio to the file without
correlation, from the median of its calls; reported are the median, lowest and highest ratio of the
turns. On a machine that others use, the ratio of CPU times (all threads) is the steadier one. The
project holds itself to a ratio of at most 1.03.

`--peer FILE.tflite` times another network in the same turns, such as MediaPipe's hand landmark
model (benchmarks/mediapipe_check.py says where it comes from); its ratio is to the same base.
"""

import argparse
import csv
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

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
CORRELATIONS = {"without": None, "row_column": "row_column", "symmetric": "symmetric"}
FIELDS = (
    *("machine", "runtime", "threads", "network", "image_size", "heatmap_size", "quantize"),
    *("correlation", "ms", "ratio", "ratio_lowest", "ratio_highest"),
    *("cpu_ms", "cpu_ratio", "megabytes", "turns", "calls", "load", "command"),
)


def machine_name():
    """Processor and cores, for the table; never the machine's own name."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        name = models[0].split(":", 1)[1].strip() if models else name
    return f"{name}, {os.cpu_count()} cores"


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


def time_calls(call, count):
    """Median seconds of a call, on the clock and of CPU time over all threads."""
    clock, cpu = [], []
    for _ in range(count):
        start = time.perf_counter(), time.process_time()
        call()
        clock.append(time.perf_counter() - start[0])
        cpu.append(time.process_time() - start[1])
    return statistics.median(clock), statistics.median(cpu)


def measure(contents, threads, turns, calls):
    """Label → the figures of its row."""
    running = {label: make_call(content, threads) for label, content in contents.items()}
    for call in running.values():
        time_calls(call, 3)
    times = [
        {label: time_calls(call, calls) for label, call in running.items()} for _ in range(turns)
    ]
    rows = {}
    for label in running:
        clock, cpu = ([turn[label][i] for turn in times] for i in (0, 1))
        ratios, cpu_ratios = (
            [turn[label][i] / turn["without"][i] for turn in times] for i in (0, 1)
        )
        rows[label] = {
            "correlation": label,
            "ms": f"{1e3 * statistics.median(clock):.2f}",
            "ratio": f"{statistics.median(ratios):.3f}",
            "ratio_lowest": f"{min(ratios):.3f}",
            "ratio_highest": f"{max(ratios):.3f}",
            "cpu_ms": f"{1e3 * statistics.median(cpu):.2f}",
            "cpu_ratio": f"{statistics.median(cpu_ratios):.3f}",
            "megabytes": f"{len(contents[label]) / 1e6:.2f}",
        }
    return rows


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--quantize", nargs="+", default=["none"])
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--turns", type=int, default=60)
    parser.add_argument("--calls", type=int, default=3, help="timed calls in a turn")
    parser.add_argument("--peer", type=Path, action="append", default=[], help=".tflite file")
    parser.add_argument("--output", type=Path, help="CSV; rows of other settings are kept")
    return parser.parse_args()


def shown_command():
    """The command without folders of this machine."""
    words = [
        Path(word).name if os.sep in word and "results" not in word else word
        for word in sys.argv[1:]
    ]
    return " ".join(["python benchmarks/tflite_latency.py", *words])


def write(path, rows):
    """The table with `rows` in place of older rows of the same settings."""
    key = ("threads", "network", "quantize", "correlation")
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
        "machine": machine_name(),
        "runtime": f"ai-edge-litert {importlib.metadata.version('ai-edge-litert')}",
        "turns": options.turns,
        "calls": options.calls,
        "command": shown_command(),
    }
    peers = {path.name: path.read_bytes() for path in options.peer}
    rows = []
    for name in options.networks:
        for quantize in options.quantize:
            with tempfile.TemporaryDirectory() as folder:
                contents, heatmap_size = export_networks(name, quantize, folder)
            for threads in options.threads:
                found = measure(contents | peers, threads, options.turns, options.calls)
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
                        f"{name} {quantize} {threads} thread(s) {row['correlation']}: "
                        f"{row['ms']} ms, ratio {row['ratio']} ({row['ratio_lowest']} to "
                        f"{row['ratio_highest']}), CPU {row['cpu_ratio']}"
                    )
                rows += found.values()
            if options.output:
                write(options.output, rows)


if __name__ == "__main__":
    main()
