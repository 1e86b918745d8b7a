"""Target heatmaps, the coordinates of heatmap and image, and decoding.

Everything here is a pure function in `keras.ops` and runs on every Keras backend. Keypoints are
`(batch, keypoints, 3)`: x, y (an integer is a pixel's centre) and visibility (0 no label, 1 hidden,
2 seen); targets take them in heatmap pixels. Sizes are `(height, width)`.
"""

from keras import ops

from keras_shr._typing import Tensor
from keras_shr.errors import KerasShrError

DISTANCES = ("chessboard", "euclidean", "cityblock")
"""What `highly_differentiated_heatmap` takes as `metric`."""
DECODERS = ("argmax", "dark", "centroid")
"""What `decode` takes as `method`."""
_REACH = 0.501  # from a pixel's centre to its edge, with float32's rounding of crops


def in_frame(keypoints, size) -> Tensor:
    """Which keypoints are labelled, finite and on a `size` grid: from -0.5 to `size` - 0.5, the
    outer edges of its first and last pixel, both included.

    A crop that just reaches its farthest keypoint has it on one of these edges.

    Args:
        keypoints: `(..., keypoints, 3)` in the grid's pixels.
        size: `(height, width)`.

    Returns:
        bool `(..., keypoints)`.
    """
    keypoints = ops.convert_to_tensor(keypoints, "float32")
    x, y, visibility = keypoints[..., 0], keypoints[..., 1], keypoints[..., 2]
    right, bottom = size[1] - 1 + _REACH, size[0] - 1 + _REACH
    inside = (x >= -_REACH) & (x <= right) & (y >= -_REACH) & (y <= bottom)
    return inside & (visibility > 0)  # a comparison with NaN is false


def only_in_frame(keypoints, size) -> Tensor:
    """Keypoints with visibility 0 where they are not `in_frame`: what a map can answer.

    Args:
        keypoints, size: see `in_frame`.

    Returns:
        float32, the shape of `keypoints`.
    """
    keypoints = ops.convert_to_tensor(keypoints, "float32")
    visibility = ops.where(in_frame(keypoints, size), keypoints[..., 2], 0.0)
    return ops.concatenate([keypoints[..., :2], visibility[..., None]], axis=-1)


def _check_targets(keypoints, size):
    shape = tuple(keypoints.shape)
    if len(shape) != 3 or shape[2] not in (3, None):
        raise KerasShrError(
            f"keypoints have shape {shape}; expected (batch, keypoints, 3): x, y, visibility"
        )
    _check_size("heatmap_size", size)


def _check_size(name, size) -> None:
    """Refuses what is no (height, width)."""
    if not isinstance(size, tuple | list) or len(size) != 2 or not all(side > 0 for side in size):
        raise KerasShrError(f"{name} is {size!r}; expected (height, width) in pixels")


def _offsets(keypoints, size, centre):
    """Per-axis distance of each grid column and row from the keypoints.

    Returns `dx (batch, 1, width, keypoints)`, `dy (batch, height, 1, keypoints)` and
    `valid (batch, 1, 1, keypoints)` as float32; the distance of an invalid keypoint is finite.
    """
    keypoints = ops.convert_to_tensor(keypoints, "float32")
    _check_targets(keypoints, size)
    valid = in_frame(keypoints, size)
    x = ops.where(valid, keypoints[..., 0], 0.0)
    y = ops.where(valid, keypoints[..., 1], 0.0)
    if centre == "pixel":
        x = ops.clip(ops.floor(x + 0.5), 0, size[1] - 1)  # an edge belongs to its pixel
        y = ops.clip(ops.floor(y + 0.5), 0, size[0] - 1)
    columns = ops.reshape(ops.arange(size[1], dtype="float32"), (1, 1, size[1], 1))
    rows = ops.reshape(ops.arange(size[0], dtype="float32"), (1, size[0], 1, 1))
    dx = columns - x[:, None, None, :]
    dy = rows - y[:, None, None, :]
    return dx, dy, ops.cast(valid, "float32")[:, None, None, :]


