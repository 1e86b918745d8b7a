"""Probe, robustness figures, best checkpoint and pictures, on a real paired model."""

import json

import keras
import numpy as np
import pytest
from callback_helpers import (
    SIZE,
    SKELETON,
    fit,
    fit_plain,
    pictures,
    plain_model,
    tiny_model,
)
from PIL import Image

from keras_shr import metrics
from keras_shr.callbacks import (
    BestCheckpoint,
    HeatmapPictures,
    RobustnessCallback,
    RobustnessProbe,
    run_callbacks,
)
from keras_shr.callbacks._averaging import averaged_weights
from keras_shr.data.records import KeypointData
from keras_shr.errors import KerasShrError

# Keras 3.15 saves variables through an `__array__` that NumPy 2 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


KINDS = ("brightness", "contrast", "gaussian_noise")  # all ten take seconds to compile


class Pointer:
    """Stands in for a model: answers with the given keypoints, shifted for bright images."""

    image_size = (SIZE, SIZE)
    optimizer = None

    def __init__(self, answer, shift=0.0):
        self.answer, self.shift, self.calls = answer, shift, 0

    def predict_keypoints(self, images, batch_size=32):
        self.calls += 1
        assert images.dtype == np.uint8
        answer = np.tile(self.answer, (len(images) // len(self.answer), 1, 1)).copy()
        if len(images) > len(self.answer):
            answer[..., 0] += self.shift
        return answer


@pytest.fixture(scope="module")
def probe():
    """Eight images and two perturbed copies of each, prepared once."""
    probe = RobustnessProbe(*pictures(), KINDS, copies=2, batch_size=8)
    probe.prepare(Pointer(pictures()[1]))
    return probe


def logged(values):
    """A callback that puts the next of `values` into the logs as val_auc_seen."""

    class Logged(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["val_auc_seen"] = values[epoch]

    return Logged()


def test_probe_measures_by_hand(probe):
    _, keypoints = pictures()
    model = Pointer(keypoints, shift=0.5)  # 0.5 px of 32 is 4 px of 256
    measured = probe.measure(model)
    assert measured == pytest.approx(
        {"auc_clean": 1, "auc_seen": 27 / 31, "R": 16, "RUC": 27 / 31}, rel=1e-5
    )
    assert model.calls == 2


def test_probe_knows_a_model_from_one_in_the_place_of_a_deleted_one(probe):
    """A new object often gets the address of the one deleted just before."""

    class Still(Pointer):
        optimizer, weights = tiny_model().optimizer, ()

    found = []
    for shift in (0, 0.5, 0):
        model = Still(pictures()[1], shift=shift)
        found.append((id(model), probe.measure(model)["R"]))
        del model
    assert [value for _, value in found] == pytest.approx([0, 16, 0])


def test_probe_perturbs_every_copy_and_the_same_each_time(probe):
    images, _ = pictures()
    assert probe.perturbed.shape == (16, SIZE, SIZE, 3)
    assert probe.perturbed.dtype == np.uint8
    changed = np.abs(probe.perturbed.astype(int) - np.tile(images, (2, 1, 1, 1))).mean((1, 2, 3))
    assert (changed > 0).mean() > 0.8
    assert not np.array_equal(probe.perturbed[:8], probe.perturbed[8:])
    again = RobustnessProbe(*pictures(), KINDS, copies=2, batch_size=8)
    again.prepare(Pointer(pictures()[1]))
    np.testing.assert_array_equal(again.perturbed, probe.perturbed)


def test_probe_leaves_out_what_lies_outside(monkeypatch):
    images, keypoints = pictures(4, size=64)
    keypoints = keypoints.copy()
    keypoints[1:, 0] = (-40, 3, 2), (10, 70, 1), (63.4, 63.4, 2)
    probe = RobustnessProbe(images, keypoints)
    monkeypatch.setattr(probe, "_perturb", lambda images: images)
    probe.prepare(Pointer(keypoints))
    np.testing.assert_array_equal(probe.labels[1:, 0, 2], [0, 0, 2])
    np.testing.assert_array_equal(probe.labels[:, 1:, 2], keypoints[:, 1:, 2])


def test_probe_resizes_and_limits(monkeypatch):
    images, keypoints = pictures(10, size=64)
    data = KeypointData(images, keypoints, SKELETON)
    probe = RobustnessProbe.of(data)
    monkeypatch.setattr(probe, "_perturb", lambda images: images)
    probe.prepare(Pointer(keypoints))
    assert probe.clean.shape == (10, SIZE, SIZE, 3)
    np.testing.assert_allclose(
        probe.labels[1:, :, :2], (keypoints[1:, :, :2] + 0.5) / 2 - 0.5, atol=1e-4
    )
    few = RobustnessProbe(images, keypoints, limit=3)
    np.testing.assert_array_equal(few.images, images[[0, 4, 9]])
    assert RobustnessProbe.of(few) is few
    assert RobustnessProbe.of(None) is None


def test_probe_refuses_unseen_kinds_and_bad_arrays():
    images, keypoints = pictures()
    with pytest.raises(KerasShrError, match="jpeg_compression"):
        RobustnessProbe(images, keypoints, perturbations=("jpeg_compression",))
    with pytest.raises(KerasShrError, match="expected uint8"):
        RobustnessProbe(images / 255.0, keypoints)
    with pytest.raises(KerasShrError, match=r"expected \(8, keypoints, 3\)"):
        RobustnessProbe(images, keypoints[:7])
    with pytest.raises(KerasShrError, match="no validation images"):
        RobustnessProbe(images[:0], keypoints[:0])


def test_a_run_with_every_callback(tmp_path, probe):
    """Logs, files, and that sharing a probe measures once."""
    model, counted = tiny_model(), []
    measure = probe._measure

    def counting(model):
        counted.append(1)
        return measure(model)

    probe._measure = counting
    try:
        callbacks = run_callbacks(tmp_path, probe, pictures=pictures(2)[0])
        history = fit(model, 2, callbacks)
    finally:
        probe._measure = measure
    assert len(counted) == 2
    assert {"loss", "val_auc_clean", "val_auc_seen", "val_R", "val_RUC"} <= set(history.history)
    names = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert names == {
        "best.keras",
        "best.json",
        "history.csv",
        "pictures/epoch_00001.png",
        "pictures/epoch_00002.png",
        "backup/backup.json",
        "backup/epoch-00002.weights.h5",
    }
    best = json.loads((tmp_path / "best.json").read_text())
    assert best["value"] == max(history.history["val_auc_seen"])
    loaded = keras.saving.load_model(tmp_path / "best.keras")
    assert probe.measure(loaded)["auc_seen"] == pytest.approx(best["value"], abs=1e-6)
    # The same figures from the public functions.
    measured = probe.measure(model)
    clean, moved = (model.predict_keypoints(i) for i in (probe.clean, probe.perturbed))
    pairs, scale = np.tile(clean, (2, 1, 1)), 256 / SIZE
    assert measured["R"] == pytest.approx(
        float(metrics.mean_squared_displacement(pairs, moved, scale=scale)), rel=1e-5
    )
    assert history.history["val_RUC"][-1] == pytest.approx(measured["RUC"], abs=1e-6)
    # Weights that no training step has changed are others all the same.
    model.set_weights([np.zeros_like(value) for value in model.get_weights()])
    assert probe.measure(model)["R"] == 0  # flat maps, whatever is shown


def test_best_checkpoint_keeps_the_best_and_remembers_it(tmp_path):
    path = tmp_path / "best.keras"

    def state():
        return json.loads((tmp_path / "best.json").read_text())

    def train(values, first=0):
        model = plain_model()
        model._initial_epoch = first
        fit_plain(model, len(values), [logged(values), BestCheckpoint(path)])

    train([0.2, 0.5, float("nan"), 0.5])
    assert (state()["epoch"], state()["value"]) == (2, 0.5)
    stamp = path.stat().st_mtime_ns
    train([0, 0, 0.4], first=2)  # a resumed run has .5 to beat
    assert path.stat().st_mtime_ns == stamp
    train([0, 0, 0, 0.6], first=3)
    assert state()["value"] == 0.6
    train([0.1])  # a new run forgets it
    assert (state()["epoch"], state()["value"]) == (1, 0.1)


@pytest.mark.parametrize("state", [[], {}, {"monitor": "val_auc_seen"}, {"value": "high"}])
def test_a_state_of_the_best_that_is_none_is_named(tmp_path, state):
    best = BestCheckpoint(tmp_path / "best.keras")
    best.path.touch()
    best.state_path.write_text(json.dumps(state))
    best.on_train_begin()
    with pytest.raises(
        KerasShrError, match=r"best\.json: .* expected .*; remove the file to start"
    ):
        best.on_epoch_begin(1)


def test_best_checkpoint_errors(tmp_path):
    with pytest.raises(KerasShrError, match=r"ends in \.keras"):
        BestCheckpoint(tmp_path / "best.h5")
    with pytest.raises(KerasShrError, match=r"not in the logs .*RobustnessCallback before it"):
        fit_plain(plain_model(), 1, [BestCheckpoint(tmp_path / "best.keras")])


def test_every_and_the_last_epoch(tmp_path, probe):
    callback = RobustnessCallback(probe, every=2)
    callback.set_params({"epochs": 5})
    callback.set_model(Pointer(pictures()[1]))
    logs = [{} for _ in range(5)]
    for epoch in range(5):
        callback.on_epoch_end(epoch, logs[epoch])
    assert [bool(entry) for entry in logs] == [False, True, False, True, True]
    with pytest.raises(KerasShrError, match="every is 0"):
        RobustnessCallback(probe, every=0)


def test_before_the_first_step_there_are_no_averages():
    model = plain_model(optimizer=keras.optimizers.Adam(use_ema=True))
    model.optimizer.build(model.trainable_variables)
    before = model.get_weights()
    with averaged_weights(model):
        for a, b in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(a, b)


def test_averaged_weights_are_judged_and_saved(tmp_path):
    optimizer = keras.optimizers.SGD(0.5, use_ema=True, ema_momentum=0.9)
    model = tiny_model(optimizer=optimizer)
    fit(model, 1, [logged([0.5]), BestCheckpoint(tmp_path / "best.keras")])
    # `fit` leaves the averages in the model when it ends.
    saved = keras.saving.load_model(tmp_path / "best.keras")
    for a, b in zip(model.trainable_variables, saved.trainable_variables, strict=True):
        np.testing.assert_allclose(np.asarray(a.value), np.asarray(b.value), atol=1e-6)
    variable = model.trainable_variables[0]
    variable.assign(variable.value + 1)
    raw = np.asarray(variable.value)
    with averaged_weights(model):
        assert np.abs(np.asarray(variable.value) - raw).max() > 0.5
    np.testing.assert_array_equal(np.asarray(variable.value), raw)


def test_what_keras_judged_is_saved_as_it_judged_it(tmp_path):
    """Its own validation does not look at an optimizer's averages."""
    optimizer = keras.optimizers.SGD(0.5, use_ema=True, ema_momentum=0.999)
    model = tiny_model(optimizer=optimizer)
    images, keypoints = pictures()
    model.fit(
        *(images, keypoints),
        batch_size=4,
        epochs=2,
        verbose=0,
        validation_data=(images, keypoints),
        callbacks=[best := BestCheckpoint(tmp_path / "best.keras", monitor="val_loss")],
    )
    saved = keras.saving.load_model(tmp_path / "best.keras")
    saved.compile("sgd", metrics=[], run_eagerly=True)
    found = saved.evaluate(images, keypoints, verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(best.best, rel=1e-4)


def test_heatmap_pictures(tmp_path):
    images, keypoints = pictures(3, size=48)
    callback = HeatmapPictures(tmp_path, images, 2, keypoints, joints=("c", 0), limit=2, tile=80)
    fit(tiny_model(), 3, [callback], count=4)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["epoch_00002.png", "epoch_00003.png"]
    sheet = np.asarray(Image.open(tmp_path / "epoch_00003.png"))
    assert sheet.shape == (16 + 2 * 84, 3 * 84, 3)
    assert len(np.unique(sheet[16:96, 84:164].reshape(-1, 3), axis=0)) > 100
    # The unlabelled keypoint has no circle: two green circles in the first image, three below.
    green = (sheet == (70, 230, 90)).all(-1)
    assert 0 < green[16:96, :80].sum() < green[100:180, :80].sum()


def test_heatmap_pictures_of_broken_output(tmp_path):
    class Broken(Pointer):
        skeleton = SKELETON

        def predict_on_batch(self, images):
            return np.full((len(images), 8, 8, 3), np.nan, "float32")

    images, keypoints = pictures(2)
    callback = HeatmapPictures(tmp_path, images)
    callback.set_model(Broken(keypoints * np.nan))
    assert callback.draw().size == (4 * 164, 16 + 2 * 164)
    bad = HeatmapPictures(tmp_path, images, joints=("z",))
    bad.set_model(Broken(keypoints))
    with pytest.raises(KerasShrError, match="no keypoint 'z'"):
        bad.draw()
    with pytest.raises(KerasShrError, match="expected uint8"):
        HeatmapPictures(tmp_path, images / 2)


@pytest.mark.slow
def test_with_the_real_model(tmp_path, probe):
    """StableHeatmapRegressor with pairs, RCC and MST: trained, resumed, checkpointed."""
    from keras_shr.models import StableHeatmapRegressor

    model = StableHeatmapRegressor(
        3, SIZE, alpha=0.35, filters=8, skeleton=SKELETON, perturbations=KINDS
    )
    model.compile("adam")
    fit(model, 1, run_callbacks(tmp_path, probe))
    for variable in model.trainable_variables:
        variable.assign(0 * variable.value)
    history = fit(model, 2, run_callbacks(tmp_path, probe, pictures=pictures(2)[0]))
    assert history.epoch == [0, 1]
    assert len(history.history["val_auc_seen"]) == 2
    assert np.abs(np.asarray(model.trainable_variables[0].value)).max() > 0
    rows = (tmp_path / "history.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["epoch", "1", "2"]
    loaded = keras.saving.load_model(tmp_path / "best.keras")
    images, _ = pictures()
    assert loaded.predict_keypoints(images).shape == (8, 3, 3)


def test_run_callbacks_without_validation(tmp_path):
    made = [type(c).__name__ for c in run_callbacks(tmp_path)]
    assert made == ["CSVHistory", "StopOnNonFiniteLoss", "BackupAndResume"]


def test_a_model_that_knows_no_keypoints_is_named(tmp_path):
    for callback in (
        RobustnessCallback(pictures()),
        BestCheckpoint(tmp_path / "best.keras", pictures()),
        HeatmapPictures(tmp_path, pictures()[0]),
    ):
        with pytest.raises(KerasShrError, match="is a Sequential, which has no predict_keypoints"):
            fit_plain(plain_model(), 1, [callback])


def test_labels_that_do_not_fit_are_named_before_the_first_epoch(tmp_path):
    images, keypoints = pictures()
    for callback in (
        RobustnessCallback((images, keypoints[:, :2])),
        HeatmapPictures(tmp_path, images, keypoints=keypoints[:, :2]),
    ):
        with pytest.raises(KerasShrError, match=r"shape \(8, 2, 3\); the model has 3"):
            fit(tiny_model(), 1, [callback])
    with pytest.raises(KerasShrError, match="no validation keypoint is labelled"):
        RobustnessProbe(images, keypoints * 0)
    with pytest.raises(KerasShrError, match="lie between 0 and 1; expected x and y in pixels"):
        RobustnessProbe(images, keypoints / np.array([SIZE, SIZE, 1]))
    with pytest.raises(KerasShrError, match=r"has 3 parts; expected \(images, keypoints\)"):
        RobustnessProbe.of((images, keypoints, np.ones(8)))
    with pytest.raises(KerasShrError, match=r"no images to draw \(limit is 0\)"):
        HeatmapPictures(tmp_path, images, limit=0)
    with pytest.raises(KerasShrError, match=r"keypoints have shape \(3, 3\), expected \(8, keyp"):
        HeatmapPictures(tmp_path, images, keypoints=keypoints[0])
    with pytest.raises(KerasShrError, match=r"every is 1\.5"):
        RobustnessCallback((images, keypoints), every=1.5)


@pytest.mark.parametrize(
    ("monitor", "mode", "best"),
    [
        ("val_loss", "auto", 2),
        ("val_R", "auto", 2),
        ("val_auc", "auto", 3),
        ("val_loss", "max", 3),
        ("val_auc", "min", 2),
    ],
)
def test_the_best_is_the_lowest_of_a_loss(tmp_path, monitor, mode, best):
    values = iter([0.5, 0.25, 0.75])

    class Logged(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs[monitor] = next(values)

    checkpoint = BestCheckpoint(tmp_path / "best.keras", monitor=monitor, mode=mode)
    fit_plain(plain_model(), 3, [Logged(), checkpoint])
    assert json.loads((tmp_path / "best.json").read_text())["epoch"] == best


def test_a_mode_that_there_is_not(tmp_path):
    with pytest.raises(KerasShrError, match="mode is 'lowest'; expected 'auto', 'max' or 'min'"):
        BestCheckpoint(tmp_path / "best.keras", mode="lowest")
