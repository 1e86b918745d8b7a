"""`.keras` files that were made to do harm: their code is not run, no other file is opened."""

import importlib.util
import json
import os
import shutil
import zipfile

import h5py
import keras
import numpy as np
import pytest

import keras_shr
from keras_shr.cli import main
from keras_shr.errors import KerasShrError
from keras_shr.models import PairedHeatmapModel, StableHeatmapRegressor, load_trained
from keras_shr.prediction.sources import VideoWriter
from tests.prediction.prediction_helpers import lamp_model


def _code(folder):
    """A layer that makes a folder where it runs, when its file is loaded for example."""
    # A closure would not survive the file; a constant does.
    return keras.layers.Lambda(eval(f"lambda x: (__import__('os').makedirs({folder!r}), x)[1]"))


def _network_with_code(folder):
    inputs = keras.Input((32, 32, 3))
    network = keras.Model(inputs, _code(folder)(keras.layers.Conv2D(3, 1)(inputs)))
    os.rmdir(folder)
    return network


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A file with code that makes the folder `victim`, and a good one."""
    folder = tmp_path_factory.mktemp("models")
    network = _network_with_code(str(folder / "victim"))
    PairedHeatmapModel(network).save(folder / "code.keras")
    shutil.rmtree(folder / "victim", ignore_errors=True)
    lamp_model().save(folder / "lamps.keras")
    return folder


@pytest.fixture
def victim(files):
    """The folder that must not come into being."""
    shutil.rmtree(files / "victim", ignore_errors=True)
    yield files / "victim"
    assert not (files / "victim").exists()


def test_the_file_is_hostile(files):
    """Whoever turns safe mode off runs its code."""
    keras.saving.load_model(files / "code.keras", compile=False, safe_mode=False)
    assert (files / "victim").is_dir()


COMMANDS = {
    "predict": ["MODEL", "a.png", "--output", "out"],
    "evaluate": ["MODEL", "rendered:2", "--output", "out"],
    "jitter": ["MODEL", "--video", "a.mp4", "--output", "out"],
    "fit": [
        "--output",
        "out",
        "--data",
        "rendered:20",
        "--set",
        "init=MODEL",
        "image_size=32",
        "model.alpha=0.35",
        "model.filters=(8, 8, 8)",
    ],
    "export": ["MODEL", "--output", "out"],
    "compare-export": ["MODEL", "x.tflite", "rendered:2"],
    "app": ["--model", "MODEL", "--baseline", "MODEL"],
}


@pytest.mark.parametrize(
    "command", [pytest.param(c, marks=[pytest.mark.slow] * (c == "fit")) for c in COMMANDS]
)
def test_no_command_runs_it(command, files, victim, tmp_path, monkeypatch, capsys):
    if command in ("export", "compare-export") and keras.backend.backend() != "tensorflow":
        pytest.skip("export runs on TensorFlow")
    if command == "app" and not importlib.util.find_spec("gradio"):
        pytest.skip("gradio is not installed")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").write_bytes(b"")
    if command == "jitter":
        with VideoWriter("a.mp4", 25) as film:
            for _ in range(4):
                film.write(np.zeros((32, 32, 3), np.uint8))
    model = str(files / "code.keras")
    words = [word.replace("MODEL", model) for word in COMMANDS[command]]
    assert main([command, *words]) == 1
    (line,) = (t for t in capsys.readouterr().err.splitlines() if t.startswith("keras-shr"))
    assert line.startswith(f"keras-shr {command}: ")
    assert f"{model} cannot be loaded: " in line
    assert not list(tmp_path.glob("out/*.keras"))


@pytest.mark.parametrize(
    "load",
    [
        load_trained,
        StableHeatmapRegressor.from_pretrained,
        lambda path: StableHeatmapRegressor.from_pretrained(path, num_keypoints=5),
        keras_shr.Predictor,
        lambda path: keras_shr.evaluation.predictor.load_models({"a": path}),
    ],
)
def test_no_function_runs_it(load, files, victim):
    with pytest.raises(KerasShrError, match=r"code\.keras cannot be loaded: ") as error:
        load(files / "code.keras")
    assert len(str(error.value).splitlines()) == 1


def _changed(files, source, target, change):
    """A copy of a `.keras` file with its `config.json` changed."""
    with zipfile.ZipFile(files / source) as old, zipfile.ZipFile(files / target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                config = json.loads(content)
                change(config)
                content = json.dumps(config)
            new.writestr(name, content)
    return files / target


def _without_keras(monkeypatch):
    """Keras's own defences, which differ between versions, do not come into it."""
    monkeypatch.setattr(keras.saving, "load_model", lambda *a, **k: pytest.fail("Keras was asked"))


