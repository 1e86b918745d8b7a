"""Evaluation under perturbation: scores with intervals, figures and one HTML page.

`evaluate` does it all; `compare` prints the models side by side. The parts: `protocol` (settings
and fingerprints), `runner` (streams the pictures), `scores` (figures from stored predictions),
`figures` and `page`.
"""

from keras_shr.drawing import Canvas, draw_skeleton, heatmap_overlay
from keras_shr.evaluation.protocol import Protocol
from keras_shr.evaluation.report import Report, evaluate
from keras_shr.evaluation.summary import compare

__all__ = [
    "Canvas",
    "Protocol",
    "Report",
    "compare",
    "draw_skeleton",
    "evaluate",
    "heatmap_overlay",
]
