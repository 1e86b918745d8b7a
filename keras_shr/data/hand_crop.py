"""The crop around a hand that hand3d made the custom for RHD and STB."""

import numpy as np

from keras_shr.data.images import SquareBox

MIDDLE_MCP = 9
"""Index of the middle finger's knuckle in HAND_21, the middle of the crop."""

_SMALLEST, _LARGEST, _UNKNOWN = 50.0, 500.0, 200.0


def hand_box(keypoints, padding: float = 1.0) -> SquareBox:
    """Square around the middle MCP that just reaches the farthest visible keypoint.

    The side is 2·max(|dx|, |dy|) over the keypoints with visibility 2, at least 50 and at most
    500 pixels (200 when none is visible), then times `padding`. With padding 1, which is hand3d's
    crop, the farthest keypoint lies on the crop's very border: half a pixel beyond the centre of
    its last pixel.

    Args:
        keypoints: `(21, 3)` in HAND_21's order.
        padding: factor on the side.
    """
    centre = keypoints[MIDDLE_MCP, :2].astype(np.float64)
    visible = keypoints[keypoints[:, 2] == 2, :2]
    side = 2 * np.abs(visible - centre).max() if len(visible) else _UNKNOWN
    return SquareBox.around(centre, padding * float(np.clip(side, _SMALLEST, _LARGEST)))
