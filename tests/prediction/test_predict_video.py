"""`keras-shr predict` on videos and cameras."""

import json
import os
import re
import sys

import numpy as np
import pytest
from prediction_helpers import POINTS, cut_off_film, lamps

from keras_shr.cli import main, predict
from keras_shr.errors import KerasShrError
from keras_shr.prediction import Tracker, sources
from keras_shr.prediction.sources import (
    Video,
    VideoWriter,
)


def test_a_film_that_ends_early_is_no_whole_one(model, tmp_path, capfd):
    path, output = cut_off_film(tmp_path), tmp_path / "out"
    arguments = ["predict", model, str(path), "--output", str(output), "--whole", "--no-pictures"]
    assert main(arguments) == 1
    (line,) = [line for line in capfd.readouterr().err.splitlines() if "cut off" in line]
    found = re.fullmatch(rf"{path}: ended after (\d+) of about 60 frames; the file is .*", line)
    count = len(json.loads((output / "predictions.json").read_text())["images"])
    assert 10 < count < 50
    assert int(found[1]) == count
    assert main([*arguments, "--seconds", "0.2"]) == 0
    assert "cut off" not in capfd.readouterr().err


@pytest.mark.parametrize(("stated", "whole"), [(15, True), (16, False), (0, True)])
def test_the_frames_that_a_file_says_are_an_estimate(stated, whole, tmp_path, monkeypatch):
    with VideoWriter(tmp_path / "a.mp4", 25) as writer:
        for _ in range(10):
            writer.write(lamps(48, 64, POINTS))
    video = Video(tmp_path / "a.mp4")
    video.count = stated
    assert len(list(video)) == 10
    assert (video.cut_off == "") == whole


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_a_colon_in_a_video_name_is_no_protocol(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with VideoWriter("12:30.webm", 25) as writer:
        writer.write(lamps(240, 320, POINTS, 5))
    assert main(["predict", model, "12:30.webm", "--output", "out"]) == 0
    assert (tmp_path / "out" / "predictions.json").is_file()


def test_a_video_is_followed_and_filtered(model, tmp_path, monkeypatch):
    path = tmp_path / "clip.mp4"
    truth = [[(x / 2 + 100 + 3 * i, y / 2 + 80) for x, y in POINTS] for i in range(12)]
    with VideoWriter(path, 25) as writer:
        for points in truth:
            writer.write(lamps(240, 320, points, 5))
    assert [p.name for p in tmp_path.iterdir()] == ["clip.mp4"]
    video = Video(path)
    assert (video.frequency, video.count) == (25, 12)
    output = tmp_path / "out"
    arguments = ["predict", model, str(path), "--output", str(output)]
    assert main(arguments) == 0
    content = json.loads((output / "predictions.json").read_text())
    found = [np.reshape(a["keypoints"], (3, 3))[:, :2] for a in content["annotations"]]
    assert np.abs(np.array(found[3:]) - truth[3:]).max() < 6
    (drawn,) = output.glob("clip.*")
    frames = list(Video(drawn))
    assert len(frames) == 12
    assert frames[0].shape == (240, 320, 3)
    # The filter lags behind the motion; --seconds counts those of the film.
    assert main([*arguments, "--filter", "one-euro", "--seconds", "0.4"]) == 0
    content = json.loads((output / "predictions.json").read_text())
    assert len(content["annotations"]) == 10
    smooth = [np.reshape(a["keypoints"], (3, 3))[:, :2] for a in content["annotations"]]
    assert smooth[-1][:, 0].mean() < found[9][:, 0].mean()
    assert main([*arguments, "--whole", "--no-pictures"]) == 0
    content = json.loads((output / "predictions.json").read_text())
    assert len(content["annotations"]) == 12
    noted = []

    class Noted(Tracker):
        def __init__(self, *arguments, **options):
            noted.append(options)
            super().__init__(*arguments, **options)

    monkeypatch.setattr("keras_shr.prediction.Tracker", Noted)
    assert main([*arguments, "--lost", "0.25", "--no-pictures"]) == 0
    assert noted == [{"filter": None, "lost": 0.25}]


def test_a_video_with_boxes_that_are_not_there(model, tmp_path, capsys):
    with VideoWriter(tmp_path / "clip.mp4", 25) as writer:
        writer.write(lamps(240, 320, POINTS, 5))
    arguments = ["predict", model, str(tmp_path / "clip.mp4"), "--output", str(tmp_path / "out")]
    boxes = tmp_path / "boxes.json"
    for text, message in (
        (None, "boxes.json: No such file"),
        ('{"other.mp4": [[1, 2, 90, 90]]}', "boxes.json: has no 'clip.mp4', the video's name"),
        ('{"clip.mp4": [[1, 2, 9, 9], [3, 4, 9, 9]]}', "expected one box"),
    ):
        if text:
            boxes.write_text(text)
        assert main([*arguments, "--boxes", str(boxes)]) == 1
        assert message in capsys.readouterr().err
    boxes.write_text('{"other.mp4": [[1, 2, 0, 0]], "clip.mp4": [[1, 2, 300, 200]]}')
    assert main([*arguments, "--boxes", str(boxes)]) == 0


def test_a_film_of_a_slow_camera_keeps_its_pace(monkeypatch):
    """A camera says 30 frames a second; the model manages 8."""
    now = [0.0]
    monkeypatch.setattr(predict.time, "monotonic", lambda: now[0])
    pace, copies = predict._Pace(30.0, camera=True), []
    for _ in range(81):
        now[0] += 0.125
        copies.append(pace.copies())
    assert sum(copies) == 10 * 30 + 1  # from the first frame to the last are ten seconds
    assert {*copies[1:]} == {3, 4}
    assert pace.frequency == pytest.approx(8)
    film = predict._Pace(25.0, camera=False)
    assert [film.copies(), film.copies(), film.frequency] == [1, 1, 25.0]


@pytest.mark.parametrize("camera", [True, False])
def test_ctrl_c_ends_a_camera_and_discards_a_film(model, tmp_path, monkeypatch, capsys, camera):
    class Stopped(Video):
        def __init__(self, source):
            self.name, self.frequency, self.count = str(source), 30.0, 0

        def __iter__(self):
            yield from [lamps(240, 320, POINTS, 5)] * 3
            raise KeyboardInterrupt

        def close(self):
            pass

    monkeypatch.setattr(sources, "Video", Stopped)
    # However slow this machine is: each frame once.
    monkeypatch.setattr(predict._Pace, "copies", lambda self: 1)
    word = "webcam" if camera else "clip.mp4"
    status = main(["predict", model, word, "--output", str(tmp_path / "out")])
    if camera:
        assert status == 0
        content = json.loads((tmp_path / "out" / "predictions.json").read_text())
        assert len(content["images"]) == 3
        monkeypatch.undo()
        (drawn,) = (tmp_path / "out").glob("webcam-0.*")
        assert len(list(Video(drawn))) == 3
    else:
        assert status == 130
        assert capsys.readouterr().err.endswith("keras-shr predict: interrupted\n")
        assert not list((tmp_path / "out").iterdir())


PLAYED = {".mp4": b"avc1", ".webm": b"V_VP8"}  # by browsers: what such a file has in its header


def write_film(path):
    with VideoWriter(path, 25) as writer:
        for x in range(8):
            writer.write(lamps(48, 64, [(20 + 2 * x, 20)] * 3, 4))
    return writer.path


def test_browsers_play_what_is_written(tmp_path, capfd):
    path = write_film(tmp_path / "clip.of.mine")
    assert path.with_suffix("").name == "clip.of.mine"
    assert PLAYED[path.suffix] in path.read_bytes()
    assert capfd.readouterr().err == ""  # FFmpeg complains of the codecs that it lacks
    print("still there", file=sys.stderr)
    assert "still there" in capfd.readouterr().err
    video = Video(path)
    assert (video.frequency, video.count) == (25, 8)
    lit = [np.argmax(frame[20].sum(-1)) for frame in video]
    np.testing.assert_allclose(lit, 20 + 2 * np.arange(8), atol=1)


@pytest.mark.parametrize(
    ("able", "name", "content"),
    [
        ({"mp4v"}, "clip.mp4", b"mp4v"),
        ({"VP80", "mp4v"}, "clip.webm", b"V_VP8"),
        (set(), None, None),
    ],
)
def test_what_opencv_cannot_write(tmp_path, monkeypatch, able, name, content):
    monkeypatch.setattr(sources, "_can_write", lambda end, code, *_: code in able)
    if name is None:
        with pytest.raises(KerasShrError, match="clip: OpenCV cannot write this video"):
            write_film(tmp_path / "clip")
        assert not list(tmp_path.iterdir())
        return
    assert write_film(tmp_path / "clip").name == name
    assert content in (tmp_path / name).read_bytes()
    assert write_film(tmp_path / "other.mp4").name == "other.mp4"  # as it is called


def test_a_file_that_is_no_video(model, tmp_path, capfd):
    (tmp_path / "a.mp4").write_bytes(b"no video at all")
    arguments = ["predict", model, str(tmp_path / "a.mp4"), "--output", str(tmp_path / "out")]
    assert main(arguments) == 1
    assert "OpenCV knows no such video" in capfd.readouterr().err
