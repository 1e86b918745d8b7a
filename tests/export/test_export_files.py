"""Exported files answer what the model answers."""

import importlib.util
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from export_helpers import SKELETON, documented_code, documented_decoder, numpy, solving_model

import keras_shr
from keras_shr.errors import KerasShrError
from keras_shr.export import ExportedModel, export_model, gpu_problems, tflite
from keras_shr.export.graph import Graph
from keras_shr.models import StableHeatmapRegressor
from tests.dots import HEATMAP, KEYPOINTS, SIZE, pictures

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="export runs on TensorFlow"
)
SUFFIXES = {"tflite": ".tflite", "onnx": ".onnx", "saved_model": ""}
MISSING = [
    name for name in ("onnx", "tf2onnx", "onnxruntime") if importlib.util.find_spec(name) is None
]
FILES = [
    ("tflite", "none", "heatmaps", "argmax"),
    ("tflite", "float16", "keypoints", "argmax"),
    ("tflite", "int8", "heatmaps", "argmax"),
    ("tflite", "int8", "keypoints", "argmax"),
    ("onnx", "none", "keypoints", "argmax"),
    ("onnx", "float16", "heatmaps", "centroid"),
    ("onnx", "int8", "heatmaps", "argmax"),
    ("saved_model", "none", "heatmaps", "centroid"),
    ("saved_model", "float16", "keypoints", "centroid"),
]


def needs(file_format):
    if file_format == "onnx" and MISSING:
        pytest.skip(f"not installed: {', '.join(MISSING)}")


@pytest.fixture(scope="module")
def model():
    return solving_model(rcc="row_column")


@pytest.mark.parametrize(("file_format", "quantize", "outputs", "decoding"), FILES)
def test_a_file_answers_what_the_model_answers(
    model, file_format, quantize, outputs, decoding, tmp_path
):
    needs(file_format)
    images, keypoints = pictures(12)
    path = tmp_path / f"dots{SUFFIXES[file_format]}"
    info = export_model(model, path, file_format, quantize, outputs, decoding, images[4:])
    assert json.loads((tmp_path / f"{path.name}.json").read_text()) == info
    assert {file.name for file in tmp_path.iterdir()} == {path.name, f"{path.name}.json"}

    exported = ExportedModel(path)
    expected = model.predict_keypoints(images, method=decoding)
    assert np.abs(expected[..., :2] - keypoints[..., :2]).max() < 4  # the network does its work
    found = exported.predict_keypoints(images)
    apart = np.abs(found - expected)
    if quantize == "int8":
        assert (apart[..., :2].max(-1) <= 4).all()  # one pixel of the heatmap
        assert (apart[..., :2].max(-1) == 0).mean() > 0.9
        assert apart[..., 2].max() < 0.03
    else:
        assert apart[..., :2].max() < (0.02 if quantize == "float16" else 1e-3)
        assert apart[..., 2].max() < (1e-3 if quantize == "float16" else 1e-5)
    if outputs == "heatmaps":
        maps = exported.run(images)
        np.testing.assert_allclose(maps, numpy(model(images)), atol=0.06)
        decoded = np.stack([documented_decoder()(one, info) for one in maps])
        np.testing.assert_allclose(decoded, found, atol=1e-3)
    assert exported.run(images[:0]).shape == (0, *info["output"]["shape"][1:])


def test_int8_of_a_model_whose_logits_are_the_answer(tmp_path):
    baseline = solving_model(rcc=None, target="gaussian")
    images, _ = pictures(12)
    path = tmp_path / "dots.tflite"
    export_model(baseline, path, "tflite", "int8", calibration=images[4:])
    kept = ["QUANTIZE", "CONV_2D", "DEQUANTIZE", "CONV_2D"]
    assert [name for name in tflite.operations(path.read_bytes()) if name in kept] == kept
    maps, expected = ExportedModel(path).run(images), numpy(baseline(images))
    np.testing.assert_allclose(maps, expected, atol=0.02 * expected.max())


