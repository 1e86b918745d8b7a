"""`export_model`: a trained model as a file that runs without this package."""

import contextlib
import json
from pathlib import Path

import keras
import numpy as np

from keras_shr.errors import KerasShrError
from keras_shr.export import onnx, tflite
from keras_shr.export.description import (
    DECODINGS,
    check_replaceable,
    describe,
    description_path,
)
from keras_shr.export.graph import OUTPUTS, Graph, check_model, require_tensorflow
from keras_shr.files import check_writable, remove_leftovers, replacing, replacing_folder

SUFFIXES = {"saved_model": "", "tflite": ".tflite", "onnx": ".onnx"}
FORMATS = tuple(SUFFIXES)
"""What `export_model` writes."""
QUANTIZATIONS = ("none", "float16", "int8")
"""How `export_model` stores weights; int8 computes in it too."""


def export_model(
    model,
    path,
    format="saved_model",
    quantize="none",
    outputs="heatmaps",
    decoding="argmax",
    calibration=None,
) -> dict:
    """Writes a model as SavedModel, .tflite or .onnx, and beside it a JSON that says how to use it.

    | outputs | input | answer |
    |---|---|---|
    | heatmaps | float32 0..255 | `(batch, h, w, keypoints)`; operations that GPU delegates take |
    | keypoints | uint8 | `(batch, keypoints, 3)`: x, y in pixels of the input and a score |

    A .tflite file takes one image at a time, the others any number. Preprocessing is inside.

    Args:
        model: a `PairedHeatmapModel` (or subclass), or the path of its `.keras` file.
        path: the file (or, for a SavedModel, folder) to write; the JSON is `path` with `.json`
            behind it.
        format: `"saved_model"`, `"tflite"` or `"onnx"` (needs onnx and tf2onnx).
        quantize: `"none"`; `"float16"`, weights in half precision; or `"int8"` (.tflite, .onnx),
            everything but the logits and what follows them.
        outputs: `"heatmaps"` or `"keypoints"`.
        decoding: of keypoints, `"argmax"` or `"centroid"` (sub-pixel); for heatmaps it is what
            the JSON recommends.
        calibration: for int8: uint8 images `(count, height, width, 3)` such as the file will see,
            a hundred or so.

    Returns:
        What the JSON says.

    Raises:
        KerasShrError: Keras does not run on TensorFlow, a package is missing, an argument that is
            not one of the above, something else stands where file or JSON would be written, or the
            format lacks an operation of the network.

    Example:

    >>> model = keras.saving.load_model("hand.keras")
    >>> export_model(model, "hand.tflite", "tflite", "float16", outputs="keypoints")
    """
    _check("format", format, FORMATS)
    _check("quantize", quantize, QUANTIZATIONS)
    _check("outputs", outputs, OUTPUTS)
    _check("decoding", decoding, DECODINGS)
    path = Path(path)
    end = path.suffix.lower()
    if end != SUFFIXES[format] and (SUFFIXES[format] or end in SUFFIXES.values()):
        wanted = SUFFIXES[format] or "a folder's name"
        raise KerasShrError(f"{path} does not end as {format} should; expected {wanted}")
    if SUFFIXES[format] and path.is_dir():
        raise KerasShrError(f"{path}: is a folder; give a file's name")
    if not SUFFIXES[format] and path.exists() and not (path / "saved_model.pb").is_file():
        raise KerasShrError(f"{path} exists and is not a SavedModel; choose another name")
    check_writable(path.parent)
    check_replaceable(path)
    if quantize == "int8" and format == "saved_model":
        raise KerasShrError("int8 is for the formats tflite and onnx; a SavedModel takes float16")
    require_tensorflow()
    model = load_model(model)
    if quantize == "int8":
        calibration = check_calibration(calibration, model.image_size)
    batch = 1 if format == "tflite" else None
    half = format == "saved_model" and quantize == "float16"
    graph = Graph(model, outputs, decoding, batch, half)
    description = describe(model, path.name, format, quantize, outputs, decoding, batch)
    if format == "saved_model":
        with _described(path, description) as retract, replacing_folder(path) as temporary:
            graph.save(temporary)
            retract()
    else:
        convert = tflite.convert if format == "tflite" else onnx.convert
        content = convert(graph, quantize, calibration)
        remove_leftovers(path.parent, path.name)
        with _described(path, description) as retract, replacing(path) as temporary:
            temporary.write_bytes(content)
            retract()
    return description


def format_of(path) -> str:
    """The format that a file's name ends as; without an end it is a SavedModel's folder.

    Raises:
        KerasShrError: it ends otherwise.
    """
    ends = {end: name for name, end in SUFFIXES.items()}
    end = Path(path).suffix.lower()
    if end not in ends:
        raise KerasShrError(
            f"{path} ends as no format does; expected .tflite, .onnx or no end for a SavedModel "
            f"(or give --format {', '.join(FORMATS)})"
        )
    return ends[end]


@contextlib.contextmanager
def _described(path, description):
    """Writes the JSON before the block, and gives it its name once the block has replaced `path`.

    The block calls what it is given as its last step: it removes a JSON that says something else,
    so that a new file never stands beside an old one's JSON, whenever the process is killed.
    """
    place = description_path(path)
    remove_leftovers(place.parent, place.name)
    content = (json.dumps(description, indent=1) + "\n").encode()

    def retract():
        if place.exists() and place.read_bytes() != content:
            place.unlink()

    with replacing(place) as temporary:
        temporary.write_bytes(content)
        yield retract


def _check(name, value, known):
    if value not in known:
        raise KerasShrError(f"{name} is {value!r}; it must be one of {', '.join(known)}")


def load_model(model):
    """A model of the package from itself or from its file.

    Raises:
        KerasShrError: there is no such file, it cannot be loaded or is another kind of model.
    """
    if not isinstance(model, keras.Model):
        from keras_shr.evaluation.predictor import load_models

        name = Path(model).name
        model = load_models({name: model})[name]
    check_model(model)
    channels = model.network.input_shape[3]
    if channels != 3:
        raise KerasShrError(f"the model takes images of {channels} channels; files take RGB images")
    return model


def check_calibration(images, image_size):
    """Calibration images as an array of the model's size.

    Raises:
        KerasShrError: there are none, or they are not uint8 of that size.
    """
    if images is None or not len(images):
        raise KerasShrError(
            "int8 needs calibration images, real ones like those the file will see: give "
            "calibration=images (in the command: --calibration DATA)"
        )
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.shape[1:] != (*image_size, 3):
        raise KerasShrError(
            f"calibration images are {images.dtype} {images.shape}; expected uint8 (count, "
            f"{image_size[0]}, {image_size[1]}, 3)"
        )
    return images
