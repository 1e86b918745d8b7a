"""What the rendering package writes in RHD's and STB's layout, the readers read back."""

import numpy as np
import pytest

from keras_shr.data import RHDReader, STBReader, open_data
from keras_shr.data.base import place_in_crop
from keras_shr.data.hand_crop import hand_box


def test_rhd_keypoints_agree(tmp_path):
    writer = pytest.importorskip("keras_shr.rendering.rhd_writer")
    writer.write_rhd(tmp_path, training=2, evaluation=1, seed=3)
    reader = open_data(tmp_path, "train", size=128)
    assert isinstance(reader, RHDReader)
    assert len(reader) == 2
    sides = []
    for index, record in enumerate(reader):
        scene = writer.rhd_scene(3, "training", index)
        left = np.count_nonzero((scene["mask"] > 1) & (scene["mask"] < 18))
        first = 0 if left > np.count_nonzero(scene["mask"] >= 18) else 21
        sides.append(first)
        # RHD's joint i is HAND_21's joint FROM_HAND_21[i]: the writer's table, not the reader's.
        hand = np.empty((21, 3))
        hand[writer.FROM_HAND_21] = scene["uv_vis"][first : first + 21]
        hand[:, 2] += 1
        expected = place_in_crop(hand, hand_box(hand), 128)
        np.testing.assert_allclose(record.keypoints, expected, atol=1e-3)
        # The 3-D labels fall on the same pixels.
        projected = scene["xyz"][first : first + 21] @ scene["K"].T
        uv = projected[:, :2] / projected[:, 2:]
        np.testing.assert_allclose(uv, scene["uv_vis"][first : first + 21, :2], atol=1e-6)
    assert (RHDReader(tmp_path, "evaluation")[0].keypoints[:, 2] > 0).all()


@pytest.mark.parametrize(("sensor", "camera"), [("BB", "BB_left"), ("SK", "SK_color")])
def test_stb_keypoints_agree(tmp_path, sensor, camera):
    writer = pytest.importorskip("keras_shr.rendering.stb_writer")
    sequences = ("B1Random", "B2Counting")
    writer.write_stb(tmp_path, frames=2, seed=4, sequences=sequences, cameras=(camera,))
    for split, sequence in (("test", "B1Random"), ("train", "B2Counting")):
        reader = STBReader(tmp_path, split, sensor, size=128)
        assert [r.group for r in reader] == [sequence] * 2
        _, hands = writer.stb_sequence(4, sequence, 2)
        for record, hand in zip(reader, hands, strict=True):
            points = writer.to_camera(hand.keypoints(), camera) @ writer.CAMERAS[camera].T
            expected = np.full((21, 3), 2.0)
            expected[:, :2] = points[:, :2] / points[:, 2:]  # the true wrist, not made from palm
            expected = place_in_crop(expected, hand_box(expected), 128)
            np.testing.assert_allclose(record.keypoints, expected, atol=1e-2)
