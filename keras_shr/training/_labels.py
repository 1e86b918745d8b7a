"""Whether loaded labels are where a model could learn, or measure, anything of them."""

import sys

import numpy as np

from keras_shr.errors import DataError
from keras_shr.heatmaps import only_in_frame

_FEW = 0.05  # outside: some hands reach beyond their boxes


def check_labels(data, least, use, say=True) -> None:
    """Refuses labels of which none lies in its crop, and says so where many do not.

    Args:
        data: `KeypointData`.
        least: the visibility from which on keypoints count.
        use: what they are for, such as "learn from".
        say: whether to print.

    Raises:
        DataError: not one can be used.
    """
    labelled = data.keypoints[..., 2] >= least
    inside = np.asarray(only_in_frame(data.keypoints, data.images.shape[1:3]))[..., 2] >= least
    if not inside.any():
        raise DataError(
            f"{data.name}: of {inside.size} keypoints in {len(data)} images {labelled.sum()} are "
            f"labelled (visibility of at least {least}) and not one lies in its crop: there is "
            f"nothing to {use}{_HINT if labelled.any() else ''}"
        )
    outside = labelled.sum() - inside.sum()
    if say and outside > _FEW * labelled.sum():
        print(
            f"{data.name}: {outside / labelled.sum():.0%} of {labelled.sum()} labelled keypoints "
            f"lie outside their crops and count for nothing{_HINT}",
            file=sys.stderr,
        )


_HINT = "; are keypoints x, y in pixels of the picture, and boxes x, y, width, height?"
