import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from keras import ops

from keras_shr import losses
from keras_shr.errors import KerasShrError
from keras_shr.heatmaps import gaussian_heatmap, highly_differentiated_heatmap
from tests import oracles
from tests.gradients import gradient

SIZE = (12, 14)
MAPS = hnp.arrays("float32", (*SIZE, 3), elements=st.floats(0.015625, 1, width=32))
LOSSES = [
    losses.WeightedMultiLabelCE,
    losses.HeatmapMSE,
    losses.MaximumStabilityLoss,
    losses.StabilityLoss,
]


def number(tensor):
    return float(ops.convert_to_numpy(tensor))


def hdhr(keypoints):
    return ops.convert_to_numpy(highly_differentiated_heatmap([keypoints], SIZE))


KEYPOINTS = [[3, 4, 2], [11.2, 8.6, 1], [0, 0, 2]]


@given(MAPS, st.booleans())
def test_wce_matches_the_formula(maps, normalize):
    target = hdhr(KEYPOINTS)
    loss = losses.WeightedMultiLabelCE(normalize_weights=normalize)
    want = np.mean(
        [
            oracles.wce(target[0, :, :, k], maps[:, :, k].astype("float64"), normalize)
            for k in range(3)
        ]
    )
    assert number(loss(target, maps[None])) == pytest.approx(want, rel=1e-4)


@given(hnp.arrays("float32", (*SIZE, 3), elements=st.floats(-20, 20, width=32)))
def test_wce_from_logits_equals_wce_of_the_softmax(logits):
    target = hdhr(KEYPOINTS)
    softmax = np.exp(logits - logits.max((0, 1)))
    from_logits = losses.WeightedMultiLabelCE(from_logits=True)(target, logits[None])
    assert number(from_logits) == pytest.approx(
        number(losses.WeightedMultiLabelCE()(target, softmax[None])), rel=1e-4
    )


def test_wce_by_hand():
    # One pixel of weight 1 among 4: -log(0.5) when the map holds half of its mass there.
    target = np.zeros((1, 2, 2, 1), "float32")
    target[0, 0, 0, 0] = 1.0
    maps = np.array([3.0, 1.0, 1.0, 1.0], "float32").reshape(1, 2, 2, 1)
    assert number(losses.WeightedMultiLabelCE()(target, maps)) == pytest.approx(np.log(2))


def test_wce_does_not_reward_a_constant_map():
    target = hdhr(KEYPOINTS)
    constant = number(losses.WeightedMultiLabelCE()(target, np.ones_like(target)))
    assert constant == pytest.approx(np.log(SIZE[0] * SIZE[1]), rel=1e-5)
    assert number(losses.WeightedMultiLabelCE()(target, target)) < constant


@given(MAPS, MAPS)
def test_stability_losses_match_their_formulas(clean, perturbed):
    pairs = [(clean[:, :, k].astype("float64"), perturbed[:, :, k]) for k in range(3)]
    got = number(losses.MaximumStabilityLoss()(clean[None], perturbed[None]))
    assert got == pytest.approx(np.mean([oracles.mst(*p) for p in pairs]), rel=1e-4, abs=1e-6)
    got = number(losses.StabilityLoss()(clean[None], perturbed[None]))
    assert got == pytest.approx(np.mean([oracles.st(*p) for p in pairs]), rel=1e-4, abs=1e-6)


def test_stability_losses_of_no_pictures():
    empty = np.zeros((0, 8, 6, 4), "float32")
    assert tuple(losses.maximum_stability(empty, empty).shape) == (0, 4)
    assert tuple(losses.stability(empty, empty).shape) == (0, 4)


def test_st_by_hand():
    clean = np.array([1.0, 0.5, 0.0, 0.0], "float32").reshape(1, 2, 2, 1)
    perturbed = np.array([0.8, 0.9, 0.0, 0.0], "float32").reshape(1, 2, 2, 1)
    # A norm, not its square and not a mean: the root of 0.2^2 + 0.4^2.
    assert number(losses.StabilityLoss()(clean, perturbed)) == pytest.approx(np.sqrt(0.20))


