"""One picture, one perturbation, two models: numbers, pictures and HTML, without gradio."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_shr import drawing
from keras_shr.app import Comparer, field_of_view, views
from keras_shr.app.comparison import KINDS
from keras_shr.app.examples import write_examples
from keras_shr.data import read_image
from keras_shr.errors import KerasShrError
from keras_shr.models import PairedHeatmapModel
from keras_shr.perturbations import reference, sensor
from keras_shr.skeletons import Skeleton
from tests.prediction.prediction_helpers import SKELETON, lamp_model, lamps

POINTS = [(8, 10), (20, 9), (14, 22)]


@pytest.fixture(scope="module")
def picture():
    return lamps(32, 32, POINTS, 2)


@pytest.fixture(scope="module")
def models():
    return {"baseline": lamp_model(), "ours": lamp_model()}


@pytest.fixture
def comparer(models):
    return Comparer(models)


class Shift:
    """In a perturber's place: moves the picture to the right, by its severity."""

    def perturb(self, kind, severity, images, seeds):
        return np.roll(images, severity, axis=2)


def test_moves_are_pixels_of_a_256_px_crop(comparer, picture):
    comparer._perturber = Shift()
    found = comparer(picture, "snow", 3)
    assert [answer.name for answer in found.answers] == ["baseline", "ours"]
    for answer in found.answers:
        np.testing.assert_allclose(answer.before[:, :2], POINTS, atol=0.1)
        np.testing.assert_allclose(answer.after[:, :2], np.add(POINTS, (3, 0)), atol=0.1)
        np.testing.assert_allclose(answer.moved, 3 * 256 / 32, atol=0.1)
        assert answer.maps_before.shape == answer.maps_after.shape == (32, 32, 3)
    np.testing.assert_array_equal(found.clean, picture)
    np.testing.assert_array_equal(found.perturbed, np.roll(picture, 3, axis=1))


def test_the_search_looks_at_crops_as_wide_as_asked_for(models, picture):
    assert {p.margin for p in Comparer(models).predictors.values()} == {1.8}
    assert {p.margin for p in Comparer(models, margin=5).predictors.values()} == {5}


def test_the_models_answer_for_themselves(models, picture):
    """A network that swaps its first two channels swaps the moves of the first two keypoints."""
    swapped = lamp_model()
    (weights,) = swapped.get_weights()
    swapped.set_weights([weights[..., [1, 0, 2]]])
    comparer = Comparer({"plain": models["ours"], "swapped": swapped})
    dark = picture.copy()
    dark[..., 0] = 0
    dark[1, 1, 0] = 255  # the red lamp jumps from (8, 10) to (1, 1)
    comparer._perturber = type("Jump", (), {"perturb": lambda *_: dark[None]})()
    found = comparer(picture, "snow", 1)
    jump = np.hypot(7, 9) * 256 / 32
    plain, other = (answer.moved for answer in found.answers)
    np.testing.assert_allclose(plain, [jump, 0, 0], atol=0.5)
    np.testing.assert_allclose(other, [0, jump, 0], atol=0.5)
    assert found.furthest in (0, 1)


def test_severity_0_changes_nothing(comparer, picture):
    found = comparer(picture, "snow", 0)
    np.testing.assert_array_equal(found.perturbed, found.clean)
    for answer in found.answers:
        np.testing.assert_array_equal(answer.moved, 0)


