"""The parts of StableHeatmapRegressor: backbones, upsampling, weights."""

import keras
import numpy as np
import pytest
from model_helpers import QUICK, compiled, numpy, small_regressor

from keras_shr.errors import KerasShrError
from keras_shr.models import StableHeatmapRegressor
from tests.dots import HEATMAP, KEYPOINTS, SIZE, pictures


def pyramid():
    """A backbone of one's own, in 0..255, with features of stride 4 and 8."""
    inputs = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    fine = keras.layers.Conv2D(8, 5, 4, padding="same", activation="relu", name="fine")(x)
    coarse = keras.layers.Conv2D(8, 3, 2, padding="same", activation="relu", name="coarse")(fine)
    return keras.Model(inputs, [coarse, fine], name="pyramid")


def names(model):
    return {layer.name for layer in model.network._flatten_layers()}


def test_a_backbone_of_one_s_own(tmp_path):
    images, keypoints = pictures(4)
    model = compiled(small_regressor(backbone=pyramid(), filters=(8,)))
    assert "preprocessing" not in names(model)
    assert "up_1_skip_conv" in names(model)
    assert np.isfinite(model.train_on_batch(images, keypoints)).all()
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        again.predict(images, verbose=0), model.predict(images, verbose=0)
    )


# The smallest of some of keras-cv's generic classes.
KERAS_CV = {
    "ResNetV2": {
        "stackwise_filters": [8, 16],
        "stackwise_blocks": [2, 2],
        "stackwise_strides": [1, 2],
    },
    "CSPDarkNet": {
        "stackwise_channels": [8, 8, 8, 8],
        "stackwise_depth": [1, 1, 1, 1],
        "use_depthwise": False,
    },
    "DenseNet": {"stackwise_num_repeats": [1, 1, 1], "growth_rate": 4, "compression_ratio": 0.5},
    "ViTDet": {
        "patch_size": 8,
        "embed_dim": 8,
        "depth": 1,
        "mlp_dim": 8,
        "num_heads": 2,
        "global_attention_layer_indices": [0],
    },
}


@pytest.mark.parametrize("kind", KERAS_CV)
def test_a_keras_cv_backbone(kind, tmp_path):
    keras_cv = pytest.importorskip("keras_cv", reason="keras-cv is not installed")
    backbone = getattr(keras_cv.models, f"{kind}Backbone")(
        include_rescaling=True, input_shape=(SIZE, SIZE, 3), **KERAS_CV[kind]
    )
    images, keypoints = pictures(4)
    model = compiled(small_regressor(backbone=backbone, filters=8))
    assert model.heatmap_size == (HEATMAP, HEATMAP)
    if kind == "ResNetV2":
        assert backbone.get_layer("post_bn").weights  # behind the last feature map
        assert not [variable.path for variable in model.variables if "post_bn" in variable.path]
    assert np.isfinite(model.train_on_batch(images, keypoints)).all()
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        again.predict(images, verbose=0), model.predict(images, verbose=0)
    )


def test_preprocessing_is_inside():
    model = small_regressor()
    backbone = model.get_backbone()
    features = keras.Model(backbone.inputs[0], backbone.get_layer("preprocessing").output)
    black_and_white = np.stack([np.zeros((SIZE, SIZE, 3)), np.full((SIZE, SIZE, 3), 255)])
    result = numpy(features(black_and_white.astype("uint8")))
    np.testing.assert_allclose([result[0].max(), result[1].min()], [-1, 1], atol=1e-6)


def test_sizes_widths_and_skips():
    model = StableHeatmapRegressor(
        5, image_size=(64, 96), alpha=0.35, heatmap_stride=8, filters=(24, 12)
    )
    assert model.image_size == (64, 96)
    assert model.heatmap_size == (8, 12)
    assert model.network.get_layer("up_2_conv").filters == 12
    assert {"up_1_skip_conv", "up_2_skip_conv"} <= names(model)
    momenta = {
        layer.momentum
        for layer in model.network._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    }
    assert momenta == {0.98}
    plain = small_regressor(backbone=pyramid(), filters=8, skip_connections=False)
    assert "up_1_conv" in names(plain)
    assert "up_1_skip_conv" not in names(plain)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backbone": "resnet_9000"}, "resnet_9000.*mobilenet_v2"),
        ({"filters": (8, 8)}, "filters has 2 widths.*it takes 1"),
        ({"backbone": ["resnet50"]}, r"\['resnet50'\].*stacked_hourglass"),
        ({"backbone": "mobilenet_v2", "alpha": 0}, "alpha is 0"),
        ({"backbone": "mobilenet_v2", "alpha": "1"}, "alpha is '1'"),
        ({"filters": 0}, "filters is 0"),
        ({"filters": "128"}, "filters is '128'"),
        ({"heatmap_stride": 3}, "heatmap_stride is 3; .* stride 8, doublings lead to 8, 4, 2, 1$"),
        ({"heatmap_stride": 64}, "heatmap_stride is 64"),
        ({"heatmap_stride": 0}, "heatmap_stride is 0"),
        ({"heatmap_stride": "4"}, "heatmap_stride is '4'"),
        ({"batch_norm_momentum": 2}, "batch_norm_momentum is 2"),
        ({"batch_norm_momentum": float("nan")}, "batch_norm_momentum is nan"),
        ({"batch_norm_momentum": "0.9"}, "batch_norm_momentum is '0.9'"),
        ({"frozen_batch_norm": "no"}, "frozen_batch_norm is 'no'"),
        ({"backbone": "small_cnn", "alpha": 1, "image_size": 24}, "24 x 24: .*multiples of 16"),
        ({"backbone": "mobilenet_v2", "image_size": 48}, "48 x 48: .*multiples of 32"),
        ({"perturbations": ("jpeg_compression",)}, "unseen"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(options, message):
    with pytest.raises(KerasShrError, match=message) as error:
        small_regressor(**{"backbone": pyramid()} | options)
    assert "\n" not in str(error.value)


def strided(*strides, shape=(SIZE, SIZE, 3), name="own"):
    """A model with one feature map of each stride, each computed from the image."""
    inputs = keras.Input(shape)
    maps = [keras.layers.Conv2D(2, s, s, name=f"stride_{s}")(inputs) for s in strides]
    return keras.Model(inputs, maps, name=name)


def flat():
    inputs = keras.Input((SIZE, SIZE, 3))
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs), name="flat")


