"""Index arithmetic for rows of unequal length that lie one after another in flat arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]

_DIGIT = 16


def ranges(starts: NDArray[np.integer], counts: NDArray[np.integer]) -> Indices:
    """start, start + 1, … (count of them) for every row, one after another: [sum(counts)]."""
    counts = counts.astype(np.int64)
    ends = np.cumsum(counts)
    total = int(ends[-1]) if ends.size else 0
    return np.arange(total, dtype=np.int64) + np.repeat(starts - ends + counts, counts)


def offsets(counts: NDArray[np.integer]) -> Indices:
    """Where every row starts."""
    return np.cumsum(counts, dtype=np.int64) - counts


def row_bounds(counts: NDArray[np.integer]) -> Indices:
    """[n + 1] where every row starts, and where the last one ends: row n is bounds[n]:bounds[n + 1]."""
    return np.append(0, np.cumsum(counts, dtype=np.int64))


def ranks(slots: NDArray[np.integer]) -> Indices:
    """Place of each item within its stretch of equal neighbours in `slots`, from 0."""
    if not slots.size:
        return np.zeros(0, dtype=np.int64)
    starts = np.flatnonzero(np.concatenate([[True], slots[1:] != slots[:-1]]))
    lengths = np.diff(starts, append=slots.size)
    return np.arange(slots.size, dtype=np.int64) - np.repeat(starts, lengths)


def radix_order(keys: NDArray[np.integer]) -> Indices:
    """Indices that sort `keys` (not negative), equal ones in their present order.

    numpy sorts 16-bit keys by radix, which is several times faster than any comparison: so 16 bits at a
    time, from the lowest.
    """
    width = int(keys.max()).bit_length() if keys.size else 0
    order = np.argsort(keys.astype(np.uint16), kind="stable")
    for shift in range(_DIGIT, width, _DIGIT):
        digit = (keys >> shift).astype(np.uint16)
        order = order[np.argsort(digit[order], kind="stable")]
    return order


def best_of_runs(values: NDArray[np.generic], lengths: NDArray[np.integer]) -> Indices:
    """Index of the first largest value of every run, the runs (none empty) lying one after another."""
    if not values.size:
        return np.zeros(0, dtype=np.int64)
    starts = offsets(lengths)
    largest = np.maximum.reduceat(values, starts)
    hits = np.flatnonzero(values == np.repeat(largest, lengths))
    return hits[np.searchsorted(hits, starts)]


def chunks(sizes: NDArray[np.integer], limit: int) -> list[tuple[int, int]]:
    """Consecutive items as (first, past the last), the `sizes` of each chunk at most `limit` together.

    An item larger than that makes a chunk of its own.
    """
    ends = np.cumsum(sizes, dtype=np.int64)
    found: list[tuple[int, int]] = []
    start = 0
    while start < ends.size:
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + limit, side="right")))
        found.append((start, stop))
        start = stop
    return found
