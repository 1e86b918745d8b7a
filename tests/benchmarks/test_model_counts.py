"""What the model table says about parameters and multiply-adds."""

import keras
import pytest
from keras import layers, ops

from benchmarks.model_counts import multiply_adds, parameters
from keras_shr.errors import KerasShrError
from keras_shr.models import PairedHeatmapModel
from keras_shr.models.backbones import build_backbone

TENSORFLOW = keras.backend.backend() == "tensorflow"


def network(*stack, shape=(12, 20, 6)):
    inputs = keras.Input(shape)
    x = inputs
    for layer in stack:
        x = layer(x)
    return keras.Model(inputs, x)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (layers.Conv2D(8, 3, padding="same"), 12 * 20 * 9 * 6 * 8),
        (layers.Conv2D(8, 3, use_bias=False), 10 * 18 * 9 * 6 * 8),
        (layers.Conv2D(8, (5, 3), 2, padding="same"), 6 * 10 * 15 * 6 * 8),
        (layers.Conv2D(8, 3, padding="same", groups=2), 12 * 20 * 9 * 3 * 8),
        (layers.DepthwiseConv2D(3, 2, padding="same", depth_multiplier=2), 6 * 10 * 9 * 12),
        (layers.SeparableConv2D(8, 3, padding="same"), 12 * 20 * (9 * 6 + 6 * 8)),
        (layers.Conv2DTranspose(8, 4, 2, padding="same"), 12 * 20 * 16 * 6 * 8),
        (layers.Dense(8), 12 * 20 * 6 * 8),
        (layers.BatchNormalization(), 0),
        (layers.UpSampling2D(2), 0),
    ],
    ids=lambda value: value.__class__.__name__ if isinstance(value, layers.Layer) else None,
)
def test_one_layer_by_hand(layer, expected):
    assert multiply_adds(network(layer)) == expected


def test_calls_are_counted_in_nested_and_shared_layers_but_not_outside_the_graph():
    shared = layers.Conv2D(6, 1)
    inner = network(shared, shared, layers.BatchNormalization())
    images = keras.Input((12, 20, 6))
    features = inner(images)
    layers.Conv2D(99, 3)(features)  # leads to no output
    model = keras.Model(images, shared(features) + features)
    assert multiply_adds(model) == 3 * 12 * 20 * 6 * 6
    assert parameters(model) == 6 * 6 + 6 + 2 * 6  # shared once; two of the norm's four vectors


def test_what_cannot_be_counted_is_refused():
    with pytest.raises(KerasShrError, match="EinsumDense 'e': no rule"):
        multiply_adds(network(layers.EinsumDense("bhwc,cd->bhwd", (12, 20, 4), name="e")))
    inputs = keras.Input((12, 20, 6))
    with pytest.raises(KerasShrError, match="Matmul"):
        multiply_adds(keras.Model(inputs, ops.matmul(inputs, ops.transpose(inputs, (0, 1, 3, 2)))))
    with pytest.raises(KerasShrError, match="give the image size"):
        multiply_adds(network(layers.Conv2D(4, 1), shape=(None, None, 3)))


@pytest.mark.parametrize(
    ("rcc", "products"), [(None, 0), ("row_column", 3 * 16**3), ("symmetric", 2 * 3 * 16**3)]
)
def test_row_column_correlation_is_included(rcc, products):
    net = network(layers.Conv2D(3, 4, 4), shape=(64, 64, 3))
    model = PairedHeatmapModel(net, rcc=rcc)
    assert multiply_adds(model) == 16 * 16 * 16 * 3 * 3 + products
    assert parameters(model) == 16 * 3 * 3 + 3


# Published multiply-adds at 224 px and how far a published, rounded figure may be off. Added is
# what only classification needs: dense layers, and MobileNetV2's last convolution.
PUBLISHED = {
    # He et al. 2016, table 1. torchvision's 4.09 is another ResNet50, with strides in the 3x3.
    "resnet50": (3.8e9, 0.03, 2048 * 1000),
    # torchvision's documentation of vgg19_bn.
    "vgg19_bn": (19.63e9, 0.001, 25088 * 4096 + 4096 * 4096 + 4096 * 1000),
    # Sandler et al. 2018, table 4.
    "mobilenet_v2": (300e6, 0.01, 7 * 7 * 320 * 1280 + 1280 * 1000),
    # Ma et al. 2018, table 8.
    "shufflenet_v2_x1_0": (146e6, 0.01, 1024 * 1000),
}


@pytest.mark.parametrize(
    "name",
    [
        "vgg19_bn",
        "shufflenet_v2_x1_0",
        pytest.param("mobilenet_v2", marks=pytest.mark.slow),
        pytest.param("resnet50", marks=pytest.mark.slow),
    ],
)
def test_backbones_agree_with_published_figures(name):
    published, tolerance, classifier = PUBLISHED[name]
    counted = multiply_adds(build_backbone(name, (224, 224))) + classifier
    assert counted == pytest.approx(published, rel=tolerance)


@pytest.mark.skipif(not TENSORFLOW, reason="TensorFlow's profiler")
def test_agrees_with_tensorflows_profiler():
    model = network(
        layers.Conv2D(8, 3, 2),
        layers.DepthwiseConv2D(3, padding="same"),
        layers.BatchNormalization(),
        layers.Conv2DTranspose(12, 4, 2, padding="same"),
        layers.Conv2D(12, 3, padding="same", activation="relu"),
        network(layers.Conv2D(3, 1), shape=(14, 14, 12)),
        shape=(16, 16, 3),
    )
    assert 2 * multiply_adds(model) == profiled(model, (16, 16, 3))
    paired = PairedHeatmapModel(model)  # its correlation's products are batched
    assert 2 * multiply_adds(paired) == profiled(paired, (16, 16, 3))


def profiled(model, shape):
    """FLOPs of convolutions and matrix products in TensorFlow's graph of the model."""
    import tensorflow as tf

    from keras_shr._compile import compiled

    function = compiled(
        lambda images: model(images, training=False),
        input_signature=[tf.TensorSpec((1, *shape), "float32")],
    )
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    kinds = ("Conv2D", "DepthwiseConv2dNative", "Conv2DBackpropInput", ".*MatMul.*")
    found = tf.compat.v1.profiler.profile(
        function.get_concrete_function().graph,
        cmd="op",
        options=options | {"account_type_regexes": list(kinds)},
    )
    return found.total_float_ops
