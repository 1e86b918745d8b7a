"""The suites notice a constant that is wrong by 20 %.

    python benchmarks/perturbation_mutations.py

writes the same as a table. Nothing here is compiled, so it says the same on every backend; JAX is
left out of the long run, being slow when every picture size and table is new to it.
"""

import keras
import pytest
from perturbation_constants import EQUIVALENT, TABLES
from perturbation_mutants import judge, mutants, planted, soundness

from keras_shr.perturbations import ALL_PERTURBATIONS


def find(kind, constant, factor):
    (mutant,) = (m for m in mutants(kind) if (m.constant, m.factor) == (constant, factor))
    return mutant


@pytest.mark.parametrize("factor", [0.8, 1.2])
@pytest.mark.parametrize(
    ("kind", "constant", "suites"),
    [
        ("contrast", "_CONTRAST[2]", {"parity", "distribution"}),
        ("speckle_noise", "_SPECKLE[2]", {"parity", "distribution"}),
        ("glass_blur", "_GLASS[2] passes", {"distribution"}),  # part of the draw
        ("snow", "_SNOW[2] sigma", {"parity"}),  # too fine for the statistics
    ],
)
def test_a_wrong_constant_is_noticed(kind, constant, suites, factor):
    assert suites <= set(judge(find(kind, constant, factor)).killed_by)


def test_the_package_is_left_as_it_was():
    mutant = find("brightness", "_BRIGHTNESS[2]", 1.2)
    before = mutant.table.module._BRIGHTNESS
    with planted(mutant):
        assert mutant.table.module._BRIGHTNESS[2] == pytest.approx(0.36)
    assert mutant.table.module._BRIGHTNESS is before


def test_every_kind_has_mutants():
    assert {table.kind for table in TABLES} == set(ALL_PERTURBATIONS)
    known = {mutant.key for kind in ALL_PERTURBATIONS for mutant in mutants(kind)}
    assert set(EQUIVALENT) <= known


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() == "jax", reason="minutes for each kind under JAX")
@pytest.mark.parametrize("kind", ALL_PERTURBATIONS)
def test_every_wrong_constant_is_noticed(kind):
    assert soundness(kind) < 1.0  # else the rest says nothing
    verdicts = {mutant.key: judge(mutant) for mutant in mutants(kind)}
    survivors = {key for key, verdict in verdicts.items() if not verdict.killed_by}
    assert survivors == {key for key in EQUIVALENT if key[0] == kind}
