"""Means over seeds, intervals of differences, and verdicts.

A difference has two sources of luck: the training seeds and the test pictures. The first is
estimated from the spread of seeds around their method's mean, pooled over all methods of a data set
(an analysis of variance), because two or three seeds of one method say little about their spread.
The second comes from the evaluation's bootstrap over pictures. All methods see the same pictures:
where the draws of both are kept, the difference is taken in each draw; else the two intervals are
taken as independent, which is cautious.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from scipy import stats

Z = 1.959964
LEAST_FREEDOM = 2
"""Degrees of freedom that the pooled spread of seeds needs before it counts."""


@dataclass(frozen=True)
class Estimate:
    """A figure of one method, over its seeds.

    Attributes:
        seeds: seed → (value, low, high), the last two its 95 % interval over pictures (or NaN).
        draws: seed → the value in each bootstrap draw of pictures; the same draws for all methods.
    """

    seeds: dict
    draws: dict = field(default_factory=dict)

    @property
    def values(self):
        return np.array([value for value, _, _ in self.seeds.values()], float)

    @property
    def value(self) -> float:
        """Mean over seeds."""
        return float(self.values.mean())

    @property
    def n(self) -> int:
        return len(self.seeds)

    @property
    def spread(self) -> float:
        """Standard deviation over seeds (n - 1 in the denominator); NaN for one seed."""
        return float(self.values.std(ddof=1)) if self.n > 1 else math.nan

    @property
    def low(self) -> float:
        """Mean lower end of the intervals over pictures."""
        return float(np.mean([low for _, low, _ in self.seeds.values()]))

    @property
    def high(self) -> float:
        return float(np.mean([high for _, _, high in self.seeds.values()]))

    def bars(self):
        """Distances down and up of an error bar: the spread, or the interval of a single seed."""
        if self.n > 1:
            return self.spread, self.spread
        ends = self.value - self.low, self.high - self.value
        return tuple(max(0.0, end) if math.isfinite(end) else 0.0 for end in ends)


@dataclass(frozen=True)
class Spread:
    """Standard deviation of seeds around their method's mean, pooled over methods."""

    value: float
    freedom: int


def pooled(estimates, transform) -> Spread:
    """Pool the spread of seeds of `estimates` on the scale of `transform`."""
    squares, freedom = 0.0, 0
    for one in estimates:
        with np.errstate(divide="ignore", invalid="ignore"):
            values = transform(one.values)
        if one.n > 1 and np.isfinite(values).all():
            squares += float(((values - values.mean()) ** 2).sum())
            freedom += one.n - 1
    return Spread(math.sqrt(squares / freedom) if freedom else math.nan, freedom)


@dataclass(frozen=True)
class Comparison:
    """A method against a reference.

    Attributes:
        value, low, high: the difference (or ratio) and its 95 % interval.
        how: `"difference"` or `"ratio"`.
        seeds: of the method and of the reference.
        covers: what the interval covers: `"seeds and pictures"`, `"seeds"`, `"pictures"` or "";
            `"paired pictures"` where the draws of pictures are those of both methods.
    """

    value: float
    low: float
    high: float
    how: str
    seeds: tuple[int, int]
    covers: str


def compare(one, other, how, spread) -> Comparison:
    """`one` against `other`.

    Args:
        one, other: `Estimate`.
        how: `"ratio"` works on logarithms, `"difference"` on the values.
        spread: `Spread` on that scale.
    """
    transform, back = (np.log, np.exp) if how == "ratio" else (np.asarray, np.asarray)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(np.mean(transform(one.values)) - np.mean(transform(other.values)))
        pictures, name = _paired_error(one, other, transform), "paired pictures"
        if not math.isfinite(pictures):
            pictures = math.hypot(*(_picture_error(e, transform) for e in (one, other)))
            name = "pictures"
    known = math.isfinite(pictures)
    square, covers = (Z * pictures) ** 2 if known else 0.0, [name] if known else []
    if spread.freedom >= LEAST_FREEDOM and math.isfinite(spread.value):
        error = spread.value * math.sqrt(1 / one.n + 1 / other.n)
        square += (float(stats.t.ppf(0.975, spread.freedom)) * error) ** 2
        covers.insert(0, "seeds")
    half = math.sqrt(square) if covers else math.nan
    middle, low, high = (float(back(x)) for x in (value, value - half, value + half))
    return Comparison(middle, low, high, how, (one.n, other.n), " and ".join(covers))


def _paired_error(one, other, transform):
    """Standard error over pictures of the difference; NaN without the draws of every seed."""
    means = []
    for estimate in (one, other):
        draws = [estimate.draws.get(seed) for seed in estimate.seeds]
        if any(values is None for values in draws):
            return math.nan
        means.append(np.mean([transform(values) for values in draws], axis=0))
    return float(np.std(means[0] - means[1], ddof=1))


def _picture_error(estimate, transform):
    """Standard error over pictures on the scale of `transform`; all seeds share the pictures."""
    errors = [
        (float(transform(high)) - float(transform(low))) / (2 * Z)
        for _, low, high in estimate.seeds.values()
    ]
    return float(np.mean(errors))
