"""From images to maps and keypoints, in any precision."""

import keras
import numpy as np
import pytest
from model_helpers import TENSORFLOW, compiled, numpy, small_regressor, tiny_model, tiny_network

from keras_shr.errors import KerasShrError
from keras_shr.heatmaps import decode, heatmap_to_image
from keras_shr.models import PairedHeatmapModel, StableHeatmapRegressor
from keras_shr.models._prediction import filled_up
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


@pytest.mark.parametrize(
    ("count", "batch_size", "shapes"),
    [
        (1, 32, [1]),
        (3, 32, [4]),
        (7, 4, [4, 4]),
        (6, 5, [5, 1]),
        (5, 6, [6]),
        (2, np.int64(2), [2]),
    ],
)
def test_what_is_left_over_is_filled_up_to_a_power_of_two(count, batch_size, shapes, monkeypatch):
    """A single image is computed once, and any number of images takes few shapes."""
    images, _ = pictures(count)
    model, seen = compiled(tiny_model()), []
    expected = numpy(model.decode(model.predict_on_batch(images)))

    def predict_on_batch(batch):
        seen.append(len(batch))
        return PairedHeatmapModel.predict_on_batch(model, batch)

    monkeypatch.setattr(model, "predict_on_batch", predict_on_batch)
    found = model.predict_keypoints(images, batch_size=batch_size)
    assert seen == shapes
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert {len(filled_up(images[:1].repeat(n, 0), 32)) for n in range(1, 33)} == {
        1, 2, 4, 8, 16, 32
    }  # fmt: skip


def test_images_that_are_none_and_batches_of_nothing():
    model, (images, _) = compiled(tiny_model()), pictures(2)
    expected = model.predict_keypoints(images)
    for same in (list(images), images.astype("float32"), keras.ops.convert_to_tensor(images)):
        np.testing.assert_allclose(model.predict_keypoints(same), expected, atol=1e-4)
    for wrong, message in (
        (images[0], r"shape \(64, 64, 3\); expected \(count, 64, 64, 3\)"),
        (images[..., :1], r"shape \(2, 64, 64, 1\)"),
        (images[..., 0], r"shape \(2, 64, 64\)"),
        (images / 255, r"float64 with values up to 0\.9882; expected 0\.\.255"),
    ):
        with pytest.raises(KerasShrError, match=message):
            model.predict_keypoints(wrong)
    for size in (0, -1, 2.5, None):
        with pytest.raises(KerasShrError, match=rf"batch_size is {size}; expected an integer"):
            model.predict_keypoints(images, batch_size=size)


def test_a_network_of_one_channel():
    inputs = keras.Input((SIZE, SIZE, 1))
    maps = keras.layers.Conv2D(KEYPOINTS, 5, 4, padding="same")(inputs)
    model = compiled(PairedHeatmapModel(keras.Model(inputs, maps), rcc=None))
    images, _ = pictures(2)
    assert model.predict_keypoints(images[..., :1]).shape == (2, KEYPOINTS, 3)
    with pytest.raises(KerasShrError, match=r"expected \(count, 64, 64, 1\)"):
        model.predict_keypoints(images)


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
