"""Several data sets, one after the other, as one."""

import bisect
import itertools

from keras_shr.data.base import Reader, digest
from keras_shr.errors import DataError, shown


def check_names(first, reader) -> None:
    """Equally many keypoints of other names, or in another order, would be mixed up.

    Raises:
        DataError: naming the first keypoint that differs. Numbered keypoints fit any other.
    """
    skeletons = first.skeleton, reader.skeleton
    if any(skeleton.is_numbered for skeleton in skeletons):
        return
    names = (skeleton.keypoints for skeleton in skeletons)
    for number, (mine, theirs) in enumerate(zip(*names, strict=False)):
        if mine != theirs:
            raise DataError(
                f"{reader.name} calls keypoint {number} {shown(theirs)} and {first.name} "
                f"{shown(mine)}: they do not fit together; give both one skeleton.json"
            )


class JoinedReader(Reader):
    """The records of several readers.

    Args:
        readers: two or more, with the same keypoints in the same order, and one size. The skeleton
            is the first one's; one whose keypoints are merely numbered fits any other.

    Raises:
        DataError: readers that do not fit together, or an id that two of them have.
    """

    kind = "joined"

    def __init__(self, readers):
        self._readers = list(readers)
        first = self._readers[0]
        named = next((r for r in self._readers if not r.skeleton.is_numbered), first)
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
            check_names(named, reader)
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

    def labels(self):
        return digest([reader.labels() for reader in self._readers])

    def _read(self, index):
        part = bisect.bisect_right(self._ends, index)
        return self._readers[part][index - (self._ends[part - 1] if part else 0)]