def _function(module, name):
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


def test_code_in_the_place_of_a_backbone(files, victim):
    """The backbone of a regressor is a model inside its settings."""
    network = keras.saving.serialize_keras_object(_network_with_code(str(victim)))

    def change(config):
        config.update(
            module="keras_shr.models.regressor",
            class_name="StableHeatmapRegressor",
            registered_name="keras_shr>StableHeatmapRegressor",
            config={"num_keypoints": 3, "image_size": [32, 32], "backbone": network},
        )

    path = _changed(files, "lamps.keras", "b.keras", change)
    with pytest.raises(KerasShrError, match="cannot be loaded"):
        load_trained(path)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("builtins", "eval"),
        ("subprocess", "run"),
        ("keras.utils", "get_file"),
        ("keras.src.utils.file_utils", "get_file"),
        ("keras.saving", "load_model"),
        ("keras_hub.src.utils.preset_utils", "get_file"),
    ],
)
def test_functions_by_name(files, victim, monkeypatch, module, name):
    if module.startswith("keras"):
        _without_keras(monkeypatch)

    def change(config):
        layers = config["config"]["network"]["config"]["layers"]
        layers[1]["config"]["activation"] = _function(module, name)

    path = _changed(files, "lamps.keras", f"{name}.keras", change)
    with pytest.raises(KerasShrError, match="cannot be loaded"):
        load_trained(path)


def test_a_function_of_keras_that_is_mathematics(files):
    def change(config):
        layers = config["config"]["network"]["config"]["layers"]
        layers[1]["config"]["activation"] = _function("keras.activations", "linear")

    assert load_trained(_changed(files, "lamps.keras", "linear.keras", change)).num_keypoints == 3


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("TFSMLayer", {"filepath": "/somewhere"}),
        ("TorchModuleWrapper", {"module": ""}),
        ("JaxLayer", {"call_fn": ""}),
        ("FlaxLayer", {"module": ""}),
        ("StringLookup", {"vocabulary": "/etc/hostname"}),
        ("TextVectorization", {"vocabulary": "/etc/hostname"}),
    ],
)
@pytest.mark.parametrize("deep", [False, True])
def test_layers_that_load_something_else(files, monkeypatch, kind, settings, deep):
    _without_keras(monkeypatch)
    layer = {
        "module": "keras.layers",
        "class_name": "Something" if deep else kind,
        "config": settings,
        "registered_name": f"keras>{kind}",
    }

    def change(config):
        config["config"]["augmentation"] = {"a": [{"b": layer}]} if deep else layer

    path = _changed(files, "lamps.keras", "layer.keras", change)
    with pytest.raises(KerasShrError, match=r"layer\.keras cannot be loaded: it (has a|reads a)"):
        load_trained(path)


def test_a_file_cannot_turn_safe_mode_off(files, victim):
    def change(config):
        layers = config["config"]["network"]["config"]["layers"]
        name = "enable_unsafe_deserialization"
        layers[0]["config"]["sparse"] = {
            "module": "keras.config",
            "class_name": "function",
            "config": name,
            "registered_name": name,
        }

    path = _changed(files, "code.keras", "off.keras", change)
    with pytest.raises(KerasShrError, match="cannot be loaded"):
        load_trained(path)
    with pytest.raises(KerasShrError, match="cannot be loaded"):
        load_trained(files / "code.keras")


@pytest.mark.parametrize("weights", ["/etc/hostname", "imagenet"])
def test_settings_name_no_other_weights(monkeypatch, weights):
    """A regressor takes weights from any file, or from the net, where a program says so; what its
    own file says does not count."""
    taken = []
    monkeypatch.setattr(
        "keras_shr.models.regressor.build_network",
        lambda *arguments: taken.append(arguments) or lamp_model().network,
    )
    StableHeatmapRegressor.from_config({"num_keypoints": 3, "image_size": 32, "weights": weights})
    ((_, _, backbone, found, *_),) = taken
    assert (backbone, found) == ("mobilenet_v2", None)


