"""What every metric class must do: config, compile and fit, save and load, jit, long sums."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_shr import metrics
from keras_shr.errors import KerasShrError

KEYPOINT = {
    "pck": lambda: metrics.PCK(0.4, "box", scale=2.0, visibility="seen"),
    "pck_pair": lambda: metrics.PCK(0.4, (0, 2)),
    "auc_ours": lambda: metrics.KeypointAUC(scale=0.5),
    "auc_hand3d": lambda: metrics.KeypointAUC("hand3d", num_keypoints=3, visibility="seen"),
    "auc_mmpose": lambda: metrics.KeypointAUC("mmpose", name="mm"),
    "epe": lambda: metrics.EndPointError(worst=7.0),
    "nme": lambda: metrics.NME((0, 1), scale=3.0),
}
STABILITY = {
    "r": lambda: metrics.R(scale=2.0, worst=99.0),
    "stable": lambda: metrics.StableAtP(20, scale=0.5),
    "ruc": metrics.RUC,
}
HEATMAP = {
    "spread": lambda: metrics.PeakSpread(5),
    "gap": metrics.PeakGap,
    "theorem3": lambda: metrics.Theorem3Share("corrected", normalize="sum"),
    "unmoved": metrics.UnmovedShare,
}
EVERY = KEYPOINT | STABILITY | HEATMAP


def batch(kind, seed=0, size=6):
    rng = np.random.default_rng(seed)
    if kind in HEATMAP:
        clean = rng.random((size, 5, 4, 3)) ** 4
        return clean.astype("float32"), (clean + rng.random(clean.shape) / 9).astype("float32")
    first = np.concatenate(
        [rng.uniform(0, 40, (size, 3, 2)), rng.choice([1, 2], (size, 3, 1))], axis=-1
    )
    second = first[..., :2] + rng.normal(0, 10, (size, 3, 2))
    return first.astype("float32"), second.astype("float32")


def value(metric, data):
    metric.update_state(*data)
    return float(metric.result())


@pytest.mark.parametrize("kind", EVERY)
def test_config_round_trip(kind):
    metric = EVERY[kind]()
    stored = keras.saving.serialize_keras_object(metric)
    assert stored["registered_name"].startswith("keras_shr>")
    again = keras.saving.deserialize_keras_object(stored)
    assert again.get_config() == metric.get_config()
    data = batch(kind)
    assert value(again, data) == value(metric, data)
    metric.reset_state()
    assert np.isnan(float(metric.result()))
    assert value(metric, data) == pytest.approx(float(again.result()))


@pytest.mark.parametrize("kind", EVERY)
def test_half_precision_input_and_policy(kind):
    first, second = batch(kind)
    exact = value(EVERY[kind](), (first.astype("float16"), second.astype("float16")))
    expected = value(EVERY[kind](), (first, second))
    assert exact == pytest.approx(expected, rel=0.03, abs=0.06)
    config = {**EVERY[kind]().get_config(), "dtype": "float16"}
    half = type(EVERY[kind]()).from_config(config)
    assert value(half, (first, second)) == expected
    assert {v.dtype for v in half.variables} == {"float32"}


needs_a_compiler = pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="PyTorch is not compiled here"
)


# One for each way to compute; the others differ in a constant, and XLA takes its time.
@needs_a_compiler
@pytest.mark.parametrize("kind", ["pck", "auc_hand3d", "nme", "ruc", "spread", "theorem3"])
def test_compiled(kind):
    """Same value under tf.function with XLA, or jax.jit, as eagerly."""
    eager, compiled = EVERY[kind](), EVERY[kind]()
    data = [batch(kind, seed) for seed in range(3)]
    value(compiled, data[0])
    compiled.reset_state()
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        step = tf.function(compiled.update_state, jit_compile=True)
        for first, second in data:
            step(first, second)
        result = compiled.result()
    else:
        import jax

        step = jax.jit(compiled.stateless_update_state)
        state = [v.value for v in compiled.variables]
        for first, second in data:
            state = step(state, first, second)
        result = compiled.stateless_result(state)
    for pair in data:
        eager.update_state(*pair)
    assert float(result) == pytest.approx(float(eager.result()), rel=1e-5)


@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=needs_a_compiler)])
def test_long_sums_stay_exact(compiled):
    """A running sum of 2**24 ones swallows the next one in plain float32."""
    metric = metrics.StableAtP(1)
    clean = np.zeros((1, 1, 2), "float32")
    start = np.array([2.0**24, 0], "float32")
    metric.total.assign(start)
    metric.count.assign(start)
    step = metric.update_state
    if compiled and keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        step = tf.function(step, jit_compile=True)
    elif compiled:
        import jax

        pure = jax.jit(metric.stateless_update_state)

        def step(*args):
            for variable, new in zip(
                metric.variables, pure([v.value for v in metric.variables], *args), strict=True
            ):
                variable.assign(new)

    for i in range(11):
        step(clean, clean + i % 2 * 50)
    total, count = (np.asarray(v.value).astype("float64") for v in metric.variables)
    assert total.sum() == 2**24 + 6
    assert count.sum() == 2**24 + 11


def keypoint_model(policy="float32"):
    inputs = keras.Input((6,))
    outputs = keras.layers.Reshape((3, 2), dtype=policy)(
        keras.layers.Dense(6, dtype=policy)(inputs)
    )
    return keras.Model(inputs, outputs)


@keras.saving.register_keras_serializable(package="keras_shr_tests")
def masked_mse(y_true, y_pred):
    return ops.mean(ops.square(y_true[..., :2] - ops.cast(y_pred, "float32")), axis=(1, 2))


# Keras 3.15 saves variables through an `__array__` that NumPy 2 warns about.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")
def test_in_compile_and_after_loading(tmp_path):
    keras.utils.set_random_seed(0)
    model = keypoint_model("mixed_bfloat16")
    makers = [KEYPOINT[k] for k in ("pck", "auc_hand3d", "auc_mmpose", "nme")]
    model.compile("sgd", masked_mse, weighted_metrics=[make() for make in makers])
    x = np.random.default_rng(0).normal(size=(10, 6)).astype("float32")
    y, _ = batch("epe", size=10)
    weight = np.array([1.0, 0, 2, 1, 1, 0, 1, 1, 1, 3])
    model.fit(x, y, batch_size=4, epochs=1, sample_weight=weight, verbose=0)
    logs = model.evaluate(x, y, batch_size=4, sample_weight=weight, return_dict=True, verbose=0)
    predicted = model.predict(x, verbose=0)
    for make in makers:
        metric = make()
        metric.update_state(y, predicted, weight)
        assert logs[metric.name] == pytest.approx(float(metric.result()), rel=1e-3), metric.name
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    loaded = again.evaluate(x, y, batch_size=4, sample_weight=weight, return_dict=True, verbose=0)
    assert loaded == pytest.approx(logs, rel=1e-4)


def test_other_numbers_of_points_are_not_broadcast():
    labels = np.full((4, 3, 3), 2.0)
    for wrong in (labels[:1], labels[:, :1], labels[:, :2]):
        for metric in (metrics.PCK(3.0), metrics.EndPointError(), metrics.R(), metrics.RUC()):
            with pytest.raises(KerasShrError, match="are compared; expected equally many images"):
                metric.update_state(labels, wrong)
        with pytest.raises(KerasShrError, match="are compared"):
            metrics.keypoint_auc(labels, wrong)


@pytest.mark.parametrize("make", [metrics.KeypointAUC, metrics.EndPointError, metrics.R])
@pytest.mark.parametrize("scale", [0, -2.0, float("nan"), "2"])
def test_a_scale_is_above_0(make, scale):
    with pytest.raises(KerasShrError, match=r"scale is .*, expected a number > 0"):
        make(scale=scale)


@pytest.mark.parametrize("scale", [0, -2.0, float("nan"), np.ones((2, 1, 1)), "2"], ids=str)
def test_a_scale_of_the_functions_is_above_0_too(scale):
    points = np.arange(24.0).reshape(4, 3, 2)
    calls = (
        lambda: metrics.keypoint_auc(points, points + 100, scale=scale),
        lambda: metrics.nme(np.full((4, 3, 3), points[..., :1]), points, 5, scale=scale),
        lambda: metrics.ruc(points, points + 100, scale=scale),
        lambda: metrics.acceleration(points, scale=scale),
        lambda: metrics.jitter(points, points, scale=scale),
    )
    for call in calls:
        with pytest.raises(KerasShrError, match=r"(?s)scale is .*, expected a number > 0"):
            call()


def test_a_curve_before_the_first_update_is_no_value():
    metric = metrics.KeypointAUC("hand3d")
    metric.reset_state()
    assert np.isnan(np.asarray(metric.curve())).all()
