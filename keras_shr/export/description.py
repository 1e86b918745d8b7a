"""The JSON beside an exported file: all that is needed to use the file without this package."""

import json
from pathlib import Path

from keras_shr.errors import DataError, KerasShrError, first_line, shown
from keras_shr.export.graph import INPUT_DTYPES, INPUT_NAME
from keras_shr.files import read_users_json
from keras_shr.heatmaps import CENTROID_RADIUS, default_score_radius
from keras_shr.skeletons import Skeleton

FORMAT_VERSION = 1
DECODINGS = ("argmax", "centroid")

_MEANING = {
    "heatmaps": (
        "(batch, height, width, keypoints): one map a keypoint, highest where it is; decode it as "
        "said under decoding"
    ),
    "keypoints": (
        "(batch, keypoints, 3): x and y in pixels of the input picture (an integer is a pixel's "
        "centre, x to the right, y down) and a score from 0 to 1"
    ),
}


def description_path(path) -> Path:
    """Where the JSON of an exported file or folder lies: its name and `.json`."""
    path = Path(path)
    return path.with_name(path.name + ".json")


def describe(model, file_name, file_format, quantize, outputs, decoding, batch) -> dict:
    """The JSON of an export; `docs/deploy.md` explains the fields."""
    from keras_shr import __version__

    skeleton = model.skeleton or Skeleton.generic(model.num_keypoints)
    height, width = model.image_size
    rows, columns = model.heatmap_size
    answer = (rows, columns, model.num_keypoints) if outputs == "heatmaps" else (len(skeleton), 3)
    return {
        "format_version": FORMAT_VERSION,
        "keras_shr": __version__,
        "file": file_name,
        "format": file_format,
        "quantize": quantize,
        "outputs": outputs,
        "skeleton": skeleton.name,
        "keypoints": list(skeleton.keypoints),
        "edges": [list(edge) for edge in skeleton.edges],
        "flip_pairs": [list(pair) for pair in skeleton.flip_pairs],
        "input": {
            "name": INPUT_NAME,
            "dtype": INPUT_DTYPES[outputs],
            "shape": [batch, height, width, 3],
            "layout": "batch, height, width, RGB",
            "normalization": {
                "scale": 1.0,
                "offset": 0.0,
                "meaning": "input = scale * pixel + offset with pixels 0..255; the network "
                "normalises inside",
            },
        },
        "output": {
            "name": outputs,
            "dtype": "float32",
            "shape": [batch, *answer],
            "meaning": _MEANING[outputs],
        },
        "decoding": {
            "method": decoding,
            "score_radius": default_score_radius((rows, columns)),
            "centroid_radius": CENTROID_RADIUS,
            "heatmap_size": [rows, columns],
            "image_size": [height, width],
            "to_image": "x_image = (x_heatmap + 0.5) * image_width / heatmap_width - 0.5; y alike",
            "score": "sum of the map within score_radius (a square) of its highest pixel, divided "
            "by the sum of the whole map; negative values count as 0",
        },
    }


def check_replaceable(path):
    """Refuse to replace a JSON beside an export that no export wrote, such as a user's data set.

    Raises:
        KerasShrError: names it.
    """
    place = description_path(path)
    try:
        found = read_users_json(place)
    except FileNotFoundError:
        return
    except DataError:
        found = None
    if not isinstance(found, dict) or "format_version" not in found:
        raise KerasShrError(
            f"{place} would be replaced and is not the JSON of an export (it has no "
            "format_version); choose another name, or move it away"
        )


def read_description(path) -> dict:
    """The JSON of an exported file.

    Raises:
        KerasShrError: it is missing, not JSON, or of a version that this release does not know.
    """
    place = description_path(path)
    if not Path(path).exists():
        raise KerasShrError(f"{path}: there is no such file or folder")
    try:
        found = json.loads(place.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise KerasShrError(
            f"{path}: there is no {place.name} beside it; it is written by keras-shr export"
        ) from None
    except (ValueError, RecursionError) as error:
        reason = first_line(error)
        raise KerasShrError(f"{place}: not JSON ({reason}); export the model again") from None
    version = found.get("format_version") if isinstance(found, dict) else None
    if version != FORMAT_VERSION:
        raise KerasShrError(
            f"{place}: format_version is {shown(version)}; this release reads {FORMAT_VERSION}"
        )
    for key, fits in _FIELDS.items():
        value = found
        for name in key.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        if not fits(value):
            raise KerasShrError(f"{place}: {key} is {shown(value)}; export the model again")
    if found["outputs"] == "keypoints" and len(found["output"]["shape"]) != 3:
        raise KerasShrError(f"{place}: outputs and output.shape differ; export the model again")
    return found


def _is_text(value):
    return isinstance(value, str)


def _is_number(value):
    return type(value) in (int, float) and abs(value) < 1e6


def _is_shape(value, *lengths):
    sizes = isinstance(value, list) and all(type(n) is int and 0 < n <= 2**16 for n in value)
    return sizes and len(value) in lengths


def _is_batched(value, *lengths):
    """A shape whose first size may be open."""
    if not isinstance(value, list) or not value:
        return False
    return _is_shape([1 if value[0] is None else value[0], *value[1:]], *lengths)


# What this package reads of the JSON.
_FIELDS = {
    "format": _is_text,
    "quantize": lambda value: value in ("none", "float16", "int8"),
    "outputs": lambda value: value in ("heatmaps", "keypoints"),
    "keypoints": lambda value: isinstance(value, list) and all(map(_is_text, value)),
    "input.name": _is_text,
    "input.dtype": lambda value: value in ("float32", "uint8"),
    "input.shape": lambda value: _is_batched(value, 4),
    "input.normalization.scale": _is_number,
    "input.normalization.offset": _is_number,
    "output.name": _is_text,
    "output.shape": lambda value: _is_batched(value, 3, 4),
    "decoding.method": lambda value: value in DECODINGS,
    "decoding.score_radius": lambda value: _is_shape([value], 1),
    "decoding.image_size": lambda value: _is_shape(value, 2),
    "decoding.heatmap_size": lambda value: _is_shape(value, 2),
}
