"""Tiny data sets in their published layouts, built by hand: our own writers take no part.

In every set one joint of record 0 is marked by a red 5x5 square on a grey picture.
"""

import json
import pickle
import shutil

import numpy as np
import pytest
from data_fixtures import (
    BB_CENTRE,
    BB_FOCAL,
    RHD_LEFT,
    RHD_RIGHT,
    SK_CENTRE,
    SK_FOCAL,
    STB_HAND,
    grey_picture,
    save,
    sk_depth_points,
)


@pytest.fixture
def rhd_root(tmp_path, rhd_root_template):
    """A copy for one test to read or damage."""
    return shutil.copytree(rhd_root_template, tmp_path / "RHD_published_v2")


@pytest.fixture(scope="session")
def rhd_root_template(tmp_path_factory):
    """Training frames 0 (left hand is larger), 2 (right is), 5 (a tie); evaluation frame 0."""
    root = tmp_path_factory.mktemp("template") / "RHD_published_v2"
    hands = {0: (60, 40), 2: (40, 60), 5: (50, 50)}
    for split, frames in (("training", (0, 2, 5)), ("evaluation", (0,))):
        annotations = {}
        for frame in frames:
            mask = np.zeros((320, 320), np.uint8)
            mask[:10, :10] = 1
            left, right = hands[frame]
            mask[20, :left] = np.arange(left) % 16 + 2  # 2..17
            mask[30, :right] = np.arange(right) % 16 + 18  # 18..33
            # RHD's index 5 is the index finger's tip.
            tip = RHD_LEFT[5] if left > right else RHD_RIGHT[5]
            save(root / split / "color" / f"{frame:05d}.png", grey_picture(320, 320, tip[:2]))
            save(root / split / "mask" / f"{frame:05d}.png", mask)
            annotations[frame] = {
                "xyz": np.zeros((42, 3)),
                "uv_vis": np.array(RHD_LEFT + RHD_RIGHT, np.float64),
                "K": np.array([[320.0, 0, 160], [0, 320.0, 160], [0, 0, 1]]),
            }
        with open(root / split / f"anno_{split}.pickle", "wb") as stream:
            pickle.dump(annotations, stream, protocol=2)  # as Python 2 wrote RHD
    return root


@pytest.fixture
def stb_root(tmp_path, stb_root_template):
    """A copy for one test to read or damage."""
    return shutil.copytree(stb_root_template, tmp_path / "STB")


@pytest.fixture(scope="session")
def stb_root_template(tmp_path_factory):
    """Two training sequences and one test sequence of three frames, both sensors."""
    from scipy.io import savemat

    root = tmp_path_factory.mktemp("template") / "STB"
    tip = STB_HAND[16]  # index finger
    bb = np.array([[x, y, BB_FOCAL] for x, y in STB_HAND])
    # 607.9 mm away a millimetre is a pixel for SK (its two focal lengths differ by 0.04).
    sk = sk_depth_points([[x, y, SK_FOCAL[0]] for x, y in STB_HAND])
    for sequence in ("B1Counting", "B2Counting", "B3Random"):
        for sensor, points in (("BB", bb), ("SK", sk)):
            (root / "labels").mkdir(parents=True, exist_ok=True)
            values = np.repeat(points.T[:, :, None], 3, axis=2)  # 3 x 21 x frames
            savemat(root / "labels" / f"{sequence}_{sensor}.mat", {"handPara": values})
        for name, centre in (("BB_left", BB_CENTRE), ("SK_color", SK_CENTRE)):
            image = grey_picture(640, 480, (tip[0] + centre[0], tip[1] + centre[1]))
            for frame in range(3):
                save(root / "images" / sequence / f"{name}_{frame}.png", image)
    return root


@pytest.fixture
def coco_root(tmp_path):
    """`person.json` and one picture; of five annotations two count."""
    save(tmp_path / "pictures" / "a.png", grey_picture(100, 80, (30, 15)))
    names = ["nose", "left_eye", "right_eye"]
    person = {"id": 1, "name": "person", "keypoints": names, "skeleton": [[1, 2], [1, 3]]}
    box = [20, 10, 40, 20]
    common = {"image_id": 7, "category_id": 1, "bbox": box, "iscrowd": 0}
    seen = [30, 15, 2, 50, 12, 1, 0, 0, 0]
    annotations = [
        common | {"id": 11, "keypoints": seen, "num_keypoints": 2},
        common | {"id": 12, "keypoints": [0] * 9, "num_keypoints": 0},
        common | {"id": 13, "keypoints": seen, "num_keypoints": 2, "iscrowd": 1},
        common | {"id": 14, "keypoints": [40, 20, 2] + [0] * 6, "num_keypoints": 1},
        common | {"id": 15, "category_id": 2},
    ]
    content = {
        "images": [{"id": 7, "file_name": "a.png", "width": 100, "height": 80}],
        "annotations": annotations,
        "categories": [person, {"id": 2, "name": "cat"}],
    }
    (tmp_path / "person.json").write_text(json.dumps(content))
    return tmp_path


@pytest.fixture
def folder_root(tmp_path):
    """Four keypoints, three pictures: 64x64, 100x50, and one with a box."""
    root = tmp_path / "mine"
    save(root / "a" / "1.png", grey_picture(64, 64, (20, 30)))
    save(root / "b" / "2.png", grey_picture(100, 50, (40, 20)))
    rest = [[10, 10, 1], [12, 14, 2], [None, float("nan"), 0]]
    lines = [
        {"file": "a/1.png", "keypoints": [[20, 30, 2], *rest], "split": "train", "group": 1},
        {"file": "b/2.png", "keypoints": [[40, 20, 2], *rest], "split": "train", "group": 2},
        {"file": "b/2.png", "keypoints": [[40, 20, 2], *rest], "split": "val"},
    ]
    lines[2]["box"] = [30, 10, 20, 40]
    (root / "index.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    return root
