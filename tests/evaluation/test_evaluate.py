"""The whole evaluation on pictures whose R, RUC and AUC are worked out by hand."""

import csv
import json
import re
from dataclasses import replace

import evaluation_fakes as fakes
import numpy as np
import pytest

from keras_shr.data.records import KeypointData
from keras_shr.errors import KerasShrError
from keras_shr.evaluation import compare, evaluate, examples, perturber, protocol, runner
from keras_shr.evaluation.summary import TABLE
from keras_shr.skeletons import Skeleton

KINDS, SEVERITIES = ("brightness", "spatter", "saturate"), (1, 2)


@pytest.fixture
def shifted(monkeypatch):
    monkeypatch.setattr(perturber, "REFERENCE", fakes.SHIFTS)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One full evaluation of the honest and the stubborn network."""
    output = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(perturber, "REFERENCE", fakes.SHIFTS)
        models = {"honest": fakes.honest_network(), "stubborn <b>": fakes.stubborn_network()}
        return evaluate(
            models,
            fakes.make_data(6),
            output,
            KINDS,
            SEVERITIES,
            workers=1,
            batch_size=8,
            progress=False,
            notes="Labels were drawn by hand.",
            examples=2,
            draws=50,
        )


def test_r_and_ruc_by_hand(finished):
    honest = finished.scores[0]
    # 64 px crop: 1 px is 4 px of the 256-px crop. brightness s: 4s; spatter s: 8s; saturate: 0.
    squares = {
        ("brightness", 1): 16,
        ("brightness", 2): 64,
        ("spatter", 1): 64,
        ("spatter", 2): 256,
    }
    for (kind, severity), square in squares.items():
        group = "seen" if kind == "brightness" else "unseen"
        row = honest.value("R", group, kind=kind, severity=severity)
        assert row["value"] == pytest.approx(square)
        assert row["n"] == 6 * 3
        # A displacement d is within P for P = d .. 30: 31 - d of the 31 limits.
        area = honest.value("RUC", group, kind=kind, severity=severity)["value"]
        assert area == pytest.approx((31 - square**0.5) / 31)
        # The clean answer is the label, so the error is the displacement.
        error = honest.value("auc", group, kind=kind, severity=severity)["value"]
        assert error == pytest.approx(area)
    assert honest.value("R", "seen")["value"] == pytest.approx((16 + 64) / 2)
    assert honest.value("R", "unseen")["value"] == pytest.approx((64 + 256 + 0 + 0) / 4)
    assert honest.value("R", "all")["value"] == pytest.approx((16 + 64 + 64 + 256) / 6)
    assert honest.value("RUC", "all")["value"] == pytest.approx((27 + 23 + 23 + 15 + 62) / 31 / 6)
    assert honest.value("stable_at_8", "all")["value"] == pytest.approx(5 / 6)
    assert honest.value("stable_at_7", "all")["value"] == pytest.approx(3 / 6)
    assert honest.value("unmoved", "all")["value"] == pytest.approx(2 / 6)
    assert honest.value("theorem3", "all")["value"] == pytest.approx(2 / 6)
    assert honest.value("auc")["value"] == honest.value("auc", visibility="seen")["value"] == 1
    assert honest.value("epe")["value"] == 0
    assert honest.value("D_(1)(2)")["value"] == 1


def test_a_constant_answer_is_named_and_never_best(finished):
    stubborn = finished.summary[1]
    assert stubborn["R"] == 0
    assert stubborn["RUC"] == 1
    assert "same keypoints" in stubborn["warning"]
    table = compare(finished.summary, file=False)
    assert "stubborn <b> (!)" in table
    assert "*" not in table.splitlines()[3]
    assert len(table.splitlines()[0].split("  ")) >= len(TABLE)


def test_files_hold_the_same_figures(finished):
    output = finished.output
    with (output / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(finished.rows)
    (r,) = [
        row
        for row in rows
        if (row["model"], row["metric"], row["group"]) == ("honest", "R", "seen")
        and (row["kind"], row["severity"], row["decoding"]) == ("", "", "argmax")
        and row["visibility"] == "any"
    ]
    assert float(r["value"]) == 40
    with (output / "summary.csv").open() as file:
        summary = list(csv.DictReader(file))
    assert [row["model"] for row in summary] == ["honest", "stubborn <b>"]
    assert compare(summary, file=False) == compare(finished.summary, file=False)
    content = json.loads((output / "scores.json").read_text())
    assert content["protocol"]["severities"] == [1, 2]
    assert content["protocol"]["px_per_crop_px"] == 4
    assert content["run"]["notes"] == ["Labels were drawn by hand."]
    assert {"keras", "numpy"} <= set(content["run"]["versions"])
    assert len(content["rows"]) == len(rows)
    names = content["columns"]
    assert [dict(zip(names, row, strict=True)) for row in content["rows"]] == [
        {key: None if value != value else value for key, value in row.items()}
        for row in finished.rows
    ]
    assert not list(output.rglob("*.tmp*"))


def test_page_needs_nothing_else(finished):
    text = finished.page.read_text(encoding="utf-8")
    outside = re.sub(r'"data:image/(png|jpeg);base64,[^"]+"', '"data:"', text)
    assert outside.count('"data:"') == 5 + 2 + 2  # figures, all models on two, two worst
    assert "No keypoint of this model moved." in text
    assert not re.search(r"https?:|//|url\(|@import|<script|<link", outside)
    targets = set(re.findall(r'(?:src|href)=["\']([^"\']+)', outside))
    assert all(target == "data:" or f"id={target[1:]}>" in text for target in targets)
    assert "Labels were drawn by hand." in text
    assert "<b>6 pictures</b>" in text
    assert "with 3 kinds of perturbation at severities 1, 2: 42 pictures" in text
    assert "6 single images; with so few the intervals are rough" in text
    assert "stubborn &lt;b&gt;" in text
    assert "stubborn <b>" not in text
    for word in ("Theorem 3", "RUC", "D_64", "D_(1)(2)", "hand3d"):
        assert word in text


def test_every_picture_shows_something(finished):
    from PIL import Image

    pictures = [*finished.figures, *finished.shared_examples.values()]
    pictures += [path for paths in finished.examples.values() for path in paths]
    assert len(finished.figures) == 5
    assert [len(paths) for paths in finished.examples.values()] == [2, 0]
    for path in pictures:
        image = np.asarray(Image.open(path).convert("RGB"))
        assert min(image.shape[:2]) > 150, path
        assert image.std() > 5, path
        assert len(np.unique(image @ (1, 256, 65536))) > 20, path


def test_worst_examples_show_what_moved_most(finished):
    # spatter 2 moves 16 px, brightness 2 moves 8: one picture of each kind, worst first.
    names = [path.name for path in finished.examples["honest"]]
    assert names[0].endswith("spatter_2.jpg")
    assert names[1].endswith("brightness_2.jpg")


def test_all_models_on_a_typical_picture_and_on_the_worst(finished):
    assert [path.name for path in finished.shared_examples.values()] == [
        "all_models_typical.jpg",
        "all_models_worst.jpg",
    ]


def test_an_earlier_report_s_examples_go_and_others_pictures_stay(shifted, tmp_path):
    folder = tmp_path / "examples"
    folder.mkdir()
    mine = ["holiday.jpg", "spatter_2.jpg", "a_01_dog_2.jpg"]
    for name in [*mine, "old_01_spatter_2.jpg", "old_12_hot_pixels_3.jpg", "all_models_worst.jpg"]:
        (folder / name).write_bytes(b"x")
    network, data = fakes.honest_network(), fakes.make_data(2)
    options = {"workers": 1, "progress": False, "examples": 1}
    evaluate({"honest": network}, data, tmp_path, ("spatter",), (2,), **options)
    found = {path.name for path in folder.iterdir()}
    assert found == {*mine, "honest_01_spatter_2.jpg"}


def test_an_earlier_report_s_figures_go(shifted, tmp_path):
    options = {"workers": 1, "progress": False, "examples": 1}
    network, data = fakes.honest_network(), fakes.make_data(2)
    evaluate({"honest": network}, data, tmp_path, ("spatter",), (2,), **options)
    assert (tmp_path / "figures" / "auc_by_kind.png").exists()
    (tmp_path / "figures" / "mine.png").write_bytes(b"x")
    unlabelled = replace(data, keypoints=data.keypoints * 0)
    evaluate(
        {"honest": network}, unlabelled, tmp_path, ("spatter",), (2,), **options | {"examples": 0}
    )
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert names == {"mine.png", "ruc_curves.png", "r_by_kind.png"}
    assert not list((tmp_path / "examples").iterdir())


def test_one_kind_severity_and_numpys_numbers(shifted, tmp_path):
    options = {"workers": 0, "progress": False, "examples": 0, "draws": 10}
    models, data = {"honest": fakes.honest_network()}, fakes.make_data(2)
    chosen = {"perturbations": "spatter", "severities": np.int64(2), "seed": np.int64(3)}
    protocol = evaluate(models, data, tmp_path, **chosen, **options).protocol
    assert protocol.conditions == [("spatter", 2)]
    assert protocol.to_dict()["seed"] == 3
    with pytest.raises(KerasShrError, match=r"models is .*; expected names and models"):
        evaluate(models["honest"], data, tmp_path, **chosen, **options)


def test_sensor_faults_are_compared_and_have_curves(tmp_path):
    models = {"a": fakes.honest_network(), "b": fakes.stubborn_network()}
    options = {"workers": 0, "progress": False, "examples": 0, "draws": 20}
    found = evaluate(models, fakes.make_data(4), tmp_path, ("hot_pixels",), (1,), **options)
    compared = {row["figure"] for row in found.differences}
    assert {"auc_extra", "RUC_extra", "R_extra"} <= compared
    curves = json.loads((tmp_path / "scores.json").read_text())["stable_at_p"]["curves"]
    assert [len(curves[name]["extra"]) for name in models] == [31, 31]


def test_labels_outside_the_crop_are_not_counted_as_measured(shifted, tmp_path):
    data = fakes.make_data(2)
    keypoints = data.keypoints.copy()
    keypoints[0, 0, :2] = -9
    options = {"workers": 0, "progress": False, "examples": 0, "draws": 10}
    arguments = {"honest": fakes.honest_network()}, replace(data, keypoints=keypoints), tmp_path
    found = evaluate(*arguments, ("spatter",), (2,), **options)
    count = int((data.keypoints[..., 2] > 0).sum())
    assert found.facts["labels"].startswith(f"{count - 1} of ")


def test_the_typical_example_is_in_the_middle():
    moved = np.array([[5.0, 0.0, 9.0], [1.0, 7.0, 30.0]])
    example = examples.typical(moved)
    assert (example.condition, example.image, example.moved) == (0, 0, 5.0)
    less, more = (moved < example.moved).sum(), (moved > example.moved).sum()
    assert (less, more) == (2, 3)
    assert examples.typical(np.array([[4.0]])).moved == 4


def test_models_of_different_sizes_need_a_size(shifted, tmp_path):
    models = {"a": fakes.honest_network(), "b": fakes.honest_network(size=32)}
    data = fakes.make_data(2)
    with pytest.raises(KerasShrError, match=r"a 64x64, b 32x32.*give size="):
        evaluate(models, data, tmp_path, progress=False)
    arguments = {"size": 64, "workers": 0, "batch_size": 2, "progress": False, "examples": 0}
    found = evaluate(models, data, tmp_path, ("saturate",), (1,), **arguments)
    assert found.summary[0]["auc_clean"] == 1
    # Half the size: an answer is at most half a coarse pixel (4 px) off in x and in y.
    assert 0 < found.summary[1]["epe_clean"] <= 4 * 2**0.5


def test_a_saved_model_is_found_by_its_path(shifted, tmp_path):
    path = tmp_path / "honest.keras"
    fakes.honest_network().save(path)
    data = fakes.make_data(2)
    arguments = {"workers": 0, "batch_size": 2, "progress": False, "examples": 0, "draws": 10}
    found = evaluate({"m": path}, data, tmp_path / "out", KINDS, (1,), **arguments)
    assert found.summary[0]["auc_clean"] == 1
    with pytest.raises(KerasShrError, match=r"there is no file .*other\.keras"):
        evaluate({"m": tmp_path / "other.keras"}, data, tmp_path / "out", **arguments)
    (tmp_path / "bad.keras").write_text("no zip")
    with pytest.raises(KerasShrError, match=r"bad\.keras cannot be loaded"):
        evaluate({"m": tmp_path / "bad.keras"}, data, tmp_path / "out", **arguments)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"perturbations": ("fog",)}, r"fog.*known ones are"),
        ({"perturbations": ()}, "no name"),
        ({"perturbations": ("snow", "snow")}, "twice"),
        ({"severities": (0, 1)}, "each must be one of 1 to 5"),
        ({"subpixel": "argmax"}, "subpixel is 'argmax'"),
        ({"size": (64, 32)}, "not the shape of the protocol"),
        ({"workers": -1}, "workers is -1"),
        ({"batch_size": 0}, "batch_size is 0"),
    ],
)
def test_wrong_arguments_are_named(shifted, tmp_path, changes, message):
    with pytest.raises(KerasShrError, match=message):
        evaluate(
            {"m": fakes.honest_network()}, fakes.make_data(1), tmp_path, progress=False, **changes
        )


def test_wrong_data_are_named(shifted, tmp_path):
    models = {"m": fakes.honest_network()}
    with pytest.raises(KerasShrError, match="'a' occurs twice"):
        evaluate(models, fakes.make_data(2, ids=("a", "a")), tmp_path, progress=False)
    with pytest.raises(KerasShrError, match="no model"):
        evaluate({}, fakes.make_data(2), tmp_path)
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(KerasShrError, match="is a file"):
        evaluate(models, fakes.make_data(2), file)
    data = fakes.make_data(2)
    with pytest.raises(KerasShrError, match="there is no image"):
        evaluate(models, data.take(np.arange(0)), tmp_path)
    wide = KeypointData(data.images, np.zeros((2, 4, 3), np.float32), Skeleton.generic(4))
    with pytest.raises(KerasShrError, match=r"answers 3 keypoints, but data .* has 4"):
        evaluate(models, wide, tmp_path / "x", workers=0, progress=False)
    models["m"].skeleton = Skeleton("mine", ("left", "right", "middle"))
    with pytest.raises(KerasShrError, match=r"'m' has .* in another order: keypoint 1 is 'right'"):
        evaluate(models, data, tmp_path / "y", progress=False)
    assert not (tmp_path / "y").exists()


def test_seeds_of_pictures_differ_and_stay():
    seeds = {
        protocol.condition_seed(seed, name, kind, level)
        for seed in (0, 1)
        for name in ("a", "b")
        for kind in ("snow", "frost")
        for level in (1, 2)
    }
    assert len(seeds) == 16
    assert all(0 <= seed < 2**32 for seed in seeds)
    assert protocol.condition_seed(0, "a", "snow", 1) == 3708200059


def test_parts_make_the_same_report_as_one_process(tmp_path, shifted, monkeypatch):
    models = {"honest": fakes.honest_network()}
    data = fakes.make_data(70)
    common = {"workers": 1, "progress": False, "examples": 0, "draws": 20, "batch_size": 8}

    def run(folder, **options):
        return evaluate(models, data, tmp_path / folder, KINDS[:1], (1,), **common | options)

    run("one")
    for place in (2, 1):
        assert run("parts", part=(place, 2)) is None
        assert not (tmp_path / "parts" / "scores.csv").exists()
    monkeypatch.setattr(runner, "make_perturber", lambda *_: pytest.fail("predicted again"))
    run("parts")
    for name in ("scores.csv", "summary.csv"):
        one, parts = ((tmp_path / folder / name).read_bytes() for folder in ("one", "parts"))
        assert one == parts
    with pytest.raises(KerasShrError, match=r"part is 3/2; expected 1/2 to 2/2"):
        run("parts", part=(3, 2))
    with pytest.raises(KerasShrError, match="cannot overwrite"):
        run("parts", part=(1, 2), overwrite=True)
