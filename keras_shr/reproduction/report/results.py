"""What a run found, looked up by method, architecture, data set and metric."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_shr.errors import DataError
from keras_shr.evaluation.bootstrap import Bootstrap
from keras_shr.evaluation.protocol import SEEN, UNSEEN
from keras_shr.reproduction.report.methods import BASELINE, in_order, label
from keras_shr.reproduction.report.reading import CELL, FILES, read_rows
from keras_shr.reproduction.report.statistics import Estimate, compare, pooled
from keras_shr.reproduction.suites import MAIN

ALL, CLEAN = "all", "clean"
MARK = "†"
"""Behind whatever had not converged."""
_PLAIN = ("done", "not run")
LOWEST_AUC = 0.70
LARGEST_GAIN = 0.005
COLLAPSED = 0.5
CONVERGENCE = (
    "a comparison counts only if the baseline's clean AUC is at least .70, that of both methods at "
    "least half of it (a network that always answers the same is perfectly stable), and the "
    "validation AUC of both neither gained nor lost .5 points or more in the last fifth of training"
)


@dataclass(frozen=True)
class Progress:
    """How many seeds of a method are there, and what speaks against reading them as converged."""

    planned: int
    done: int
    faults: tuple[str, ...] = ()
    failure: str = ""

    @property
    def state(self) -> str:
        if not self.done:
            return "failed" if self.failure else "not run"
        return "not converged" if self.faults else "run"


class Results:
    """The files of one folder.

    Attributes:
        folder: where they lie.
        rows: file name → its rows; no rows for a file that is not there.
        data: names of data sets in the order of cells.csv.
        main: the architecture of everything but Figure 8.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        if not (self.folder / "cells.csv").is_file():
            raise DataError(f"{self.folder}: no cells.csv; give the folder that reproduce wrote")
        self.rows = {name: read_rows(self.folder, name) for name in FILES}
        for row in self.rows["times.csv"]:  # as runs wrote it before 2026-12
            row["device"] = row["device"].replace("CPU, 1 cores", "CPU, 1 core")
        cells = self.rows["cells.csv"]
        self.data = list(dict.fromkeys(row["data"] for row in cells))
        architectures = list(dict.fromkeys(row["architecture"] for row in cells))
        self.main = MAIN if MAIN in architectures else architectures[0]
        self.architectures = architectures
        self._cells: dict = {}
        for row in cells:
            key = row["method"], row["architecture"], row["data"]
            self._cells.setdefault(key, {})[row["seed"]] = row
        self._index()

    def _index(self):
        self._values = {}
        for row in self.rows["scores.csv"]:
            labelled = row["metric"].startswith(("auc", "epe"))
            if row["decoding"] != "argmax" or row["visibility"] != ("all" if labelled else "any"):
                continue
            key = row["metric"], row["group"], row["kind"], row["severity"]
            self._add(row, key, row["value"], row.get("low"), row.get("high"))
        self._draws = self._read_draws()
        self._add_smoothness()
        for row in self.rows["temporal.csv"]:
            key = row["metric"], row["source"], "", ""
            self._add(row, key, row["value"], row.get("low"), row.get("high"))

        self._average_kinds()

    def _add_smoothness(self):
        """The mean over pictures; its draws are paired between cells of the same pictures."""
        cells: dict = {}
        for row in self.rows["smoothness.csv"]:
            cells.setdefault(tuple(row[k] for k in CELL), []).append(row)
        first: dict = {}  # data set → its pictures and the draws of them
        for (*cell, seed), rows in cells.items():
            values = np.array([row["smoothness"] for row in rows])
            names = [row["image"] for row in rows]
            if cell[2] not in first:
                first[cell[2]] = names, Bootstrap([""] * len(names))
            pictures, bootstrap = first[cell[2]]
            if names == pictures and len(names) > 1:
                _, drawn = bootstrap.ratio(values[:, None], np.ones((len(names), 1)))
                key = (*cell, "smoothness", CLEAN, "", "")
                self._draws.setdefault(key, {})[seed] = drawn[:, 0]
            half = 1.96 * values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else np.nan
            mean = float(values.mean())
            self._add(rows[0], ("smoothness", CLEAN, "", ""), mean, mean - half, mean + half)

    def _read_draws(self):
        """Cell and figure → seed → values in the bootstrap draws of pictures."""
        found: dict = {}
        counts = set()
        for row in self.rows["draws.csv"]:
            cell = tuple(row[k] for k in CELL[:3])
            what = ", ".join((*cell, f"seed {row['seed']}", row["metric"], row["group"]))
            try:
                values = np.array(row["draws"].split(), "float64")
            except ValueError:
                raise DataError(
                    f"{self.folder / 'draws.csv'}: {what}: draws are not all numbers"
                ) from None
            counts.add(len(values))
            if len(counts) > 1:
                few, many = sorted(counts)
                raise DataError(
                    f"{self.folder / 'draws.csv'}: {what}: rows of {few} and of {many} draws; all "
                    "must come from the same"
                )
            key = (*cell, row["metric"], row["group"], row["kind"], "")
            found.setdefault(key, {})[row["seed"]] = values
        return found

    def _average_kinds(self):
        """mPC and rPC: mean AUC over the fifteen kinds, and its share of the clean AUC."""
        by_kind: dict = {}
        for key, seeds in self._values.items():
            if key[3] == "auc" and key[4] in (SEEN, UNSEEN) and key[5] and not key[6]:
                by_kind.setdefault(key[:3], {})[key[5]] = seeds
        for cell, kinds in by_kind.items():
            clean = self._values.get((*cell, "auc", CLEAN, "", ""), {})
            whole = self._values.get((*cell, "auc", ALL, "", ""), {})
            for seed in set.intersection(*(set(seeds) for seeds in kinds.values())):
                mean = float(np.mean([seeds[seed][0] for seeds in kinds.values()]))
                ends = whole[seed][1:] if seed in whole else (math.nan, math.nan)
                self._values.setdefault((*cell, "mPC", ALL, "", ""), {})[seed] = (mean, *ends)
                if clean.get(seed, (0,))[0] > 0:
                    share = mean / clean[seed][0]
                    rpc = self._values.setdefault((*cell, "rPC", ALL, "", ""), {})
                    rpc[seed] = (share, math.nan, math.nan)

    def _add(self, row, key, value, low, high):
        if math.isnan(value):
            return
        key = (row["method"], row["architecture"], row["data"], *key)
        seeds = self._values.setdefault(key, {})
        if row["seed"] in seeds:
            raise DataError(
                f"{self.folder}: two values of {key[3]} ({'/'.join(k for k in key[4:] if k)}) for "
                f"{', '.join(key[:3])}, seed {row['seed']}; expected one"
            )
        ends = [math.nan if end is None else end for end in (low, high)]
        seeds[row["seed"]] = (value, *ends)

    def estimate(self, method, data, metric, group=CLEAN, kind="", severity="", architecture=None):
        """`Estimate` over the seeds of a method, or None where nothing was run."""
        architecture = architecture or self.main
        key = (method, architecture, data, metric, group, kind, severity)
        seeds = self._values.get(key)
        return Estimate(seeds, self._draws.get(key, {})) if seeds else None

    def has(self, metric, group=None) -> bool:
        """Whether any method has a value of a metric (in a group)."""
        return any(k[3] == metric and group in (None, k[4]) for k in self._values)

    def kinds(self, group) -> list[str]:
        """Kinds of a group that were evaluated, in the order met."""
        found = (k[5] for k in self._values if k[3] == "auc" and k[4] == group and k[5])
        return list(dict.fromkeys(found))

    def methods(self, data=None, architecture=None) -> list[str]:
        """Methods that were planned, in the fixed order."""
        return in_order(
            method
            for method, a, d in self._cells
            if data in (None, d) and a == (architecture or self.main)
        )

    def compare(self, one, other, data, how, metric, group=CLEAN, kind="", architecture=None):
        """`Comparison` of two methods, or None where one of them was not run."""
        first, second = (
            self.estimate(method, data, metric, group, kind, architecture=architecture)
            for method in (one, other)
        )
        if first is None or second is None:
            return None
        transform = np.log if how == "ratio" else np.asarray
        everyone = [
            Estimate(seeds)
            for key, seeds in self._values.items()
            if key[2:] == (data, metric, group, kind, "")
        ]
        return compare(first, second, how, pooled(everyone, transform))

    def progress(self, method, data, architecture=None) -> Progress:
        """How far a method's cells are and whether they pass the convergence rule."""
        architecture = architecture or self.main
        cells = self._cells.get((method, architecture, data), {})
        estimate = self.estimate(method, data, "auc", architecture=architecture)
        if estimate is None:
            failures = [row["status"] for row in cells.values() if row["status"] not in _PLAIN]
            return Progress(len(cells), 0, failure=failures[0] if failures else "")
        faults = []
        baseline = self.estimate(BASELINE, data, "auc", architecture=architecture)
        if baseline is None:
            faults.append("the baseline was not run")
        elif baseline.value < LOWEST_AUC:
            faults.append(f"the baseline's clean AUC is {baseline.value:.3f}, below .70")
        elif estimate.values.min() < COLLAPSED * baseline.value:
            faults.append(
                f"it collapsed: clean AUC {estimate.values.min():.3f}, less than half of the "
                "baseline's"
            )
        gains = [
            cells[seed]["val_auc_gain_last_fifth"]
            for seed in estimate.seeds
            if seed in cells and not math.isnan(_gain(cells[seed]))
        ]
        growing = sum(gain >= LARGEST_GAIN for gain in gains)
        if growing:
            faults.append(
                f"validation AUC still gained .5 points or more in the last fifth (up to "
                f"{100 * max(gains):.1f}, {growing} of {estimate.n} seeds)"
            )
        falling = sum(gain <= -LARGEST_GAIN for gain in gains)
        if falling:
            faults.append(
                f"validation AUC fell by .5 points or more in the last fifth (up to "
                f"{-100 * min(gains):.1f}, {falling} of {estimate.n} seeds)"
            )
        if len(gains) < estimate.n:
            faults.append("the gain in the last fifth is not known")
        return Progress(max(len(cells), estimate.n), estimate.n, tuple(faults))

    def name(self, method, data=None, architecture=None) -> str:
        """A method's name for a figure, with a dagger where it had not converged.

        Args:
            method: its key.
            data: a data set; None asks for all of them.
            architecture: `main` by default.
        """
        places = self.data if data is None else [data]
        found = [self.progress(method, place, architecture) for place in places]
        return label(method) + f" {MARK}" * any(one.done and one.faults for one in found)

    def cell_rows(self, method, data, architecture=None) -> list[dict]:
        """Rows of cells.csv, one a seed."""
        return list(self._cells.get((method, architecture or self.main, data), {}).values())


def _gain(cell):
    return cell.get("val_auc_gain_last_fifth", math.nan)