def _external(file, place, dataset, secret):
    shape, size = dataset.shape, dataset.size * 4
    del file[place]
    file.create_dataset(place, shape, "f4", external=[(str(secret), 0, size)])


def _virtual(file, place, dataset, secret):
    layout = h5py.VirtualLayout(dataset.shape, "f4")
    layout[:] = h5py.VirtualSource(str(secret), "a", dataset.shape)
    del file[place]
    file.create_virtual_dataset(place, layout)


def _linked(file, place, dataset, secret):
    del file[place]
    file[place] = h5py.ExternalLink(str(secret), "/a")


def _pointed(file, place, dataset, secret):
    del file[place]
    file[place] = h5py.SoftLink("/elsewhere")


@pytest.mark.parametrize("change", [_external, _virtual, _linked, _pointed])
def test_weights_that_lie_in_another_file(files, tmp_path, change, monkeypatch):
    """HDF5 can point to other files; their bytes would become weights that are shown and shared."""
    _without_keras(monkeypatch)
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(range(256)) * 10)
    path = _with_other_weights(
        files, tmp_path, lambda file: change(file, *next(iter(_datasets(file))), secret)
    )
    with pytest.raises(KerasShrError, match=r"link\.keras cannot be loaded: its weights"):
        load_trained(path)


@pytest.mark.timeout(60)
def test_weights_in_a_circle(files, tmp_path):
    """A group that holds itself; Keras does not look there."""

    def change(file):
        group = file.create_group("circle")
        group["again"] = group

    assert load_trained(_with_other_weights(files, tmp_path, change)).num_keypoints == 3


def _with_other_weights(files, tmp_path, change):
    path = tmp_path / "link.keras"
    with zipfile.ZipFile(files / "lamps.keras") as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "model.weights.h5":
                (tmp_path / "w.h5").write_bytes(content)
                with h5py.File(tmp_path / "w.h5", "a") as file:
                    change(file)
                content = (tmp_path / "w.h5").read_bytes()
            new.writestr(name, content)
    return path


def _datasets(file):
    found = []
    file.visititems(
        lambda name, item: found.append((name, item)) if hasattr(item, "size") else None
    )
    return found


@pytest.mark.filterwarnings("ignore:Skipping invalid path")
def test_paths_in_the_archive_stay_inside_it(files, tmp_path):
    path = tmp_path / "zip.keras"
    shutil.copy(files / "lamps.keras", path)
    outside = tmp_path.parent / "climbed"
    with zipfile.ZipFile(path, "a") as archive:
        for name in ("../climbed", "assets/../../climbed", str(outside)):
            archive.writestr(name, b"x")
    load_trained(path)  # nothing of it is unpacked
    assert not outside.exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["zip.keras"]


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_other_formats_are_refused(files, victim, tmp_path):
    """Keras decides by the name, and reads HDF5 with other rules."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {}})
    good = (files / "code.keras").read_bytes()
    for name, content in (
        ("a.h5", (tmp_path / "a.h5").read_bytes()),
        ("b.keras", (tmp_path / "a.h5").read_bytes()),
        ("c.h5", good),
        ("d.hdf5", (tmp_path / "a.h5").read_bytes() + good),  # both at once
        ("e.keras", b""),
        ("f.keras", good[: len(good) // 2]),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(KerasShrError, match=rf"{name} cannot be loaded: it is no \.keras file"):
            load_trained(tmp_path / name)


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5", "metadata.json"])
def test_damaged_files(files, tmp_path, name):
    for damage in (None, b"", b"{", b"[" * 100_000):
        path = tmp_path / "damaged.keras"
        with zipfile.ZipFile(files / "lamps.keras") as old, zipfile.ZipFile(path, "w") as new:
            for other in old.namelist():
                if other != name:
                    new.writestr(other, old.read(other))
                elif damage is not None:
                    new.writestr(other, damage)
        if name == "metadata.json":
            load_trained(path)  # only says who wrote the file
            continue
        with pytest.raises(KerasShrError, match=r"damaged\.keras cannot be loaded") as error:
            load_trained(path)
        assert len(str(error.value).splitlines()) == 1
