"""Data that a model could train on without a word, and learn nonsense from."""

import keras
import numpy as np
import pytest
from model_helpers import SKELETON, TENSORFLOW, small_regressor, tiny_model, tiny_network

from keras_shr.errors import KerasShrError
from keras_shr.losses import HeatmapMSE, WeightedMultiLabelCE
from keras_shr.models import PairedHeatmapModel
from keras_shr.skeletons import HAND_21, Skeleton, knows_sides
from keras_shr.training.batches import Batches
from tests.dots import KEYPOINTS, SIZE

WRONG = {
    "one label for three keypoints": (
        lambda x, y: (x, y[:, :1]),
        r"keypoints have shape \(4, 1, 3\); expected \(batch, 3, 3\)",
    ),
    "no visibility": (lambda x, y: (x, y[..., :2]), r"shape \(4, 3, 2\).*\(x, y, visibility\)"),
    "pictures in 0..1": (lambda x, y: (x / np.float32(255), y), r"up to .*; expected 0\.\.255"),
    "pictures of another size": (
        lambda x, y: (x[:, ::2], y),
        r"have shape \(4, 32, 64, 3\)",
    ),
    "grey pictures": (lambda x, y: (x[..., :1], y), r"images have shape \(4, 64, 64, 1\)"),
    "nothing labelled": (lambda x, y: (x, y * [1, 1, 0]), r"of 12 keypoints not one is labelled"),
    "all outside": (lambda x, y: (x, y + 500), r"not one is labelled .* inside its picture"),
    "weights of five keypoints": (
        lambda x, y: (x, y, np.ones((4, 5))),
        r"sample_weight has shape .*\(batch,\) or \(batch, 3\)",
    ),
    "weights of three dimensions": (
        lambda x, y: (x, y, np.ones((4, 3, 1))),
        r"sample_weight has shape",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_fit_refuses(model, good, what):
    change, message = WRONG[what]
    x, y, *weights = change(*good)
    with pytest.raises(KerasShrError, match=message) as error:
        model.fit(x, y, batch_size=4, sample_weight=weights[0] if weights else None, verbose=0)
    assert "\n" not in str(error.value)


def test_black_pictures_and_few_labels_are_legal(model, good):
    _, keypoints = good
    keypoints = keypoints.copy()
    keypoints[1:, :, 2] = 0
    model.fit(np.zeros((4, SIZE, SIZE, 3), "float32"), keypoints, batch_size=4, verbose=0)


def test_batches_are_looked_at_too(model, good):
    class Own(keras.utils.PyDataset):
        num_batches = 1

        def __getitem__(self, index):
            return good[0] / np.float32(255), good[1]

    # before a step: the perturbations, which run eagerly here, refuse them with another line
    with pytest.raises(KerasShrError, match="the model scales them itself"):
        model.fit(Own(), verbose=0)
    if TENSORFLOW:
        import tensorflow as tf

        floats = tf.data.Dataset.from_tensor_slices((good[0] / np.float32(255), good[1])).batch(2)
        with pytest.raises(KerasShrError, match="the model scales them itself"):
            model.fit(floats, shuffle=False, verbose=0)
        types = ("uint8", "float32")
        untold = tf.data.Dataset.from_generator(lambda: iter([good]), output_types=types)
        with pytest.raises(KerasShrError, match="output_signature"):
            model.fit(untold, steps_per_epoch=1, shuffle=False, verbose=0)


def test_evaluate_refuses_labels_of_another_shape(model, good):
    images, keypoints = good
    for wrong in (keypoints[:, :1], keypoints[..., :2]):
        with pytest.raises(KerasShrError, match=r"expected \(batch, 3, 3\)"):
            model.evaluate(images, wrong, batch_size=4, verbose=0)


@pytest.mark.parametrize("loss", [HeatmapMSE(), WeightedMultiLabelCE()])
def test_losses_refuse_maps_of_another_shape(loss):
    target = np.full((2, 8, 1, 3), 0.5, "float32")
    for shape in ((2, 8, 8, 3), (2, 8, 1, 1), (2, 8, 3)):
        with pytest.raises(KerasShrError, match=r"y_true has shape \(2, 8, 1, 3\) and y_pred"):
            loss(target, np.full(shape, 0.5, "float32"))


def test_a_network_without_shapes_is_refused():
    class Own(keras.Model):
        def call(self, images):
            return images

    for network in (Own(), keras.Sequential([keras.layers.Conv2D(3, 1)])):
        with pytest.raises(KerasShrError, match="give a Functional model"):
            PairedHeatmapModel(network)


@pytest.mark.parametrize(
    ("skeleton", "flip"),
    [(None, 0.0), (Skeleton.generic(KEYPOINTS), 0.0), (SKELETON, 0.5)],
)
def test_pictures_are_mirrored_where_left_and_right_are_known(skeleton, flip):
    model = PairedHeatmapModel(tiny_network(), skeleton=skeleton, augmentation={})
    assert model.augmentation.flip == flip
    asked = PairedHeatmapModel(tiny_network(), skeleton=skeleton, augmentation={"flip": 0.25})
    assert asked.augmentation.flip == 0.25
    assert knows_sides(HAND_21)


def test_a_regressor_without_a_skeleton_does_not_mirror():
    assert small_regressor().augmentation.flip == 0.0
    assert small_regressor(skeleton=SKELETON).augmentation.flip == 0.5


class Rates(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(float(self.model.optimizer.learning_rate))


def rates(model, good, **options):
    seen = Rates()
    callbacks = [seen, *options.pop("callbacks", [])]
    # One picture a step.
    model.fit(*good, batch_size=1, callbacks=callbacks, verbose=0, **options)
    return seen.seen


def test_a_model_that_is_trained_once_more_warms_up_anew(good, tmp_path):
    """Its schedule would otherwise stay where the first run ended, at a hundredth."""
    model = tiny_model()
    model.compile(run_eagerly=True)
    first = rates(model, good, epochs=2)
    assert max(first) == pytest.approx(2e-3)
    assert first[-1] < 0.1 * max(first)
    assert rates(model, good, epochs=2) == pytest.approx(first)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert rates(again, good, epochs=2) == pytest.approx(first)
    longer = rates(again, good, epochs=3, initial_epoch=2)  # goes on with a run of three epochs
    assert len(longer) == 4
    assert longer[0] < 0.5 * max(first)
    assert longer == sorted(longer, reverse=True)
    assert longer[-1] == pytest.approx(first[-1])


def test_a_run_that_goes_on_keeps_its_schedule(good, tmp_path):
    from keras_shr.callbacks import BackupAndResume

    whole, cut = tiny_model(), tiny_model()
    for model in (whole, cut):
        model.compile(run_eagerly=True)
    rates(cut, good, epochs=1)  # something before the run
    expected = rates(whole, good, epochs=3)
    seen = rates(cut, good, epochs=1, callbacks=[BackupAndResume(tmp_path)])
    new = tiny_model()
    new.compile(run_eagerly=True)
    seen = rates(new, good, epochs=3, callbacks=[BackupAndResume(tmp_path)])
    assert seen == pytest.approx(expected[4:])


def test_batches_of_the_package_pass(model):
    from model_helpers import dataset

    model.fit(Batches(dataset(4), 4), verbose=0)
