"""Running an exported file, whatever its format, to look at what it answers."""

from pathlib import Path

import numpy as np

from keras_shr.errors import KerasShrError, first_line
from keras_shr.export.description import read_description
from keras_shr.export.onnx import package
from keras_shr.export.tflite import without_deprecations
from keras_shr.heatmaps import decode, heatmap_to_image
from keras_shr.models._checks import check_images


class ExportedModel:
    """An exported file and its JSON.

    Args:
        path: the .tflite or .onnx file or the SavedModel folder.
        threads: of the CPU; a SavedModel takes TensorFlow's own number.

    Attributes:
        info: the JSON.

    Raises:
        KerasShrError: the file or its JSON is missing or broken, or its runtime is not installed.

    Example:

    >>> exported = ExportedModel("hand.tflite")
    >>> exported.predict_keypoints(images)  # (count, keypoints, 3): x, y, score
    """

    def __init__(self, path, threads=1):
        self.path, self.threads = Path(path), threads
        self.info = read_description(path)
        start = {"tflite": _tflite, "onnx": _onnx, "saved_model": _saved_model}
        if self.info["format"] not in start:
            raise KerasShrError(f"{path}: its format is {self.info['format']!r}")
        try:
            self._call = start[self.info["format"]](self.path, self.info, threads)
        except KerasShrError:
            raise
        except Exception as error:
            raise KerasShrError(f"{path} cannot be loaded: {first_line(error)}") from error

    @property
    def size(self) -> int:
        """Bytes of the file, or of all files of the folder."""
        return size_of(self.path)

    def run(self, images) -> np.ndarray:
        """The file's own answer.

        Args:
            images: `(count, height, width, 3)` in 0..255, of the size that the file takes.

        Returns:
            float32 heatmaps `(count, h, w, keypoints)` or keypoints `(count, keypoints, 3)`.
        """
        entry = self.info["input"]
        height, width = entry["shape"][1:3]
        images = np.asarray(images)
        try:
            check_images(images, (height, width))
        except KerasShrError as error:
            raise KerasShrError(f"{self.path}: {error}") from None
        scaling = entry["normalization"]
        if (scaling["scale"], scaling["offset"]) != (1, 0):
            images = scaling["scale"] * images.astype("float32") + scaling["offset"]
        images = images.astype(entry["dtype"])
        step = entry["shape"][0] or 32
        parts = [self._call(images[i : i + step]) for i in range(0, len(images), step)]
        empty = np.zeros((0, *self.info["output"]["shape"][1:]), "float32")
        return np.concatenate([empty, *parts])

    def predict_keypoints(self, images) -> np.ndarray:
        """Keypoints `(count, keypoints, 3)` in pixels of `images`, with a score."""
        answer = self.run(images)
        if self.info["outputs"] == "keypoints":
            return answer
        rule = self.info["decoding"]
        found = [np.zeros((0, len(self.info["keypoints"]), 3), "float32")]
        for start in range(0, len(answer), 32):
            points = decode(answer[start : start + 32], rule["method"], rule["score_radius"])
            points = heatmap_to_image(points, rule["image_size"], rule["heatmap_size"])
            found.append(np.asarray(points))
        return np.concatenate(found)


def size_of(path) -> int:
    """Bytes of a file, or of all files of a folder."""
    path = Path(path)
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def tflite_interpreter(content, threads):
    """An interpreter of the small runtime, or of TensorFlow where that is not installed."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        try:
            import tensorflow as tf
        except ImportError:
            raise KerasShrError(
                "running a .tflite file needs ai-edge-litert or tensorflow: "
                "pip install ai-edge-litert"
            ) from None
        Interpreter = tf.lite.Interpreter
    with without_deprecations():
        interpreter = Interpreter(model_content=content, num_threads=threads)
        interpreter.allocate_tensors()
    return interpreter


def _tflite(path, info, threads):
    runner = tflite_interpreter(path.read_bytes(), threads).get_signature_runner("serving_default")
    entry, answer = info["input"]["name"], info["output"]["name"]
    return lambda images: runner(**{entry: images})[answer]


def _onnx(path, info, threads):
    runtime = package("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    session = runtime.InferenceSession(
        path.read_bytes(), options, providers=["CPUExecutionProvider"]
    )
    entry, answer = info["input"]["name"], info["output"]["name"]
    return lambda images: session.run([answer], {entry: images})[0]


def _saved_model(path, info, threads):
    try:
        import tensorflow as tf
    except ImportError:
        raise KerasShrError("running a SavedModel needs tensorflow") from None
    loaded = tf.saved_model.load(str(path))
    function = loaded.signatures["serving_default"]
    entry, answer = info["input"]["name"], info["output"]["name"]

    def call(images, _kept=loaded):  # the function does not keep its variables alive
        return function(**{entry: tf.constant(images)})[answer].numpy()

    return call
