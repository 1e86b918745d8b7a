"""A wrong setting is one line that names it, before any data are read."""

import dataclasses
import json
import re

import keras
import pytest

from keras_shr.cli import main
from keras_shr.errors import KerasShrError
from keras_shr.skeletons import HAND_21
from keras_shr.training import Config, load_config, run, train

WRONG = {
    "model.alhpa=0.5": r"model.alhpa=0.5: no such setting; did you mean alpha\? there are .*rcc",
    "model.alpha=half": "model.alpha is 'half'; expected a number",
    "model.alpha.x=1": r"model.alpha is {'x': 1}; expected a number",
    "model.skip_connections=1": "model.skip_connections is 1; expected True or False",
    "model.heatmap_stride=2.0": "model.heatmap_stride is 2.0; expected a whole number",
    "model.augmentation={'rotatoin':5}": "model.augmentation.rotatoin=5: .* mean rotation",
    "model.augmentation.rotatoin=5": "model.augmentation.rotatoin=5: .* mean rotation",
    "model.augmentation.rotation=(1,2)": r"model.augmentation.rotation is \(1, 2\); .* a number",
    "model.augmentation.scale=2": "model.augmentation.scale is 2; expected a pair of numbers",
    "model.augmentation=5": "model.augmentation is 5; expected a dictionary, or single",
    "model.target_options=5": "model.target_options is 5; expected a dictionary, or None",
    "model.perturbations=5": "model.perturbations is 5; expected a list of names, or None",
    "model.stability_weight={'a':1}": r"model.stability_weight is .*; expected a number, or a sch",
    "model.filters=wide": "model.filters is 'wide'; expected a whole number, or several",
    "model=3": "model is 3; expected a dictionary",
    "model.num_keypoints=4": "model.num_keypoints=4: leave it out; the data say how many",
    "model.image_size=64": "model.image_size=64: leave it out; give image_size itself",
    "model.backbone={1}": r"model=\{'backbone': \{1\}\}: expected numbers, text",
    "epochs=abc": "epochs is 'abc'; expected a whole number, 1 or more",
    "epochs=1.5": "epochs is 1.5; expected a whole number",
    "epochs=0": "epochs is 0; expected a whole number, 1 or more",
    "epochs=True": "epochs is True; expected a whole number",
    "batch_size=0": "batch_size is 0; expected",
    "batch_size=-2": "batch_size is -2; expected",
    "batch_size='4'": "batch_size is '4'; expected a whole number",
    "learning_rate=1e-3x": "learning_rate is '1e-3x'; expected a number above 0",
    "learning_rate=0": "learning_rate is 0; expected a number above 0",
    "learning_rate=1e999": "learning_rate is inf; expected a number above 0",
    "image_size=(64,64)": r"image_size is \(64, 64\); expected a whole number of pixels, 8 or more",
    "seed=-1": "seed is -1; expected a whole number, 0 to 4294967295",
    "seed=4294967296": "seed is 4294967296; expected a whole number, 0 to",
    "validation_limit=0": "validation_limit is 0; expected",
    "validation_share=1": "validation_share is 1; expected a number between 0 and 1",
    "steps_per_epoch=0": "steps_per_epoch is 0; expected a whole number, 1 or more, or None",
    "method=basline": "method is 'basline'; expected None or one of .*baseline",
    "method=[]": r"method is \[\]; expected None or one of",
    "data=[]": r"data is \[\]; expected a path",
    "split=[1]": r"split is \[1\]; expected text or None",
    "epoch=3": "'epoch' is no setting; there are data, split",
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_setting_is_named(wrong):
    with pytest.raises(KerasShrError, match="^" + WRONG[wrong]) as error:
        Config().override([wrong])
    assert len(str(error.value).splitlines()) == 1


def test_settings_come_before_data(tmp_path, capsys):
    words = ["fit", "--data", "nowhere", "--output", str(tmp_path / "x"), "--set", "model.alhpa=1"]
    assert main(words) == 1
    assert "model.alhpa=1: no such setting" in capsys.readouterr().err


def test_nested_settings_of_any_depth():
    before = Config(model={"augmentation": {"rotation": 40.0}})
    config = before.override(["model.augmentation.shift=0.1", "model.target_options.sigma=2"])
    assert config.model["augmentation"] == {"rotation": 40.0, "shift": 0.1}
    assert config.model["target_options"] == {"sigma": 2}
    assert before.model == {"augmentation": {"rotation": 40.0}}
    assert Config().override(["model.augmentation.rotation=10"]).model == {
        "augmentation": {"rotation": 10}
    }
    with pytest.raises(
        KerasShrError, match=r"model\.augmentation is None, in which nothing can be"
    ):
        before.override(["model.augmentation=None", "model.augmentation.shift=0.1"])
    schedule = {"class_name": "PolynomialDecay", "config": {}}
    model = {"filters": (8, 8), "stability_weight": schedule, "rcc": None, "weights": None}
    assert Config(model=model, validation=["a", "b"], data=("a", "b")).model == model


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("config = Config(epoch=3)", r"c.py:2: .*'epoch'; there are data, split, validation,"),
        ("config = Config(epochs=0)", r"c.py:2: epochs is 0; expected a whole number"),
        ("config = Config(", r"c.py:2: SyntaxError: "),
        ("import nothing_there", r"c.py:2: ModuleNotFoundError: No module named"),
    ],
)
def test_a_configuration_file_with_a_mistake(tmp_path, text, message):
    path = tmp_path / "c.py"
    path.write_text(f"from keras_shr.training import Config\n{text}\n")
    with pytest.raises(KerasShrError, match=message) as error:
        load_config(path)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        "backbone=3",
        "dtype=float99",
        "severities=7",
        "target_options={'sigmma': 2}",
        "augmentation={'scale': (2, 1)}",
    ],
)
def test_what_only_building_the_model_shows(wrong, monkeypatch):
    network = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Conv2D(21, 3, 4)])
    if not wrong.startswith(("backbone", "dtype")):
        monkeypatch.setattr("keras_shr.models.regressor.build_network", lambda *arguments: network)
    config = Config(image_size=32).override([f"model.{wrong}"])
    with pytest.raises(KerasShrError) as error:
        run.build_model(config, HAND_21)
    name, _, value = wrong.partition("=")
    inner = re.search(r"'(\w+)'", value)
    assert (inner[1] if inner else name) in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_a_run_that_failed_before_its_first_epoch_blocks_nothing(tmp_path):
    def check(**settings):
        config = Config(data="rendered:4", **settings)
        return json.loads(run._check_folder(tmp_path, config, []))

    theirs = json.dumps(dataclasses.asdict(Config(data="rendered:4", seed=1)))
    (tmp_path / "config.json").write_text(theirs)
    assert check(seed=2)["seed"] == 2
    (tmp_path / "backup").mkdir()
    state = {"epoch": 1, "weights": "a.weights.h5", "seeds": [], "epochs": [0], "history": {}}
    (tmp_path / "backup" / "backup.json").write_text(json.dumps(state))
    with pytest.raises(KerasShrError, match="holds a run with seed=1, not 2; give another"):
        check(seed=2)
    assert check(seed=1)["seed"] == 1
    (tmp_path / "backup" / "backup.json").unlink()
    (tmp_path / "model.keras").touch()  # trained elsewhere, or its backup was removed
    with pytest.raises(KerasShrError, match="holds a run with seed=1, not 2"):
        check(seed=2)


def test_without_a_skeleton_a_line_says_that_nothing_is_mirrored(tmp_path, capsys, monkeypatch):
    def stop(*arguments):
        raise KerasShrError("far enough")

    monkeypatch.setattr(run, "build_model", stop)
    line = {"file": "a.png", "keypoints": [[1, 2]] * 4}
    (tmp_path / "index.jsonl").write_text(json.dumps(line))

    def said(data, **model):
        with pytest.raises(KerasShrError, match="far enough"):
            train(Config(data=data, model=model), tmp_path / "run")
        return capsys.readouterr().err

    (line,) = said(str(tmp_path)).splitlines()
    assert line.startswith("which keypoints are left and right is not known, so pictures are not")
    assert "there is no skeleton.json" in line
    assert said(str(tmp_path), augmentation=None) == ""
    assert said(str(tmp_path), augmentation={"flip": 0.5}) == ""  # the user knows better
    assert said("rendered:2") == ""
    names = {"name": "four", "keypoints": ["a", "b", "c", "d"]}
    (tmp_path / "skeleton.json").write_text(json.dumps(names))
    assert said(str(tmp_path)) == ""
