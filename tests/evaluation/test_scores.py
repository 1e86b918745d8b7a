"""Figures from stored predictions: against the package's metrics, and their intervals."""

import evaluation_fakes as fakes
import numpy as np
import pytest

from keras_shr import metrics
from keras_shr.evaluation.bootstrap import Bootstrap, units
from keras_shr.evaluation.protocol import Protocol
from keras_shr.evaluation.scores import curve_value, measure
from keras_shr.evaluation.summary import differences, summarize

PROTOCOL = Protocol((64, 64), ("brightness", "spatter"), (1, 3))


def random_predictions(data, seed=0, noise=3.0):
    rng = np.random.default_rng(seed)
    count, keypoints = data.keypoints.shape[:2]

    def near():
        return (
            data.keypoints[..., :2] + noise * rng.standard_normal((count, keypoints, 2))
        ).astype("float32")

    def four():
        return np.stack([near() for _ in range(4)])

    return {
        "argmax": near(),
        "subpixel": near(),
        "score": rng.random((count, keypoints)),
        "peak_spread": rng.random((count, keypoints)),
        "peak_gap": rng.random((count, keypoints)),
        "perturbed_argmax": four(),
        "perturbed_subpixel": four(),
        "perturbed_score": rng.random((4, count, keypoints)),
        "theorem3": rng.random((4, count, keypoints)) < 0.5,
    }


@pytest.fixture
def data():
    data = fakes.make_data(20)
    data.keypoints[::3, 1, 2] = 0
    data.keypoints[1::3, 2, 2] = 1
    data.keypoints[0, 0] = np.nan
    return data


def test_a_keypoint_outside_its_crop_counts_like_none(data):
    found = random_predictions(data)
    unlabelled, outside = data.keypoints.copy(), data.keypoints.copy()
    unlabelled[2:9, 0, 2] = 0
    outside[2:9, 0] = (-40, 3, 2)
    outside[5, 0] = (1e6, 70, 1)
    rows = []
    for keypoints in (unlabelled, outside):
        data.keypoints = keypoints
        scores = measure("m", [found], data, PROTOCOL, Bootstrap(data.groups, draws=20))
        rows.append([[row[k] for k in ("metric", "value", "low", "n")] for row in scores.rows])
    assert rows[0] == rows[1]


@pytest.mark.parametrize("decoding", ["argmax", "subpixel"])
def test_figures_are_the_packages_metrics(data, decoding):
    found = random_predictions(data)
    scores = measure("m", [found], data, PROTOCOL, Bootstrap(data.groups, draws=20))
    clean, perturbed = found[decoding], found[f"perturbed_{decoding}"]
    for visibility in ("all", "seen"):
        for convention, metric in (
            ("ours", "auc"),
            ("hand3d", "auc_hand3d"),
            ("mmpose", "auc_mmpose"),
        ):
            expected = metrics.keypoint_auc(
                data.keypoints, clean, convention, scale=4, visibility=visibility
            )
            row = scores.value(metric, decoding=decoding, visibility=visibility)
            assert row["value"] == pytest.approx(float(expected), abs=1e-6)
        expected = metrics.end_point_error(data.keypoints, clean, scale=4, visibility=visibility)
        row = scores.value("epe", decoding=decoding, visibility=visibility)
        assert row["value"] == pytest.approx(float(expected), rel=1e-5)
        weights = np.asarray(metrics.keypoint_weights(data.keypoints, visibility))
        assert row["n"] == weights.sum()
        # Conditions: brightness 1, 3, spatter 1, 3.
        expected = metrics.keypoint_auc(
            data.keypoints, perturbed[3], scale=4, visibility=visibility
        )
        arguments = {"kind": "spatter", "severity": 3, "decoding": decoding}
        row = scores.value("auc", "unseen", visibility=visibility, **arguments)
        assert row["value"] == pytest.approx(float(expected), abs=1e-6)
        expected = metrics.mean_squared_displacement(
            clean, perturbed[3], scale=4, sample_weight=weights
        )
        row = scores.value("R", "unseen", visibility=visibility, **arguments)
        assert row["value"] == pytest.approx(float(expected), rel=1e-5)
    both = np.concatenate(perturbed[:2])
    twice = np.concatenate([clean, clean])
    row = scores.value("RUC", "seen", decoding=decoding)
    assert row["value"] == pytest.approx(float(metrics.ruc(twice, both, scale=4)), abs=1e-6)
    curve = np.asarray(metrics.stability_curve(twice, both, scale=4))
    ours = [scores.value(f"stable_at_{p}", "seen", decoding=decoding)["value"] for p in range(31)]
    np.testing.assert_allclose(ours, curve, atol=1e-6)
    severity = scores.value("R", "all", severity=3, decoding=decoding)["value"]
    kinds = [
        scores.value("R", g, kind=k, severity=3, decoding=decoding)["value"]
        for g, k in (("seen", "brightness"), ("unseen", "spatter"))
    ]
    assert severity == pytest.approx(np.mean(kinds))


