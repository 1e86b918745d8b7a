"""TFRecord files: writing, finding and checking their records without TensorFlow.

A record is its length (uint64), the length's masked CRC-32C (uint32), the data, and their masked
CRC-32C (uint32), all little endian.
"""

import hashlib
import os
import re
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from keras_shr.data.crc32c import masked_crc32c
from keras_shr.data.places import inside
from keras_shr.errors import DataError, shown
from keras_shr.files import file_sha256, replacing

_HEADER, _FOOTER = struct.Struct("<QI"), struct.Struct("<I")
OVERHEAD = _HEADER.size + _FOOTER.size
SHA256 = re.compile("[0-9a-f]{64}")
_PLAIN_NAME = re.compile(r"\w[\w.-]{0,199}", re.ASCII)


class Shard(NamedTuple):
    """What the manifest says of a shard file."""

    file: str
    records: int
    bytes: int
    sha256: str

    @classmethod
    def checked(cls, value) -> "Shard":
        """A shard from its JSON.

        Raises:
            ValueError: a field is missing or cannot be what it should be.
        """
        if not isinstance(value, dict) or set(value) != set(cls._fields):
            raise ValueError(f"a shard is {shown(value)}")
        if not isinstance(value["file"], str) or not _PLAIN_NAME.fullmatch(value["file"]):
            raise ValueError(f"a shard's file is {shown(value['file'])}, no plain file name")
        for key in ("records", "bytes"):
            if type(value[key]) is not int or value[key] < 1:
                raise ValueError(f"{value['file']} has {shown(value[key])} {key}")
        if not isinstance(value["sha256"], str) or not SHA256.fullmatch(value["sha256"]):
            raise ValueError(f"the SHA-256 of {value['file']} is {shown(value['sha256'])}")
        return cls(**value)


def write_shard(path, messages: Iterable[bytes]) -> Shard:
    """Write a TFRecord file under a temporary name, then rename it to `path`."""
    path = Path(path)
    digest, count, size = hashlib.sha256(), 0, 0
    with replacing(path) as temporary, temporary.open("wb") as stream:
        for data in messages:
            header = struct.pack("<Q", len(data))
            record = b"".join(
                (
                    header,
                    _FOOTER.pack(masked_crc32c(header)),
                    data,
                    _FOOTER.pack(masked_crc32c(data)),
                )
            )
            stream.write(record)
            digest.update(record)
            count, size = count + 1, size + len(record)
    return Shard(path.name, count, size, digest.hexdigest())


def read_record(stream, offset: int, path, number: int, verify: bool = True) -> bytes:
    """The data of the record that starts at byte `offset`.

    Args:
        stream: the open file.
        path, number: of the shard and the record, for errors.
        verify: compare the data with their checksum.

    Raises:
        DataError: naming the shard, the record's number in it and the byte where it starts.
    """
    where = f"{path}: record {number} at byte {offset}"
    stream.seek(offset)
    length = _length(stream.read(_HEADER.size), where)
    # Before it is read: memory for a length that the file does not have may not be there.
    missing = offset + OVERHEAD + length - os.fstat(stream.fileno()).st_size
    if missing > 0:
        raise DataError(f"{where} is truncated: the file ends {missing} bytes short")
    content = stream.read(length + _FOOTER.size)
    data = content[:length]
    if verify and masked_crc32c(data) != _FOOTER.unpack(content[length:])[0]:
        raise DataError(f"{where} is corrupted: its checksum does not match; prepare it again")
    return data


def record_offsets(path) -> list[int]:
    """Byte at which each record starts, from the headers alone.

    Raises:
        DataError: a header is damaged or the last record is cut off.
    """
    offsets: list[int] = []
    offset, size = 0, Path(path).stat().st_size
    with open(path, "rb") as stream:
        while offset < size:
            where = f"{path}: record {len(offsets)} at byte {offset}"
            stream.seek(offset)
            end = offset + OVERHEAD + _length(stream.read(_HEADER.size), where)
            if end > size:
                raise DataError(f"{where} is truncated: the file ends {end - size} bytes short")
            offsets.append(offset)
            offset = end
    return offsets


def scan_shard(path) -> Iterator[tuple[int, bytes]]:
    """Byte offset and data of each record, all checksums verified."""
    path = Path(path)
    offset, number, size = 0, 0, path.stat().st_size
    with path.open("rb") as stream:
        while offset < size:
            data = read_record(stream, offset, path, number)
            yield offset, data
            offset, number = offset + OVERHEAD + len(data), number + 1


def check_shard(folder, shard: Shard) -> list[int]:
    """Compare a shard file with what the manifest says, by its SHA-256.

    Returns:
        Byte at which each record starts.

    Raises:
        DataError: naming the file and, where it is damaged, the record and the byte.
    """
    path = check_size(folder, shard)
    if file_sha256(path) != shard.sha256:
        count = sum(1 for _ in scan_shard(path))  # raises at the damaged record
        raise DataError(
            f"{path}: its {count} records are whole, but it is not the file of the manifest "
            f"(SHA-256 differs, expected {shard.records} records); prepare it again"
        )
    offsets = record_offsets(path)
    if len(offsets) != shard.records:
        raise DataError(
            f"{path}: {len(offsets)} records, but the manifest says {shard.records}; prepare it "
            "again"
        )
    return offsets


def check_size(folder, shard: Shard) -> Path:
    """The quick part of `check_shard`: the file is there and has its length.

    Returns:
        Its path.
    """
    path = inside(folder, shard.file, str(Path(folder) / "manifest.json"))
    if not path.is_file():
        raise DataError(f"{path}: no such file, but the manifest lists it; prepare it again")
    size = path.stat().st_size
    if size != shard.bytes:
        offsets = record_offsets(path)  # raises at a record that is cut off
        raise DataError(
            f"{path}: {size} bytes and {len(offsets)} records, expected {shard.bytes} bytes and "
            f"{shard.records} records (the difference starts at byte {min(size, shard.bytes)}); "
            "prepare it again"
        )
    return path


def _length(header, where):
    if len(header) < _HEADER.size:
        missing = _HEADER.size - len(header)
        raise DataError(f"{where} is truncated: the file ends {missing} bytes short of its header")
    length, checksum = _HEADER.unpack(header)
    if masked_crc32c(header[:8]) != checksum:
        raise DataError(f"{where} is corrupted: the checksum of its length does not match")
    return length