def image_again():
    inputs = keras.Input((SIZE, SIZE, 3))
    return keras.Model(inputs, [keras.layers.Conv2D(2, 8, 8)(inputs), inputs], name="again")


def two_inputs():
    inputs = [keras.Input((SIZE, SIZE, 3)) for _ in "ab"]
    return keras.Model(inputs, keras.layers.Add()(inputs), name="two")


@pytest.mark.parametrize(
    ("backbone", "message"),
    [
        (flat, r"'flat'.*feature map"),
        (image_again, r"'again'.*computed from the images"),
        (two_inputs, rf"'two' has inputs of shape .*one, \(batch, {SIZE}, {SIZE}, 3\)"),
        (lambda: strided(8, shape=(64, 48, 3)), rf"\(None, 64, 48, 3\).*{SIZE} x {SIZE}"),
        (lambda: strided(8, shape=(SIZE, SIZE, 1)), r"inputs of shape .*, 1\); with"),
        (lambda: strided(6, shape=(None, None, 3)), r"has shape \(None, 10, 10, 2\)"),
        (lambda: strided(2, 8, 32 // 3), "choose an image_size"),
    ],
    ids=["flat", "image", "inputs", "size", "grey", "uneven", "strides"],
)
def test_a_backbone_that_is_none_is_refused(backbone, message):
    with pytest.raises(KerasShrError, match=message) as error:
        small_regressor(backbone=backbone())
    assert "\n" not in str(error.value)


def test_strides_of_which_none_divides_the_other_are_refused():
    with pytest.raises(KerasShrError, match="the stride 2 must divide the stride 3"):
        small_regressor(backbone=strided(2, 3, shape=(48, 48, 3)), image_size=48)


@pytest.mark.parametrize("name", ["images", "logits", "up_1_conv"])
@pytest.mark.parametrize("shape", [(SIZE, SIZE, 3), (None, None, 3)], ids=["fixed", "any size"])
def test_feature_maps_in_any_order_and_under_any_name(name, shape):
    model = small_regressor(backbone=strided(8, 2, 4, shape=shape, name=name), heatmap_stride=2)
    assert {"up_1_skip_conv", "up_2_skip_conv"} <= names(model)
    assert model.heatmap_size == (SIZE // 2, SIZE // 2)


@pytest.mark.parametrize(
    "failure",
    [
        OSError("no route to host\nsecond line"),
        pytest.param(OSError(), marks=pytest.mark.slow),
    ],
)
def test_imagenet_weights_offline(failure, monkeypatch):
    def offline(*args, **kwargs):
        raise failure

    module = __import__("keras.src.applications.mobilenet_v2", fromlist=["file_utils"])
    monkeypatch.setattr(module.file_utils, "get_file", offline)
    reason = str(failure).partition("\n")[0] or "OSError"
    expected = f"weights='imagenet'.*{reason}\\. Give weights=None"
    with pytest.raises(KerasShrError, match=expected) as error:
        small_regressor(weights="imagenet")
    assert "\n" not in str(error.value)


def test_a_missing_weights_file(tmp_path):
    with pytest.raises(KerasShrError, match=r"could not be loaded.*weights=None") as error:
        small_regressor(weights=str(tmp_path / "none.h5"))
    assert "\n" not in str(error.value)


def test_weights_of_a_backbone_are_loaded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = str(tmp_path / "backbone.weights.h5")
    written = small_regressor().get_backbone()
    written.save_weights(path)
    read = small_regressor(weights=path).get_backbone()
    for ours, expected in zip(read.weights, written.weights, strict=True):
        np.testing.assert_array_equal(numpy(ours), numpy(expected))
    message = (
        r"'pyramid.weights.h5' of mobilenet_v2 \(alpha 0.35\) could not be loaded: .*[^:]\. Give"
    )
    pyramid().save_weights("pyramid.weights.h5")
    with pytest.raises(KerasShrError, match=message):
        small_regressor(weights="pyramid.weights.h5")


@pytest.mark.slow
def test_a_weights_file_is_loaded(tmp_path):
    path = str(tmp_path / "backbone.weights.h5")
    full = keras.applications.MobileNetV2(
        input_shape=(SIZE, SIZE, 3), alpha=0.35, include_top=False, weights=None
    )
    full.save_weights(path)
    model = small_regressor(weights=path)
    kernel = numpy(full.get_layer("Conv1").kernel)
    loaded = model.network.get_layer("mobilenet_v2").get_layer("Conv1").kernel
    np.testing.assert_array_equal(numpy(loaded), kernel)
    assert model.get_config()["weights"] is None


@pytest.mark.slow
def test_default_compile_and_fit():
    images, keypoints = pictures(8)
    model = StableHeatmapRegressor(
        KEYPOINTS, image_size=SIZE, alpha=0.35, filters=16, perturbations=QUICK
    )
    model.compile()
    history = model.fit(
        images, keypoints, batch_size=4, epochs=2, validation_data=(images, keypoints), verbose=0
    )
    assert np.isfinite(list(history.history.values())).all()
    assert model.predict_keypoints(images).shape == (8, KEYPOINTS, 3)
