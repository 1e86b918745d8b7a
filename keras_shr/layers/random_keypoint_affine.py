"""One random geometric augmentation for images and their keypoints, on device."""

import math

import keras
from keras import ops

from keras_shr import _random
from keras_shr._typing import Tensor
from keras_shr.errors import KerasShrError


def affine_matrices(angle, scale, shift, flip, size) -> Tensor:
    """Matrices that take source pixels to target pixels, about the image's centre.

    Args:
        angle: `(batch,)` radians, clockwise as seen on screen (y points down).
        scale: `(batch,)`, above 1 enlarges.
        shift: `(batch, 2)` in pixels, x then y.
        flip: `(batch,)` bool, mirrors left and right before anything else.
        size: `(height, width)`.

    Returns:
        float32 `(batch, 2, 3)`: `target = matrix[:, :, :2] @ source + matrix[:, :, 2]`.
    """
    cx, cy = (size[1] - 1) / 2, (size[0] - 1) / 2
    cos, sin = ops.cos(angle) * scale, ops.sin(angle) * scale
    mirror = ops.where(flip, -1.0, 1.0)
    a, b, c, d = cos * mirror, -sin, sin * mirror, cos
    tx = cx + shift[:, 0] - a * cx - b * cy
    ty = cy + shift[:, 1] - c * cx - d * cy
    return ops.stack([ops.stack([a, b, tx], -1), ops.stack([c, d, ty], -1)], axis=1)


def transform_keypoints(keypoints, matrices, flip, flip_order) -> Tensor:
    """Keypoints under `affine_matrices`, mirror pairs swapped.

    A keypoint that leaves the image keeps its coordinates and visibility; targets and metrics
    decide about the frame.

    Args:
        keypoints: `(batch, keypoints, 3)`: x, y in pixels, visibility.
        matrices: `(batch, 2, 3)`, from `affine_matrices`.
        flip: bool `(batch,)`: which images are mirrored.
        flip_order: index of each keypoint's mirror image, `Skeleton.flip_order`.

    Returns:
        float32 `(batch, keypoints, 3)`.
    """
    keypoints = ops.cast(ops.convert_to_tensor(keypoints), "float32")
    swapped = ops.take(keypoints, ops.convert_to_tensor(list(flip_order), "int32"), axis=1)
    keypoints = ops.where(flip[:, None, None], swapped, keypoints)
    xy = ops.matmul(keypoints[..., :2], ops.transpose(matrices[:, :, :2], (0, 2, 1)))
    return ops.concatenate([xy + matrices[:, None, :, 2], keypoints[..., 2:]], axis=-1)


def warp_images(images, matrices) -> Tensor:
    """Images under `affine_matrices`, bilinear.

    Outside the source the nearest border pixel is repeated. A gather does the sampling because the
    projective operations of TensorFlow cannot be compiled by XLA.

    Args:
        images: `(batch, height, width, channels)`.
        matrices: `(batch, 2, 3)`, from source to result.
    """
    height, width, channels = images.shape[1:]
    a, b, c, d = (matrices[:, i, j][:, None, None] for i in (0, 1) for j in (0, 1))
    tx, ty = matrices[:, 0, 2][:, None, None], matrices[:, 1, 2][:, None, None]
    determinant = a * d - b * c
    columns = ops.reshape(ops.arange(width, dtype="float32"), (1, 1, width)) - tx
    rows = ops.reshape(ops.arange(height, dtype="float32"), (1, height, 1)) - ty
    x = ops.clip((d * columns - b * rows) / determinant, 0.0, width - 1.0)
    y = ops.clip((a * rows - c * columns) / determinant, 0.0, height - 1.0)
    left, top = ops.floor(x), ops.floor(y)
    fx, fy = (x - left)[..., None], (y - top)[..., None]
    left, top = ops.cast(left, "int32"), ops.cast(top, "int32")
    right, bottom = ops.minimum(left + 1, width - 1), ops.minimum(top + 1, height - 1)
    # One index into all pixels of the batch: along an axis Keras would index each channel apart.
    flat = ops.reshape(ops.cast(images, "float32"), (-1, channels))
    first = ops.arange(ops.shape(images)[0], dtype="int32")[:, None, None] * (height * width)
    top, bottom = first + top * width, first + bottom * width

    def pixels(row, column):
        return ops.take(flat, row + column, axis=0)

    upper = pixels(top, left) * (1 - fx) + pixels(top, right) * fx
    lower = pixels(bottom, left) * (1 - fx) + pixels(bottom, right) * fx
    return upper * (1 - fy) + lower * fy


def _is_its_own_inverse(order):
    count = len(order)
    return all(i in range(count) and order[i] == place for place, i in enumerate(order))


