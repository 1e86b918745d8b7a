"""The tables of docs/perturbations.md, from what benchmarks/perturbations.py and
benchmarks/perturbation_parity.py measured.

    python -m benchmarks.perturbation_table
"""

import csv
from pathlib import Path

from keras_shr.perturbations import ALL_PERTURBATIONS, TRAINING_PERTURBATIONS

RESULTS = Path(__file__).resolve().parents[1] / "results"
COLUMNS = (
    ("JAX jit", "perturbations_jax.csv", "native jit"),
    ("TensorFlow XLA", "perturbations_tensorflow.csv", "native XLA"),
    ("TensorFlow graph", "perturbations_tensorflow.csv", "native graph"),
)
ACCELERATOR = ("H100, JAX jit", "perturbations_h100.csv", "native jit")


def rates(file, implementation, results=RESULTS):
    """kind → (images a second, ratio to the reference)."""
    with open(results / file, newline="", encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["implementation"] == implementation]
    return {
        row["kind"]: (float(row["images_per_s"]), float(row["ratio_to_reference"])) for row in rows
    }


def speed_table(results=RESULTS) -> str:
    """Images a second / ratio to the reference, a row for each kind; slower than it in bold."""
    columns = {title: rates(file, way, results) for title, file, way in COLUMNS}
    lines = [f"| kind | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for kind in (*ALL_PERTURBATIONS, "mixture"):
        cells = []
        for found in columns.values():
            rate, ratio = found[kind]
            shown = f"{ratio:.2f}" if ratio < 2 else f"{ratio:.1f}"
            cells.append(f"{rate:.0f} / {f'**{shown}**' if ratio < 1 else shown}")
        name = "the ten of training, mixed" if kind == "mixture" else kind.replace("_", " ")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def mixture_table(results=RESULTS) -> str:
    """Images a second of a mixed batch beside those of one kind at a time and of all ten for each
    image."""
    lines = [
        "| | mixed batch | one kind a batch, mean of the ten | all ten on each image |",
        "|---|---|---|---|",
    ]
    for title, file, way in (*COLUMNS, ACCELERATOR):
        found = rates(file, way, results)
        seconds = [1 / found[kind][0] for kind in TRAINING_PERTURBATIONS]
        values = found["mixture"][0], len(seconds) / sum(seconds), 1 / sum(seconds)
        lines.append(f"| {title} | {' | '.join(f'{value:,.0f}' for value in values)} |")
    return "\n".join(lines)


def parity_table(results=RESULTS) -> str:
    """Largest mean difference over sizes, severities and backends, a row for each kind."""
    with open(results / "perturbation_parity.csv", newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    lines = ["| kind | mean difference | values that differ |", "|---|---|---|"]
    for kind in ALL_PERTURBATIONS:
        mine = [row for row in rows if row["kind"] == kind]
        difference = max(float(row["mean_difference"]) for row in mine)
        share = max(float(row["share_of_values_that_differ"]) for row in mine)
        lines.append(f"| {kind.replace('_', ' ')} | {difference:.3f} | {100 * share:.1f} % |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(parity_table(), speed_table(), mixture_table(), sep="\n\n")
