"""The paper's comparisons, run again: plan, train, evaluate, resume, report."""

from keras_shr.reproduction.cells import Cell
from keras_shr.reproduction.run import OutOfTime, reproduce
from keras_shr.reproduction.sizes import SIZES, Size, find_size
from keras_shr.reproduction.suites import ARCHITECTURES, SUITES, planned_cells

__all__ = [
    "ARCHITECTURES",
    "SIZES",
    "SUITES",
    "Cell",
    "OutOfTime",
    "Size",
    "find_size",
    "planned_cells",
    "reproduce",
]
