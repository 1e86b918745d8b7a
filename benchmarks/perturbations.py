"""Images a second of the native perturbations beside the reference library, on the same cores.

    KERAS_BACKEND=tensorflow python -m benchmarks.perturbations --output results/perturbations.csv

All take turns on the same uint8 images with severities 1 to 5 in equal parts; the median of the
turns counts. The reference perturbs one image at a time, in as many processes as there are cores.
"mixture" is a random kind out of the ten of training for each image: `perturb` against the
reference's mean over the ten kinds. With `--peers`, other libraries that are installed take part
(benchmarks/peers.py). The first, compiling call is timed apart.

On an accelerator the images are on the device before and stay there after; a turn is ten calls.
Its rows say too how many bytes a second go in and out (each picture counted once each way), and
that as a share of what a plain copy of the batch reached in the same run. With `--transfer` one
more row each has the way from and to the processor's memory.
"""

import argparse
import csv
import os
import statistics
import sys
import time
from pathlib import Path

from benchmarks import machine
from keras_shr import _compile
from keras_shr.files import replacing
from keras_shr.memory import keep_freed_memory

FIELDS = (
    "machine",
    "device",
    "backend",
    "cores",
    "size",
    "batch",
    "kind",
    "implementation",
    "images_per_s",
    "ratio_to_reference",
    "first_call_s",
    "load",
    "command",
)
ON_DEVICE = ("gigabytes_per_s", "share_of_copy")
CALLS = 10


def compiled(function, jit_compile, example):
    """`function(images, seed)` compiled for the backend."""
    options = {}
    if not keras_is_jax():
        import tensorflow as tf

        shapes = {"uint8": [None, *example.shape[1:]], "uint32": [2]}
        signature = [tf.TensorSpec(shape, dtype) for dtype, shape in shapes.items()]
        options = {"input_signature": signature, "jit_compile": jit_compile}
    return _compile.compiled(function, **options)


def on_device(images):
    """Images in the accelerator's memory, and a function that waits for such a tensor."""
    import numpy as np
    from keras import ops

    def wait(result):
        np.asarray(result[0, 0, 0])

    return ops.convert_to_tensor(images), wait


