"""Several data sets, one after the other, as one."""

import bisect
import itertools

from keras_shr.data.base import Reader
from keras_shr.errors import DataError


class JoinedReader(Reader):
    """The records of several readers.

    Args:
        readers: two or more, with one number of keypoints and one size. The skeleton is the
            first one's.

    Raises:
        DataError: readers that do not fit together, or an id that two of them have.
    """

    kind = "joined"

    def __init__(self, readers):
        self._readers = list(readers)
        first = self._readers[0]
        for reader in self._readers[1:]:
            for what, mine, theirs in (
                ("keypoints", len(first.skeleton), len(reader.skeleton)),
                ("pixels", first.size, reader.size),
            ):
                if mine != theirs:
                    raise DataError(
                        f"{reader.name} has {theirs} {what} and {first.name} {mine}: they cannot "
                        "be joined"
                    )
        ids = [i for reader in self._readers for i in reader.ids]
        if len(set(ids)) < len(ids):
            twice = next(i for i, group in itertools.groupby(sorted(ids)) if len(list(group)) > 1)
            raise DataError(f"{reader.name}: the id {twice!r} is in another joined data set too")
        self._ends = list(itertools.accumulate(map(len, self._readers)))
        self.cpu_bound = any(reader.cpu_bound for reader in self._readers)
        super().__init__(
            "+".join(reader.name for reader in self._readers),
            first.skeleton,
            first.size,
            ids,
            first.split,
            {"parts": [reader.describe() for reader in self._readers]},
        )

    def _read(self, index):
        part = bisect.bisect_right(self._ends, index)
        return self._readers[part][index - (self._ends[part - 1] if part else 0)]
