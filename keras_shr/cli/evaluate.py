"""Measure accuracy and stability of models under perturbed pictures.

    keras-shr evaluate runs/baseline/model.keras runs/mine/model.keras my_images --output report

Put the baseline first: the page compares the others with it. Every picture is shown clean and
under each kind and severity of the reference perturbations (fifteen kinds, five severities). Writes
report.html, scores.csv, summary.csv, scores.json and figures. The same command again goes on where
it stopped. Pictures that take more than 1 GB are not kept in memory but read again.
"""

from keras_shr.errors import KerasShrError


def add_arguments(parser):
    parser.add_argument(
        "models", nargs="+", metavar="MODEL", help=".keras file, trained model, or NAME=FILE"
    )
    parser.add_argument("data", help="data set: a folder, a prepared folder or KIND:PLACE?options")
    parser.add_argument("--output", required=True, help="folder of the report")
    parser.add_argument("--split", help="part of the data set, such as test")
    parser.add_argument("--limit", type=int, help="use the first N images only")
    parser.add_argument(
        "--kinds",
        default="all",
        help="all (the paper's fifteen), seen, unseen, sensor (lens and sensor faults), or names; "
        "several with commas",
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
    from keras_shr.cli._options import (
        check_counts,
        kinds,
        named,
        open_part,
        part,
        severities,
        training_note,
    )
    from keras_shr.data import MEMORY_BYTES, load_arrays
    from keras_shr.evaluation import compare, evaluate
    from keras_shr.evaluation.predictor import load_models
    from keras_shr.evaluation.protocol import protocol_size

    check_counts(arguments, "limit")
    models = load_models(named(arguments.models))
    height, width = protocol_size(models, arguments.size)
    if height != width:
        raise KerasShrError(
            f"the models take {height}x{width} images; data sets are cropped square"
        )
    reader = open_part(arguments.data, arguments.split, height)
    notes = arguments.note + training_note(reader)
    data = load_arrays(reader, 0, limit=arguments.limit, memory=MEMORY_BYTES)
    report = evaluate(
        models,
        data,
        arguments.output,
        perturbations=kinds(arguments.kinds),
        severities=severities(arguments.severities),
        seed=arguments.seed,
        size=arguments.size,
        workers=arguments.workers,
        notes=notes,
        overwrite=arguments.overwrite,
        implementation=arguments.perturbations,
        part=part(arguments.part),
    )
    if report is None:
        print(f"part {arguments.part} is done; when all are, repeat the command without --part")
        return
    compare(report.summary)
    print(f"{report.page}")
