"""Wrong constants: each of `perturbation_constants` times 1.2 and 0.8, one at a time."""

import contextlib
from dataclasses import dataclass

import numpy as np
import perturbation_statistics as suite
from keras import ops
from perturbation_constants import ALL, FACTORS, TABLES, WHOLE, Table

from keras_shr import _random
from keras_shr.perturbations import NATIVE, _common, perturb_kind

PARITY_COUNT = 50


@dataclass(frozen=True)
class Mutant:
    table: Table
    path: tuple
    factor: float

    @property
    def constant(self):
        """Such as `_SNOW[2] sigma` for severity 3."""
        path, column = self.path, ""
        if self.table.columns:
            path, column = path[:-1], f" {self.table.columns[path[-1]]}"
        return self.table.name + "".join(f"[{i}]" for i in path) + column

    @property
    def key(self):
        return self.table.kind, self.constant, self.factor

    @property
    def whole(self):
        """Whether only whole numbers make sense."""
        names = (self.table.name, self.constant.split(" ")[-1])
        return any(name in WHOLE for name in names)

    @property
    def severities(self):
        table = self.table
        return (self.path[0] + 1,) if table.severities is None else table.severities

    def value(self):
        """The whole table with one number changed."""
        table = getattr(self.table.module, self.table.name)
        if self.table.name != "_FACTORS":
            return _replaced(table, self.path, _changed(table, self.path, self.factor, self.whole))
        severity, what = self.path
        step, last = table[severity][1] - 1, len(table[severity]) - 1
        largest = step * last
        if what == 0:
            step *= self.factor
        else:
            largest *= self.factor
        # Half a step more, as with the reference's `arange`, includes the largest.
        return _replaced(table, (severity,), np.arange(1, 1 + largest + step / 2, step))


def mutants(kind):
    """All mutants of a kind."""
    found = []
    for table in TABLES:
        if table.kind != kind:
            continue
        value = getattr(table.module, table.name)
        shape = (5, 2) if table.name == "_FACTORS" else np.shape(value)
        found += [Mutant(table, path, f) for path in np.ndindex(*shape) for f in FACTORS]
    return found


def _changed(table, path, factor, whole):
    """20 % more or less; a whole number by 1 at least, a zero by 20 % of the smallest beside it."""
    old = table
    for i in path:
        old = old[i]
    if old == 0:
        column = np.abs(np.asarray(table)[(..., path[-1]) if len(path) > 1 else ...])
        return (factor - 1.0) * column[column > 0].min()
    if isinstance(old, int) and whole:
        new = round(old * factor)
        return new if new != old else old + (1 if factor > 1 else -1)
    return old * factor


def _replaced(table, path, value):
    if not path:
        return value
    if isinstance(table, np.ndarray):
        table = table.copy()
        table[path] = value
        return table
    rows = list(table)
    rows[path[0]] = _replaced(rows[path[0]], path[1:], value)
    return tuple(rows)


@contextlib.contextmanager
def planted(mutant):
    """The package with the mutant in it."""
    module = mutant.table.module
    changes = dict(mutant.table.room) | {mutant.table.name: mutant.value()}
    before = {name: getattr(module, name) for name in changes}
    try:
        for name, value in changes.items():
            setattr(module, name, value)
        _forget(module)
        yield
    finally:
        for name, value in before.items():
            setattr(module, name, value)
        _forget(module)


def _forget(module):
    """Tables computed from the constants."""
    for function in vars(module).values():
        if hasattr(function, "cache_clear"):
            function.cache_clear()


@dataclass(frozen=True)
class Verdict:
    """Which suites noticed: parity, distribution, error, or a test's name; and by how much."""

    killed_by: tuple
    severity: int
    statistic: str
    excess: float


def soundness(kind):
    """The largest excess of the package as it is, measured as mutants are: must be below 1."""
    return max(excess for excess, *_ in _measure(kind, ALL).values())


def judge(mutant):
    """Run the suites on a mutant, without compiling: that would take longer than the pictures."""
    for severity in mutant.severities:  # with the right constants; it is kept
        suite.reference_draws(mutant.table.kind, severity)
    with planted(mutant):
        try:
            found = _measure(mutant.table.kind, mutant.severities)
        except Exception as error:
            return Verdict((f"error ({type(error).__name__})",), mutant.severities[0], "", np.inf)
        killed = [name for name, (excess, *_) in found.items() if not excess < 1.0]
        if not killed:
            killed = [test.func.__name__ for test in mutant.table.tests if _fails(test)]
        excess, severity, statistic = max(found.values())
        return Verdict(tuple(dict.fromkeys(killed)), severity, statistic, excess)


def _fails(test):
    try:
        test()
    except Exception:
        return True
    return False


def _measure(kind, severities):
    """Suite -> (excess over the bound, severity, statistic), the largest."""
    before, _common.accelerated = _common.accelerated, lambda: True  # all images at once
    try:
        parity, distribution = [], []
        for severity in severities:
            images = suite.pictures()
            levels = np.full(len(images), severity, "int32")
            if kind in suite.DETERMINISTIC:
                injected = perturbed = _native(kind, images, levels)
            else:
                injected = _applied(kind, severity)
                perturbed = _native(kind, images, levels)
            parity.append(
                (suite.parity(kind, severity, injected[:PARITY_COUNT]), severity, "parity")
            )
            ratios = suite.excess(kind, severity, perturbed)
            distribution += [(ratio, severity, name) for name, ratio in ratios.items()]
        return {"parity": max(parity), "distribution": max(distribution)}
    finally:
        _common.accelerated = before


def _native(kind, images, levels):
    return np.asarray(perturb_kind(images, kind, levels, _random.as_seed(suite.SEED), force=True))


def _applied(kind, severity):
    """With the reference's draws, which are made once, with the right constants."""
    images = suite.pictures()[:PARITY_COUNT].astype("float32")
    levels = np.full(len(images), severity, "int32")
    draws = {
        k: ops.convert_to_tensor(v[:PARITY_COUNT])
        for k, v in suite.reference_draws(kind, severity).items()
    }
    images, levels = ops.convert_to_tensor(images), ops.convert_to_tensor(levels)
    return suite.truncated(NATIVE[kind].apply(images, levels, draws))
