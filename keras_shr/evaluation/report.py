"""`evaluate`: from models and labelled pictures to scores, figures and a page."""

import importlib.metadata
import json
import math
import platform
import re
import shlex
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import keras
import numpy as np

from keras_shr.evaluation import figures, page
from keras_shr.evaluation.bootstrap import DRAWS, Bootstrap
from keras_shr.evaluation.definitions import CAVEATS, definitions
from keras_shr.evaluation.examples import Illustrator, save_picture, typical, worst
from keras_shr.evaluation.predictor import Predictor, load_models
from keras_shr.evaluation.protocol import (
    EXTRA,
    SEEN,
    UNSEEN,
    Protocol,
    check_order,
    protocol_size,
)
from keras_shr.evaluation.runner import make_perturber, open_stores, run
from keras_shr.evaluation.scores import FIELDS, Scores, measure
from keras_shr.evaluation.store import folder_names
from keras_shr.evaluation.summary import csv_text, differences, summarize
from keras_shr.files import check_writable, remove_leftovers, write_text
from keras_shr.heatmaps import only_in_frame
from keras_shr.perturbations import ALL_PERTURBATIONS, SEVERITIES
from keras_shr.perturbations.names import SENSOR_PERTURBATIONS

_OURS = re.compile(
    rf".+_\d{{2,}}_({'|'.join(ALL_PERTURBATIONS + SENSOR_PERTURBATIONS)})_\d\.jpg"
    r"|all_models_(typical|worst)\.jpg"
)
"""Names of examples."""


@dataclass
class Report:
    """What an evaluation found and where it was written.

    Attributes:
        output: the folder; the page is `output / "report.html"`.
        summary: one dict a model, as in `summary.csv`; `compare(report.summary)` prints it.
        rows: every figure, as in `scores.csv`.
        differences: each model against the first.
        scores: `Scores` of each model.
        protocol: `Protocol`.
        data_name: what the page calls the data.
        facts: what else `scores.json` says about the run.
        figures: path → caption.
        examples: model → paths of its worst examples.
        shared_examples: `"typical"` and `"worst"` → path of a picture that all models are shown on.
    """

    output: Path
    protocol: Protocol
    data_name: str
    scores: list[Scores]
    summary: list[dict]
    differences: list[dict]
    facts: dict
    figures: dict[Path, str] = field(default_factory=dict)
    examples: dict[str, list[Path]] = field(default_factory=dict)
    shared_examples: dict[str, Path] = field(default_factory=dict)

    @property
    def rows(self) -> list[dict]:
        """Every figure of every model, as in `scores.csv`."""
        return [row for one in self.scores for row in one.rows]

    @property
    def page(self) -> Path:
        """Path of the HTML page."""
        return self.output / "report.html"


def evaluate(
    models,
    data,
    output,
    perturbations=ALL_PERTURBATIONS,
    severities=SEVERITIES,
    seed=0,
    size=None,
    workers=None,
    batch_size=32,
    progress=True,
    resume=True,
    overwrite=False,
    subpixel="centroid",
    notes=(),
    examples=4,
    draws=DRAWS,
    command=None,
    implementation="reference",
    part=None,
) -> Report | None:
    """Measure how accurate and how stable models are under perturbed pictures.

    Every picture is shown clean and under each kind and severity of the perturbations. Each
    perturbed picture is made once and shown to all models. Predictions are stored as they come, so
    the same call goes on where an interrupted one stopped, and another model can be added later
    without predicting with the first ones again.

    Writes into `output`: `report.html` (self-contained), `scores.csv`, `summary.csv`,
    `scores.json`, `figures/`, `examples/` and `predictions/`.

    Args:
        models: dict of name → Keras model or path of a `.keras` file. A model takes uint8 images
            `(batch, height, width, 3)` and gives heatmaps `(batch, h, w, keypoints)`.
        data: `KeypointData`. Labels are needed for AUC only; R and RUC do without.
        output: folder, made if need be.
        perturbations: kinds, all fifteen by default.
        severities: of 1 to 5.
        seed: of the noise and of the bootstrap.
        size: crop that is perturbed, a number or `(height, width)`; the models' own by default,
            needed where models differ (each then gets its antialiased copy).
        workers: perturbation processes; None takes every core, 0 none besides this one.
        batch_size: images a network sees at a time, at most 32.
        progress: True (standard error), False or a callable `(done, total, seconds_left, text)`.
        resume: go on from stored predictions; False refuses a folder that has some.
        overwrite: delete stored predictions of these models first.
        subpixel: the second decoding, `"centroid"` or `"dark"`.
        notes: sentence or sentences for the page, such as where the labels come from.
        examples: pictures of worst cases for each model.
        draws: of the bootstrap.
        command: what the page calls the command; this process' own by default.
        implementation: of the perturbations: `"reference"`, or `"native"` (this package's, on the
            backend's device; `workers` has no effect then).
        part: `(i, n)`, to share the work between processes or machines that see `output`: only
            the i-th of n parts of the pictures is predicted and no report is written. The call
            without it, once all parts are there, predicts nothing and writes the report of an
            evaluation in one process.

    Returns:
        `Report`; None with `part`.

    Raises:
        KerasShrError: an argument or file that has to be changed; stored predictions that belong
            to other weights, data or settings.

    Example:

    >>> report = evaluate({"baseline": "baseline.keras", "stable": model}, data, "runs/report")
    >>> compare(report.summary)
    """
    output = Path(output)
    check_writable(output)
    models = load_models(models)
    protocol = Protocol(
        protocol_size(models, size),
        perturbations,
        severities,
        seed,
        subpixel,
        implementation=implementation,
    )
    for name, model in models.items():
        check_order(name, model, data)
    predictors = {
        name: Predictor(name, model, protocol, batch_size) for name, model in models.items()
    }
    folder = output / "predictions"
    stores = open_stores(models, data, protocol, folder, resume, overwrite, part)
    run(predictors, stores, data, protocol, workers, progress)
    if part is not None:
        return None
    bootstrap = Bootstrap(data.groups, seed, draws)
    scores = [
        measure(name, store.blocks(), data, protocol, bootstrap) for name, store in stores.items()
    ]
    for name in ("scores.csv", "summary.csv", "scores.json", "report.html"):
        remove_leftovers(output, name)  # the folder may be another's too
    for folder in ("figures", "examples"):
        remove_leftovers(output / folder)
    report = Report(
        output,
        protocol,
        data.name,
        scores,
        summarize(scores, data, protocol),
        differences(scores),
        _facts(data, bootstrap, notes, command),
    )
    _write_scores(report)
    captions = figures.draw_all(scores, protocol, output / "figures")
    report.figures = {output / "figures" / name: caption for name, caption in captions.items()}
    _draw_examples(report, data, stores, predictors, examples)
    write_text(report.page, page.render(report))
    return report


