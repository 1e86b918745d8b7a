"""Starting from a trained model: the same one, or its weights under other keypoints."""

import keras
import numpy as np
import pytest
from model_helpers import SKELETON, numpy, small_regressor, tiny_model

from keras_shr.data import open_data
from keras_shr.errors import KerasShrError
from keras_shr.models import (
    StableHeatmapRegressor,
    load_trained,
    pretrained,
    pretrained_names,
    pretrained_path,
)
from keras_shr.skeletons import HAND_21, Skeleton
from tests.dots import SIZE, pictures

OTHER = Skeleton("four", ("top", "nose", "left", "tail"))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A small model whose last layer's channels can be told apart, and its file."""
    model = small_regressor(skeleton=SKELETON)
    kernel, bias = model.network.layers[-1].weights
    kernel.assign(np.random.default_rng(0).normal(size=kernel.shape))
    bias.assign([1.0, 2.0, 3.0])
    path = tmp_path_factory.mktemp("trained") / "dots.keras"
    model.save(path)
    return model, path


def test_a_file_comes_back_as_it_is(saved):
    model, path = saved
    images, _ = pictures(2)
    again = StableHeatmapRegressor.from_pretrained(path)
    np.testing.assert_allclose(numpy(again(images)), numpy(model(images)), atol=1e-6)
    assert again.skeleton == SKELETON
    assert again.get_config() == load_trained(path).get_config()


def test_other_keypoints_take_over_all_but_what_is_new(saved):
    model, path = saved
    new = StableHeatmapRegressor.from_pretrained(path, skeleton=OTHER)
    assert new.num_keypoints == 4
    assert new.skeleton == OTHER
    old_weights, new_weights = model.network.weights[:-2], new.network.weights[:-2]
    for a, b in zip(old_weights, new_weights, strict=True):
        np.testing.assert_array_equal(numpy(a), numpy(b))
    (kernel, bias), (before, _) = (m.network.layers[-1].weights for m in (new, model))
    # "top" was the third and is the first, "left" was the first and is the third.
    np.testing.assert_array_equal(numpy(kernel)[..., 0], numpy(before)[..., 2])
    np.testing.assert_array_equal(numpy(kernel)[..., 2], numpy(before)[..., 0])
    np.testing.assert_array_equal(numpy(bias), [3, 0, 1, 0])
    # It was saved with mirrored pairs of other keypoints; here "left" has no counterpart.
    assert new.augmentation.flip_order == (0, 1, 2, 3)
    assert new.augmentation.flip == 0
    paired = Skeleton("four", ("top", "right", "left", "tail"), flip_pairs=((1, 2),))
    mirrored = StableHeatmapRegressor.from_pretrained(path, skeleton=paired)
    assert mirrored.augmentation.flip_order == (0, 2, 1, 3)
    assert mirrored.augmentation.flip == model.augmentation.flip


def test_equally_many_keypoints_in_another_order_are_told_by_their_names(saved):
    model, path = saved
    names = SKELETON.keypoints
    assert len(names) == 3
    turned = Skeleton("turned", (names[2], names[0], "tail"))
    new = StableHeatmapRegressor.from_pretrained(path, skeleton=turned)
    (kernel, bias), (before, _) = (m.network.layers[-1].weights for m in (new, model))
    np.testing.assert_array_equal(numpy(kernel)[..., :2], numpy(before)[..., [2, 0]])
    np.testing.assert_array_equal(numpy(bias), [3, 1, 0])
    assert np.abs(numpy(kernel)[..., 2] - numpy(before)[..., 2]).max() > 0.1
    for a, b in zip(model.network.weights[:-2], new.network.weights[:-2], strict=True):
        np.testing.assert_array_equal(numpy(a), numpy(b))
    # Without names they are taken in their order.
    plain = StableHeatmapRegressor.from_pretrained(path, skeleton=Skeleton.generic(3))
    np.testing.assert_array_equal(numpy(plain.network.layers[-1].weights[1]), [1, 2, 3])


@keras.saving.register_keras_serializable(package="test_pretrained")
class Still(keras.layers.Layer):
    """An augmentation that someone wrote, of which nothing is known."""

    def call(self, images, keypoints, seed=None):
        return images, keypoints


