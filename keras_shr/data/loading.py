"""A reader's records as arrays, in memory as far as they fit."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from keras_shr._cores import cores
from keras_shr.data.base import Reader, whole_number
from keras_shr.data.records import KeypointData
from keras_shr.data.workers import run_tasks

MEMORY_BYTES = 1e9
"""Images above this are read again and again where that will do; below it memory is faster."""

_BLOCK = 64  # records a task: enough to make the pipe's cost small


class ReaderImages:
    """The first `count` images of a reader, read whenever they are asked for.

    Stands in for an array: it has a shape, and slices, numbers and arrays of numbers index it.
    """

    dtype, ndim = np.dtype("uint8"), 4

    def __init__(self, reader, count):
        self._reader, self.shape = reader, (count, reader.size, reader.size, 3)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index) -> np.ndarray:
        chosen = np.arange(len(self))[index]
        if np.ndim(chosen) == 0:
            return self._reader[chosen].image
        images = np.empty((len(chosen), *self.shape[1:]), np.uint8)
        for place, number in enumerate(chosen):
            images[place] = self._reader[number].image
        return images

    def __iter__(self):
        return (self._reader[number].image for number in range(len(self)))


def load_arrays(
    reader: Reader,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
    limit: int | None = None,
    memory: float | None = None,
) -> KeypointData:
    """All records (or the first `limit`), in the reader's order.

    Args:
        reader: any reader.
        workers: threads, or processes for a reader that computes its pictures; 0 takes one for
            each core.
        progress: called with (records done, records in all) as work goes on.
        limit: stop after this many records.
        memory: bytes of images to keep in memory. Those of a larger set are read again whenever
            they are asked for, by a `ReaderImages`. None keeps them all.

    Returns:
        Images uint8 `(count, size, size, 3)` and keypoints float32 `(count, keypoints, 3)`.
    """
    count = len(reader) if limit is None else min(whole_number("limit", limit, 0), len(reader))
    workers = workers or cores()
    size = reader.size
    images: Any = ReaderImages(reader, count)
    if memory is None or count * size**2 * 3 <= memory:
        images = np.empty(images.shape, np.uint8)
    keypoints = np.empty((count, len(reader.skeleton), 3), np.float32)
    ids, groups = [""] * count, [""] * count
    blocks = [(i, min(i + _BLOCK, count)) for i in range(0, count, _BLOCK)]
    done = 0

    def store(block, content):
        part = slice(*block)
        pixels, keypoints[part], ids[part], groups[part] = content
        if isinstance(images, np.ndarray):
            images[part] = pixels
        return block

    for first, stop in _stored_blocks(reader, blocks, workers, store):
        done += stop - first
        if progress is not None:
            progress(done, count)
    return KeypointData(images, keypoints, reader.skeleton, ids, groups, reader.name)


def _stored_blocks(reader, blocks, workers, store):
    """Each block, once its records are in the arrays."""
    if workers <= 1 or reader.cpu_bound:
        for block, content in run_tasks(_read_block, blocks, reader, workers):
            yield store(block, content)
        return
    # Pillow decodes and resizes without Python's lock, so threads are enough for files.
    with ThreadPoolExecutor(workers) as pool:
        try:
            yield from pool.map(lambda block: store(block, _read_block(reader, block)), blocks)
        finally:
            pool.shutdown(cancel_futures=True)


def _read_block(reader, block):
    records = [reader[i] for i in range(*block)]
    return (
        np.stack([r.image for r in records]),
        np.stack([r.keypoints for r in records]),
        [r.id for r in records],
        [r.group for r in records],
    )