@keras.saving.register_keras_serializable(package="keras_shr")
class RandomKeypointAffine(keras.layers.Layer):
    """Random rotation, scale, shift and flip of images together with their keypoints.

    Args:
        rotation: largest angle in degrees, either way.
        scale: `(smallest, largest)` enlargement, drawn evenly on a logarithmic scale.
        shift: largest shift as a share of the side.
        flip: probability of mirroring left and right.
        flip_order: for each keypoint the index of its mirror image (`Skeleton.flip_order`), or
            `None` where mirroring swaps nothing (one hand).
        seed: integer seed for calls without one of their own.

    Call arguments:
        images: `(batch, height, width, channels)`, any number type; or one, without the first axis.
        keypoints: `(batch, keypoints, 3)` in image pixels; or those of the one image.
        seed: optional `(2,)` uint32 tensor; the same seed gives the same draw.
        training: with False, as inside a model that predicts, nothing moves. Called by itself the
            layer acts.

    Returns:
        float32 images and float32 keypoints.
    """

    def __init__(
        self,
        rotation=30.0,
        scale=(0.8, 1.25),
        shift=0.08,
        flip=0.5,
        flip_order=None,
        seed=0,
        **kwargs,
    ):
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        pair = isinstance(scale, list | tuple) and len(scale) == 2
        if not pair or not 0 < scale[0] <= scale[1]:
            raise KerasShrError(f"scale must be (smallest, largest) above 0, got {scale}")
        for name, value in (("rotation", rotation), ("shift", shift)):
            if not isinstance(value, int | float) or value < 0:
                raise KerasShrError(f"{name} is {value!r}; expected one number of at least 0")
        order = None if flip_order is None else [int(i) for i in flip_order]
        if order is not None and not _is_its_own_inverse(order):
            raise KerasShrError(
                f"flip_order is {tuple(order)}; expected the index of each keypoint's mirror, "
                "whose own is that keypoint"
            )
        if isinstance(flip, bool) or not isinstance(flip, int | float) or not 0 <= flip <= 1:
            raise KerasShrError(f"flip is {flip!r}; expected a probability, 0 to 1 (0.5: half)")
        self.rotation, self.scale, self.shift, self.flip = rotation, tuple(scale), shift, flip
        self.flip_order = None if order is None else tuple(order)
        self.seed = seed
        self.generator = keras.random.SeedGenerator(seed)

    def draw(self, seed, batch, size) -> tuple[Tensor, Tensor]:
        """Matrices `(batch, 2, 3)` and flips `(batch,)`.

        Args:
            seed: `(2,)` integer tensor.
            batch: how many.
            size: `(height, width)` of the images.
        """
        angles, scales, shifts, flips = _random.split(seed, 4)
        largest = math.radians(self.rotation)
        angle = _random.uniform((batch,), angles, -largest, largest)
        low, high = (math.log(s) for s in self.scale)
        scale = ops.exp(_random.uniform((batch,), scales, low, high))
        shift = _random.uniform((batch, 2), shifts, -self.shift, self.shift)
        shift = shift * ops.convert_to_tensor([size[1], size[0]], "float32")
        flip = _random.uniform((batch,), flips) < self.flip
        return affine_matrices(angle, scale, shift, flip, size), flip

    def call(self, images, keypoints, seed=None, training=True) -> tuple[Tensor, Tensor]:
        if len(images.shape) == 3:
            both = self.call(images[None], keypoints[None], seed, training)
            return both[0][0], both[1][0]
        self._check_shapes(tuple(images.shape), tuple(keypoints.shape))
        if not training:
            return ops.cast(images, "float32"), ops.cast(keypoints, "float32")
        if seed is None:
            seed = self.generator.next()
        matrices, flip = self.draw(seed, ops.shape(images)[0], images.shape[1:3])
        order = self.flip_order or range(keypoints.shape[1])
        return warp_images(images, matrices), transform_keypoints(keypoints, matrices, flip, order)

    def _check_shapes(self, images, keypoints):
        count = keypoints[1] if self.flip_order is None else len(self.flip_order)
        if None in (*images[1:], *keypoints[1:]):
            raise KerasShrError(
                f"images have shape {images} and keypoints {keypoints}; only the batch may be "
                "unknown: resize or set_shape first"
            )
        if len(images) != 4 or len(keypoints) != 3 or keypoints[1:] != (count, 3):
            raise KerasShrError(
                f"images have shape {images} and keypoints {keypoints}; expected (batch, height, "
                f"width, channels) and (batch, {count or 'keypoints'}, 3): x, y, visibility"
            )
        if None not in (images[0], keypoints[0]) and images[0] != keypoints[0]:
            raise KerasShrError(f"there are {images[0]} images and keypoints of {keypoints[0]}")

    def compute_output_spec(
        self, images, keypoints, seed=None, training=True
    ) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        return (
            keras.KerasTensor(images.shape, "float32"),
            keras.KerasTensor(keypoints.shape, "float32"),
        )

    def get_config(self) -> dict:
        config = super().get_config()
        del config["dtype"]  # always float32
        return config | {
            "rotation": self.rotation,
            "scale": self.scale,
            "shift": self.shift,
            "flip": self.flip,
            "flip_order": self.flip_order,
            "seed": self.seed,
        }