def gaussian_heatmap(keypoints, heatmap_size, sigma=2.0) -> Tensor:
    """Gaussian target `exp(-((x - kx)^2 + (y - ky)^2) / (2 sigma^2))`.

    The centre is the exact keypoint, so the highest pixel is 1 only where the keypoint falls on a
    pixel's centre.

    Args:
        keypoints: `(batch, keypoints, 3)` in heatmap pixels.
        heatmap_size: `(height, width)`.
        sigma: standard deviation in heatmap pixels.

    Returns:
        float32 `(batch, height, width, keypoints)`; all zero for a keypoint that is unlabelled,
        out of frame or NaN.
    """
    if not sigma > 0:
        raise KerasShrError(f"sigma is {sigma!r}; expected heatmap pixels above 0")
    dx, dy, valid = _offsets(keypoints, heatmap_size, "exact")
    # Two one-dimensional exponentials and their product cost far less than one over the grid.
    scale = -0.5 / float(sigma) ** 2
    return ops.exp(scale * dx * dx) * ops.exp(scale * dy * dy) * valid


def highly_differentiated_heatmap(
    keypoints, heatmap_size, alpha=0.7, threshold=8, metric="chessboard"
) -> Tensor:
    """Highly differentiated target: `alpha^d` up to distance `threshold`, 0 beyond it.

    The best and the second best pixel differ by `1 - alpha` (0.3 against 0.118 for a Gaussian of
    sigma 2), which is what keeps the peak in place under a small disturbance. Source: Zhang et
    al. 2022, section 3.3.

    Args:
        keypoints: `(batch, keypoints, 3)` in heatmap pixels; the centre is the nearest pixel,
            `floor(x + 0.5)`, on the far edge the last one.
        heatmap_size: `(height, width)`.
        alpha: decay for each pixel of distance, between 0 and 1.
        threshold: largest distance with a value, in heatmap pixels.
        metric: `"chessboard"` (the paper), `"euclidean"` or `"cityblock"`. A city-block map is,
            but for its cut at `threshold`, the product of a row and a column profile, so
            symmetric correlation keeps it (within .002 for alpha 0.5).

    Returns:
        float32 `(batch, height, width, keypoints)`; all zero for a keypoint that is unlabelled,
        out of frame or NaN.
    """
    if not 0 < alpha < 1:
        raise KerasShrError(f"alpha must lie between 0 and 1, got {alpha}")
    if not threshold >= 0:
        raise KerasShrError(f"threshold is {threshold!r}; expected heatmap pixels of at least 0")
    if metric not in DISTANCES:
        raise KerasShrError(f"metric must be one of {', '.join(DISTANCES)}, got {metric!r}")
    dx, dy, valid = _offsets(keypoints, heatmap_size, "pixel")
    if metric == "chessboard":
        distance = ops.maximum(ops.abs(dx), ops.abs(dy))
    elif metric == "cityblock":
        distance = ops.abs(dx) + ops.abs(dy)
    else:
        distance = ops.sqrt(dx * dx + dy * dy)
    log_alpha = ops.log(ops.convert_to_tensor(alpha, "float32"))
    heatmap = ops.where(distance <= threshold, ops.exp(distance * log_alpha), 0.0)
    return heatmap * valid


def multi_label_map(keypoints, heatmap_size, alpha=0.7, threshold=8, metric="chessboard") -> Tensor:
    """1 where the highly differentiated heatmap is positive, else 0.

    Args:
        keypoints, heatmap_size, alpha, threshold, metric: see `highly_differentiated_heatmap`.
    """
    heatmap = highly_differentiated_heatmap(keypoints, heatmap_size, alpha, threshold, metric)
    return ops.cast(heatmap > 0, "float32")


