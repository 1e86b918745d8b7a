"""Valid bytes and valid JSON, damaged: hypothesis strategies for fuzzing."""

import copy
import json

from hypothesis import strategies as st

_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1)


@st.composite
def damaged_bytes(draw, seeds):
    """One of `seeds` after one to four accidents."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(data)))
        length = draw(st.one_of(st.integers(1, 8), st.integers(1, max(1, len(data)))))
        part = slice(place, place + length)
        match draw(st.integers(0, 8)):
            case 0:  # a bit
                if place < len(data):
                    data[place] ^= 1 << draw(st.integers(0, 7))
            case 1:  # noise
                data[part] = draw(st.binary(max_size=8))
            case 2:
                data[place:place] = draw(st.binary(min_size=1, max_size=8))
            case 3:
                del data[part]
            case 4:
                del data[place:]
            case 5:
                data[place:place] = data[part] * draw(st.integers(1, 3))
            case 6:  # of another file
                other = draw(st.sampled_from(seeds))
                start = draw(st.integers(0, len(other)))
                data[part] = other[start : start + length]
            case 7:  # a number where lengths and offsets may be
                size = draw(st.sampled_from((1, 2, 4, 8)))
                number = draw(st.sampled_from(_NUMBERS)) % 2 ** (8 * size)
                order = draw(st.sampled_from(("little", "big")))
                data[place : place + size] = number.to_bytes(size, order)
            case 8:
                data[part] = bytes(len(data[part]))
    return bytes(data[:1_000_000])


def _nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


_STRANGE = (
    None,
    True,
    "",
    "x",
    "../../outside",
    "/etc/passwd",
    "a\0b",
    "\ud800",
    "line\nbreak",
    "long" * 5000,
    -1,
    0,
    1,
    0.5,
    2**31,
    10**30,
    10**400,
    1e308,
    -1e308,
    5e-324,
    float("nan"),
    float("inf"),
    [],
    {},
    [[]],
    [None],
    {"x": []},
    _nested(60),
)


def _places(value):
    """Every `(container, key)` inside a JSON value."""
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in keys:
        yield value, key
        yield from _places(value[key])


@st.composite
def damaged_json(draw, values):
    """One of `values` after one to three exchanges, as bytes."""
    value = {"top": copy.deepcopy(draw(st.sampled_from(values)))}
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(value))
        container, key = draw(st.sampled_from(places))
        other, other_key = draw(st.sampled_from(places))
        match draw(st.integers(0, 5)):
            case 0 | 1:
                container[key] = copy.deepcopy(draw(st.sampled_from(_STRANGE)))
            case 2:
                if value is not container:
                    del container[key]
            case 3:
                container[key] = copy.deepcopy(other[other_key])
            case 4:
                if isinstance(container, list):
                    container.insert(key, copy.deepcopy(container[key]))
            case 5:
                container[key] = draw(st.integers()) if draw(st.booleans()) else draw(st.floats())
    return json.dumps(value.get("top")).encode("utf-8", "surrogatepass")


DEEP = (b"[" * 100_000, b'{"a":' * 100_000, b"[" * 100_000 + b"]" * 100_000)
"""JSON that a recursive parser cannot follow."""


def damaged_text(values, lines=False):
    """JSON values, or lists of them that are written as lines, damaged in their values or in their
    bytes."""

    def written(value):
        parts = value if lines else [value]
        return "\n".join(json.dumps(part) for part in parts).encode()

    def as_lines(text):
        value = json.loads(text) if lines else None
        if not isinstance(value, list):
            return text
        return "\n".join(json.dumps(part) for part in value).encode()

    return st.one_of(
        damaged_json(values).map(as_lines),
        damaged_json(values).map(as_lines),
        damaged_bytes([written(value) for value in values]),
        st.sampled_from(DEEP),
    )
