"""Whole networks: images in 0..255 in, heatmap logits out, with heads of their own.

What a backbone's features and the upsampling network of `keras_shr.models.upsampling` cannot
express. Each module holds one architecture as a function `(num_keypoints, image_size, weights=None,
**options)` that gives a functional Keras model with its own preprocessing inside and float32 logits
as outputs: one, or a list, one for each stack, of which the last is the answer. `NETWORKS` says
which names there are; they stand beside the names of backbones in
`StableHeatmapRegressor(backbone=...)`.
"""

from keras_shr.models.networks.stacked_hourglass import stacked_hourglass

__all__ = ["NETWORKS", "stacked_hourglass"]

NETWORKS = {"stacked_hourglass": stacked_hourglass}
