"""Accuracy and stability under the paper's fifteen kinds, and under lens and sensor faults."""

from functools import partial

from keras_shr.evaluation.bootstrap import Bootstrap
from keras_shr.evaluation.predictor import Predictor
from keras_shr.evaluation.protocol import EXTRA, UNSEEN, Protocol
from keras_shr.evaluation.runner import keep_pictures, open_stores, run
from keras_shr.evaluation.scores import FIELDS, measure
from keras_shr.perturbations import ALL_PERTURBATIONS, SENSOR_PERTURBATIONS
from keras_shr.reproduction.clock import seldom
from keras_shr.reproduction.measures.base import Measure, draw_row, on_main, write_with_draws

_DRAWS = 500
_FAMILIES = (ALL_PERTURBATIONS, SENSOR_PERTURBATIONS)
_KEPT_BYTES = 4e9


def perturbed_pictures(data, size, folder, workers=None, progress=False):
    """The folder in which the perturbed test pictures of all cells now are.

    They are the same for every cell, and making them would take longer than asking a small network.
    None where they would take more than 4 GB.
    """
    protocols = [_protocol(data.images.shape[1:3], kinds, size) for kinds in _FAMILIES]
    conditions = sum(len(protocol.conditions) for protocol in protocols)
    if data.images.nbytes * conditions > _KEPT_BYTES:
        return None
    for protocol in protocols:
        keep_pictures(data, protocol, folder, workers, progress)
    return folder


def _protocol(image_size, kinds, size):
    return Protocol(image_size, kinds, size.severities)


def _evaluate(cell, folder, work, model, file, kinds, store, kept):
    data = work.tests[cell.data]
    protocol = _protocol(model.image_size, kinds, work.size)
    predictor = {cell.key: Predictor(cell.key, model, protocol, batch_size=32)}
    stores = open_stores({cell.key: model}, data, protocol, folder / store)
    tell = seldom(work.say, 30)

    def progress(done, total, left, text):
        work.deadline.check()
        tell(f"  evaluating: {done} of {total} pictures ({text})")

    pictures = work.pictures[cell.data]
    run(predictor, stores, data, protocol, work.workers, progress, pictures)
    predictions = stores[cell.key].blocks()
    found = measure(cell.key, predictions, data, protocol, Bootstrap(data.groups, draws=_DRAWS))
    rows = [row for row in found.rows if kept(row)]
    write_with_draws(folder, file, rows, FIELDS, _drawn(found, kept))


def _drawn(scores, kept):
    return [
        draw_row(group, kind, metric, draws)
        for (metric, group, kind, decoding), draws in scores.draws.items()
        if decoding == "argmax"
        and (metric in ("auc", "R", "RUC") or metric.startswith("D_"))
        and (not kind or (metric == "R" and group == UNSEEN))
        and kept(scores.value(metric, group, kind=kind))
    ]


def _headline(row):
    """The figures that tables and plots are made of, without single severities."""
    wanted = "all" if row["metric"].startswith(("auc", "epe")) else "any"
    curve_of_kind = row["metric"].startswith("stable_at") and row["kind"]
    finer = row["decoding"] != "argmax" and not (row["metric"] == "auc" and not row["kind"])
    plain = row["severity"] == "" and row["visibility"] == wanted
    return plain and not curve_of_kind and not finer


def _extra(row):
    return _headline(row) and row["group"] == EXTRA and not row["metric"].startswith("stable_at")


SCORES = Measure(
    "scores.csv",
    partial(
        _evaluate,
        file="scores.csv",
        kinds=ALL_PERTURBATIONS,
        store="predictions",
        kept=_headline,
    ),
)
EXTRA_KINDS = Measure(
    "extra.csv",
    partial(
        _evaluate,
        file="extra.csv",
        kinds=SENSOR_PERTURBATIONS,
        store="predictions_extra",
        kept=_extra,
    ),
    on_main,
)
