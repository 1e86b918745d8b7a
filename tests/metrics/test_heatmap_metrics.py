"""D_n and D_(1)(2): hand-worked numbers, the oracle, ties and broken maps."""

import metric_oracles as oracle
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_shr import metrics
from keras_shr.errors import KerasShrError
from keras_shr.heatmaps import decode

PROPERTY = settings(max_examples=12, deadline=None)


def single(heatmap):
    """(height, width) as (1, height, width, 1)."""
    return np.asarray(heatmap, "float32")[None, :, :, None]


def distances(size, y, x):
    rows, columns = np.mgrid[:size, :size]
    return rows - y, columns - x


def test_least_spread_is_652():
    dy, dx = distances(64, 30, 33)
    cone = single(-np.hypot(dy, dx))
    assert metrics.least_peak_spread(64) == 652
    assert float(metrics.peak_spread(cone)[0, 0]) == 652
    corner = single(-np.hypot(*distances(64, 0, 0)))
    assert float(metrics.peak_spread(corner)[0, 0]) > 652


def test_spread_by_hand():
    heatmap = np.zeros((4, 5))
    heatmap[1, 1], heatmap[1, 3], heatmap[3, 1] = 1, 0.9, 0.8
    assert float(metrics.peak_spread(single(heatmap), 2)[0, 0]) == 4
    assert float(metrics.peak_spread(single(heatmap), 3)[0, 0]) == 8
    # The fourth is the first of the equal zeros in reading order, (0, 0).
    assert float(metrics.peak_spread(single(heatmap), 4)[0, 0]) == 10


def test_gap_of_the_targets():
    dy, dx = distances(32, 15, 16)
    gaussian = single(np.exp(-(dy**2 + dx**2) / 8))
    differentiated = single(0.7 ** np.maximum(abs(dy), abs(dx)))
    assert float(metrics.peak_gap(gaussian)[0, 0]) == pytest.approx(1 - np.exp(-1 / 8), abs=1e-5)
    assert float(metrics.peak_gap(differentiated)[0, 0]) == pytest.approx(0.3, abs=1e-5)
    np.testing.assert_allclose(metrics.peak_gap(37 * gaussian), metrics.peak_gap(gaussian), 1e-5)
    assert float(metrics.peak_gap(0 * gaussian)[0, 0]) == 0
    assert float(metrics.peak_gap(0 * gaussian + 0.4)[0, 0]) == 0
    assert float(metrics.peak_gap(gaussian - 5)[0, 0]) == 0
    one_positive = np.full((3, 3), -1.0)
    one_positive[1, 1] = 0.5
    assert float(metrics.peak_gap(single(one_positive))[0, 0]) == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_broken_maps_count_as_the_worst(bad):
    maps = np.tile(single(-np.hypot(*distances(16, 8, 8))) + 20, (2, 1, 1, 1))
    maps[0, 3, 3, 0] = bad
    gap, spread = metrics.PeakGap(), metrics.PeakSpread(4)
    gap.update_state(None, maps)
    spread.update_state(None, maps)
    good = float(metrics.peak_gap(maps)[1, 0])
    assert float(gap.result()) == pytest.approx(good / 2)
    assert float(spread.result()) == pytest.approx((3 * (15**2 + 15**2) + 3) / 2)


@PROPERTY
@given(st.integers(0, 10**6), st.booleans())
def test_against_the_oracle(seed, ties):
    rng = np.random.default_rng(seed)
    maps = rng.random((3, 7, 6, 2)).astype("float32")
    if ties:
        maps = np.round(maps * 6) / 6
    mask = rng.choice([0, 1, 2], (3, 2))
    mask[0, 0] = 1
    spread, gap = metrics.PeakSpread(20), metrics.PeakGap()
    for part in (slice(0, 2), slice(2, 3)):
        spread.update_state(None, maps[part], mask[part])
        gap.update_state(None, maps[part], sample_weight=mask[part])
    each = [(b, k) for b in range(3) for k in range(2)]
    expected = oracle.mean((oracle.peak_spread(maps[b, :, :, k], 20), mask[b, k]) for b, k in each)
    assert float(spread.result()) == pytest.approx(expected, rel=1e-5)
    expected = oracle.mean((oracle.peak_gap(maps[b, :, :, k]), mask[b, k]) for b, k in each)
    assert float(gap.result()) == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_normalize_maps():
    maps = np.stack([np.full((2, 3), 2.0), np.zeros((2, 3))], -1)[None]
    np.testing.assert_allclose(metrics.normalize_maps(maps, "max")[0, :, :, 0], 1)
    np.testing.assert_allclose(metrics.normalize_maps(maps, "sum")[0, :, :, 0], 1 / 6, rtol=1e-6)
    np.testing.assert_array_equal(metrics.normalize_maps(maps, "sum")[0, :, :, 1], 0)
    np.testing.assert_array_equal(metrics.normalize_maps(maps, None), maps)


def test_errors_of_use():
    with pytest.raises(KerasShrError, match="n is 64, expected 2 to the number of pixels"):
        metrics.peak_spread(np.zeros((1, 4, 4, 1)))
    with pytest.raises(KerasShrError, match=r"expected \(batch, height, width, keypoints\)"):
        metrics.peak_gap(np.zeros((4, 4, 1)))
    with pytest.raises(KerasShrError, match="'max', 'sum' or None"):
        metrics.normalize_maps(np.zeros((1, 4, 4, 1)), "mean")
    with pytest.raises(KerasShrError, match="'printed' or 'corrected'"):
        metrics.Theorem3Share("exact")


def test_no_maps_at_all():
    empty = np.zeros((0, 16, 16, 4), "float32")
    assert tuple(decode(empty).shape) == (0, 4, 3)
    assert tuple(metrics.peak_gap(empty).shape) == (0, 4)
    assert tuple(metrics.theorem3_holds(empty, empty).shape) == (0, 4)
