"""The measures of a cell, on models whose answers are known."""

import csv
import types

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from keras_shr.data.records import KeypointData
from keras_shr.evaluation.scores import FIELDS, Scores
from keras_shr.reproduction.measures import motion, peaks, perturbed, surface
from keras_shr.skeletons import HAND_21


def test_smoothness_by_hand():
    a, b = np.meshgrid(np.arange(5.0), np.arange(4.0), indexing="ij")
    plane, bowl = 3 * a - b, a**2
    # A plane bends nowhere; a² bends by 2 along a and not across.
    np.testing.assert_allclose(surface.smoothness(np.stack([plane, bowl])), [0, 1])


def test_examples_are_those_with_the_strongest_second_peak():
    rng = np.random.default_rng(0)
    maps = np.zeros((6, 32, 32, 21), "float32")
    maps[:, 10, 10] = 1
    maps[2, 25, 20, 5] = 0.9
    maps[4, 12, 11, 3] = 0.95  # a neighbour of the peak is no rival
    maps[0, 25, 20, 7] = 0.5
    maps = gaussian_filter(maps, (0, 1, 1, 0))
    keypoints = np.concatenate([rng.uniform(0, 64, (6, 21, 2)), np.full((6, 21, 1), 2.0)], -1)
    keypoints[0, 7, 2] = 1
    images = rng.integers(0, 255, (6, 64, 64, 3), dtype=np.uint8)
    data = KeypointData(images, keypoints.astype("float32"), HAND_21)
    found = peaks.examples({"baseline": maps, "rcc": maps**2}, data)
    assert list(found["methods"]) == ["baseline", "rcc"]
    assert found["heatmaps"].shape == (2, 4, 32, 32)
    np.testing.assert_array_equal(found["images"][0], images[2])
    np.testing.assert_array_equal(found["heatmaps"][0, 0], maps[2, ..., 5])
    np.testing.assert_array_equal(found["heatmaps"][1, 1], maps[0, ..., 7] ** 2)
    np.testing.assert_allclose(found["keypoints"][0, :2], (keypoints[2, 5, :2] + 0.5) / 2 - 0.5)
    # Without its label the strongest rival does not count.
    data.keypoints[2, 5, 2] = 0
    found = peaks.examples({"baseline": maps}, data)
    np.testing.assert_array_equal(found["heatmaps"][0, 0], maps[0, ..., 7])


def test_draws_of_the_figures_that_methods_are_compared_by():
    scores = Scores("m")
    figures = [
        *(("auc", "clean", "", "argmax"), ("auc", "clean", "", "subpixel")),
        *(("epe", "clean", "", "argmax"), ("D_64", "clean", "", "argmax")),
        *(("RUC", "unseen", "", "argmax"), ("R", "extra", "", "argmax")),
        *(("R", "unseen", "spatter", "argmax"), ("R", "seen", "frost", "argmax")),
        ("auc", "unseen", "spatter", "argmax"),
    ]
    for number, (metric, group, kind, decoding) in enumerate(figures):
        visibility = "all" if metric in ("auc", "epe") else "any"
        values = ("m", "d", group, kind, "", metric, decoding, visibility, 0.0, 0.0, 0.0, 1)
        scores.rows.append(dict(zip(FIELDS, values, strict=True)))
        scores.draws[metric, group, kind, decoding] = np.array([number + 0.123456, 98765.4])
    rows = perturbed._drawn(scores, perturbed._headline)
    assert {(row["metric"], row["group"], row["kind"]) for row in rows} == {
        *(("auc", "clean", ""), ("D_64", "clean", ""), ("RUC", "unseen", "")),
        *(("R", "extra", ""), ("R", "unseen", "spatter")),
    }
    assert rows[0]["draws"] == "0.1235 9.877e+04"
    (row,) = perturbed._drawn(scores, perturbed._extra)
    assert (row["group"], row["draws"].split()[0]) == ("extra", "5.123")


def test_frames_leave_out_what_has_no_label():
    track = np.arange(20 * 2 * 2, dtype="float32").reshape(20, 2, 2)
    labels = np.ones((20, 2, 3), "float32")
    labels[12, 1] = 0
    rows = list(motion._frames(track, labels))
    assert len(rows) == 2 * len(motion.SHOWN)
    missing = [r for r in rows if np.isnan(r["label_x"])]
    assert [(r["frame"], r["keypoint"]) for r in missing] == [(12, 1)]


def test_a_video_is_cut_into_its_clips(tmp_path):
    """Between two clips the keypoints jump; that is no jitter."""

    class Model:
        image_size, num_keypoints = (32, 32), 21

        def predict_keypoints(self, images):
            return np.concatenate([self.track, self.track[..., :1]], -1)

    labels = np.full((8, 21, 3), 2.0, "float32")
    labels[4:, :, :2] += 40
    model = Model()
    model.track = labels[..., :2] / 2 - 0.25  # the labels, in a crop of half the size
    model.track[1, :, 0] += 1
    images = np.zeros((8, 64, 64, 3), np.uint8)
    video = KeypointData(images, labels, HAND_21, groups=["a"] * 4 + ["b"] * 4)
    work = types.SimpleNamespace(video=video)
    motion._video(None, tmp_path, work, model)
    with open(tmp_path / "video.csv", newline="") as file:
        rows = {row["metric"]: row for row in csv.DictReader(file)}
    # 1 px of 32 is 8 of 256, in two of the six steps; of four bends, those of clip a are 2 and 1.
    assert float(rows["jitter"]["value"]) == pytest.approx(8 * 2 / 6, rel=1e-4)
    assert float(rows["acceleration"]["value"]) == pytest.approx(8 * 3 / 4)
    assert float(rows["label_acceleration"]["value"]) == 0
    assert rows["jitter"]["source"] == "video"
