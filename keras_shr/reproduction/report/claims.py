"""A verdict on each claim, by a stated rule."""

import math
from dataclasses import dataclass

from keras_shr.evaluation.summary import csv_text
from keras_shr.reproduction.report.claim_list import CLAIMS, Part
from keras_shr.reproduction.report.methods import label
from keras_shr.reproduction.report.results import CONVERGENCE
from keras_shr.reproduction.report.statistics import LEAST_FREEDOM, Comparison
from keras_shr.reproduction.report.tables import markdown_line

SUPPORTED, NOT_SUPPORTED = "supported", "not supported"
INCONCLUSIVE, NOT_RUN = "inconclusive", "not run"
UNKNOWN_SPREAD = "the spread of seeds is unknown"
UNKNOWN_LUCK = "the luck of the pictures is unknown"
VERDICTS = (SUPPORTED, NOT_SUPPORTED, INCONCLUSIVE, NOT_RUN)
RULE = (
    "Supported: the whole 95 % interval of every comparison in the claim lies on the claimed side "
    "of the threshold. Not supported: the interval of at least one lies wholly on the other side. "
    "Inconclusive: neither, or the convergence rule fails, or a part was not run, or the spread of "
    f"seeds is unknown (fewer than {LEAST_FREEDOM} degrees of freedom over all methods together). "
    "Not run: no part was. An interval joins the spread of training seeds, pooled over all methods "
    "(t distribution), with the bootstrap over test pictures: of the difference itself where "
    "draws.csv has the draws of both methods (paired pictures), else of the two taken as "
    "independent; ratios are compared as logarithms. A claim of several parts shows the least "
    "favourable one. "
    f"Convergence rule: {CONVERGENCE}."
)
FIELDS = (
    *("claim", "source", "where", "data", "paper", "measure", "threshold", "ours", "low", "high"),
    *("interval", "seeds", "parts_run", "direction", "verdict", "why"),
)


@dataclass(frozen=True)
class _Judged:
    """A part with its comparison.

    `margin` is how far it lies on the claimed side, `side` is 1 or -1 where its interval lies
    wholly on the claimed or the other side, `faults` say why it does not count.
    """

    part: Part
    comparison: Comparison
    margin: float
    side: int
    faults: tuple[str, ...]


def judge(results, claim, data) -> dict:
    """The verdict on a claim on one data set, with the columns `FIELDS`."""
    judged = [_judge_part(results, claim, part, data) for part in claim.parts]
    run = [one for one in judged if one is not None]
    row = dict.fromkeys(FIELDS)
    row |= {
        "claim": claim.text,
        "source": claim.source,
        "where": claim.where,
        "data": data,
        "paper": claim.paper,
        "measure": claim.measure,
        "threshold": claim.scale * claim.threshold,
        "parts_run": f"{len(run)} of {len(judged)}",
    }
    if not run:
        return row | {"verdict": NOT_RUN, "why": "no part of it was run"}
    # The part that speaks most against the claim stands for it.
    worst = min(run, key=lambda one: one.margin)
    verdict, why = _verdict(judged, run)
    if len(judged) > 1:
        why = "; ".join(text for text in (_list(claim, run), why) if text)
    return row | {
        "ours": claim.scale * worst.comparison.value,
        "low": claim.scale * worst.comparison.low,
        "high": claim.scale * worst.comparison.high,
        "interval": worst.comparison.covers or "none",
        "seeds": " and ".join(map(str, worst.comparison.seeds)),
        "direction": "as claimed" if worst.margin > 0 else "opposite",
        "verdict": verdict,
        "why": why,
    }


def _judge_part(results, claim, part, data):
    found = results.compare(
        *(part.one, part.other, data, claim.how, part.metric, part.group, part.kind),
        architecture=part.architecture,
    )
    if found is None or not math.isfinite(found.value):
        return None
    ends = [claim.sign * (end - claim.threshold) for end in (found.low, found.high)]
    side = 1 if min(ends) > 0 else -1 if max(ends) < 0 else 0
    faults = []
    for method in (part.one, part.other):
        for fault in results.progress(method, data, part.architecture).faults:
            of_all = fault.startswith("the baseline")
            faults.append(fault if of_all else f"{label(method)}: {fault}")
    if "seeds" not in found.covers:
        faults.append(UNKNOWN_SPREAD)
    if "pictures" not in found.covers:
        faults.append(UNKNOWN_LUCK)
    margin = claim.sign * (found.value - claim.threshold)
    return _Judged(part, found, margin, side, tuple(dict.fromkeys(faults)))


def _verdict(judged, run):
    sound = [one for one in run if not one.faults]
    if any(one.side < 0 for one in sound):
        return NOT_SUPPORTED, ""
    faults = dict.fromkeys(fault for one in run for fault in one.faults)
    if faults:
        return INCONCLUSIVE, "; ".join(faults)
    if len(run) < len(judged):
        return INCONCLUSIVE, "not every part was run"
    if all(one.side > 0 for one in run):
        return SUPPORTED, ""
    return INCONCLUSIVE, "an interval holds the threshold"


def _list(claim, run):
    sign = "× " if claim.how == "ratio" else ""
    style = "+.1f" if claim.scale == 100 else ".2f"
    shown = [
        f"{one.part.words} {sign}{format(claim.scale * one.comparison.value, style)}" for one in run
    ]
    return ", ".join(shown)


def judge_all(results) -> list[dict]:
    """A row for each claim and data set."""
    return [judge(results, claim, data) for claim in CLAIMS for data in results.data]


def shown(row) -> tuple[str, str]:
    """What was measured and its interval, as text; dashes where nothing was."""
    if row["ours"] is None:
        return "–", ""
    ratio = row["measure"].startswith("ratio")
    style = ".2f" if ratio else "+.1f" if row["measure"].endswith("points") else "+.3f"
    low, high = (format(row[end], style) for end in ("low", "high"))
    return ("× " if ratio else "") + format(row["ours"], style), f"{low} to {high}"


def claims_markdown(rows, data_label) -> str:
    """The verdicts as a table for the README.

    Args:
        rows: of `judge_all`.
        data_label: name of a data set → what it is called.
    """
    lines = ["**Claims**", "", "| claim | paper | data | ours (95 % interval) | verdict |"]
    lines.append("| --- | --- | --- | --- | --- |")
    for row in rows:
        value, interval = shown(row)
        cells = [f"{row['claim']}: {row['measure']}", row["paper"], data_label(row["data"])]
        cells += [f"{value} ({interval})" if interval else value, row["verdict"]]
        lines.append(markdown_line(cells))
    return "\n".join([*lines, "", RULE]) + "\n"


def claims_csv(rows) -> str:
    """The rows as CSV, the rule in comment lines above them."""
    return f"# {RULE}\n" + csv_text(rows, FIELDS)