def test_mst_by_hand_counts_the_clean_peak():
    clean = np.array([1.0, 0.5, 0.0, 0.0], "float32").reshape(1, 2, 2, 1)
    perturbed = np.array([0.8, 0.9, 0.0, 0.0], "float32").reshape(1, 2, 2, 1)
    # (0.2^2 + 0.4^2) / 4 + 0.2^2 = 0.05 + 0.04
    assert number(losses.MaximumStabilityLoss()(clean, perturbed)) == pytest.approx(0.09)


@given(MAPS)
def test_mse_matches_the_formula(maps):
    target = ops.convert_to_numpy(gaussian_heatmap([KEYPOINTS], SIZE))
    want = 1000 * np.mean((target[0] - maps) ** 2)
    assert number(losses.HeatmapMSE()(target, maps[None])) == pytest.approx(want, rel=1e-4)


@pytest.mark.parametrize("loss", [losses.WeightedMultiLabelCE(), losses.HeatmapMSE()])
@pytest.mark.parametrize("nowhere", [[3, 3, 0], [-5, 3, 2], [np.nan, 3, 2], [200, 3, 1]])
def test_a_keypoint_without_a_place_contributes_nothing(loss, nowhere):
    maps = np.random.default_rng(0).random((2, *SIZE, 2)).astype("float32")
    make = (
        gaussian_heatmap if isinstance(loss, losses.HeatmapMSE) else highly_differentiated_heatmap
    )
    with_it = ops.convert_to_numpy(make([[[3, 4, 2], nowhere]] * 2, SIZE))
    alone = number(loss(with_it[..., :1], maps[..., :1]))
    assert number(loss(with_it, maps)) == pytest.approx(alone, rel=1e-5)
    slope = gradient(lambda m: loss(with_it, m), maps)
    assert np.isfinite(slope).all()
    assert not slope[..., 1].any()
    assert number(loss(with_it[..., 1:], maps[..., 1:])) == 0.0


@pytest.mark.parametrize("loss", [losses.WeightedMultiLabelCE(), losses.HeatmapMSE()])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_target_that_is_no_number_contributes_nothing(loss, wrong):
    """Targets of one's own; ours are zero there."""
    maps = np.random.default_rng(0).random((2, *SIZE, 2)).astype("float32")
    target = np.repeat(hdhr(KEYPOINTS[:2]), 2, 0)
    alone = number(loss(target[..., :1], maps[..., :1]))
    target[:, 5, 5, 1] = wrong
    assert number(loss(target, maps)) == pytest.approx(alone, rel=1e-5)
    slope = gradient(lambda m: loss(target, m), maps)
    assert np.isfinite(slope).all()
    assert not slope[..., 1].any()


def test_what_is_not_supervised_may_be_no_number():
    values = np.array([[2.0, np.nan]], "float32")
    supervised = np.array([[True, False]])
    for reduction, expected in (("mean", 2.0), ("sum", 2.0), ("none", [[2.0, 0.0]])):
        found = losses.reduce_keypoints(
            ops.convert_to_tensor(values), ops.convert_to_tensor(supervised), reduction=reduction
        )
        np.testing.assert_array_equal(ops.convert_to_numpy(found), expected)


@pytest.mark.parametrize("make", LOSSES)
@pytest.mark.parametrize("weight", [0.0, np.nan])
def test_a_weight_of_zero_or_nan_removes_a_keypoint(make, weight):
    loss = make()
    rng = np.random.default_rng(0)
    true, pred = (rng.random((2, *SIZE, 2)).astype("float32") for _ in range(2))
    weights = np.array([[1.0, weight]] * 2, "float32")
    want = number(loss(true[..., :1], pred[..., :1]))
    assert number(loss(true, pred, weights)) == pytest.approx(want, rel=1e-5)
    slope = gradient(lambda m: loss(true, m, weights), pred)
    assert np.isfinite(slope).all()
    assert not slope[..., 1].any()


