"""Following one thing along a video, and finding it in the first place."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prediction_helpers import POINTS, lamp_model, lamps

from keras_shr.data.images import SquareBox, check_square
from keras_shr.models import PairedHeatmapModel
from keras_shr.prediction import Prediction, Predictor, Tracker, search
from keras_shr.prediction.searching import squares_all_over


@pytest.fixture(scope="module")
def predictor():
    return Predictor(lamp_model(), method="centroid")


def test_a_track_does_not_grow_without_end():
    """Keypoints in two corners of every crop, sure of themselves: it starts over with the frame."""

    class Sure:
        margin = 1.8

        def squares(self, picture, boxes=None, where=""):
            return [SquareBox.of_image(*picture.shape[:2])]

        def predict_squares(self, pictures, squares, heatmaps=False):
            left, top, side = squares[0][0]
            corners = [[left, top, 1.0], [left + side, top + side, 1.0]]
            return [Prediction(np.array([corners]), np.array([[left, top, side, side]]))]

    track = Tracker(Sure(), search_every=0)
    sides = [track(np.zeros((48, 64, 3), np.uint8)).boxes[0, 2] for _ in range(60)]
    assert max(sides) <= 128
    assert sides.count(64) >= 10


def film(frames, step=4):
    """Lamps that wander through a large picture."""
    shift = [(150 + step * i, 100 + step * i // 2) for i in range(frames)]
    return [[(x / 2 + dx, y / 2 + dy) for x, y in POINTS] for dx, dy in shift]


def test_the_crop_follows(predictor):
    tracker = Tracker(predictor, lost=0.01, search_every=0)
    truth = film(25)
    widths = []
    for i, points in enumerate(truth):
        found = tracker(lamps(240, 400, points, 4))
        widths.append(found.boxes[0, 2])
        # First the whole frame, at 12.5 px a heatmap pixel; then closer.
        np.testing.assert_allclose(found.keypoints[0, :, :2], points, atol=9 if i == 0 else 3)
    assert widths[0] == 400
    assert 40 < widths[-1] < 60  # 1.8 times the keypoints' 25 px


def test_a_lost_track_begins_anew_with_the_whole_frame(predictor):
    tracker = Tracker(predictor, [160, 100, 60, 40], lost=0.3, search_every=0)
    frame = lamps(240, 400, film(1)[0], 4)
    assert tracker(frame).boxes[0, 2] == 75  # 1.25 times the given box
    assert tracker(frame).boxes[0, 2] < 75
    tracker(np.full_like(frame, 80))  # nothing to see: scores are low everywhere
    assert tracker(frame).boxes[0, 2] == 400


class Scripted:
    """A predictor whose scores and keypoints' spread, in sides of the crop, are given."""

    margin = 1.8

    def __init__(self, answers):
        self.answers = iter(answers)

    def squares(self, frame, boxes=None):
        return [SquareBox(0.0, 0.0, float(max(frame.shape[:2])))]

    def predict_squares(self, frames, squares, heatmaps):
        (square,) = squares[0]
        score, spread = next(self.answers)
        middle = np.array(square[:2]) + square.side / 2
        half = spread * square.side / 2
        points = np.array([[[*(middle - half), score], [*(middle + half), score]]])
        return [Prediction(points, np.array([[*square[:2], square.side, square.side]]))]


def sides(answers):
    tracker, frame = Tracker(Scripted(answers), search_every=0), np.zeros((480, 640, 3), np.uint8)
    return [float(tracker(frame).boxes[0, 2]) for _ in answers]


def test_a_track_whose_score_falls_is_lost():
    steady = [(0.75, 0.4)] + 19 * [(0.75, 1 / 1.8)]
    followed = 640 * 1.8 * 0.4
    # A blurred frame is not the end; one of .22, as models answer to nothing, is.
    found = sides([*steady, (0.5, 1 / 1.8), (0.22, 1 / 1.8), (0.75, 0.4), (0.75, 0.4)])
    assert found[1:22] == pytest.approx(21 * [followed])
    assert found[22] == 640
    # A model that always scores low is followed all the same.
    found = sides([(0.2, 0.4), *(9 * [(0.2, 1 / 1.8)])])
    assert found[1:] == pytest.approx(9 * [followed])


def test_a_crop_that_shrinks_on_nothing_is_given_up():
    steady = [(0.75, 0.4)] + 19 * [(0.75, 1 / 1.8)]
    found = sides([*steady, *(60 * [(0.7, 0.3)])])
    assert found[20:].count(640) >= 5  # it looks for the hand in the whole frame again and again
    assert min(found) > 16
    # From the first frame on, where there is no track to compare with.
    found = sides(60 * [(0.22, 0.2)])
    assert found.count(640) >= 5


def test_a_thing_as_large_as_the_frame_is_not_lost():
    """Its keypoints span the frame, and its crop 1.8 of it."""
    found = sides([(0.8, 1.0), *(30 * [(0.8, 1 / 1.8)])])
    assert found.count(640) == 1
    assert found[-1] == pytest.approx(1.8 * 640)