def _rescale(keypoints, source, target):
    _check_size("a size", source)
    _check_size("a size", target)
    keypoints = ops.convert_to_tensor(keypoints)
    if not str(keypoints.dtype).endswith(("float32", "float64")):
        keypoints = ops.cast(keypoints, "float32")  # half precision has no sub-pixel at 256 px
    x = (keypoints[..., 0:1] + 0.5) * (target[1] / source[1]) - 0.5
    y = (keypoints[..., 1:2] + 0.5) * (target[0] / source[0]) - 0.5
    return ops.concatenate([x, y, keypoints[..., 2:]], axis=-1)


def image_to_heatmap(keypoints, image_size, heatmap_size) -> Tensor:
    """Keypoints from image to heatmap pixels: `x_h = (x + 0.5) * W_h / W - 0.5`.

    Args:
        keypoints: `(..., 2)` or wider; columns after x, y are kept.
        image_size: `(height, width)`.
        heatmap_size: `(height, width)`.

    Returns:
        Same shape as `keypoints`.
    """
    return _rescale(keypoints, image_size, heatmap_size)


def heatmap_to_image(keypoints, image_size, heatmap_size) -> Tensor:
    """Keypoints from heatmap to image pixels, the inverse of `image_to_heatmap`.

    Args:
        keypoints, image_size, heatmap_size: see `image_to_heatmap`, in the same order.
    """
    return _rescale(keypoints, heatmap_size, image_size)


def peak_index(flat) -> Tensor:
    """Position of the first maximum along axis 1 of `(batch, pixels, keypoints)`, as int32.

    `keras.ops.argmax` is avoided: on TensorFlow it emits an operation that no converter takes.
    """
    pixels = flat.shape[1]
    if flat.shape[0] == 0:  # TensorFlow has no maximum of nothing
        return ops.zeros((0, flat.shape[2]), "int32")
    positions = ops.reshape(ops.arange(pixels, dtype="int32"), (1, pixels, 1))
    highest = ops.max(flat, axis=1, keepdims=True)
    first = ops.min(ops.where(flat == highest, positions, pixels), axis=1)
    return ops.minimum(first, pixels - 1)  # no pixel equals a NaN maximum


def values_at(flat, index, axis) -> Tensor:
    """Values of `flat` at `index` along `axis`, as `keras.ops.take_along_axis` gives them.

    Also for a batch without images, from which JAX before 0.5 refuses to gather.
    """
    if flat.shape[0] == 0:
        return ops.zeros(index.shape, flat.dtype)
    return ops.take_along_axis(flat, index, axis=axis)


def _moments_near_peak(heatmaps, x, y, radius):
    """Mass-weighted mean position inside a square window round the peak."""
    height, width = heatmaps.shape[1:3]
    columns = ops.reshape(ops.arange(width, dtype="float32"), (1, 1, width, 1))
    rows = ops.reshape(ops.arange(height, dtype="float32"), (1, height, 1, 1))
    dx, dy = columns - x[:, None, None, :], rows - y[:, None, None, :]
    window = ops.cast((ops.abs(dx) <= radius) & (ops.abs(dy) <= radius), "float32")
    weights = heatmaps * window
    mass = ops.sum(weights, axis=(1, 2))
    safe = ops.where(mass > 0, mass, 1.0)
    return (
        mass,
        ops.sum(weights * dx, axis=(1, 2)) / safe,
        ops.sum(weights * dy, axis=(1, 2)) / safe,
    )


