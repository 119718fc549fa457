"""The bytes of a feature shard: one text and three rows of numbers, each kind where it packs best.

Inflated, a feature shard is, little-endian:

1. the four letters `AF1` and a newline, then four uint32: bytes of the text, bytes of the integers, number of
   singles, number of doubles;
2. the text: UTF-8 JSON, an object that `atlas.render.feature_shards` documents;
3. the integers: unsigned LEB128, one after the other (where a number may be negative or absent, that module
   says how it was made one of these);
4. the singles: float32 in four planes, all lowest bytes first, all highest last; NaN is "no number";
5. the doubles: float64 in eight planes, likewise.

A reader takes integers, singles and doubles in the order in which they were put, each kind for itself.
`themes/default/src/core/feature-codec.ts` is that reader.
"""

from __future__ import annotations

import json
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MAGIC = b"AF1\n"
"""What the bytes of every feature shard begin with; no JSON does."""

_LEVELS = (4, 1, 2, 1)
"""Effort per part: more than this costs integers and singles much time for little room."""
_MANY = 256
_RAW_DEFLATE = -15
_WIDEST = 8
"""Bytes of a varint that still fit into a machine word."""
_GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_LAST_BLOCK = b"\x03\x00"


class Packer:
    """Gathers the numbers of one shard."""

    def __init__(self) -> None:
        self._integers: list[bytes] = []
        self._waiting: list[NDArray[np.int64]] = []
        self._singles: list[NDArray[np.float32]] = []
        self._doubles: list[NDArray[np.float64]] = []

    def integers(self, values: NDArray[Any]) -> None:
        """Put non-negative integers below 2**63."""
        if values.size < _MANY:
            self._waiting.append(values)
            return
        # Packed for themselves: so larger ones elsewhere cost many small ones nothing.
        self._settle()
        self._integers.append(varints(values))

    def signed(self, values: NDArray[Any]) -> None:
        """Put integers of both signs: 0, -1, 1, -2 … become 0, 1, 2, 3 …."""
        self.integers(zigzag(values))

    def singles(self, values: NDArray[Any]) -> None:
        """Put float32 numbers; what is not finite becomes NaN."""
        self._singles.append(values.astype(np.float32, copy=False))

    def doubles(self, values: NDArray[Any]) -> None:
        """Put float64 numbers; what is not finite becomes NaN."""
        self._doubles.append(values.astype(np.float64, copy=False))

    def parts(self, text: dict[str, Any]) -> list[bytes]:
        """The parts of the shard with `text` as its JSON; put together they are its bytes."""
        self._settle()
        words = json.dumps(text, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        integers = b"".join(self._integers)
        singles = _joined(self._singles, np.float32)
        doubles = _joined(self._doubles, np.float64)
        head = struct.pack("<4I", len(words), len(integers), singles.size, doubles.size)
        return [MAGIC + head + words, integers, _planes(singles), _planes(doubles)]

    def _settle(self) -> None:
        if self._waiting:
            self._integers.append(varints(np.concatenate(self._waiting, dtype=np.int64)))
            self._waiting = []


def zigzag(values: NDArray[Any]) -> NDArray[np.int64]:
    """Integers of both signs as non-negative ones: 0, -1, 1, -2, 2 … are 0, 1, 2, 3, 4 …."""
    whole = values.astype(np.int64, copy=False)
    return (whole << 1) ^ (whole >> 63)


def varints(values: NDArray[Any]) -> bytes:
    """Non-negative integers as LEB128: seven bits a byte, lowest first, the eighth set but on the last."""
    if not values.size:
        return b""
    width = max(1, -(-int(values.max()).bit_length() // 7))
    if width == 1:
        return values.astype(np.uint8).tobytes()
    if width > _WIDEST:
        return b"".join(map(_varint, values.tolist()))
    # All bytes of a number at once, in one word; and which of them there are, as a word of flags.
    word = np.uint32 if width <= np.uint32().nbytes else np.uint64
    rest = values.astype(word)
    cells, used = rest & word(127), np.ones(values.size, word)
    for place in range(1, width):
        rest >>= word(7)
        more = (rest != 0).astype(word)
        cells |= more << word(8 * place - 1)
        cells |= (rest & word(127)) << word(8 * place)
        used |= more << word(8 * place)
    little = np.dtype(word).newbyteorder("<")
    data, kept = (found.astype(little, copy=False).view(np.uint8) for found in (cells, used))
    # Several times faster than data[kept], which waits for each flag.
    return data.take(np.flatnonzero(kept.view(np.bool_))).tobytes()


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:  # noqa: PLR2004 - seven bits
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def gzip_parts(parts: Sequence[bytes]) -> bytes:
    """One gzip member that inflates to `parts` put together, each deflated with tables of its own."""
    check = size = 0
    packed = [_GZIP_HEAD]
    for number, part in enumerate(parts):
        packer = zlib.compressobj(_LEVELS[min(number, 3)], zlib.DEFLATED, _RAW_DEFLATE)
        packed += (packer.compress(part), packer.flush(zlib.Z_FULL_FLUSH))
        check = zlib.crc32(part, check)
        size += len(part)
    packed += (_LAST_BLOCK, struct.pack("<2I", check, size & 0xFFFFFFFF))
    return b"".join(packed)


def _joined(arrays: list[NDArray[Any]], dtype: type) -> NDArray[Any]:
    values = np.concatenate(arrays) if arrays else np.empty(0, dtype)
    known = np.isfinite(values)
    return values if known.all() else np.where(known, values, dtype(np.nan))


def _planes(values: NDArray[Any]) -> bytes:
    width = values.dtype.itemsize
    little = values.astype(values.dtype.newbyteorder("<"), copy=False)
    return np.ascontiguousarray(little.view(np.uint8).reshape(-1, width).T).tobytes()
