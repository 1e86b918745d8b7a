import importlib
import json

import pytest
from PIL import Image

import keras_shr
from keras_shr.cli import main
from keras_shr.cli._options import kinds, named, open_part, part, severities, training_note
from keras_shr.errors import KerasShrError
from keras_shr.perturbations import (
    ALL_PERTURBATIONS,
    EVALUATION_PERTURBATIONS,
    SENSOR_PERTURBATIONS,
)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "a.keras", "data", "--output", "x"], "a.keras"),
        (["fit", "--output", "x"], "no data set"),
        (["fit", "missing.py", "--output", "x"], "missing.py"),
        (["fit", "--data", "nowhere", "--output", "x", "--set", "sed=1"], "sed"),
        (["prepare", "folder", "nowhere", "x"], "nowhere"),
        (["prepare", "rendered", "many", "x"], "many"),
        (["prepare", "rendered", "5", "x", "--option", "seed"], "NAME=VALUE"),
        (["prepare", "rendered", "5", "x", "--option", "size=64"], "give it as --size 64"),
        (["prepare", "rendered", "5", "x", "--option", "split=val"], "give it as --split val"),
        (["prepare", "coco", "coco.json", "x", "--split", "val"], "leave --split out"),
        (["evaluate", "hand", "coco.json", "--output", "x", "--split", "test"], "leave --split"),
        (["evaluate", "hand", "coco.json", "--output", "x", "--limit", "-1"], "--limit is -1"),
        (["compare-export", "hand", "a.tflite", "coco.json", "--limit", "0"], "--limit is 0"),
        (["evaluate", "hand=", "data", "--output", "x"], "'hand=' is no model"),
        (["demo", "--output", "x", "--steps", "0"], "--steps is 0; it must be at least 1"),
        (["demo", "--output", "x", "--test-images", "0"], "--test-images is 0"),
        (["evaluate", "run", "data", "--output", "x"], "run is a folder; give the file of a model"),
        (["evaluate", "hand", "index.jsonl", "--output", "x"], "index.jsonl: give its folder, ."),
        (["evaluate", "hand", "set", "--output", "x"], "prepared data in test, val; give one of"),
    ],
)
def test_a_users_error_is_one_line_and_leaves_nothing(
    arguments, message, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    write_coco(tmp_path)
    for file in (
        "run/best.keras",
        "index.jsonl",
        "set/val/manifest.json",
        "set/test/manifest.json",
    ):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("keras-shr ")
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "x").exists()


def test_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"keras_shr {keras_shr.__version__}\n"


def test_models_are_named_after_files_or_folders():
    found = named(["runs/a/model.keras", "runs/b/best.keras", "c.keras", "d=e/model.keras"])
    assert list(found) == ["a", "b", "c", "d"]
    for models in (["x/model.keras", "y=1.keras", "y=2.keras"], ["hand", "hand"], ["=1.keras"]):
        with pytest.raises(KerasShrError, match="NAME=FILE"):
            named(models)


def test_a_model_in_the_working_folder_or_below_an_equals_sign(tmp_path, monkeypatch):
    place = tmp_path / "rate=0.1"
    place.mkdir()
    for folder in (place, tmp_path):
        (folder / "best.keras").touch()
    monkeypatch.chdir(tmp_path)
    assert list(named(["best.keras", "rate=0.1/best.keras"])) == [tmp_path.name, "rate=0.1"]


def test_kinds():
    assert kinds("unseen, sensor,snow") == (
        *EVALUATION_PERTURBATIONS,
        *SENSOR_PERTURBATIONS,
        "snow",
    )
    assert kinds("all") == ALL_PERTURBATIONS
    assert kinds("unseen") == EVALUATION_PERTURBATIONS
    assert kinds("snow,frost") == ("snow", "frost")
    assert kinds(" contrast, snow ") == ("contrast", "snow")
    assert kinds("unseen ") == EVALUATION_PERTURBATIONS


def test_severities():
    assert severities("3") == (3,)
    assert severities("1, 5") == (1, 5)
    for wrong in ("1 3", "1-5", "", "1,"):
        with pytest.raises(KerasShrError, match="--severities has"):
            severities(wrong)