def test_tensorflow_runs_files_where_the_small_runtime_is_missing(model, tmp_path, monkeypatch):
    path = tmp_path / "dots.tflite"
    export_model(model, path, "tflite")
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    images, _ = pictures(2)
    np.testing.assert_allclose(ExportedModel(path).run(images), numpy(model(images)), atol=1e-5)


def test_the_json_says_what_a_user_needs(model, tmp_path):
    info = export_model(model, tmp_path / "dots.tflite", "tflite", outputs="heatmaps")
    assert info["keypoints"] == ["left", "right", "top"]
    assert info["edges"] == [[0, 2], [1, 2]]
    assert info["flip_pairs"] == [[0, 1]]
    assert info["skeleton"] == SKELETON.name
    assert info["keras_shr"] == keras_shr.__version__
    assert info["format_version"] == 1
    assert info["input"]["shape"] == [1, SIZE, SIZE, 3]
    assert info["input"]["dtype"] == "float32"
    assert info["output"]["shape"] == [1, HEATMAP, HEATMAP, KEYPOINTS]
    assert info["decoding"]["heatmap_size"] == [HEATMAP, HEATMAP]
    assert info["decoding"]["method"] == "argmax"
    info = export_model(model, tmp_path / "dots", "saved_model", outputs="keypoints")
    assert info["input"]["shape"] == [None, SIZE, SIZE, 3]
    assert info["input"]["dtype"] == "uint8"
    assert info["output"]["shape"] == [None, KEYPOINTS, 3]
    numbered = solving_model(skeleton=None)
    info = export_model(numbered, tmp_path / "dots", "saved_model")
    assert info["keypoints"] == ["keypoint_0", "keypoint_1", "keypoint_2"]


def products(content):
    """The flags of each BATCH_MATMUL in a .tflite file."""
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for operator in model.subgraphs[0].operators:
        code = model.operatorCodes[operator.opcodeIndex].builtinCode
        if code == schema.BuiltinOperator.BATCH_MATMUL:
            yield operator.builtinOptions.adjX, operator.builtinOptions.adjY


@pytest.mark.parametrize("rcc", ["row_column", "symmetric", None])
def test_heatmaps_take_only_operations_of_gpu_delegates(rcc):
    content = tflite.convert(Graph(solving_model(rcc=rcc), "heatmaps", batch=1))
    assert gpu_problems(content) == []
    # The GPU delegate multiplies without looking at these flags.
    assert not any(any(flags) for flags in products(content))
    assert len(list(products(content))) == {"row_column": 1, "symmetric": 2, None: 0}[rcc]


def test_what_a_gpu_delegate_refuses_is_named():
    content = tflite.convert(Graph(solving_model(), "keypoints", batch=1))
    assert "FLOOR_MOD is not an operation of the GPU delegate" in gpu_problems(content)


def test_mixed_precision_is_exported_in_float32(tmp_path):
    path = tmp_path / "dots.tflite"
    export_model(solving_model(dtype="mixed_float16"), path, "tflite")
    images, _ = pictures(2)
    expected = numpy(solving_model()(images))
    np.testing.assert_allclose(ExportedModel(path).run(images), expected, atol=1e-5)


@pytest.mark.slow
def test_the_ready_made_model(tmp_path):
    model = StableHeatmapRegressor(3, image_size=32, alpha=0.35, heatmap_stride=4, filters=8)
    path = tmp_path / "hand.tflite"
    export_model(model, path, "tflite")
    assert gpu_problems(path.read_bytes()) == []
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype="uint8")
    np.testing.assert_allclose(ExportedModel(path).run(images), numpy(model(images)), atol=1e-4)


