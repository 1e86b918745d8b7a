"""Labelled pictures: readers of published and of own data sets, arrays, and TFRecords.

NumPy and Pillow only; TensorFlow is imported when `tfrecord_dataset` is called, by nothing else.
"""

from keras_shr.data.base import Reader, clean_keypoints
from keras_shr.data.coco import COCOReader
from keras_shr.data.folder import FolderReader
from keras_shr.data.images import read_image
from keras_shr.data.joined import JoinedReader
from keras_shr.data.loading import MEMORY_BYTES, ReaderImages, load_arrays
from keras_shr.data.manifest import Manifest
from keras_shr.data.part import PartReader
from keras_shr.data.prepare import prepare
from keras_shr.data.prepared import PreparedReader, read_tfrecords
from keras_shr.data.records import PROTOCOL_PIXELS, KeypointData, Record
from keras_shr.data.registry import READERS, open_data, open_reader
from keras_shr.data.rendered import RenderedReader
from keras_shr.data.rhd import RHDReader
from keras_shr.data.stb import STBReader
from keras_shr.data.tfrecord import named_data_errors, tfrecord_dataset

__all__ = [
    "MEMORY_BYTES",
    "PROTOCOL_PIXELS",
    "READERS",
    "COCOReader",
    "FolderReader",
    "JoinedReader",
    "KeypointData",
    "Manifest",
    "PartReader",
    "PreparedReader",
    "RHDReader",
    "Reader",
    "ReaderImages",
    "Record",
    "RenderedReader",
    "STBReader",
    "clean_keypoints",
    "load_arrays",
    "named_data_errors",
    "open_data",
    "open_reader",
    "prepare",
    "read_image",
    "read_tfrecords",
    "tfrecord_dataset",
]