def _facts(data, bootstrap, notes, command):
    visibility = np.asarray(only_in_frame(data.keypoints, data.images.shape[1:3]))[..., 2]
    labelled, seen = int((visibility > 0).sum()), int((visibility > 1).sum())
    versions = {"python": platform.python_version(), "keras": keras.__version__}
    backend = keras.backend.backend()
    for name in ("keras-shr", backend, "numpy", "pillow", "imagecorruptions-imaug"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    if command is None:
        command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    return {
        "data": data.name,
        "images": len(data),
        "keypoints": len(data.skeleton),
        "labels": f"{labelled} of {visibility.size} keypoints labelled inside the crop, {seen} of "
        "them not hidden",
        "intervals": bootstrap.sentence,
        "notes": [notes] if isinstance(notes, str) else list(notes),
        "command": command,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "backend": backend,
        "versions": versions,
    }


def _write_scores(report):
    output = report.output
    write_text(output / "scores.csv", csv_text(report.rows, FIELDS))
    write_text(output / "summary.csv", csv_text(report.summary, list(report.summary[0])))
    curves = {
        one.model: {
            group: [one.value(f"stable_at_{p}", group)["value"] for p in range(31)]
            for group in ("all", SEEN, UNSEEN, EXTRA)
            if one.value("stable_at_0", group)
        }
        for one in report.scores
    }
    content = {
        "protocol": report.protocol.to_dict() | {"px_per_crop_px": report.protocol.scale},
        "definitions": definitions(report.protocol),
        "caveats": list(CAVEATS),
        "run": report.facts,
        "summary": report.summary,
        "differences": report.differences,
        "stable_at_p": {"P": list(range(31)), "curves": curves},
        "columns": list(FIELDS),
    }
    # One line a row: with indentation the file would be five times as long.
    rows = (json.dumps([_plain(row[key]) for key in FIELDS]) for row in report.rows)
    head = json.dumps(content, indent=1, allow_nan=False).removesuffix("\n}")
    write_text(output / "scores.json", f'{head},\n "rows": [\n' + ",\n".join(rows) + "\n]}\n")


def _plain(value):
    return None if isinstance(value, float) and math.isnan(value) else value


def _draw_examples(report, data, stores, predictors, count):
    folder = report.output / "examples"
    for old in folder.glob("*.jpg"):
        if _OURS.fullmatch(old.name):  # the folder may hold others' pictures too
            old.unlink()  # of an earlier report: its models or their number may have changed
    if count < 1:
        return
    folder.mkdir(parents=True, exist_ok=True)
    names = folder_names(stores)
    conditions = report.protocol.conditions
    with make_perturber(report.protocol, workers=1) as perturber:
        draw = Illustrator(data, report.protocol, perturber, predictors, stores)
        for one in report.scores:
            found = worst(one.moved, conditions, count)
            report.examples[one.model] = []
            for i, picture in enumerate(draw.draw(one.model, found)):
                kind, level = conditions[found[i].condition]
                path = folder / f"{names[one.model]}_{i + 1:02d}_{kind}_{level}.jpg"
                save_picture(path, picture)
                report.examples[one.model].append(path)
        if len(report.scores) > 1:
            moved = sum(one.moved for one in report.scores) / len(report.scores)
            shown = {"typical": [typical(moved)], "worst": worst(moved, conditions, 1)}
            for name, found in shown.items():
                for example in found:
                    path = folder / f"all_models_{name}.jpg"
                    save_picture(path, draw.draw_all(example))
                    report.shared_examples[name] = path
