"""CRC-32C (Castagnoli), the checksum inside TFRecord files, in NumPy.

A CRC is linear over GF(2): the register after the bytes `a + b` is the register after `a`, moved
on by `len(b)` zero bytes, XOR the register after `b` alone. So the data are cut into equal blocks
whose registers are computed side by side, then joined in pairs.
"""

import functools

import numpy as np

_POLYNOMIAL = 0x82F63B78  # reflected
_BLOCK = 64  # bytes
_MASK_DELTA = 0xA282EAD8


def _byte_table():
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(_POLYNOMIAL), table >> 1)
    return table


_TABLE = _byte_table()
_TABLE_LIST = _TABLE.tolist()


def _pair_table():
    table = np.arange(1 << 16, dtype=np.uint32)
    for _ in range(2):
        table = _TABLE[table & 255] ^ (table >> 8)
    return table


_PAIR_TABLE = _pair_table()


@functools.cache
def _shift(level):
    """Tables `(4, 256)` that move a register on by `_BLOCK · 2**level` zero bytes."""
    bytes_at = np.arange(256, dtype=np.uint32) << (8 * np.arange(4, dtype=np.uint32)[:, None])
    if level:
        return _move(_move(bytes_at, level - 1), level - 1)
    for _ in range(_BLOCK):
        bytes_at = _TABLE[bytes_at & 255] ^ (bytes_at >> 8)
    return bytes_at


def _move(registers, level):
    tables = _shift(level)
    result = tables[0][registers & 255]
    for i in range(1, 4):
        result ^= tables[i][(registers >> (8 * i)) & 255]
    return result


def crc32c(data: bytes) -> int:
    """CRC-32C of `data` (RFC 3720): 0xE3069283 for `b"123456789"`."""
    if len(data) < _BLOCK:
        register = 0xFFFFFFFF
        for byte in data:
            register = _TABLE_LIST[(register ^ byte) & 255] ^ (register >> 8)
        return register ^ 0xFFFFFFFF
    # Zeros in front change nothing for a register that starts at 0; the standard's start of all
    # ones is the same as inverting the first four bytes.
    blocks = 1 << (-(-len(data) // _BLOCK) - 1).bit_length()
    padded = np.zeros(blocks * _BLOCK, np.uint8)
    padded[-len(data) :] = np.frombuffer(data, np.uint8)
    first = padded.size - len(data)
    padded[first : first + 4] ^= 0xFF
    pairs = np.ascontiguousarray(padded.view("<u2").reshape(blocks, _BLOCK // 2).T)
    registers = np.zeros(blocks, np.uint32)
    for pair in pairs:
        registers = _PAIR_TABLE[(registers & 0xFFFF) ^ pair] ^ (registers >> 16)
    level = 0
    while len(registers) > 1:
        registers = _move(registers[0::2], level) ^ registers[1::2]
        level += 1
    return int(registers[0]) ^ 0xFFFFFFFF


def masked_crc32c(data: bytes) -> int:
    """TFRecord's form: rotated right by 15 bits, plus a constant, modulo 2³²."""
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF
