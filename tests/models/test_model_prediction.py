"""From images to maps and keypoints, in any precision."""

import keras
import numpy as np
import pytest
from model_helpers import TENSORFLOW, compiled, numpy, small_regressor, tiny_model, tiny_network

from keras_shr.errors import KerasShrError
from keras_shr.heatmaps import decode, heatmap_to_image
from keras_shr.models import PairedHeatmapModel, StableHeatmapRegressor
from tests.dots import HEATMAP, KEYPOINTS, SIZE, pictures


def test_images_in_maps_out(make):
    model = make()
    assert model.image_size == (SIZE, SIZE)
    assert model.heatmap_size == (HEATMAP, HEATMAP)
    for count in (1, 3):  # dynamic batch
        images, _ = pictures(count)
        maps = numpy(model(images))
        assert maps.shape == (count, HEATMAP, HEATMAP, KEYPOINTS)
        assert maps.dtype == np.float32
        assert maps.min() >= 0
        np.testing.assert_allclose(maps.max(axis=(1, 2)), 1, atol=1e-6)
        np.testing.assert_allclose(numpy(model(images.astype("float32"))), maps, atol=1e-5)
    symbolic = model(keras.KerasTensor((None, SIZE, SIZE, 3), "uint8"))
    assert symbolic.shape == (None, HEATMAP, HEATMAP, KEYPOINTS)
    assert model.compute_output_shape((None, SIZE, SIZE, 3)) == symbolic.shape


@pytest.mark.parametrize("method", ["argmax", "dark", "centroid"])
def test_predict_keypoints_is_decode_of_predict(method):
    images, _ = pictures(7)
    model = compiled(tiny_model())
    maps = model.predict(images, batch_size=3, verbose=0)
    expected = numpy(heatmap_to_image(decode(maps, method), (SIZE, SIZE), (HEATMAP, HEATMAP)))
    got = model.predict_keypoints(images, batch_size=3, method=method)
    assert got.shape == (7, KEYPOINTS, 3)
    np.testing.assert_allclose(got, expected, atol=1e-4)
    assert model.predict_keypoints(images[:0]).shape == (0, KEYPOINTS, 3)
    with pytest.raises(KerasShrError, match=r"expected \(count, 64, 64, 3\)"):
        model.predict_keypoints(images[:, ::2])


def test_predicted_keypoints_are_image_pixels():
    """A network that copies the red dot's place answers with the dot's pixels."""
    inputs = keras.Input((SIZE, SIZE, 3))
    maps = keras.layers.AveragePooling2D(4)(keras.layers.Rescaling(0.1)(inputs))
    model = compiled(PairedHeatmapModel(keras.Model(inputs, maps), rcc=None))
    images, keypoints = pictures(6)
    pixel, centroid = (
        np.hypot(*(model.predict_keypoints(images, method=method) - keypoints)[..., :2].T)
        for method in ("argmax", "centroid")
    )
    assert pixel.max() < 3.5  # at worst half a heatmap pixel of 4, across, and the noise
    assert centroid.mean() < pixel.mean() < 2


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(policy):
    images, keypoints = pictures(4)
    keras.config.set_dtype_policy(policy)
    try:
        network = tiny_network()
        model = compiled(tiny_model(network), optimizer="adam")
    finally:
        keras.config.set_dtype_policy("float32")
    scaled = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled == (policy == "mixed_float16")
    assert {layer.compute_dtype for layer in network.layers} >= {policy.removeprefix("mixed_")}
    before = [numpy(v) for v in model.trainable_variables]
    losses = [model.train_on_batch(images, keypoints, return_dict=True)["loss"] for _ in range(3)]
    assert np.isfinite(losses).all()
    assert len({float(loss) for loss in losses}) == 3
    after = [numpy(v) for v in model.trainable_variables]
    assert all((a != b).any() for a, b in zip(before, after, strict=True))
    assert model.predict(images, verbose=0).dtype == np.float32


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_the_regressor_s_dtype(policy):
    images, _ = pictures(2)
    model = small_regressor(dtype=policy)
    assert keras.config.dtype_policy().name == "float32"  # as it was
    convolution = model.network.get_layer("up_1_conv")
    assert convolution.compute_dtype == policy.removeprefix("mixed_")
    assert convolution.variable_dtype == "float32"
    assert model.network.get_layer("logits").compute_dtype == "float32"
    model.compile(run_eagerly=TENSORFLOW)
    scaled = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled == (policy == "mixed_float16")
    maps = model.predict(images, verbose=0)
    assert maps.dtype == np.float32
    assert np.isfinite(maps).all()
    again = StableHeatmapRegressor.from_config(model.get_config())
    assert again.network.get_layer("up_1_conv").compute_dtype == convolution.compute_dtype