def test_an_augmentation_of_the_users_own_is_not_guessed(tmp_path):
    small_regressor(skeleton=SKELETON, augmentation=Still()).save(tmp_path / "own.keras")
    start = StableHeatmapRegressor.from_pretrained
    assert type(start(tmp_path / "own.keras").augmentation) is Still
    with pytest.raises(KerasShrError, match="of its own, Still, which may not"):
        start(tmp_path / "own.keras", num_keypoints=5)
    new = start(tmp_path / "own.keras", num_keypoints=5, augmentation={"rotation": 5.0})
    assert new.augmentation.rotation == 5.0


def test_a_mere_number_is_not_mirrored(saved):
    _, path = saved
    new = StableHeatmapRegressor.from_pretrained(path, num_keypoints=5)
    assert new.skeleton is None
    assert new.augmentation.flip == 0
    numbered = StableHeatmapRegressor.from_pretrained(path, skeleton=Skeleton.generic(5))
    assert numbered.augmentation.flip == 0
    assert numpy(new(pictures(1)[0])).shape[-1] == 5


def test_another_size_and_a_frozen_backbone(saved):
    model, path = saved
    new = StableHeatmapRegressor.from_pretrained(path, freeze=True, image_size=2 * SIZE)
    assert new.image_size == (2 * SIZE, 2 * SIZE)
    assert new.skeleton == SKELETON
    assert new.augmentation.get_config()["flip_order"] == model.augmentation.flip_order
    assert not new.get_backbone().trainable
    frozen = [numpy(w).copy() for w in new.get_backbone().weights]
    head = [numpy(w).copy() for w in new.trainable_weights]
    assert 0 < len(head) < len(new.network.weights)
    images, keypoints = pictures(2)
    images = np.repeat(np.repeat(images, 2, 1), 2, 2)
    new.compile(keras.optimizers.Adam(0.1), run_eagerly=True)
    new.train_on_batch(images, keypoints)
    for before, after in zip(frozen, new.get_backbone().weights, strict=True):
        np.testing.assert_array_equal(before, numpy(after))
    assert any((a != numpy(b)).any() for a, b in zip(head, new.trainable_weights, strict=True))


def test_only_the_architecture_of_a_regressor_can_be_changed(tmp_path):
    path = tmp_path / "tiny.keras"
    tiny_model().save(path)
    assert StableHeatmapRegressor.from_pretrained(path).num_keypoints == 3
    with pytest.raises(KerasShrError, match=r"PairedHeatmapModel, whose architecture"):
        StableHeatmapRegressor.from_pretrained(path, num_keypoints=2)
    with pytest.raises(KerasShrError, match=r"cannot be changed \(freeze\); give"):
        StableHeatmapRegressor.from_pretrained(path, freeze=True)


def test_a_network_without_a_backbone_is_not_frozen_as_a_whole(tmp_path, monkeypatch):
    path = tmp_path / "dots.keras"
    small_regressor(skeleton=SKELETON).save(path)
    monkeypatch.setattr(StableHeatmapRegressor, "get_backbone", lambda self: self.network)
    with pytest.raises(KerasShrError, match=r"no backbone of its own.* leave freeze out"):
        StableHeatmapRegressor.from_pretrained(path, freeze=True)


def test_a_file_of_another_kind_is_no_start(saved):
    with pytest.raises(KerasShrError, match=r"a Sequential is no model of keras_shr; wrap it"):
        pretrained.transfer_weights(keras.Sequential([keras.layers.Dense(1)]), saved[0])


def test_networks_that_differ_in_more_are_refused(saved):
    model, _ = saved
    with pytest.raises(KerasShrError, match="the saved network has"):
        pretrained.transfer_weights(model, tiny_model())
    wider = small_regressor(skeleton=SKELETON, filters=20)
    with pytest.raises(KerasShrError, match=r"the saved network has .* of \("):
        pretrained.transfer_weights(model, wider)


def test_errors_name_what_there_is(tmp_path, monkeypatch):
    with pytest.raises(KerasShrError, match=r"'foot'; the trained ones are hand"):
        pretrained_path("foot")
    broken = tmp_path / "broken.keras"
    broken.write_bytes(b"no model")
    with pytest.raises(KerasShrError, match=r"broken\.keras cannot be loaded"):
        load_trained(broken)
    monkeypatch.setattr(pretrained, "_FOLDERS", (tmp_path / "nowhere",))
    with pytest.raises(KerasShrError, match="missing from this installation"):
        pretrained_path("hand")


