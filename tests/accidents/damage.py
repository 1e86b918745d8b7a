"""Valid bytes and valid JSON, damaged by a random generator that hypothesis seeds."""

import copy
import json

_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1)
_MOST = 1_000_000  # bytes


def damaged_bytes(random, seeds):
    """One of `seeds` after one to four accidents.

    Args:
        random: `random.Random`.
        seeds: list of bytes.
    """
    data = bytearray(random.choice(seeds))
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        place = random.randint(0, len(data))
        length = random.randint(1, random.choice((1, 8, max(1, len(data)))))
        part = slice(place, place + length)
        match random.randint(0, 8):
            case 0:  # a bit
                if place < len(data):
                    data[place] ^= 1 << random.randint(0, 7)
            case 1:  # noise
                data[part] = random.randbytes(random.randint(0, 8))
            case 2:
                data[place:place] = random.randbytes(random.randint(1, 8))
            case 3:
                del data[part]
            case 4:
                del data[place:]
            case 5:
                data[place:place] = data[part] * random.randint(1, 3)
            case 6:  # of another file
                other = random.choice(seeds)
                start = random.randint(0, len(other))
                data[part] = other[start : start + length]
            case 7:  # a number where lengths and offsets may be
                size = random.choice((1, 2, 4, 8))
                number = random.choice(_NUMBERS) % 2 ** (8 * size)
                order = random.choice(("little", "big"))
                data[place : place + size] = number.to_bytes(size, order)
            case 8:
                data[part] = bytes(len(data[part]))
    return bytes(data[:_MOST])


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


def _damaged_value(random, value):
    value = {"top": copy.deepcopy(value)}
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        places = list(_places(value))
        if not places:
            break
        (container, key), (other, other_key) = random.choices(places, k=2)
        match random.randint(0, 5):
            case 0 | 1:
                container[key] = copy.deepcopy(random.choice(_STRANGE))
            case 2:
                if value is not container:
                    del container[key]
            case 3:
                container[key] = copy.deepcopy(other[other_key])
            case 4:
                if isinstance(container, list):
                    container.insert(key, copy.deepcopy(container[key]))
            case 5:
                size = 10.0 ** random.randint(-3, 12)
                number = random.uniform(-size, size)
                container[key] = random.choice((number, round(number)))
    return value["top"]


_DEEP = (b"[" * 100_000, b'{"a":' * 100_000, b"[" * 100_000 + b"]" * 100_000)


def damaged_json(random, value, lines=False):
    """A JSON value as UTF-8, damaged in its values, its bytes, or too deep for a recursive parser.

    Args:
        random: `random.Random`.
        value: the valid one.
        lines: write a list as one line for each of its items.
    """
    kind = random.random()
    if kind < 0.01:
        return random.choice(_DEEP)
    if kind < 0.7:
        return _written(_damaged_value(random, value), lines)
    return damaged_bytes(random, [_written(value, lines)])


def _written(value, lines):
    parts = value if lines and isinstance(value, list) else [value]
    return "\n".join(map(json.dumps, parts)).encode()
