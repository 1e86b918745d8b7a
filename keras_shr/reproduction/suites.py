"""Which cells each table and figure needs."""

from keras_shr.errors import KerasShrError
from keras_shr.methods import METHODS
from keras_shr.reproduction.cells import Cell

MAIN = "mobilenet_v2"
ARCHITECTURES = (
    MAIN,
    "shufflenet_v2_x1_0",
    "resnet50",
    "hrnet_w18",
    "stacked_hourglass",
    "vgg19_bn",
)
"""The paper's six, the cheapest training steps first."""

_MODULES = ("baseline", "rcc", "hdhr", "mst", "paper", "ours")
# The compared methods of the paper, and controls that it lacks.
_COMPARED = (
    *("baseline", "paper", "ours", "supervised", "st_a", "st_g"),
    *("pg", "augmix", "augmix_no_jsd", "lip", "at"),
)

_METHODS = {
    "table1": ("baseline", "rcc", "hdhr"),
    "table2": (*_COMPARED, "hdhr"),
    "table3": ("baseline", "paper", "ours"),
    "fig6": _MODULES,
    "fig7": _MODULES,
    "fig9": _COMPARED,
    "fig10": _COMPARED,
    "sota": _COMPARED,
    "ablation": (
        *("baseline", "rcc", "hdhr", "mst", "rcc_hdhr", "hdhr_mst", "paper"),
        *("symmetric", "supervised", "paper_supervised", "ours"),
    ),
}
_ACROSS_ARCHITECTURES = {"fig8": ("baseline", "ours", "paper")}
_ACROSS_ARCHITECTURES["architectures"] = _ACROSS_ARCHITECTURES["fig8"]

SUITES = (*_METHODS, *_ACROSS_ARCHITECTURES, "all")
"""Names that `planned_cells` takes, beside those of single methods."""


def planned_cells(suites, data, seeds) -> list[Cell]:
    """The cells of several suites, each once.

    The first seed of everything comes before the second of anything, so that a run that is cut off
    has whole tables.

    Args:
        suites: names in `SUITES`, or keys of `keras_shr.methods.METHODS` for these methods alone.
        data: names of data sets.
        seeds: how many, counted from 0.

    Raises:
        KerasShrError: an unknown suite.
    """
    pairs = []
    for suite in suites:
        if suite not in SUITES and suite not in METHODS:
            raise KerasShrError(
                f"there is no suite {suite!r}; there are {', '.join(SUITES)}, and single methods: "
                f"{', '.join(METHODS)}"
            )
        if suite in METHODS:
            pairs.append((suite, MAIN))
        for name, methods in _METHODS.items():
            if suite in (name, "all"):
                pairs += [(method, MAIN) for method in methods]
        for name, methods in _ACROSS_ARCHITECTURES.items():
            if suite in (name, "all"):
                # The methods to compare first, one architecture after the other.
                pairs += [(method, a) for a in ARCHITECTURES for method in methods[:2]]
                pairs += [(method, a) for a in ARCHITECTURES for method in methods[2:]]
    pairs = list(dict.fromkeys(pairs))
    return [
        Cell(method, architecture, name, seed)
        for seed in range(seeds)
        for name in data
        for method, architecture in pairs
    ]
