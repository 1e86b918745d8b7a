"""`keras-shr predict` on files it has never seen."""

import errno
import json
import ntpath
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from prediction_helpers import POINTS, SKELETON, lamps

from keras_shr.cli import main
from keras_shr.data import open_data
from keras_shr.errors import DataError
from keras_shr.prediction import Prediction, portions, sources
from keras_shr.prediction.coco_json import CocoJson
from keras_shr.prediction.sources import (
    VideoWriter,
    camera_number,
    picture_files,
    relative_names,
)


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
    assert [i["file_name"] for i in content["images"]] == ["a.png", "more/a.png"]
    assert content["categories"][0]["skeleton"] == [[1, 2], [2, 3]]
    first = content["annotations"][0]
    found = np.reshape(first["keypoints"], (3, 3))
    np.testing.assert_allclose(found[:, :2], POINTS, atol=3)
    assert first["num_keypoints"] == 3
    assert 0 < first["score"] <= 1
    drawn = np.asarray(Image.open(output / "a.jpg"))
    assert drawn.shape == (256, 384 + 256, 3)  # enlarged, its heatmap beside
    written = sorted(p.relative_to(output).as_posix() for p in output.rglob("*.*"))
    assert written == ["a.jpg", "more/a.jpg", "predictions.json"]


def test_large_pictures_are_taken_a_few_at_a_time(model, tmp_path, monkeypatch, capsys):
    for i in range(7):
        Image.fromarray(lamps(96, 128, POINTS)).save(tmp_path / f"{i}.png")
    monkeypatch.setattr(portions, "_BYTES_AT_ONCE", 2 * 96 * 128 * 3)
    output = tmp_path / "out"
    assert main(["predict", model, str(tmp_path), "--output", str(output)]) == 0
    progress = [line for line in capsys.readouterr().err.splitlines() if " of 7" in line]
    assert progress == [f"{i} of 7 pictures" for i in (2, 4, 6, 7)]
    assert len(list(output.glob("*.jpg"))) == 7


def test_what_it_writes_can_be_read_as_coco(model, tmp_path):
    Image.fromarray(lamps(80, 120, POINTS, 5)).save(tmp_path / "a.png")
    output = tmp_path / "out"
    assert main(["predict", model, str(tmp_path / "a.png"), "--output", str(output)]) == 0
    reader = open_data(f"coco:{output}/predictions.json?images_root={tmp_path}", size=64)
    assert len(reader) == 1
    assert list(reader.skeleton.keypoints) == list(SKELETON.keypoints)
    assert (reader[0].keypoints[:, 2] == 2).all()


