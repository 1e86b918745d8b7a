"""`tf.train.Example` messages, written and read without TensorFlow.

An Example is a protocol buffer: `features` (field 1) holds entries (field 1) of a map from name
(1) to Feature (2), which is a list of bytes (1), floats (2, packed) or int64 (3, packed) in its
own field 1.
"""

import struct

import numpy as np

_BYTES, _FLOATS, _INTEGERS = 1, 2, 3
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


def encode_example(features: dict) -> bytes:
    """Values of type bytes, str, int, or float32 arrays → one serialised Example.

    Equal features give equal bytes: the names are sorted.
    """
    entries = b"".join(
        _field(1, _field(1, name.encode()) + _field(2, _feature(features[name])))
        for name in sorted(features)
    )
    return _field(1, entries)


def decode_example(data: bytes) -> dict:
    """The inverse: bytes, int, or float32 arrays by name.

    Raises:
        ValueError: `data` is no Example.
    """
    try:
        messages = [content for number, content in _fields(memoryview(data)) if number == 1]
        entries = [dict(_fields(entry)) for message in messages for _, entry in _fields(message)]
        return {bytes(entry[1]).decode(): _value(entry[2]) for entry in entries}
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"a part is missing ({type(error).__name__}: {error})") from None


def _feature(value):
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return _field(_BYTES, _field(1, value))
    if isinstance(value, int):
        return _field(_INTEGERS, _field(1, _varint(value)))
    return _field(_FLOATS, _field(1, np.asarray(value, "<f4").tobytes()))


def _value(feature):
    (kind, values), *_ = _fields(feature)
    content = [v for number, v in _fields(values) if number == 1]
    if kind == _BYTES:
        return bytes(content[0])
    if kind == _FLOATS:
        return np.frombuffer(b"".join(content), "<f4").astype(np.float32)
    if kind == _INTEGERS:
        value = content[0] if isinstance(content[0], int) else _read_varint(content[0], 0)[0]
        return value - (1 << 64) if value >> 63 else value
    raise ValueError(f"a feature of kind {kind}")


def _varint(value):
    value &= (1 << 64) - 1
    result = bytearray()
    while value > 127:
        result.append(value & 127 | 128)
        value >>= 7
    result.append(value)
    return bytes(result)


def _field(number, content):
    return bytes([number << 3 | _LENGTH]) + _varint(len(content)) + content


def _read_varint(view, position):
    value = shift = 0
    while True:
        if position >= len(view) or shift > 63:
            raise ValueError("a number that does not end")
        byte = view[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position


def _fields(view):
    """Pairs (field number, content) of a message; numbers as int, all else as memoryview."""
    position = 0
    while position < len(view):
        key, position = _read_varint(view, position)
        kind = key & 7
        if kind == _VARINT:
            content, position = _read_varint(view, position)
        elif kind in (_LENGTH, _FIXED32, _FIXED64):
            if kind == _LENGTH:
                length, position = _read_varint(view, position)
            else:
                length = struct.calcsize("<f" if kind == _FIXED32 else "<d")
            if position + length > len(view):
                raise ValueError("a field that is longer than its message")
            content, position = view[position : position + length], position + length
        else:
            raise ValueError(f"wire type {kind}")
        yield key >> 3, content
