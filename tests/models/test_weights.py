"""PyTorch's weights find their layers, or an error says why not."""

import keras
import numpy as np
import pytest
from keras import layers
from model_helpers import numpy

from keras_shr.errors import KerasShrError
from keras_shr.models.weights import from_torch, state_dict_shapes

SHAPES = {
    "stem.0.weight": (6, 2, 3, 5),
    "stem.0.bias": (6,),
    "stem.1.weight": (6,),
    "stem.1.bias": (6,),
    "stem.1.running_mean": (6,),
    "stem.1.running_var": (6,),
    "grouped.weight": (4, 3, 3, 3),
    "deep.weight": (8, 1, 3, 3),
}


def network():
    """A convolution in two groups, one of each channel alone, and a normalisation between."""
    inputs = keras.Input((9, 9, 2))
    x = layers.Conv2D(6, (3, 5), name="stem.0")(inputs)
    x = layers.BatchNormalization(epsilon=1e-5, name="stem.1")(x)
    x = layers.Conv2D(4, 3, groups=2, use_bias=False, name="grouped")(x)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False, name="deep")(x)
    return keras.Model(inputs, x, name="small")


def state_dict():
    rng = np.random.default_rng(0)
    return {key: rng.uniform(0.5, 1, shape) for key, shape in SHAPES.items()}


def correlated(images, kernels, groups=1):
    """torch.nn.functional.conv2d without padding: `(channels, height, width)` each."""
    outputs, inputs, height, width = kernels.shape
    rows, columns = images.shape[1] - height + 1, images.shape[2] - width + 1
    result = np.zeros((outputs, rows, columns))
    for output in range(outputs):
        first = output // (outputs // groups) * inputs
        for row in range(rows):
            for column in range(columns):
                window = images[first : first + inputs, row : row + height, column : column + width]
                result[output, row, column] = (window * kernels[output]).sum()
    return result


def test_every_kind_of_layer_computes_what_torch_computes():
    model, weights = network(), state_dict()
    assert state_dict_shapes(model) == SHAPES
    assert from_torch(model, weights) is model
    image = np.random.default_rng(1).normal(size=(2, 9, 9))
    column = {key: value[:, None, None] for key, value in weights.items() if value.ndim == 1}
    x = correlated(image, weights["stem.0.weight"]) + column["stem.0.bias"]
    x = (x - column["stem.1.running_mean"]) / np.sqrt(column["stem.1.running_var"] + 1e-5)
    x = x * column["stem.1.weight"] + column["stem.1.bias"]
    x = correlated(x, weights["grouped.weight"], groups=2)
    x = correlated(x, weights["deep.weight"], groups=4)
    result = model(np.moveaxis(image, 0, -1)[None].astype("float32"))
    np.testing.assert_allclose(np.moveaxis(numpy(result)[0], -1, 0), x, rtol=1e-4)


def test_tensors_and_models_inside_models():
    class Tensor:
        """What a tensor of PyTorch on some device is to NumPy."""

        def __init__(self, value):
            self.value = value

        def detach(self):
            return self

        cpu = float = detach

        def numpy(self):
            return self.value

    outer = keras.Sequential([keras.Input((9, 9, 2)), network()])
    from_torch(outer, {key: Tensor(value) for key, value in state_dict().items()})
    plain = from_torch(network(), state_dict())
    for ours, expected in zip(outer.weights, plain.weights, strict=True):
        np.testing.assert_array_equal(numpy(ours), numpy(expected))


def test_heads_and_counters_are_left_out():
    extra = {"stem.1.num_batches_tracked": np.array(3), "classifier.6.bias": np.zeros(5)}
    from_torch(network(), state_dict() | extra)
    neck = {"stem.1.num_batches_tracked": np.array(3), "neck.bias": np.zeros(5)}
    from_torch(network(), state_dict() | neck, ignore=("neck.*",))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"stem.0.weight": np.zeros((6, 2, 5, 3))},
            r"'stem.0.weight'.*\(6, 2, 5, 3\).*'stem.0' of model 'small' takes \(6, 2, 3, 5\)",
        ),
        ({"deep.weight": np.zeros((4, 1, 3, 3))}, r"'deep.weight'.*\(4, 1.*takes \(8, 1"),
        ({"stem.1.running_var": None}, r"no 'stem.1.running_var', of shape \(6,\).*'stem.1'"),
        ({"neck.bias": np.zeros(5)}, r"'neck.bias' of the state dict, of shape \(5,\).*ignore"),
        ({"a.b": np.zeros(5), "a.c": np.zeros(5)}, r"'a.b' \(and 1 others\)"),
        ({"stem.0.bias": {"weight": 1}}, "'stem.0.bias'.*is a dict.*checkpoint"),
        ({"state_dict": {}, "stem.0.bias": np.zeros(6)}, "'state_dict'.*is a dict.*checkpoint"),
    ],
)
def test_what_does_not_fit_is_named_in_one_line_and_nothing_is_loaded(change, message):
    model = network()
    before = [numpy(weight).copy() for weight in model.weights]
    changed = {key: value for key, value in (state_dict() | change).items() if value is not None}
    with pytest.raises(KerasShrError, match=message) as error:
        from_torch(model, changed)
    assert "\n" not in str(error.value)
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(numpy(weight), value)


def test_keys_under_another_name_are_hinted_at():
    prefixed = {f"module.{key}": value for key, value in state_dict().items()}
    with pytest.raises(KerasShrError, match=r"nor 7 others.*'module.stem.0.weight'"):
        from_torch(network(), prefixed)


def test_a_layer_that_torch_weights_are_not_known_for():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(2, name="fc")(inputs), name="dense")
    with pytest.raises(KerasShrError, match=r"'fc' of model 'dense' is a Dense.*Conv2D"):
        from_torch(model, {})
