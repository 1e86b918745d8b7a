"""A file held against its model: the right figures, and a verdict."""

import csv
import json

import keras
import numpy as np
import pytest
from export_helpers import SKELETON, dataset, solving_model, write_folder

from keras_shr.cli import main
from keras_shr.data import KeypointData
from keras_shr.errors import KerasShrError
from keras_shr.export import (
    ExportedModel,
    compare_export,
    comparison_text,
    export_model,
    write_comparison,
)
from keras_shr.export.comparison import FAR, FIELDS
from keras_shr.skeletons import Skeleton

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="export runs on TensorFlow"
)
# Not jpeg_compression: its blocks of colour make two pixels of this network's map exactly equal.
QUICK = {"perturbations": ("gaussian_blur", "speckle_noise"), "workers": 0, "repeats": 3}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The model, a faithful file and one whose answers are two heatmap pixels off."""
    folder = tmp_path_factory.mktemp("files")
    model = solving_model()
    model.save(folder / "dots.keras")
    export_model(model, folder / "dots.tflite", "tflite", outputs="keypoints")
    export_model(solving_model(shift=2), folder / "shifted.tflite", "tflite")
    return folder


def test_a_faithful_file_passes(files, tmp_path):
    found = compare_export(files / "dots.keras", files / "dots.tflite", dataset(), **QUICK)
    assert found["passed"]
    assert found["limit"] == 0.1
    assert found["bytes"] == (files / "dots.tflite").stat().st_size
    assert found["ms_exported"] > 0
    assert found["ms_keras"] > 0
    rows = {(row["kind"], row["severity"]): row for row in found["rows"]}
    assert list(rows) == [
        ("clean", ""),
        ("gaussian_blur", 3),
        ("speckle_noise", 3),
        ("perturbed", ""),
    ]
    for row in rows.values():
        assert row["difference_max"] < 1
        assert row["difference_far"] == 0
        assert row["auc_keras"] == pytest.approx(row["auc_exported"], abs=1e-3)
    one, other, both = (rows[key] for key in list(rows)[1:])
    assert both["r_keras"] == pytest.approx((one["r_keras"] + other["r_keras"]) / 2)
    assert both["ruc_exported"] == pytest.approx((one["ruc_exported"] + other["ruc_exported"]) / 2)

    write_comparison(found, tmp_path / "found.json")
    assert json.loads((tmp_path / "found.json").read_text())["rows"] == found["rows"]
    write_comparison(found, tmp_path / "found.csv")
    with open(tmp_path / "found.csv", newline="") as file:
        table = list(csv.DictReader(file))
    assert len(table) == 4
    assert set(FIELDS) <= set(table[0])
    with pytest.raises(KerasShrError, match=r"\.json or \.csv"):
        write_comparison(found, tmp_path / "found.txt")


def test_a_file_that_answers_otherwise_fails(files):
    found = compare_export(files / "dots.keras", files / "shifted.tflite", dataset(), **QUICK)
    assert not found["passed"]
    row = found["rows"][0]
    # Two image px to the right and down, in px of a 256-px crop, rounded to heatmap pixels.
    assert 2 < row["difference_mean"] < 25
    dots, shifted = ExportedModel(files / "dots.tflite"), ExportedModel(files / "shifted.tflite")
    places = [file.predict_keypoints(dataset().images)[..., :2] for file in (dots, shifted)]
    apart = np.linalg.norm(places[0] - places[1], axis=-1) * 256 / 64
    assert 0 < (apart > FAR).mean() <= 1
    assert row["difference_far"] == pytest.approx((apart > FAR).mean())
    assert f"{row['difference_far']:.2%}" in comparison_text(found).splitlines()[2]
    assert found["auc_drop"] == pytest.approx(100 * (row["auc_keras"] - row["auc_exported"]))
    assert found["auc_drop"] > 0.1


def test_what_does_not_belong_together(files, tmp_path):
    data = dataset()
    unlabelled = KeypointData(data.images, data.keypoints * [1, 1, 0], SKELETON)
    with pytest.raises(KerasShrError, match=r"no keypoint is labelled.*; give pictures with l"):
        compare_export(files / "dots.keras", files / "dots.tflite", unlabelled, **QUICK)
    other = KeypointData(data.images, data.keypoints, Skeleton("x", ("right", "left", "top")))
    with pytest.raises(KerasShrError, match="in another order: keypoint 0 is 'left' in the model"):
        compare_export(files / "dots.keras", files / "dots.tflite", other, **QUICK)
    small = KeypointData(data.images[:, :32, :32], data.keypoints, SKELETON, name="small")
    with pytest.raises(KerasShrError, match="small: images are"):
        compare_export(files / "dots.keras", files / "dots.tflite", small, **QUICK)
    info = json.loads((files / "dots.tflite.json").read_text())
    info["keypoints"] = info["keypoints"][:2]
    (tmp_path / "other.tflite").write_bytes((files / "dots.tflite").read_bytes())
    (tmp_path / "other.tflite.json").write_text(json.dumps(info))
    with pytest.raises(KerasShrError, match="not an export of this model"):
        compare_export(files / "dots.keras", tmp_path / "other.tflite", data, **QUICK)


def test_the_commands(files, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "dots")
    model = str(files / "dots.keras")
    export = ["export", model, "--output", "dots.tflite"]
    export += ["--quantize", "int8", "--calibration", "dots", "--calibration-images", "5"]
    assert main(export) == 0
    assert "GPU delegates take" in capsys.readouterr().out
    compare = ["dots", "--kinds", "gaussian_blur", "--workers", "0", "--output", "found.json"]
    assert main(["compare-export", model, "dots.tflite", *compare]) == 0
    assert "within the 1.0 that int8 may lose" in capsys.readouterr().out
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["passed"]
    question = "is the file an export of this model?"
    assert question not in comparison_text(found)
    found["rows"][0]["difference_mean"] = 40.0
    assert question in comparison_text(found)
    assert ExportedModel("dots.tflite").info["quantize"] == "int8"

    assert main(["compare-export", model, str(files / "shifted.tflite"), *compare]) == 1
    assert "MORE THAN the 0.1" in capsys.readouterr().out
    assert not json.loads((tmp_path / "found.json").read_text())["passed"]
    assert main(["compare-export", model, "dots.tflite", "dots", "--output", "x.txt"]) == 1
    assert ".json or .csv" in capsys.readouterr().err
    (tmp_path / "dots" / "index.jsonl").unlink()
    assert main(["compare-export", model, "dots.tflite", "dots"]) == 1
    assert "; pictures without labels will not do" in capsys.readouterr().err


def test_calibration_pictures_are_spread_over_the_data(tmp_path):
    from keras_shr.cli.export import calibration_images

    folder = write_folder(tmp_path / "dots", count=7)
    chosen = calibration_images(folder, None, (64, 64), 3)
    np.testing.assert_array_equal(chosen, dataset(7).images[[0, 3, 6]])
    assert len(calibration_images(folder, None, (64, 64), 100)) == 7
