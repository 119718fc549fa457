"""Sums of positive floats that are bit-identical in every order of adding and merging.

Each value is cut into digits of base 2**28 at fixed places (the same for every value, as the
windows of Demmel and Nguyen, "Parallel Reproducible Summation", 2015); each place is summed in
integers. Only the three highest places in use are kept. They rise with the largest value seen, so
that what is kept depends on the values alone, never on their order. What lies below them is cut
off: less than 2**-56 of the largest value, per value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIGITS = 3
WIDTH = 28
_EMPTY = np.int16(-10_000)
_BASE = 2.0**WIDTH


class ExactSums:
    """One sum per feature. Good for 2**35 values per feature and 2**25 of one feature per batch."""

    def __init__(self, n_features: int) -> None:
        self.top = np.full(n_features, _EMPTY, dtype=np.int16)
        """[n_features] place of the highest digit, in powers of 2**28."""
        self.digits = np.zeros((n_features, DIGITS), dtype=np.int64)
        """[n_features, 3] sums of the digits, highest place first."""

    def add(
        self,
        features: NDArray[np.int32],
        starts: NDArray[np.int64],
        lengths: NDArray[np.int64],
        values: NDArray[np.float64],
    ) -> None:
        """Add positive `values`, in one stretch per feature; `features` holds each feature once."""
        _, exponent = np.frexp(np.maximum.reduceat(values, starts))
        self._raise(features, ((exponent - 1) // WIDTH).astype(np.int16))
        scale = np.ldexp(1.0, -WIDTH * self.top[features].astype(np.int32))
        rest = values * np.repeat(scale, lengths)
        for place in range(DIGITS):
            digit = np.floor(rest)
            self.digits[features, place] += np.add.reduceat(digit, starts).astype(np.int64)
            if place < DIGITS - 1:
                rest -= digit
                rest *= _BASE

    def merge(self, other: Self) -> None:
        """Add another set of sums over the same features."""
        features = np.flatnonzero(other.top > _EMPTY).astype(np.int32)
        self._raise(features, other.top[features])
        lower = self.top[features] - other.top[features]
        for place in range(DIGITS):
            target = place + lower
            kept = target < DIGITS
            self.digits[features[kept], target[kept]] += other.digits[features[kept], place]

    def totals(self) -> NDArray[np.float64]:
        """[n_features] the sums; 0 where nothing was added."""
        top = np.where(self.top > _EMPTY, self.top, 0).astype(np.int32)
        total = np.zeros(len(top))
        for place in reversed(range(DIGITS)):
            total += np.ldexp(self.digits[:, place].astype(np.float64), WIDTH * (top - place))
        return total

    def _raise(self, features: NDArray[np.int32], top: NDArray[np.int16]) -> None:
        """Let the highest place of each of `features` be at least `top`."""
        rise = top - self.top[features]
        higher = rise > 0
        features, rise, top = features[higher], rise[higher], top[higher]
        if not features.size:
            return
        old = self.digits[features]
        new = np.zeros_like(old)
        for place in range(1, DIGITS):
            source = place - rise
            rows = np.flatnonzero(source >= 0)
            new[rows, place] = old[rows, source[rows]]
        self.digits[features] = new
        self.top[features] = top
