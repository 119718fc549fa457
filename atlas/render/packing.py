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

import struct
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.stats.ragged import row_bounds

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAGIC = b"AF1\n"
"""What the bytes of every feature shard begin with; no JSON does."""

_AT_ONCE = 4096
"""Integers per shard from which each shard is packed for itself: more no longer fit the processor's cache."""
_WIDEST = 8
"""Bytes of a varint that still fit into a machine word."""

Cuts = Sequence[int]
"""[n_shards + 1] where the part of each shard begins in a row of numbers, and where the last one ends."""


class Packer:
    """Gathers the numbers of consecutive shards, of all of them at once.

    A shard holds so few that every call of numpy costs more than its work.
    """

    def __init__(self, shards: int) -> None:
        self._integers: list[list[bytes]] = [[] for _ in range(shards)]
        self._singles: list[tuple[NDArray[np.float32], Cuts]] = []
        self._doubles: list[tuple[NDArray[np.float64], Cuts]] = []

    def integers(self, values: NDArray[Any], cuts: Cuts) -> None:
        """Put non-negative integers below 2**63, values[cuts[n]:cuts[n + 1]] into shard n."""
        for packed, part in zip(self._integers, varint_parts(values, cuts), strict=True):
            packed.append(part)

    def integers_of(self, shard: int, values: NDArray[Any]) -> None:
        """Put non-negative integers below 2**63 into `shard` alone."""
        self._integers[shard].append(varints(values))

    def signed(self, values: NDArray[Any], cuts: Cuts) -> None:
        """Put integers of both signs: 0, -1, 1, -2 … become 0, 1, 2, 3 …."""
        self.integers(zigzag(values), cuts)

    def singles(self, values: NDArray[Any], cuts: Cuts) -> None:
        """Put float32 numbers; what is not finite becomes NaN."""
        self._singles.append((_finite(values.astype(np.float32, copy=False)), cuts))

    def doubles(self, values: NDArray[Any], cuts: Cuts) -> None:
        """Put float64 numbers; what is not finite becomes NaN."""
        self._doubles.append((_finite(values.astype(np.float64, copy=False)), cuts))

    def content(self, shard: int, text: bytes) -> bytes:
        """The bytes of `shard` with `text` as its JSON."""
        integers = b"".join(self._integers[shard])
        singles = _joined(self._singles, shard, np.float32)
        doubles = _joined(self._doubles, shard, np.float64)
        head = struct.pack("<4I", len(text), len(integers), singles.size, doubles.size)
        return b"".join((MAGIC, head, text, integers, _planes(singles), _planes(doubles)))


def zigzag(values: NDArray[Any]) -> NDArray[np.int64]:
    """Integers of both signs as non-negative ones: 0, -1, 1, -2, 2 … are 0, 1, 2, 3, 4 …."""
    whole = values.astype(np.int64, copy=False)
    return (whole << 1) ^ (whole >> 63)


def varints(values: NDArray[Any]) -> bytes:
    """Non-negative integers as LEB128: seven bits a byte, lowest first, the eighth set but on the last."""
    return varint_parts(values, (0, values.size))[0]


def varint_parts(values: NDArray[Any], cuts: Cuts) -> list[bytes]:
    """`varints` of values[cuts[n]:cuts[n + 1]], for each n."""
    if cuts[-1] - cuts[0] > _AT_ONCE * (len(cuts) - 1) > _AT_ONCE:
        return [varints(values[first:last]) for first, last in pairwise(cuts)]
    data, ends = _leb128(values[cuts[0] : cuts[-1]], np.asarray(cuts) - cuts[0])
    return [data[first:last] for first, last in pairwise(ends)]


def _leb128(values: NDArray[Any], cuts: NDArray[np.int64]) -> tuple[bytes, list[int]]:
    """`varints` of `values`, and at which byte each of the values `cuts` begins."""
    width = max(1, -(-int(values.max()).bit_length() // 7)) if values.size else 1
    if width == 1:
        return values.astype(np.uint8).tobytes(), cuts.tolist()
    if width > _WIDEST:
        found = list(map(_varint, values.tolist()))
        ends = row_bounds(np.fromiter(map(len, found), np.int64, len(found)))
        return b"".join(found), ends[cuts].tolist()
    # All bytes of a number at once, in one word; and which of them there are, as a word of flags.
    word = next(each for each in (np.uint16, np.uint32, np.uint64) if width <= each().nbytes)
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
    places = np.flatnonzero(kept.view(np.bool_))
    return data.take(places).tobytes(), np.searchsorted(places, cuts * word().nbytes).tolist()


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:  # noqa: PLR2004 - seven bits
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def _finite(values: NDArray[Any]) -> NDArray[Any]:
    known = np.isfinite(values)
    return values if known.all() else np.where(known, values, values.dtype.type(np.nan))


def _joined(rows: Sequence[tuple[NDArray[Any], Cuts]], shard: int, dtype: type) -> NDArray[Any]:
    parts = [values[cuts[shard] : cuts[shard + 1]] for values, cuts in rows]
    return np.concatenate(parts) if parts else np.empty(0, dtype)


def _planes(values: NDArray[Any]) -> bytes:
    width = values.dtype.itemsize
    little = values.astype(values.dtype.newbyteorder("<"), copy=False)
    return np.ascontiguousarray(little.view(np.uint8).reshape(-1, width).T).tobytes()
