"""The claims: the paper's, controls that it lacks, and those about this package's default."""

from dataclasses import dataclass

from keras_shr.evaluation.protocol import EXTRA, UNSEEN
from keras_shr.reproduction import paper
from keras_shr.reproduction.report.methods import (
    BASELINE,
    OURS,
    PAPER,
    SUPERVISED,
    architecture_label,
    data_label,
    label,
)
from keras_shr.reproduction.report.results import CLEAN

NONE = "–"


@dataclass(frozen=True)
class Part:
    """One comparison: `one` against `other`."""

    one: str
    other: str
    metric: str
    group: str = CLEAN
    kind: str = ""
    architecture: str | None = None
    words: str = ""


@dataclass(frozen=True)
class Claim:
    """A claim that holds if all its parts do.

    Attributes:
        text: the claim.
        source: `"paper"`; `"control"` or `"ours"` for what the paper does not have.
        where: the paper's table or figure.
        paper: what the paper gives.
        how: `"ratio"` or `"difference"`.
        sign: 1 where larger is claimed, -1 where smaller.
        parts: `Part`s.
        threshold: what is to be passed.
        scale: factor of what is shown; 100 turns AUC and RUC into points.
    """

    text: str
    source: str
    where: str
    paper: str
    how: str
    sign: int
    parts: tuple[Part, ...]
    threshold: float = 0.0
    scale: float = 1.0

    @property
    def measure(self) -> str:
        """What is compared, in words."""
        first = self.parts[0]
        name = {"auc": "AUC", "smoothness": "|Δ²|"}.get(first.metric, first.metric)
        name = name if name.startswith("D_") else name.replace("_", " ")
        group = first.group.replace("_", " ") + " kinds" * (first.group in (UNSEEN, EXTRA))
        group = "" if first.metric == "smoothness" else f" ({group})"
        points = " in points" if self.scale == 100 else ""
        return f"{self.how} of {name}{group}{points}"


def _before_after(where, one, metric="auc", style=".1f"):
    return "; ".join(
        f"{data_label(data)} {paper.number(where, data, BASELINE, metric):{style}} → "
        f"{paper.number(where, data, one, metric):{style}}"
        for data in paper.DATA
    )


def _ratio(text, source, where, quoted, *parts, threshold=1.0):
    """A claim that a ratio is below `threshold`."""
    return Claim(text, source, where, quoted, "ratio", -1, parts, threshold)


def _points(text, source, where, quoted, *parts, threshold=0.0):
    """A claim that a share is larger by more than `threshold`."""
    return Claim(text, source, where, quoted, "difference", 1, parts, threshold, 100)


def _each_kind(method):
    return [
        Part(method, BASELINE, "R", UNSEEN, kind, words=kind.replace("_", " "))
        for kind in paper.UNSEEN_KINDS
    ]


def _each_other(metric, group=CLEAN):
    return [
        Part(PAPER, other, metric, group, words=f"against {label(other)}")
        for other in paper.COMPARED
    ]


def _module_claims():
    for method, quoted in (
        ("rcc", "lower on all five, RHD and STB"),
        ("hdhr", "lower on all five, RHD and STB"),
        ("mst", "lower on all five, except jpeg and saturate on RHD"),
        (PAPER, "a bar chart without numbers"),
    ):
        name = "All three together lower" if method == PAPER else f"{label(method)} alone lowers"
        text = f"{name} R on each of the five unseen kinds"
        yield _ratio(text, "paper", "Fig. 6", quoted, *_each_kind(method))


