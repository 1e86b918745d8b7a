"""docs/perturbations.md shows what was measured."""

from pathlib import Path

import pytest

from benchmarks import perturbation_table
from keras_shr.perturbations import ALL_PERTURBATIONS

DOCS = Path(__file__).resolve().parents[2] / "docs" / "perturbations.md"


@pytest.mark.parametrize("name", ["parity_table", "speed_table", "mixture_table"])
def test_the_docs_show_what_the_command_prints(name):
    table = getattr(perturbation_table, name)()
    assert table in DOCS.read_text("utf-8"), "python -m benchmarks.perturbation_table prints it"


def test_a_table_by_hand(tmp_path):
    rows = ["kind,implementation,images_per_s,ratio_to_reference"]
    for kind in (*ALL_PERTURBATIONS, "mixture"):
        rows += [f"{kind},{way},{rate}" for way, rate in (("native jit", "200,0.5"),)]
        rows += [f"{kind},native {way},100,4" for way in ("XLA", "graph")]
    for name in ("jax", "tensorflow", "h100"):
        (tmp_path / f"perturbations_{name}.csv").write_text("\n".join(rows))
    assert "| snow | 200 / **0.50** | 100 / 4.0 | 100 / 4.0 |" in (
        perturbation_table.speed_table(tmp_path)
    )
    # Ten kinds on each image take ten times as long.
    assert "| JAX jit | 200 | 200 | 20 |" in perturbation_table.mixture_table(tmp_path)
