"""Prepared TFRecords as a reader, without TensorFlow."""

from bisect import bisect_right
from itertools import accumulate
from pathlib import Path

import numpy as np

from keras_shr.data.base import FARTHEST, Reader, clean_keypoints
from keras_shr.data.examples import decode_example
from keras_shr.data.images import decode_image
from keras_shr.data.loading import load_arrays
from keras_shr.data.manifest import Manifest
from keras_shr.data.records import KeypointData, Record
from keras_shr.data.shards import check_shard, check_size, read_record
from keras_shr.errors import DataError, first_line, shown


class PreparedReader(Reader):
    """The records that `prepare` wrote, in any order, without TensorFlow.

    A shard is compared with the manifest's checksum when its first record is asked for.

    Args:
        root: the folder with `manifest.json`.
        size: None, or the size that the caller relies on.

    Raises:
        DataError: naming the shard, the record and the byte of what is damaged.
    """

    kind = "prepared"

    def __init__(self, root, size=None):
        self.root = Path(root)
        self.manifest = manifest = Manifest.read(root)
        if size is not None and size != manifest.size:
            raise DataError(
                f"{root}: prepared with size {manifest.size}, asked for {size}; prepare it again"
            )
        self._starts = [0, *accumulate(shard.records for shard in manifest.shards)]
        self._offsets = {}
        for shard in manifest.shards:
            check_size(root, shard)
        super().__init__(
            manifest.name,
            manifest.skeleton,
            manifest.size,
            manifest.read_ids(root),
            manifest.split,
            manifest.options,
        )

    def groups(self) -> list[str]:
        """The group of each record, as `Record` has it; no picture is decoded."""
        count = len(self.skeleton)
        return [_parsed(*self._message(index), count)[3] for index in range(len(self))]

    def _read(self, index):
        data, where = self._message(index)
        return decode_record(data, len(self.skeleton), where, self.size)

    def _message(self, index) -> tuple[bytes, str]:
        """A record as it is stored, and where, for errors."""
        number = bisect_right(self._starts, index) - 1
        shard = self.manifest.shards[number]
        path = self.root / shard.file
        if number not in self._offsets:
            self._offsets[number] = check_shard(self.root, shard)
        row = index - self._starts[number]
        offset = self._offsets[number][row]
        with path.open("rb") as stream:
            data = read_record(stream, offset, path, row, verify=False)
        return data, f"{path}: record {row} at byte {offset}"


def decode_record(data: bytes, count: int, where: str, size: int) -> Record:
    """The inverse of `prepare.encode_record`; `where` names shard, record and byte in errors."""
    image, keypoints, record, group = _parsed(data, where, count)
    where = f"{where} ({shown(record)})"
    pixels = decode_image(image, where, max_pixels=size * size)
    if pixels.shape != (size, size, 3):
        raise DataError(
            f"{where}: {pixels.shape[1]}x{pixels.shape[0]} pixels, expected {size}x{size}"
        )
    # Crops may magnify what was as far away as a reader takes.
    points = clean_keypoints(keypoints.reshape(-1, 3), count, where, FARTHEST * size)
    return Record(pixels, points, record, group)


def _parsed(data, where, count):
    """The image (encoded), keypoints, id and group of a record."""
    try:
        features = decode_example(data)
        image, keypoints, record, group = (
            _feature(features, name, kind) for name, kind in _FEATURES.items()
        )
        if keypoints.size != 3 * count:
            raise ValueError(f"{keypoints.size} numbers as keypoints, expected {3 * count}")
        return image, keypoints, record.decode(), group.decode()
    except ValueError as error:
        reason = first_line(error)
        raise DataError(f"{where} is no record of schema version 1 ({reason})") from None


_FEATURES = {"image": bytes, "keypoints": np.ndarray, "id": bytes, "group": bytes}


def _feature(features, name, kind):
    value = features.get(name)
    if not isinstance(value, kind):
        raise ValueError(f"{name} is {'missing' if value is None else type(value).__name__}")
    return value


def read_tfrecords(path, workers: int = 1, limit: int | None = None) -> KeypointData:
    """A prepared data set in memory. Needs no TensorFlow.

    Args:
        path: the folder with `manifest.json`.
        workers: threads; 0 takes one for each core.
        limit: only the first so many records.
    """
    return load_arrays(PreparedReader(path), workers, limit=limit)
