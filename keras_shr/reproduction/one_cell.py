"""Trains and measures one cell in a folder of its own, going on with what is there."""

import math
import platform
import subprocess
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import keras

from keras_shr import _devices
from keras_shr.evaluation.predictor import load_models
from keras_shr.files import write_json
from keras_shr.methods import METHODS
from keras_shr.reproduction.clock import TrainingClock
from keras_shr.reproduction.measures import MEASURES
from keras_shr.reproduction.state import FACTS, TIMES, read_times
from keras_shr.training import Config, train


@dataclass
class Work:
    """What all cells of a run share.

    Attributes:
        size: `Size`.
        data: name → `DataSet`.
        tests: name → `KeypointData`.
        pictures: name → folder of the perturbed test images, or None.
        deadline: `Deadline`.
        say: prints one line of progress.
        workers: perturbing processes, None for all cores.
        video: `KeypointData` of consecutive frames, or None.
    """

    size: object
    data: dict
    tests: dict
    pictures: dict
    deadline: object
    say: object
    workers: int | None = None
    video: object = None


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
        **data_set.training,
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


def is_done(cell, folder, video) -> bool:
    """Whether a cell is trained and has all its measures, in a run with a video or without."""
    due = any(measure.due(cell, folder, video) for measure in MEASURES)
    return (folder / FACTS).exists() and not due


def run_cell(cell, folder, work):
    """Trains the cell and takes its measures, as far as that has not been done.

    Raises:
        OutOfTime: the deadline came first; calling again goes on.
    """
    folder = Path(folder)
    if not (folder / "model.keras").exists():
        _train(cell, folder, work)
    model = load_models({cell.key: folder / "model.keras"})[cell.key]
    took = None
    for measure in MEASURES:
        if measure.due(cell, folder, work.video is not None):
            started = time.monotonic()
            measure.run(cell, folder, work, model)
            took = time.monotonic() - started
            work.say(f"  {measure.file}: {took:.0f} s")
        if not (folder / FACTS).exists():  # after a kill it may be all that is missing
            write_json(folder / FACTS, _facts(model, took))


def _train(cell, folder, work):
    seconds = read_times(folder)
    clock = TrainingClock(
        work.deadline,
        lambda line: work.say(f"  {line}"),
        seconds,
        lambda: write_json(folder / TIMES, seconds),
    )
    config = cell_config(cell, work.size, work.data[cell.data])
    train(config, folder, workers=0, verbose=0, callbacks=[clock])


def _facts(model, seconds):
    return {
        "parameters": model.count_params(),
        "evaluate_seconds": "" if seconds is None else round(seconds, 1),
        "backend": keras.config.backend(),
        "device": device(),
        "versions": versions(),
    }


def device() -> str:
    """The machine that trains, in words."""
    found = _devices.accelerators()
    if found:
        return f"{len(found)} x {found[0].model}"
    return f"CPU, {_devices.devices()[0].model}"


def commit() -> str:
    """The checkout's commit where the package is used from one, else ""."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return ""
    try:
        command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--exclude=*"]
        return subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def versions() -> str:
    """Python's and the main packages' versions in one line."""
    found = [f"python {platform.python_version()}"]
    for name in ("keras-shr", "keras", keras.config.backend()):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def time_row(cell, folder, facts) -> dict:
    """The finished cell's row of times.csv."""
    seconds = read_times(folder)
    steps = sorted(entry["step"] for entry in seconds)
    return cell.columns | {
        "train_seconds": round(math.fsum(entry["seconds"] for entry in seconds), 1),
        "ms_per_step": round(1000 * steps[len(steps) // 2], 2) if steps else "",
        **{key: facts[key] for key in ("evaluate_seconds", "backend", "device", "versions")},
    }
