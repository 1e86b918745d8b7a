"""What is measured and how: the settings of an evaluation and the fingerprints that guard it."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np

from keras_shr.data.records import PROTOCOL_PIXELS
from keras_shr.errors import DataError, KerasShrError
from keras_shr.heatmaps import DECODERS
from keras_shr.perturbations import (
    ALL_PERTURBATIONS,
    EVALUATION_PERTURBATIONS,
    SENSOR_PERTURBATIONS,
    SEVERITIES,
)

SEEN, UNSEEN, EXTRA = "seen", "unseen", "extra"
IMPLEMENTATIONS = ("reference", "native")


@dataclass(frozen=True)
class Protocol:
    """The settings that decide which predictions an evaluation stores.

    Attributes:
        size: `(height, width)` of the crops that are perturbed.
        perturbations: names, in the order they are run.
        severities: from 1 to 5.
        seed: with an image's id, the kind and the severity it fixes the noise.
        subpixel: the sub-pixel decoding beside `"argmax"`.
        neighbours: n of `D_n`.
        implementation: of the perturbations, `"reference"` (imagecorruptions) or `"native"`.
    """

    size: tuple[int, int]
    perturbations: tuple[str, ...] = ALL_PERTURBATIONS
    severities: tuple[int, ...] = SEVERITIES
    seed: int = 0
    subpixel: str = "centroid"
    neighbours: int = 64
    implementation: str = IMPLEMENTATIONS[0]

    def __post_init__(self):
        for field in ("size", "perturbations", "severities"):
            value = getattr(self, field)
            if field != "size" and (isinstance(value, str) or np.ndim(value) == 0):
                value = (value,)  # the one
            # NumPy's numbers are none of JSON's.
            plain = (each.item() if isinstance(each, np.generic) else each for each in value)
            object.__setattr__(self, field, tuple(plain))
        object.__setattr__(self, "seed", int(self.seed))
        known = ALL_PERTURBATIONS + SENSOR_PERTURBATIONS
        unknown = [kind for kind in self.perturbations if kind not in known]
        if unknown or not self.perturbations:
            raise KerasShrError(
                f"perturbations has {unknown or 'no name'}; the known ones are " + ", ".join(known)
            )
        if not self.severities or any(level not in SEVERITIES for level in self.severities):
            raise KerasShrError(f"severities is {self.severities}; each must be one of 1 to 5")
        for field in ("perturbations", "severities"):
            if len(set(getattr(self, field))) != len(getattr(self, field)):
                raise KerasShrError(f"{field} names something twice: {getattr(self, field)}")
        if self.seed < 0:
            raise KerasShrError(f"seed is {self.seed}; it must be 0 or more")
        if self.subpixel not in DECODERS or self.subpixel == "argmax":
            choices = ", ".join(name for name in DECODERS if name != "argmax")
            raise KerasShrError(f"subpixel is {self.subpixel!r}; it must be one of {choices}")
        if self.implementation not in IMPLEMENTATIONS:
            raise KerasShrError(
                f"implementation is {self.implementation!r}; it must be one of "
                + ", ".join(IMPLEMENTATIONS)
            )
        sensor = [kind for kind in self.perturbations if kind in SENSOR_PERTURBATIONS]
        if sensor and self.implementation == "native":
            raise KerasShrError(f"{sensor[0]} has no native implementation; use the reference")
        if len(self.size) != 2 or min(self.size) < 32:
            raise KerasShrError(f"size is {self.size}; the perturbations need at least 32 px")

    @property
    def conditions(self) -> list[tuple[str, int]]:
        """Every (kind, severity), in the order of the stored arrays."""
        return [(kind, level) for kind in self.perturbations for level in self.severities]

    @property
    def scale(self) -> float:
        """Factor from pixels of the crop to reported pixels."""
        return PROTOCOL_PIXELS / max(self.size)

    def group(self, kind) -> str:
        """`"unseen"` for the five kinds that training never shows, `"extra"` for lens and sensor
        faults, else `"seen"`."""
        if kind in SENSOR_PERTURBATIONS:
            return EXTRA
        return UNSEEN if kind in EVALUATION_PERTURBATIONS else SEEN

    def to_dict(self) -> dict:
        """The settings, JSON-ready."""
        return json.loads(json.dumps(asdict(self)))


def condition_seed(seed, image_id, kind, severity) -> int:
    """The 32-bit seed of one perturbed picture, whatever worker makes it and when."""
    text = f"{seed}|{image_id}|{kind}|{severity}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "big")


def _size(value) -> tuple[int, int]:
    height, width = (value, value) if np.ndim(value) == 0 else value
    return int(height), int(width)


def model_size(name, model) -> tuple[int, int]:
    """`(height, width)` that a model takes, from `image_size` or its input shape."""
    size: Any = getattr(model, "image_size", None)
    if size is None:
        size = (getattr(model, "input_shape", None) or (None,) * 4)[1:3]
    if np.ndim(size) and None in size:
        raise KerasShrError(f"model {name!r} has neither an image_size nor a fixed input shape")
    return _size(size)


def protocol_size(models, size=None) -> tuple[int, int]:
    """The crop size of an evaluation: `size`, or the one that all models share."""
    sizes = {name: model_size(name, model) for name, model in models.items()}
    if size is None:
        if len(set(sizes.values())) > 1:
            listed = ", ".join(f"{name} {h}x{w}" for name, (h, w) in sizes.items())
            raise KerasShrError(
                f"the models take different sizes ({listed}); give size= (--size), the crop that "
                "is perturbed before each model gets its resized copy"
            )
        return next(iter(sizes.values()))
    size = _size(size)
    for name, own in sizes.items():
        check_aspect(f"model {name!r} takes", own, size)
    return size


def check_aspect(what, own, size):
    """Refuse to squeeze one aspect ratio into another."""
    if own[0] * size[1] != own[1] * size[0]:
        raise KerasShrError(
            f"{what} {own[0]}x{own[1]} (height x width), which is not the shape of the "
            f"protocol's {size[0]}x{size[1]} crop"
        )


def check_order(name, model, data):
    """Refuse data whose keypoints are the model's in another order: the labels would be mixed up.

    Other names are in order: data sets call the same keypoint differently.
    """
    own = getattr(getattr(model, "skeleton", None), "keypoints", ())
    found = data.skeleton.keypoints
    if own != found and sorted(own) == sorted(found):
        k = next(i for i, (a, b) in enumerate(zip(own, found, strict=True)) if a != b)
        raise KerasShrError(
            f"model {name!r} has the keypoints of {data.name} in another order: keypoint {k} is "
            f"{own[k]!r} in the model and {found[k]!r} in the data"
        )


def data_fingerprint(data) -> str:
    """Hash of the pictures and their ids (labels may be mended without predicting again)."""
    seen = set()
    for image_id in data.ids:
        if image_id in seen:
            raise DataError(f"{data.name}: the id {image_id!r} occurs twice; ids must be unique")
        seen.add(image_id)
    digest = hashlib.blake2b(digest_size=16)
    digest.update(str(data.images.shape).encode())
    for image in data.images:
        digest.update(np.ascontiguousarray(image).data)
    digest.update("\n".join(data.ids).encode())
    return digest.hexdigest()


def model_fingerprint(model) -> str:
    """Hash of a model's architecture and weights."""
    digest = hashlib.blake2b(digest_size=16)
    try:
        config = json.dumps(model.get_config(), sort_keys=True, default=str)
    except (NotImplementedError, TypeError):
        config = type(model).__name__
    # Layers are numbered by how many were built before, and objects by their address.
    config = re.sub(r'_\d+(?=")|0x[0-9a-f]+|"shared_object_id": \d+', "", config)
    digest.update(config.encode())
    for variable in model.weights:
        value = np.ascontiguousarray(np.asarray(keras.ops.convert_to_tensor(variable)))
        digest.update(f"{value.dtype}{value.shape}".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()
