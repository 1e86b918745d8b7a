"""From feature maps to heatmap logits: transposed convolutions, with or without skips."""

import itertools
import math

import numpy as np
from keras import layers

from keras_shr.errors import KerasShrError


def is_count(value):
    """Whether a value is a whole number above 0."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and value > 0


def coarsest_last(features, image_size):
    """Feature maps by their stride, which is the same in both directions and divides the next.

    Raises:
        KerasShrError: a feature map does not divide the image evenly; says which.
    """
    height, width = image_size
    strides = {}
    for feature in features:
        rows, columns = feature.shape[1:3]
        even = rows and columns and not (height % rows or width % columns)
        if not even or height // rows != width // columns:
            raise KerasShrError(
                f"a feature map of the backbone has shape {tuple(feature.shape)} for images of "
                f"{height} x {width}; its height and width must be the image's, each divided by "
                "the same stride: choose an image_size that is a multiple of all strides"
            )
        strides[id(feature)] = height // rows
    features = sorted(features, key=lambda feature: strides[id(feature)])
    for finer, coarser in itertools.pairwise(features):
        if strides[id(coarser)] % strides[id(finer)]:
            raise KerasShrError(
                f"feature maps of the backbone have the shapes {tuple(finer.shape)} and "
                f"{tuple(coarser.shape)} for images of {height} x {width}; the stride "
                f"{strides[id(finer)]} must divide the stride {strides[id(coarser)]}"
            )
    return features


def upsampling_stages(stride, heatmap_stride):
    """How many doublings lead from features of `stride` to heatmaps of `heatmap_stride`."""
    stages = math.log2(stride / heatmap_stride) if is_count(heatmap_stride) else -1
    if stages != int(stages) or stages < 0:
        raise KerasShrError(
            f"heatmap_stride is {heatmap_stride!r}; from the backbone's coarsest features, of "
            f"stride {stride}, doublings lead to {', '.join(map(str, _halvings(stride)))}"
        )
    return int(stages)


def _halvings(stride):
    return [stride] if stride % 2 else [stride, *_halvings(stride // 2)]


def upsample_to_heatmaps(features, num_keypoints, filters, skip_connections):
    """Adds the upsampling network to a functional graph.

    Each stage is a 4x4 transposed convolution of stride 2 with batch normalisation and ReLU, as in
    Xiao et al., Simple Baselines for Human Pose Estimation, ECCV 2018. With skips, a 1x1
    convolution of the backbone's features of the same size is added.

    Args:
        features: feature maps, the finest first.
        num_keypoints: channels of the output.
        filters: one width for each stage.
        skip_connections: whether to add the backbone's finer features.

    Returns:
        float32 logits `(batch, height, width, num_keypoints)`.
    """
    by_size = {feature.shape[1:3]: feature for feature in features}
    x = features[-1]
    for stage, width in enumerate(filters, start=1):
        x = layers.Conv2DTranspose(
            width, 4, 2, padding="same", use_bias=False, name=f"up_{stage}_conv"
        )(x)
        x = layers.BatchNormalization(name=f"up_{stage}_norm")(x)
        if skip_connections and x.shape[1:3] in by_size:
            skip = layers.Conv2D(width, 1, use_bias=False, name=f"up_{stage}_skip_conv")(
                by_size[x.shape[1:3]]
            )
            skip = layers.BatchNormalization(name=f"up_{stage}_skip_norm")(skip)
            x = layers.Add(name=f"up_{stage}_add")([x, skip])
        x = layers.ReLU(name=f"up_{stage}_relu")(x)
    # Heatmaps leave half precision here: the losses compare small differences of large maps.
    return layers.Conv2D(
        num_keypoints, 1, kernel_initializer="glorot_normal", dtype="float32", name="logits"
    )(x)
