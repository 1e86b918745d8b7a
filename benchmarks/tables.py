"""The table of a benchmark that goes on: a CSV that is written after each row."""

import csv
from pathlib import Path


class Table:
    """Rows by what they measure; those of an earlier run are there from the start.

    Args:
        path: the CSV, which need not exist; None keeps the rows in memory only.
        key: names of the columns that say what a row measures.
        fields: names of all columns.
        order: sort key of a row in the file; without one, rows stand as they came.
    """

    def __init__(self, path, key, fields, order=None):
        self.path, self._key, self._fields = path and Path(path), key, fields
        self._order, self.rows = order, {}
        if self.path and self.path.exists():
            with open(self.path, newline="", encoding="utf-8") as file:
                self.rows = {self.key(row): row for row in csv.DictReader(file)}

    def key(self, row):
        return tuple(str(row[name]) for name in self._key)

    def __contains__(self, row):
        return self.key(row) in self.rows

    def add(self, row):
        """Adds a row, or replaces the one that measured the same, and writes the file."""
        from keras_shr.files import replacing

        self.rows[self.key(row)] = row
        if self.path is None:
            return
        rows = self.rows.values()
        with (
            replacing(self.path) as temporary,
            open(temporary, "w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, self._fields, lineterminator="\n")
            writer.writeheader()
            writer.writerows(sorted(rows, key=self._order) if self._order else rows)
