"""What a user can mend is one clear line, and nothing is left behind."""

import importlib.util
import sys

import keras
import numpy as np
import pytest
from export_helpers import solving_model

from keras_shr.cli import main
from keras_shr.errors import KerasShrError
from keras_shr.export import ExportedModel, export_model
from keras_shr.models import PairedHeatmapModel
from tests.dots import pictures

TENSORFLOW = keras.backend.backend() == "tensorflow"
on_tensorflow = pytest.mark.skipif(not TENSORFLOW, reason="export runs on TensorFlow")


@pytest.fixture(scope="module")
def model():
    return solving_model()


@pytest.mark.skipif(TENSORFLOW, reason="for the other backends")
def test_other_backends_are_refused(model, tmp_path, capsys):
    with pytest.raises(KerasShrError, match="KERAS_BACKEND=tensorflow"):
        export_model(model, tmp_path / "dots.tflite", "tflite")
    assert main(["export", "dots.keras", "--output", str(tmp_path / "dots")]) == 1
    assert "KERAS_BACKEND=tensorflow" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_backend_is_named(model, tmp_path, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(KerasShrError, match="Keras runs on jax"):
        export_model(model, tmp_path / "dots.tflite", "tflite")


@on_tensorflow
@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("x.tflite", {"format": "coreml"}, "format is 'coreml'; it must be one of saved_model"),
        ("x.tflite", {"format": "tflite", "quantize": "int4"}, "quantize is 'int4'"),
        ("x.tflite", {"format": "tflite", "outputs": "boxes"}, "outputs is 'boxes'"),
        ("x.tflite", {"format": "tflite", "decoding": "dark"}, "decoding is 'dark'"),
        ("x.bin", {"format": "tflite"}, "expected .tflite"),
        ("x.tflite", {"format": "onnx"}, "expected .onnx"),
        ("x.tflite", {"format": "saved_model"}, "expected a folder's name"),
        ("x.TFLITE", {"format": "saved_model"}, "expected a folder's name"),
        ("x", {"quantize": "int8"}, "int8 is for the formats tflite and onnx"),
        ("x.tflite", {"format": "tflite", "quantize": "int8"}, "int8 needs calibration images"),
        (
            "x.tflite",
            {"format": "tflite", "quantize": "int8", "calibration": np.zeros((2, 32, 32, 3))},
            r"float64 \(2, 32, 32, 3\); expected uint8 \(count, 64, 64, 3\)",
        ),
    ],
)
def test_arguments(model, name, arguments, message, tmp_path):
    with pytest.raises(KerasShrError, match=message) as error:
        export_model(model, tmp_path / name, **arguments)
    assert len(str(error.value).splitlines()) == 1
    assert not list(tmp_path.iterdir())


@on_tensorflow
@pytest.mark.parametrize("package", ["tf2onnx", "onnx", "onnxruntime"])
def test_a_missing_onnx_package(model, package, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    quantize = "int8" if package == "onnxruntime" else "none"
    for other in {"onnx", "tf2onnx"} - {package}:
        monkeypatch.setitem(sys.modules, other, type(sys)(other))
    with pytest.raises(KerasShrError, match=f"need the package {package}.*pip install"):
        export_model(model, tmp_path / "dots.onnx", "onnx", quantize, calibration=pictures(1)[0])
    assert not list(tmp_path.iterdir())


@on_tensorflow
def test_other_models(model, tmp_path):
    with pytest.raises(KerasShrError, match="takes a PairedHeatmapModel"):
        export_model(model.network, tmp_path / "dots.tflite", "tflite")
    with pytest.raises(KerasShrError, match=r"there is no file.*no\.keras"):
        export_model(tmp_path / "no.keras", tmp_path / "dots.tflite", "tflite")
    grey = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 1)])
    grey = PairedHeatmapModel(grey, perturbations=None)
    with pytest.raises(KerasShrError, match="images of 1 channels; files take RGB images"):
        export_model(grey, tmp_path / "dots.tflite", "tflite")
    assert not list(tmp_path.iterdir())


def test_files_that_cannot_be_run(tmp_path):
    path = tmp_path / "dots.tflite"
    with pytest.raises(KerasShrError, match="no such file"):
        ExportedModel(path)
    path.write_text("nothing")
    with pytest.raises(KerasShrError, match=r"no dots\.tflite\.json beside it"):
        ExportedModel(path)
    json = tmp_path / "dots.tflite.json"
    json.write_text("{")
    with pytest.raises(KerasShrError, match="not JSON"):
        ExportedModel(path)
    json.write_text('{"format_version": 99}')
    with pytest.raises(KerasShrError, match="format_version is 99"):
        ExportedModel(path)


