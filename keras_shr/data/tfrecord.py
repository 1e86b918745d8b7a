"""Prepared TFRecords streamed through tf.data. The one module here that needs TensorFlow."""

import contextlib
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_shr.data.manifest import Manifest
from keras_shr.data.prepared import PreparedReader
from keras_shr.data.shards import check_shard, check_size
from keras_shr.errors import DataError, KerasShrError

_FEATURES = ("image", "keypoints", "id", "group", "index")


def tfrecord_dataset(
    path,
    batch_size: int | None = None,
    shuffle: bool = False,
    seed: int | None = None,
    repeat: bool = False,
    shard_index: int = 0,
    shard_count: int = 1,
    elements: str = "pair",
    drop_remainder: bool = False,
    buffer: int = 2048,
    verify: str = "open",
    shards: int | None = None,
    first_record: int = 0,
) -> Any:
    """Stream a prepared data set as a `tf.data.Dataset`, for `model.fit`.

    Args:
        path: the folder with `manifest.json`.
        batch_size: None for single records.
        shuffle: order of the shards and, within a window of `buffer` records, of the records; a
            new order each epoch. Without it the records come in the reader's order.
        seed: makes the shuffled orders repeatable.
        repeat: go on for ever (then `fit` needs `steps_per_epoch`). The n-th pass has one order
            for each `seed`.
        shard_index: which of `shard_count` parts of the records this process decodes, from 0; the
            parts do not overlap.
        shard_count: number of parts, one for each process. Where the shards can be dealt out
            evenly each process reads its own ones; otherwise all read everything, and each decodes
            every `shard_count`-th record.
        elements: `"pair"`: (images, keypoints); `"dict"`: all of image, keypoints, id, group and
            index. Images are uint8 `(size, size, 3)`, keypoints float32 `(keypoints, 3)`.
        drop_remainder: leave out a last batch that is not full.
        buffer: records in the window that is shuffled.
        verify: when to compare the shards with the manifest's checksums. `"open"`: all of them
            now (about a second for each gigabyte), so that damage is a DataError before training
            begins. `"stream"`: each shard when its turn comes, for data too large for that; the
            error is then one of TensorFlow's, with the same text (see `named_data_errors`).
        shards: read only so many of the shards, the first ones: the others may be held out.
        first_record: where in this process's endless sequence of `repeat` to begin: as many as an
            interrupted run has behind it.

    Raises:
        DataError: naming the shard, the record and the byte of what is missing or damaged.
    """
    import tensorflow as tf

    manifest = _checked_manifest(path, verify)
    used = manifest.shards[:shards]
    total = sum(shard.records for shard in used)
    if not total:
        raise KerasShrError(f"shards is {shards!r}; expected 1 to {len(manifest.shards)}")
    if not 0 <= shard_index < shard_count <= total:
        raise KerasShrError(
            f"shard_index {shard_index} of shard_count {shard_count}: expected an index below the "
            f"count, and a count of at most the {total} records"
        )
    if elements not in ("pair", "dict"):
        raise KerasShrError(f"elements is {elements!r}; expected 'pair' or 'dict'")
    if shuffle and seed is None and shard_count > 1:
        raise KerasShrError("shuffled parts need a seed, the same in every process, not to overlap")

    root, auto = str(Path(path)), tf.data.AUTOTUNE
    numbers, parts = list(range(len(used))), shard_count
    if len(used) % shard_count == 0:
        numbers, shard_index, shard_count = numbers[shard_index::shard_count], 0, 1
        total = sum(used[number].records for number in numbers)
    count = len(range(shard_index, total, shard_count))

    def open_shard(number):
        files = tf.constant([str(Path(root) / shard.file) for shard in manifest.shards])
        if verify == "stream":
            number = tf.numpy_function(_Checker(root, manifest.shards), [number], tf.int64)
            number = tf.ensure_shape(number, ())
        return tf.data.TFRecordDataset(files[number])

    def one_pass(seed, **options):
        own = tf.data.Dataset.from_tensor_slices(tf.constant(numbers, tf.int64))
        if shuffle:
            own = own.shuffle(len(numbers), seed=seed, **options)
        # Shuffled, eight shards are read in turn, which mixes further than the buffer reaches.
        records = own.interleave(
            open_shard,
            cycle_length=8 if shuffle else 1,
            num_parallel_calls=auto,
            deterministic=True,
        )
        records = records.apply(tf.data.experimental.assert_cardinality(total))
        if shard_count > 1:
            records = records.shard(shard_count, shard_index)
        return records.shuffle(min(buffer, count), seed=seed, **options) if shuffle else records

    if repeat:
        first_pass, behind = divmod(first_record, count)
        base = (random.getrandbits(31) if seed is None else seed) * 1_000_003

        # An order that counted the passes of this process would be another one after a resume.
        def numbered_pass(number):
            # TensorFlow cannot put a global seed of 0 together with a seed that is a tensor; this
            # one is the graph's own, whatever the global one is.
            tf.random.set_seed(1)
            return one_pass(base + number, reshuffle_each_iteration=False)

        records = tf.data.Dataset.range(first_pass, tf.int64.max).flat_map(numbered_pass)
        records = records.skip(behind)
        records = records.apply(
            tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
        )
    else:
        records = one_pass(seed)
    dataset = records.map(_decoder(manifest, elements), num_parallel_calls=auto, deterministic=True)
    if batch_size is not None:
        dataset = dataset.batch(batch_size, drop_remainder=drop_remainder)
    options = tf.data.Options()
    policy = tf.data.experimental.AutoShardPolicy
    options.experimental_distribute.auto_shard_policy = policy.OFF if parts > 1 else policy.DATA
    return dataset.with_options(options).prefetch(auto)


