"""Pictures with what was found in them."""

import numpy as np
import pytest
from prediction_helpers import POINTS, SKELETON, lamp_model, lamps

from keras_shr.prediction import Predictor
from keras_shr.prediction.drawing import annotated


@pytest.mark.parametrize("shape", [(240, 320), (90, 120)])
def test_frames_with_and_without_a_find_are_of_one_size(shape):
    """A video takes no others; a low score leaves a frame without one."""
    picture = lamps(*shape, [(x * shape[1] / 160, y * shape[0] / 120) for x, y in POINTS])
    found = Predictor(lamp_model())(picture, heatmaps=True, whole=True)
    nothing = found.at_least(1.1)
    assert [len(found.scores), len(nothing.scores)] == [1, 0]
    sizes = {annotated(picture, one, SKELETON, shape[1]).shape for one in (found, nothing)}
    assert sizes == {(max(shape[0], 256), shape[1] + 256, 3)}


def test_a_strip_is_not_drawn_larger_than_a_file_can_be():
    found = Predictor(lamp_model())(lamps(3000, 2, [(0, 9)] * 3), whole=True)
    height, width, _ = annotated(np.zeros((3000, 2, 3), np.uint8), found, SKELETON).shape
    assert (height, width) == (7500, 5)
