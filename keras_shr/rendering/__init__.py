"""Rendered hands: pictures of a parametric hand with exact keypoints and true visibility."""

from keras_shr.rendering.generate import render_hands
from keras_shr.rendering.scene import RenderedSample, render_sample

__all__ = ["RenderedSample", "render_hands", "render_sample"]
