"""How often, and how strongly, each feature fires on each token: a table of (feature, token) rows.

Rows are exact as long as a feature has at most `rows_per_feature` of them. A feature that fires on more
kinds of tokens than that is counted over a hash sample of contexts: an eighth, then a 64th, and so
on, the smallest reduction that fits. Rows of different levels (0: seven of eight contexts, 1: seven
of 64, …) are kept apart, so that a level can be given up later. Which levels go depends only on the
rows of the whole corpus, so tables merge exactly in any order.

Activations are summed as integers: 24-bit mantissas, one sum per window of 8 powers of two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from atlas.stats.bits import bits_of
from atlas.stats.hashing import context_keys
from atlas.stats.ragged import ranks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas.batch import ActivationBatch
    from atlas.stats.base import State

TABLE_ROWS = 1 << 25
"""Rows of the whole table, shared out evenly among the features: 24 bytes each, 0.8 GB if all are full."""
MIN_ROWS = 1024
"""Rows that each feature may have however many features there are."""
LEVELS = 8
LEVEL_BITS = 3
"""A context reaches level n + 1 with probability 2**-LEVEL_BITS if it reaches level n."""

_WINDOW_BITS = 5
_TOKEN_BITS = 24
_LEVEL_SHIFT = _WINDOW_BITS
_TOKEN_SHIFT = _LEVEL_SHIFT + LEVEL_BITS
_FEATURE_SHIFT = _TOKEN_SHIFT + _TOKEN_BITS
_MIN_PENDING = 1 << 18
_MANTISSA = 23
_BIAS = 150


def rows_per_feature(n_features: int) -> int:
    """Rows that a feature may have; a token has one row per level and window of strength it occurs in."""
    return max(MIN_ROWS, TABLE_ROWS // max(1, n_features))


@dataclass(frozen=True)
class Rows:
    """Rows of the table. All arrays [n]."""

    key: NDArray[np.int64]
    """(feature, token, level, window) packed, so that sorted keys are sorted rows."""
    count: NDArray[np.int64]
    """Firing tokens."""
    total: NDArray[np.int64]
    """Sum of the activations in units of 2**(8 * window - 150)."""

    @property
    def feature_idx(self) -> NDArray[np.int64]:
        """[n] the feature of each row."""
        return self.key >> _FEATURE_SHIFT

    @property
    def token_id(self) -> NDArray[np.int64]:
        """[n] the token of each row."""
        return (self.key >> _TOKEN_SHIFT) & ((1 << _TOKEN_BITS) - 1)

    @property
    def level(self) -> NDArray[np.int64]:
        """[n] the level of the contexts each row counts."""
        return (self.key >> _LEVEL_SHIFT) & (LEVELS - 1)

    @property
    def activation(self) -> NDArray[np.float64]:
        """[n] sum of the activations of each row."""
        window = (self.key & ((1 << _WINDOW_BITS) - 1)).astype(np.int32)
        return np.ldexp(self.total.astype(np.float64), 8 * window - _BIAS)

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Rows:
        """The rows at an index or mask."""
        return Rows(self.key[chosen], self.count[chosen], self.total[chosen])


class PairTable:
    """Counts and sums per (feature, token), bounded per feature."""

    def __init__(self, n_features: int, seed: int) -> None:
        self.level = np.zeros(n_features, dtype=np.int8)
        """[n_features] contexts below this level do not count; 0 is all contexts."""
        self._seed = seed
        self._max_rows = rows_per_feature(n_features)
        self._rows = Rows(*(np.zeros(0, dtype=np.int64) for _ in range(3)))
        self._pending: list[Rows] = []
        self._n_pending = 0

    def add(self, batch: ActivationBatch) -> None:
        """Count every event of the batch."""
        if not batch.n_events:
            return
        level = context_levels(self._seed, batch.context_idx)[batch.context]
        key, total = _keyed(batch, level)
        if self.level.any():
            kept = level >= self.level[batch.feature_idx]
            key, total = key[kept], total[kept]
        self._queue(_added(key, None, total))
        if self._n_pending > max(_MIN_PENDING, self._rows.key.size):
            self.settle()

    def merge(self, other: Self) -> None:
        """Add the counts of another table over the same features."""
        np.maximum(self.level, other.level, out=self.level)
        self._queue(other.settle())
        self.settle()

    def settle(self) -> Rows:
        """Add up all rows and hold every feature to its bound; returns the sorted rows."""
        if self._pending:
            parts = [self._rows, *self._pending]
            self._pending, self._n_pending = [], 0
            columns = ([getattr(part, name) for part in parts] for name in ("key", "count", "total"))
            self._rows = self._bounded(_added(*(np.concatenate(column) for column in columns)))
        return self._rows

    def state(self) -> State:
        """The levels and the rows."""
        rows = self.settle()
        return {"level": self.level, "key": rows.key, "count": rows.count, "total": rows.total}

    def load(self, state: State) -> None:
        """Replace them."""
        self.level = state["level"].astype(np.int8)
        self._pending, self._n_pending = [], 0
        self._rows = Rows(*(state[name].astype(np.int64) for name in ("key", "count", "total")))

    def _queue(self, rows: Rows) -> None:
        self._pending.append(rows)
        self._n_pending += rows.key.size

    def _bounded(self, rows: Rows) -> Rows:
        """Raise each feature's level until its rows fit."""
        features = rows.feature_idx
        per_level = np.zeros((self.level.size, LEVELS), dtype=np.int64)
        np.add.at(per_level, (features, rows.level), 1)
        from_level = per_level[:, ::-1].cumsum(axis=1)[:, ::-1]
        fits = from_level <= self._max_rows
        # The last level always counts: without it nothing would be left to show.
        fits[:, -1] = True
        self.level = np.maximum(self.level, fits.argmax(axis=1)).astype(np.int8)
        return rows.take(rows.level >= self.level[features])


