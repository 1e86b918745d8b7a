"""Seeds: one seed, one result, on every path; different seeds, independent numbers."""

import keras
import numpy as np
import pytest
from keras import ops
from perturbation_oracles import compiled
from scipy import stats

from keras_shr import _random
from keras_shr.errors import KerasShrError


def draws(seed):
    first, second = _random.split(seed, 2)
    return (
        _random.uniform((3, 5), first, -1.0, 2.0),
        _random.normal((7, 3), second, 1.0, 2.0),
        _random.integers((11,), _random.fold_in(seed, 2), -3, 4),
        _random.orders(2, 9, _random.fold_in(seed, 3)),
    )


@pytest.mark.parametrize("jit_compile", [False, True])
def test_same_numbers_eager_and_compiled(jit_compile):
    seed = _random.as_seed(1234567890123)
    eager = [np.asarray(x) for x in draws(seed)]
    result = compiled(draws, jit_compile)(seed)
    for a, b in zip(eager, result, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


@pytest.mark.parametrize("first", [0, 1, 5])
def test_a_part_of_the_rows_is_drawn_as_in_the_whole(first):
    """What a replica draws for its rows, down to seeds of seeds."""
    seed, part = _random.as_seed(12), _random.at_row(12, first)

    def rows(seed, count):
        child = _random.split(_random.fold_in(seed, 3), 2)[1]
        return (
            _random.uniform((count, 5), child),
            _random.normal((count, 2, 3), child),
            _random.integers((count,), child, 0, 1000),
            _random.orders(count, 7, child),
        )

    for whole, some in zip(rows(seed, 9), rows(part, 9 - first), strict=True):
        np.testing.assert_array_equal(np.asarray(whole)[first:], some)
    assert int(_random.first_row(part)) == first
    assert _random.first_row(seed) == 0


def test_orders_are_permutations():
    for row in np.asarray(_random.orders(20, 6, 1)):
        assert sorted(row) == list(range(6))


def test_known_numbers():
    """The same on every backend: these values were drawn once, to be kept."""
    seed = _random.as_seed(7)
    np.testing.assert_array_equal(_random.orders(1, 6, seed), [[5, 3, 0, 4, 2, 1]])
    np.testing.assert_array_equal(_random.fold_in(seed, 5), [1087168858, 1685342900])


def test_normal_numbers_are_finite_at_both_ends(monkeypatch):
    """One draw in 2^24 is the last one: every fifth batch of 64 images of 128 px has it."""
    ends = np.array([0.0, 2.0**-24, 0.5, 1 - 2.0**-23, 1 - 2.0**-24], "float32")
    monkeypatch.setattr(_random, "_unit", lambda shape, seed: ops.convert_to_tensor(ends))
    numbers = np.asarray(_random.normal((5,), 0))
    assert np.isfinite(numbers).all()
    np.testing.assert_allclose(numbers[[0, 4]], [-5.42, 5.29], atol=0.02)


def test_seed_forms():
    generator = keras.random.SeedGenerator(7)
    first, second = (np.asarray(_random.as_seed(generator)) for _ in range(2))
    assert (first != second).any()
    seed = _random.as_seed(np.array([5, 6], "int64"))
    np.testing.assert_array_equal(seed, [5, 6])
    np.testing.assert_array_equal(_random.as_seed(-1), [2**32 - 1] * 2)
    for wrong in (None, 1.5, "7", True):
        with pytest.raises(KerasShrError, match="seed is"):
            _random.as_seed(wrong)


def test_split_is_fold_in():
    seed = _random.as_seed(3)
    for i, child in enumerate(_random.split(seed, 4)):
        np.testing.assert_array_equal(child, _random.fold_in(seed, i))
        np.testing.assert_array_equal(child, _random.fold_in(seed, ops.convert_to_tensor(i)))


def test_seed_families_do_not_meet():
    parents = [_random.as_seed(i) for i in range(40)]
    children = np.stack([np.stack(_random.split(p, 50)) for p in parents]).reshape(-1, 2)
    assert len(np.unique(children, axis=0)) == len(children)


def test_laws():
    seed = _random.as_seed(8)
    uniform = np.asarray(_random.uniform((1 << 18,), seed))
    assert stats.kstest(uniform, "uniform").pvalue > 1e-3
    other = np.asarray(_random.uniform((1 << 18,), _random.fold_in(seed, 1)))
    for pair in ((uniform[1:], uniform[:-1]), (uniform, other), (uniform[512:], uniform[:-512])):
        table = np.histogram2d(*pair, bins=32)[0]
        assert stats.chisquare(table.ravel()).pvalue > 1e-4
    normal = np.asarray(_random.normal((1 << 18,), seed))
    assert np.isfinite(normal).all()
    assert stats.kstest(normal, "norm").pvalue > 1e-3
    integers = np.asarray(_random.integers((60000,), seed, 0, 6))
    assert stats.chisquare(np.bincount(integers, minlength=6)).pvalue > 1e-3


def test_limits_broadcast():
    low = ops.convert_to_tensor([[0], [100]], "int32")
    high = ops.convert_to_tensor([[3], [110]], "int32")
    drawn = np.asarray(_random.integers((2, 4000), _random.as_seed(1), low, high))
    assert set(np.unique(drawn[0])) == {0, 1, 2}
    assert set(np.unique(drawn[1])) == set(range(100, 110))
