"""Tables of counts in as few bytes as they need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from atlas.stats.split import Split

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas.stats.base import State

_LARGEST = np.iinfo(np.uint32).max


class CountTable:
    """Counts [n_rows, n_columns], 32 bits each until so many things were counted that one might not fit."""

    def __init__(self, n_rows: int, n_columns: int) -> None:
        self.counts: NDArray[np.unsignedinteger] = np.zeros((n_rows, n_columns), dtype=np.uint32)
        """[n_rows, n_columns]"""
        self._counted = 0

    def add(self, rows: NDArray[np.integer], columns: NDArray[np.integer]) -> None:
        """Count one thing in each of the cells (row, column)."""
        self._make_room(rows.size)
        cells = rows.astype(np.int64) * self.counts.shape[1] + columns
        # The addends' type must be the table's: otherwise add.at is many times slower.
        np.add.at(self.counts.reshape(-1), cells, np.ones(cells.size, self.counts.dtype))

    def merge(self, other: Self, first: int = 0) -> None:
        """Add the counts of a table with as many rows, its columns to those from `first` on."""
        self._make_room(other._counted)
        self.counts[:, first : first + other.counts.shape[1]] += other.counts.astype(self.counts.dtype)

    def widen(self, before: int, after: int) -> None:
        """Add columns of zeros; none for numbers below 1."""
        if before > 0 or after > 0:
            self.counts = np.pad(self.counts, ((0, 0), (max(before, 0), max(after, 0))))

    def state(self, name: str) -> State:
        """Three arrays named after `name`: most counts need no more than two bytes."""
        split = Split.of(self.counts.reshape(-1).astype(np.int64), np.uint16)
        return split.state(name) | {name: split.low.reshape(self.counts.shape)}

    def load(self, state: State, name: str) -> None:
        """Replace the table by what `state(name)` gave."""
        shape = state[name].shape
        counts = Split.load({**state, name: state[name].reshape(-1)}, name, np.uint16).whole()
        self._counted = 0
        self._make_room(int(counts.sum()))
        self.counts = counts.reshape(shape).astype(self.counts.dtype)

    def _make_room(self, n_more: int) -> None:
        """Let the table hold `n_more` things more in one cell."""
        self._counted += n_more
        dtype = np.uint64 if self._counted > _LARGEST else np.uint32
        if self.counts.dtype != dtype:
            self.counts = self.counts.astype(dtype)
