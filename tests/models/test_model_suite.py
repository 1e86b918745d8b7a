"""What every model has to do: learn, save, resume, take any data and any switch."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops
from model_helpers import (
    HEATMAP,
    KEYPOINTS,
    PAPER,
    SIZE,
    SKELETON,
    STILL,
    TENSORFLOW,
    compiled,
    dataset,
    numpy,
    pictures,
    small_regressor,
    tiny_model,
    tiny_network,
)

from keras_shr.errors import KerasShrError
from keras_shr.heatmaps import decode, heatmap_to_image
from keras_shr.models import PairedHeatmapModel, StableHeatmapRegressor, WarmupCosine
from keras_shr.models.optimization import count_steps
from keras_shr.training.batches import Batches

MODELS = {
    "paired_norm": lambda **options: tiny_model(
        tiny_network(norm=True), augmentation=STILL, **options
    ),
    "regressor": small_regressor,
}


@pytest.fixture(params=["paired_norm", pytest.param("regressor", marks=pytest.mark.slow)])
def make(request):
    return MODELS[request.param]


def state_of(model):
    return [numpy(v) for v in (*model.variables, *model.optimizer.variables)]


def assert_same_state(model, other, rtol=0.0):
    for a, b in zip(state_of(model), state_of(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


def settings(model):
    """The constructor's arguments; of the augmentation without the shape it was built for."""
    layer = model.augmentation
    return model.training_config() | {"augmentation": layer and layer.get_config()}


# Learning


# A uniform map of 16x16 costs 5.55; the best possible one 5.37 with the paper's target, 4.05 with
# the default one and 3.1 with this.
PEAKED = {"alpha": 0.5, "threshold": 2}
METHODS = {
    "baseline": {"target": "gaussian", "rcc": None, "stability": None, "perturbations": None},
    "default": {},
    "paper": PAPER | {"target_options": PEAKED},
    "stability_training": {
        "rcc": None,
        "stability": "st",
        "stability_weight": 0.1,
        "target_options": PEAKED,
    },
}


@pytest.mark.parametrize(
    "method",
    [
        "default",
        pytest.param("baseline", marks=pytest.mark.slow),
        pytest.param("paper", marks=pytest.mark.slow),
        pytest.param("stability_training", marks=pytest.mark.slow),
    ],
)
def test_fit_lowers_the_loss(method):
    images, keypoints = pictures(32)
    model = tiny_model(augmentation=STILL, **METHODS[method])
    model.compile(keras.optimizers.Adam(1e-2))
    before = model.evaluate(images, keypoints, batch_size=16, verbose=0, return_dict=True)
    history = model.fit(images, keypoints, batch_size=16, epochs=25, verbose=0).history
    after = model.evaluate(images, keypoints, batch_size=16, verbose=0, return_dict=True)
    assert after["loss"] < 0.8 * before["loss"]
    assert after["auc"] > before["auc"] + 0.1
    assert np.mean(history["loss"][-3:]) < 0.8 * history["loss"][0]
    if model.stability is None:
        assert set(history["stability"]) == {0}
    else:
        weight = model.stability_weight
        total = np.array(history["supervision"]) + weight * np.array(history["stability"])
        np.testing.assert_allclose(history["loss"], total, rtol=1e-4)


@pytest.mark.slow
def test_the_regressor_learns():
    images, keypoints = pictures(32)
    model = small_regressor(augmentation=STILL, batch_norm_momentum=0.8, target_options=PEAKED)
    model.compile(keras.optimizers.Adam(3e-3))
    before = model.evaluate(images, keypoints, batch_size=16, verbose=0, return_dict=True)
    model.fit(images, keypoints, batch_size=16, epochs=20, verbose=0)
    after = model.evaluate(images, keypoints, batch_size=16, verbose=0, return_dict=True)
    assert after["loss"] < 0.8 * before["loss"]
    assert after["auc"] > before["auc"] + 0.1