@pytest.mark.parametrize(
    ("kind", "function"), [("shot_noise", reference.perturb), ("hot_pixels", sensor.perturb)]
)
def test_the_picture_is_the_one_that_evaluate_would_see(comparer, picture, kind, function):
    found = comparer(picture, kind, 4, seed=11)
    np.testing.assert_array_equal(found.perturbed, function(picture, kind, 4, 11))
    again = comparer(picture, kind, 4, seed=11)
    np.testing.assert_array_equal(again.perturbed, found.perturbed)
    assert (comparer(picture, kind, 4, seed=12).perturbed != found.perturbed).any()


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind(comparer, picture, kind):
    # Half as bright and on grey: pure colours cannot be saturated further.
    found = comparer(picture // 2 + 60, kind, 5, seed=3)
    assert (found.perturbed != found.clean).any()
    assert all(np.isfinite(answer.moved).all() for answer in found.answers)


@pytest.mark.parametrize("size", [(1, 1), (90, 40), (300, 400)])
def test_pictures_without_a_hand(comparer, size):
    found = comparer(np.full((*size, 3), 90, np.uint8), "contrast", 3)
    assert all(np.isfinite(answer.moved).all() for answer in found.answers)
    assert "nan" not in views.table(found, 0)


def test_a_square_of_the_picture():
    wide = np.zeros((100, 160, 3), np.uint8)
    assert field_of_view(wide) == (0, -30, 160)
    assert field_of_view(wide, zoom=2) == (40, 10, 80)
    assert field_of_view(wide, (40, 60), 4) == (20.5, 40.5, 40)
    with pytest.raises(KerasShrError, match="zoom is 0"):
        field_of_view(wide, zoom=0)


def test_looking_closer_finds_the_same_place(comparer):
    large = lamps(200, 300, [(x + 150, y + 100) for x, y in POINTS], 2)
    found = comparer(large, "snow", 0, square=field_of_view(large, (165, 115), 300 / 32))
    # The crop starts at 165.5 - 16 = 149.5, 99.5 and keeps the picture's resolution.
    np.testing.assert_allclose(found.answers[0].before[:, :2], POINTS, atol=0.6)


def test_models_of_different_sizes_see_one_crop(picture):
    comparer = Comparer({"small": lamp_model(32), "large": lamp_model(64)})
    assert comparer.size == 64
    found = comparer(picture, "snow", 0)
    assert found.clean.shape == (64, 64, 3)
    small, large = (answer.before[:, :2] for answer in found.answers)
    np.testing.assert_allclose(small, large, atol=1)
    np.testing.assert_allclose(large, np.add(POINTS, 0.5) * 2 - 0.5, atol=0.5)


def test_errors(comparer, models, picture):
    with pytest.raises(KerasShrError, match="unknown perturbation 'fog'; the kinds are brightness"):
        comparer(picture, "fog", 0)
    with pytest.raises(KerasShrError, match="severities is"):
        comparer(picture, "snow", 6)
    images = keras.Input((32, 32, 3))
    other = PairedHeatmapModel(
        keras.Model(images, keras.layers.Conv2D(2, 1)(images)), skeleton=Skeleton("two", ("a", "b"))
    )
    message = r"model 'other' finds 2 keypoints \(two\), model 'ours' 3 \(lamps\)"
    with pytest.raises(KerasShrError, match=message):
        Comparer({"ours": models["ours"], "other": other})


# What is shown


def test_the_headline_says_mean_and_largest(comparer, picture):
    comparer._perturber = Shift()
    answer = comparer(picture, "snow", 2).answers[1]
    answer = replace(answer, moved=np.array([1, 2, 12.04]))
    text = views.headline(answer, SKELETON)
    assert "<h2>ours</h2>" in text
    assert "<b>5.0 px</b> moved on average" in text
    assert "<b>12.0 px</b> at most (blue)" in text


def test_the_table_has_a_row_for_each_keypoint(comparer, picture):
    found = comparer(picture, "snow", 0)
    answer = replace(found.answers[0], moved=np.array([0.5, 60, 2]))
    text = views.table(replace(found, answers=(answer, found.answers[1])), 1)
    assert text.count("<tr") == 1 + len(SKELETON)
    assert "<tr class='shr-chosen'><th>green</th>" in text
    assert "width:70.0%'></span>60.0</td>" in text  # the longest bar
    assert "width:0.6%'></span>0.5</td>" in text  # 70 * .5 / 60


def test_names_cannot_become_markup(comparer, picture):
    found = comparer(picture, "snow", 0)
    skeleton = Skeleton("bad", ("<b>x", "y", "z"))
    found = replace(found, skeleton=skeleton)
    shown = [views.table(found, 0), views.caption(found, 0)]
    shown.append(views.headline(found.answers[0], skeleton))
    for text in shown:
        assert "&lt;b&gt;x" in text
        assert "<b>x" not in text


def test_the_picture_shows_both_places(comparer, picture):
    comparer._perturber = Shift()
    found = comparer(picture, "snow", 6)
    answer = found.answers[0]
    drawn = views.moved_picture(found, answer, 2, width=512).astype(int)

    def near(point, color):
        x, y = np.round((np.asarray(point) + 0.5) * 512 / 32).astype(int)
        return (np.abs(drawn[y - 2 : y + 3, x - 2 : x + 3] - color).sum(-1) < 60).any()

    for i, (x, y) in enumerate(POINTS):
        assert near((x, y), drawing.SKY)
        assert near((x + 6, y), drawing.VERMILION if i == 2 else drawing.ORANGE)
    white = np.abs(drawn - 255).sum(-1) < 90
    assert white[round(10.5 * 16), round(9.5 * 16) : (13 * 16)].any()  # the way of the first


def test_heatmaps_show_the_peak_in_both(comparer, picture):
    comparer._perturber = Shift()
    found = comparer(picture, "snow", 6)
    pair = views.heatmaps(found, found.answers[0], 1, width=128)
    for image, x in zip(pair, (20, 26), strict=True):
        assert image.shape == (128, 128, 3)
        peak = np.unravel_index(image.astype(int).sum(-1).argmax(), (128, 128))
        np.testing.assert_allclose(peak, ((9 + 0.5) * 4, (x + 0.5) * 4), atol=4)


def test_the_examples_are_pictures(tmp_path):
    paths = write_examples(tmp_path, 32)
    assert len(set(paths)) == 4
    assert all(read_image(path).shape == (32, 32, 3) for path in paths)
