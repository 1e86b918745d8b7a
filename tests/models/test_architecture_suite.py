"""What every architecture has to do, each in its smallest form.

The quick tests have a check of each; of HRNet, which is a thousand layers at any width, with one
block in a module and one module in a stage. Single steps are taken eagerly, as tracing the deeper
graphs takes longer; `fit` is compiled. Under JAX that takes seven minutes of CPU for the whole of
HRNet, which is left to `test_backbones.py`.
"""

import contextlib
import importlib
from unittest import mock

import keras
import numpy as np
import pytest
from model_helpers import QUICK, STILL, TENSORFLOW, compiled, numpy

from keras_shr.models import PairedHeatmapModel, StableHeatmapRegressor
from keras_shr.models.networks import stacked_hourglass
from tests.dots import KEYPOINTS, SIZE, pictures

NAMES = (
    "efficientnet_lite0",
    "hrnet_w18",
    "mobilenet_v2",
    "resnet50",
    "shufflenet_v2_x0_5",
    "stacked_hourglass",
    "vgg19_bn",
)
LIGHT = "shufflenet_v2_x0_5"
MULTIPLE = {"stacked_hourglass": 64}  # of which height and width have to be, where it is not 32
SHARP = {"alpha": 0.5, "threshold": 2}  # a uniform map costs 5.55, the best possible one 3.1
TRAINING = {"perturbations": QUICK, "augmentation": STILL, "target_options": SHARP}

SHALLOW = "hrnet_w18_shallow"


def slow_but(quick, names=NAMES):
    """Names as parameters, of which all but those in `quick` are slow."""
    return [
        pytest.param(name, id=name, marks=() if name in quick else pytest.mark.slow)
        for name in names
    ]


def build(name, size=(SIZE, SIZE), **training):
    """The smallest model of an architecture."""
    training = TRAINING | training
    if name == SHALLOW:
        module = importlib.import_module("keras_shr.models.backbones.hrnet")
        once = dict.fromkeys(module._MODULES, 1)
        with mock.patch.multiple(module, _MODULES=once, _BLOCKS=1):
            return build("hrnet_w18", size, **training)
    if name == "stacked_hourglass":
        return PairedHeatmapModel(stacked_hourglass(KEYPOINTS, size, features=16), **training)
    options = {"alpha": 0.35} if name == "mobilenet_v2" else {}
    return StableHeatmapRegressor(
        KEYPOINTS, image_size=size, backbone=name, filters=8, **options, **training
    )


def settled(model):
    """`model` with the statistics of a batch, so that inference is as if it had been trained.

    At the start HRNet's weights are so small that, not normalised, its maps are the same anywhere.
    """
    for layer in model.network._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model.network(pictures(4)[0].astype("float32"), training=True)
    return model


@contextlib.contextmanager
def dtype_policy(policy):
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="module")
def model(request):
    """One for the tests that do not change it; pytest runs them architecture by architecture."""
    return settled(build(request.param))


@pytest.mark.parametrize(
    "model", slow_but({*NAMES, SHALLOW} - {"hrnet_w18"}, (*NAMES, SHALLOW)), indirect=True
)
def test_images_in_maps_out(model):
    """And both variants of RCC on the same logits."""
    images = pictures(2)[0].astype("float32")
    logits = keras.tree.flatten(model.network(images))[-1]
    assert logits.dtype == "float32"
    assert numpy(logits).std(axis=(1, 2)).min() > 1e-3  # not the same anywhere
    for variant in ("row_column", "symmetric"):
        maps = numpy(PairedHeatmapModel(model.network, rcc=variant).output_maps(logits))
        assert maps.shape == (2, SIZE // 4, SIZE // 4, KEYPOINTS)
        assert maps.min() >= 0
        np.testing.assert_allclose(maps.max(axis=(1, 2)), 1, atol=1e-6)
        if variant == model.rcc:
            np.testing.assert_allclose(numpy(model.output_maps(logits)), maps, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("model", NAMES, indirect=True)
def test_saved_and_loaded_it_answers_the_same(model, tmp_path):
    images = pictures(2)[0]
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert type(again) is type(model)
    np.testing.assert_array_equal(
        again.predict(images, verbose=0), model.predict(images, verbose=0)
    )


@pytest.mark.skipif(not TENSORFLOW, reason="TensorFlow Lite is made by TensorFlow")
@pytest.mark.parametrize("model", slow_but({LIGHT}), indirect=True)
def test_converted_it_answers_the_same(model):
    from tflite_helpers import convert, run

    image = pictures(1)[0].astype("float32")
    buffer = convert(model, image.shape[1:])
    expected, answer = numpy(model(image)), run(buffer, image)
    assert expected.std() > 1e-3
    np.testing.assert_allclose(answer, expected, atol=1e-3)
    flat = (1, -1, KEYPOINTS)
    np.testing.assert_array_equal(
        answer.reshape(flat).argmax(axis=1), expected.reshape(flat).argmax(axis=1)
    )


@pytest.mark.parametrize("times", [(1, 2), (5, 3)], ids=str)
@pytest.mark.parametrize("name", slow_but({LIGHT}))
def test_another_resolution(name, times):
    multiple = MULTIPLE.get(name, 32)
    size = (times[0] * multiple, times[1] * multiple)
    model = build(name, size)
    assert model.heatmap_size == (size[0] // 4, size[1] // 4)
    images = np.resize(pictures(1)[0], (1, *size, 3))
    maps = numpy(model(images))
    assert maps.shape == (1, *model.heatmap_size, KEYPOINTS)
    assert np.isfinite(maps).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES if TENSORFLOW else (SHALLOW, *NAMES[1:]))
def test_fit_lowers_the_loss(name):
    images, keypoints = pictures(8)
    model = compiled(build(name), False, keras.optimizers.Adam(5e-3), metrics=[])
    history = model.fit(images, keypoints, batch_size=8, epochs=40, verbose=0).history["loss"]
    assert np.isfinite(history).all()
    assert np.mean(history[-5:]) < 0.9 * history[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_step_with_the_paper_s_rcc(name):
    images, keypoints = pictures(2)
    model = compiled(build(name, rcc="row_column"), metrics=[])
    assert np.isfinite(model.train_on_batch(images, keypoints)).all()


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("name", NAMES)
def test_a_step_in_mixed_precision(name, policy):
    images, keypoints = pictures(2)
    with dtype_policy(policy):
        model = compiled(build(name), metrics=[])
    half = {layer.compute_dtype for layer in model.network._flatten_layers()}
    assert policy.removeprefix("mixed_") in half
    logs = model.train_on_batch(images, keypoints, return_dict=True)
    assert np.isfinite(list(logs.values())).all()
    for variable in model.variables:
        assert np.isfinite(numpy(variable)).all(), variable.path
    maps = model.predict(images, verbose=0)
    assert maps.dtype == np.float32
    assert np.isfinite(maps).all()
