"""Rendered hands as a data set that needs no files."""

import numpy as np

from keras_shr.data.base import Reader, clean_keypoints, whole_number
from keras_shr.data.records import Record
from keras_shr.errors import DataError, MissingPartError
from keras_shr.skeletons import HAND_21

SPLIT_STARTS = {"train": 0, "val": 10_000_000, "test": 20_000_000}
"""First index of each split: splits of one seed never share a picture."""


class RenderedReader(Reader):
    """`count` hands of `keras_shr.rendering.render_sample`, rendered when they are asked for.

    Args:
        count: how many.
        seed: of the stream of hands; the same seed and index give the same picture.
        size: height and width in pixels.
        start: index of the first hand, added to the split's own start.
        views: `"all"` or the easier `"front"`, see `keras_shr.rendering.render_sample`.
        poses: `"all"` or the easier `"open"`.
        split: `"train"`, `"val"` or `"test"`, three parts of the stream that do not overlap.
    """

    kind = "rendered"
    cpu_bound = True

    def __init__(self, count, seed=0, size=256, start=0, split=None, views="all", poses="all"):
        if split is not None and split not in SPLIT_STARTS:
            raise MissingPartError(
                f"rendered hands have the splits {list(SPLIT_STARTS)}, not {split!r}"
            )
        from keras_shr.rendering.camera import VIEWS
        from keras_shr.rendering.poses import POSES

        for name, value, known in (("views", views, VIEWS), ("poses", poses, POSES)):
            if value not in known:
                raise DataError(f"rendered hands have the {name} {list(known)}, not {value!r}")
        self.seed = whole_number("seed", seed, 0)
        self._look = {"views": views, "poses": poses}
        self._first = whole_number("start", start, 0) + SPLIT_STARTS[split or "train"]
        options = {"seed": self.seed, "first": self._first, **self._look}
        last = self._first + whole_number("count", count, 1)
        ids = [f"rendered-{self.seed}-{i:06d}" for i in range(self._first, last)]
        name = f"rendered-{split}" if split else "rendered"
        super().__init__(name, HAND_21, size, ids, split, options)
        self.splits = [split or "train"]

    def _read(self, index):
        from keras_shr.rendering import render_sample

        sample = render_sample(self.seed, self._first + index, self.size, **self._look)
        keypoints = clean_keypoints(sample.keypoints, 21, self.ids[index])
        return Record(np.asarray(sample.image, np.uint8), keypoints, self.ids[index])
