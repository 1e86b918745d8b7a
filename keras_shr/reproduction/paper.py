"""Every number that the paper gives, as data.

Source: Zhang, Chen, Liu, Guo, Zheng, Yong, *Improving Robustness for Pose Estimation via Stable
Heatmap Regression*, Neurocomputing 491 (2022), arXiv 2105.03569; MobileNetV2 throughout. Figures
1 to 10 are pictures without numbers, so they have no row here. AUC is in % as printed; the paper
calls its method "Ours", which is `paper` here.
"""

from dataclasses import dataclass

CITATION = (
    "Zhang, Chen, Liu, Guo, Zheng, Yong: Improving Robustness for Pose Estimation via Stable "
    "Heatmap Regression, Neurocomputing 491 (2022), arXiv 2105.03569"
)
DATA = ("rhd", "stb")
UNSEEN_KINDS = ("gaussian_blur", "jpeg_compression", "saturate", "spatter", "speckle_noise")
ARCHITECTURES = (
    "mobilenet_v2",
    "resnet50",
    "vgg19_bn",
    "shufflenet_v2_x1_0",
    "stacked_hourglass",
    "hrnet_w18",
)
COMPARED = ("at", "augmix", "lip", "pg", "st_g", "st_a")
"""The methods that the paper compares with its own (Table 2, Figures 9 and 10)."""


@dataclass(frozen=True)
class Number:
    """One number of the paper.

    Attributes:
        where: the table it stands in.
        data: `"rhd"` or `"stb"`.
        method: key of the method.
        metric: `"auc"` (in %), `"D_64"` (heatmap px²) or `"D_(1)(2)"`.
        kind: perturbation, or "" on clean images.
        value: as printed.
    """

    where: str
    data: str
    method: str
    metric: str
    kind: str
    value: float


_TABLE1 = {
    ("rhd", "baseline", "D_64"): 954.67,
    ("rhd", "rcc", "D_64"): 870.67,
    ("stb", "baseline", "D_64"): 820.22,
    ("stb", "rcc", "D_64"): 749.68,
    ("rhd", "baseline", "D_(1)(2)"): 0.048,
    ("rhd", "hdhr", "D_(1)(2)"): 0.099,
    ("stb", "baseline", "D_(1)(2)"): 0.055,
    ("stb", "hdhr", "D_(1)(2)"): 0.203,
}
_TABLE2 = {  # method: RHD, STB
    "baseline": (82.2, 80.4),
    "at": (81.2, 79.3),
    "augmix": (82.1, 80.9),
    "lip": (79.7, 81.5),
    "pg": (80.3, 80.1),
    "st_g": (79.5, 79.6),
    "st_a": (80.4, 80.0),
    "hdhr": (82.6, 80.1),
    "paper": (80.3, 80.0),
}
_TABLE3 = {  # in the order of UNSEEN_KINDS
    ("rhd", "baseline"): (51.48, 66.29, 73.37, 69.69, 41.95),
    ("rhd", "paper"): (64.80, 67.82, 72.94, 73.41, 66.99),
    ("stb", "baseline"): (59.58, 77.68, 53.40, 54.91, 29.03),
    ("stb", "paper"): (59.79, 77.16, 59.82, 61.73, 45.21),
}


def _numbers():
    for (data, method, metric), value in _TABLE1.items():
        yield Number("Table 1", data, method, metric, "", value)
    for method, values in _TABLE2.items():
        for data, value in zip(DATA, values, strict=True):
            yield Number("Table 2", data, method, "auc", "", value)
    for (data, method), values in _TABLE3.items():
        clean = _TABLE2[method][DATA.index(data)]
        yield Number("Table 3", data, method, "auc", "", clean)
        for kind, value in zip(UNSEEN_KINDS, values, strict=True):
            yield Number("Table 3", data, method, "auc", kind, value)


NUMBERS = tuple(_numbers())


def number(where, data, method, metric="auc", kind=""):
    """The paper's value, or None where it gives none."""
    for one in NUMBERS:
        if (one.where, one.data, one.method, one.metric, one.kind) == (
            where,
            data,
            method,
            metric,
            kind,
        ):
            return one.value
    return None


def unseen_mean(data, method):
    """Mean AUC over the five unseen kinds of Table 3, in % (the paper does not print it)."""
    values = _TABLE3[data, method]
    return sum(values) / len(values)
