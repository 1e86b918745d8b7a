"""From a `Graph` to the bytes of an .onnx file. The packages onnx and tf2onnx are optional."""

import logging
import tempfile
from pathlib import Path

import numpy as np

from keras_shr.errors import KerasShrError
from keras_shr.export.graph import INPUT_NAME
from keras_shr.export.tflite import without_deprecations
from keras_shr.files import named_storage_errors

OPSET = 17
"""The operations' version: what onnxruntime has run since 2022."""
_SMALL = 64  # numbers; smaller constants stay float32


def convert(graph, quantize="none", calibration=None) -> bytes:
    """The content of an .onnx file.

    float16 stores the weights in half precision and casts them when the file is loaded, so every
    runtime computes in float32. int8 quantises the convolutions but the last one, the logits'.

    Args:
        graph: `Graph`, usually of any batch.
        quantize: `"none"`, `"float16"` (weights) or `"int8"`.
        calibration: uint8 images `(count, height, width, 3)`, for int8.

    Raises:
        KerasShrError: a package is not installed, or ONNX lacks an operation.
    """
    if quantize == "int8":
        package("onnxruntime")
    onnx, tf2onnx = package("onnx"), package("tf2onnx")
    logger = logging.getLogger("tf2onnx")
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # what it cannot convert it says and leaves as it is
    try:
        with without_deprecations():
            converted, _ = tf2onnx.convert.from_function(
                graph.function,
                input_signature=[graph.spec],
                opset=OPSET,
                custom_op_handlers={"Erfc": (_complement_of_erf, [])},
            )
    finally:
        logger.setLevel(level)
    _check_operations(onnx, converted)
    if quantize == "float16":
        _store_half(onnx, converted.graph)
    if quantize == "int8":
        return _quantised(onnx, converted, calibration, graph.spec.dtype.as_numpy_dtype)
    return converted.SerializeToString()


def package(name):
    """An optional package.

    Raises:
        KerasShrError: it is not installed; says how to get it.
    """
    import importlib

    try:
        with without_deprecations():
            return importlib.import_module(name)
    except ImportError as error:
        raise KerasShrError(
            f"ONNX files need the package {name} ({error}): pip install onnx tf2onnx onnxruntime"
        ) from None


def _complement_of_erf(context, node, name, arguments):
    """Erfc, of which TensorFlow makes the activation gelu, as 1 - Erf; ONNX has no other."""
    (entry,), (output,) = node.input, node.output
    shape, dtype = context.get_shape(output), context.get_dtype(output)
    context.remove_node(name)
    erf = context.make_node("Erf", [entry]).output[0]
    one = context.make_const(f"{name}/one", np.ones((), "float32")).output[0]
    context.make_node("Sub", [one, erf], outputs=[output], shapes=[shape], dtypes=[dtype])


def _check_operations(onnx, model):
    """Refuse a graph with operations that ONNX does not know: no runtime would load it."""
    versions = {entry.domain: entry.version for entry in model.opset_import}
    unknown = {
        node.op_type
        for node in model.graph.node
        if not onnx.defs.has(node.op_type, versions.get(node.domain, 0), node.domain)
    }
    if unknown:
        raise KerasShrError(
            f"ONNX (opset {OPSET}) has no operation for {', '.join(sorted(unknown))}, which the "
            "network uses; put another layer in its place, or export a SavedModel"
        )


def _store_half(onnx, graph):
    """Each weight as float16 and a Cast, which runtimes do once, while loading."""
    limit = np.finfo(np.float16).max
    kept, casts = [], []
    for tensor in graph.initializer:
        value = onnx.numpy_helper.to_array(tensor)
        if value.dtype != np.float32 or value.size < _SMALL:
            kept.append(tensor)
            continue
        half, stored = np.clip(value, -limit, limit).astype(np.float16), f"{tensor.name}/half"
        kept.append(onnx.numpy_helper.from_array(half, stored))
        casts.append(
            onnx.helper.make_node(
                "Cast", [stored], [tensor.name], to=onnx.TensorProto.FLOAT, name=f"{stored}/cast"
            )
        )
    nodes = [*casts, *graph.node]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)


def _quantised(onnx, model, calibration, dtype):
    quantization = package("onnxruntime.quantization")

    class Reader(quantization.CalibrationDataReader):  # type: ignore[name-defined]
        def __init__(self):
            self.images = iter(calibration)

        def get_next(self):
            image = next(self.images, None)
            return None if image is None else {INPUT_NAME: image[None].astype(dtype)}

    convolutions = [node.name for node in model.graph.node if node.op_type == "Conv"]
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # advice on preprocessing that tf2onnx has done already
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            named_storage_errors(folder),
            without_deprecations(),
        ):
            source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
            onnx.save(model, source)
            quantization.quantize_static(
                source,
                target,
                Reader(),
                quant_format=quantization.QuantFormat.QDQ,
                per_channel=True,
                # Without special instructions a processor adds products of 8 bits in 16; with
                # weights of 7 bits the sums fit (mean movement 0.8 instead of 3.3 px on ours).
                reduce_range=True,
                op_types_to_quantize=["Conv", "ConvTranspose"],
                nodes_to_exclude=convolutions[-1:],
            )
            return target.read_bytes()
    finally:
        root.setLevel(level)
