"""Backbones of keras-hub, where it is installed: `pip install keras-hub`."""

import importlib.util
import warnings

import keras
import numpy as np
import pytest
from model_helpers import compiled, small_regressor

from tests.dots import SIZE, pictures

pytestmark = [
    pytest.mark.keras_hub,
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("keras_hub") is None, reason="keras-hub is not installed"
    ),
]


def hub_resnet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what it imports
        import keras_hub
    return keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 64],
        stackwise_num_blocks=[1, 1],
        stackwise_num_strides=[1, 2],
        block_type="basic_block",
        image_shape=(SIZE, SIZE, 3),
    )


def check(backbone, tmp_path):
    images, keypoints = pictures(4)
    model = compiled(small_regressor(backbone=backbone, filters=8))
    assert {feature.shape[1] for feature in model.get_backbone().outputs} == {16, 8}
    assert "up_1_skip_conv" in {layer.name for layer in model.network.layers}
    assert np.isfinite(model.train_on_batch(images, keypoints)).all()
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        again.predict(images, verbose=0), model.predict(images, verbose=0)
    )


def test_its_pyramid_is_taken(tmp_path):
    check(hub_resnet(), tmp_path)


def test_with_the_preprocessing_that_it_leaves_to_others(tmp_path):
    """A ResNet of keras-hub takes images as they come; this one is given them in 0..1."""
    resnet = hub_resnet()
    levels = keras.Model(resnet.inputs[0], list(resnet.pyramid_outputs.values()))
    images = keras.Input((SIZE, SIZE, 3))
    features = levels(keras.layers.Rescaling(1 / 255)(images))
    check(keras.Model(images, features, name="scaled_resnet"), tmp_path)
