"""What every backbone called by its name has to do."""

import keras
import numpy as np
import pytest
from backbone_parity import (
    ARCHITECTURES,
    checksum,
    keras_stages,
    random_images,
    random_weights,
    recorded,
)
from model_helpers import QUICK, TENSORFLOW, compiled, numpy

from keras_shr.errors import KerasShrError
from keras_shr.models import StableHeatmapRegressor
from keras_shr.models.backbones import BACKBONES, build_backbone, hrnet
from keras_shr.models.backbones._common import load_own_weights
from keras_shr.models.weights import from_torch, state_dict_shapes
from tests.dots import SIZE, pictures

# The others' graphs take the CPU seconds to build and to train.
LIGHT = ("shufflenet_v2_x0_5", "small_cnn")
NAMES = [pytest.param(name, marks=() if name in LIGHT else pytest.mark.slow) for name in BACKBONES]
TORCH_NAMES = [
    pytest.param(name, marks=() if name in (*LIGHT, "hrnet_w18", "vgg19_bn") else pytest.mark.slow)
    for name in ARCHITECTURES
]


def regressor(name, **options):
    return StableHeatmapRegressor(
        3, image_size=SIZE, backbone=name, filters=8, perturbations=QUICK, **options
    )


@pytest.mark.parametrize("name", NAMES)
def test_features_training_and_saving(name, tmp_path):
    model = compiled(regressor(name), eagerly=TENSORFLOW)
    backbone = model.get_backbone()
    strides = {"hrnet": [4], "small": [2, 4, 8, 16]}.get(name.split("_")[0], [2, 4, 8, 16, 32])
    assert [SIZE // feature.shape[1] for feature in backbone.outputs] == strides
    assert {layer.name for layer in backbone.layers} >= {"images", "preprocessing"}
    images, keypoints = pictures(2)
    before = [numpy(weight).copy() for weight in backbone.trainable_weights]
    assert np.isfinite(model.train_on_batch(images, keypoints)).all()
    after = [numpy(weight) for weight in backbone.trainable_weights]
    moved = [np.any(a != b) for a, b in zip(before, after, strict=True)]
    assert np.mean(moved) > 0.9
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        again.predict(images, verbose=0), model.predict(images, verbose=0)
    )
    assert again.get_config()["backbone"] == name


@pytest.mark.parametrize("name", TORCH_NAMES)
def test_stages_are_those_that_torch_gave(name):
    """With the weights and images for which torch's outputs are on record."""
    size = (64, 64)
    architecture = ARCHITECTURES[name]
    backbone = architecture.backbone(size)
    from_torch(backbone, random_weights(state_dict_shapes(backbone)))
    stages = keras_stages(backbone, architecture, random_images(size))
    expected = {
        row["stage"]: float(row["torch_checksum"])
        for row in recorded()
        if (row["architecture"], row["mode"], row["image_size"]) == (name, "inference", "64x64")
    }
    found = {name: checksum(stage) for name, stage in zip(architecture.stages, stages, strict=True)}
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("size", [(97, 64), (64, 60), (16, 16)])
def test_hrnet_says_which_sizes_it_takes(size):
    message = rf"no images of {size[0]} x {size[1]}: .*multiples of 32, or up to 3 pixels less$"
    with pytest.raises(KerasShrError, match=message):
        build_backbone("hrnet_w18", size)


def test_hrnet_has_three_widths():
    with pytest.raises(KerasShrError, match=r"no width 20; give one of \(18, 32, 48\)"):
        hrnet(20, (64, 64))


def test_resnet50_takes_caffe_s_colours():
    backbone = build_backbone("resnet50", (32, 32))
    first = backbone.get_layer("conv1_pad").input
    colours = np.broadcast_to(np.float32([255, 128, 0]), (1, 32, 32, 3))
    result = numpy(keras.Model(backbone.inputs[0], first)(colours))[0, 0, 0]
    np.testing.assert_allclose(result, [0 - 103.939, 128 - 116.779, 255 - 123.68], rtol=1e-5)


def test_imagenet_weights_that_keras_does_not_have():
    name = "shufflenet_v2_x0_5"
    message = rf"no ImageNet weights of {name}\..*from_torch\(.*backbone.*, .*models.{name}"
    with pytest.raises(KerasShrError, match=message) as error:
        build_backbone(name, (32, 32), weights="imagenet")
    assert "\n" not in str(error.value)


def test_imagenet_weights_that_nobody_has():
    with pytest.raises(KerasShrError, match=r"ImageNet weights of small_cnn. Give weights=None$"):
        build_backbone("small_cnn", (32, 32), weights="imagenet")


def test_a_weights_file(tmp_path):
    def small():
        inputs = keras.Input((4, 4, 3))
        outputs = keras.layers.Conv2D(2, 1, name="features.0")(inputs)
        return keras.Model(inputs, outputs, name="small")

    path = str(tmp_path / "backbone.weights.h5")
    written, read = small(), small()
    written.save_weights(path)
    load_own_weights(read, path, "torch_network")
    for ours, expected in zip(read.weights, written.weights, strict=True):
        np.testing.assert_array_equal(numpy(ours), numpy(expected))
    missing = str(tmp_path / "none.weights.h5")
    with pytest.raises(KerasShrError, match=r"none.weights.h5' of small could not.*save_weights"):
        load_own_weights(read, missing, "torch_network")


@pytest.mark.slow
@pytest.mark.parametrize("name", BACKBONES)
def test_mixed_precision(name):
    model = regressor(name, dtype="mixed_float16")
    assert {str(feature.dtype) for feature in model.get_backbone().outputs} == {"float16"}
    heatmaps = model.predict(pictures(2)[0], verbose=0)
    assert heatmaps.dtype == "float32"
    assert np.isfinite(heatmaps).all()


def test_alpha_belongs_to_mobilenet_v2():
    with pytest.raises(KerasShrError, match=r"alpha=0.5.*mobilenet_v2; resnet50"):
        regressor("resnet50", alpha=0.5)
