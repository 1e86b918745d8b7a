"""Trained models as files for phones, servers and other languages, and how close they come.

`export_model` writes a SavedModel, a .tflite or an .onnx file with a JSON beside it,
`ExportedModel` runs one and `compare_export` holds one against the Keras model. docs/deploy.md
shows how to use the files without this package.
"""

from keras_shr.export.comparison import compare_export, comparison_text, write_comparison
from keras_shr.export.convert import FORMATS, QUANTIZATIONS, export_model
from keras_shr.export.description import description_path, read_description
from keras_shr.export.exported import ExportedModel
from keras_shr.export.tflite import gpu_problems

__all__ = [
    "FORMATS",
    "QUANTIZATIONS",
    "ExportedModel",
    "compare_export",
    "comparison_text",
    "description_path",
    "export_model",
    "gpu_problems",
    "read_description",
    "write_comparison",
]
