"""What the hand-built data sets of `conftest.py` contain, and how a test looks at them."""

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
