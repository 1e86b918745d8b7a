"""What fit and evaluate take: arrays, batches, streams, weights, missing labels."""

import keras
import numpy as np
import pytest
from keras import ops
from model_helpers import TENSORFLOW, compiled, dataset, numpy, tiny_model, tiny_network

from keras_shr.training.batches import Batches
from tests.dots import HEATMAP, KEYPOINTS, SIZE, pictures


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
    } - {"val_stability"}  # it would be 0, as if all were steady
    assert np.isfinite(list(history.values())).all()
    assert np.isfinite(model.evaluate(**data, verbose=0)).all()
    assert "stability" not in model.test_on_batch(images, keypoints, return_dict=True)
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


@pytest.mark.skipif(not TENSORFLOW, reason="TensorFlow alone forgets the rank")
def test_weights_of_images_after_weights_of_keypoints():
    images, keypoints = pictures(4)
    model = tiny_model(tiny_network(filters=2), perturbations=None, stability=None)
    model.compile("sgd")
    single, each = np.array([1, 0, 2, 1], "float32"), np.ones((4, 3), "float32")
    expected = model.evaluate(images, keypoints, sample_weight=single, verbose=0)
    for weight in (each, single):
        found = model.evaluate(images, keypoints, sample_weight=weight, verbose=0)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    for weight in (each, single):
        model.fit(images, keypoints, sample_weight=weight, verbose=0)
