"""Jitter of models whose answers are known."""

import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from prediction_helpers import SKELETON, cut_off_film, lamp_model, lamps

from keras_shr.cli import main
from keras_shr.data.records import KeypointData
from keras_shr.errors import DataError, KerasShrError
from keras_shr.evaluation.motion import clips_of, motion_rows
from keras_shr.prediction import jitter_report as module
from keras_shr.prediction import sources
from keras_shr.prediction.jitter_report import Clip, filtered, jitter_report, load_clips

STILL = np.array([[10, 12], [20, 8], [24, 22]])


def clip(shake, frames=8, labelled=True):
    """Lamps that stand still by their labels and shake by whole pixels in the pictures."""
    moves = np.array([(shake * (i % 2), 0) for i in range(frames)])
    pictures = np.stack([lamps(32, 32, STILL + move) for move in moves])
    labels = np.concatenate([np.tile(STILL, (frames, 1, 1)), np.full((frames, 3, 1), 2)], -1)
    return Clip("lamps", pictures, labels.astype("float32") if labelled else None)


@pytest.fixture
def shaking(monkeypatch):
    monkeypatch.setattr(module, "load_clips", lambda source, seconds: [clip(2), clip(2, 6)])


def by_metric(rows, kind):
    return {row["metric"]: row for row in rows if row["filter"] == kind}


def test_rows_by_hand():
    still = np.zeros((5, 2, 2))
    moving = still + np.arange(5.0)[:, None, None] * (3, 4)  # 5 px a frame, evenly
    rows = {r["metric"]: r for r in motion_rows("v", [moving], [still], 2.0)}
    assert rows["jitter"]["value"] == pytest.approx(10)
    assert rows["acceleration"]["value"] == pytest.approx(0)
    assert [r["metric"] for r in motion_rows("v", [moving], None)] == ["acceleration"]
    # The second keypoint has a label in the first three frames, the first one everywhere.
    labels = np.concatenate([still, np.ones((5, 2, 1))], -1)
    labels[3:, 1] = 0
    labels[:3, 1, 0] = 300.0
    rows = {r["metric"]: r for r in motion_rows("v", [moving], [labels])}
    assert rows["jitter"]["value"] == pytest.approx(5)
    assert rows["label_acceleration"]["value"] == 0
    labels[..., 2] = 0
    assert np.isnan(motion_rows("v", [moving], [labels])[0]["value"])
    each = motion_rows("v", [moving, moving], [still, still], [1.0, 3.0])[0]
    assert each["value"] == pytest.approx((5 + 15) / 2)
    assert 5 <= each["low"] < 10 < each["high"] <= 15


def test_two_pixels_of_32_are_sixteen_of_256(shaking):
    rows, _, tracks = jitter_report({"lamps": lamp_model()}, "anything")
    plain, smooth = (by_metric(rows, kind) for kind in ("none", "one-euro"))
    assert plain["jitter"]["value"] == pytest.approx(16, rel=0.02)
    assert plain["acceleration"]["value"] == pytest.approx(32, rel=0.02)
    assert plain["label_acceleration"]["value"] == 0
    assert plain["path_deviation"]["value"] == pytest.approx(8 * 48 / 35, rel=0.05)
    assert plain["label_path_deviation"]["value"] == 0
    assert plain["epe"]["value"] == pytest.approx(8, rel=0.05)  # half the frames are 16 px off
    # The filter takes most of a jitter of 15 Hz away.
    assert smooth["jitter"]["value"] < 0.4 * plain["jitter"]["value"]
    assert [len(track) for track in tracks["lamps", "none"]] == [8, 6]
    assert {row["source"] for row in rows} == {"anything"}


def test_the_filters_settings_are_pixels_of_256():
    """The same movement gives the same smoothing, whatever the size of the pictures."""
    rng = np.random.default_rng(0)
    track = np.cumsum(rng.normal(size=(20, 3, 2)), 0)
    small = filtered(track / 8, 8.0, Clip("a", None), beta=0.5)
    np.testing.assert_allclose(8 * small, filtered(track, 1.0, Clip("a", None), beta=0.5))


