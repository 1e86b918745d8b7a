"""Keras layers."""

from keras_shr.layers.kind_perturbations import (
    BrightnessPerturbation,
    ContrastPerturbation,
    DefocusBlurPerturbation,
    FrostPerturbation,
    GaussianBlurPerturbation,
    GaussianNoisePerturbation,
    GlassBlurPerturbation,
    JPEGCompressionPerturbation,
    MotionBlurPerturbation,
    SaturatePerturbation,
    ShotNoisePerturbation,
    SnowPerturbation,
    SpatterPerturbation,
    SpeckleNoisePerturbation,
    ZoomBlurPerturbation,
)
from keras_shr.layers.random_keypoint_affine import (
    RandomKeypointAffine,
    affine_matrices,
    transform_keypoints,
    warp_images,
)
from keras_shr.layers.random_perturbation import RandomPerturbation
from keras_shr.layers.row_column_correlation import RowColumnCorrelation, row_column_correlation

__all__ = [
    "BrightnessPerturbation",
    "ContrastPerturbation",
    "DefocusBlurPerturbation",
    "FrostPerturbation",
    "GaussianBlurPerturbation",
    "GaussianNoisePerturbation",
    "GlassBlurPerturbation",
    "JPEGCompressionPerturbation",
    "MotionBlurPerturbation",
    "RandomKeypointAffine",
    "RandomPerturbation",
    "RowColumnCorrelation",
    "SaturatePerturbation",
    "ShotNoisePerturbation",
    "SnowPerturbation",
    "SpatterPerturbation",
    "SpeckleNoisePerturbation",
    "ZoomBlurPerturbation",
    "affine_matrices",
    "row_column_correlation",
    "transform_keypoints",
    "warp_images",
]