def test_a_saved_file_and_a_network_with_several_outputs(tmp_path):
    network = solving_model().network
    stacked = keras.Model(network.inputs, [network.output * 0.0, network.output])
    model = keras_shr.models.PairedHeatmapModel(stacked, perturbations=None)
    model.save(tmp_path / "dots.keras")
    export_model(tmp_path / "dots.keras", tmp_path / "dots.tflite", "tflite")
    images, _ = pictures(2)
    np.testing.assert_allclose(
        ExportedModel(tmp_path / "dots.tflite").run(images), numpy(model(images)), atol=1e-5
    )


def test_gelu_has_no_operation_of_its_own_in_onnx(tmp_path):
    needs("onnx")
    inputs = keras.Input((SIZE, SIZE, 3))
    features = keras.layers.Conv2D(8, 4, 4, activation="gelu")(inputs)
    network = keras.Model(inputs, keras.layers.Conv2D(KEYPOINTS, 1)(features))
    model = keras_shr.models.PairedHeatmapModel(network, perturbations=None)
    export_model(model, tmp_path / "dots.onnx", "onnx")
    images, _ = pictures(2)
    found = ExportedModel(tmp_path / "dots.onnx").run(images)
    np.testing.assert_allclose(found, numpy(model(images)), atol=1e-3)


def test_an_interrupted_export_leaves_the_old_file(model, tmp_path, monkeypatch):
    for name, file_format in (("dots.tflite", "tflite"), ("dots", "saved_model")):
        path = tmp_path / name
        export_model(model, path, file_format)
        before = ExportedModel(path).size, sorted(p.name for p in tmp_path.iterdir())
        with monkeypatch.context() as patch:

            def broken(self, folder):
                os.makedirs(folder, exist_ok=True)
                raise RuntimeError("no more power")

            patch.setattr(Graph, "save", broken)
            with pytest.raises(RuntimeError):
                export_model(model, path, file_format)
        assert (ExportedModel(path).size, sorted(p.name for p in tmp_path.iterdir())) == before
        export_model(model, path, file_format, "float16")  # and a new one takes its place
        assert ExportedModel(path).info["quantize"] == "float16"
        assert ExportedModel(path).size != before[0]


def test_a_folder_that_is_no_saved_model_is_not_deleted(model, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_text("precious")
    with pytest.raises(KerasShrError, match="photos exists and is not a SavedModel"):
        export_model(model, tmp_path / "photos")
    assert (tmp_path / "photos" / "cat.jpg").exists()


BLOCKER = """
import importlib.abc, sys

class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r} (blocked)", name=name)

sys.meta_path.insert(0, Refuse())
"""


@pytest.mark.slow
@pytest.mark.parametrize("outputs", ["heatmaps", "keypoints"])
@pytest.mark.parametrize(
    ("file_format", "block", "blocked"),
    [
        ("tflite", 1, ("keras_shr", "keras", "tensorflow", "jax")),
        ("onnx", 2, ("keras_shr", "keras", "tensorflow", "jax", "onnx", "tf2onnx")),
        ("saved_model", 3, ("keras_shr",)),
    ],
)
def test_the_documented_code_runs_without_keras_shr(
    model, outputs, file_format, block, blocked, tmp_path
):
    needs(file_format)
    if file_format == "tflite":
        pytest.importorskip("ai_edge_litert")
    export_model(model, tmp_path / f"hand{SUFFIXES[file_format]}", file_format, outputs=outputs)
    images, _ = pictures(1)
    np.save(tmp_path / "pictures.npy", images)
    program = [
        f"BLOCKED = {blocked!r}{BLOCKER}",
        "import numpy as np",
        "pictures = np.load('pictures.npy'); picture = pictures[0]",
        documented_code()[0],
        documented_code()[block],
        "np.save('points.npy', points)",
        "assert not [name for name in sys.modules if name.split('.')[0] in BLOCKED]",
    ]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", "\n".join(program)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    points = np.load(tmp_path / "points.npy").reshape(KEYPOINTS, 3)
    np.testing.assert_allclose(points, model.predict_keypoints(images)[0], atol=1e-3)