def test_the_tracker_tells_the_filter_how_large_the_crop_is(predictor):
    scales = []

    class Filter:
        def reset(self):
            pass

        def __call__(self, points, scale):
            scales.append(scale)
            return points + 1

    tracker = Tracker(predictor, lost=0.01, search_every=0, filter=Filter())
    plain = Tracker(predictor, lost=0.01, search_every=0)
    for points in film(3):
        frame = lamps(240, 400, points, 4)
        found = tracker(frame)
        np.testing.assert_allclose(
            found.keypoints[..., :2], plain(frame).keypoints[..., :2] + 1, rtol=1e-6
        )
        assert scales[-1] == pytest.approx(256 / found.boxes[0, 2])
    assert scales[0] == 256 / 400
    assert scales[2] > 2


# Searching


class Hand:
    """A model that knows one thing: at `place`, `size` long, and scores by how it fills a crop."""

    margin = 1.8

    def __init__(self, place, size, score=0.95, nothing=0.4):
        self.place, self.size, self.score, self.nothing = np.array(place), size, score, nothing
        self.looks = []

    def squares(self, picture, boxes=None, where=""):
        if boxes is not None:
            return [SquareBox.of_rectangle(*boxes[0])]
        return [SquareBox.of_image(*picture.shape[:2])]

    def predict_squares(self, pictures, squares, heatmaps=False):
        (squares,) = squares
        self.looks.append(len(squares))
        return [Prediction(*map(np.stack, zip(*map(self._answer, squares), strict=True)))]

    def _answer(self, square):
        middle = np.array(square[:2]) + square.side / 2 - 0.5
        off = np.abs(self.place - middle).max() / square.side
        fill = 1.8 * self.size / square.side
        known = self.score is not None and off < 0.3 and 0.4 < fill < 1.8
        place = self.place if known else middle
        half = (self.size if known else square.side / 1.8) / 2
        score = self.score * (1 - 0.1 * abs(np.log(fill))) if known else self.nothing
        points = [[*(place - half), score], [*(place + half), score]]
        return np.array(points, "float32"), np.array([*square, square.side], "float32")


@given(st.integers(20, 3000), st.integers(20, 3000), st.floats(0, 1), st.floats(0, 1))
def test_squares_all_over(height, width, across, down):
    whole, *squares = squares_all_over(height, width)
    assert whole == SquareBox.of_image(height, width)
    assert all(s.side >= 16 for s in squares)
    point = np.array([across * width, down * height])
    for side in {s.side for s in squares}:
        offsets = [point - s[:2] - side / 2 for s in squares if s.side == side]
        # Near the middle of one, but for the half of a square along the picture's edges.
        inside = np.clip(point, side / 2, [max(v - side / 2, side / 2) for v in (width, height)])
        room = np.abs(point - inside) + side / 4 + 1e-6
        room[[side >= width, side >= height]] = np.inf
        assert any((np.abs(o) <= room).all() for o in offsets)


def test_how_many_squares():
    assert len(squares_all_over(480, 640)) == 29
    assert len(squares_all_over(512, 512)) == 1 + 4 + 9 + 25


@settings(max_examples=50)
@given(st.floats(0.2, 0.8), st.floats(0.2, 0.8), st.floats(0.15, 0.6))
def test_what_a_model_knows_is_found_anywhere(across, down, share):
    frame = np.zeros((480, 640, 3), np.uint8)
    hand = Hand((640 * across, 480 * down), 640 * share)
    found = search(hand, frame)
    assert found.keypoints.shape == (1, 2, 3)
    np.testing.assert_allclose(found.keypoints[0, :, :2].mean(0), hand.place, atol=1e-2)
    assert found.boxes[0, 2] == pytest.approx(1.8 * hand.size, rel=1e-3)
    assert found.heatmaps is None
    assert hand.looks == [29, 4, 4]


def test_a_search_keeps_the_heatmaps_of_what_it_found(predictor):
    points = [(x / 4 + 300, y / 4 + 40) for x, y in POINTS]
    found = search(predictor, lamps(240, 400, points, 4), heatmaps=True)
    np.testing.assert_allclose(found.keypoints[0, :, :2], points, atol=1.5)
    assert found.heatmaps.shape == (1, 32, 32, 3)
    assert found.boxes.shape == (1, 4)


def test_a_search_of_keypoints_strewn_over_a_large_picture_stays_in_bounds():
    """A crop may be twice as wide as a large picture; keypoints all over it ask for more."""

    class Strewn(Hand):
        def _answer(self, square):
            corners = [square[:2], np.add(square[:2], square.side)]
            check_square(square, np.empty((5, 20_000, 0)), 32, "picture")
            points = [[*corner, 0.2] for corner in corners]
            return np.array(points, "float32"), np.array([*square, square.side], "float32")

    found = search(Strewn((0, 0), 1), np.zeros((5, 20_000, 3), np.uint8))
    assert found.boxes[0, 2] <= 40_000


