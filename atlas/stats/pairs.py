"""How often, and how strongly, each feature fires with each token: a table of (feature, token) rows.

Rows are exact as long as they fit. The room of the whole table is shared out like water: every feature may
have as many rows as it needs up to one cap, and the cap is the largest with which all of them fit. A
feature that needs more is counted over a hash sample of contexts: a quarter, then a 16th, and so on, the
smallest reduction that brings it under the cap. Rows of different levels (0: three of four contexts,
1: three of 16, …) are kept apart, so that a level can be given up later.

The cap depends only on min(rows a feature needs, cap), which is known of every feature: once a level has
been given up the feature needs more than the cap, and caps only fall. So cap and levels depend only on the
rows of the whole corpus, and tables merge exactly in any order.

Activations are summed as integers: 24-bit mantissas, one sum per window of 8 powers of two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from atlas.stats.bits import bits_of
from atlas.stats.hashing import context_keys
from atlas.stats.ragged import radix_order
from atlas.stats.split import Split

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas.batch import ActivationBatch
    from atlas.stats.base import PassShape, State

TABLE_ROWS = 3 << 20
"""Rows of all tables of one SAE together: 8 to 11 bytes each …"""
MIN_ROWS = 84
"""… and so many per feature where that is more."""
SHARES = 4
"""Tables ask for quarters of the room."""
LEVELS = 8
LEVEL_BITS = 2
"""A context reaches level n + 1 with probability 2**-LEVEL_BITS if it reaches level n."""
NO_TOKEN = -1
"""Stands where an event has no token to be counted with."""

_TAG_BITS = 8
_WINDOW_BITS = 5
_MIN_PENDING = 1 << 20
_MANTISSA = 23
_BIAS = 150


def table_rows(n_features: int, quarters: int) -> int:
    """Rows a table with `quarters` of the room may have: one per token, level and window of strength."""
    return max(TABLE_ROWS, MIN_ROWS * n_features) * quarters // SHARES


@dataclass(frozen=True)
class Rows:
    """Rows of a table. All arrays [n]."""

    key: NDArray[np.int64]
    """(feature, token, level, window) packed, so that sorted keys are sorted rows."""
    count: NDArray[np.int64]
    """Events."""
    total: NDArray[np.int64]
    """Sum of the activations in units of 2**(8 * window - 150); good for 2**32 events a row."""
    token_bits: int
    """Bits of `key` that hold the token."""

    @property
    def pair(self) -> NDArray[np.int64]:
        """[n] (feature, token) packed."""
        return self.key >> _TAG_BITS

    @property
    def feature_idx(self) -> NDArray[np.int64]:
        """[n] the feature of each row."""
        return self.key >> (_TAG_BITS + self.token_bits)

    @property
    def token_id(self) -> NDArray[np.int64]:
        """[n] the token of each row."""
        return self.pair & ((1 << self.token_bits) - 1)

    @property
    def tag(self) -> NDArray[np.int64]:
        """[n] (level, window) packed."""
        return self.key & ((1 << _TAG_BITS) - 1)

    @property
    def level(self) -> NDArray[np.int64]:
        """[n] the level of the contexts each row counts."""
        return self.tag >> _WINDOW_BITS

    @property
    def activation(self) -> NDArray[np.float64]:
        """[n] sum of the activations of each row."""
        window = (self.key & ((1 << _WINDOW_BITS) - 1)).astype(np.int32)
        return np.ldexp(self.total.astype(np.float64), 8 * window - _BIAS)

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Rows:
        """The rows at an index or mask."""
        return Rows(self.key[chosen], self.count[chosen], self.total[chosen], self.token_bits)


@dataclass(frozen=True)
class _Packed:
    """Sorted rows in as few bytes as they need: nearly all of them count a few events."""

    lengths: NDArray[np.uint32]
    """[n_features] rows of each feature."""
    token_id: NDArray[np.unsignedinteger]
    """[n] uint16 where the vocabulary allows."""
    tag: NDArray[np.uint8]
    """[n] (level, window)."""
    count: Split
    """[n] events, one byte each."""
    total: Split
    """[n] sums, four bytes each."""

    @classmethod
    def of(cls, rows: Rows, n_features: int, token_type: type[np.unsignedinteger]) -> _Packed:
        return cls(
            np.bincount(rows.feature_idx, minlength=n_features).astype(np.uint32),
            rows.token_id.astype(token_type),
            rows.tag.astype(np.uint8),
            Split.of(rows.count, np.uint8),
            Split.of(rows.total, np.uint32),
        )

    def rows(self, token_bits: int) -> Rows:
        key = np.repeat(np.arange(self.lengths.size, dtype=np.int64) << token_bits, self.lengths)
        key |= self.token_id
        key <<= _TAG_BITS
        key |= self.tag
        return Rows(key, self.count.whole(), self.total.whole(), token_bits)


class PairTable:
    """Counts and sums per (feature, token) in a bounded number of rows."""

    def __init__(self, shape: PassShape, quarters: int) -> None:
        """A table with `quarters` of the room that all tables share."""
        self.level = np.zeros(shape.n_features, dtype=np.int8)
        """[n_features] contexts below this level do not count; 0 is all contexts. Complete when settled."""
        self._shape = shape
        self._max_rows = table_rows(shape.n_features, quarters)
        self._cap = self._max_rows
        self._token_bits = max(1, (shape.vocabulary_size - 1).bit_length())
        self._token_type = np.uint16 if self._token_bits <= np.iinfo(np.uint16).bits else np.uint32
        nothing = np.zeros(0, dtype=np.int64)
        self._packed = self._pack(self._rows(nothing, nothing, nothing))
        self._pending: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        self._n_pending = 0

    def add(self, batch: ActivationBatch, token_ids: NDArray[np.int32]) -> None:
        """Count every event with its entry of `token_ids` [n_contexts, context_size], if that is >= 0."""
        if not batch.n_events:
            return
        token_id = token_ids.reshape(-1)[batch.row]
        level = context_levels(self._shape.seed, batch.context_idx)[batch.context]
        key = batch.feature_idx.astype(np.int64) << self._token_bits
        key |= token_id
        key <<= _TAG_BITS
        key |= level << _WINDOW_BITS
        window, total = _windowed(batch.activation)
        key |= window
        kept = (token_id >= 0) & (level >= self.level[batch.feature_idx])
        if not kept.all():
            key, total = key[kept], total[kept]
        self._pending.append((key, total))
        self._n_pending += key.size
        if self._n_pending > max(_MIN_PENDING, self._packed.tag.size):
            self.settle()

    def merge(self, other: Self) -> None:
        """Add the counts of another table of the same shape."""
        self.settle()
        theirs = other.rows()
        self._cap = min(self._cap, other._cap)
        np.maximum(self.level, other.level, out=self.level)
        self._take_in(theirs)

    def settle(self) -> None:
        """Add up everything and hold the table to its bound."""
        if not self._pending:
            return
        key, total = (np.concatenate(column) for column in zip(*self._pending, strict=True))
        self._pending, self._n_pending = [], 0
        order = radix_order(key)
        key = key[order]
        starts = _starts(key)
        count = np.diff(starts, append=key.size)
        self._take_in(self._rows(key[starts], count, _sums(total[order], starts)))

    def rows(self) -> Rows:
        """The settled rows, sorted."""
        self.settle()
        return self._packed.rows(self._token_bits)

    def state(self) -> State:
        """Cap, levels and the packed rows."""
        self.settle()
        packed = self._packed
        return {
            "cap": np.array([self._cap], dtype=np.int64),
            "level": self.level,
            "lengths": packed.lengths,
            "token_id": packed.token_id,
            "tag": packed.tag,
            **packed.count.state("count"),
            **packed.total.state("total"),
        }

    def load(self, state: State) -> None:
        """Replace them."""
        self._cap = int(state["cap"][0])
        self.level = state["level"].astype(np.int8)
        self._pending, self._n_pending = [], 0
        self._packed = _Packed(
            state["lengths"].astype(np.uint32),
            state["token_id"].astype(self._token_type),
            state["tag"].astype(np.uint8),
            Split.load(state, "count", np.uint8),
            Split.load(state, "total", np.uint32),
        )

    def _rows(self, *columns: NDArray[np.int64]) -> Rows:
        key, count, total = columns
        return Rows(key, count, total, self._token_bits)

    def _pack(self, rows: Rows) -> _Packed:
        return _Packed.of(rows, self._shape.n_features, self._token_type)

    def _take_in(self, rows: Rows) -> None:
        """Add sorted `rows`, one per key, to the settled ones."""
        everything = _added(self._packed.rows(self._token_bits), rows)
        self._packed = self._pack(self._bounded(everything))

    def _bounded(self, rows: Rows) -> Rows:
        """Lower the cap until all rows fit, and raise each feature's level until its rows fit the cap."""
        if rows.key.size <= self._max_rows and not self.level.any():
            return rows
        features, level = rows.feature_idx, rows.level
        n_features = self._shape.n_features
        per_level = np.bincount(features * LEVELS + level, minlength=n_features * LEVELS)
        from_level = per_level.reshape(n_features, LEVELS)[:, ::-1].cumsum(axis=1)[:, ::-1]
        needed = np.where(self.level > 0, self._cap, from_level[:, 0])
        self._cap = min(self._cap, _largest_cap(needed, self._max_rows))
        fits = from_level <= self._cap
        # The last level always counts: without it nothing would be left to show.
        fits[:, -1] = True
        self.level = np.maximum(self.level, fits.argmax(axis=1)).astype(np.int8)
        kept = level >= self.level[features]
        return rows if kept.all() else rows.take(kept)


