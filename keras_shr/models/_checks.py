"""What a model can look at and learn from, and one line about everything else."""

import types

import keras
import numpy as np
from keras import ops

from keras_shr.data.records import refuse_shares
from keras_shr.errors import KerasShrError

_LOOKED_AT = 16
_NORMALISED = 1.5  # no batch of photographs in 0..255 is that dark
_OVERSHOOT = 32  # beyond 0..255, of sharp edges that were resampled


def check_images(images, image_size, channels=3) -> None:
    """Refuses images that a model would take for something else.

    Args:
        images: `(count, height, width, channels)`, an array, memory map or tensor of any backend,
            or a list of arrays; the values of the first 16 are looked at.
        image_size: the model's `(height, width)`.
        channels: of the model's input.

    Raises:
        KerasShrError: another shape, no numbers, numbers with a point that are positive and no
            larger than 1.5, as they are in 0..1, or numbers from which a mean was subtracted. Black
            images are in order, and so are small integers.
    """
    if not hasattr(images, "shape"):
        images = _stacked(images)
    shape, expected = tuple(images.shape), (*image_size, channels)
    if len(shape) != 4 or shape[1:] != expected:
        known = ", ".join(map(str, expected))
        hint = "; one image is images[None]" if shape == expected else ""
        raise KerasShrError(f"images have shape {shape}; expected (count, {known}){hint}")
    first = np.asarray(ops.convert_to_numpy(images[:_LOOKED_AT]))
    kind = first.dtype.name
    if kind == "uint8" or not first.size:
        return
    if first.dtype.kind in "bcOSUmM":
        raise KerasShrError(f"images are {kind}; expected uint8 or float values in 0..255")
    lowest, highest = float(first.min()), float(first.max())
    dark = first.dtype.kind not in "iu" and 0 < highest <= _NORMALISED
    if (
        dark
        or lowest < -_OVERSHOOT
        or highest > 255 + _OVERSHOOT
        or (lowest < -0.5 and highest < _OVERSHOOT)
    ):
        values = f"up to {highest:.4g}" if dark else f"from {lowest:.4g} to {highest:.4g}"
        raise KerasShrError(
            f"images are {kind} with values {values}; expected 0..255 (the model scales them "
            "itself)"
        )


def _stacked(images):
    try:
        return np.asarray(images)
    except ValueError:  # as NumPy says of ragged lists
        raise KerasShrError(
            "images are a list whose parts differ in shape; expected images of one size"
        ) from None


def check_batch(images, keypoints, sample_weight, model) -> None:
    """Refuses a batch whose shapes do not fit a model; broadcasting would hide some of them.

    Args:
        images: tensor or None.
        keypoints: tensor.
        sample_weight: tensor or None.
        model: `PairedHeatmapModel`.

    Raises:
        KerasShrError: what has another shape than it should.
    """
    count = model.num_keypoints
    if images is not None:
        _check_shape("images", images, (*model.image_size, model.network.input_shape[-1]))
    _check_shape("keypoints", keypoints, (count, 3), " (x, y, visibility)")
    if sample_weight is not None:
        shape = _shape("sample_weight", sample_weight)
        if len(shape) not in (1, 2) or shape[1:] not in ((), (None,), (1,), (count,)):
            raise KerasShrError(
                f"sample_weight has shape {shape}; expected (batch,) or (batch, {count})"
            )


def _shape(what, value):
    try:
        return tuple(value.shape)
    except AttributeError:
        raise KerasShrError(
            f"{what} are a {type(value).__name__}; expected one array or tensor"
        ) from None
    except ValueError:  # as TensorFlow says of a tensor of unknown rank
        raise KerasShrError(
            f"the shape of {what} is not known; give tf.data.Dataset.from_generator an "
            "output_signature"
        ) from None


def _check_shape(what, value, expected, meaning=""):
    shape = _shape(what, value)
    fits = len(shape) == len(expected) + 1 and all(
        found in (None, wanted) for found, wanted in zip(shape[1:], expected, strict=True)
    )
    if not fits:
        wanted = ", ".join(map(str, expected))
        raise KerasShrError(f"{what} have shape {shape}; expected (batch, {wanted}){meaning}")


def check_data(x, y, sample_weight, model, learned=True):
    """Refuses what `fit` or `evaluate` is given where nothing sensible could come of it.

    Before anything is traced: an exception inside a step of JAX leaves a model without its weights.

    Args:
        x: images, a `PyDataset`, a `tf.data.Dataset` or a generator. Of these one batch is looked
            at; of others nothing.
        y, sample_weight: keypoints and weights, where `x` is images.
        model: `PairedHeatmapModel`.
        learned: whether the labels of arrays are for learning, so that there must be some.

    Returns:
        `x`; for a generator another one that begins with the batch that was looked at.

    Raises:
        KerasShrError: images that `check_images` refuses, keypoints or weights of another shape, or
            labels of arrays that none of them could be learned from.
    """
    given, arrays = x, hasattr(x, "shape")
    if isinstance(x, keras.utils.PyDataset):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(x[0])
    elif isinstance(x, types.GeneratorType):
        first = next(x, None)
        if first is None:
            raise KerasShrError("the generator gives no batch")
        given = _again(first, x)
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(first)
    elif hasattr(x, "element_spec") and hasattr(x, "take"):
        dataset = x
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(dataset.element_spec)
        if y is not None:  # shapes that TensorFlow does not know would be known of the batch
            check_batch(x, y, sample_weight, model)
        for batch in dataset.take(1):
            x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
    elif not arrays and not isinstance(x, list | tuple | dict) and not hasattr(x, "keypoints"):
        return given
    if hasattr(x, "keypoints"):
        raise KerasShrError(f"x is {type(x).__name__}; give its images and its keypoints apart")
    if y is None:
        raise KerasShrError(f"no keypoints (batch, {model.num_keypoints}, 3) beside the images")
    check_batch(x, y, sample_weight, model)
    if hasattr(x, "__array__") or hasattr(x, "__getitem__"):  # no TensorSpec
        check_images(x, model.image_size, model.network.input_shape[-1])
    if arrays:
        _check_labels(y, sample_weight, model, learned)
    elif hasattr(y, "__array__"):
        refuse_shares(np.asarray(ops.convert_to_numpy(y)), "the first batch's labelled keypoints")
    return given


def _again(first, rest):
    yield first
    yield from rest


def _check_labels(keypoints, sample_weight, model, learned):
    keypoints = np.asarray(ops.convert_to_numpy(keypoints))
    height, width = model.image_size
    refuse_shares(keypoints, "all labelled keypoints")
    if not learned or not len(keypoints):
        return
    places = keypoints[..., :2]
    with np.errstate(invalid="ignore"):
        inside = ((places >= -0.5) & (places < [width - 0.5, height - 0.5])).all(-1)
        usable = inside & (keypoints[..., 2] >= model.min_visibility)
    if not usable.any():
        raise KerasShrError(
            f"of {usable.size} keypoints not one is labelled (visibility of at least "
            f"{model.min_visibility}) and inside its picture of {width}x{height}: there is nothing "
            "to learn from"
        )
    if sample_weight is not None:
        weight = np.asarray(ops.convert_to_numpy(sample_weight))
        if len(weight) != len(keypoints):
            raise KerasShrError(
                f"sample_weight has {len(weight)} rows for {len(keypoints)} images; expected one "
                "for each"
            )
        if not (usable & (weight.reshape(len(weight), -1) > 0)).any():
            raise KerasShrError("sample_weight is 0 wherever a keypoint is labelled")
