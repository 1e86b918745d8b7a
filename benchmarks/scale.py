"""Time and peak memory of `prepare`, one epoch of `fit`, and `evaluate`, by number of images.

    python -m benchmarks.scale --work /tmp/scale --output results/scale.csv
    python -m benchmarks.scale --figure docs/scaling.png

RHD has 41,258 training pictures; so many hands are rendered here, at a smaller side so that it fits
a small machine. Each cell is one command in a process of its own, and memory is that of the whole
process tree. The table is written after each cell, and cells that it has are not measured again.

| cell | what runs |
|---|---|
| prepare | `keras-shr prepare rendered N` |
| fit, streamed | one epoch of `fit` on the prepared folder, streamed whatever its size |
| fit, in memory | the same on arrays, for sets that `fit` would not stream |
| evaluate | `keras-shr evaluate` on all N images, the kinds and severity of `--kinds` |
| score | scoring and report of made-up predictions for all fifteen kinds x five severities |
"""

import argparse
import datetime
import json
import os
import shutil
import sys
from pathlib import Path

from benchmarks.machine import processor_and_cores
from benchmarks.process_memory import usage
from benchmarks.tables import Table

CELLS = ("prepare", "fit, streamed", "fit, in memory", "evaluate", "score")
SETTINGS = ("what", "images", "image_size", "batch", "workers")
FIELDS = (
    *SETTINGS,
    *("per_s", "seconds", "cpu_seconds", "peak_mb", "main_peak_mb", "processes", "disk_mb"),
    *("note", "backend", "machine", "load", "seed", "versions", "date", "command"),
)
_CHILD = "benchmarks.scale_cells"


def _order(row):
    known = CELLS.index(row["what"]) if row["what"] in CELLS else len(CELLS)
    return known, row["what"], int(row["images"])


def plan(options):
    """`(what, images)` of every cell, those that others need first."""
    from keras_shr.training.run import _STREAM_BYTES

    for what in CELLS:
        for images in options.images:
            large = images * options.size**2 * 3 > _STREAM_BYTES
            if what in options.cells and not (what == "fit, in memory" and large):
                yield what, images


def prepared(options, images):
    return options.work / f"rendered-{options.size}-{images}"


def command_of(what, images, options):
    """The words of a cell's command, and how many images a second counts."""
    folder = prepared(options, images)
    if what == "prepare":
        # What a killed attempt left would make this one look faster than it is.
        shutil.rmtree(folder, ignore_errors=True)
        words = ["-m", "keras_shr.cli", "prepare", "rendered", images, folder]
        words += ["--size", options.size, "--workers", options.workers]
        return [*words, "--option", f"seed={options.seed}"]
    words = ["-m", _CHILD, what, "--images", images, "--size", options.size]
    words += ["--data", folder, "--validation", prepared(options, min(options.images))]
    words += ["--batch", options.batch, "--seed", options.seed, "--workers", options.workers]
    words += ["--kinds", options.kinds, "--severities", options.severities]
    words += ["--steps", options.steps, "--parts", options.parts]
    return [*words, "--output", options.work / what.replace(", ", "-").replace(" ", "-")]


def measure(what, images, options):
    """One row of the table."""
    environment = {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2", **os.environ}
    words = [str(word) for word in command_of(what, images, options)]
    took = usage([sys.executable, *words], environment)
    if took.code:
        raise SystemExit(f"{what} of {images} images ended with status {took.code}")
    found = {} if what == "prepare" else json.loads(took.output.splitlines()[-1])
    seconds = found.get("seconds", took.seconds)
    folder = prepared(options, images)
    return {
        "what": what,
        "images": images,
        "image_size": options.size,
        "batch": "" if what in ("prepare", "score") else options.batch,
        "workers": options.workers if what in ("prepare", "evaluate") else "",
        "per_s": f"{found.get('images', images) / seconds:.1f}",
        "seconds": f"{took.seconds:.1f}",
        "cpu_seconds": f"{took.cpu_seconds:.1f}",
        "peak_mb": f"{took.peak / 1e6:.0f}",
        "main_peak_mb": f"{took.main_peak / 1e6:.0f}",
        "processes": took.processes,
        "disk_mb": f"{size_on_disk(folder) / 1e6:.1f}" if what == "prepare" else "",
        "note": "; ".join(word for word in (found.get("note"), options.note) if word),
        "backend": environment["KERAS_BACKEND"],
        "machine": processor_and_cores(),
        "load": f"{os.getloadavg()[1]:.1f} on {os.cpu_count()} cores",
        "seed": options.seed,
        "versions": versions(environment["KERAS_BACKEND"]),
        "date": datetime.date.today().isoformat(),
        "command": " ".join(["python -m benchmarks.scale", *shown(sys.argv[1:])]),
    }


def shown(words):
    """The command's words without this machine's folders."""
    hidden = [i + 1 for i, word in enumerate(words) if word == "--work"]
    return ["WORK" if i in hidden else word for i, word in enumerate(words)]


def size_on_disk(folder):
    return sum(path.stat().st_size for path in Path(folder).glob("*"))


def versions(backend):
    import platform
    from importlib.metadata import version

    names = dict.fromkeys(("keras", backend, "numpy", "pillow"))
    found = [f"{name} {version(name)}" for name in names]
    return ", ".join([*found, f"Python {platform.python_version()}"])


def parse_arguments(words=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, help="folder for data and runs")
    parser.add_argument("--images", nargs="+", type=int, default=[1000, 10000, 41258])
    parser.add_argument("--size", type=int, default=96, help="image side in px")
    parser.add_argument("--batch", type=int, default=32, help="pairs of a step; images at a time")
    parser.add_argument("--kinds", default="jpeg_compression")
    parser.add_argument("--severities", default="3")
    parser.add_argument("--steps", type=int, default=0, help="of an epoch; 0 for all of them")
    parser.add_argument(
        "--parts", type=int, default=1, help="evaluate the first of so many parts of the images"
    )
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=CELLS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--note", default="", help="a remark for the rows")
    parser.add_argument("--fresh", action="store_true", help="measure again what the table has")
    parser.add_argument("--output", type=Path, default=Path("results/scale.csv"))
    parser.add_argument("--figure", type=Path, help="draw the table instead")
    options = parser.parse_args(words)
    if options.figure is None and options.work is None:
        parser.error("--work is needed to measure")
    return options


def main():
    options = parse_arguments()
    table = Table(options.output, SETTINGS, FIELDS, _order)
    if options.figure:
        from benchmarks.scale_figure import draw

        draw(table.rows.values(), options.figure)
        return
    for what, images in plan(options):
        row = dict.fromkeys(SETTINGS, "") | {"what": what, "images": images}
        row |= {"image_size": options.size}
        row |= {"batch": "" if what in ("prepare", "score") else options.batch}
        row |= {"workers": options.workers if what in ("prepare", "evaluate") else ""}
        there = row in table and not options.fresh
        complete = (prepared(options, images) / "manifest.json").exists()
        if there and (what != "prepare" or complete):
            continue
        row = measure(what, images, options)
        table.add(row)
        print({name: row[name] for name in FIELDS[:12]}, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
