"""How much models' keypoints shake from frame to frame, with and without a One-Euro filter.

keras-shr jitter runs/baseline/best.keras runs/mine/best.keras --video clip.mp4 --output jitter
keras-shr jitter hand-photos-baseline hand-photos-ours --video rendered-motion --output jitter
keras-shr jitter hand --video "folder:frames?split=video" --output jitter

With labels (rendered motion, or a data set of consecutive frames whose groups are the clips) true
motion is taken out (jitter) and accuracy is reported too, because a filter buys steadiness with
delay. A video file has none. What needs no labels: acceleration, which real motion has too, and
path_deviation, the mean distance of a keypoint from a parabola through the five frames around it,
which takes most of the motion out (what wanders slowly does not count). In px of a 256-px crop.
Writes jitter.csv and jitter.png.
"""

import sys
from pathlib import Path

from keras_shr.errors import KerasShrError


def add_arguments(parser):
    parser.add_argument(
        "models", nargs="+", help=".keras files, names of trained models, or NAME=FILE"
    )
    parser.add_argument(
        "--video", required=True, help="rendered-motion, a video file, or consecutive frames"
    )
    parser.add_argument("--output", required=True, help="folder for what is written")
    parser.add_argument("--seconds", type=float, help="at most so much of each clip")
    parser.add_argument("--min-cutoff", type=float, default=1.0, help="of the filter, Hz at rest")
    parser.add_argument(
        "--beta", type=float, default=0.01, help="of the filter, Hz for px a second"
    )
    parser.add_argument("--keypoint", type=int, help="which one jitter.png shows (8, or the last)")
    parser.add_argument(
        "--margin", type=float, help="of the crops of a video file, see keras-shr predict (1.8)"
    )


def run(arguments):
    from keras_shr.cli._options import named
    from keras_shr.evaluation.predictor import load_models
    from keras_shr.evaluation.summary import csv_text
    from keras_shr.files import check_writable, write_text
    from keras_shr.prediction import Predictor
    from keras_shr.prediction.jitter_report import FIELDS, draw_tracks, jitter_report

    check_writable(arguments.output)
    models = load_models(named(arguments.models))
    count = min(model.num_keypoints for model in models.values())
    keypoint = min(8, count - 1) if arguments.keypoint is None else arguments.keypoint
    if not 0 <= keypoint < count:
        raise KerasShrError(f"--keypoint is {keypoint}; it must be 0 to {count - 1}")
    rows, clips, tracks = jitter_report(
        models,
        arguments.video,
        arguments.seconds,
        arguments.min_cutoff,
        arguments.beta,
        progress=lambda line: print(line, file=sys.stderr, flush=True),
        margin=arguments.margin,
    )
    output = Path(arguments.output)
    output.mkdir(parents=True, exist_ok=True)
    write_text(output / "jitter.csv", csv_text(rows, FIELDS))
    name = Predictor(next(iter(models.values()))).skeleton.keypoints[keypoint]
    name = name.replace("_", " ")
    draw_tracks(output / "jitter.png", clips, tracks, keypoint, name)
    print(table(rows))
    print(f"{output / 'jitter.csv'}, {output / 'jitter.png'}")
    return 0


def table(rows):
    """The rows side by side, a line for each model and filter."""
    metrics = list(dict.fromkeys(row["metric"] for row in rows))
    lines: dict = {}
    for row in rows:
        lines.setdefault((row["model"], row["filter"]), {})[row["metric"]] = row["value"]
    width = max(len(model) for model, _ in lines) + 2
    text = [f"{'model':{width}}{'filter':10}" + "".join(f"{m:>22}" for m in metrics)]
    for (model, kind), values in lines.items():
        shown = "".join(f"{values[m]:22.3f}" for m in metrics)
        text.append(f"{model:{width}}{kind:10}{shown}")
    return "\n".join(text)
