"""Keras layers."""

from keras_shr.layers.random_keypoint_affine import (
    RandomKeypointAffine,
    affine_matrices,
    transform_keypoints,
    warp_images,
)
from keras_shr.layers.random_perturbation import RandomPerturbation
from keras_shr.layers.row_column_correlation import RowColumnCorrelation, row_column_correlation

__all__ = [
    "RandomKeypointAffine",
    "RandomPerturbation",
    "RowColumnCorrelation",
    "affine_matrices",
    "row_column_correlation",
    "transform_keypoints",
    "warp_images",
]
