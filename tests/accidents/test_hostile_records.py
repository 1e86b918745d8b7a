"""Records that were made to do harm: no memory is taken that they do not fill."""

import hashlib
import json

import pytest

from keras_shr.data import (
    Manifest,
    PreparedReader,
)
from keras_shr.data.shards import scan_shard, write_shard
from keras_shr.errors import DataError
from tests.small_sets import grey_picture


def _bomb(number):
    """An Example in whose place of bytes stands a number."""
    from keras_shr.data.examples import _field, _varint

    value = bytes([1 << 3]) + _varint(number)
    named = _field(1, b"image") + _field(2, _field(1, value))
    unnamed = value + _field(2, _field(1, _field(1, b"x")))
    return [_field(1, _field(1, named)), _field(1, _field(1, unnamed)), _field(1, value)]


def test_numbers_in_the_place_of_bytes_take_no_memory(prepared):
    """`bytes(10**12)` is a terabyte of zeros."""
    found = Manifest.read(prepared)
    for data in _bomb(10**12):
        shard = write_shard(prepared / found.shards[0].file, [data])
        changed = json.loads((prepared / "manifest.json").read_text())
        changed["shards"][0] = shard._asdict()
        changed["count"] = 1 + found.shards[1].records
        (prepared / "manifest.json").write_text(json.dumps(changed))
        with pytest.raises(DataError, match=r"ids\.txt: 3 ids for|is no record of schema version"):
            PreparedReader(prepared)[0]


@pytest.mark.parametrize("length", [2**40, 2**62, 2**64 - 1])
def test_lengths_beyond_the_file_take_no_memory(prepared, length, stream):
    from keras_shr.data.crc32c import masked_crc32c

    found = Manifest.read(prepared)
    header = length.to_bytes(8, "little")
    content = header + masked_crc32c(header).to_bytes(4, "little") + b"little"
    path = prepared / found.shards[0].file
    path.write_bytes(content)
    value = json.loads((prepared / "manifest.json").read_text())
    value["shards"][0] |= {
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    (prepared / "manifest.json").write_text(json.dumps(value))
    for read in (lambda p: PreparedReader(p)[0], stream):
        with pytest.raises(DataError, match="record 0 at byte 0 is truncated"):
            read(prepared)
    with pytest.raises(DataError, match="record 0 at byte 0 is truncated"):
        list(scan_shard(path))


def test_a_record_of_another_size_is_not_decoded(prepared, tmp_path):
    """A picture inside a record has the size of the manifest, by its header."""
    from keras_shr.data.examples import decode_example, encode_example
    from tests.accidents.bad_pictures import encoded, png_bomb

    found = Manifest.read(prepared)
    path = prepared / found.shards[0].file
    features = decode_example(next(data for _, data in scan_shard(path)))
    for picture, message in (
        (png_bomb(16000), "16000x16000 pixels, more than max_pixels = 256"),
        (encoded(grey_picture(8, 16)), "8x16 pixels, expected 16x16"),
    ):
        shard = write_shard(path, [encode_example(features | {"image": picture})])
        value = json.loads((prepared / "manifest.json").read_text())
        value["shards"][0] = shard._asdict()
        (prepared / "manifest.json").write_text(json.dumps(value))
        with pytest.raises(DataError, match=rf"record 0 at byte 0 \('a/1.png'\).*{message}"):
            PreparedReader(prepared)[0]
