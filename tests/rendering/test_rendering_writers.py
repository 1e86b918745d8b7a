"""Rendered data in the layouts of RHD and STB."""

import pickle

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat

from keras_shr.data import RHDReader, STBReader
from keras_shr.errors import DataError, KerasShrError
from keras_shr.rendering import rhd_writer, stb_writer, write_rhd, write_stb


def _files(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def _picture(path):
    """Pixels, (width, height) and mode of a PNG."""
    with Image.open(path) as picture:
        return np.asarray(picture).astype(int), picture.size, picture.mode


@pytest.fixture(scope="module")
def rhd(tmp_path_factory):
    return write_rhd(tmp_path_factory.mktemp("rhd"), training=3, evaluation=1, seed=2)


def test_rhd_has_its_published_layout(rhd):
    assert rhd.name == "RHD_published_v2"
    for split, count in (("training", 3), ("evaluation", 1)):
        folder = rhd / split
        annotations = pickle.loads((folder / f"anno_{split}.pickle").read_bytes())
        assert list(annotations) == list(range(count))
        for index, entry in annotations.items():
            assert type(entry) is dict
            assert {k: v.shape for k, v in entry.items()} == {
                "xyz": (42, 3),
                "uv_vis": (42, 3),
                "K": (3, 3),
            }
            image = entry["xyz"] @ entry["K"].T
            np.testing.assert_allclose(
                image[:, :2] / image[:, 2:], entry["uv_vis"][:, :2], atol=0.01
            )
            assert set(entry["uv_vis"][:, 2]) <= {0.0, 1.0}
            for kind, mode in (("color", "RGB"), ("mask", "L"), ("depth", "RGB")):
                assert _picture(folder / kind / f"{index:05d}.png")[1:] == ((320, 320), mode)


def test_rhd_masks_depths_and_joints_agree(rhd):
    entries = pickle.loads((rhd / "training" / "anno_training.pickle").read_bytes())
    checked = 0
    for index, entry in entries.items():
        mask = _picture(rhd / "training" / "mask" / f"{index:05d}.png")[0]
        depth = _picture(rhd / "training" / "depth" / f"{index:05d}.png")[0]
        metres = (depth[..., 0] * 256 + depth[..., 1]) / 65535 * 5
        assert mask.max() <= 33
        for joint, (x, y, visible) in enumerate(entry["uv_vis"]):
            if not visible:
                continue
            value = mask[round(y), round(x)]
            gap = entry["xyz"][joint, 2] - metres[round(y), round(x)]
            assert -0.02 < gap < 0.04 or value == 0  # the skin, or just beside a thin finger
            if joint % 21 and value > 1:  # the wrist may lie on the arm
                assert (value >= 18) == (joint >= 21)
                checked += 1
            if joint in (1, 22) and value > 1:  # tip of the thumb
                assert value == (2 if joint == 1 else 18)
    assert checked > 20


def test_rhd_joints_run_from_tip_to_palm():
    assert rhd_writer.FROM_HAND_21[:6] == [0, 4, 3, 2, 1, 8]
    scene = rhd_writer.rhd_scene(2, "training", 0)
    first = scene["xyz"][:21]
    wrist = np.linalg.norm(first - first[0], axis=1)
    assert wrist[4] < 0.05  # the thumb's base is next to the wrist
    for tip, base in ((5, 8), (9, 12), (13, 16), (17, 20)):
        bones = np.linalg.norm(np.diff(first[tip : base + 1], axis=0), axis=1)
        assert (bones > 0.01).all()
        assert bones[-1] > bones[0]  # the segment at the palm is the longest


def test_rhd_goes_on_where_it_stopped(rhd, tmp_path):
    again = write_rhd(tmp_path, training=1, evaluation=1, seed=2)
    (again / "training" / "mask" / "00000.png").unlink()
    untouched = (again / "evaluation" / "color" / "00000.png").stat().st_mtime_ns
    calls = []
    write_rhd(tmp_path, 3, 1, seed=2, progress=lambda *n: calls.append(n))
    assert calls[-1] == (4, 4)
    assert (again / "evaluation" / "color" / "00000.png").stat().st_mtime_ns == untouched
    found, expected = _files(again), _files(rhd)
    assert {n for n in found if not n.endswith(".npz")} == {
        n for n in expected if not n.endswith(".npz")
    }
    for name, content in expected.items():
        assert name.endswith(".npz") or found[name] == content, name
    with pytest.raises(DataError, match="another folder"):
        write_rhd(tmp_path, 1, 0, seed=3)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "RHD_published_v2").mkdir()
    (tmp_path / "mine" / "RHD_published_v2" / "notes.txt").write_text("real data")
    with pytest.raises(DataError, match="not rendered by keras_shr"):
        write_rhd(tmp_path / "mine", 1, 0)


