"""Prepared TFRecords as a reader, without TensorFlow."""

from bisect import bisect_right
from itertools import accumulate
from pathlib import Path

from keras_shr.data.base import Reader, clean_keypoints
from keras_shr.data.examples import decode_example
from keras_shr.data.images import decode_image
from keras_shr.data.loading import load_arrays
from keras_shr.data.manifest import Manifest
from keras_shr.data.records import KeypointData, Record
from keras_shr.data.shards import check_shard, check_size, read_record, record_offsets
from keras_shr.errors import DataError


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

    def _read(self, index):
        number = bisect_right(self._starts, index) - 1
        shard = self.manifest.shards[number]
        path = self.root / shard.file
        if number not in self._offsets:
            check_shard(self.root, shard)
            self._offsets[number] = record_offsets(path)
        row = index - self._starts[number]
        offset = self._offsets[number][row]
        with path.open("rb") as stream:
            data = read_record(stream, offset, path, row, verify=False)
        return decode_record(data, len(self.skeleton), f"{path}: record {row} at byte {offset}")


def decode_record(data: bytes, count: int, where: str) -> Record:
    """The inverse of `prepare.encode_record`; `where` names shard, record and byte in errors."""
    try:
        features = decode_example(data)
        image, keypoints = features["image"], features["keypoints"].reshape(-1, 3)
        record, group = features["id"].decode(), features["group"].decode()
    except (ValueError, KeyError, IndexError, AttributeError) as error:
        raise DataError(f"{where} is no record of schema version 1 ({error})") from None
    where = f"{where} ({record})"
    return Record(
        decode_image(image, where), clean_keypoints(keypoints, count, where), record, group
    )


def read_tfrecords(path, workers: int = 1, limit: int | None = None) -> KeypointData:
    """A prepared data set in memory. Needs no TensorFlow.

    Args:
        path: the folder with `manifest.json`.
        workers: threads; 0 takes one for each core.
        limit: only the first so many records.
    """
    return load_arrays(PreparedReader(path), workers, limit=limit)
