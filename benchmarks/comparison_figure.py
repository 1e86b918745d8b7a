"""Draws docs/comparison.png from results/comparison_curves.csv.

python benchmarks/comparison_figure.py
"""

import csv
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).resolve().parents[1]
METHODS = {
    "baseline": ("baseline", "#777777"),
    "supervised": ("+ perturbed\nsupervised", "#E69F00"),
    "paper": ("paper", "#56B4E9"),
    "ours": ("keras_shr", "#0072B2"),
}
PANELS = (
    ("auc", "AUC, clean (higher is better)", False),
    ("auc_seen", "AUC, perturbed (higher is better)", False),
    ("RUC", "RUC: keypoints that stay (higher is better)", False),
    ("R", "R: squared shift, px² (lower is better, log)", True),
)


def last_rows(path, data):
    """The last measured row of each method and seed."""
    with open(path, newline="") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        measured = [r for r in rows if r["data"] == data and r["step"].isdigit()]
    return {(r["method"], r["seed"]): r for r in measured}


def main():
    rows = last_rows(ROOT / "results" / "comparison_curves.csv", "rooms+digits")
    figure, axes = plt.subplots(1, len(PANELS), figsize=(15, 3.6), layout="constrained")
    for panel, (metric, title, logarithmic) in zip(axes, PANELS, strict=True):
        for place, (method, (_label, color)) in enumerate(METHODS.items()):
            values = [float(r[metric]) for (m, _), r in rows.items() if m == method]
            mean = sum(values) / len(values)
            panel.bar(place, mean, color=color)
            panel.plot([place] * len(values), values, "k.", markersize=6)
            text = f"{mean:.0f}" if logarithmic else f"{mean:.3f}"
            panel.annotate(text, (place, max(values)), ha="center", va="bottom", fontsize=9)
        panel.set_xticks(range(len(METHODS)), [m[0] for m in METHODS.values()], fontsize=8)
        panel.set_title(title, fontsize=10)
        panel.spines[["top", "right"]].set_visible(False)
        if logarithmic:
            panel.set_yscale("log")
        panel.margins(y=0.12)
    figure.suptitle(
        "264 validation photographs of hands, ten seen kinds; dots: seeds 0 and 1", fontsize=10
    )
    figure.savefig(ROOT / "docs" / "comparison.png", dpi=110)


if __name__ == "__main__":
    main()