@contextlib.contextmanager
def named_data_errors(path) -> Iterator[None]:
    """Turn TensorFlow's errors about damaged records inside the block into a DataError.

    TensorFlow names at most the byte of a damaged record, not its file, so the shards are searched.
    Wrap `fit` or a loop over the data set in it.

    Args:
        path: the folder with `manifest.json`.
    """
    import tensorflow as tf

    try:
        yield
    except tf.errors.DataLossError as error:
        _checked_manifest(path, "open")
        raise DataError(f"{path}: {error.message}; its shards are in order now") from error
    except tf.errors.OpError as error:
        found = re.search(r"DataError: (.+)", str(error.message))
        if found:
            raise DataError(found.group(1)) from error
        if "IteratorGetNext" in str(error.message):  # not one of the model's
            _read_all(path)
        raise


def _read_all(path):
    """Raises the DataError of the first record that is none of this data set's."""
    reader = PreparedReader(path)
    for number in range(len(reader)):
        reader[number]


class _Checker:
    """Compares a shard with the manifest when it is first opened, and lets its number through."""

    def __init__(self, root, shards):
        self.root, self.shards, self.checked = root, shards, set()

    def __call__(self, number):
        if int(number) not in self.checked:
            check_shard(self.root, self.shards[int(number)])
            self.checked.add(int(number))
        return number


def _checked_manifest(path, verify):
    if verify not in ("open", "stream"):
        raise KerasShrError(f"verify is {verify!r}; expected 'open' or 'stream'")
    manifest = Manifest.read(path)
    for shard in manifest.shards:
        (check_shard if verify == "open" else check_size)(path, shard)
    return manifest


def _decoder(manifest, elements):
    """A function from a serialised Example to the tensors of one record."""
    import tensorflow as tf

    features = {
        name: tf.io.FixedLenFeature((), tf.int64 if name == "index" else tf.string)
        for name in _FEATURES
    }
    features["keypoints"] = tf.io.FixedLenFeature((len(manifest.skeleton), 3), tf.float32)
    shape = (manifest.size, manifest.size, 3)

    def decode(message):
        record = tf.io.parse_single_example(message, features)
        if manifest.image_format == "jpeg":
            # Pillow's method; TensorFlow's default is a faster one that differs in the last bits.
            image = tf.io.decode_jpeg(record["image"], 3, dct_method="INTEGER_ACCURATE")
        else:
            image = tf.io.decode_png(record["image"], 3)
        record["image"] = tf.ensure_shape(image, shape)
        record["keypoints"] = tf.debugging.check_numerics(record["keypoints"], "keypoints")
        return record if elements == "dict" else (record["image"], record["keypoints"])

    return decode
