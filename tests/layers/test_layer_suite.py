"""What every layer has to do: serialise, take any batch, keep its precision, compile."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from keras_shr.layers import RandomKeypointAffine, RandomPerturbation, RowColumnCorrelation

TENSORFLOW = keras.backend.backend() == "tensorflow"
SEED = np.array([7, 11], "uint32")
HEIGHT, WIDTH, KEYPOINTS = 32, 40, 3


def pictures(count):
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    waves = [127 + 100 * np.sin((rows + i) / 5.0) * np.cos(columns / (3.0 + i)) for i in range(3)]
    return np.stack([np.stack(waves, -1)] * count).astype("float32")


def heatmaps(count):
    rng = np.random.default_rng(count)
    return rng.uniform(0.05, 1, (count, 12, 16, KEYPOINTS)).astype("float32")


def points(count):
    rng = np.random.default_rng(count)
    xy = rng.uniform(8, 24, (count, KEYPOINTS, 2))
    return np.concatenate([xy, np.full((count, KEYPOINTS, 1), 2)], -1).astype("float32")


@dataclass
class Case:
    """A layer, its inputs for a batch size, and the keywords that make a call repeatable."""

    kind: type
    options: dict[str, Any]
    inputs: Any
    seeded: bool = False
    keywords: tuple = ()

    def make(self, **kwargs):
        return self.kind(**self.options, **kwargs)

    def call(self, layer, inputs, seed=SEED):
        seeded = {"seed": seed} if self.seeded else {}
        return layer(*inputs, **dict(self.keywords), **seeded)


CASES = {
    "row_column": Case(RowColumnCorrelation, {}, lambda n: [heatmaps(n)]),
    "symmetric": Case(RowColumnCorrelation, {"variant": "symmetric"}, lambda n: [heatmaps(n)]),
    "affine": Case(
        RandomKeypointAffine,
        {"rotation": 40.0, "scale": (0.7, 1.3), "flip_order": (1, 0, 2), "seed": 3},
        lambda n: [pictures(n), points(n)],
        seeded=True,
    ),
    "perturbation": Case(
        RandomPerturbation,
        {"perturbations": ("contrast", "gaussian_noise"), "severities": (2, 4), "seed": 3},
        lambda n: [pictures(n)],
        seeded=True,
        keywords=(("training", True),),
    ),
}


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


def arrays(result):
    return [ops.convert_to_numpy(tensor) for tensor in keras.tree.flatten(result)]


def assert_same(result, expected, atol=0.0):
    for a, b in zip(arrays(result), arrays(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5 if atol else 0, atol=atol)


def test_config_round_trip(case):
    layer = case.make(name="mine")
    config = keras.saving.serialize_keras_object(layer)
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is case.kind
    assert again.get_config() == layer.get_config()
    assert again.name == "mine"
    inputs = case.inputs(3)
    assert_same(case.call(again, inputs), case.call(layer, inputs))


def test_positional_defaults_serialise(case):
    layer = case.kind()
    assert case.kind.from_config(layer.get_config()).get_config() == layer.get_config()


def symbolic_model(case):
    example = case.inputs(2)
    inputs = [keras.Input(a.shape[1:]) for a in example]
    return keras.Model(inputs, case.make()(*inputs, **dict(case.keywords))), example


def test_symbolic_shape_is_that_of_the_call(case):
    model, example = symbolic_model(case)
    eager = case.call(case.make(), example)
    flat = keras.tree.flatten(eager)
    assert len(model.outputs) == len(flat)
    for output, value in zip(model.outputs, flat, strict=True):
        assert output.shape == (None, *value.shape[1:])
        assert keras.backend.standardize_dtype(output.dtype) == str(arrays(value)[0].dtype)


@pytest.mark.filterwarnings("ignore:.*structure of `inputs`:UserWarning")
def test_a_model_of_it_takes_any_batch_and_is_saved(case, tmp_path):
    model, _ = symbolic_model(case)
    for count in (1, 3):
        for array in arrays(model(case.inputs(count))):
            assert array.shape[0] == count
            assert np.isfinite(array).all()
    model.save(tmp_path / "layer.keras")
    again = keras.saving.load_model(tmp_path / "layer.keras")
    assert [o.shape for o in again.outputs] == [o.shape for o in model.outputs]


@pytest.mark.skipif(not TENSORFLOW, reason="JAX traces each batch size anew")
def test_dynamic_batch(case):
    import tensorflow as tf

    layer = case.make()
    signature = [tf.TensorSpec((None, *a.shape[1:])) for a in case.inputs(1)]
    function = tf.function(lambda *x: case.call(layer, x), input_signature=signature)
    for count in (1, 2, 5):
        inputs = case.inputs(count)
        assert_same(function(*inputs), case.call(layer, inputs), atol=1e-3)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_changes_nothing(case, policy):
    inputs = case.inputs(2)
    result = case.call(case.make(dtype=policy), inputs)
    assert {str(a.dtype) for a in arrays(result)} == {"float32"}
    assert_same(result, case.call(case.make(), inputs))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_as_the_global_policy(case, policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        layer = case.make()
        result = case.call(layer, case.inputs(2))
        again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    finally:
        keras.config.set_dtype_policy(before)
    assert_same(result, case.call(case.make(), case.inputs(2)))
    assert_same(case.call(again, case.inputs(2)), result)


@pytest.mark.parametrize("jit", [False, True])
def test_compiled_gives_what_eager_gives(case, jit):
    layer, inputs = case.make(), case.inputs(3)
    eager = case.call(layer, inputs)

    def function(seed, *inputs):
        return case.call(layer, inputs, seed)

    if TENSORFLOW:
        import tensorflow as tf

        compiled = tf.function(function, jit_compile=jit)
    elif keras.backend.backend() == "jax":
        import jax

        compiled = jax.jit(function) if jit else function
    else:
        pytest.skip("PyTorch is not compiled here")
    # Fused operations round differently, which a grey level of 255 shows in the fifth digit.
    assert_same(compiled(SEED, *inputs), eager, atol=2e-3)


def test_without_a_seed_each_call_draws_anew(case):
    if not case.seeded:
        pytest.skip("draws nothing")
    layer, twin, inputs = case.make(), case.make(), case.inputs(2)
    first, second = (layer(*inputs, **dict(case.keywords)) for _ in "ab")
    assert not np.array_equal(arrays(first)[0], arrays(second)[0])
    assert_same(twin(*inputs, **dict(case.keywords)), first)
