"""R, stable-at-P and RUC: hand-worked numbers, the oracle, batch splits, broken predictions."""

import metric_oracles as oracle
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_shr import metrics
from keras_shr.errors import KerasShrError

PROPERTY = settings(max_examples=12, deadline=None)


def sample(seed, batch=6, keypoints=4, spread=15.0):
    rng = np.random.default_rng(seed)
    clean = rng.uniform(0, 100, (batch, keypoints, 3)).astype("float32")
    return clean, (clean + rng.normal(0, spread, clean.shape)).astype("float32")


def run(metric, clean, perturbed, weight=None, cuts=()):
    for part in np.split(np.arange(len(clean)), cuts):
        metric.update_state(
            clean[part], perturbed[part], sample_weight=None if weight is None else weight[part]
        )
    return float(metric.result())


def test_by_hand():
    clean = np.array([[[10, 10, 0.1], [20, 20, 0.0]]])  # the third column is a score, not a mask
    perturbed = clean + np.array([[3, 4, 9], [0, 0, 9]])
    assert run(metrics.R(), clean, perturbed) == 12.5
    assert run(metrics.R(scale=2), clean, perturbed) == 50
    assert run(metrics.StableAtP(5), clean, perturbed) == 1
    assert run(metrics.StableAtP(4.9), clean, perturbed) == 0.5
    assert run(metrics.StableAtP(9, scale=2), clean, perturbed) == 0.5
    # The one that moved 5 px is stable at P = 5..30, 26 of 31.
    assert run(metrics.RUC(), clean, perturbed) == pytest.approx((31 + 26) / 62)
    assert float(metrics.ruc(clean, perturbed)) == pytest.approx((31 + 26) / 62)
    assert float(metrics.mean_squared_displacement(clean, perturbed)) == 12.5
    assert float(metrics.stable_at(clean, perturbed, 4)) == 0.5
    np.testing.assert_array_equal(metrics.displacements(clean, perturbed), [[5, 0]])
    mask = np.array([[1, 0]])
    assert run(metrics.R(), clean, perturbed, mask) == 25
    metric = metrics.RUC()
    run(metric, clean, perturbed)
    np.testing.assert_array_equal(metric.curve(), [0.5] * 5 + [1] * 26)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
@pytest.mark.parametrize("side", [0, 1])
def test_broken_predictions_count_as_the_worst(bad, side):
    clean, perturbed = sample(0, batch=1, keypoints=2, spread=0)
    (clean, perturbed)[side][0, 0, 1] = bad
    assert run(metrics.R(), clean, perturbed) == pytest.approx(2 * 256**2 / 2)
    assert run(metrics.R(worst=10), clean, perturbed) == 50
    assert run(metrics.StableAtP(1000), clean, perturbed) == 0.5
    assert run(metrics.RUC(), clean, perturbed) == 0.5


def test_a_constant_answer_is_perfectly_stable_and_nothing_is_nan():
    clean, _ = sample(0)
    assert run(metrics.R(), clean, clean) == 0
    assert run(metrics.RUC(), clean, clean) == 1
    for metric in (metrics.R(), metrics.RUC(), metrics.StableAtP(5)):
        assert np.isnan(float(metric.result()))
        assert np.isnan(run(metric, clean, clean, np.zeros(len(clean))))


@PROPERTY
@given(st.integers(0, 10**6), st.sampled_from([(), (4,), (2,)]), st.booleans())
def test_against_the_oracle(seed, cuts, weighted):
    clean, perturbed = sample(seed)
    rng = np.random.default_rng(seed)
    weight = rng.choice([0, 0.5, 2], 6) if weighted else np.ones(6)
    if not weight.any():
        weight[0] = 1
    moved = [
        (oracle.distance(clean[b, k], perturbed[b, k], 2.0), weight[b])
        for b in range(6)
        for k in range(4)
    ]
    curve = [oracle.mean((d <= p, w) for d, w in moved) for p in range(31)]
    order = rng.permutation(6)
    made = {
        metrics.R(scale=2.0): oracle.mean((d * d, w) for d, w in moved),
        metrics.StableAtP(7, scale=2.0): curve[7],
        metrics.RUC(scale=2.0): np.mean(curve),
    }
    for metric, expected in made.items():
        result = run(metric, clean[order], perturbed[order], weight[order], cuts)
        np.testing.assert_allclose(result, expected, rtol=2e-5, err_msg=metric.name)


@PROPERTY
@given(st.integers(0, 10**6))
def test_curve_rises_and_less_motion_is_more_stable(seed):
    clean, perturbed = sample(seed)
    curve = np.asarray(metrics.stability_curve(clean, perturbed))
    assert curve.shape == (31,)
    assert (np.diff(curve) >= 0).all()
    assert 0 <= curve[0] <= curve[-1] <= 1
    half = clean + 0.5 * (perturbed - clean)
    assert float(metrics.ruc(clean, half)) >= float(metrics.ruc(clean, perturbed))
    # Displacement has no direction.
    np.testing.assert_allclose(
        metrics.mean_squared_displacement(perturbed, clean),
        4 * np.asarray(metrics.mean_squared_displacement(clean, half)),
        rtol=1e-3,
    )


def test_errors_of_use():
    clean, perturbed = sample(0)
    with pytest.raises(KerasShrError, match="p is -1"):
        metrics.StableAtP(-1)
    with pytest.raises(KerasShrError, match="the clean prediction has shape"):
        metrics.R().update_state(clean[0], perturbed[0])
