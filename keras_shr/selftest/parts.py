"""Do the other parts work here: perturbations, files, the model in the box?"""

import importlib.util
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_shr.models.pretrained import load_trained, pretrained_names
from keras_shr.perturbations import ALL_PERTURBATIONS, NATIVE, perturb_kind, reference
from keras_shr.perturbations._common import draw_nothing
from keras_shr.selftest.check import Failure, Skip
from keras_shr.selftest.training import pictures, small_model

_LEVELS = 1.0
"""Mean difference, in grey levels, that a kind without randomness may have."""


def check_perturbations():
    """All fifteen kinds on the device against the reference library."""
    if importlib.util.find_spec("imagecorruptions") is None:
        raise Skip("imagecorruptions-imaug, the reference library, is not installed")
    images, _ = pictures(4, seed=2)
    worst = 0.0
    for number, kind in enumerate(ALL_PERTURBATIONS):
        native = perturb_kind(ops.convert_to_tensor(images), kind, 3, seed=number, force=True)
        native = ops.convert_to_numpy(native).astype("float32")
        expected = np.stack(
            [reference.perturb(image, kind, 3, seed=number).astype("float32") for image in images]
        )
        if NATIVE[kind].draw is draw_nothing:
            apart = float(np.abs(native - expected).mean())
            worst = max(worst, apart)
            if not apart < _LEVELS:
                raise Failure(f"{kind} differs from the reference by {apart:.2f} grey levels")
        else:  # other random numbers, so the strength alone can be compared
            mine, theirs = (float(np.abs(x - images).mean()) for x in (native, expected))
            if not 0.5 * theirs < mine < 2 * theirs:
                raise Failure(
                    f"{kind} moves a pixel by {mine:.1f} grey levels, the reference by {theirs:.1f}"
                )
    return (
        f"{len(ALL_PERTURBATIONS)} kinds like the reference; those without randomness within "
        f"{worst:.2f} grey levels"
    )


def check_saving():
    """A model saved as `.keras` and loaded again answers the same."""
    model, (images, _) = small_model(), pictures(seed=1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        again = keras.saving.load_model(path)
    apart = _apart(again.predict_keypoints(images), model.predict_keypoints(images))
    if apart:
        raise Failure(f"keypoints of the loaded model are {apart:.2f} px off")
    return "the loaded model finds the same keypoints"


def check_tflite():
    """A model exported to `.tflite` and run by its own runtime answers the same."""
    if keras.config.backend() != "tensorflow":
        raise Skip(f"export needs TensorFlow, and Keras runs on {keras.config.backend()}")
    from keras_shr.export import ExportedModel, export_model

    model, (images, _) = small_model(), pictures(seed=1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        export_model(model, path, "tflite")
        exported = ExportedModel(path)
        apart = _apart(exported.predict_keypoints(images), model.predict_keypoints(images))
        size = exported.size
    # Two pixels of almost equal height may change places: one such keypoint is no fault.
    if apart > 4:
        raise Failure(f"keypoints of the .tflite file are {apart:.2f} px off")
    return f"keypoints of the .tflite file within {apart:.1f} px; {size / 1024:.0f} KiB"


def check_speed(device):
    """The model in the box, in images a second.

    Args:
        device: to measure on.
    """
    if "hand" not in pretrained_names():
        raise Skip("this installation has no trained models")
    count = 16
    with keras.device(device.name):
        model = load_trained("hand")
        images = np.random.default_rng(0).integers(0, 256, (count, *model.image_size, 3), "uint8")
        model.predict_keypoints(images, batch_size=count)  # compiles
        start, runs = time.perf_counter(), 0
        while runs < 3 or time.perf_counter() - start < 2:
            keypoints = model.predict_keypoints(images, batch_size=count)
            runs += 1
        rate = runs * count / (time.perf_counter() - start)
    if not np.isfinite(keypoints).all():
        raise Failure("the model in the box finds keypoints that are no numbers")
    height, width = model.image_size
    return (
        f"{rate:.0f} images/s of {width}x{height} by the model `hand`, {count} at a time",
        {"images_per_second": round(rate, 1)},
    )


def _apart(found, expected):
    """The largest distance between keypoints, in pixels."""
    return float(np.abs(found - expected)[..., :2].max())
