"""A seeded random order that is the same on every machine and library version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def shuffled(length: int, seed: int) -> NDArray[np.int64]:
    """The numbers below `length` in a random order that depends on `seed` alone.

    They are sorted by a hash (the finaliser of SplitMix64, Steele, Lea & Flood 2014), which needs no
    random generator whose stream a library may change.
    """
    with np.errstate(over="ignore"):
        key = _mix(np.array([seed & 0xFFFFFFFFFFFFFFFF], dtype=np.uint64) + _GOLDEN)
        state = _mix(np.arange(length, dtype=np.uint64) * _GOLDEN ^ key)
    return np.argsort(state, kind="stable").astype(np.int64)


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    state = (state ^ (state >> np.uint64(30))) * _MIX_1
    state = (state ^ (state >> np.uint64(27))) * _MIX_2
    return state ^ (state >> np.uint64(31))
