"""An exported file beside the Keras model it came from: same pictures, same figures."""

import csv
import io
import statistics
import time

import keras
import numpy as np

from keras_shr._compile import compiled
from keras_shr.errors import KerasShrError
from keras_shr.evaluation.protocol import Protocol, check_order
from keras_shr.evaluation.runner import joined_blocks, make_perturber, tasks
from keras_shr.export.convert import load_model
from keras_shr.export.exported import ExportedModel
from keras_shr.files import write_json, write_text
from keras_shr.heatmaps import only_in_frame
from keras_shr.metrics import displacements, keypoint_auc, mean_squared_displacement, ruc
from keras_shr.perturbations import EVALUATION_PERTURBATIONS

LIMITS = {"none": 0.1, "float16": 0.1, "int8": 1.0}
"""Points of AUC that an export may lose, by its quantisation."""

FAR = 10
"""Pixels of a 256-px crop from which a keypoint counts as moved far: no rounding, another peak."""

_ANOTHER = 10  # px of 256 on average; int8 moves keypoints by one or two

FIELDS = (
    *("kind", "severity", "difference_mean", "difference_max", "difference_far"),
    *("auc_keras", "auc_exported", "r_keras", "r_exported", "ruc_keras", "ruc_exported"),
)


def compare_export(
    model,
    path,
    data,
    perturbations=EVALUATION_PERTURBATIONS,
    severities=(3,),
    seed=0,
    threads=1,
    workers=None,
    repeats=50,
) -> dict:
    """Holds an exported file against its model on clean and on perturbed pictures.

    Args:
        model: `PairedHeatmapModel` or the path of its `.keras` file.
        path: the exported file; its JSON lies beside it.
        data: `KeypointData` with labels, of the model's size.
        perturbations: kinds that both see.
        severities: of each kind, 1 to 5.
        seed: of the perturbations.
        threads: CPU threads of the exported file.
        workers: perturbing processes, see `evaluate`.
        repeats: timed calls with one image.

    Returns:
        `rows`: a dict with the keys `FIELDS` for the clean pictures, each kind and severity, and
        their mean (kind `"perturbed"`). Differences, and the R of either, are in pixels (squared)
        of a 256-px crop; an AUC and a RUC is a share, as is `difference_far`: of the keypoints that
        lie more than `FAR` pixels from the model's. Then `auc_drop` and `auc_drop_perturbed` in
        points, the `limit` they are held to, `passed`, and median milliseconds and bytes of both.

    Raises:
        KerasShrError: file and model do not belong together, or the pictures have no labels.
    """
    model = load_model(model)
    exported = ExportedModel(path, threads)
    _check_pair(model, exported, data)
    protocol = Protocol(model.image_size, tuple(perturbations), tuple(severities), seed)
    rows: list[dict] = []
    answers: dict[str, list] = {"keras": [], "exported": []}
    method = exported.info["decoding"]["method"]

    def predict(images):
        return {
            "keras": model.predict_keypoints(images, method=method)[..., :2],
            "exported": exported.predict_keypoints(images)[..., :2],
        }

    truth = np.asarray(only_in_frame(data.keypoints, data.images.shape[1:3]))
    clean = predict(data.images)
    rows.append(_row("clean", "", truth, clean, None, protocol.scale))
    if np.isnan(rows[0]["auc_keras"]):
        raise KerasShrError(
            f"{data.name}: no keypoint is labelled, so there is no AUC to compare; give pictures "
            "with labels"
        )
    for kind, level, images in _perturbed(data, protocol, workers):
        found = predict(images)
        rows.append(_row(kind, level, truth, found, clean, protocol.scale))
        for name in answers:
            answers[name].append(found[name])
    everything = {name: np.concatenate(parts) for name, parts in answers.items()}
    still = {name: _repeated(points, protocol) for name, points in clean.items()}
    labels = _repeated(truth, protocol)
    rows.append(_row("perturbed", "", labels, everything, still, protocol.scale))

    quantize = exported.info["quantize"]
    drops = [100 * (rows[i]["auc_keras"] - rows[i]["auc_exported"]) for i in (0, -1)]
    return {
        "file": exported.path.name,
        "format": exported.info["format"],
        "quantize": quantize,
        "outputs": exported.info["outputs"],
        "decoding": method,
        "data": data.name,
        "images": len(data),
        "seed": seed,
        "auc_drop": drops[0],
        "auc_drop_perturbed": drops[1],
        "limit": LIMITS[quantize],
        "passed": bool(max(drops) <= LIMITS[quantize]),
        "bytes": exported.size,
        "threads": threads,
        "ms_exported": milliseconds(exported.run, data.images[:1], repeats),
        "ms_keras": milliseconds(_keras_call(model), data.images[:1], repeats),
        "rows": rows,
    }


