"""Cells of which the rows in the tables are all that is left.

Tables are small enough for version control; models, backups and pictures are not. Where a folder
has tables and no `cells`, the cells that were finished keep their rows, and a run trains the others
beside them: more seeds, more methods, another day, another machine.
"""

from pathlib import Path

from keras_shr.errors import DataError, KerasShrError
from keras_shr.reproduction.cells import Cell
from keras_shr.reproduction.state import read_table

_SETTINGS = {"steps": "steps", "batch_images": "images_per_step", "image_size": "image_size"}


def kept_cells(output, plan, size) -> list[Cell]:
    """The cells whose rows stay as they are, in the order of cells.csv.

    A row that is taken out of cells.csv is a cell to train again.

    Args:
        output: the run's folder.
        plan: what the folder was begun with, or None.
        size: `Size` of this call.

    Raises:
        DataError: cells.csv is damaged.
        KerasShrError: a kept cell was trained with other settings than the size's.
    """
    path = Path(output) / "cells.csv"
    whole = not (Path(output) / "cells").exists()
    listed = (plan or {}).get("kept") or []
    kept = []
    for line, row in enumerate(read_table(path), 2):
        try:
            cell = cell_of(row)
        except (KeyError, TypeError, ValueError):
            raise DataError(
                f"{path}:{line}: expected method, architecture, data and seed; remove the line to "
                "train its cell again"
            ) from None
        if row.get("status") == "done" and (whole or cell.key in listed):
            kept.append(cell)
            for column, name in _SETTINGS.items():
                if row.get(column) != str(getattr(size, name)):
                    raise KerasShrError(
                        f"{path}:{line}: {column} is {row.get(column)}, this run's "
                        f"{getattr(size, name)}; give another --output"
                    )
    return kept


def rows_by_cell(path) -> dict:
    """Cell → its rows of a table, of those that are whole."""
    found: dict = {}
    for row in read_table(path):
        found.setdefault(cell_of(row), []).append(row)
    return found


def cell_of(row) -> Cell:
    """The cell that a row of a table is about."""
    return Cell(row["method"], row["architecture"], row["data"], int(row["seed"]))