def searches(tracker, hand, frames):
    """The numbers of the frames that are searched."""
    found = []
    for number in range(frames):
        hand.looks.clear()
        tracker(np.zeros((480, 640, 3), np.uint8))
        if 29 in hand.looks:
            found.append(number)
    return found


def test_when_a_track_searches():
    assert searches(Tracker(hand := Hand((500, 100), 120)), hand, 70) == [0]  # sure: no need to
    unsure = Hand((500, 100), 120, score=0.6)
    assert searches(Tracker(unsure), unsure, 70) == [0, 30, 60]
    assert searches(Tracker(unsure, search_every=5), unsure, 12) == [0, 5, 10]
    assert searches(Tracker(unsure, search_every=0), unsure, 70) == []
    tracker = Tracker(unsure, [440, 40, 120, 120])  # pointed at
    assert searches(tracker, unsure, 70) == []
    tracker.reset()
    assert searches(tracker, unsure, 31) == [0, 30]
    lost = Hand((500, 100), 120, score=None, nothing=0.05)
    assert searches(Tracker(lost), lost, 70) == [0, 30, 60]


def test_a_track_on_nothing_is_left_for_the_hand_that_comes():
    hand = Hand((500, 100), 120, score=None, nothing=0.6)
    tracker, frame = Tracker(hand), np.zeros((480, 640, 3), np.uint8)
    for _ in range(20):
        tracker(frame)
    hand.score = 0.65  # not 15 % surer
    assert all(tracker(frame).scores[0] == pytest.approx(0.6) for _ in range(20))
    hand.score = 0.95
    found = [tracker(frame) for _ in range(30)]
    assert found[0].scores[0] == pytest.approx(0.6)
    np.testing.assert_allclose(found[-1].keypoints[0, :, :2].mean(0), hand.place, atol=1e-2)


# Other models than those of hands


class Face(Hand):
    """Keypoints that cover a quarter of what the model was trained on; in place only if a crop
    shows that, and none of a size if `single`."""

    def __init__(self, place, size, margin, single=False):
        super().__init__(place, size / 4)
        self.margin, self.single = margin, single

    def _answer(self, square):
        fill = 5 * self.size / square.side
        middle = np.array(square[:2]) + square.side / 2 - 0.5
        known = np.abs(self.place - middle).max() < 0.3 * square.side and 0.4 < fill < 1.8
        score = 0.9 - 0.3 * min(1, abs(np.log(fill))) if known else 0.15
        place = self.place if known else middle
        half = 0 if self.single else self.size / 2 if known else square.side / self.margin / 2
        points = [[*(place - half), score], [*(place + half), score]]
        return np.array(points, "float32"), np.array([*square, square.side], "float32")


@pytest.mark.parametrize(("margin", "single"), [(5, False), (1.8, True)])
def test_a_search_and_a_track_of_keypoints_that_are_no_hands(margin, single):
    """A margin that was measured on hands cuts off what a face's model needs to see; and one
    keypoint has no box that a margin could be a part of."""
    frame = np.zeros((480, 640, 3), np.uint8)
    face = Face((300, 250), 200, margin, single)
    found = search(face, frame)
    assert found.scores[0] > 0.7
    np.testing.assert_allclose(found.keypoints[0].mean(0)[:2], face.place, atol=1e-3)
    tracker = Tracker(face)
    for number in range(40):
        face.place = np.array([300 + 2 * number, 250])
        found = tracker(frame)
        assert found.scores[0] > 0.7
        np.testing.assert_allclose(found.keypoints[0].mean(0)[:2], face.place, atol=1e-3)
    assert face.looks.count(29) <= 3  # the first ones, and one for something surer
    if not single:
        face.margin = 1.8
        assert search(face, frame).scores[0] < 0.2
        assert search(face, frame, margin=5).scores[0] > 0.7
        assert Tracker(face, margin=5)(frame).scores[0] > 0.7
        face.margin = 5


def test_one_keypoint_keeps_the_size_of_its_crop():
    images = keras.Input((32, 32, 3))
    light = keras.layers.Conv2D(1, 1, use_bias=False)
    network = keras.Model(images, light(images))
    light.set_weights([np.full((1, 1, 3, 1), 0.1, "float32")])
    predictor = Predictor(PairedHeatmapModel(network, rcc=None))
    frame = lamps(240, 320, [(200, 150)] * 3, 12)
    found = search(predictor, frame)
    np.testing.assert_allclose(found.keypoints[0, 0, :2], [200, 150], atol=2)
    assert found.boxes[0, 2] >= 320 / 3 - 1
    tracker = Tracker(predictor, [160, 110, 80, 80], search_every=0)
    assert [tracker(frame).boxes[0, 2] for _ in range(5)] == [100] * 5
