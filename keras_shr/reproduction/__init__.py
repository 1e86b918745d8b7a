"""The paper's comparisons, run again: plan, train, evaluate, resume, report."""

from keras_shr.reproduction.cells import Cell
from keras_shr.reproduction.run import OutOfTime, reproduce
from keras_shr.reproduction.sizes import SIZES, Size
from keras_shr.reproduction.suites import ARCHITECTURES, SUITES, planned_cells

__all__ = [
    "ARCHITECTURES",
    "SIZES",
    "SUITES",
    "Cell",
    "OutOfTime",
    "Size",
    "planned_cells",
    "reproduce",
]
