"""Tables beyond the paper: mPC and rPC, Theorem 3, cost, other perturbations, motion."""

from dataclasses import dataclass

import numpy as np

from keras_shr.evaluation.protocol import EXTRA, SEEN, UNSEEN
from keras_shr.reproduction.report.methods import BASELINE, data_label, in_order, label
from keras_shr.reproduction.report.paper_tables import READING
from keras_shr.reproduction.report.results import ALL, CLEAN
from keras_shr.reproduction.report.tables import Cell, Table, measured

COST_CAPTION = (
    "All methods pass the same number of images through the network in a step; the passes by which "
    "AT and Lip search for their views are not counted in that number, but in the time."
)
TRUTH = "label_"
"""How temporal.csv begins the name of a metric of the labels themselves."""
MPC_SOURCE = (
    "mPC: mean AUC over all kinds of perturbation and severities; rPC: mPC divided by the clean "
    "AUC. Both are defined by Michaelis et al. (Benchmarking Robustness in Object Detection, 2019, "
    "arXiv 1907.07484) and used on keypoints, with AP in the place of AUC, for COCO-C by Wang et "
    "al. (When Human Pose Estimation Meets Robustness, CVPR 2021)."
)


def robustness_table(results) -> Table:
    """Every planned method: clean, mPC, rPC, seen, unseen, and the extra family where evaluated."""
    columns = [
        ("AUC clean\n% ↑", "auc", CLEAN, ".1f", "%"),
        ("mPC\n% ↑", "mPC", ALL, ".1f", "%"),
        ("rPC\n% ↑", "rPC", ALL, ".1f", "%"),
        ("AUC seen\n% ↑", "auc", SEEN, ".1f", "%"),
        ("AUC unseen\n% ↑", "auc", UNSEEN, ".1f", "%"),
        ("RUC unseen\n% ↑", "RUC", UNSEEN, ".1f", "%"),
        ("R unseen\npx² ↓", "R", UNSEEN, ".0f", "px²"),
    ]
    if results.has("auc", EXTRA):
        columns += [
            ("AUC extra\n% ↑", "auc", EXTRA, ".1f", "%"),
            ("RUC extra\n% ↑", "RUC", EXTRA, ".1f", "%"),
        ]
    caption = MPC_SOURCE
    count = {len(results.kinds(SEEN)) + len(results.kinds(UNSEEN))}
    caption += f" {count.pop()} kinds."
    if results.has("auc", EXTRA):
        kinds = ", ".join(kind.replace("_", " ") for kind in results.kinds(EXTRA))
        caption += f" Extra: a family that no method trained on ({kinds})."
    table = _by_method(results, "robustness", "Accuracy and stability of every method", columns)
    table.caption = f"{caption} {READING}"
    return table


def theorem_table(results) -> Table:
    columns = [
        (f"{words}\n{group}", metric, group, ".1f", "%")
        for group in (SEEN, UNSEEN)
        for words, metric in (("proven %", "theorem3"), ("unmoved %", "unmoved"))
    ]
    table = _by_method(results, "theorem3", "Theorem 3 beside the truth", columns)
    table.caption = (
        "Proven: share of heatmaps that meet the theorem's condition, which guarantees that this "
        "perturbation left the highest pixel in place. Unmoved: share whose highest pixel stayed. "
        f"The difference is what the condition is too strict to see. {READING}"
    )
    return table


def _by_method(results, key, title, columns):
    table = Table(key, title, ["method", *(column[0] for column in columns)])
    for data in results.data:
        table.splits.add(len(table.rows))
        for method in results.methods(data):
            place = f"{data_label(data)}: " if len(results.data) > 1 else ""
            table.rows.append(
                [
                    f"{place}{label(method)}",
                    *(
                        measured(results, method, data, metric, style, unit, group)
                        for _, metric, group, style, unit in columns
                    ),
                ]
            )
    table.splits.discard(0)
    return table


@dataclass(frozen=True)
class Cost:
    """What a training step costs.

    Attributes:
        milliseconds: median over cells.
        ratio: to the baseline's on the same device, or None.
        device: and backend, in words.
    """

    milliseconds: float
    ratio: float | None
    device: str


