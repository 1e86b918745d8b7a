"""Checksums, Examples, and damaged TFRecord files."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_shr.data.crc32c import crc32c, masked_crc32c
from keras_shr.data.examples import decode_example, encode_example
from keras_shr.data.shards import check_shard, record_offsets, scan_shard, write_shard
from keras_shr.errors import DataError

RECORDS = [bytes([i]) * 100 * (i + 1) for i in range(4)]
OFFSETS = [0, 116, 332, 648]  # 16 bytes of framing a record


def _slow_crc32c(data):
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


def test_crc_known_values():
    assert crc32c(b"123456789") == 0xE3069283
    # RFC 3720, B.4
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E


@given(st.binary(max_size=700))
def test_crc_is_the_definition(data):
    assert crc32c(data) == _slow_crc32c(data)


@pytest.fixture
def shard(tmp_path):
    shard = write_shard(tmp_path / "a.tfrecord", RECORDS)
    return tmp_path, shard


def test_written_records_come_back(shard):
    folder, shard = shard
    path = folder / shard.file
    assert list(scan_shard(path)) == list(zip(OFFSETS, RECORDS, strict=True))
    assert record_offsets(path) == OFFSETS
    assert (shard.records, shard.bytes) == (4, 1064)
    check_shard(folder, shard)
    assert [p.name for p in folder.iterdir()] == ["a.tfrecord"]


def test_tensorflow_reads_our_files_and_we_read_its(tmp_path):
    tf = pytest.importorskip("tensorflow")
    ours, its = tmp_path / "ours", tmp_path / "its"
    write_shard(ours, RECORDS)
    with tf.io.TFRecordWriter(str(its)) as writer:
        for record in RECORDS:
            writer.write(record)
    assert ours.read_bytes() == its.read_bytes()
    assert list(tf.data.TFRecordDataset(str(ours)).as_numpy_iterator()) == RECORDS


def test_masked_crc_differs_from_the_plain_one():
    assert (
        masked_crc32c(b"123456789") == ((0xE3069283 >> 15 | 0xE3069283 << 17) + 0xA282EAD8) % 2**32
    )


@pytest.mark.parametrize(
    ("byte", "message"),
    [
        (332, r"record 2 at byte 332 is corrupted: the checksum of its length"),
        (332 + 9, r"record 2 at byte 332 is corrupted: the checksum of its length"),
        (332 + 50, r"record 2 at byte 332 is corrupted: its checksum does not match"),
        (648 - 1, r"record 2 at byte 332 is corrupted: its checksum does not match"),
    ],
)
def test_flipped_bit_is_found(shard, byte, message):
    folder, shard = shard
    path = folder / shard.file
    content = bytearray(path.read_bytes())
    content[byte] ^= 4
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"a.tfrecord: {message}"):
        check_shard(folder, shard)


@pytest.mark.parametrize(
    ("length", "message"),
    [
        (700, r"record 3 at byte 648 is truncated: the file ends 364 bytes short"),
        (650, r"record 3 at byte 648 is truncated: the file ends 10 bytes short of its header"),
        (648, r"648 bytes and 3 records, expected 1064 bytes and 4 records .* at byte 648"),
        (0, r"0 bytes and 0 records"),
    ],
)
def test_truncated_shard_is_found(shard, length, message):
    folder, shard = shard
    path = folder / shard.file
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DataError, match=rf"a.tfrecord: {message}"):
        check_shard(folder, shard)


def test_foreign_and_missing_shards(shard):
    folder, shard = shard
    write_shard(folder / shard.file, RECORDS[::-1])
    with pytest.raises(DataError, match="its 4 records are whole, but it is not the file"):
        check_shard(folder, shard)
    (folder / shard.file).unlink()
    with pytest.raises(DataError, match=r"a.tfrecord: no such file"):
        check_shard(folder, shard)


def test_failed_shard_leaves_nothing_behind(tmp_path):
    def messages():
        yield RECORDS[0]
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_shard(tmp_path / "a", messages())
    assert not list(tmp_path.iterdir())


FEATURES = {
    "image": bytes(range(256)) * 3,
    "keypoints": np.array([1.5, -2, 0], np.float32),
    "id": "ä/7",
    "group": "",
    "index": 123456789012,
}


def test_examples_come_back():
    back = decode_example(encode_example(FEATURES | {"negative": -5}))
    assert back["image"] == FEATURES["image"]
    np.testing.assert_array_equal(back["keypoints"], FEATURES["keypoints"])
    assert back["id"].decode() == "ä/7"
    assert (back["group"], back["index"], back["negative"]) == (b"", 123456789012, -5)


def test_examples_are_tensorflows():
    tf = pytest.importorskip("tensorflow")
    example = tf.train.Example.FromString(encode_example(FEATURES))
    features = example.features.feature
    assert features["image"].bytes_list.value[0] == FEATURES["image"]
    assert list(features["keypoints"].float_list.value) == [1.5, -2, 0]
    assert features["id"].bytes_list.value[0].decode() == "ä/7"
    assert features["index"].int64_list.value[0] == 123456789012
    assert decode_example(example.SerializeToString())["index"] == 123456789012


@pytest.mark.parametrize("data", [b"\x0a\xff", b"\x0b", b"\x0a\x05\x0a\x03\x0a\x01a"])
def test_damaged_examples(data):
    with pytest.raises(ValueError):
        decode_example(data)
