"""Rendered hands: pictures of a parametric hand with exact keypoints and true visibility."""

from keras_shr.rendering.generate import render_hands, render_motion
from keras_shr.rendering.rhd_writer import write_rhd
from keras_shr.rendering.scene import RenderedSample, render_sample
from keras_shr.rendering.stb_writer import write_stb

__all__ = [
    "RenderedSample",
    "render_hands",
    "render_motion",
    "render_sample",
    "write_rhd",
    "write_stb",
]
