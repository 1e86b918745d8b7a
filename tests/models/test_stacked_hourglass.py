"""The stacked hourglass is the authors', and fits in where a backbone's name goes."""

import hourglass_oracle
import keras
import numpy as np
import pytest
from backbone_parity import checksum, random_images, random_weights, relative_difference
from model_helpers import QUICK, TENSORFLOW, numpy

from keras_shr.errors import KerasShrError
from keras_shr.models import PairedHeatmapModel, StableHeatmapRegressor
from keras_shr.models.backbones._torch_like import NearestUpSampling2D
from keras_shr.models.networks import stacked_hourglass
from keras_shr.models.weights import from_torch, state_dict_shapes
from tests.dots import SIZE, pictures


@pytest.fixture(scope="module")
def whole():
    return StableHeatmapRegressor(
        16, image_size=SIZE, backbone="stacked_hourglass", perturbations=QUICK
    )


def filled(network):
    """Its weights, of which the layers' own are kept small enough for sums of many residuals."""
    weights = random_weights(state_dict_shapes(network))
    weights = {key: value / 2 if value.ndim == 4 else value for key, value in weights.items()}
    from_torch(network, weights)
    return weights


def test_it_computes_what_the_paper_tells():
    """In training rounding grows with depth, as the batch's own statistics are divided by."""
    size, stacks = (64, 128), 2
    network = stacked_hourglass(5, size, stacks=stacks, features=8)
    weights = filled(network)
    images = random_images(size)
    for training, tolerance in ((False, 1e-5), (True, 5e-4)):
        expected = hourglass_oracle.Hourglass(weights, stacks, training)(images)
        outputs = network(images.astype("float32"), training=training)
        assert len(outputs) == stacks
        for output, wanted in zip(outputs, expected, strict=True):
            assert output.shape == (len(images), 16, 32, 5)
            assert relative_difference(numpy(output), wanted) < tolerance
    count = hourglass_oracle.trainable_parameters(5, stacks, 8)
    assert sum(int(np.prod(v.shape)) for v in network.trainable_variables) == count


def test_two_stacks_of_256_features(whole):
    network = whole.get_backbone()
    assert network is whole.network
    count = sum(int(np.prod(v.shape)) for v in network.trainable_variables)
    assert count == hourglass_oracle.trainable_parameters(16, 2) == 6_570_400
    assert [stack.shape for stack in network.outputs] == [(None, 16, 16, 16)] * 2
    assert {layer.momentum for layer in network.layers if hasattr(layer, "momentum")} == {0.98}
    # What the authors' PyTorch port gave in float64, with these weights and for these images.
    from_torch(network, random_weights(state_dict_shapes(network)))
    outputs = [numpy(output) for output in network(random_images((SIZE, SIZE)).astype("float32"))]
    assert [checksum(output) for output in outputs] == pytest.approx([-6.44384, 4393.767], rel=1e-4)


def test_all_stacks_are_trained_and_the_last_one_answers():
    model = PairedHeatmapModel(stacked_hourglass(3, (64, 64), features=4))
    images = pictures(2)[0].astype("float32")
    assert len(model(images, training=True)) == 2
    last = model.output_maps(model.network(images)[-1])
    np.testing.assert_allclose(numpy(model(images)), numpy(last), atol=1e-6)


def test_the_port_s_idle_skips_are_left_out():
    network = stacked_hourglass(3, (64, 64), stacks=1, features=8)
    weights = random_weights(state_dict_shapes(network))
    assert {key for key in weights if "skip_layer" in key} == {
        f"pre.{n}.skip_layer.conv.{part}" for n in (1, 4) for part in ("weight", "bias")
    }
    idle = {"hgs.0.0.up1.skip_layer.conv.weight": np.zeros((8, 8, 1, 1))}
    from_torch(network, weights | idle)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": (128, 96)}, "no images of 128 x 96: .*multiples of 64$"),
        ({"filters": 64}, "stacked_hourglass makes its heatmaps itself.*leave filters=64 out"),
        ({"filters": (8, 8)}, r"no filters: leave filters=\(8, 8\) out"),
        ({"skip_connections": False}, "no skip_connections: leave skip_connections=False out"),
        ({"heatmap_stride": 2}, "heatmaps of stride 4, not heatmap_stride=2"),
        ({"alpha": 0.5}, "alpha=0.5.*mobilenet_v2; stacked_hourglass has one width"),
        ({"weights": "imagenet"}, "no ImageNet weights of stacked_hourglass.*weights=None"),
        ({"backbone": "hourglass"}, "'hourglass' is not known.*stacked_hourglass"),
    ],
)
def test_what_it_does_not_have_is_refused_in_one_line(options, message):
    defaults = {"image_size": SIZE, "backbone": "stacked_hourglass"}
    with pytest.raises(KerasShrError, match=message) as error:
        StableHeatmapRegressor(3, **defaults | options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("options", [{"stacks": 0}, {"features": 6}, {"features": 0}])
def test_widths_and_stacks_that_it_cannot_have(options):
    with pytest.raises(KerasShrError, match="{}={}: give".format(*next(iter(options.items())))):
        stacked_hourglass(3, (64, 64), **options)


# Upsampling


@pytest.mark.parametrize(("factor", "shape"), [(2, (3, 4, 5, 6)), (4, (2, 1, 3, 1)), (8, (1,) * 4)])
def test_nearest_upsampling_repeats_pixels(factor, shape):
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    layer = NearestUpSampling2D(factor)
    expected = x.repeat(factor, axis=1).repeat(factor, axis=2)
    np.testing.assert_array_equal(numpy(layer(x)), expected)
    np.testing.assert_array_equal(
        numpy(keras.layers.UpSampling2D(factor, interpolation="nearest")(x)), expected
    )
    assert layer(keras.KerasTensor((None, *shape[1:]))).shape == (None, *expected.shape[1:])
    again = NearestUpSampling2D.from_config(layer.get_config())
    assert again.factor == factor


@pytest.mark.skipif(not TENSORFLOW, reason="TensorFlow Lite is made by TensorFlow")
def test_nearest_upsampling_four_in_a_row_converts():
    from tflite_helpers import convert, run

    inputs = keras.Input((2, 3, 4))
    x = inputs
    for n in range(4):
        x = NearestUpSampling2D(2, name=f"up_{n}")(x)
        x = keras.layers.Conv2D(4, 1)(x)
    model = keras.Model(inputs, x)
    image = np.random.default_rng(0).normal(size=(1, 2, 3, 4)).astype("float32")
    np.testing.assert_allclose(
        run(convert(model, image.shape[1:]), image), numpy(model(image)), atol=1e-5
    )
