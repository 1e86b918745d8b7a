"""Row-column correlation (RCC): a parameter-free layer that strengthens single-peak heatmaps."""

import keras
from keras import ops

from keras_shr._typing import Tensor
from keras_shr.errors import KerasShrError

VARIANTS = ("row_column", "symmetric")

# Factors below this are dropped, which bounds every scale and with it every gradient by 1e10. A map
# whose largest product lies below its square has no overlap of rows and columns worth summing
# (a noise-free peak far from the diagonal) and is passed through, as Theorem 1 says it should be.
_SMALLEST_FACTOR = 1e-10


def _max_normalise(maps):
    """Each map of `(batch, keypoints, height, width)` divided by its maximum; zero stays zero."""
    highest = ops.max(maps, axis=(2, 3), keepdims=True)
    return maps / ops.where(highest > 0, highest, 1.0)


def _row_column_product(maps):
    """`(map @ map)` scaled so that its largest term is 1, and where that is meaningful.

    Term i of the sum is `map(l, i) * map(i, m)`: never larger than (maximum of column i) times
    (maximum of row i). Each pair of factors is scaled by s_i and t_i with the same product
    s_i * t_i for every i, so the sum is scaled as a whole, no factor exceeds 1 and the largest
    term is exactly 1. The usual `product / (max + eps)` loses every keypoint whose row and column
    lie far apart (Theorem 1's C1 falls as exp(-(r - c)^2 / 4 sigma^2)).
    """
    inner = min(maps.shape[2], maps.shape[3])  # zero padding to a square adds nothing
    left, right = maps[:, :, :, :inner], maps[:, :, :inner, :]
    column = ops.stop_gradient(ops.max(left, axis=2))  # (batch, keypoints, inner)
    row = ops.stop_gradient(ops.max(right, axis=3))
    usable = (column > _SMALLEST_FACTOR) & (row > _SMALLEST_FACTOR)
    column, row = ops.where(usable, column, 1.0), ops.where(usable, row, 1.0)
    largest = ops.max(ops.where(usable, column * row, 0.0), axis=2, keepdims=True)
    meaningful = largest > 0
    largest = ops.where(meaningful, largest, 1.0)
    left_scale = ops.where(usable, ops.sqrt(row / column / largest), 0.0)
    right_scale = ops.where(usable, ops.sqrt(column / row / largest), 0.0)
    product = ops.matmul(left * left_scale[:, :, None, :], right * right_scale[:, :, :, None])
    return product, meaningful[..., None]


def row_column_correlation(heatmaps, variant="row_column") -> Tensor:
    """Row-column correlation of non-negative heatmaps, each divided by its maximum.

    `row_column` is the paper's `RCC(l, m) = sum_i H(l, i) H(i, m)` (eq. 1 and 7 of Zhang et al.
    2022). It keeps every single Gaussian peak (Theorem 1) and fades secondary peaks that lie far
    from the map's diagonal or are narrow (Theorem 2). A map that is not square is treated as if
    padded with zeros at the bottom or right; the maximum is taken after cropping.

    `symmetric` is `H H^T H`, our variant: it keeps every map that is an outer product of a row and
    a column profile, needs no square and prefers no place on the map.

    Args:
        heatmaps: `(batch, height, width, keypoints)`, non-negative; negative values count as 0.
        variant: `"row_column"` or `"symmetric"`.

    Returns:
        float32, same shape; each map's maximum is 1. An all-zero map stays zero, and a map whose
        product vanishes in float32 comes back divided by its maximum.
    """
    if variant not in VARIANTS:
        raise KerasShrError(f"variant must be one of {', '.join(VARIANTS)}, got {variant!r}")
    maps = ops.cast(ops.convert_to_tensor(heatmaps), "float32")
    maps = ops.maximum(ops.transpose(maps, (0, 3, 1, 2)), 0.0)
    # The result does not depend on the scale of the input, so this first maximum needs no gradient
    # (which would divide by its square: 0 in float32 for a faint map).
    highest = ops.stop_gradient(ops.max(maps, axis=(2, 3), keepdims=True))
    maps = maps / ops.where(highest > 0, highest, 1.0)
    if variant == "symmetric":
        # The product at the peak is at least peak^3 = 1, so nothing can vanish.
        result = ops.matmul(ops.matmul(maps, ops.transpose(maps, (0, 1, 3, 2))), maps)
    else:
        product, meaningful = _row_column_product(maps)
        result = ops.where(meaningful, product, maps)
    return ops.transpose(_max_normalise(result), (0, 2, 3, 1))


@keras.saving.register_keras_serializable(package="keras_shr")
class RowColumnCorrelation(keras.layers.Layer):
    """Layer around `row_column_correlation`, the same in training and in inference.

    It has no weights and computes in float32 whatever the dtype policy: products of small values
    leave half precision at once.

    Args:
        variant: `"row_column"` (the paper) or `"symmetric"`.

    Input and output: `(batch, height, width, keypoints)`; height and width must be known.

    Example:

    >>> layer = keras_shr.layers.RowColumnCorrelation()
    >>> layer(np.random.rand(1, 64, 64, 21)).shape
    (1, 64, 64, 21)
    """

    def __init__(self, variant="row_column", **kwargs):
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        if variant not in VARIANTS:
            raise KerasShrError(f"variant must be one of {', '.join(VARIANTS)}, got {variant!r}")
        self.variant = variant

    def call(self, heatmaps) -> Tensor:
        return row_column_correlation(heatmaps, self.variant)

    def compute_output_shape(self, input_shape) -> tuple:
        return input_shape

    def get_config(self) -> dict:
        config = super().get_config()
        del config["dtype"]  # always float32
        return config | {"variant": self.variant}
