"""Some records of a data set."""

from keras_shr.data.base import Reader
from keras_shr.data.records import spread


class PartReader(Reader):
    """The records of `reader` at `indices`, in that order."""

    kind = "part"

    def __init__(self, reader, indices):
        self._reader, self._indices = reader, [int(i) for i in indices]
        self.cpu_bound = reader.cpu_bound
        super().__init__(
            reader.name,
            reader.skeleton,
            reader.size,
            [reader.ids[i] for i in self._indices],
            reader.split,
            {"part_of": reader.describe()},
        )

    @classmethod
    def at_most(cls, reader, limit) -> "PartReader":
        """At most `limit` records, spread evenly over those of `reader`."""
        return cls(reader, spread(len(reader), limit))

    def labels(self):
        return self._reader.labels()

    def _read(self, index):
        return self._reader[self._indices[index]]
