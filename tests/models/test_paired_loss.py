"""compute_loss, the output maps and the pairs of PairedHeatmapModel, without training."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops
from model_helpers import PAPER, QUICK, SKELETON, STILL, compiled, numpy, tiny_model, tiny_network
from model_oracle import loss as oracle_loss
from model_oracle import output_map, target_map

from keras_shr.errors import KerasShrError
from keras_shr.models import PairedHeatmapModel
from keras_shr.perturbations import perturb
from tests.dots import HEATMAP, KEYPOINTS, SIZE, pictures
from tests.gradients import gradient

TARGETS = ("gaussian", "highly_differentiated")
RCC = (None, "row_column", "symmetric")
BATCH = 3


@pytest.fixture(scope="module")
def network():
    return tiny_network()


def logits(seed=0):
    rng = np.random.default_rng(seed)
    clean = rng.normal(0, 2, (BATCH, HEATMAP, HEATMAP, KEYPOINTS))
    perturbed = clean + rng.normal(0, 0.5, clean.shape)
    return np.concatenate([clean, perturbed]).astype("float32")


def labels():
    """Keypoints seen, hidden, unlabelled, out of frame and NaN."""
    keypoints = pictures(BATCH)[1]
    keypoints[0, 1, 2] = 1
    keypoints[1, 0] = 0
    keypoints[1, 1, :2] = (SIZE + 20, 5)
    keypoints[2, 2, 0] = np.nan
    return keypoints


WEIGHTS = (
    None,
    np.array([1.0, 0.5, 2.0], "float32"),
    np.array([[1, 0, 2], [1, 1, 3], [0.5, 1, 1]], "float32"),
)


def loss_of(model, z, keypoints, weights=None, factor=1.0):
    """compute_loss on logits; its trackers' updates are thrown away."""
    pair = {"keypoints": keypoints, "stability_weight": factor}
    with keras.StatelessScope():
        return model.compute_loss(
            None, pair, model.output_maps(z, training=True), sample_weight=weights
        )


@pytest.mark.parametrize("rcc", RCC)
@pytest.mark.parametrize("target", TARGETS)
def test_output_maps_are_the_table(network, target, rcc):
    z = logits()
    result = numpy(tiny_model(network, target=target, rcc=rcc).output_maps(z, training=True))
    expected = [[output_map(z[b, ..., k], target, rcc) for k in range(3)] for b in range(len(z))]
    np.testing.assert_allclose(result, np.moveaxis(expected, 1, -1), atol=2e-5)
    if not (target == "gaussian" and rcc is None):
        np.testing.assert_allclose(result.max(axis=(1, 2)), 1, atol=1e-6)


def combinations():
    """The quick tests take each row of the table with both kinds of supervision."""
    for values in itertools.product(TARGETS, RCC, ("mst", "st", None), (True, False)):
        quick = values[2:] in (("mst", False), ("st", True))
        yield pytest.param(*values, marks=() if quick else pytest.mark.slow)


@pytest.mark.parametrize(
    ("target", "rcc", "stability", "supervise_perturbed"), list(combinations())
)
def test_loss_matches_the_oracle(network, target, rcc, stability, supervise_perturbed):
    hdhr = target == "highly_differentiated"
    model = tiny_model(
        network,
        target=target,
        target_options=PAPER["target_options"] if hdhr and rcc == "row_column" else None,
        rcc=rcc,
        stability=stability,
        supervise_perturbed=supervise_perturbed,
    )
    z, keypoints = logits(), labels()
    for weights, factor in zip(WEIGHTS, (1.0, 0.25, 3.0), strict=True):
        supervision, stable = oracle_loss(model, z, keypoints, weights)
        got = float(loss_of(model, z, keypoints, weights, factor))
        assert got == pytest.approx(supervision + factor * stable, rel=2e-4)
    assert (stable > 0) == (stability is not None)


@pytest.mark.parametrize("target", TARGETS)
def test_in_evaluation_the_loss_is_the_clean_supervision(network, target):
    model = tiny_model(network, target=target, supervise_perturbed=False)
    z, keypoints = logits()[:BATCH], labels()
    expected, _ = oracle_loss(model, np.concatenate([z, z]), keypoints)
    got = model.compute_loss(None, keypoints, model.output_maps(z), training=False)
    assert float(got) == pytest.approx(expected, rel=2e-4)


def test_min_visibility_leaves_hidden_keypoints_out(network):
    z, keypoints = logits(), labels()
    values = []
    for least in (1, 2):
        model = tiny_model(network, min_visibility=least)
        values.append(float(loss_of(model, z, keypoints)))
        assert values[-1] == pytest.approx(sum(oracle_loss(model, z, keypoints)), rel=2e-4)
        hidden = numpy(model.targets(keypoints))[0, :, :, 1]
        assert (hidden.max() > 0) == (least == 1)
    assert values[0] != values[1]