def _largest_cap(needed: NDArray[np.int64], room: int) -> int:
    """The largest cap >= 1 with which sum(min(needed, cap)) is at most `room`; `room` itself if all fit."""
    needed = np.sort(needed)
    smaller = np.cumsum(needed) - needed
    others = np.arange(needed.size, 0, -1)
    over = np.flatnonzero(smaller + others * needed > room)
    return max(1, int((room - smaller[over[0]]) // others[over[0]])) if over.size else room


def context_levels(seed: int, context_idx: NDArray[np.int64]) -> NDArray[np.int64]:
    """[n] level of each context: n with probability 3 / 4**(n + 1), the last level the rest."""
    keys = context_keys(seed, context_idx)
    level = np.zeros(keys.size, dtype=np.int64)
    for step in range(1, LEVELS):
        level += (keys >> np.uint64(64 - LEVEL_BITS * step)) == 0
    return level


def _windowed(activation: NDArray[np.float32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """(window, activation as an integer) of every event."""
    bits = bits_of(activation)
    # A subnormal has the exponent of the smallest normal float, without its leading 1.
    exponent = np.maximum(bits >> _MANTISSA, 1)
    mantissa = bits - ((exponent - 1) << _MANTISSA)
    return exponent >> 3, mantissa.astype(np.int64) << (exponent & 7)


def _added(one: Rows, other: Rows) -> Rows:
    """Two tables of sorted rows as one with one row per key."""
    if not one.key.size or not other.key.size:
        return one if one.key.size else other
    key = np.concatenate([one.key, other.key])
    # Stable sorting makes use of the stretches that are sorted already.
    order = np.argsort(key, kind="stable")
    key = key[order]
    starts = _starts(key)
    count, total = (
        _sums(np.concatenate(columns)[order], starts)
        for columns in ((one.count, other.count), (one.total, other.total))
    )
    return Rows(key[starts], count, total, one.token_bits)


def _starts(key: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where every stretch of equal keys begins."""
    return np.flatnonzero(np.diff(key, prepend=-1))


def _sums(values: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The sum of every stretch."""
    return np.add.reduceat(values, starts) if starts.size else values


@dataclass(frozen=True)
class Pairs:
    """(feature, token) pairs, sorted. All arrays [n]."""

    feature_idx: NDArray[np.int64]
    """The feature that fires."""
    token_id: NDArray[np.int64]
    """The token it fires with."""
    count: NDArray[np.int64]
    """Events."""
    activation: NDArray[np.float64]
    """Sum of the activations."""


def pairs_of(rows: Rows) -> Pairs:
    """Sorted rows → one pair each (feature, token)."""
    starts = _starts(rows.pair)
    first = rows.take(starts)
    activation = np.add.reduceat(rows.activation, starts) if starts.size else np.zeros(0)
    return Pairs(first.feature_idx, first.token_id, _sums(rows.count, starts), activation)
