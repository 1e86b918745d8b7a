"""Trains and evaluates one cell in a folder of its own, going on with what is there."""

import math
import os
import platform
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import keras

from keras_shr.evaluation.bootstrap import Bootstrap
from keras_shr.evaluation.predictor import Predictor, load_models
from keras_shr.evaluation.protocol import Protocol
from keras_shr.evaluation.runner import open_stores, run
from keras_shr.evaluation.scores import FIELDS, measure
from keras_shr.evaluation.summary import csv_text
from keras_shr.files import read_json, write_json, write_text
from keras_shr.methods import METHODS
from keras_shr.reproduction.clock import TrainingClock
from keras_shr.training import Config, train

DONE = "done.json"
SCORES = "scores.csv"
_DRAWS = 500


@dataclass
class Work:
    """What all cells of a run share.

    Attributes:
        size: `Size`.
        data: name → `DataSet`.
        tests: name → `KeypointData`.
        deadline: `Deadline`.
        say: prints one line of progress.
        workers: perturbing processes, None for all cores.
    """

    size: object
    data: dict
    tests: dict
    deadline: object
    say: object
    workers: int | None = None


def cell_config(cell, size, data_set) -> Config:
    """The training run of a cell."""
    method = METHODS[cell.method]
    # The seed decides initial weights and the order of images. The draws of augmentation and
    # perturbation follow the step alone, so that one compiled step serves all seeds.
    model = size.network(cell.architecture) | {
        "augmentation": {"rotation": size.rotation},
        "dtype": size.dtype,
        "seed": 0,
    }
    return Config(
        data=data_set.train,
        split="train",
        # A data set that is prepared part by part names its validation part; others are split.
        validation=data_set.validation if data_set.validation != data_set.train else None,
        validation_split="val" if data_set.validation == data_set.train else None,
        validation_limit=size.validation_images or 10**9,
        image_size=size.image_size,
        method=cell.method,
        model=model,
        learning_rate=size.learning_rate,
        batch_size=size.images_per_step // method.views,
        epochs=size.epochs,
        steps_per_epoch=size.steps // size.epochs,
        seed=cell.seed,
    )


def run_cell(cell, folder, work):
    """Trains and evaluates; afterwards `folder` holds `model.keras`, `scores.csv`, `done.json`.

    Raises:
        OutOfTime: the deadline came first; calling again goes on.
    """
    folder = Path(folder)
    if not (folder / "model.keras").exists():
        _train(cell, folder, work)
    if not (folder / DONE).exists():
        _evaluate(cell, folder, work)


def _train(cell, folder, work):
    times = folder / "times.json"
    seconds = read_json(times) or []
    clock = TrainingClock(
        work.deadline,
        lambda line: work.say(f"  {line}"),
        seconds,
        lambda: write_json(times, seconds),
    )
    config = cell_config(cell, work.size, work.data[cell.data])
    train(config, folder, workers=0, verbose=0, callbacks=[clock])


def _evaluate(cell, folder, work):
    started = time.monotonic()
    data = work.tests[cell.data]
    model = load_models({cell.key: folder / "model.keras"})[cell.key]
    protocol = Protocol(model.image_size, severities=work.size.severities)
    predictor = {cell.key: Predictor(cell.key, model, protocol, batch_size=32)}
    stores = open_stores({cell.key: model}, data, protocol, folder / "predictions")
    shown = [time.monotonic()]

    def progress(done, total, left, text):
        work.deadline.check()
        if time.monotonic() - shown[0] > 30:
            shown[0] = time.monotonic()
            work.say(f"  evaluating: {done} of {total} pictures ({text})")

    run(predictor, stores, data, protocol, work.workers, progress)
    predictions = stores[cell.key].read()
    found = measure(cell.key, predictions, data, protocol, Bootstrap(data.groups, draws=_DRAWS))
    write_text(folder / SCORES, csv_text(_kept(found.rows), FIELDS))
    write_json(
        folder / DONE,
        {
            "parameters": model.count_params(),
            "evaluate_seconds": round(time.monotonic() - started, 1),
            "backend": keras.config.backend(),
            "device": device(),
            "versions": versions(),
        },
    )


def _kept(rows):
    """The figures that tables and plots are made of, without single severities."""
    for row in rows:
        headline = "all" if row["metric"].startswith(("auc", "epe")) else "any"
        curve = row["metric"].startswith("stable_at") and row["kind"]
        finer = row["decoding"] != "argmax" and not (row["metric"] == "auc" and not row["kind"])
        if row["severity"] == "" and row["visibility"] == headline and not curve and not finer:
            yield row


def device() -> str:
    """The machine that trains, in words."""
    if keras.config.backend() == "jax":
        import jax

        first = jax.devices()[0]
        if first.platform != "cpu":
            return f"{len(jax.devices())} x {first.device_kind}"
    elif keras.config.backend() == "tensorflow":
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        if gpus:
            return (
                f"{len(gpus)} x {tf.config.experimental.get_device_details(gpus[0])['device_name']}"
            )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"CPU, {cores} cores, {platform.machine()}"


def versions() -> str:
    """Python's and the main packages' versions in one line."""
    found = [f"python {platform.python_version()}"]
    for name in ("keras-shr", "keras", keras.config.backend()):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def time_row(cell, folder) -> dict:
    """The cell's row of times.csv."""
    done = read_json(folder / DONE)
    seconds = read_json(folder / "times.json")
    steps = sorted(entry["step"] for entry in seconds)
    middle = steps[len(steps) // 2]
    return cell.columns | {
        "train_seconds": round(math.fsum(entry["seconds"] for entry in seconds), 1),
        "ms_per_step": round(1000 * middle, 2),
        **{key: done[key] for key in ("evaluate_seconds", "backend", "device", "versions")},
    }
