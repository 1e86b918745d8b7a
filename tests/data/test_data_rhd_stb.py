import pickle

import numpy as np
import pytest

from keras_shr.data import RHDReader, STBReader
from keras_shr.data.base import place_in_crop
from keras_shr.data.hand_crop import hand_box
from keras_shr.errors import DataError
from keras_shr.heatmaps import in_frame
from keras_shr.skeletons import HAND_21
from tests.small_sets import RHD_LEFT, RHD_RIGHT, STB_HAND, save


def test_rhd_pixel_worked_out_on_paper(rhd_root):
    # Frame 0, left hand. Middle MCP (RHD's index 12) at (160, 150). The farthest visible keypoint
    # is the thumb's tip at (100, 160), dx = 60; the little finger's tip at (300, 20) is farther
    # but not visible. So the side is 120 and the crop begins, measured from pixel corners, at
    # 160.5 - 60 = 100.5 and 150.5 - 60 = 90.5. With 240 pixels everything is doubled.
    # Index tip (RHD's 5, ours 8) at (130, 110):
    #   x = (130.5 - 100.5) * 2 - 0.5 = 59.5,  y = (110.5 - 90.5) * 2 - 0.5 = 39.5
    keypoints = RHDReader(rhd_root, size=240)[0].keypoints
    np.testing.assert_allclose(keypoints[8], [59.5, 39.5, 2])
    np.testing.assert_allclose(keypoints[9], [119.5, 119.5, 2])  # the middle MCP in the middle
    np.testing.assert_allclose(keypoints[4], [-0.5, 139.5, 2])  # the thumb's tip on the border
    # Little tip, hidden: ((300.5 - 100.5) * 2 - 0.5, (20.5 - 90.5) * 2 - 0.5)
    np.testing.assert_allclose(keypoints[20], [399.5, -140.5, 1])


def test_rhd_order_is_wrist_then_each_finger_from_its_base(rhd_root):
    keypoints = RHDReader(rhd_root, size=240)[0].keypoints
    source = (keypoints[:, :2] + 0.5) / 2 + [100.5, 90.5] - 0.5
    expected = [RHD_LEFT[0]]
    for finger in range(5):
        expected += RHD_LEFT[1 + 4 * finger : 5 + 4 * finger][::-1]
    np.testing.assert_allclose(source, np.array(expected)[:, :2], atol=1e-4)


@pytest.mark.parametrize(("index", "hand"), [(0, RHD_LEFT), (1, RHD_RIGHT), (2, RHD_RIGHT)])
def test_rhd_takes_the_larger_hand_and_the_right_one_on_a_tie(rhd_root, index, hand):
    reader = RHDReader(rhd_root, size=120, padding=1)
    keypoints = reader[index].keypoints
    centre = np.array(hand[12][:2])
    # side 120 and size 120: wrist relative to the middle MCP, which is at 59.5
    np.testing.assert_allclose(keypoints[0, :2], np.array(hand[0][:2]) - centre + 59.5, atol=1e-4)
    assert reader.ids[index] == f"training/{(0, 2, 5)[index]:05d}"


def test_rhd_root_may_be_the_folder_above(rhd_root):
    assert RHDReader(rhd_root.parent, "test").split == "evaluation"


def test_hand_box_clips_and_survives_no_visible_keypoint():
    keypoints = np.zeros((21, 3))
    keypoints[:, :2] = 100
    keypoints[:, 2] = 2
    assert hand_box(keypoints).side == 50
    keypoints[3, 0] = 2000
    assert hand_box(keypoints).side == 500
    assert hand_box(keypoints, padding=1.5).side == 750
    keypoints[:, 2] = 1
    assert hand_box(keypoints).side == 200
    assert hand_box(keypoints)[:2] == (0.5, 0.5)


def test_a_hand_counts_whole_in_its_own_crop():
    """The farthest keypoint as well, whichever side of the crop it lies on."""
    rng = np.random.default_rng(0)
    hands = np.full((200, 21, 3), 2, "float32")
    hands[..., :2] = rng.uniform(100, 340, (200, 21, 2))
    for size in (64, 256):
        placed = np.array([place_in_crop(hand, hand_box(hand), size) for hand in hands])
        assert np.asarray(in_frame(placed, (size, size))).all()


def _change(root, function):
    path = root / "training" / "anno_training.pickle"
    annotations = pickle.loads(path.read_bytes())
    function(annotations)
    path.write_bytes(pickle.dumps(annotations))


def _set(frame, k, value):
    def change(annotations):
        annotations[frame]["uv_vis"][k] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set(2, 7, [np.nan, 1, 1]), r"anno_training.pickle \(record 2\): uv_vis\[7\]"),
        (_set(5, 3, [1, 1, 4]), r"\(record 5\): uv_vis\[3\] has visibility 4, expected 0 or 1"),
        (lambda a: a[0].pop("uv_vis"), r"\(record 0\): no array 'uv_vis'"),
        (lambda a: a[2].update(uv_vis=np.zeros((21, 3))), r"\(record 2\): uv_vis has shape"),
        (lambda a: a.clear(), "not a dict of frame number"),
    ],
)
def test_rhd_bad_annotations(rhd_root, change, message):
    _change(rhd_root, change)
    with pytest.raises(DataError, match=message):
        RHDReader(rhd_root)