def _taylor_offset(heatmaps, x, y):
    """Offset of the maximum of a second-order expansion of the log-map, within one pixel.

    Source: Zhang et al., Distribution-Aware Coordinate Representation for Human Pose Estimation,
    CVPR 2020, eq. 4-7, on the map as it is (no smoothing).
    """
    height, width = heatmaps.shape[1:3]
    flat = ops.reshape(heatmaps, (-1, height * width, heatmaps.shape[3]))
    peak = ops.max(flat, axis=1)
    floor = ops.maximum(peak * 1e-6, 1e-30)

    def log_at(ox, oy):
        column = ops.clip(ops.cast(x, "int32") + ox, 0, width - 1)
        row = ops.clip(ops.cast(y, "int32") + oy, 0, height - 1)
        value = ops.take_along_axis(flat, (row * width + column)[:, None, :], axis=1)[:, 0]
        return ops.log(ops.maximum(value, floor))

    centre, left, right, up, down = (
        log_at(*offset) for offset in ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))
    )
    gx, gy = (right - left) / 2, (down - up) / 2
    hxx, hyy = right - 2 * centre + left, down - 2 * centre + up
    hxy = (log_at(1, 1) - log_at(-1, 1) - log_at(1, -1) + log_at(-1, -1)) / 4
    determinant = hxx * hyy - hxy * hxy
    # Only a proper maximum away from the border has an expansion worth following.
    border = (x < 1) | (y < 1) | (x > width - 2) | (y > height - 2)
    usable = (determinant > 1e-12) & (hxx < 0) & ~border
    safe = ops.where(usable, determinant, 1.0)
    ox = ops.where(usable, -(hyy * gx - hxy * gy) / safe, 0.0)
    oy = ops.where(usable, -(hxx * gy - hxy * gx) / safe, 0.0)
    return ops.clip(ox, -1.0, 1.0), ops.clip(oy, -1.0, 1.0)


CENTROID_RADIUS = 2
"""Half the side of the window whose mass `decode(method="centroid")` averages, in pixels."""


def default_score_radius(heatmap_size) -> int:
    """Half the side of the window that `decode` takes a score from, in heatmap pixels."""
    return max(2, max(heatmap_size) // 8)


def decode(heatmaps, method="argmax", score_radius=None) -> Tensor:
    """Keypoints and scores from heatmaps.

    The score is the share of the map's whole mass that lies in a square window round the peak. It
    comes from the sum-normalised map because after row-column correlation the maximum is always
    1: a map that has no idea where its keypoint is spreads its mass and scores near 0.

    Args:
        heatmaps: `(batch, height, width, keypoints)`; negative and non-finite values count as 0,
            values above 1e30 as 1e30.
        method: `"argmax"` (the highest pixel), `"dark"` (second-order expansion of the logarithm
            at the highest pixel, for Gaussian maps) or `"centroid"` (mean position of the mass in
            the 5x5 window round the highest pixel, for any map).
        score_radius: half the window's side in heatmap pixels; default an eighth of the longer
            side, at least 2.

    Returns:
        float32 `(batch, keypoints, 3)`: x, y in heatmap pixels and the score in [0, 1].
    """
    if method not in DECODERS:
        raise KerasShrError(f"method must be one of {', '.join(DECODERS)}, got {method!r}")
    heatmaps = ops.cast(ops.convert_to_tensor(heatmaps), "float32")
    if len(heatmaps.shape) != 4:
        raise KerasShrError(
            f"heatmaps have shape {tuple(heatmaps.shape)}; expected (batch, height, width, "
            "keypoints)"
        )
    # The sums below have to stay in float32.
    heatmaps = ops.where(ops.isfinite(heatmaps), ops.clip(heatmaps, 0.0, 1e30), 0.0)
    height, width, keypoints = heatmaps.shape[1:]
    if heatmaps.shape[0] == 0:  # backends differ in what they make of nothing
        return ops.zeros((0, keypoints, 3))
    index = peak_index(ops.reshape(heatmaps, (-1, height * width, keypoints)))
    x = ops.cast(index % width, "float32")
    y = ops.cast(index // width, "float32")
    if score_radius is None:
        score_radius = default_score_radius((height, width))
    near, _, _ = _moments_near_peak(heatmaps, x, y, score_radius)
    total = ops.sum(heatmaps, axis=(1, 2))
    score = near / ops.where(total > 0, total, 1.0)
    if method == "dark":
        ox, oy = _taylor_offset(heatmaps, x, y)
    elif method == "centroid":
        _, ox, oy = _moments_near_peak(heatmaps, x, y, CENTROID_RADIUS)
    else:
        ox = oy = ops.zeros_like(x)
    return ops.stack([x + ox, y + oy, score], axis=-1)
