"""`keras-shr predict` on files it has never seen."""

import json

import numpy as np
import pytest
from PIL import Image
from prediction_helpers import SKELETON, lamp_model, lamps

from keras_shr.cli import main
from keras_shr.data import open_data
from keras_shr.prediction.sources import Video, VideoWriter, camera_number, picture_files

POINTS = [(40, 60), (90, 50), (70, 20)]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "lamps.keras"
    lamp_model().save(path)
    return str(path)


def test_a_folder_with_a_broken_file(model, tmp_path, capsys):
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    Image.fromarray(lamps(80, 120, POINTS, 5)).save(folder / "a.png")
    Image.fromarray(lamps(80, 120, POINTS, 5)).save(folder / "more" / "a.png")
    (folder / "b.jpg").write_bytes(b"")
    output = tmp_path / "out"
    assert main(["predict", model, str(folder), "--output", str(output), "--heatmaps"]) == 1
    assert "skipped: " in (error := capsys.readouterr().err)
    assert "b.jpg" in error
    content = json.loads((output / "predictions.json").read_text())
    assert [i["file_name"] for i in content["images"]] == ["a.png", "a_2.png"]
    assert content["categories"][0]["skeleton"] == [[1, 2], [2, 3]]
    first = content["annotations"][0]
    found = np.reshape(first["keypoints"], (3, 3))
    np.testing.assert_allclose(found[:, :2], POINTS, atol=3)
    assert first["num_keypoints"] == 3
    assert 0 < first["score"] <= 1
    drawn = np.asarray(Image.open(output / "a.jpg"))
    assert drawn.shape == (256, 384 + 256, 3)  # enlarged, its heatmap beside
    assert sorted(p.name for p in output.iterdir()) == ["a.jpg", "a_2.jpg", "predictions.json"]


def test_what_it_writes_can_be_read_as_coco(model, tmp_path):
    Image.fromarray(lamps(80, 120, POINTS, 5)).save(tmp_path / "a.png")
    output = tmp_path / "out"
    assert main(["predict", model, str(tmp_path / "a.png"), "--output", str(output)]) == 0
    reader = open_data(f"coco:{output}/predictions.json?images_root={tmp_path}", size=64)
    assert len(reader) == 1
    assert list(reader.skeleton.keypoints) == list(SKELETON.keypoints)
    assert (reader[0].keypoints[:, 2] == 2).all()


def test_boxes_from_a_file(model, tmp_path, capsys):
    Image.fromarray(lamps(80, 120, POINTS, 5)).save(tmp_path / "a.png")
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps({"a.png": [[20, 5, 90, 70], [30, 10, 70, 60]]}))
    arguments = ["predict", model, str(tmp_path / "a.png"), "--output", str(tmp_path / "o")]
    assert main([*arguments, "--boxes", str(boxes), "--no-pictures"]) == 0
    content = json.loads((tmp_path / "o" / "predictions.json").read_text())
    assert len(content["annotations"]) == 2
    assert [p.name for p in (tmp_path / "o").iterdir()] == ["predictions.json"]
    boxes.write_text('{"c.png": []}')
    assert main([*arguments, "--boxes", str(boxes)]) == 1
    assert "'c.png' is none of the pictures" in capsys.readouterr().err


def test_a_video_is_followed_and_filtered(model, tmp_path):
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
    frames = list(Video(output / "clip.mp4"))
    assert len(frames) == 12
    assert frames[0].shape == (240, 320, 3)
    # The filter lags behind the motion; --seconds counts those of the film.
    assert main([*arguments, "--filter", "one-euro", "--seconds", "0.4"]) == 0
    content = json.loads((output / "predictions.json").read_text())
    assert len(content["annotations"]) == 10
    smooth = [np.reshape(a["keypoints"], (3, 3))[:, :2] for a in content["annotations"]]
    assert smooth[-1][:, 0].mean() < found[9][:, 0].mean()
    assert main([*arguments, "--whole-frames", "--no-pictures"]) == 0
    content = json.loads((output / "predictions.json").read_text())
    assert len(content["annotations"]) == 12


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.jpg"], "none.jpg: no such file or folder"),
        (["clip.mp4"], "clip.mp4: no such file"),
        (["a.png", "--filter", "one-euro"], "these are pictures"),
        (["webcam:87"], "camera 87: cannot be opened"),
        (["clip.mp4", "a.png"], "one video or camera at a time"),
        (["a.png", "clip.mp4"], "one video or camera at a time"),
        (["empty"], "empty: no pictures"),
        (["broken.jpg"], "none of the pictures could be read"),
    ],
)
def test_errors_are_one_line(model, tmp_path, monkeypatch, capfd, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.jpg").write_bytes(b"x")
    Image.fromarray(lamps(40, 40, POINTS)).save("a.png")
    assert main(["predict", model, *words, "--output", "out"]) == 1
    assert message in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_video_with_boxes_that_are_not_there(model, tmp_path, capsys):
    with VideoWriter(tmp_path / "clip.mp4", 25) as writer:
        writer.write(lamps(240, 320, POINTS, 5))
    arguments = ["predict", model, str(tmp_path / "clip.mp4"), "--output", str(tmp_path / "out")]
    assert main([*arguments, "--boxes", str(tmp_path / "none.json")]) == 1
    assert "none.json: expected an object {file name:" in capsys.readouterr().err


def test_a_file_that_is_no_video(model, tmp_path, capfd):
    (tmp_path / "a.mp4").write_bytes(b"no video at all")
    arguments = ["predict", model, str(tmp_path / "a.mp4"), "--output", str(tmp_path / "out")]
    assert main(arguments) == 1
    assert "OpenCV knows no such video" in capfd.readouterr().err


def test_sources(tmp_path):
    assert camera_number("webcam") == 0
    assert camera_number("webcam:2") == 2
    assert camera_number("webcams") is None
    for name in ("b.png", "a.JPG", "c.txt"):
        (tmp_path / name).touch()
    assert [p.name for p in picture_files([tmp_path])] == ["a.JPG", "b.png"]
