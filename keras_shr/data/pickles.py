"""Unpickling data that somebody else pickled, without running their code."""

import codecs
import pickle
from pathlib import Path

import numpy as np

from keras_shr.errors import DataError

# The functions that NumPy itself names when it pickles an array or a scalar. Asking NumPy for them
# avoids importing its private modules, whose names changed in version 2.
_ALLOWED = {
    **{
        (f"numpy.{core}.multiarray", name): function
        for core in ("core", "_core")
        for name, function in (
            ("_reconstruct", np.zeros(1).__reduce__()[0]),
            ("scalar", np.float64(0).__reduce__()[0]),
        )
    },
    **{
        (f"numpy.{core}.numeric", "_frombuffer"): np.zeros(1).__reduce_ex__(5)[0]
        for core in ("core", "_core")
    },
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


def _encode(text, encoding="latin1"):
    """Stands for `_codecs.encode`, with which Python 3 writes bytes in the old protocols."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"text encoding {encoding!r}")
    return codecs.encode(text, "latin1")


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) == ("_codecs", "encode"):
            return _encode
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise DataError(f"it asks for {module}.{name}") from None


def load_array_pickle(path):
    """A pickle made of numbers, text, lists, dicts and NumPy arrays only.

    Anything else that a pickle can name, such as a function to call, is refused before it is
    looked up. Files of Python 2 and of every NumPy version are read.

    Raises:
        DataError: the file is missing, damaged, or asks for something else.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        with path.open("rb") as stream:
            return _ArrayUnpickler(stream, encoding="latin1").load()
    except DataError as error:
        raise DataError(
            f"{path}: refused to unpickle, {error}; expected NumPy arrays, numbers and text only"
        ) from None
    # A damaged pickle can raise nearly everything.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path}: not a readable pickle ({reason})") from error
