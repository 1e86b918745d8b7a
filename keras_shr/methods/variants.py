"""The methods that are options of `PairedHeatmapModel`: the paper's parts, controls, ours."""

from keras_shr.methods.base import Method
from keras_shr.perturbations import TRAINING_PERTURBATIONS

_PAPER = (
    "Zhang, Chen, Liu, Guo, Zheng, Yong: Improving Robustness for Pose Estimation via Stable "
    "Heatmap Regression, Neurocomputing 491, 2022"
)
_STABILITY = (
    "Zheng, Song, Leung, Goodfellow: Improving the Robustness of Deep Neural Networks via "
    "Stability Training, CVPR 2016, eq. 2-3"
)
_HERE = "keras_shr"

# A Gaussian target and mean squared error, on clean images only.
_BASELINE = {"target": "gaussian", "rcc": None, "stability": None, "supervise_perturbed": False}
_RCC = {"rcc": "row_column"}
_HDHR = {
    "target": "highly_differentiated",
    "target_options": {"alpha": 0.7, "threshold": 8, "metric": "chessboard"},
}
_MST = {"stability": "mst", "stop_gradient": False}
_ST = {"stability": "st", "stop_gradient": False, "stability_weight": 0.1}
_ALL = _RCC | _HDHR | _MST
_BOTH = {"supervise_perturbed": True}
_OURS = {"target": "highly_differentiated", "rcc": "symmetric", "stability": "mst"} | _BOTH


def _variant(name, title, source, views, options):
    return Method(name, title, source, views, _BASELINE | options)


VARIANTS = (
    _variant("baseline", "baseline", f"{_PAPER}, section 4", 1, {}),
    _variant("supervised", "perturbed supervised", _HERE, 2, _BOTH),
    _variant("rcc", "RCC", f"{_PAPER}, eq. 1, 7", 1, _RCC),
    _variant("hdhr", "HDHR", f"{_PAPER}, eq. 8", 1, _HDHR),
    _variant("mst", "MST", f"{_PAPER}, eq. 9", 2, _MST),
    _variant("rcc_hdhr", "RCC + HDHR", f"{_PAPER}, eq. 1, 7, 8", 1, _RCC | _HDHR),
    _variant("hdhr_mst", "HDHR + MST", f"{_PAPER}, eq. 8, 9", 2, _HDHR | _MST),
    _variant("paper", "paper's method", f"{_PAPER}, eq. 1, 7-9", 2, _ALL),
    _variant(
        "symmetric",
        "paper's, symmetric RCC",
        f"{_PAPER}, eq. 8, 9; symmetric RCC: {_HERE}",
        2,
        _ALL | {"rcc": "symmetric"},
    ),
    _variant(
        "paper_supervised",
        "paper's, both supervised",
        f"{_PAPER}, eq. 1, 7-9; supervision of both: {_HERE}",
        2,
        _ALL | _BOTH,
    ),
    Method("ours", "keras_shr default", f"{_HERE}: the defaults of PairedHeatmapModel", 2, _OURS),
    _variant(
        "st_g",
        "ST_g",
        f"{_STABILITY}; x' = x + Gaussian noise",
        2,
        _ST | {"perturbations": ("gaussian_noise",)},
    ),
    _variant(
        "st_a",
        "ST_a",
        f"{_STABILITY}; x' from all training kinds",
        2,
        _ST | {"perturbations": TRAINING_PERTURBATIONS},
    ),
)