@pytest.mark.parametrize("target", TARGETS)
def test_targets_and_their_options(network, target):
    model, keypoints = tiny_model(network, target=target), labels()
    targets = numpy(model.targets(keypoints))
    for b, k in itertools.product(range(BATCH), range(KEYPOINTS)):
        expected = target_map(keypoints[b, k], model)
        expected = np.zeros((HEATMAP, HEATMAP)) if expected is None else expected
        np.testing.assert_allclose(targets[b, :, :, k], expected, atol=1e-5)
    options = {"sigma": 1.0} if target == "gaussian" else {"alpha": 0.5, "threshold": 1}
    narrower = numpy(tiny_model(network, target=target, target_options=options).targets(keypoints))
    assert 0 < narrower.sum() < targets.sum()


def test_the_default_target_is_city_block(network):
    assert tiny_model(network).target_options == {"alpha": 0.5, "metric": "cityblock"}
    assert tiny_model(network, target_options={}).target_options == {}
    assert tiny_model(network, target="gaussian").target_options == {}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("bad", [np.nan, pytest.param(np.inf, marks=pytest.mark.slow)])
def test_loss_and_gradient_stay_finite_without_labels(network, target, bad):
    keypoints = np.full((BATCH, KEYPOINTS, 3), 2, "float32")
    keypoints[..., 0] = bad
    for points in (keypoints, np.zeros_like(keypoints), np.full_like(keypoints, np.nan)):
        model = tiny_model(network, target=target)
        assert float(loss_of(model, logits(), points)) == 0
        slope = gradient(lambda z, m=model, p=points: loss_of(m, z, p), logits())
        np.testing.assert_array_equal(slope, 0)


def test_weights_that_are_nan_leave_their_image_out(network):
    model, z, keypoints = tiny_model(network), logits(), labels()
    nan = np.array([1, 1, np.nan], "float32")
    assert float(loss_of(model, z, keypoints, nan)) == pytest.approx(
        float(loss_of(model, z, keypoints, np.array([1, 1, 0], "float32")))
    )


@pytest.mark.parametrize("rcc", [None, "row_column"])
@pytest.mark.parametrize("stop", [True, False])
def test_stop_gradient_spares_the_clean_side(network, rcc, stop):
    model = tiny_model(network, rcc=rcc, stop_gradient=stop)

    def stability(z):
        return loss_of(model, z, labels(), None, 1.0) - loss_of(model, z, labels(), None, 0.0)

    slope = abs(gradient(stability, logits()))
    assert slope[BATCH:].max() > 1e-5
    if stop:  # the difference of two equal gradients, to rounding
        assert slope[:BATCH].max() < 1e-6
    else:
        assert slope[:BATCH].max() > 1e-5


def test_unsupervised_perturbed_maps_do_not_reach_the_supervision(network):
    model = tiny_model(network, supervise_perturbed=False, stability=None)
    z = logits()
    other = np.concatenate([z[:BATCH], z[BATCH:] * 3])
    assert float(loss_of(model, z, labels())) == float(loss_of(model, other, labels()))
    model = tiny_model(network, supervise_perturbed=True, stability=None)
    assert float(loss_of(model, z, labels())) != float(loss_of(model, other, labels()))


# The pairs


def pairs(model, step=0, count=4, **kwargs):
    images, keypoints = pictures(count)
    x, y, _ = model.make_pairs((images, keypoints, *kwargs.values()), ops.convert_to_tensor(step))
    return numpy(x), numpy(y["keypoints"]), float(y["stability_weight"])


def test_pairs_are_clean_then_perturbed(network):
    images, keypoints = pictures(4)
    x, y, weight = pairs(tiny_model(network, stability_weight=0.5))
    assert x.shape == (8, SIZE, SIZE, 3)
    np.testing.assert_array_equal(x[:4], images)
    np.testing.assert_array_equal(y, keypoints)
    assert (abs(x[4:] - x[:4]).mean(axis=(1, 2, 3)) > 1).all()
    assert weight == 0.5


@pytest.mark.parametrize("augmentation", [None, STILL])
def test_the_perturbed_half_is_perturb_of_the_clean_half(network, augmentation):
    """Contrast draws nothing but its severity, and 5 leaves a twentieth of it."""
    options = {"perturbations": ("contrast",), "augmentation": augmentation}
    for severity in (1, 5):
        x, _, _ = pairs(tiny_model(network, severities=(severity,), **options))
        seed = np.array([0, 0], "uint32")
        expected = numpy(perturb(x[:4], seed, ("contrast",), (severity,)))
        np.testing.assert_allclose(x[4:], expected, atol=1e-2)
        assert (x[4:].std() < 0.1 * x[:4].std()) == (severity == 5)


