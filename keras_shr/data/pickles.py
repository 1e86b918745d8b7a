"""Unpickling data that somebody else pickled, without running their code.

A pickle is a program. This one runs on Python's own interpreter of pickles, the one written in
Python (C's reserves whatever memory ten bytes of a file ask for, and hashes keys that take years),
with the operations left out that data do not need, and builds arrays itself: NumPy trusts the
state that it is given.
"""

import codecs
import io
import math
import pickle
import pickletools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from keras_shr.errors import DataError, shown

_OPERATIONS = {ord(operation.code): operation.name for operation in pickletools.opcodes}
_NEEDED = (
    "PROTO FRAME MARK STOP POP POP_MARK DUP "
    "NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT "
    "STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 "
    "BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8 "
    "EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST LIST APPEND APPENDS "
    "EMPTY_DICT DICT SETITEM SETITEMS "
    "GET BINGET LONG_BINGET PUT BINPUT LONG_BINPUT MEMOIZE GLOBAL STACK_GLOBAL REDUCE BUILD"
)
_KIND = re.compile(r"[|<>=]?[biufSU]\d{1,9}")


def load_array_pickle(path):
    """A pickle made of numbers, text, lists, dicts and NumPy arrays of numbers or text only.

    Anything else that a pickle can name, such as a function to call, is refused before it is
    looked up. Files of Python 2 and of every NumPy version are read.

    Raises:
        DataError: the file is missing, damaged, or asks for something else.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        # In memory, so that no length in the file reserves more than the file has.
        return _ArrayUnpickler(io.BytesIO(path.read_bytes()), encoding="latin1").load()
    except DataError as error:
        raise DataError(
            f"{path}: refused to unpickle, {error}; expected NumPy arrays, numbers and text only"
        ) from None
    # A damaged pickle can raise nearly everything.
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(f"{path}: not a readable pickle ({reason})") from error


class _Dtype:
    """Stands for `numpy.dtype` until its state has told the order of the bytes."""

    def __init__(self, kind):
        if not isinstance(kind, str) or not _KIND.fullmatch(kind):
            raise DataError(f"it has an array of dtype {shown(kind)}")
        self.value = np.dtype(kind)
        if not self.value.itemsize:
            raise DataError(f"it has an array of dtype {shown(kind)}")

    def build(self, state):
        _, order, subarray, names, fields, *_ = state
        if (subarray, names, fields) != (None, None, None) or order not in ("|", "<", ">", "="):
            raise DataError("it has an array of records")
        self.value = self.value.newbyteorder(order)


class _Array(np.ndarray):
    """An array while it is unpickled: empty until `build` has its content."""

    def build(self, state):
        _, shape, kind, by_columns, data = state
        data, dtype = _content(data, kind, shape)
        contents: Any = (1, shape, dtype, bool(by_columns), data)
        self.__setstate__(contents)


def _content(data, kind, shape):
    """The bytes and the dtype of an array, if it has as many of them as its shape says."""
    data, dtype = _bytes(data), _dtype(kind)
    sizes = isinstance(shape, tuple) and all(type(n) is int and n >= 0 for n in shape)
    if not sizes or len(shape) > 8 or math.prod(shape) * dtype.itemsize != len(data):
        raise DataError(f"it has {len(data)} bytes for an array of shape {shown(shape)}")
    return data, dtype


def _bytes(data):
    data = data.encode("latin1") if isinstance(data, str) else data  # Python 2's
    if not isinstance(data, bytes | bytearray):
        raise DataError(f"it has an array made of {type(data).__name__}")
    return bytes(data)


def _dtype(kind):
    if not isinstance(kind, _Dtype):
        raise DataError(f"it has an array of dtype {shown(kind)}")
    return kind.value


def _reconstruct(*_):
    return np.ndarray.__new__(_Array, (0,), np.uint8)


def _from_buffer(data, kind, shape, order):
    data, dtype = _content(data, kind, shape)
    return np.frombuffer(data, dtype).reshape(shape, order=order)


def _scalar(kind, data):
    return np.frombuffer(*_content(data, kind, (1,)))[0]


def _encode(text, encoding="latin1"):
    """Stands for `_codecs.encode`, with which Python 3 writes bytes in the old protocols."""
    if encoding != "latin1":
        raise DataError(f"it has the text encoding {shown(encoding)}")
    return codecs.encode(text, "latin1")


class _Name:
    """What a pickle may name: can be called if it is a function, and nothing else."""

    __slots__ = ("function",)

    def __init__(self, function=None):
        self.function = function

    def __call__(self, *arguments):
        return self.function(*arguments)


# The functions that NumPy names when it pickles an array or a scalar; its modules moved in
# version 2.
_ALLOWED = {
    ("numpy", "ndarray"): _Name(),
    ("numpy", "dtype"): _Name(lambda kind, *_: _Dtype(kind)),
    ("_codecs", "encode"): _Name(_encode),
}
for _core in ("core", "_core"):
    _ALLOWED[f"numpy.{_core}.multiarray", "_reconstruct"] = _Name(_reconstruct)
    _ALLOWED[f"numpy.{_core}.multiarray", "scalar"] = _Name(_scalar)
    _ALLOWED[f"numpy.{_core}.numeric", "_frombuffer"] = _Name(_from_buffer)


class _ArrayUnpickler(pickle._Unpickler):
    # Of the class above; its stub leaves them out.
    stack: list
    append: Callable
    pop_mark: Callable
    read: Callable

    def find_class(self, module, name):
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise DataError(f"it asks for {shown(f'{module}.{name}')}") from None

    def load_reduce(self):
        arguments, function = self.stack.pop(), self.stack.pop()
        if type(function) is not _Name or type(arguments) is not tuple:
            raise DataError(f"it calls {shown(function)}")
        self.append(function(*arguments))

    def load_build(self):
        state, target = self.stack.pop(), self.stack[-1]
        if type(target) not in (_Array, _Dtype):
            raise DataError(f"it changes a {type(target).__name__}")
        target.build(state)

    def load_setitems(self):
        items = self.pop_mark()
        self._put(self.stack[-1], items)

    def load_setitem(self):
        value, key = self.stack.pop(), self.stack.pop()
        self._put(self.stack[-1], [key, value])

    def load_dict(self):
        items = self.pop_mark()
        self.append({})
        self._put(self.stack[-1], items)

    def _put(self, target, items):
        if type(target) is not dict:
            raise DataError(f"it puts items into a {type(target).__name__}")
        for key, value in zip(items[::2], items[1::2], strict=True):
            # The hash of a tuple of tuples of the same tuples takes for ever.
            if not isinstance(key, str | int | np.integer):
                raise DataError(f"it has a dict with a {type(key).__name__} as a key")
            target[key] = value

    def load_bytearray8(self):
        (length,) = np.frombuffer(self.read(8), "<u8")
        self.append(bytearray(self.read(int(length))))

    def _refuse(self):
        raise DataError("it holds something else")

    dispatch: ClassVar[Any] = dict.fromkeys(_OPERATIONS, _refuse) | {
        code: function
        for code, function in pickle._Unpickler.dispatch.items()
        if _OPERATIONS[code] in _NEEDED.split()
    }
    dispatch |= {
        pickle.REDUCE[0]: load_reduce,
        pickle.BUILD[0]: load_build,
        pickle.SETITEM[0]: load_setitem,
        pickle.SETITEMS[0]: load_setitems,
        pickle.DICT[0]: load_dict,
        pickle.BYTEARRAY8[0]: load_bytearray8,
    }