def test_without_labels_the_thing_is_followed(monkeypatch):
    monkeypatch.setattr(module, "load_clips", lambda source, seconds: [clip(0, 5, False)])
    rows, _, _ = jitter_report({"lamps": lamp_model()}, "film.mp4")
    assert {row["metric"] for row in rows} == {"acceleration", "path_deviation"}
    assert {row["source"] for row in rows} == {"film"}


def test_clips_that_are_shorter_than_the_window_of_a_path_are_left_out(monkeypatch):
    short, long = clip(0, 3), clip(2, 5)
    for clips, count in (([short, short], 0), ([short, long], 4)):
        monkeypatch.setattr(module, "load_clips", lambda source, seconds, clips=clips: clips)
        rows, _, _ = jitter_report({"lamps": lamp_model()}, "anything")
        found = [row for row in rows if row["metric"].endswith("path_deviation")]
        assert len(found) == count
        assert all(np.isfinite(row["value"]) for row in found)


def test_clips_of_each_source(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_CLIPS", 2)
    monkeypatch.setattr(module, "_FRAMES", 3)
    clips = load_clips(module.RENDERED)
    assert [len(c.frames) for c in clips] == [3, 3]
    assert clips[0].labels.shape == (3, 21, 3)
    data = KeypointData(
        np.zeros((7, 8, 8, 3), "uint8"), np.zeros((7, 3, 3)), SKELETON, groups=list("aabbbbb")
    )
    with pytest.raises(DataError, match="unrelated hands, no frames; give rendered-motion"):
        load_clips("rendered:60")
    monkeypatch.setattr(module, "open_data", lambda source: SimpleNamespace(kind="folder"))
    monkeypatch.setattr(module, "load_arrays", lambda reader, workers: data)
    assert [(c.name, len(c.frames)) for c in load_clips("frames")] == [("b", 5)]
    with pytest.raises(DataError, match="no clip of three frames"):
        load_clips("frames", seconds=0.05)
    path = tmp_path / "film.mp4"
    with sources.VideoWriter(path, 10.0) as writer:
        for frame in clip(0, 6).frames:
            writer.write(frame)
    (film,) = load_clips(str(path), seconds=0.4)
    assert (film.labels, film.frequency) == (None, 10.0)
    for _ in range(2):  # each model reads it anew
        assert len(list(film.frames)) == 4
    for wrong in (0, -1, float("nan")):
        with pytest.raises(KerasShrError, match="it must be above 0"):
            load_clips("frames", seconds=wrong)


def test_pictures_without_a_group_are_no_film(tmp_path):
    """Nor are the hands of one photograph, whose group its reader made."""
    found = clips_of(["a"] * 3 + [""] * 4 + ["file:b.png"] * 3 + ["c"] * 2)
    assert {name: frames.tolist() for name, frames in found.items()} == {"a": [0, 1, 2]}
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    line = json.dumps({"file": "a.png", "keypoints": [[1, 2]]})
    (tmp_path / "index.jsonl").write_text("\n".join([line] * 3))
    with pytest.raises(DataError, match=r"no clip .* \(frames of one film need one 'group'\)"):
        load_clips(f"folder:{tmp_path}")


def test_models_on_a_film_are_measured_by_one_crop(monkeypatch):
    """The one whose keypoints are strewn has larger crops, which must not make it look better."""
    monkeypatch.setattr(module, "load_clips", lambda source, seconds: [clip(0, 20, False)])
    monkeypatch.setattr(module, "Predictor", lambda model: model)
    shake = np.zeros((20, 3, 2))
    shake[::2, :, 0] = 1.0
    found = {"tight": (2 * shake, 100.0), "strewn": (4 * shake, 300.0)}
    monkeypatch.setattr(module, "follow", lambda model, clip: found[model])
    said = []
    rows, _, _ = jitter_report({k: k for k in found}, "film.mp4", progress=said.append)
    plain = [r for r in rows if r["filter"] == "none" and r["metric"] == "acceleration"]
    values = {r["model"]: r["value"] for r in plain}
    assert values["strewn"] == pytest.approx(2 * values["tight"])
    assert values["tight"] == pytest.approx(4 * 256 / 200)  # 2 px back and forth
    assert said[-1] == "the median crop is 200 px wide: 1 px of it counts 1.28 px"


def test_a_film_of_two_frames_is_refused(monkeypatch):
    monkeypatch.setattr(module, "load_clips", lambda source, seconds: [clip(0, 2, False)])
    with pytest.raises(DataError, match="lamps: no clip of three frames"):
        jitter_report({"lamps": lamp_model()}, "film.mp4")


@pytest.mark.parametrize(("clips", "units"), [(1, 3), (4, 12), (12, 12)])
def test_what_shakes_together_is_drawn_together(clips, units):
    """Blocks of 15 frames of few clips, whole clips of many: values that differ by block only."""
    rng = np.random.default_rng(0)
    level = rng.uniform(1, 9, units)
    frames = 45 if clips == 12 else 15
    speed = np.repeat(level, frames).reshape(clips, -1)
    # One frame more than steps, each as long as the level of its block.
    x = np.concatenate([np.zeros((clips, 1)), np.cumsum(speed, 1)], 1)
    tracks = np.stack([x, np.zeros_like(x)], -1)[:, :, None]
    still = np.zeros((x.shape[1], 1, 2))
    (row, *_) = motion_rows("v", list(tracks), [still] * clips)
    assert row["metric"] == "jitter"
    assert row["value"] == pytest.approx(level.mean())
    means = level[rng.integers(0, units, (20_000, units))].mean(1)
    low, high = np.percentile(means, (2.5, 97.5))
    assert row["high"] - row["low"] == pytest.approx(high - low, rel=0.1)
    assert np.percentile(row["draws"], 2.5) == pytest.approx(row["low"])


def test_a_model_of_other_keypoints_is_named(monkeypatch):
    other = clip(0)
    other.labels = other.labels[:, :2]
    monkeypatch.setattr(module, "load_clips", lambda source, seconds: [other])
    with pytest.raises(KerasShrError, match="3 keypoints and lamps 2"):
        jitter_report({"lamps": lamp_model()}, "anything")


def test_the_command_writes_a_table_and_a_picture(shaking, tmp_path, capsys, monkeypatch):
    titles = []
    draw = module.draw_tracks
    monkeypatch.setattr(module, "draw_tracks", lambda *a: (titles.append(a[-1]), draw(*a)))
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        lamp_model().save(tmp_path / name / "best.keras")
    models = [str(tmp_path / name / "best.keras") for name in ("a", "b")]
    output = tmp_path / "jitter"
    arguments = ["jitter", *models, "--video", "lamps", "--output", str(output), "--keypoint"]
    assert main([*arguments, "3"]) == 1
    assert "--keypoint is 3; it must be 0 to 2" in capsys.readouterr().err
    assert not output.exists()
    assert main([*arguments[:-1], "--margin", "3"]) == 1
    assert "margin is 3; it is for a video file, lamps has crops" in capsys.readouterr().err
    assert main([*arguments[:-1]]) == 0  # 8 by default, which three keypoints do not have
    rows = list(csv.DictReader((output / "jitter.csv").read_text().splitlines()))
    assert len(rows) == 2 * 2 * 7  # models, filters, metrics
    assert (output / "jitter.png").read_bytes().startswith(b"\x89PNG")
    assert titles == ["blue"]  # the keypoint's name
    printed = capsys.readouterr().out
    assert printed.count("one-euro") == 2
    assert printed.count("\nb ") == 2  # like evaluate, a file called best after its folder


def test_a_film_that_ends_early_is_looked_at_with_the_given_margin(tmp_path, monkeypatch):
    path = cut_off_film(tmp_path)
    margins, said = [], []

    class Noted(module.Predictor):
        def __init__(self, model, **options):
            margins.append(options)
            super().__init__(model, **options)

    monkeypatch.setattr(module, "Predictor", Noted)
    jitter_report({"lamps": lamp_model()}, str(path), progress=said.append, margin=3.0)
    assert margins == [{"margin": 3.0}]
    assert any("of about 60 frames; the file is damaged or cut off" in line for line in said)
    said.clear()
    jitter_report({"lamps": lamp_model()}, str(path), 0.4, progress=said.append)
    assert margins[1:] == [{}]
    assert not any("cut off" in line for line in said)


def test_a_wrong_filter_is_refused_before_the_work():
    with pytest.raises(KerasShrError, match="min_cutoff is 0; it must be above 0"):
        jitter_report({}, "nowhere", min_cutoff=0)
