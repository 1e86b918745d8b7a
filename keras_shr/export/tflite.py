"""From a `Graph` to the bytes of a .tflite file."""

import contextlib
import io
import re
import tempfile
import warnings

from keras_shr.errors import KerasShrError, first_line
from keras_shr.export.graph import ANSWER_SCOPE, INPUT_NAME
from keras_shr.files import named_storage_errors

_GPU_TABLE = """
    ABS ADD AVERAGE_POOL_2D BATCH_MATMUL CONCATENATION CONV_2D COS DEPTHWISE_CONV_2D DEQUANTIZE DIV
    ELU EXP FULLY_CONNECTED HARD_SWISH LEAKY_RELU LOG LOGISTIC MAXIMUM MAX_POOL_2D MEAN MINIMUM
    MIRROR_PAD MUL NEG PACK PAD POW PRELU QUANTIZE REDUCE_MAX REDUCE_MIN REDUCE_PROD RELU RELU6
    RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR RSQRT SIN SLICE SOFTMAX SPACE_TO_DEPTH SPLIT_V
    SQRT SQUARE SQUARED_DIFFERENCE STRIDED_SLICE SUB SUM TANH TRANSPOSE TRANSPOSE_CONV
"""
GPU_OPERATIONS = frozenset(_GPU_TABLE.split())
"""What TensorFlow Lite's GPU delegate takes.

From `NewOperationParser` in tensorflow/lite/delegates/gpu/common/model_builder.cc (a release of
2022; later ones take more). The table in the delegate's guide,
https://ai.google.dev/edge/litert/performance/gpu, lags behind it.
"""


@contextlib.contextmanager
def without_deprecations():
    """TensorFlow's own converter warns about its own deprecated interpreter."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def convert(graph, quantize="none", calibration=None) -> bytes:
    """The content of a .tflite file.

    With int8 everything up to the features below the logits is quantised; the logits and what
    follows stay float32. Eight bits cannot hold exp(logits): next to the peak many pixels would
    tie and the highest one would be a matter of chance.

    Args:
        graph: `Graph` of a fixed batch.
        quantize: `"none"`, `"float16"` (weights) or `"int8"`.
        calibration: uint8 images `(count, height, width, 3)`, for int8.

    Raises:
        KerasShrError: TensorFlow Lite lacks an operation.
    """
    import tensorflow as tf

    with (
        tempfile.TemporaryDirectory() as folder,
        named_storage_errors(folder),
        without_deprecations(),
        _named_operations(),
    ):
        graph.save(folder)

        def converter():
            made = tf.lite.TFLiteConverter.from_saved_model(
                folder, signature_keys=["serving_default"]
            )
            # A reduced-precision product would be silently taken for ours.
            made.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
            return made

        if quantize == "int8":
            keep = _float_tensors(converter().convert(), graph.logits_name)
            return _quantised(converter(), graph, calibration, keep)
        made = converter()
        if quantize == "float16":
            made.optimizations = [tf.lite.Optimize.DEFAULT]
            made.target_spec.supported_types = [tf.float16]
        return made.convert()


@contextlib.contextmanager
def _named_operations():
    """Makes one line of the thousands of characters in which the converter refuses a network."""
    try:
        yield
    except Exception as error:
        if type(error).__name__ != "ConverterError":  # TensorFlow does not publish the class
            raise
        unknown = sorted(set(re.findall(r"'tf\.(\w+)' op is neither", str(error))))
        reason = f"has no operation for {', '.join(unknown)}, which the network uses"
        raise KerasShrError(
            f"TensorFlow Lite {reason if unknown else f'refuses the network: {first_line(error)}'}"
            "; put another layer in its place, or export a SavedModel"
        ) from error


def _float_tensors(content, logits_name):
    """Names of the tensors that int8 leaves alone: the logits and all that follows."""
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(model_content=content)
    interpreter.allocate_tensors()
    names = {tensor["name"] for tensor in interpreter.get_tensor_details()}
    found = {tensor["name"] for tensor in interpreter.get_output_details()}
    for name in names:
        # A fused operation is called after all its parts.
        parts = name.split(";")
        if logits_name in parts or any(part.startswith(f"{ANSWER_SCOPE}/") for part in parts):
            found.add(name)
    return sorted(found)


def _quantised(converter, graph, calibration, keep):
    import tensorflow as tf

    dtype = graph.spec.dtype.as_numpy_dtype

    def samples():
        for image in calibration:
            yield {INPUT_NAME: image[None].astype(dtype)}

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = samples
    # The documented way to leave parts of a network in float32.
    options = tf.lite.experimental.QuantizationDebugOptions(denylisted_nodes=keep)
    debugger = tf.lite.experimental.QuantizationDebugger(
        converter=converter, debug_dataset=samples, debug_options=options
    )
    return debugger.get_nondebug_quantized_model()


def operations(content) -> list[str]:
    """The operations of a .tflite file, in order."""
    return re.findall(r"^\s*Op#\d+ (\w+)", _analysis(content), re.MULTILINE)


def gpu_problems(content) -> list[str]:
    """What mobile GPU delegates would refuse in a .tflite file; an empty list is good news.

    TensorFlow's model analyzer looks at shapes and types, but passes operations that it does not
    know (such as TOPK_V2), so the operations are held against `GPU_OPERATIONS` as well.
    """
    text = _analysis(content, gpu_compatibility=True)
    found = re.findall(r"GPU COMPATIBILITY WARNING:\s*(.+)", text)
    unknown = sorted(set(operations(content)) - GPU_OPERATIONS)
    return found + [f"{name} is not an operation of the GPU delegate" for name in unknown]


def _analysis(content, **options):
    import tensorflow as tf

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), without_deprecations():
        tf.lite.experimental.Analyzer.analyze(model_content=bytes(content), **options)
    return printed.getvalue()
