"""Images a second of the native perturbations beside the reference library, on the same core.

    KERAS_BACKEND=tensorflow python benchmarks/perturbations.py --output results/perturbations.csv

Both run in this process, pinned to one core (`--cores`), in turns, on the same uint8 images with
severities 1 to 5 in equal parts; the median of the turns counts. The reference perturbs one image
at a time, so on n cores n processes of it would do n times as much; the native operations use the
cores by themselves. "mixture" is a random kind for each image, as in training: `perturb` against
the mean over the ten kinds. The first, compiling call is timed apart.
"""

import argparse
import csv
import os
import platform
import statistics
import time
from pathlib import Path

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
)


def machine_name():
    """The processor's name, never the machine's own."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def compiled(function, jit_compile, example):
    """`function(images, seed)` compiled for the backend; gives a NumPy array."""
    import keras
    import numpy as np

    if keras.backend.backend() == "jax":
        import jax

        run = jax.jit(function)
    else:
        import tensorflow as tf

        signature = [
            tf.TensorSpec([None, *example.shape[1:]], "uint8"),
            tf.TensorSpec([2], "uint32"),
        ]
        run = tf.function(
            function, input_signature=signature, jit_compile=jit_compile, autograph=False
        )
    return lambda *arguments: np.asarray(run(*arguments))


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def native(kind, images, jit_compile):
    """A function of a turn's number that perturbs the batch, and what its first call took."""
    import numpy as np

    from keras_shr import perturbations

    severity = (1 + np.arange(len(images)) % 5).astype("int32")

    def function(x, seed):
        if kind == "mixture":
            return perturbations.perturb(x, seed)
        return perturbations.perturb_kind(x, kind, severity, seed)

    run = compiled(function, jit_compile, images)

    def turn(number):
        run(images, np.array([number, 0], "uint32"))

    return turn, seconds(lambda: turn(0))


def reference_turn(kind, images, number):
    from keras_shr import perturbations

    for i, image in enumerate(images):
        seed = 1000 * number + i
        perturbations.reference.perturb(image, kind, 1 + i % 5, seed)


def measure(size, batch, turns, images):
    """Rows of kind, implementation, images per second and time of the first call."""
    import keras

    from keras_shr.perturbations import TRAINING_PERTURBATIONS

    jax = keras.backend.backend() == "jax"
    ways = {"native jit": True} if jax else {"native graph": False, "native XLA": True}
    reference = {}
    for kind in (*TRAINING_PERTURBATIONS, "mixture"):
        runs = {way: native(kind, images, jit) for way, jit in ways.items()}
        times = {way: [] for way in (*ways, "reference")}
        for number in range(1, turns + 1):
            for way, (turn, _) in runs.items():
                times[way].append(seconds(lambda turn=turn, number=number: turn(number)))
            if kind != "mixture":
                if number == 1:
                    reference_turn(kind, images[:1], 0)  # compiles glass blur, reads frost
                lap = seconds(lambda kind=kind, number=number: reference_turn(kind, images, number))
                times["reference"].append(lap)
        if kind == "mixture":
            reference[kind] = statistics.mean(reference.values())
        else:
            reference[kind] = statistics.median(times["reference"])
        for way in (*ways, "reference"):
            lap = reference[kind] if way == "reference" else statistics.median(times[way])
            yield {
                "size": size,
                "batch": batch,
                "kind": kind,
                "implementation": way,
                "images_per_s": round(batch / lap, 1),
                "ratio_to_reference": round(reference[kind] / lap, 2),
                "first_call_s": "" if way == "reference" else round(runs[way][1], 1),
            }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--cores", type=int, default=1, help="cores to run on, 0 for all")
    parser.add_argument("--output", type=Path, default=Path("results/perturbations.csv"))
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if options.cores and hasattr(os, "sched_setaffinity"):
        # Before the backend starts its threads.
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    import keras
    import numpy as np
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(0)
    shape = (options.batch, options.size, options.size, 3)
    images = 3 * gaussian_filter(rng.standard_normal(shape), (0, 3, 3, 0))
    images = (255 * np.clip(0.5 + images, 0, 1)).astype("uint8")
    common = {
        "machine": machine_name(),
        "device": "cpu",
        "backend": keras.backend.backend(),
        "cores": options.cores or os.cpu_count(),
    }
    rows = []
    for row in measure(options.size, options.batch, options.turns, images):
        rows.append(common | row | {"load": round(os.getloadavg()[0], 1)})
        print(
            f"{row['kind']:15s} {row['implementation']:13s} {row['images_per_s']:9.1f} images/s "
            f"{row['ratio_to_reference']:7.2f} x reference, first call {row['first_call_s']} s",
            flush=True,
        )
    options.output.parent.mkdir(parents=True, exist_ok=True)
    temporary = options.output.with_name(options.output.name + ".part")
    with temporary.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, FIELDS)
        writer.writeheader()
        writer.writerows(rows)
    os.replace(temporary, options.output)


if __name__ == "__main__":
    main()
