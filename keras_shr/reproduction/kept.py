"""Cells of which the rows in the tables are all that is left.

Tables are small enough for version control; models, backups and pictures are not. A finished cell
whose folder is not there keeps its rows, and a run trains the others beside it: more seeds, more
methods, another day, another machine.
"""

from pathlib import Path

from keras_shr.errors import DataError, KerasShrError
from keras_shr.reproduction.cells import Cell
from keras_shr.reproduction.state import FACTS, PLAN, read_table

_OF_A_CELL = ("config.json", "model.keras", FACTS)


def kept_cells(output) -> list[Cell]:
    """The cells whose rows stay as they are, in the order of cells.csv.

    A row that is taken out of cells.csv is a cell to train again.

    Args:
        output: the run's folder.

    Raises:
        DataError: cells.csv is damaged.
        KerasShrError: there are rows to keep and no plan, which says with what settings their
            cells were trained, or no cells.csv, which says which of them are whole.
    """
    output = Path(output)
    path = output / "cells.csv"
    missing = None if path.exists() else path.name
    kept = []
    for line, row in enumerate(read_table(path), 2):
        try:
            cell = _cell_of(row)
        except (KeyError, TypeError, ValueError):
            raise DataError(
                f"{path}:{line}: expected method, architecture, data and seed; remove the line to "
                "train its cell again"
            ) from None
        if row.get("status") == "done" and _is_gone(output, cell):
            kept.append(cell)
    if missing:
        kept = [cell for cell in rows_by_cell(output / "scores.csv") if _is_gone(output, cell)]
    elif not (output / PLAN).exists():
        missing = PLAN
    if kept and missing:
        raise KerasShrError(
            f"{output}: has rows of {kept[0]} and neither its folder nor {missing}, without which "
            f"they cannot be gone on with; bring {missing}, or give another --output"
        )
    return kept


def _is_gone(output, cell):
    return not any((output / "cells" / cell.key / name).exists() for name in _OF_A_CELL)


def rows_by_cell(path) -> dict:
    """Cell → its rows of a table."""
    found: dict = {}
    for row in read_table(path):
        found.setdefault(_cell_of(row), []).append(row)
    return found


def _cell_of(row):
    return Cell(row["method"], row["architecture"], row["data"], int(row["seed"]))