@pytest.mark.parametrize("name", pretrained_names())
def test_the_models_in_the_box(name):
    """They load, are small enough to ship and know what a hand is."""
    path = pretrained_path(name)
    assert path.stat().st_size < 12e6
    model = load_trained(path)
    assert model.skeleton == HAND_21
    assert getattr(model, "optimizer", None) is None
    maps = numpy(model(np.zeros((1, *model.image_size, 3), "uint8")))
    assert maps.shape == (1, *model.heatmap_size, 21)
    assert np.isfinite(maps).all()


def test_the_box_is_not_empty():
    assert {"hand", "hand-rendered"} <= set(pretrained_names())


def test_scores_of_a_trained_model_fall_where_there_is_no_hand():
    reader = open_data("rendered:4?seed=11", "val", size=128)
    hands = np.stack([reader[i].image for i in range(len(reader))])
    noise = np.random.default_rng(0).integers(0, 256, hands[0].shape, dtype=np.uint8)
    empty = np.stack([np.zeros_like(noise), np.full_like(noise, 128), noise])
    model = load_trained("hand-rendered")
    scores = model.predict_keypoints(np.concatenate([hands, empty]))[..., 2].mean(axis=1)
    assert scores[: len(hands)].min() > 2 * scores[len(hands) :].max()


def test_what_is_frozen_stays_frozen_in_the_file(saved, tmp_path):
    frozen = StableHeatmapRegressor.from_pretrained(saved[1], freeze=True)
    learning = len(frozen.trainable_variables)
    assert learning < len(saved[0].trainable_variables)
    frozen.save(tmp_path / "frozen.keras")
    again = keras.saving.load_model(tmp_path / "frozen.keras")
    assert len(again.trainable_variables) == learning
    assert not again.get_backbone().trainable
    free = StableHeatmapRegressor.from_pretrained(tmp_path / "frozen.keras")
    assert len(free.trainable_variables) == len(saved[0].trainable_variables)
    other = StableHeatmapRegressor.from_pretrained(tmp_path / "frozen.keras", num_keypoints=5)
    assert len(other.trainable_variables) == len(saved[0].trainable_variables)


def test_a_model_that_was_frozen_as_a_whole_learns_again(saved, tmp_path):
    model = small_regressor(skeleton=SKELETON)
    model.trainable = False
    model.save(tmp_path / "still.keras")
    for changes in ({}, {"num_keypoints": 5}):
        free = StableHeatmapRegressor.from_pretrained(tmp_path / "still.keras", **changes)
        assert len(free.trainable_variables) == len(saved[0].trainable_variables)


@pytest.mark.parametrize("norms", [False, True])
def test_a_frozen_backbone_of_ones_own_learns_again(tmp_path, norms):
    """Its layers say in the file that they do not learn."""
    images = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(4, 3, 4, padding="same")(images)
    x = keras.layers.BatchNormalization()(x)
    backbone = keras.Model(images, x)
    options = {"heatmap_stride": 2, "filters": 4, "frozen_batch_norm": norms}
    model = StableHeatmapRegressor(3, image_size=32, backbone=backbone, **options)
    learning = len(model.trainable_variables)
    model.save(tmp_path / "own.keras")
    frozen = StableHeatmapRegressor.from_pretrained(tmp_path / "own.keras", freeze=True)
    assert len(frozen.trainable_variables) < learning
    frozen.save(tmp_path / "frozen.keras")
    for changes in ({}, {"num_keypoints": 5}):
        free = StableHeatmapRegressor.from_pretrained(tmp_path / "frozen.keras", **changes)
        assert len(free.trainable_variables) == learning
    change = {"frozen_batch_norm": not norms}
    other = StableHeatmapRegressor.from_pretrained(tmp_path / "own.keras", **change)
    assert len(other.trainable_variables) == learning + (2 if norms else -2)


def test_weights_and_dictionaries(saved):
    with pytest.raises(KerasShrError, match=r"weights=...\): the weights are those of the file"):
        StableHeatmapRegressor.from_pretrained(saved[1], weights="imagenet")
    new = StableHeatmapRegressor.from_pretrained(saved[1], skeleton=OTHER.to_dict())
    assert (new.skeleton, new.num_keypoints) == (OTHER, 4)