def test_rhd_bad_files(rhd_root):
    color, mask = (rhd_root / "training" / kind / "00000.png" for kind in ("color", "mask"))
    content = color.read_bytes()
    color.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"color/00000.png \(record training/00000\)"):
        RHDReader(rhd_root)[0]
    color.unlink()
    with pytest.raises(DataError, match=r"color/00000.png \(record training/00000\): no such"):
        RHDReader(rhd_root)[0]
    color.write_bytes(content)
    save(mask, np.zeros((10, 20), np.uint8))
    with pytest.raises(DataError, match=r"mask/00000.png .*20x10 pixels.*320x320"):
        RHDReader(rhd_root)[0]
    with pytest.raises(DataError, match="splits training and evaluation, not 'dev'"):
        RHDReader(rhd_root, "dev")
    with pytest.raises(DataError, match=r"anno_training.pickle: no such file"):
        RHDReader(rhd_root / "nowhere")


def test_stb_pixel_worked_out_on_paper(stb_root):
    # At depth 822.79041 mm, the focal length, a millimetre is a pixel. The middle MCP (STB's 9) is
    # at (0, 0) mm, so at (318.47345, 250.31296), the middle of the crop. Farthest is the thumb's
    # tip (STB's 20) with |dx| = 80: side 160. With 160 pixels nothing is scaled, and a point at
    # (X, Y) mm lies at X + 80 - 0.5, Y + 80 - 0.5.
    # Index tip (STB's 16, ours 8): (-40, -60) -> (39.5, 19.5).
    # Wrist: palm (0, 30), ring MCP (STB's 5) (10, 5): mcp + 2 * (palm - mcp) = (-10, 55)
    #   -> (69.5, 134.5).
    keypoints = STBReader(stb_root, size=160)[0].keypoints
    np.testing.assert_allclose(keypoints[8], [39.5, 19.5, 2], atol=1e-3)
    np.testing.assert_allclose(keypoints[0], [69.5, 134.5, 2], atol=1e-3)


@pytest.mark.parametrize("sensor", ["BB", "SK"])
def test_stb_order_is_thumb_to_little_finger(stb_root, sensor):
    keypoints = STBReader(stb_root, size=160, sensor=sensor)[0].keypoints
    fingers = [STB_HAND[i : i + 4] for i in (17, 13, 9, 5, 1)]  # thumb, index, ..., little
    expected = np.concatenate(fingers) + 79.5
    # 0.01: SK's two focal lengths differ.
    np.testing.assert_allclose(keypoints[1:, :2], expected, atol=0.01)


def test_stb_official_split_stride_and_partial_copies(stb_root):
    train, test = STBReader(stb_root), STBReader(stb_root, "test", stride=2)
    assert {r.group for r in train} == {"B2Counting", "B3Random"}
    assert train.name == "stb-train (2 of 10 sequences)"
    assert test.ids == ["B1Counting/BB_left_0", "B1Counting/BB_left_2"]
    assert train.skeleton is HAND_21


def test_stb_bad_files(stb_root):
    from scipy.io import savemat

    picture = stb_root / "images" / "B2Counting" / "BB_left_0.png"
    save(picture, np.zeros((240, 320, 3), np.uint8))
    with pytest.raises(DataError, match=r"BB_left_0.png \(record .*320x240 pixels.*640x480"):
        STBReader(stb_root)[0]
    labels = stb_root / "labels" / "B2Counting_BB.mat"
    good = labels.read_bytes()
    values = np.ones((3, 21, 4))
    values[2, 3, 1] = -5
    savemat(labels, {"handPara": values})
    with pytest.raises(DataError, match=r"B2Counting_BB.mat \(frame 1\): keypoint .* in front"):
        STBReader(stb_root)
    savemat(labels, {"handPara": values[:, :20]})
    with pytest.raises(DataError, match=r"handPara is of shape \(3, 20, 4\)"):
        STBReader(stb_root)
    savemat(labels, {"other": values})
    with pytest.raises(DataError, match="it has no handPara"):
        STBReader(stb_root)
    labels.write_bytes(good[:300])
    with pytest.raises(DataError, match="not a readable MATLAB file"):
        STBReader(stb_root)
    with pytest.raises(DataError, match=r"expected labels/B2Counting_BB.mat"):
        STBReader(stb_root / "nowhere")
    with pytest.raises(DataError, match="sensors BB and SK, not 'LR'"):
        STBReader(stb_root, sensor="LR")
    with pytest.raises(DataError, match="splits train and test, not 'dev'"):
        STBReader(stb_root, "dev")
    with pytest.raises(DataError, match="stride is 0"):
        STBReader(stb_root, stride=0)