def test_curve_value_at_the_limits():
    thresholds, weights = [0.0, 1.0, 2.0], [0.25, 0.25, 0.5]
    distances = np.array([0.0, 0.5, 1.0, 2.0, 2.1])
    np.testing.assert_allclose(curve_value(distances, thresholds, weights), [1, 0.75, 0.75, 0.5, 0])
    strict = curve_value(distances, thresholds, weights, inclusive=False)
    np.testing.assert_allclose(strict, [0.75, 0.75, 0.5, 0, 0])


def test_without_labels_r_remains(data):
    data.keypoints[..., 2] = 0
    scores = measure(
        "m", [random_predictions(data)], data, PROTOCOL, Bootstrap(data.groups, draws=20)
    )
    assert scores.value("auc") is None
    assert scores.value("R", "all")["n"] == 20 * 3 * 4
    (summary,) = summarize([scores], data, PROTOCOL)
    assert summary["auc_clean"] is None
    assert summary["R"] > 0


def test_intervals_shrink_with_more_pictures_and_hold_the_value():
    widths = []
    for count in (20, 180):
        data = fakes.make_data(count)
        scores = measure(
            "m", [random_predictions(data)], data, PROTOCOL, Bootstrap(data.groups, 0, 200)
        )
        row = scores.value("R", "all")
        assert row["low"] < row["value"] < row["high"]
        widths.append(row["high"] - row["low"])
    assert widths[0] / widths[1] == pytest.approx(3, rel=0.35)  # sqrt(180 / 20)


def test_groups_are_drawn_whole():
    # 20 pictures, each four times: the copies say nothing new, so the interval must not shrink.
    copies = np.repeat(np.arange(20), 4)
    single, repeated = fakes.make_data(20), fakes.make_data(20).take(copies)
    repeated.ids = [f"{i}" for i in range(80)]
    found = random_predictions(single)
    axis = {key: 1 if key.startswith(("perturbed", "theorem3")) else 0 for key in found}
    many = {key: np.take(value, copies, axis[key]) for key, value in found.items()}

    def width(data, predictions, groups):
        scores = measure("m", [predictions], data, PROTOCOL, Bootstrap(groups, 0, 300))
        row = scores.value("R", "all")
        return row["high"] - row["low"]

    expected = width(single, found, [""] * 20)
    assert width(repeated, many, [str(i) for i in copies]) == pytest.approx(expected, rel=0.1)
    assert width(repeated, many, [""] * 80) < 0.65 * expected


def test_units():
    assert units(["", "", ""])[0].tolist() == [0, 1, 2]
    assert units([""] * 10)[1] == "10 single images"
    assert units(["a", "b", ""])[1] == "3 single images; with so few the intervals are rough"
    assert units(["a"])[1] == "a single image, which gives none"
    index, sentence = units(["b", "a", "b", ""])
    assert index[0] == index[2]
    assert len(set(index.tolist())) == 3
    assert "3 groups of 4 images; with so few" in sentence
    index, sentence = units(["x", "x"])
    assert index.tolist() == [0, 1]
    assert "too narrow" in sentence


def test_one_picture_has_no_interval(data):
    one = data.take([1])
    scores = measure("m", [random_predictions(one)], one, PROTOCOL, Bootstrap(one.groups, draws=20))
    assert np.isnan(scores.value("R", "all")["low"])
    (summary,) = summarize([scores], one, PROTOCOL)
    assert summary["R_low"] is None


def test_differences_are_paired():
    data = fakes.make_data(60)
    bootstrap = Bootstrap(data.groups, 0, 300)
    found = random_predictions(data)
    better = {key: value.copy() for key, value in found.items()}
    for i in range(4):  # every displacement becomes half of what it was
        better["perturbed_argmax"][i] = (found["argmax"] + found["perturbed_argmax"][i]) / 2
    scores = [
        measure(name, [predictions], data, PROTOCOL, bootstrap)
        for name, predictions in (("first", found), ("second", better))
    ]
    rows = {row["figure"]: row for row in differences(scores)}
    ratio = rows["R_seen"]
    assert ratio["how"] == "ratio"
    assert ratio["value"] == pytest.approx(0.25, rel=1e-3)
    # Paired: the ratio is a quarter in every draw, however R itself varies.
    assert ratio["high"] - ratio["low"] < 1e-3
    assert rows["RUC_seen"]["low"] > 0
    assert rows["auc_clean"]["value"] == 0