def context_levels(seed: int, context_idx: NDArray[np.int64]) -> NDArray[np.int64]:
    """[n] level of each context: n with probability 7 / 8**(n + 1), the last level the rest."""
    keys = context_keys(seed, context_idx)
    level = np.zeros(keys.size, dtype=np.int64)
    for step in range(1, LEVELS):
        level += (keys >> np.uint64(64 - LEVEL_BITS * step)) == 0
    return level


def _keyed(batch: ActivationBatch, level: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(key, activation as an integer) of every event."""
    bits = bits_of(batch.activation)
    # A subnormal has the exponent of the smallest normal float, without its leading 1.
    exponent = np.maximum(bits >> _MANTISSA, 1)
    mantissa = bits - ((exponent - 1) << _MANTISSA)
    key = batch.feature_idx.astype(np.int64) << _FEATURE_SHIFT
    key |= batch.event_token_id.astype(np.int64) << _TOKEN_SHIFT
    key |= level << _LEVEL_SHIFT
    key |= exponent >> 3
    return key, mantissa.astype(np.int64) << (exponent & 7)


def _added(key: NDArray[np.int64], count: NDArray[np.int64] | None, total: NDArray[np.int64]) -> Rows:
    """Rows in any order → one row per key, sorted; without `count` every row counts once."""
    if not key.size:
        return Rows(key, key, key)
    # Stable sorting makes use of the stretches that are sorted already.
    order = np.argsort(key, kind="stable")
    key = key[order]
    starts = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    counts = np.diff(starts, append=key.size) if count is None else np.add.reduceat(count[order], starts)
    return Rows(key[starts], counts, np.add.reduceat(total[order], starts))


@dataclass(frozen=True)
class Pairs:
    """(feature, token) pairs, sorted. All arrays [n]."""

    feature_idx: NDArray[np.int64]
    """The feature that fires."""
    token_id: NDArray[np.int64]
    """The token it fires on."""
    count: NDArray[np.int64]
    """Firing tokens."""
    activation: NDArray[np.float64]
    """Sum of the activations."""


def pairs_of(rows: Rows) -> Pairs:
    """Sorted rows → one pair each (feature, token)."""
    pair = rows.key >> _TOKEN_SHIFT
    starts = np.flatnonzero(ranks(pair) == 0)
    first = rows.take(starts)
    if not starts.size:
        return Pairs(first.key, first.key, first.key, np.zeros(0))
    count = np.add.reduceat(rows.count, starts)
    return Pairs(first.feature_idx, first.token_id, count, np.add.reduceat(rows.activation, starts))
