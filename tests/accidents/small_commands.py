"""The commands that write, made small: their files are real, what takes minutes is replaced.

`PLANTED[name](monkeypatch)` replaces it and returns a function from a folder to the command's
arguments; what it writes is `folder / "out"` and, for export, what begins like it.
"""

import functools
import gc
from functools import cache
from types import SimpleNamespace

import keras
import numpy as np
from PIL import Image

import keras_shr.data
import keras_shr.export
from keras_shr.callbacks import HeatmapPictures, RobustnessProbe
from keras_shr.data import KeypointData, Reader, Record
from keras_shr.evaluation import perturber, plotting, predictor, report
from keras_shr.export import convert, graph
from keras_shr.files import write_text
from keras_shr.reproduction import one_cell, results
from keras_shr.reproduction import run as reproduction
from keras_shr.reproduction.data_sets import DataSet
from keras_shr.reproduction.measures.base import Measure
from keras_shr.skeletons import Skeleton
from keras_shr.training import run
from tests.callbacks.callback_helpers import SKELETON, pictures, tiny_model
from tests.evaluation import evaluation_fakes


class Numbers(Reader):
    """Six pictures of 8 px whose content is their number."""

    kind = "rendered"

    def __init__(self):
        skeleton = Skeleton("two", ("a", "b"))
        super().__init__("numbers", skeleton, 8, [f"n{i}" for i in range(6)])

    def _read(self, index):
        image = np.full((8, 8, 3), 40 * index, np.uint8)
        return Record(image, np.full((2, 3), 2, np.float32), self.ids[index], "")


def prepare(monkeypatch):
    monkeypatch.setattr(keras_shr.data, "open_data", lambda *_: Numbers())
    options = ["--shards", "3", "--workers", "1", "--format", "png"]
    return lambda place: ["prepare", "rendered", "6", str(place / "out"), *options]


@cache
def _traced_model():
    model = tiny_model()
    model.run_eagerly = False
    return model, [(v, np.array(v.value)) for v in model.trainable_variables], tiny_model()


def _measured(model):
    """Figures that follow the weights; the one that decides which is best rises with each step."""
    total = sum(float(abs(w).sum()) for w in model.get_weights())
    best = {"auc_seen": float(model.optimizer.iterations.value)}
    return dict.fromkeys(RobustnessProbe.KEYS, total) | best


def fit(monkeypatch):
    """Two epochs of a network of two layers, traced once for all tests."""
    model, start, plain = _traced_model()
    data = KeypointData(*pictures(8), SKELETON, name="spots")

    def build(config, skeleton):
        model.optimizer.build(model.trainable_variables)
        for variable in [*model.variables, *model.optimizer.variables]:
            variable.assign(keras.ops.zeros_like(variable.value))
        for variable, value in start:
            variable.assign(value)
        return model

    records = {"name": "spots", "count": 8, "ids_sha256": ""}
    reader = SimpleNamespace(skeleton=SKELETON, describe=lambda: records)
    monkeypatch.setattr(run, "open_parts", lambda _: (reader, None))
    monkeypatch.setattr(run, "_load", lambda *_: (data, data.take(range(2))))
    monkeypatch.setattr(run, "build_model", build)
    monkeypatch.setattr(run, "_uncompiled", lambda *_: plain)
    # What the callbacks measure and draw takes longer than the training.
    monkeypatch.setattr(RobustnessProbe, "prepare", lambda self, model: None)
    monkeypatch.setattr(RobustnessProbe, "_measure", lambda self, model: _measured(model))
    monkeypatch.setattr(HeatmapPictures, "draw", lambda self: Image.new("RGB", (8, 8)))
    settings = ["--set", "batch_size=2", "epochs=2", "image_size=32"]
    return lambda place: ["fit", "--data", "spots", "--output", str(place / "out"), *settings]


@cache
def _networks():
    return {"honest": evaluation_fakes.honest_network()}


_kept_predictors = cache(predictor.Predictor)