@pytest.mark.parametrize("make", LOSSES)
def test_sample_weight_and_reductions(make):
    rng = np.random.default_rng(0)
    true, pred = (rng.random((2, *SIZE, 3)).astype("float32") for _ in range(2))
    each = ops.convert_to_numpy(make(reduction="none")(true, pred))
    assert each.shape == (2, 3)
    weights = np.array([[1, 2, 0], [3, 0, 0.5]], "float32")
    assert number(make(reduction="sum")(true, pred, weights)) == pytest.approx(
        (each * weights).sum(), rel=1e-5
    )
    assert number(make()(true, pred, weights)) == pytest.approx(
        (each * weights).sum() / 4, rel=1e-5
    )
    assert number(make(reduction="mean_with_sample_weight")(true, pred, weights)) == pytest.approx(
        (each * weights).sum() / weights.sum(), rel=1e-5
    )
    by_sample = number(make()(true, pred, np.array([1.0, 3.0])))
    assert by_sample == pytest.approx((each * [[1.0], [3.0]]).mean(), rel=1e-5)
    with pytest.raises(KerasShrError, match="reduction"):
        make(reduction="median")


@pytest.mark.parametrize("make", LOSSES)
def test_gradient_by_finite_differences(make):
    loss = make()
    rng = np.random.default_rng(3)
    true = hdhr(KEYPOINTS)
    pred = (rng.random(true.shape) + 0.2).astype("float32")
    slope = gradient(lambda m: loss(true, m), pred)
    for _ in range(10):
        index = tuple(rng.integers(0, n) for n in pred.shape)
        step = np.zeros_like(pred)
        step[index] = 2e-2
        numeric = (number(loss(true, pred + step)) - number(loss(true, pred - step))) / 4e-2
        assert slope[index] == pytest.approx(numeric, abs=3e-3, rel=3e-2)


def test_stability_at_rest_has_a_gradient_of_zero():
    maps = np.random.default_rng(0).random((1, *SIZE, 1)).astype("float32")
    assert not gradient(lambda m: losses.StabilityLoss()(maps, m), maps).any()


@pytest.mark.parametrize("make", [losses.MaximumStabilityLoss, losses.StabilityLoss])
def test_stop_gradient_holds_the_clean_side(make):
    clean, perturbed = np.random.default_rng(0).random((2, 1, *SIZE, 1)).astype("float32")
    assert gradient(lambda m: make()(m, perturbed), clean).any()
    assert not gradient(
        lambda m: make(stop_gradient=True)(m, perturbed) + 0 * ops.sum(m), clean
    ).any()


@pytest.mark.parametrize("make", LOSSES)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_maps(make, dtype):
    rng = np.random.default_rng(0)
    true, pred = (rng.random((2, *SIZE, 3)).astype("float32") for _ in range(2))
    half = make()(ops.cast(true, dtype), ops.cast(pred, dtype))
    assert keras.backend.standardize_dtype(half.dtype) == "float32"
    assert number(half) == pytest.approx(number(make()(true, pred)), rel=2e-2)


@pytest.mark.parametrize("make", LOSSES)
def test_round_trip_through_the_configuration(make):
    loss = make(reduction="sum", name="mine")
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(again) is make
    assert again.get_config() == loss.get_config()


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("shape", [(3,), (4,), (2, 4), (2, 12, 14), (2, 3, 1)])
def test_weights_of_another_shape_are_refused(loss, shape):
    maps = ops.convert_to_tensor(np.repeat(hdhr(KEYPOINTS), 2, 0))
    with pytest.raises(KerasShrError, match=r"sample_weight has shape .*here \(2, 3\)"):
        loss()(maps, maps, np.ones(shape, "float32"))


@pytest.mark.parametrize("shape", [(), (2,), (2, 1), (2, 3)])
def test_weights_that_fit(shape):
    target = np.repeat(hdhr(KEYPOINTS), 2, 0)
    maps = target + 0.5
    plain, loss = losses.HeatmapMSE(), np.full(shape, 2.0, "float32")
    assert number(plain(target, maps, loss)) == pytest.approx(2 * number(plain(target, maps)))


def test_logits_taken_for_maps_are_no_number():
    target = hdhr(KEYPOINTS)
    logits = np.random.default_rng(0).normal(size=target.shape).astype("float32")
    assert np.isnan(number(losses.WeightedMultiLabelCE()(target, logits)))
    assert np.isfinite(number(losses.WeightedMultiLabelCE(from_logits=True)(target, logits)))
