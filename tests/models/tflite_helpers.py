"""Models as TensorFlow Lite, and their answers."""

import numpy as np
import pytest


def convert(model, shape):
    """The flat buffer of inference for images of `shape`, float32, in a batch of any size."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    images = tf.TensorSpec((None, *shape), "float32")
    function = tf.function(lambda images: model(images, training=False), autograph=False)
    frozen = convert_variables_to_constants_v2(function.get_concrete_function(images))
    return tf.lite.TFLiteConverter.from_concrete_functions([frozen]).convert()


def run(buffer, image):
    """The output for one image `(1, height, width, channels)`."""
    litert = pytest.importorskip("ai_edge_litert.interpreter", reason="ai-edge-litert is missing")
    interpreter = litert.Interpreter(model_content=buffer)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.float32(image))
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