def evaluate(monkeypatch):
    """Two chunks, one figure."""

    def draw_all(scores, protocol, folder):
        plotting.save(plotting.new_figure(1, 1), folder / "one.png")
        return {"one.png": "a figure"}

    data = evaluation_fakes.make_data(34)
    monkeypatch.setattr(perturber, "REFERENCE", evaluation_fakes.RANDOM_SHIFTS)
    monkeypatch.setattr(predictor, "load_models", lambda _: _networks())
    monkeypatch.setattr(report, "load_models", lambda models: models)
    monkeypatch.setattr(report, "Predictor", _kept_predictors)
    monkeypatch.setattr(report, "DRAWS", 10)
    monkeypatch.setattr(report.figures, "draw_all", draw_all)
    monkeypatch.setattr(keras_shr.data, "open_data", lambda *_: SimpleNamespace(splits=[]))
    monkeypatch.setattr(keras_shr.data, "load_arrays", lambda *_, **__: data)
    options = ["--kinds", "brightness,spatter", "--severities", "1", "--workers", "0"]
    return lambda place: ["evaluate", "a.keras", "d", "--output", str(place / "out"), *options]


class _Graph:
    """A file says which outputs it has."""

    def __init__(self, model, outputs, *_):
        self.outputs = outputs

    def save(self, folder):
        folder.mkdir()
        for name in ("saved_model.pb", "variables"):
            with open(folder / name, "w") as file:
                file.write(self.outputs)


def export(monkeypatch, format="tflite", outputs="keypoints"):
    model = tiny_model()
    monkeypatch.setattr(convert, "load_model", lambda _: model)
    for module in (convert, graph):
        monkeypatch.setattr(module, "require_tensorflow", lambda: None)
    monkeypatch.setattr(convert, "Graph", _Graph)
    monkeypatch.setattr(convert.tflite, "convert", lambda graph, *_: graph.outputs.encode())
    monkeypatch.setattr(keras_shr.export, "gpu_problems", lambda _: [])
    name = "out.tflite" if format == "tflite" else "out"
    options = ["--format", format, "--outputs", outputs]
    return lambda place: ["export", "a.keras", "--output", str(place / name), *options]


def reproduce(monkeypatch):
    """Three cells that leave what a cell leaves, without training."""

    def train_nothing(cell, folder, work):
        for name, text in (
            ("config.json", "{}"),
            ("history.csv", "epoch,loss,val_auc_clean\n1,2.5,0.1\n2,1.5,0.25\n"),
            ("times.json", '[{"seconds": 2, "step": 0.1}]'),
            ("model.keras", "weights"),
        ):
            write_text(folder / name, text)

    def perturb_nothing(test, size, folder, workers, progress):
        write_text(folder / "snow.npy", "pictures")
        return folder

    def measure(file, text):
        return Measure(file, lambda cell, folder, work, model: write_text(folder / file, text))

    scores = "group,kind,severity,metric,decoding,visibility,value,low,high,n\n"
    scores += "clean,,,auc,argmax,all,0.5,0.4,0.6,126\n"
    measures = (measure("scores.csv", scores),)  # all that many architectures have
    model = SimpleNamespace(count_params=lambda: 7)
    data_set = DataSet("rendered", {"data": "prepared:t"}, None)
    monkeypatch.setattr(one_cell, "_train", train_nothing)
    monkeypatch.setattr(one_cell, "MEASURES", measures)
    monkeypatch.setattr(one_cell, "load_models", lambda files: dict.fromkeys(files, model))
    monkeypatch.setattr(reproduction, "make_data_set", lambda *_: data_set)
    monkeypatch.setattr(reproduction, "load_test", lambda *_: SimpleNamespace(ids=["a"]))
    monkeypatch.setattr(reproduction, "perturbed_pictures", perturb_nothing)
    monkeypatch.setattr(results, "_write_pictures", lambda *_: None)
    for module, name in ((gc, "collect"), (keras.utils, "clear_session")):  # half a second a cell
        monkeypatch.setattr(module, name, lambda: None)
    return lambda place: ["reproduce", "table3", "--output", str(place / "out")]


PLANTED = {
    "prepare": prepare,
    "fit": fit,
    "evaluate": evaluate,
    "export": export,
    "export a folder": functools.partial(export, format="saved_model"),
    "reproduce": reproduce,
}