def _paper_claims():
    yield _ratio(
        "RCC makes the peak tighter: it lowers D_64",
        "paper",
        "Table 1",
        _before_after("Table 1", "rcc", "D_64", ".2f"),
        Part("rcc", BASELINE, "D_64"),
    )
    yield Claim(
        "HDHR sets the peak apart: it raises D_(1)(2)",
        "paper",
        "Table 1",
        _before_after("Table 1", "hdhr", "D_(1)(2)", ".3f"),
        "difference",
        1,
        (Part("hdhr", BASELINE, "D_(1)(2)"),),
    )
    yield from _module_claims()
    for other in ("st_a", "st_g"):
        yield _points(
            f"MST alone beats {label(other)} in RUC",
            "paper",
            "Figs. 7, 9",
            "higher curve",
            Part("mst", other, "RUC", UNSEEN),
        )
    yield _points(
        "The paper's method has a higher RUC than the baseline on all six architectures",
        "paper",
        "Fig. 8",
        "higher on all six",
        *(
            Part(PAPER, BASELINE, "RUC", UNSEEN, "", name, architecture_label(name))
            for name in paper.ARCHITECTURES
        ),
    )
    yield _points(
        "The paper's method has a higher RUC than each of the six compared methods",
        "paper",
        "Fig. 9",
        "“significant advance in robustness over state-of-the-art approaches”",
        *_each_other("RUC", UNSEEN),
    )
    yield _points(
        "The paper's method costs less than 2 points of clean AUC",
        "paper",
        "Table 2",
        _before_after("Table 2", PAPER),
        Part(PAPER, BASELINE, "auc"),
        threshold=-0.02,
    )
    means = "; ".join(
        f"{data_label(d)} {paper.unseen_mean(d, BASELINE):.1f} → {paper.unseen_mean(d, PAPER):.1f}"
        for d in paper.DATA
    )
    yield _points(
        "The paper's method raises the mean AUC under the five unseen kinds",
        "paper",
        "Table 3",
        means,
        Part(PAPER, BASELINE, "auc", UNSEEN),
    )
    yield _ratio(
        "The paper's method has a smoother loss surface than each of the six compared methods",
        "paper",
        "Fig. 10",
        "smoothest of seven",
        *_each_other("smoothness"),
    )


def _other_claims():
    for metric in ("RUC", "auc"):
        name = "AUC" if metric == "auc" else metric
        yield _points(
            f"The paper's method beats plain supervision of the perturbed pictures in {name} "
            "under unseen kinds",
            "control",
            NONE,
            NONE,
            Part(PAPER, SUPERVISED, metric, UNSEEN),
        )
    yield _points(
        "AugMix's consistency loss adds RUC to its augmentation",
        "control",
        NONE,
        NONE,
        Part("augmix", "augmix_no_jsd", "RUC", UNSEEN),
    )
    yield _points(
        "Symmetric correlation has a higher RUC than the paper's row-column correlation",
        "ours",
        NONE,
        NONE,
        Part("symmetric", PAPER, "RUC", UNSEEN),
    )
    for other in (PAPER, SUPERVISED):
        for metric in ("auc", "RUC"):
            name = "AUC" if metric == "auc" else metric
            words = "the paper's method" if other == PAPER else "plain supervision"
            yield _points(
                f"keras_shr's default beats {words} in {name} under unseen kinds",
                "ours",
                NONE,
                NONE,
                Part(OURS, other, metric, UNSEEN),
            )
    for other, threshold, words in (
        (BASELINE, 0.45, "the baseline's"),
        (SUPERVISED, 0.8, "plain supervision's"),
    ):
        yield _ratio(
            f"keras_shr's default has an R of × {threshold} of {words} or less under unseen kinds",
            "ours",
            NONE,
            NONE,
            Part(OURS, other, "R", UNSEEN),
            threshold=threshold,
        )
    yield _points(
        "keras_shr's default raises the baseline's RUC under unseen kinds by 10 points or more",
        "ours",
        NONE,
        NONE,
        Part(OURS, BASELINE, "RUC", UNSEEN),
        threshold=0.10,
    )
    yield _points(
        "keras_shr's default costs less than 2 points of clean AUC",
        "ours",
        NONE,
        NONE,
        Part(OURS, BASELINE, "auc"),
        threshold=-0.02,
    )
    yield _points(
        "keras_shr's default beats plain supervision in AUC under a family that nobody trained on",
        "ours",
        NONE,
        NONE,
        Part(OURS, SUPERVISED, "auc", EXTRA),
    )
    for source, metric in (("rendered_motion", "jitter"), ("video", "acceleration")):
        yield _ratio(
            f"keras_shr's default shakes less than the baseline ({source.replace('_', ' ')})",
            "ours",
            NONE,
            NONE,
            Part(OURS, BASELINE, metric, source),
        )


CLAIMS = (*_paper_claims(), *_other_claims())
"""Every claim, in the order of the report."""