def write_coco(folder):
    """Two annotated pictures; a COCO file has no parts."""
    pictures = [{"id": i, "file_name": f"{i}.png", "width": 40, "height": 40} for i in (1, 2)]
    boxes = [
        {"id": i, "image_id": i, "category_id": 1, "keypoints": [9, 9, 2], "bbox": [5, 5, 20, 20]}
        for i in (1, 2)
    ]
    category = {"id": 1, "name": "dot", "keypoints": ["dot"]}
    content = {"images": pictures, "annotations": boxes, "categories": [category]}
    (folder / "coco.json").write_text(json.dumps(content))
    for i in (1, 2):
        Image.new("RGB", (40, 40)).save(folder / f"{i}.png")


def test_a_prepared_folder_of_a_part_may_come_from_data_without_parts(tmp_path):
    write_coco(tmp_path)
    place = tmp_path / "prepared" / "test"
    words = ["prepare", "coco", str(tmp_path / "coco.json"), str(place), "--size", "64"]
    assert main(words) == 0
    assert len(open_part(place.parent, "test", 64)) == 2
    with pytest.raises(KerasShrError, match="have no parts"):
        open_part(place, "val", 64)


def test_parts_are_not_mixed_into_one_prepared_folder(tmp_path, capsys):
    lines = [{"file": f"{p}.png", "keypoints": [[1, 2]], "split": p} for p in ("train", "test")]
    (tmp_path / "index.jsonl").write_text("\n".join(map(json.dumps, lines)))
    words = ["prepare", "folder", str(tmp_path), str(tmp_path / "out")]
    assert main(words) == 1
    message = capsys.readouterr().err
    assert "has the parts test, train, which would be mixed; prepare each by itself" in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["C++", "a&b=c", "50%25", "a b"])
def test_an_option_of_prepare_may_be_any_path(tmp_path, name):
    (tmp_path / name).mkdir()
    write_coco(tmp_path / name)
    (tmp_path / name / "coco.json").rename(tmp_path / "coco.json")
    words = ["prepare", "coco", str(tmp_path / "coco.json"), str(tmp_path / "out"), "--size", "64"]
    assert main([*words, "--option", f"images_root={tmp_path / name}"]) == 0


def test_pictures_for_training_are_named(tmp_path, capsys):
    write_coco(tmp_path)
    index = tmp_path / "index.jsonl"
    lines = [{"file": f"{i}.png", "keypoints": [[9, 9, 2]]} for i in (1, 2)]
    index.write_text("\n".join(map(json.dumps, lines)))
    for spec in (tmp_path, tmp_path / "coco.json", "rendered:3?split=val"):
        assert training_note(open_part(spec, None, 64)) == []
    lines[0]["split"] = "test"
    index.write_text("\n".join(map(json.dumps, lines)))
    (note,) = training_note(open_part(tmp_path, None, 64))
    assert f"those of {tmp_path.name}'s part 'train', beside test: a model" in note
    assert note in capsys.readouterr().err
    assert training_note(open_part(tmp_path, "test", 64)) == []
    assert "part 'train': a model" in training_note(open_part("rendered:3", None, 64))[0]


@pytest.mark.parametrize(("goes_on", "command"), [(True, "evaluate"), (False, "predict")])
def test_only_what_goes_on_says_so(monkeypatch, capsys, goes_on, command):
    def interrupted(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(importlib.import_module(f"keras_shr.cli.{command}"), "run", interrupted)
    assert main([command, "hand", "data", "--output", "x"]) == 130
    end = "; the same command goes on" if goes_on else ""
    assert capsys.readouterr().err == f"keras-shr {command}: interrupted{end}\n"


@pytest.mark.parametrize(("terminal", "verbose"), [(True, "auto"), (False, 2)])
def test_a_log_has_a_line_an_epoch(monkeypatch, terminal, verbose):
    """The bar of a long run would fill a cluster's log with megabytes."""
    given = {}
    monkeypatch.setattr("keras_shr.training.train", lambda *_, **options: given.update(options))
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal, raising=False)
    assert main(["fit", "--data", "rendered:8", "--output", "x"]) == 0
    assert given["verbose"] == verbose


def test_part_of_an_evaluation():
    assert part("2/4") == (2, 4)
    assert part(None) is None
    for wrong in ("2", "2/", "a/b", "-1/2"):
        with pytest.raises(KerasShrError, match="--part is"):
            part(wrong)