@pytest.mark.parametrize(
    "options",
    [{"perturbations": None}, {"stability": None, "supervise_perturbed": False}],
    ids=["no_kinds", "nothing_to_do_with_them"],
)
def test_without_a_use_for_pairs_the_step_sees_the_batch_alone(network, options):
    model = tiny_model(network, **options)
    assert not model.paired
    assert pairs(model)[0].shape == (4, SIZE, SIZE, 3)


def test_pairs_depend_on_seed_and_step_alone(network):
    model = tiny_model(network, augmentation={}, seed=4)
    first = pairs(model, 7)
    pairs(model, 8)
    np.testing.assert_array_equal(pairs(model, 7)[0], first[0])
    np.testing.assert_array_equal(
        pairs(tiny_model(network, augmentation={}, seed=4), 7)[0], first[0]
    )
    for other in (pairs(model, 8), pairs(tiny_model(network, augmentation={}, seed=5), 7)):
        assert (abs(other[0] - first[0]).mean(axis=(1, 2, 3)) > 1).all()
        assert not np.allclose(other[1], first[1])


def test_augmentation_takes_the_skeleton_s_flip_pairs(network):
    images, keypoints = pictures(4)
    always = {"rotation": 0, "scale": (1, 1), "shift": 0, "flip": 1}
    x, y, _ = pairs(tiny_model(network, augmentation=always))
    np.testing.assert_allclose(x[:4], images[:, :, ::-1], atol=1e-2)
    expected = keypoints[:, list(SKELETON.flip_order)]
    expected[..., 0] = SIZE - 1 - expected[..., 0]
    np.testing.assert_allclose(y, expected, atol=1e-4)
    _, y, _ = pairs(tiny_model(network, augmentation=always, skeleton=None))
    np.testing.assert_allclose(y, expected[:, list(SKELETON.flip_order)], atol=1e-4)


def test_a_schedule_weighs_stability_by_the_step(network):
    schedule = keras.optimizers.schedules.PolynomialDecay(0.0, 10, 2.0)
    model = tiny_model(network, stability_weight=schedule)
    assert [pairs(model, step)[2] for step in (0, 5, 10, 20)] == pytest.approx([0, 1, 2, 2])


def test_labels_are_needed(network):
    with pytest.raises(KerasShrError, match="no keypoints"):
        tiny_model(network).make_pairs(pictures(2)[0], 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"perturbations": ("contrast", "spatter")}, r"spatter.*unseen"),
        ({"perturbations": ("fog",)}, "unknown perturbation"),
        ({"target": "laplace"}, "target must be one of"),
        ({"rcc": "diagonal"}, "variant must be one of"),
        ({"stability": "l2"}, "stability must be"),
        ({"severities": (0, 1)}, "severities is"),
        ({"severities": 6}, "severities is"),
        ({"skeleton": SKELETON.generic(5)}, "5 keypoints"),
        ({"target_options": {"sigma": 2.0}}, "target_options.*sigma"),
        ({"target_options": {"alpha": 2.0}}, "alpha must"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(network, options, message):
    with pytest.raises(KerasShrError, match=message) as error:
        PairedHeatmapModel(network, **{"perturbations": QUICK} | options)
    assert "\n" not in str(error.value)


def test_a_network_of_unknown_size_is_refused():
    inputs = keras.Input((None, None, 3))
    network = keras.Model(inputs, keras.layers.Conv2D(2, 1)(inputs))
    with pytest.raises(KerasShrError, match="height and width must be known"):
        PairedHeatmapModel(network)


def test_unseen_kinds_train_by_force_only(network):
    with pytest.raises(KerasShrError, match=r"saturate.*unseen"):
        tiny_model(network, perturbations=("saturate",))
    model = tiny_model(
        network, perturbations=("saturate",), severities=(5,), force_perturbations=True
    )
    x, _, _ = pairs(model)
    assert (x[:4] != x[4:]).any()


# Several outputs


def test_each_stack_takes_the_losses_and_the_last_one_answers(network):
    """The loss of a list of maps is the mean of the losses of each."""
    model = tiny_model(network)
    first, last = logits(), logits()[:, ::-1].copy()
    both = [model.output_maps(ops.convert_to_tensor(z), True) for z in (first, last)]
    _, y, _ = model.make_pairs((pictures(BATCH)[0], labels()), ops.convert_to_tensor(0))
    separate = [float(model.compute_loss(y=y, y_pred=maps)) for maps in both]
    together = float(model.compute_loss(y=y, y_pred=both))
    assert together == pytest.approx(np.mean(separate), rel=1e-5)

    shared = keras.Input(network.input_shape[1:])
    z = network(shared)
    stacked = keras.Model(shared, [z, 2.0 * z])
    model = tiny_model(stacked)
    images = pictures(2)[0].astype("float32")
    maps = model(images, training=True)
    assert len(maps) == 2
    answer = numpy(model(images))
    np.testing.assert_allclose(answer, numpy(model.output_maps(2.0 * network(images))))
    compiled(model).train_on_batch(*pictures(2))