def test_file_names_lead_to_the_pictures(model, tmp_path, monkeypatch):
    """From several folders, above and below, one of them named twice; equal stems stay apart."""
    for place in ("here/a.png", "there/more/a.png", "there/more/a.bmp", "work/a.png"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(lamps(40, 40, POINTS)).save(tmp_path / place)
    monkeypatch.chdir(tmp_path / "work")
    words = ["../here/a.png", "../there", str(tmp_path / "there" / "more"), "a.png"]
    for _ in range(2):  # what the first call draws is no picture of the second
        assert main(["predict", model, *words, "--output", "../there/out"]) == 0
        content = json.loads((tmp_path / "there/out/predictions.json").read_text())
        names = [image["file_name"] for image in content["images"]]
        assert names == ["here/a.png", "there/more/a.bmp", "there/more/a.png", "work/a.png"]
        assert all((tmp_path / name).is_file() for name in names)
    drawn = sorted(p.name for p in (tmp_path / "there/out/there/more").iterdir())
    assert drawn == ["a.jpg", "a_2.jpg"]
    assert len(list((tmp_path / "there/out").rglob("*.jpg"))) == 4


@pytest.mark.parametrize("source", ["a.jpg", ".", "clip.mp4"])
def test_originals_are_not_overwritten(model, tmp_path, capsys, source):
    Image.fromarray(lamps(80, 120, POINTS, 5)).save(tmp_path / "a.jpg")
    with VideoWriter(tmp_path / "clip.mp4", 25) as writer:
        writer.write(lamps(240, 320, POINTS, 5))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert main(["predict", model, str(tmp_path / source), "--output", str(tmp_path)]) == 1
    assert "lies in the output folder" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_predict_did_not_write_is_not_replaced(model, tmp_path, capsys):
    """A user's own pictures in the output folder, whatever an earlier call has left there."""
    folder, output = tmp_path / "photos", tmp_path / "mine"
    folder.mkdir()
    for name in ("a.png", "a.webp", "b.png"):
        Image.fromarray(lamps(40, 40, POINTS)).save(folder / name)
    with VideoWriter(tmp_path / "b.mp4", 25) as writer:
        writer.write(lamps(240, 320, POINTS, 5))
    (folder / "a.png").write_bytes(b"damaged: its drawing gets no number the first time")
    arguments = ["predict", model, str(folder), "--output", str(output)]
    for _ in range(2):
        assert main(arguments) == 1
        assert sorted(p.name for p in output.iterdir()) == ["a_2.jpg", "b.jpg", "predictions.json"]
    (output / "predictions.json").unlink()  # as after Ctrl+C
    assert main(arguments) == 1
    film = ["predict", model, str(tmp_path / "b.mp4"), "--output", str(output)]
    assert main(film) == 0
    assert main(film) == 0
    (drawn,) = output.glob("b.[mw]*")
    Image.fromarray(lamps(40, 40, POINTS)).save(output / "b.jpg", comment=b"my cat")
    assert main([*arguments, "--no-pictures"]) == 1  # the film's predictions are no more
    before = {path: path.read_bytes() for path in output.iterdir()}
    capsys.readouterr()
    for command, place in ((arguments, output / "b.jpg"), (film, drawn)):
        assert main(command) == 1
        assert capsys.readouterr().err == (
            f"keras-shr predict: {place} would be replaced and was not drawn by predict; give "
            "another output folder, or move it away\n"
        )
    assert {path: path.read_bytes() for path in output.iterdir()} == before


def test_a_drawing_that_cannot_be_written_does_not_end_the_others(model, tmp_path, capsys):
    folder, output = tmp_path / "pictures", tmp_path / "out"
    for name in ("a.png", "more/b.png", f"{'手' * 80}.jpg", "z/c.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(lamps(40, 40, POINTS)).save(folder / name)
    (output / "more" / "b.jpg").mkdir(parents=True)
    (output / "z").write_text("a file")
    assert main(["predict", model, str(folder), "--output", str(output)]) == 1
    printed = capsys.readouterr()
    lines = [line for line in printed.err.splitlines() if line.startswith("skipped: ")]
    assert len(lines) == 2
    assert re.match(rf"skipped: {output}/more/b.jpg: Is a directory; predictions", lines[0])
    assert re.match(rf"skipped: {output}/z/c.jpg: .*out/z: is a file", lines[1])
    assert "predictions.json: 2 pictures, 2 skipped" in printed.out
    content = json.loads((output / "predictions.json").read_text())
    assert len(content["images"]) == len(content["annotations"]) == 4
    assert (output / f"{'手' * 80}.jpg").is_file()


def test_a_full_disk_ends_predict(model, tmp_path, capsys, monkeypatch):
    Image.fromarray(lamps(40, 40, POINTS)).save(tmp_path / "a.png")

    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr("keras_shr.files.write_bytes", full)
    output = tmp_path / "out"
    assert main(["predict", model, str(tmp_path / "a.png"), "--output", str(output)]) == 1
    error = capsys.readouterr().err
    assert error == f"keras-shr predict: {output / 'a.jpg'}: No space left on device\n"


def test_a_box_outside_its_picture_is_named_and_the_others_go_on(model, tmp_path, capsys):
    for name in ("a.png", "b.png"):
        Image.fromarray(lamps(80, 120, POINTS, 5)).save(tmp_path / name)
    boxes = {"a.png": [[5000, 5000, 40, 40]], "b.png": [[100, 60, 40, 40]]}
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    arguments = ["predict", model, str(tmp_path), "--output", str(tmp_path / "out")]
    assert main([*arguments, "--boxes", str(tmp_path / "boxes.json")]) == 1
    line = "a.png: box [5000, 5000, 40, 40] lies outside the picture, which is 120x80"
    assert f"skipped: {tmp_path / line}\n" in capsys.readouterr().err
    content = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert [image["file_name"] for image in content["images"]] == ["b.png"]


@pytest.mark.timeout(60)  # else a walk in circles has no end
def test_links_are_followed_once(tmp_path):
    pictures, other = tmp_path / "pictures", tmp_path / "other"
    for place in (pictures / "a.png", other / "deep" / "b.png"):
        place.parent.mkdir(parents=True)
        place.touch()
    (pictures / "linked").symlink_to(other, target_is_directory=True)
    (other / "round").symlink_to(pictures, target_is_directory=True)
    (pictures / "self").symlink_to(pictures, target_is_directory=True)
    files, _ = picture_files([pictures])
    assert files == [pictures / "a.png", pictures / "linked" / "deep" / "b.png"]


def test_pictures_on_two_drives_are_refused(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(sources.os, "path", ntpath)
        with pytest.raises(DataError, match=r"lie on c: and d:; give those of one drive$"):
            relative_names([Path("C:\\a\\b.jpg"), Path("D:\\c.jpg")])


def test_a_box_holds_its_keypoints_even_in_one_place(tmp_path):
    result = CocoJson(SKELETON)
    points = np.full((2, 3, 3), [7, 9, 0.5], "float32")
    points[1, 0, :2] = 11, 10
    boxes = np.array([[0, 0, 0, 0], [1, 2, 30, 30]])
    result.add("a.png", (20, 30), Prediction(points, boxes))
    assert [a["bbox"] for a in result.content["annotations"]] == [[7, 9, 1, 1], [7, 9, 5, 2]]
    assert [a["crop"] for a in result.content["annotations"]] == [[0, 0, 0, 0], [1, 2, 30, 30]]
    Image.new("RGB", (30, 20)).save(tmp_path / "a.png")
    result.write(tmp_path / "predictions.json")
    reader = open_data(f"coco:{tmp_path}/predictions.json?padding=1", size=40)
    np.testing.assert_allclose(reader[0].keypoints[:, :2], 19.5)  # the crop's middle


def test_what_is_marked_as_seen():
    """Not what lies outside the picture, whose pixels reach from -0.5 to half beyond the last."""
    result = CocoJson(SKELETON, visible=0.4)
    places = [(-0.5, 0), (29.5, 19.5), (-0.6, 0), (0, -0.6), (29.6, 0), (0, 19.6)]
    points = np.array([(*place, 0.4) for place in places] + [(5, 5, 0.39)] * 3, "float32")
    result.add("a.png", (20, 30), Prediction(points.reshape(3, 3, 3), np.zeros((3, 4))))
    rows = np.concatenate([a["keypoints"] for a in result.content["annotations"]]).reshape(-1, 3)
    assert rows[:, 2].tolist() == [2, 2, 1, 1, 1, 1, 1, 1, 1]
    np.testing.assert_allclose(rows[:, :2], points[:, :2], atol=0.005)  # they keep their places
    assert [a["num_keypoints"] for a in result.content["annotations"]] == [3, 3, 3]


def test_keypoints_and_pictures_below_a_score(model, tmp_path, capsys):
    """Lamps score near 1, a picture in which nothing stands out less than 0.3."""
    Image.fromarray(lamps(80, 120, POINTS, 3)).save(tmp_path / "a.png")
    for name in ("b.png", "c.png"):
        Image.new("RGB", (120, 80), (90, 90, 90)).save(tmp_path / name)
    output = tmp_path / "out"
    arguments = ["predict", model, str(tmp_path), "--output", str(output), "--whole"]

    def answers():
        content = json.loads((output / "predictions.json").read_text())
        assert [i["file_name"] for i in content["images"]] == ["a.png", "b.png", "c.png"]
        return content["annotations"]

    assert main(arguments) == 0
    line = "2 of 3 pictures scored below 0.3: probably nothing there; --min-score 0.3 leaves them"
    assert capsys.readouterr().out.splitlines()[-1] == f"{line} out"
    assert [a["score"] < 0.3 for a in answers()] == [False, True, True]
    drawn = np.asarray(Image.open(output / "b.jpg"))
    assert main([*arguments, "--min-score", "0.3"]) == 0
    assert "2 of 3 pictures scored below 0.3: left out\n" in capsys.readouterr().out
    (only,) = answers()
    assert only["score"] > 0.3
    bare = np.asarray(Image.open(output / "b.jpg"))
    assert (bare != drawn).any()  # its picture is there, without a skeleton
    assert np.abs(np.diff(bare.astype(int), axis=0)).max() < 30
    assert np.abs(np.diff(drawn.astype(int), axis=0)).max() > 100
    assert main([*arguments, "--visible", "0.5"]) == 0
    assert [a["keypoints"][2::3] for a in answers()] == [[2] * 3, [1] * 3, [1] * 3]
    capsys.readouterr()
    Image.fromarray(lamps(80, 120, POINTS, 3)).save(tmp_path / "b.png")
    (tmp_path / "c.png").unlink()
    assert main(arguments) == 0
    assert "scored below" not in capsys.readouterr().out


def test_boxes_from_a_file(model, tmp_path, capsys):
    Image.fromarray(lamps(80, 120, POINTS, 5)).save(tmp_path / "a.png")
    boxes = tmp_path / "boxes.json"
    found = {"a.png": [[20, 5, 90, 70], [30, 10, 70, 60]], "b.heic": [[1, 1, 9, 9]]}
    boxes.write_text(json.dumps(found))
    arguments = ["predict", model, str(tmp_path / "a.png"), "--output", str(tmp_path / "o")]
    assert main([*arguments, "--boxes", str(boxes), "--no-pictures"]) == 0
    content = json.loads((tmp_path / "o" / "predictions.json").read_text())
    assert len(content["annotations"]) == 2
    assert [p.name for p in (tmp_path / "o").iterdir()] == ["predictions.json"]
    for text, message in (
        ('{"c.png": []}', "'c.png' is none of the pictures"),
        ("{", "boxes.json: not JSON (Expecting"),
        ("[]", "boxes.json: expected an object {file name:"),
    ):
        boxes.write_text(text, encoding="utf-8")
        assert main([*arguments, "--boxes", str(boxes)]) == 1
        assert message in (error := capsys.readouterr().err)
        assert "start over" not in error
    assert main([*arguments, "--boxes", str(tmp_path / "none.json")]) == 1
    assert "none.json: No such file" in capsys.readouterr().err


def test_boxes_of_one_of_two_pictures(model, tmp_path, capsys):
    """Equal names need their folder; a picture that has no boxes is said to have none."""
    (tmp_path / "more").mkdir()
    for place in ("a.png", "more/a.png"):
        Image.fromarray(lamps(80, 120, POINTS, 5)).save(tmp_path / place)
    boxes = tmp_path / "boxes.json"
    arguments = ["predict", model, str(tmp_path), "--output", str(tmp_path / "out")]
    arguments += ["--no-pictures", "--boxes", str(boxes)]
    boxes.write_text('{"more/a.png": [[20, 5, 90, 70], [30, 10, 70, 60]]}', encoding="utf-8-sig")
    assert main(arguments) == 0
    assert "no box for 1 picture: " in capsys.readouterr().err
    content = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert [a["image_id"] for a in content["annotations"]] == [1, 2, 2]
    (tmp_path / "out" / "predictions.json").unlink()
    (tmp_path / "a.png").rename(tmp_path / "b.png")
    (tmp_path / "less").mkdir()
    (tmp_path / "b.png").rename(tmp_path / "less" / "a.png")
    boxes.write_text('{"a.png": [[20, 5, 90, 70]]}')
    assert main(arguments) == 1
    assert "'a.png' is the name of 2 pictures; write 'less/a.png'" in capsys.readouterr().err


@pytest.mark.parametrize("option", [[], ["--whole"]])
def test_a_picture_without_any_box_is_not_looked_at(model, tmp_path, option):
    """A detector found nothing in it; an empty list is no missing one."""
    Image.fromarray(lamps(90, 120, POINTS, 5)).save(tmp_path / "a.png")
    (tmp_path / "boxes.json").write_text('{"a.png": []}')
    arguments = ["predict", model, str(tmp_path / "a.png"), "--output", str(tmp_path / "out")]
    assert main([*arguments, "--boxes", str(tmp_path / "boxes.json"), *option]) == 0
    content = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert (len(content["images"]), content["annotations"]) == (1, [])


def test_pictures_are_searched(model, tmp_path, capsys):
    """Lamps in a corner of a large picture, beside a picture whose box is given."""
    small = [(x / 4 + 520, y / 4 + 300) for x, y in POINTS]
    Image.fromarray(lamps(400, 600, small, 4)).save(tmp_path / "a.png")
    Image.fromarray(lamps(90, 120, POINTS, 5)).save(tmp_path / "b.png")
    (tmp_path / "boxes.json").write_text('{"b.png": [[20, 5, 90, 70]]}')
    arguments = ["predict", model, str(tmp_path / "a.png"), str(tmp_path / "b.png")]
    arguments += ["--boxes", str(tmp_path / "boxes.json"), "--output", str(tmp_path / "out")]
    assert main(arguments) == 0
    assert "no box for 1 picture: searched" in capsys.readouterr().err
    content = json.loads((tmp_path / "out" / "predictions.json").read_text())
    searched, given = content["annotations"]
    points = np.reshape(searched["keypoints"], (3, 3))[:, :2]
    np.testing.assert_allclose(points, small, atol=1.5)  # of the whole picture a pixel is 19
    assert np.abs(np.reshape(given["keypoints"], (3, 3))[:, :2] - POINTS).max() < 3
    assert main([*arguments, "--whole"]) == 0
    assert "no box for 1 picture: looked at as a whole" in capsys.readouterr().err
    whole = json.loads((tmp_path / "out" / "predictions.json").read_text())["annotations"]
    assert whole[1] == given
    assert np.abs(np.reshape(whole[0]["keypoints"], (3, 3))[:, :2] - small).max() > 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.jpg"], "none.jpg: no such file or folder"),
        (["clip.mp4"], "clip.mp4: no such file"),
        (["a.png", "--filter", "one-euro"], "--filter is for a video or camera; these are pic"),
        (["webcam:87"], "camera 87: cannot be opened"),
        (["clip.mp4", "a.png"], "one video or camera at a time"),
        (["a.png", "clip.mp4"], "one video or camera at a time"),
        (["empty"], "empty: no pictures"),
        (["a.png", "--seconds", "3"], "--seconds is for a video"),
        (["a.png", "--heatmaps", "--no-pictures"], "leave --no-pictures out"),
        (["webcam", "--seconds", "0"], "--seconds is 0; it must be above 0"),
        (["webcam", "--filter", "one-euro", "--whole"], "--filter needs a track"),
        (["webcam", "--lost", "0.3", "--whole"], "--lost is for a track"),
        (["webcam", "--margin", "3", "--whole"], "--margin is for a search or a track"),
        (["a.png", "--margin", "0.5"], "margin is 0.5; expected 1 or more"),
        (["webcam", "--lost", "30"], "--lost is 30; scores are 0 to 1"),
        (["a.png", "--lost", "0"], "--lost is for a video"),
        (["a.png", "--min-score", "30"], "--min-score is 30; scores are 0 to 1"),
        (["a.png", "--visible", "nan"], "--visible is nan; scores are 0 to 1"),
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


def test_sources(tmp_path):
    assert camera_number("webcam") == 0
    assert camera_number("webcam:2") == 2
    assert camera_number("webcams") is None
    for name in ("b.png", "a.JPG", "c.txt"):
        (tmp_path / name).touch()
    files, unread = picture_files([tmp_path])
    assert [p.name for p in files] == ["a.JPG", "b.png"]
    assert unread == []


def test_what_is_in_a_folder_is_read_named_or_plainly_no_picture(model, tmp_path, capsys):
    folder = tmp_path / "pictures"
    (folder / ".thumbnails").mkdir(parents=True)
    Image.fromarray(lamps(80, 120, POINTS, 5)).save(folder / "a.png")
    left_alone = ("._a.jpg", ".thumbnails/a.png", "a.txt", "b.json", "README.md", "index.jsonl")
    named = ("IMG_1.HEIC", "b.avif", "clip.MOV", "d.tga")
    for name in left_alone + named:
        (folder / name).write_bytes(b"x")
    arguments = ["predict", model, str(folder), "--output", str(tmp_path / "out")]
    assert main(arguments) == 1
    printed = capsys.readouterr()
    assert printed.out.startswith(f"{tmp_path / 'out' / 'predictions.json'}: 1 picture, 4 skipped")
    lines = [line for line in printed.err.splitlines() if line.startswith("skipped: ")]
    advice = "pictures are not read; convert it to JPEG or PNG"
    assert lines == [
        f"skipped: {folder / 'IMG_1.HEIC'}: .heic {advice}",
        f"skipped: {folder / 'b.avif'}: .avif {advice}",
        f"skipped: {folder / 'clip.MOV'}: a video; give it by itself",
        f"skipped: {folder / 'd.tga'}: .tga {advice}",
    ]
    assert "5 of 5 pictures" in printed.err
    (folder / "a.png").unlink()
    assert main(arguments) == 1
    assert f"IMG_1.HEIC: .heic {advice} (and 3 more like it)" in capsys.readouterr().err
