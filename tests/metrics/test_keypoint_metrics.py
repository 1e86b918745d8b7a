"""Accuracy metrics: hand-worked numbers, the NumPy oracle, batch splits, masks, bounds."""

import metric_oracles as oracle
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_shr import metrics
from keras_shr.errors import KerasShrError
from keras_shr.skeletons import HAND_21

PROPERTY = settings(max_examples=12, deadline=None)

CUTS = ((), (4,), (2,))  # few different batch sizes: JAX compiles for each


def sample(seed, batch=6, keypoints=5, spread=20.0, visible=(0, 1, 2)):
    """Labels (batch, keypoints, 3) and predictions (batch, keypoints, 2)."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform(0, 100, (batch, keypoints, 2))
    v = rng.choice(visible, (batch, keypoints, 1))
    noise = rng.normal(0, spread, xy.shape)
    return np.concatenate([xy, v], -1).astype("float32"), (xy + noise).astype("float32")


def near(value):
    return pytest.approx(value, rel=1e-5, abs=1e-6)


def run(metric, y_true, y_pred, weight=None, cuts=()):
    for part in np.split(np.arange(len(y_true)), sorted(cuts)):
        metric.update_state(y_true[part], y_pred[part], None if weight is None else weight[part])
    return float(metric.result())


def constant_error(px, batch=3, keypoints=4):
    y_true = np.full((batch, keypoints, 3), 2.0)
    y_true[..., 0] = 40 + np.arange(keypoints)
    y_true[..., 1] = 50 + np.arange(batch)[:, None]
    return y_true, y_true[..., :2] + [px, 0]


@pytest.mark.parametrize(
    ("convention", "value"), [("hand3d", 17.5 / 19), ("mmpose", 0.85), ("ours", 28 / 31)]
)
def test_auc_of_a_constant_3_px_error(convention, value):
    y_true, y_pred = constant_error(3)
    assert run(metrics.KeypointAUC(convention), y_true, y_pred) == pytest.approx(value, abs=1e-6)
    assert float(metrics.keypoint_auc(y_true, y_pred, convention)) == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize("convention", sorted(metrics.CONVENTIONS))
def test_auc_limits(convention):
    y_true, y_pred = constant_error(0)
    # mmpose's `<` at 0 px leaves out its first threshold even for perfect predictions.
    best = 0.95 if convention == "mmpose" else 1
    assert run(metrics.KeypointAUC(convention), y_true, y_pred) == pytest.approx(best, abs=1e-6)
    assert run(metrics.KeypointAUC(convention), *constant_error(30.5)) == 0


def test_auc_per_keypoint_weighs_keypoints_alike():
    # Keypoint 0 is labelled three times and right, keypoint 1 once and 100 px off.
    y_true, y_pred = constant_error(0, batch=3, keypoints=2)
    y_true[1:, 1, 2] = 0
    y_pred[0, 1] += 100
    assert run(metrics.KeypointAUC("ours"), y_true, y_pred) == pytest.approx(0.75)
    assert run(metrics.KeypointAUC("hand3d"), y_true, y_pred) == pytest.approx(0.5)


def test_pck_by_pixels_box_pair_and_fourth_column():
    # Box: x 10..60, y 10..30 -> side 50; keypoints 0 and 1 are 30 apart.
    y_true = np.array([[[10, 10, 2], [40, 10, 1], [60, 30, 2], [0, 0, 0]]], "float32")
    y_pred = y_true[..., :2] + np.array([[[6, 0], [0, 4], [3, 4], [99, 99]]])
    two, three, none = near(2 / 3), near(1), 0
    assert run(metrics.PCK(5), y_true, y_pred) == two  # 6, 4, 5 px
    assert run(metrics.PCK(3.9), y_true, y_pred) == none
    assert run(metrics.PCK(0.101, "box"), y_true, y_pred) == two  # 5.05 px
    assert run(metrics.PCK(0.21, (0, 1)), y_true, y_pred) == three  # 6 px
    assert run(metrics.PCK(0.13, (1, 0)), y_true, y_pred) == none  # 3.9 px
    side = np.full((1, 4, 1), 40)
    boxed = np.concatenate([y_true, side], -1)
    assert run(metrics.PCK(0.1, "box"), boxed, y_pred) == pytest.approx(1 / 3)  # 4 px
    assert run(metrics.PCK(5, visibility="seen"), y_true, y_pred) == pytest.approx(1 / 2)
    assert run(metrics.PCK(10, scale=2), y_true, y_pred) == two
    assert run(metrics.PCK(0.101, "box", scale=2), y_true, y_pred) == two
    assert run(metrics.PCK(0.501, 10), y_true, y_pred) == two
    np.testing.assert_allclose(
        metrics.pck_curve(y_true, y_pred, (4, 5, 6)), [1 / 3, 2 / 3, 1], rtol=1e-6
    )


def test_sample_without_normalizer_is_left_out():
    y_true, y_pred = constant_error(3, batch=2, keypoints=3)
    y_true[0, 1, 2] = 0  # the pair (0, 1) has no length in sample 0
    y_pred[1] = y_true[1, :, :2]
    assert run(metrics.PCK(0.5, (0, 1)), y_true, y_pred) == 1
    assert run(metrics.NME((0, 1)), y_true, y_pred) == 0
    alone = y_true[:1].copy()
    alone[0, :, 2] = [2, 0, 0]  # a box of one point has no side
    assert np.isnan(run(metrics.NME("box"), alone, y_pred[:1]))


def test_end_point_error_and_nme_by_hand():
    y_true = np.array([[[0, 0, 2], [30, 40, 1], [5, 5, 0]]], "float32")
    y_pred = np.array([[[3, 4, 0.9], [30, 40, 0.1], [np.nan, 0, 0]]], "float32")
    assert run(metrics.EndPointError(), y_true, y_pred) == 2.5
    assert run(metrics.EndPointError(scale=256 / 64), y_true, y_pred) == 10
    assert run(metrics.EndPointError(visibility="seen"), y_true, y_pred) == 5
    assert run(metrics.NME("box"), y_true, y_pred) == pytest.approx(2.5 / 40)
    assert run(metrics.NME((0, 1)), y_true, y_pred) == pytest.approx(2.5 / 50)
    assert run(metrics.NME((0, 1), scale=7), y_true, y_pred) == pytest.approx(2.5 / 50)
    assert run(metrics.NME(10), y_true, y_pred) == 0.25


def test_names_of_keypoints():
    metric = metrics.PCK(0.5, ("wrist", "middle_mcp"), skeleton=HAND_21)
    assert metric.normalize == (0, 9)
    with pytest.raises(KerasShrError, match="skeleton="):
        metrics.NME(("wrist", "middle_mcp"))
    with pytest.raises(KerasShrError, match="no keypoint 'elbow'"):
        metrics.NME(("wrist", "elbow"), skeleton=HAND_21)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
def test_broken_predictions_count_as_the_worst(bad):
    y_true, y_pred = constant_error(0, batch=2, keypoints=2)
    y_pred[0, 1, 1] = bad
    assert run(metrics.PCK(1000), y_true, y_pred) == 0.75
    assert run(metrics.KeypointAUC(), y_true, y_pred) == 0.75
    diagonal = 256 * 2**0.5
    assert run(metrics.EndPointError(), y_true, y_pred) == pytest.approx(diagonal / 4)
    assert run(metrics.EndPointError(scale=8), y_true, y_pred) == pytest.approx(diagonal / 4)
    assert run(metrics.EndPointError(worst=8), y_true, y_pred) == 2
    assert run(metrics.NME(4, worst=8), y_true, y_pred) == 0.5


def test_broken_labels_and_nothing_to_count():
    y_true, y_pred = constant_error(2)
    y_true[0, :, 0] = np.nan
    y_true[1, 0, 1] = np.inf
    assert run(metrics.EndPointError(), y_true, y_pred) == 2
    assert run(metrics.NME("box"), y_true, y_pred) > 0
    for metric in (metrics.PCK(1), metrics.KeypointAUC("hand3d"), metrics.EndPointError()):
        assert np.isnan(float(metric.result()))
        assert np.isnan(run(metric, y_true * [1, 1, 0], y_pred))
    two_columns = y_true[2:, :, :2]
    assert run(metrics.EndPointError(), two_columns, y_pred[2:]) == 2


@PROPERTY
@given(st.integers(0, 10**6), st.sampled_from(["all", "seen"]), st.booleans())
def test_against_the_oracle(seed, visibility, weighted):
    y_true, y_pred = sample(seed)
    rng = np.random.default_rng(seed + 1)
    weight = rng.choice([0, 0.5, 1, 3], (6, 5)).astype("float32") if weighted else None
    options = {"visibility": visibility, "scale": 2.0}
    made = {
        "pck": metrics.PCK(12, **options),
        "pck_box": metrics.PCK(0.3, "box", **options),
        "nme": metrics.NME((1, 3), **options),
        "epe": metrics.EndPointError(**options),
        **{c: metrics.KeypointAUC(c, **options) for c in metrics.CONVENTIONS},
    }
    plain = oracle.errors(y_true, y_pred, None, 2.0, visibility, weight)
    box = oracle.errors(y_true, y_pred, "box", 2.0, visibility, weight)
    pair = oracle.errors(y_true, y_pred, (1, 3), 2.0, visibility, weight)
    expected = {
        "pck": oracle.pck(plain, 12),
        "pck_box": oracle.pck(box, 0.3),
        "nme": oracle.mean((e, w) for _, e, w in pair),
        "epe": oracle.mean((e, w) for _, e, w in plain),
        **{c: oracle.auc(plain, c) for c in metrics.CONVENTIONS},
    }
    cuts = CUTS[seed % 3]
    for name, metric in made.items():
        result = run(metric, y_true, y_pred, weight, cuts)
        np.testing.assert_allclose(result, expected[name], rtol=2e-5, atol=1e-6, err_msg=name)


@PROPERTY
@given(st.integers(0, 10**6), st.sampled_from(CUTS))
def test_order_and_batches_do_not_matter(seed, cuts):
    y_true, y_pred = sample(seed)
    order = np.random.default_rng(seed).permutation(6)
    for make in (lambda: metrics.PCK(9), metrics.KeypointAUC, metrics.EndPointError):
        whole = run(make(), y_true, y_pred)
        cut = run(make(), y_true[order], y_pred[order], cuts=cuts)
        np.testing.assert_allclose(cut, whole, rtol=1e-6)


@PROPERTY
@given(st.integers(0, 10**6))
def test_bounds_and_monotone(seed):
    y_true, y_pred = sample(seed, visible=(1, 2))
    curve = np.asarray(metrics.pck_curve(y_true, y_pred, range(0, 60, 3)))
    assert (np.diff(curve) >= 0).all()
    assert 0 <= curve.min() <= curve.max() <= 1
    closer = y_true[..., :2] + 0.5 * (y_pred - y_true[..., :2])
    for convention in metrics.CONVENTIONS:
        far = float(metrics.keypoint_auc(y_true, y_pred, convention))
        near = float(metrics.keypoint_auc(y_true, closer, convention))
        assert 0 <= far <= near <= 1
    assert float(metrics.nme(y_true, closer)) == pytest.approx(
        0.5 * float(metrics.nme(y_true, y_pred)), rel=1e-4
    )


def test_auc_curve_is_pck():
    y_true, y_pred = sample(3)
    for convention, rule in metrics.CONVENTIONS.items():
        metric = metrics.KeypointAUC(convention)
        run(metric, y_true, y_pred, cuts=[2])
        expected = metrics.pck_curve(y_true, y_pred, rule.thresholds)
        if rule.inclusive:
            np.testing.assert_allclose(metric.curve(), expected, atol=1e-6)
        assert len(metric.curve()) == len(metric.thresholds)


def test_an_empty_batch_changes_nothing():
    y_true, y_pred = sample(1)
    for metric in (metrics.PCK(0.3, "box"), metrics.KeypointAUC("mmpose"), metrics.NME((0, 1))):
        before = run(metric, y_true, y_pred)
        assert run(metric, y_true[:0], y_pred[:0]) == before


def test_errors_of_use():
    y_true, y_pred = sample(0)
    with pytest.raises(KerasShrError, match="'hand3d', 'mmpose', 'ours'"):
        metrics.KeypointAUC("coco")
    with pytest.raises(KerasShrError, match="'all' or 'seen'"):
        metrics.PCK(1, visibility="hidden")
    with pytest.raises(KerasShrError, match="expected None, 'box'"):
        metrics.PCK(1, normalize=(2, 2))
    with pytest.raises(KerasShrError, match=r"y_pred has shape .* expected \(batch, keypoints"):
        metrics.PCK(1).update_state(y_true, y_pred[..., :1])
    with pytest.raises(KerasShrError, match="there are 5 keypoints"):
        metrics.NME((0, 9)).update_state(y_true, y_pred)
    with pytest.raises(KerasShrError, match="sample_weight has shape"):
        metrics.PCK(1).update_state(y_true, y_pred, np.ones((6, 5, 1)))
    with pytest.raises(KerasShrError, match="third column"):
        metrics.PCK(1, visibility="seen").update_state(y_true[..., :2], y_pred)


@pytest.mark.parametrize("wrong", [-10, 0, "bbox", ("a", "b"), (1, 1), True])
def test_functions_refuse_the_lengths_that_classes_refuse(wrong):
    labels = np.array([[[1, 2, 2], [3, 4, 2]]], "float32")
    for function in (metrics.nme, lambda *a, **k: metrics.pck(*a, 10, **k)):
        with pytest.raises(KerasShrError, match="normalize"):
            function(labels, labels[..., :2], normalize=wrong)
    moved = labels[..., :2] + [[[3, 4]]]
    for length in (10, np.float32(10), np.int64(10)):
        assert float(metrics.nme(labels, moved, length)) == pytest.approx(0.5)
