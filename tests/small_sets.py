"""Tiny data sets in their published layouts, built by hand: our own writers take no part.

In every set one joint of record 0 is marked by a red 5x5 square on a grey picture.
"""

import json
import pickle

import numpy as np
from PIL import Image


def grey_picture(width, height, *marks):
    """Grey with a red 5x5 square around each mark (x, y)."""
    image = np.full((height, width, 3), 90, np.uint8)
    for x, y in marks:
        x, y = round(x), round(y)
        image[y - 2 : y + 3, x - 2 : x + 3] = (255, 0, 0)
    return image


def save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


# RHD: wrist, then each finger from its tip to the palm, from the thumb.
RHD_LEFT = [
    [160, 190, 1],
    [100, 160, 1], [112, 165, 1], [125, 172, 1], [140, 180, 1],
    [130, 110, 1], [133, 120, 1], [136, 132, 1], [140, 150, 1],
    [160, 100, 1], [160, 112, 1], [160, 128, 0], [160, 150, 1],
    [180, 108, 1], [178, 120, 1], [176, 134, 1], [174, 152, 1],
    [300, 20, 0], [196, 130, 1], [190, 142, 1], [186, 158, 1],
]  # fmt: skip
RHD_RIGHT = [[x + 20, y + 30, v] for x, y, v in RHD_LEFT]


# STB: centre of the palm, then little, ring, middle, index, thumb from the MCP to the tip. mm at a
# depth equal to the focal length, so that a millimetre is a pixel.
STB_HAND = [
    [0, 30],
    [22, 8], [26, -8], [28, -18], [30, -28],
    [10, 5], [12, -18], [13, -32], [14, -46],
    [0, 0], [0, -26], [0, -42], [0, -58],
    [-12, 4], [-22, -24], [-32, -42], [-40, -60],
    [-30, 40], [-50, 30], [-66, 22], [-80, 14],
]  # fmt: skip
BB_FOCAL, BB_CENTRE = 822.79041, (318.47345, 250.31296)
SK_FOCAL, SK_CENTRE = (607.92271, 607.88192), (314.78337, 236.42484)


def sk_depth_points(color_points):
    """X_depth = R·X_color + t, R by Rodrigues' formula."""
    r, t = np.array([0.00531, -0.01196, 0.00301]), np.array([-24.0381, -0.4563, -1.2326])
    angle = np.sqrt(r @ r)
    x, y, z = r / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    rotation = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return np.asarray(color_points) @ rotation.T + t


def red_centre(image):
    """Middle (x, y) of what is red, weighted."""
    red = np.clip(image[..., 0].astype(float) - image[..., 1] - 40, 0, None)
    ys, xs = np.indices(red.shape)
    return np.array([(red * xs).sum(), (red * ys).sum()]) / red.sum()


def make_rhd(root):
    """Training frames 0 (left hand is larger), 2 (right is), 5 (a tie); evaluation frame 0."""
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


def make_stb(root):
    """Two training sequences and one test sequence of three frames, both sensors."""
    from scipy.io import savemat

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


def make_coco(root):
    """`person.json` and one picture; of five annotations two count."""
    save(root / "pictures" / "a.png", grey_picture(100, 80, (30, 15)))
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
    (root / "person.json").write_text(json.dumps(content))


def make_folder(root, splits=True):
    """Four keypoints, three pictures: 64x64, 100x50, and one with a box, in train and val."""
    save(root / "a" / "1.png", grey_picture(64, 64, (20, 30)))
    save(root / "b" / "2.png", grey_picture(100, 50, (40, 20)))
    rest = [[10, 10, 1], [12, 14, 2], [None, float("nan"), 0]]
    lines = [
        {"file": "a/1.png", "keypoints": [[20, 30, 2], *rest], "split": "train", "group": 1},
        {"file": "b/2.png", "keypoints": [[40, 20, 2], *rest], "split": "train", "group": 2},
        {"file": "b/2.png", "keypoints": [[40, 20, 2], *rest], "split": "val"},
    ]
    lines[2]["box"] = [30, 10, 20, 40]
    if not splits:
        lines = [{k: v for k, v in line.items() if k != "split"} for line in lines]
    (root / "index.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
