"""Reads damaged inputs and judges what came of them.

The only exception that may come out is ours, and it may not hide that memory or the stack of calls
ran out.
"""

import dataclasses
import time
import warnings

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from keras_shr.errors import KerasShrError

SLOWEST = 10.0
"""Seconds that one input may take, on a machine that others use too."""


class Broken(AssertionError):
    """An input that brought out another exception, or took too long or too much memory."""


@dataclasses.dataclass
class Counts:
    """What came of the inputs of a target."""

    inputs: int = 0
    refused: int = 0
    slowest: float = 0.0


def open_input(target, data, counts):
    """Reads one input and judges what came of it."""
    counts.inputs += 1
    start = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow and SciPy, about damage
            target.read(data)
    except KerasShrError as error:
        counts.refused += 1
        _judge(error)
    finally:
        seconds = time.perf_counter() - start
        counts.slowest = max(counts.slowest, seconds)
    if seconds > SLOWEST:
        raise Broken(f"{seconds:.1f} s for {len(data)} bytes")


def _judge(error):
    text = str(error)
    if len(text) > 1500 or "\n" in text:
        raise Broken(f"not one clear line: {text[:3000]!r}") from error
    cause = error
    while cause is not None:
        if isinstance(cause, MemoryError):
            raise Broken("memory ran out") from error
        cause = cause.__cause__ or cause.__context__


def fuzz(target, inputs, seed_number=0, before=None):
    """Reads so many damaged inputs; raises at the first that is not handled.

    Args:
        target: `Target`.
        inputs: how many.
        seed_number: of the damage.
        before: called with each input before it is read.
    """
    counts = Counts()
    open_input(target, target.valid, Counts())

    @seed(seed_number)
    @settings(
        max_examples=inputs,
        database=None,
        deadline=None,
        derandomize=False,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(st.randoms(use_true_random=True))
    def each(random):
        data = target.damage(random)
        if before is not None:
            before(data)
        open_input(target, data, counts)

    each()
    return counts
