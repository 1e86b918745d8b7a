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
    features = {}
    for _, message in _messages(memoryview(data), 1):
        for _, entry in _messages(message, 1):
            parts = dict(_messages(entry, 1, 2))
            if len(parts) < 2:
                raise ValueError("a feature without a name or a value")
            features[bytes(parts[1]).decode()] = _value(parts[2])
    return features


def _messages(view, *numbers):
    """The fields of these numbers, which have to be messages or bytes."""
    for number, content in _fields(view):
        if number in numbers:
            # A number in their place would make `bytes` reserve so many.
            if not isinstance(content, memoryview):
                raise ValueError(f"field {number} is a number")
            yield number, content


def _feature(value):
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return _field(_BYTES, _field(1, value))
    if isinstance(value, int):
        return _field(_INTEGERS, _field(1, _varint(value)))
    return _field(_FLOATS, _field(1, np.asarray(value, "<f4").tobytes()))


def _value(feature):
    kind, values = next(_messages(feature, _BYTES, _FLOATS, _INTEGERS), (None, None))
    if kind is None:
        raise ValueError("a feature of no known kind")
    if kind == _INTEGERS:
        content = next((v for number, v in _fields(values) if number == 1), None)
        if content is None:
            raise ValueError("a feature without a value")
        value = content if isinstance(content, int) else _read_varint(content, 0)[0]
        value &= (1 << 64) - 1
        return value - (1 << 64) if value >> 63 else value
    content = [bytes(v) for _, v in _messages(values, 1)]
    if kind == _FLOATS:
        return np.frombuffer(b"".join(content), "<f4").astype(np.float32)
    if not content:
        raise ValueError("a feature without a value")
    return content[0]


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