# Shapes, prediction, precision


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


# Saving


def test_saved_as_keras_file(make, tmp_path):
    images, keypoints = pictures(4)
    schedule = keras.optimizers.schedules.PolynomialDecay(0.0, 10, 2.0)
    model = make(stability_weight=schedule, severities=(2, 3), seed=9)
    model.compile(run_eagerly=True)
    model.train_on_batch(images, keypoints)
    expected = model.predict(images, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert type(again) is type(model)
    assert settings(again) == settings(model)
    np.testing.assert_array_equal(again.predict(images, verbose=0), expected)
    # The compiled state: optimizer, its schedule, its slots and its step.
    assert again.optimizer.get_config() == model.optimizer.get_config()
    assert [m.name for m in again.metrics] == [m.name for m in model.metrics]
    assert_same_state(again, model)
    assert int(again.optimizer.iterations) == 1
    # So the next step, its draws included, is the one that the first model takes.
    again.run_eagerly = True
    logs = [m.train_on_batch(images, keypoints, return_dict=True) for m in (model, again)]
    assert logs[0]["loss"] == pytest.approx(logs[1]["loss"], rel=1e-5)
    assert_same_state(again, model, rtol=1e-4)


def test_weights_round_trip(tmp_path):
    def make():
        return tiny_model(tiny_network(norm=True))

    images, _ = pictures(3)
    model = make()
    model.save_weights(tmp_path / "model.weights.h5")
    keras.utils.set_random_seed(1)
    again = make()
    expected = numpy(model(images))
    assert not np.allclose(numpy(again(images)), expected)
    again.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(numpy(again(images)), expected)


@pytest.mark.parametrize(
    "options",
    [
        {"target": "gaussian", "rcc": None, "stability": None, "perturbations": None},
        {"rcc_in_inference": False, "stability": "st"},
        PAPER,
        {"target_options": {"metric": "euclidean"}, "min_visibility": 2, "augmentation": STILL},
        {"skeleton": None, "supervise_perturbed": False, "stability_weight": 0.1},
        {"augmentation": None, "skeleton": SKELETON.to_dict()},
    ],
)
def test_every_switch_is_saved(options, tmp_path):
    images, _ = pictures(2)
    model = tiny_model(**options)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert settings(again) == settings(model)
    np.testing.assert_array_equal(numpy(again(images)), numpy(model(images)))


# Switches


def combinations():
    """All 72, of which the quick tests run every seventh: each value of each switch is in it."""
    switches = itertools.product(
        ("gaussian", "highly_differentiated"),
        (None, "row_column", "symmetric"),
        (None, "mst", "st"),
        (True, False),
        (None, ("contrast",)),
    )
    for i, values in enumerate(switches):
        yield pytest.param(*values, marks=() if i % 7 == 0 else pytest.mark.slow)


@pytest.mark.parametrize(("target", "rcc", "stability", "supervise", "kinds"), list(combinations()))
def test_every_combination_takes_a_step(target, rcc, stability, supervise, kinds, monkeypatch):
    images, keypoints = pictures(2)
    model = tiny_model(
        tiny_network(filters=2),
        target=target,
        rcc=rcc,
        stability=stability,
        supervise_perturbed=supervise,
        perturbations=kinds,
        augmentation=None,
    )
    seen, forward = [], model.output_maps

    def spy(logits, training=False):
        seen.append(logits.shape[0])
        return forward(logits, training)

    monkeypatch.setattr(model, "output_maps", spy)
    compiled(model, optimizer=keras.optimizers.SGD(1e-3), metrics=[])
    before = [numpy(v) for v in model.trainable_variables]
    logs = model.train_on_batch(images, keypoints, return_dict=True)
    after = [numpy(v) for v in model.trainable_variables]
    assert np.isfinite(list(logs.values())).all()
    assert any((a != b).any() for a, b in zip(before, after, strict=True))
    paired = kinds is not None and (supervise or stability is not None)
    assert seen[-1] == (4 if paired else 2)
    assert (logs["stability"] > 0) == (paired and stability is not None)


@pytest.mark.parametrize("rcc", ["row_column", "symmetric"])
def test_rcc_in_training_only(rcc):
    images, _ = pictures(2)
    network = tiny_network()
    model = compiled(tiny_model(network, rcc=rcc, rcc_in_inference=False))
    z = numpy(network(images))
    expected = np.exp(z - z.max(axis=(1, 2), keepdims=True))
    np.testing.assert_allclose(model.predict(images, verbose=0), expected, atol=1e-5)
    always = tiny_model(network, rcc=rcc)
    np.testing.assert_allclose(
        numpy(model(images, training=True)), numpy(always(images)), atol=1e-6
    )
    assert not np.allclose(numpy(always(images)), expected, atol=1e-3)


# Data


@pytest.mark.parametrize("shape", [pytest.param((6,), marks=pytest.mark.slow), (6, KEYPOINTS)])
def test_sample_weight(shape):
    """Weight 0 removes a sample or a keypoint from loss and metric; fit takes both shapes."""
    images, keypoints = pictures(6)
    weights = np.ones(shape, "float32")
    weights[0] = 0
    model = compiled(tiny_model(augmentation=None), optimizer=keras.optimizers.SGD(0.0))
    wrong = keypoints.copy()
    wrong[0, :, :2] = 63 - wrong[0, :, :2]
    results = [
        model.evaluate(
            images, points, sample_weight=weights, batch_size=6, verbose=0, return_dict=True
        )
        for points in (keypoints, wrong)
    ]
    assert results[0]["loss"] == pytest.approx(results[1]["loss"], rel=1e-6)
    without = model.evaluate(images[1:], keypoints[1:], batch_size=6, verbose=0, return_dict=True)
    assert results[0]["loss"] == pytest.approx(without["loss"], rel=1e-4)
    losses = [
        model.train_on_batch(images, points, sample_weight=weights, return_dict=True)["loss"]
        for points in (keypoints, wrong)
    ]
    assert np.isfinite(losses).all()


def test_weighted_metrics_leave_out_what_weighs_nothing():
    from keras_shr.metrics import KeypointAUC

    images, keypoints = pictures(6)
    model = tiny_model(augmentation=None)
    compiled(model, metrics=[], weighted_metrics=[KeypointAUC(scale=4.0, name="auc")])
    weights = np.ones((6, KEYPOINTS), "float32")
    weights[:, 0] = 0
    wrong = keypoints.copy()
    wrong[:, 0, :2] = 63 - wrong[:, 0, :2]
    a, b = (
        model.evaluate(images, p, sample_weight=weights, verbose=0, return_dict=True)["auc"]
        for p in (keypoints, wrong)
    )
    assert a == pytest.approx(b)


@pytest.mark.parametrize("target", ["gaussian", "highly_differentiated"])
def test_missing_labels_never_make_a_nan(target):
    images, keypoints = pictures(4)
    keypoints[0] = 0
    keypoints[1, 0, :2] = np.nan
    keypoints[2] = np.nan
    keypoints[3, :, :2] += 500
    model = compiled(tiny_model(target=target, augmentation={}))
    for points in (keypoints, np.zeros_like(keypoints), np.full_like(keypoints, np.nan)):
        logs = model.train_on_batch(images, points, return_dict=True)
        assert np.isfinite([logs["loss"], logs["supervision"], logs["stability"]]).all()
    assert all(np.isfinite(numpy(v)).all() for v in model.trainable_variables)


def sources():
    data = dataset(10)
    yield "arrays", {"x": data.images, "y": data.keypoints, "batch_size": 4}, 3
    yield "batches", {"x": Batches(data, 4)}, 2
    if TENSORFLOW:
        import tensorflow as tf

        stream = tf.data.Dataset.from_tensor_slices((data.images, data.keypoints))
        yield "tf_data", {"x": stream.batch(4)}, 3
        yield "tf_data_static", {"x": stream.batch(4, drop_remainder=True)}, 2
        weighted = tf.data.Dataset.from_tensor_slices(
            (data.images, data.keypoints, np.ones((10, KEYPOINTS), "float32"))
        )
        yield "tf_data_weights", {"x": weighted.batch(4)}, 3


SOURCES = [
    pytest.param(
        source,
        id=source[0],
        marks=pytest.mark.slow
        if source[0] in ("arrays", "tf_data_static", "tf_data_weights")
        else (),
    )
    for i, source in enumerate(sources())
]


@pytest.mark.parametrize("source", SOURCES)
def test_fit_evaluate_predict_on(source):
    _, data, steps = source
    model = compiled(tiny_model())
    images, keypoints = pictures(4, seed=1)
    # Keras warns that it cannot shuffle a stream.
    options = {"shuffle": False} if source[0].startswith("tf_data") else {}
    history = model.fit(
        **data, **options, epochs=2, validation_data=(images, keypoints), verbose=0
    ).history
    assert int(model.optimizer.iterations) == 2 * steps
    assert set(history) == {
        f"{prefix}{name}"
        for prefix in ("", "val_")
        for name in ("loss", "auc", "supervision", "stability")
    }
    assert np.isfinite(list(history.values())).all()
    assert np.isfinite(model.evaluate(**data, verbose=0)).all()
    count = 10 if steps == 3 else 8
    prediction = model.predict(data["x"], verbose=0)
    assert prediction.shape == (count, HEATMAP, HEATMAP, KEYPOINTS)


def test_evaluate_is_the_loss_and_the_auc_of_the_predictions():
    from keras_shr.metrics import KeypointAUC

    images, keypoints = pictures(6)
    model = compiled(tiny_model())
    logs = model.evaluate(images, keypoints, batch_size=6, verbose=0, return_dict=True)
    maps = ops.convert_to_tensor(model.predict(images, verbose=0))
    loss = model.supervision_loss(model.targets(keypoints), maps)
    assert logs["loss"] == pytest.approx(float(loss), rel=1e-5)
    auc = KeypointAUC(scale=256 / SIZE)
    auc.update_state(keypoints, model.predict_keypoints(images))
    assert logs["auc"] == pytest.approx(float(auc.result()))


def test_batch_normalisation_sees_clean_and_perturbed_together():
    """The running mean after one step is that of both halves of the pair."""
    images, keypoints = pictures(4)
    network = tiny_network(norm=True)
    model = compiled(tiny_model(network, perturbations=("contrast",), severities=(5,)))
    pairs = model.make_pairs((images, keypoints), ops.convert_to_tensor(0))[0]
    norm = next(x for x in network.layers if isinstance(x, keras.layers.BatchNormalization))
    before = keras.Model(network.inputs, norm.input)(pairs)
    expected = 0.5 * numpy(ops.mean(before, axis=(0, 1, 2)))  # momentum 0.5, from 0
    model.train_on_batch(images, keypoints)
    np.testing.assert_allclose(numpy(norm.moving_mean), expected, rtol=1e-3, atol=1e-5)


def test_regularisers_count():
    images, keypoints = pictures(2)
    model = compiled(tiny_model(tiny_network(regularizer=keras.regularizers.L2(0.1))))
    logs = model.evaluate(images, keypoints, verbose=0, return_dict=True)
    kernel = numpy(model.network.layers[2].kernel)
    penalty = 0.1 * (kernel**2).sum()
    assert logs["loss"] == pytest.approx(logs["supervision"] + penalty, rel=1e-4)


# Compiling


def test_fit_before_compile_says_so():
    with pytest.raises(ValueError, match=r"compile\(\)"):
        tiny_model().fit(*pictures(2), verbose=0)


def test_the_default_schedule_stretches_over_fit():
    data = dataset(10)
    model = tiny_model(tiny_network(filters=2), perturbations=None, stability=None)
    model.compile(run_eagerly=True)
    model.fit(Batches(data, 5), epochs=2, verbose=0)
    schedule = model.optimizer._learning_rate
    assert isinstance(schedule, WarmupCosine)
    assert schedule.total_steps == 4
    rates = [float(schedule(step)) for step in range(5)]
    assert rates[0] == pytest.approx(2e-3)
    assert rates[3] < 0.5 * rates[0]
    assert rates[4] == pytest.approx(2e-5, rel=1e-3)


def test_steps_of_an_epoch():
    data = dataset(10)
    assert count_steps(data.images, 4, None) == 3
    assert count_steps(data.images, None, None) == 1  # Keras's 32
    assert count_steps(data.images, 4, 7) == 7
    assert count_steps(data.images, 4, None, validation_split=0.5) == 2
    assert count_steps(Batches(data, 4, steps=5), None, None) == 5
    assert count_steps(iter([]), None, None) is None
    if TENSORFLOW:
        import tensorflow as tf

        stream = tf.data.Dataset.range(10)
        assert count_steps(stream.batch(4), None, None) == 3
        assert count_steps(stream.repeat(), None, None) is None


def test_warmup_rises_then_falls():
    schedule = WarmupCosine(1.0, total_steps=100, warmup=0.1, final=0.1)
    rates = np.array([float(schedule(step)) for step in range(0, 101)])
    np.testing.assert_allclose(rates[:10], np.arange(1, 11) / 10, rtol=1e-5)
    assert (np.diff(rates[10:]) < 0).all()
    assert rates[-1] == pytest.approx(0.1, rel=1e-4)
    assert rates[55] == pytest.approx(0.55, rel=1e-4)
    unknown = WarmupCosine(1.0)
    assert float(unknown(10**6)) == 1.0
    assert WarmupCosine(**schedule.get_config()).get_config() == schedule.get_config()


@pytest.mark.slow
def test_a_longer_fit_takes_a_longer_schedule():
    """A traced step holds the schedule's numbers, so a change has to trace it again."""
    images, keypoints = pictures(4)
    model = tiny_model(perturbations=None, stability=None)
    model.compile()
    model.fit(images, keypoints, epochs=1, verbose=0)  # ends at a hundredth of the rate
    before = [numpy(v) for v in model.trainable_variables]
    model.fit(images, keypoints, epochs=40, initial_epoch=39, verbose=0)
    assert model.optimizer._learning_rate.total_steps == 40
    moved = [
        abs(numpy(v) - b).max() for v, b in zip(model.trainable_variables, before, strict=True)
    ]
    assert max(moved) > 2e-4  # a step of Adam is about the rate: 2e-3 here, 2e-5 if held


def test_a_loss_in_compile_is_refused():
    with pytest.raises(KerasShrError, match=r"compile\(loss=...\)"):
        tiny_model().compile("adam", loss="mse")


def test_a_learning_rate_of_one_s_own_is_left_alone():
    images, keypoints = pictures(2)
    model = compiled(tiny_model(perturbations=None), optimizer=keras.optimizers.SGD(0.5))
    model.fit(images, keypoints, verbose=0)
    assert float(model.optimizer.learning_rate) == 0.5


@pytest.mark.slow
def test_compiled_by_xla_it_trains_alike():
    images, keypoints = pictures(8)
    losses = []
    for jit in (False, True):
        keras.utils.set_random_seed(3)
        model = tiny_model(augmentation={})
        model.compile(keras.optimizers.SGD(1e-2), jit_compile=jit)
        history = model.fit(images, keypoints, batch_size=4, epochs=2, shuffle=False, verbose=0)
        losses.append(history.history["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-3)


@pytest.mark.slow
def test_all_ten_kinds():
    images, keypoints = pictures(12)
    model = PairedHeatmapModel(tiny_network(), augmentation={})
    model.compile()
    history = model.fit(images, keypoints, batch_size=12, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