def _check_pair(model, exported, data):
    for what, own, other in (
        ("image size", list(model.image_size), exported.info["input"]["shape"][1:3]),
        ("number of keypoints", model.num_keypoints, len(exported.info["keypoints"])),
    ):
        if own != other:
            raise KerasShrError(
                f"{exported.path} is not an export of this model: its {what} is {other}, the "
                f"model's {own}"
            )
    if not len(data) or data.images.shape[1:3] != model.image_size:
        raise KerasShrError(
            f"{data.name}: images are {data.images.shape}; the model takes {model.image_size}"
        )
    if len(data.skeleton) != model.num_keypoints:
        raise KerasShrError(
            f"{data.name} has {len(data.skeleton)} keypoints, the model {model.num_keypoints}"
        )
    check_order(model.name, model, data)


def _perturbed(data, protocol, workers):
    """`(kind, severity, images)` for each condition."""
    with make_perturber(protocol, workers) as perturber:
        blocks = perturber.stream(tasks(data.images, data.ids, protocol))
        for kind, level in protocol.conditions:
            yield kind, level, joined_blocks(blocks, len(data))


def _repeated(array, protocol):
    return np.concatenate([array] * len(protocol.conditions))


def _row(kind, severity, labels, found, clean, scale):
    apart = np.asarray(displacements(found["keras"], found["exported"], scale=scale))
    row = dict.fromkeys(FIELDS, "") | {
        "kind": kind,
        "severity": severity,
        "difference_mean": _rounded(apart.mean()),
        "difference_max": _rounded(apart.max()),
        "difference_far": _rounded((apart > FAR).mean()),
    }
    for name, points in found.items():
        row[f"auc_{name}"] = _rounded(keypoint_auc(labels, points, scale=scale))
        if clean is not None:
            moved = (clean[name], points)
            row[f"r_{name}"] = _rounded(mean_squared_displacement(*moved, scale=scale))
            row[f"ruc_{name}"] = _rounded(ruc(*moved, scale=scale))
    return row


def _rounded(value):
    return round(float(value), 6)


def _keras_call(model):
    function = compiled(lambda images: model.decode(model(images, training=False)))
    return lambda images: keras.ops.convert_to_numpy(function(images))


def milliseconds(call, images, repeats):
    """Median time of a call, after three that do not count."""
    times = []
    for turn in range(repeats + 3):
        start = time.perf_counter()
        call(images)
        if turn >= 3:
            times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def write_comparison(comparison, path) -> None:
    """A comparison as .json (all of it) or .csv (its rows).

    Args:
        comparison: what `compare_export` returned.
        path: the file to write.

    Raises:
        KerasShrError: the name ends otherwise.
    """
    if str(path).endswith(".json"):
        write_json(path, comparison)
    elif str(path).endswith(".csv"):
        text = io.StringIO()
        writer = csv.DictWriter(text, ("file", "quantize", *FIELDS), lineterminator="\n")
        writer.writeheader()
        same = {name: comparison[name] for name in ("file", "quantize")}
        writer.writerows(same | row for row in comparison["rows"])
        write_text(path, text.getvalue())
    else:
        raise KerasShrError(f"{path}: a comparison is written as .json or .csv")


def comparison_text(comparison) -> str:
    """A comparison as a few lines to read."""
    lines = [
        f"{'':26}{'moved px':>16}{f'> {FAR} px':>9}{'AUC':>14}{'R':>18}{'RUC':>14}",
        f"{'':26}{'mean':>8}{'max':>8}{'':9}" + f"{'Keras':>8}{'file':>8}" * 3,
    ]
    for row in comparison["rows"]:
        cells = [f"{row['difference_mean']:.2f}", f"{row['difference_max']:.1f}"]
        cells.append(f"{row['difference_far']:.2%}")
        for name, digits in (("auc", 4), ("r", 1), ("ruc", 4)):
            values = [row[f"{name}_{which}"] for which in ("keras", "exported")]
            cells += ["" if value == "" else f"{value:.{digits}f}" for value in values]
        label = f"{row['kind']} {row['severity']}".strip()
        shown = [f"{cell:>{9 if i == 2 else 8}}" for i, cell in enumerate(cells)]
        lines.append(f"{label:26}" + "".join(shown))
    c = comparison
    lines.append(
        f"{c['bytes'] / 1e6:.2f} MB; one image {c['ms_exported']:.1f} ms with {c['threads']} "
        f"thread(s), Keras {c['ms_keras']:.1f} ms"
    )
    verdict = "within" if c["passed"] else "MORE THAN"
    lines.append(
        f"AUC lost: {c['auc_drop']:.2f} points clean, {c['auc_drop_perturbed']:.2f} perturbed: "
        f"{verdict} the {c['limit']} that {c['quantize']} may lose"
    )
    if c["rows"][0]["difference_mean"] > _ANOTHER:
        lines.append("The answers have little in common: is the file an export of this model?")
    return "\n".join(lines)