def test_rhd_is_read_by_the_reader(rhd):
    reader = RHDReader(rhd.parent, "training", size=64)
    assert len(reader) == 3
    for record in reader:
        assert record.image.shape == (64, 64, 3)
        assert (record.keypoints[:, 2] > 0).all()


@pytest.fixture(scope="module")
def stb(tmp_path_factory):
    root = tmp_path_factory.mktemp("stb")
    return write_stb(root, frames=2, seed=3, sequences=("B1Counting", "B2Random"))


def test_stb_has_its_published_layout(stb):
    for sequence in ("B1Counting", "B2Random"):
        for frame in range(2):
            for camera in ("BB_left", "BB_right", "SK_color", "SK_depth"):
                with Image.open(stb / "images" / sequence / f"{camera}_{frame}.png") as picture:
                    assert (picture.size, picture.mode) == ((640, 480), "RGB")
        for sensor in ("BB", "SK"):
            labels = loadmat(stb / "labels" / f"{sequence}_{sensor}.mat")["handPara"]
            assert labels.shape == (3, 21, 2)
            assert (labels[2] > 300).all()  # mm before the camera


def test_stb_labels_are_those_of_its_sensors(stb):
    left = loadmat(stb / "labels" / "B1Counting_BB.mat")["handPara"][:, :, 0].T
    hand = stb_writer.stb_sequence(3, "B1Counting", 2)[1][0].keypoints()
    np.testing.assert_allclose(left[20], hand[4])  # last: the thumb's tip
    np.testing.assert_allclose(left[1], hand[17])  # second: the little finger's MCP
    np.testing.assert_allclose(left[0] * 2 - left[5], hand[0])  # palm's centre, ring MCP, wrist
    right = stb_writer.to_camera(left, "BB_right")
    disparity = 822.79041 * (left[:, 0] / left[:, 2] - right[:, 0] / right[:, 2])
    np.testing.assert_allclose(disparity, 822.79041 * 120.054 / left[:, 2])
    # the depth picture shows the labelled joints a finger or two before their depth
    labels = loadmat(stb / "labels" / "B1Counting_SK.mat")["handPara"][:, :, 0].T
    pixels = labels @ stb_writer.CAMERAS["SK_depth"].T
    pixels = np.rint(pixels[:, :2] / pixels[:, 2:]).astype(int)
    picture = _picture(stb / "images" / "B1Counting" / "SK_depth_0.png")[0]
    depth = (picture[..., 0] + 256 * picture[..., 1])[pixels[:, 1], pixels[:, 0]]
    assert np.median(labels[:, 2] - depth) < 40
    assert (labels[:, 2] - depth > -25).mean() > 0.9


@pytest.mark.parametrize(("split", "sensor"), [("test", "BB"), ("train", "BB"), ("train", "SK")])
def test_stb_is_read_by_the_reader(stb, split, sensor):
    reader = STBReader(stb, split, sensor, size=64)
    sequence = "B1Counting" if split == "test" else "B2Random"
    camera = "BB_left" if sensor == "BB" else "SK_color"
    hand = stb_writer.stb_sequence(3, sequence, 2)[1][1].keypoints()
    pixels = stb_writer.to_camera(hand, camera) @ stb_writer.CAMERAS[camera].T
    np.testing.assert_allclose(reader._points[1], pixels[:, :2] / pixels[:, 2:], atol=0.01)
    assert reader[1].image.shape == (64, 64, 3)


def test_stb_frames_do_not_change_when_more_are_asked_for(stb, tmp_path):
    write_stb(tmp_path, 3, seed=3, sequences=("B1Counting",), cameras=("BB_left",))
    few, more = (loadmat(r / "labels" / "B1Counting_BB.mat")["handPara"] for r in (stb, tmp_path))
    np.testing.assert_allclose(more[:, :, :2], few, atol=1e-9)
    name = "images/B1Counting/BB_left_1.png"
    assert (tmp_path / name).read_bytes() == (stb / name).read_bytes()
    step = np.linalg.norm(np.diff(more, axis=2), axis=0)
    assert step.max() < 35  # mm from one frame to the next


def test_stb_names_what_it_does_not_know(tmp_path):
    with pytest.raises(KerasShrError, match="no sequence 'B7Random'"):
        write_stb(tmp_path, 1, sequences=("B7Random",))
    with pytest.raises(KerasShrError, match="frames is 0"):
        write_stb(tmp_path, 0)
    assert not list(tmp_path.iterdir())