def how_measured(results) -> str:
    """A sentence on where the ratios of `costs` come from."""
    if not results.rows["costs.csv"]:
        return "Measured while the cells trained, when the machine may have been shared."
    kind = "CPU time" if _ratio_column(results.rows["costs.csv"][0]) == "cpu_ratio" else "time"
    return (
        "Measured apart from the training, a few steps of each method in turns with the "
        f"baseline's: median ratio of {kind} (costs.csv)."
    )


def costs(results, data) -> dict[str, Cost]:
    """Method → `Cost`: of costs.csv where it is, else of the device that timed most methods."""
    if results.rows["costs.csv"]:
        rows = {row["method"]: row for row in results.rows["costs.csv"]}
        return {
            method: Cost(1000 * row["seconds_per_step"], row[_ratio_column(row)], _where(row))
            for method in in_order(rows)
            if (row := rows[method])["seconds_per_step"] > 0
        }
    times: dict = {}
    for row in results.rows["times.csv"]:
        if row["data"] == data and row["architecture"] == results.main and row["ms_per_step"] > 0:
            device = ", ".join(part for part in (row.get("backend"), row["device"]) if part)
            of_device = times.setdefault(device, {})
            of_device.setdefault(row["method"], []).append(row["ms_per_step"])
    if not times:
        return {}
    device = max(times, key=lambda name: (len(times[name]), name))
    median = {method: float(np.median(found)) for method, found in times[device].items()}
    base = median.get(BASELINE)
    return {
        method: Cost(median[method], median[method] / base if base else None, device)
        for method in in_order(median)
    }


def _ratio_column(row):
    """CPU time is the steadier one, but says nothing of an accelerator."""
    return "cpu_ratio" if row["machine"].startswith("CPU") else "ratio"


def _where(row):
    return ", ".join(row[key] for key in ("backend", "machine") if row.get(key))


def cost_table(results) -> Table | None:
    table = Table(
        "cost",
        "What a training step costs",
        ["method", "ms a step", "× baseline", "AUC clean\n% ↑", "AUC unseen\n% ↑"],
    )
    devices = []
    for data in results.data:
        found = costs(results, data)
        for method, cost in found.items():
            place = f"{data_label(data)}: " if len(results.data) > 1 else ""
            record = {"source": "ours", "method": method, "architecture": results.main}
            record |= {"data": data, "metric": "ms_per_step", "unit": "ms"}
            record |= {"value": cost.milliseconds, "status": "run", "remark": cost.device}
            table.rows.append(
                [
                    f"{place}{label(method)}",
                    Cell(f"{cost.milliseconds:.0f}", record=record),
                    Cell(f"{cost.ratio:.2f}" if cost.ratio else "–"),
                    measured(results, method, data, "auc"),
                    measured(results, method, data, "auc", group=UNSEEN),
                ]
            )
        devices += [f"{data_label(data)}: {cost.device}" for cost in list(found.values())[:1]]
    table.caption = (
        f"Median time of a training step. {COST_CAPTION} {how_measured(results)} "
        f"{'; '.join(devices)}."
    )
    return table if table.rows else None


def temporal_metrics(results) -> list[tuple[str, str]]:
    """(source, metric) pairs of temporal.csv; those of the labels belong to no method."""
    pairs = {(row["source"], row["metric"]) for row in results.rows["temporal.csv"]}
    return sorted(pair for pair in pairs if not pair[1].startswith(TRUTH))


def temporal_table(results) -> Table | None:
    pairs = temporal_metrics(results)
    if not pairs:
        return None
    columns = [
        (f"{metric.replace('_', ' ')}\n{source.replace('_', ' ')} ↓", metric, source, ".2f", "px")
        for source, metric in pairs
    ]
    table = _by_method(results, "temporal", "Motion: how much keypoints shake", columns)
    table.rows = [row for row in table.rows if any(cell.seeds for cell in row[1:])]
    table.caption = (
        "Smaller is calmer, in px of a 256-px crop. Jitter: how far a keypoint moves from frame to "
        "frame beyond its true motion; acceleration: what is left of its motion when even speed is "
        f"taken out. A constant answer would be calmest, so read it with AUC. {READING}"
    )
    return table
