"""Measure accuracy and stability of models under perturbed pictures.

    keras-shr evaluate runs/baseline/model.keras runs/mine/model.keras my_images --output report

Put the baseline first: the page compares the others with it. Every picture is shown clean and
under each kind and severity of the reference perturbations (fifteen kinds, five severities). Writes
report.html, scores.csv, summary.csv, scores.json and figures. The same command again goes on where
it stopped. Pictures that take more than 1 GB are not kept in memory but read again.
"""

import re
from pathlib import Path

from keras_shr.errors import KerasShrError


def add_arguments(parser):
    parser.add_argument("models", nargs="+", metavar="MODEL", help=".keras file, or NAME=FILE")
    parser.add_argument("data", help="data set: a folder, a prepared folder or KIND:PLACE?options")
    parser.add_argument("--output", required=True, help="folder of the report")
    parser.add_argument("--split", help="part of the data set, such as test")
    parser.add_argument("--limit", type=int, help="use the first N images only")
    parser.add_argument(
        "--kinds",
        default="all",
        help="all (the paper's fifteen), seen, unseen, sensor (lens and sensor faults), or names",
    )
    parser.add_argument(
        "--perturbations",
        choices=("reference", "native"),
        default="reference",
        help="the library imagecorruptions, or this package's own on the backend's device",
    )
    parser.add_argument("--severities", default="1,2,3,4,5")
    parser.add_argument("--size", type=int, help="crop that is perturbed; default the models' own")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, help="perturbing processes; default all cores")
    parser.add_argument("--note", action="append", default=[], help="a sentence for the page")
    parser.add_argument(
        "--part",
        metavar="I/N",
        help="predict one of N parts, in N processes at a time; then repeat without it",
    )
    parser.add_argument("--overwrite", action="store_true", help="forget stored predictions")


def run(arguments):
    from keras_shr.data import MEMORY_BYTES, load_arrays, open_data
    from keras_shr.evaluation import compare, evaluate
    from keras_shr.evaluation.predictor import load_models
    from keras_shr.evaluation.protocol import protocol_size

    models = load_models(named(arguments.models))
    height, width = protocol_size(models, arguments.size)
    if height != width:
        raise KerasShrError(
            f"the models take {height}x{width} images; data sets are cropped square"
        )
    reader = open_data(arguments.data, arguments.split, height)
    data = load_arrays(reader, 0, limit=arguments.limit, memory=MEMORY_BYTES)
    report = evaluate(
        models,
        data,
        arguments.output,
        perturbations=kinds(arguments.kinds),
        severities=tuple(_whole(s) for s in arguments.severities.split(",")),
        seed=arguments.seed,
        size=arguments.size,
        workers=arguments.workers,
        notes=arguments.note,
        overwrite=arguments.overwrite,
        implementation=arguments.perturbations,
        part=part(arguments.part),
    )
    if report is None:
        print(f"part {arguments.part} is done; when all are, repeat the command without --part")
        return
    compare(report.summary)
    print(f"{report.page}")


def named(models):
    """`NAME=FILE` or `FILE` → dict; a file called model or best is named after its folder."""
    found = {}
    for text in models:
        name, equals, place = text.partition("=")
        path = Path(place if equals else text)
        if not equals:
            name = path.parent.name if path.stem in ("model", "best") else path.stem
        if name in found:
            raise KerasShrError(f"two models are called {name!r}; give NAME=FILE")
        found[name] = path
    return found


def kinds(text):
    """The perturbations that `--kinds` names."""
    from keras_shr.perturbations import (
        ALL_PERTURBATIONS,
        EVALUATION_PERTURBATIONS,
        SENSOR_PERTURBATIONS,
        TRAINING_PERTURBATIONS,
    )

    groups = {
        "all": ALL_PERTURBATIONS,
        "seen": TRAINING_PERTURBATIONS,
        "unseen": EVALUATION_PERTURBATIONS,
        "sensor": SENSOR_PERTURBATIONS,
    }
    return groups.get(text.strip()) or tuple(kind.strip() for kind in text.split(","))


def part(text):
    """`I/N` as two numbers; None for None."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if not found:
        raise KerasShrError(f"--part is {text!r}; give I/N, such as 1/4 to 4/4")
    return int(found[1]), int(found[2])


def _whole(text):
    if not text.strip().isdigit():
        raise KerasShrError(f"--severities has {text!r}; give numbers from 1 to 5 with commas")
    return int(text)
