"""Index arithmetic for rows of unequal length that lie one after another in flat arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]

_KEY_BITS = 64
_RADIX = 1 << 16


def ranges(starts: NDArray[np.integer], counts: NDArray[np.integer]) -> Indices:
    """start, start + 1, … (count of them) for every row, one after another: [sum(counts)]."""
    counts = counts.astype(np.int64)
    ends = np.cumsum(counts)
    total = int(ends[-1]) if ends.size else 0
    return np.arange(total, dtype=np.int64) + np.repeat(starts - ends + counts, counts)


def offsets(counts: NDArray[np.integer]) -> Indices:
    """Where every row starts."""
    return np.cumsum(counts, dtype=np.int64) - counts


def ranks(slots: NDArray[np.integer]) -> Indices:
    """Place of each item within its stretch of equal neighbours in `slots`, from 0."""
    if not slots.size:
        return np.zeros(0, dtype=np.int64)
    starts = np.flatnonzero(np.concatenate([[True], slots[1:] != slots[:-1]]))
    lengths = np.diff(starts, append=slots.size)
    return np.arange(slots.size, dtype=np.int64) - np.repeat(starts, lengths)


def order_by(major: NDArray[np.integer], minor: NDArray[np.integer]) -> Indices:
    """Indices that sort by (major, minor), both not negative; equal ones in their present order."""
    if not major.size:
        return np.zeros(0, dtype=np.int64)
    width = int(minor.max()).bit_length()
    if int(major.max()).bit_length() + width < _KEY_BITS:
        # One key is several times faster to sort than two.
        return np.argsort((major.astype(np.int64) << width) | minor, kind="stable")
    return np.lexsort((minor, major))


def radix_order(keys: NDArray[np.int32]) -> Indices:
    """Indices that sort `keys` (not negative), equal ones in their present order.

    numpy sorts 16-bit keys by radix, which is several times faster than any comparison.
    """
    if not keys.size or int(keys.max()) < _RADIX:
        return np.argsort(keys.astype(np.uint16), kind="stable")
    order = np.argsort((keys % _RADIX).astype(np.uint16), kind="stable")
    high = (keys // _RADIX).astype(np.uint16)
    return order[np.argsort(high[order], kind="stable")]


def best_of_runs(values: NDArray[np.generic], lengths: NDArray[np.integer]) -> Indices:
    """Index of the first largest value of every run, the runs (none empty) lying one after another."""
    if not values.size:
        return np.zeros(0, dtype=np.int64)
    starts = offsets(lengths)
    largest = np.maximum.reduceat(values, starts)
    hits = np.flatnonzero(values == np.repeat(largest, lengths))
    return hits[np.searchsorted(hits, starts)]
