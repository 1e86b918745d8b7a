"""A network that finds coloured dots without training, and the pictures it finds them in."""

import json
import re
from pathlib import Path

import keras
import numpy as np
from PIL import Image

from keras_shr.data.records import KeypointData
from keras_shr.models import PairedHeatmapModel
from keras_shr.skeletons import Skeleton
from tests.dots import KEYPOINTS, SIZE, pictures

ROOT = Path(__file__).resolve().parents[2]
SKELETON = Skeleton("three", ("left", "right", "top"), ((0, 2), (1, 2)), flip_pairs=((0, 1),))


def dataset(count=8, seed=0):
    images, keypoints = pictures(count, seed)
    return KeypointData(images, keypoints, SKELETON, name="dots")


def write_folder(folder, count=8):
    """The pictures as a data set of the kind `folder`."""
    images, keypoints = pictures(count)
    folder.mkdir()
    lines = []
    for i in range(count):
        Image.fromarray(images[i]).save(folder / f"{i}.png")
        lines.append(json.dumps({"file": f"{i}.png", "keypoints": keypoints[i].tolist()}))
    (folder / "index.jsonl").write_text("\n".join(lines))
    (folder / "skeleton.json").write_text(json.dumps(SKELETON.to_dict()))
    return folder


def solving_network(shift=0, dtype="float32"):
    """64x64 images to 16x16 logits that are highest where a dot is (`shift` pixels away)."""
    with_policy = {"dtype": dtype}
    inputs = keras.Input((SIZE, SIZE, 3), name="pictures")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1, **with_policy)(inputs)
    x = keras.layers.Conv2D(KEYPOINTS, 8, 4, padding="same", activation="relu", **with_policy)(x)
    x = keras.layers.Conv2D(KEYPOINTS, 1, dtype="float32", name="logits")(x)
    network = keras.Model(inputs, x, name="solving")
    rows, columns = np.mgrid[:8, :8] - 3.5
    blob = np.exp(-((rows - shift) ** 2 + (columns - shift) ** 2) / 8)
    kernel = np.einsum("hw,ck->hwck", blob / blob.sum(), 1.5 * np.eye(3) - 0.5)
    network.set_weights([kernel, np.zeros(3), 12 * np.eye(3)[None, None], np.zeros(3)])
    return network


def solving_model(shift=0, dtype="float32", **options):
    options = {"perturbations": ("contrast",), "skeleton": SKELETON} | options
    return PairedHeatmapModel(solving_network(shift, dtype), **options)


def documented_code():
    """The Python blocks of docs/deploy.md: decoder, TFLite, ONNX, SavedModel."""
    text = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def documented_decoder():
    space = {}
    exec(documented_code()[0], space)
    return space["decode"]


def numpy(value):
    return keras.ops.convert_to_numpy(value)
