"""Example pictures, rendered when the page starts."""

from pathlib import Path

from keras_shr.data.images import encode_image
from keras_shr.files import write_bytes
from keras_shr.rendering import render_sample

_SEED = 7
# Spread hands, as in most of the photographs that the shipped models were trained on: both of them
# find these keypoints, so that what moves is the perturbation's doing.
_OPEN_HANDS = (6, 8, 1, 12)


def write_examples(folder, size=256) -> list[Path]:
    """A few open hands, rendered into PNG files of `size` pixels in a folder; their paths."""
    paths = []
    for index in _OPEN_HANDS:
        path = Path(folder) / f"hand-{index}.png"
        image = render_sample(_SEED, index, size, views="front").image
        write_bytes(path, encode_image(image, "png"))
        paths.append(path)
    return paths