def copy_speed(images, turns):
    """Bytes a second that a copy on the device reads and writes."""
    import numpy as np
    from keras import ops

    # So many that starting the copy takes no time beside it.
    many = np.concatenate([images] * max(1, int(1e9 // images.nbytes)))
    there, wait = on_device(many)
    # + 1 wraps around: no compiler can leave it out, and the bytes stay bytes.
    copy = compiled(lambda x, seed: x + ops.cast(seed[0], "uint8"), True, many)
    wait(copy(there, turn_seed(0)))
    laps = []
    for number in range(1, turns + 1):
        start = time.perf_counter()
        for call in range(CALLS):
            found = copy(there, turn_seed(CALLS * number + call))
        wait(found)
        laps.append((time.perf_counter() - start) / CALLS)
    return 2 * many.nbytes / statistics.median(laps)


def turn_seed(number):
    import numpy as np

    return np.array([number, 0], "uint32")


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def native(kind, images, jit_compile, transfer):
    """Functions of a turn's number that perturb the batch, how many times each does, and what the
    first call took."""
    import numpy as np

    from keras_shr import perturbations

    severity = (1 + np.arange(len(images)) % 5).astype("int32")

    def function(x, seed):
        if kind == "mixture":
            return perturbations.perturb(x, seed)
        return perturbations.perturb_kind(x, kind, severity, seed, force=True)

    run = compiled(function, jit_compile, images)

    def turn(number):
        np.asarray(run(images, turn_seed(number)))

    first = seconds(lambda: turn(0))
    if not machine.accelerator():
        return {"": (turn, 1)}, first
    there, wait = on_device(images)

    def turn_there(number):
        for call in range(CALLS):
            found = run(there, turn_seed(CALLS * number + call))
        wait(found)

    turn_there(0)
    ways = {"": (turn_there, CALLS), ", from and to the host": (turn, 1)}
    return ways if transfer else {"": ways[""]}, first


def measure(options, images):
    """Rows of kind, implementation, images per second and time of the first call."""
    import numpy as np

    from keras_shr.evaluation.perturber import Perturber
    from keras_shr.perturbations import ALL_PERTURBATIONS, TRAINING_PERTURBATIONS

    ways = {"native jit": True} if keras_is_jax() else {"native graph": False, "native XLA": True}
    ways = {way: jit for way, jit in ways.items() if way.split()[1].lower() in options.ways}
    severity = [1 + i % 5 for i in range(len(images))]
    reference = {}
    copy = copy_speed(images, options.turns) if machine.accelerator() else None
    with Perturber(options.cores or os.cpu_count()) as perturber:

        def reference_turn(kind, number, count):
            seeds = range(1000 * number, 1000 * number + count)
            tasks = [
                (kind, level, image[None], [seed])
                for image, level, seed in zip(images[:count], severity, seeds, strict=False)
            ]
            np.concatenate(list(perturber.stream(tasks)))

        kinds = list(options.kinds or ALL_PERTURBATIONS)
        if set(TRAINING_PERTURBATIONS) <= set(kinds):  # its reference is their mean
            kinds.append("mixture")
        for kind in kinds:
            turns, first, calls = {}, {}, {}
            for way, jit in ways.items():
                found, compiling = native(kind, images, jit, options.transfer)
                for how, (turn, count) in found.items():
                    turns[way + how], calls[way + how] = turn, count
                    first[way + how] = compiling
            if kind != "mixture":
                reference_turn(kind, 0, 8)  # compiles glass blur, reads frost, in each process
                turns["reference"] = lambda number, kind=kind: reference_turn(
                    kind, number, len(images)
                )
                for label, function in other_libraries(kind, options.peers).items():
                    turns[label] = lambda number, function=function: function(images)
            times = {way: [] for way in turns}
            for number in range(1, options.turns + 1):
                for way, turn in turns.items():
                    lap = seconds(lambda turn=turn, number=number: turn(number))
                    times[way].append(lap / calls.get(way, 1))
            laps = {way: statistics.median(lap) for way, lap in times.items()}
            if kind == "mixture":
                laps["reference"] = statistics.mean(reference[k] for k in TRAINING_PERTURBATIONS)
            reference[kind] = laps["reference"]
            for way, lap in laps.items():
                row = {
                    "size": options.size,
                    "batch": options.batch,
                    "kind": kind,
                    "implementation": way,
                    "images_per_s": round(options.batch / lap, 1),
                    "ratio_to_reference": round(reference[kind] / lap, 2),
                    "first_call_s": round(first[way], 1) if way in first else "",
                }
                if calls.get(way) == CALLS:
                    rate = 2 * images.nbytes / lap
                    row |= zip(
                        ON_DEVICE, (round(rate / 1e9, 1), round(rate / copy, 4)), strict=True
                    )
                yield row


def keras_is_jax():
    import keras

    return keras.backend.backend() == "jax"


def other_libraries(kind, wanted):
    if not wanted:
        return {}
    from benchmarks import peers

    found = peers.peers(kind)
    for function in found.values():
        function(example(64, 2))  # what is loaded lazily is not timed
    return found


def example(size, batch):
    """uint8 pictures of smooth noise."""
    import numpy as np
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(0)
    images = 3 * gaussian_filter(rng.standard_normal((batch, size, size, 3)), (0, 3, 3, 0))
    return (255 * np.clip(0.5 + images, 0, 1)).astype("uint8")


def draw(rows, path):
    """Bars of images per second over the reference's, for each kind and implementation."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    ways = [w for w in dict.fromkeys(row["implementation"] for row in rows) if w != "reference"]
    figure, axis = plt.subplots(figsize=(10, 4.5), layout="constrained")
    colours = ("#0072B2", "#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#D55E00")
    for i, way in enumerate(ways):
        ratio = {
            r["kind"]: float(r["ratio_to_reference"]) for r in rows if r["implementation"] == way
        }
        places = [k + (i - (len(ways) - 1) / 2) * 0.8 / len(ways) for k in range(len(kinds))]
        shown = [(x, ratio[kind]) for x, kind in zip(places, kinds, strict=True) if kind in ratio]
        axis.bar(*zip(*shown, strict=True), width=0.8 / len(ways), label=way, color=colours[i])
    axis.axhline(1, color="black", linewidth=0.8)
    axis.set_yscale("log")
    axis.set_xticks(range(len(kinds)), [k.replace("_", "\n") for k in kinds], fontsize=8)
    axis.set_ylabel("images per second, reference = 1")
    first = rows[0]
    axis.set_title(
        f"{first['size']} px, batch {first['batch']}, {first['backend']}, "
        f"{first['cores']} cores of {first['machine']}",
        fontsize=9,
    )
    axis.legend(fontsize=8, ncols=3)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--cores", type=int, default=0, help="cores to run on, 0 for all")
    parser.add_argument("--kinds", nargs="+", help="default: all fifteen")
    parser.add_argument("--ways", nargs="+", default=["graph", "xla", "jit"])
    parser.add_argument("--peers", action="store_true", help="other libraries too")
    parser.add_argument("--transfer", action="store_true", help="time the way there and back too")
    parser.add_argument("--output", type=Path, default=Path("results/perturbations.csv"))
    parser.add_argument("--figure", type=Path, help="PNG of the ratios")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if options.cores and hasattr(os, "sched_setaffinity"):
        # Before the backend starts its threads.
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    keep_freed_memory()
    import keras

    common = {
        "machine": machine.processor(),
        "device": machine.accelerator() or "cpu",
        "backend": keras.backend.backend(),
        "cores": options.cores or os.cpu_count(),
        "command": f"KERAS_BACKEND={keras.backend.backend()} "
        + " ".join(["python -m benchmarks.perturbations", *sys.argv[1:]]),
    }
    fields = FIELDS + (ON_DEVICE if machine.accelerator() else ())
    rows = []
    for row in measure(options, example(options.size, options.batch)):
        rows.append(common | row | {"load": round(os.getloadavg()[0], 1)})
        print(
            f"{row['kind']:16s} {row['implementation']:24s} {row['images_per_s']:9.1f} images/s "
            f"{row['ratio_to_reference']:7.2f} x reference, first call {row['first_call_s']} s",
            flush=True,
        )
        with replacing(options.output) as temporary, temporary.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, fields)
            writer.writeheader()
            writer.writerows(rows)
    if options.figure:
        draw(rows, options.figure)


if __name__ == "__main__":
    main()
