"""Compare an exported file with its model: keypoints, AUC, R, RUC, time and size.

    keras-shr compare-export hand.keras hand.tflite my_images --split test --output compare.json

Both see the same labelled pictures, clean and perturbed. The command fails (status 1) where the
file loses more than 0.1 points of AUC (int8: 1 point), on clean or on perturbed pictures. A single
keypoint may jump all the same where two peaks are almost equal: the share that lies more than 10 px
of 256 from the model's is shown beside the mean and the furthest.
"""

from pathlib import Path

from keras_shr.errors import DataError, KerasShrError


def add_arguments(parser):
    parser.add_argument("model", metavar="MODEL", help=".keras file, or name of a trained model")
    parser.add_argument("file", metavar="FILE", help="what keras-shr export wrote")
    parser.add_argument("data", metavar="DATA", help="data set: a folder or KIND:PLACE?options")
    parser.add_argument("--split", help="part of the data set, such as test")
    parser.add_argument("--limit", type=int, help="use the first N images only")
    parser.add_argument("--kinds", default="unseen", help="all, seen, unseen, sensor, or names")
    parser.add_argument("--severities", default="3")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of the exported file")
    parser.add_argument("--workers", type=int, help="perturbing processes; default all cores")
    parser.add_argument("--output", help=".json or .csv file for the figures")


def run(arguments):
    from keras_shr.cli._options import check_counts, kinds, open_part, severities
    from keras_shr.data import load_arrays
    from keras_shr.export import compare_export, comparison_text, write_comparison
    from keras_shr.export.convert import load_model

    if arguments.output and not arguments.output.endswith((".json", ".csv")):
        raise KerasShrError(f"--output is {arguments.output}; give a .json or .csv file")
    check_counts(arguments, "limit")
    model = load_model(arguments.model)
    height, width = model.image_size
    if height != width:
        raise KerasShrError(
            f"the model takes {height}x{width} images; data sets are cropped square"
        )
    try:
        reader = open_part(arguments.data, arguments.split, height)
    except DataError as error:
        if not Path(arguments.data).is_dir():
            raise
        raise DataError(f"{error}; pictures without labels will not do: AUC needs them") from error
    comparison = compare_export(
        model,
        arguments.file,
        load_arrays(reader, 0, limit=arguments.limit),
        kinds(arguments.kinds),
        severities(arguments.severities),
        arguments.seed,
        arguments.threads,
        arguments.workers,
    )
    print(comparison_text(comparison))
    if arguments.output:
        write_comparison(comparison, arguments.output)
    return 0 if comparison["passed"] else 1