@on_tensorflow
def test_a_broken_file_and_wrong_pictures(model, tmp_path):
    path = tmp_path / "dots.tflite"
    export_model(model, path, "tflite")
    with pytest.raises(KerasShrError, match=r"expected \(count, 64, 64, 3\)"):
        ExportedModel(path).run(np.zeros((1, 32, 32, 3)))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(KerasShrError, match="cannot be loaded"):
        ExportedModel(path)


@on_tensorflow
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--quantize", "int8"], "--calibration DATA"),
        (["--quantize", "int8", "--calibration", "nowhere"], "nowhere"),
        (["--format", "coreml"], "coreml"),
        (["--format", "onnx", "--output", "dots.tflit"], "dots.tflit does not end as onnx should"),
        (["--quantize", "float16", "--calibration", "dots"], "--calibration is for int8, not for"),
    ],
)
def test_the_command(options, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    solving_model().save("dots.keras")
    command = ["export", "dots.keras", "--format", "tflite", "--output", "dots.tflite", *options]
    assert main(command) == 1
    error = capsys.readouterr().err
    assert error.startswith("keras-shr export: ")
    assert message in error
    assert len(error.splitlines()) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["dots.keras"]


@on_tensorflow
@pytest.mark.parametrize(
    ("name", "content"),
    [("coco", '{"images": [], "annotations": []}'), ("coco.tflite", "[1]"), ("coco.onnx", "mine")],
)
def test_a_json_of_the_users_is_not_replaced(name, content, tmp_path, capsys):
    solving_model().save(tmp_path / "dots.keras")
    precious = tmp_path / f"{name}.json"
    precious.write_text(content)
    assert main(["export", str(tmp_path / "dots.keras"), "--output", str(tmp_path / name)]) == 1
    assert f"{name}.json would be replaced and is not the JSON of an" in capsys.readouterr().err
    assert precious.read_text() == content
    assert sorted(p.name for p in tmp_path.iterdir()) == [precious.name, "dots.keras"]


@on_tensorflow
def test_the_format_is_the_names_end(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # not needed to write a file
    solving_model().save("dots.keras")
    names = ["a.TFLITE", "b"] + ["c.onnx"] * bool(importlib.util.find_spec("tf2onnx"))
    for name in names:
        assert main(["export", "dots.keras", "--output", name]) == 0
        size = sum(
            p.stat().st_size
            for p in [tmp_path / name, *(tmp_path / name).rglob("*")]
            if p.is_file()
        )
        assert capsys.readouterr().out.splitlines()[0] == f"{name}: {size / 1e6:.2f} MB"
    assert (tmp_path / "a.TFLITE").read_bytes()[4:8] == b"TFL3"
    assert (tmp_path / "b" / "saved_model.pb").is_file()
    for name in ("a.tflit", "hand.v2"):
        assert main(["export", "dots.keras", "--output", name]) == 1
        assert f"{name} ends as no format does; expected .tflite, .onnx" in capsys.readouterr().err
        assert not (tmp_path / name).exists()
    assert main(["export", "dots.keras", "--output", "hand.v2", "--format", "saved_model"]) == 0


def network_with(operation):
    """A network whose features pass `operation`, which no converter knows."""
    inputs = keras.Input((16, 16, 3))
    features = keras.layers.Conv2D(4, 4, 4)(inputs)
    return PairedHeatmapModel(
        keras.Model(inputs, keras.layers.Conv2D(2, 1)(operation(features))), perturbations=None
    )


@on_tensorflow
@pytest.mark.parametrize("file_format", ["tflite", "onnx"])
def test_an_operation_that_the_format_lacks(file_format, tmp_path):
    if file_format == "onnx":
        pytest.importorskip("tf2onnx")
        model, lacking = network_with(keras.ops.erfinv), r"ONNX \(opset 17\) has no .* Erfinv"
    else:
        model = network_with(keras.layers.UpSampling2D(interpolation="bicubic"))
        lacking = "TensorFlow Lite has no operation for ResizeBicubic, which"
    old = tmp_path / f"dots.{file_format}"
    old.write_text("old")
    with pytest.raises(KerasShrError, match=lacking) as error:
        export_model(model, old, file_format)
    assert len(str(error.value).splitlines()) == 1
    assert len(str(error.value)) < 200
    assert [p.name for p in tmp_path.iterdir()] == [old.name]
    assert old.read_text() == "old"


@on_tensorflow
def test_calibration_of_a_model_that_is_not_square(tmp_path, capsys):
    inputs = keras.Input((32, 64, 3))
    network = keras.Model(inputs, keras.layers.Conv2D(3, 8, 8)(inputs))
    model = PairedHeatmapModel(network, perturbations=None)
    model.save(tmp_path / "wide.keras")
    command = ["export", str(tmp_path / "wide.keras"), "--output", str(tmp_path / "w.tflite")]
    options = ["--format", "tflite", "--quantize", "int8", "--calibration", "rendered:4"]
    assert main(command + options) == 1
    assert "32x64" in capsys.readouterr().err
