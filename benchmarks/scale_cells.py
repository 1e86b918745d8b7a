"""The cells of `benchmarks.scale` that need Python: each is a process, and prints JSON last."""

import argparse
import json
import shutil
import sys
import time
from pathlib import Path

from keras_shr.memory import keep_freed_memory

NETWORK = {"alpha": 0.35, "filters": 16, "heatmap_stride": 8}
"""Small, so that an epoch of 41k hands takes minutes on two cores."""


def fit(options, streamed):
    """One epoch; pairs a second without the first step, which is traced."""
    import keras

    from keras_shr.training import Config, run, train

    class Clock(keras.callbacks.Callback):
        ends = ()

        def on_train_batch_end(self, batch, logs=None):
            self.ends = (*self.ends[:1], time.perf_counter())
            self.batches = batch

    # The threshold between the two is the library's decision; here each is measured at each size.
    run._STREAM_BYTES = 0 if streamed else float("inf")
    clock = Clock()
    config = Config(
        data=f"prepared:{options.data}",
        validation=f"prepared:{options.validation}",
        validation_limit=64,
        image_size=options.size,
        model=NETWORK,
        batch_size=options.batch,
        epochs=1,
        steps_per_epoch=options.steps or None,
        seed=options.seed,
    )
    shutil.rmtree(options.output, ignore_errors=True)  # a finished run would train no further
    train(config, options.output, workers=options.workers, verbose=0, callbacks=[clock])
    seconds = clock.ends[1] - clock.ends[0]
    network = f"MobileNetV2 alpha {NETWORK['alpha']}, stride {NETWORK['heatmap_stride']}"
    seen = f"; {options.steps} steps only, not the whole epoch" if options.steps else ""
    return {
        "seconds": seconds,
        "images": clock.batches * options.batch,
        "note": f"{network}; pairs a second between the first and the last step{seen}",
    }


def evaluate(options):
    """The command, as it stands; a second counts every picture that the network saw."""
    from keras_shr.cli import main
    from keras_shr.models import StableHeatmapRegressor
    from keras_shr.skeletons import HAND_21

    options.output.mkdir(parents=True, exist_ok=True)
    model = options.output / "untrained.keras"
    StableHeatmapRegressor(21, options.size, skeleton=HAND_21, **NETWORK).save(model)
    report = options.output / "report"
    shutil.rmtree(report, ignore_errors=True)
    words = ["evaluate", model, f"prepared:{options.data}", "--output", report]
    words += ["--kinds", options.kinds, "--severities", options.severities]
    words += ["--workers", options.workers, "--seed", options.seed]
    if options.parts > 1:
        words += ["--part", f"1/{options.parts}"]
    start = time.perf_counter()
    if status := main([str(word) for word in words]):
        sys.exit(status)
    conditions = len(options.kinds.split(",")) * len(options.severities.split(","))
    note = f"clean and {options.kinds} x severity {options.severities}; pictures a second"
    if options.parts > 1:
        note += (
            f"; all images are opened, 1/{options.parts} of them shown to the network, no report"
        )
    return {
        "seconds": time.perf_counter() - start,
        "images": options.images * (1 + conditions) // options.parts,
        "note": note,
    }


def score(options):
    """Scores of made-up predictions: what evaluation holds beside the pictures it shows."""
    import numpy as np

    from keras_shr.cli import main
    from keras_shr.data import MEMORY_BYTES, load_arrays, open_data
    from keras_shr.evaluation.protocol import Protocol
    from keras_shr.evaluation.runner import open_stores
    from keras_shr.evaluation.store import CHUNK
    from keras_shr.models import StableHeatmapRegressor

    size = options.size
    model = StableHeatmapRegressor(21, size, **NETWORK)
    path = options.output / "untrained.keras"
    options.output.mkdir(parents=True, exist_ok=True)
    model.save(path)
    shutil.rmtree(options.output / "report", ignore_errors=True)
    protocol = Protocol((size, size))
    stores = open_stores(
        {path.stem: model},
        load_arrays(open_data(f"prepared:{options.data}"), 1, memory=MEMORY_BYTES),
        protocol,
        options.output / "report" / "predictions",
    )
    store = stores[path.stem]
    rng = np.random.default_rng(options.seed)

    def answers(count, *conditions):
        shape = (*conditions, count, 21)
        points = rng.integers(0, size, (2, *shape, 2)).astype("float32")
        return {"argmax": points[0], "subpixel": points[1], "score": points[0, ..., 0] / size}

    for start in store.missing():
        count = min(CHUNK, options.images - start)
        if start and count == CHUNK:  # the same answers again take no time to make and compress
            shutil.copyfile(store.path(0), store.path(start))
            continue
        clean, found = answers(count), answers(count, len(protocol.conditions))
        clean |= {"peak_spread": clean["score"] * 900, "peak_gap": clean["score"]}
        found = {f"perturbed_{key}": value for key, value in found.items()}
        found["theorem3"] = found["perturbed_score"] < 0.1
        store.write(start, clean | found)
    words = ["evaluate", path, f"prepared:{options.data}", "--output", options.output / "report"]
    start = time.perf_counter()
    if status := main([str(word) for word in words]):
        sys.exit(status)
    return {
        "seconds": time.perf_counter() - start,
        "note": f"made-up answers to {len(protocol.conditions)} conditions; nothing is predicted",
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what")
    for name in ("data", "validation", "output"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("images", "size", "batch", "seed", "workers", "steps", "parts"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--kinds", required=True)
    parser.add_argument("--severities", required=True)
    options = parser.parse_args()
    keep_freed_memory()
    if options.what.startswith("fit"):
        found = fit(options, options.what == "fit, streamed")
    else:
        found = {"evaluate": evaluate, "score": score}[options.what](options)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
