"""Names and looks of methods, architectures and data sets: the same in every table and figure.

Colours are Okabe and Ito's; methods that share one differ in line and marker.
"""

from dataclasses import dataclass

from keras_shr.drawing import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION
from keras_shr.methods import METHODS as TRAINING

BASELINE, PAPER, OURS, SUPERVISED = "baseline", "paper", "ours", "supervised"
MODULES = (BASELINE, "rcc", "hdhr", "mst", PAPER)
"""The methods of the paper's Figures 6 and 7."""

EXPLANATIONS = {
    BASELINE: "Gaussian target, mean squared error, clean images only",
    SUPERVISED: "the baseline with clean and perturbed images both supervised: a control that the "
    "paper does not have",
    "rcc": "row-column correlation alone",
    "hdhr": "highly differentiated heatmap regression alone",
    "mst": "maximum stability training alone",
    "rcc_hdhr": "RCC and HDHR together, without MST",
    "hdhr_mst": "HDHR and MST together, without RCC",
    PAPER: "RCC, HDHR and MST together; the paper calls it Ours",
    "symmetric": "the paper's method with symmetric correlation instead of row-column",
    "paper_supervised": "the paper's method with the perturbed images supervised too",
    OURS: "this package's default, derived from the paper's method",
    "st_g": "stability training, Gaussian noise only (Zheng et al., CVPR 2016)",
    "st_a": "stability training, all training kinds (Zheng et al., CVPR 2016)",
    "at": "adversarial training by PGD (Madry et al., ICLR 2018)",
    "augmix": "AugMix with its consistency loss (Hendrycks et al., ICLR 2020)",
    "augmix_no_jsd": "AugMix without its consistency loss: a control",
    "lip": "Lipschitz-constrained training: a penalty on how fast the heatmaps change, our reading "
    "of Usama and Chang (2018)",
    "pg": "Patch Gaussian (Lopes et al., 2019)",
}


@dataclass(frozen=True)
class Look:
    """How one method is written and drawn."""

    label: str
    color: tuple
    line: object = "-"
    marker: str = "o"


def _rgb(color):
    return tuple(c / 255 for c in color)


_BLACK, _GREY = (0.0, 0.0, 0.0), (0.45, 0.45, 0.45)
# Colour, line and marker.
_LOOKS = {
    BASELINE: (_BLACK, "-", "o"),
    SUPERVISED: (_BLACK, "--", "^"),
    "rcc": (_rgb(ORANGE), "--", "v"),
    "hdhr": (_rgb(GREEN), "-.", "P"),
    "mst": (_rgb(PURPLE), ":", "X"),
    "rcc_hdhr": (_rgb(ORANGE), "-", "<"),
    "hdhr_mst": (_rgb(GREEN), ":", ">"),
    PAPER: (_rgb(BLUE), "-", "s"),
    "symmetric": (_rgb(SKY), "-", "h"),
    "paper_supervised": (_rgb(BLUE), "--", "p"),
    OURS: (_rgb(VERMILION), "-", "D"),
    "st_g": (_GREY, "--", "<"),
    "st_a": (_GREY, ":", ">"),
    "at": (_rgb(ORANGE), (0, (1, 1)), "*"),
    "augmix": (_rgb(GREEN), "--", "v"),
    "augmix_no_jsd": (_rgb(GREEN), "-", "^"),
    "lip": (_rgb(PURPLE), "-", "h"),
    "pg": (_rgb(SKY), "-.", "p"),
}
METHODS = tuple(_LOOKS)

_ARCHITECTURES = {
    "mobilenet_v2": "MobileNetV2",
    "resnet50": "ResNet50",
    "vgg19_bn": "VGG19-BN",
    "shufflenet_v2_x1_0": "ShuffleNetV2",
    "stacked_hourglass": "Stacked Hourglass",
    "hrnet_w18": "HRNet-W18",
}
_DATA = {"rhd": "RHD", "stb": "STB", "rendered": "rendered hands", "real": "photographs"}


def look(method) -> Look:
    """The look of a method; one that is not known is grey and goes by its key."""
    return Look(label(method), *_LOOKS.get(method, (_GREY, "-", "d")))


def label(method) -> str:
    """A method's name: the title that `keras_shr.methods` gives it."""
    return TRAINING[method].title if method in TRAINING else method.replace("_", " ")


def architecture_label(name) -> str:
    return _ARCHITECTURES.get(name, name.replace("_", " "))


def data_label(name) -> str:
    return _DATA.get(name, name.replace("_", " "))


def in_order(methods):
    """Methods in the order of this file, others behind."""
    known = {method: i for i, method in enumerate(METHODS)}
    return sorted(dict.fromkeys(methods), key=lambda method: known.get(method, len(known)))
