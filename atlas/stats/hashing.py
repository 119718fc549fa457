"""A keyed hash of corpus positions: a random sample that does not depend on batches, shards or order.

An item's priority is a fixed function of (seed, feature, context, position). Keeping the items of
highest priority is a uniform sample without replacement, and the sample of a union is found among
the samples of its parts (bottom-k sampling: Cohen and Kaplan, 2007).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def mix(values: Hashes) -> Hashes:
    """SplitMix64's finaliser (Steele, Lea and Flood, 2014): a bijection that scrambles all 64 bits."""
    values = values + _GOLDEN
    values ^= values >> np.uint64(30)
    values *= _FIRST
    values ^= values >> np.uint64(27)
    values *= _SECOND
    values ^= values >> np.uint64(31)
    return values


def context_keys(seed: int, context_idx: NDArray[np.int64]) -> Hashes:
    """A hash of (seed, context) for each context."""
    base = mix(np.array([seed], dtype=np.int64).view(np.uint64))
    return mix(context_idx.astype(np.uint64) ^ base)


def priorities(
    keys: Hashes, feature_idx: NDArray[np.integer], position: NDArray[np.integer] | None = None
) -> Hashes:
    """A hash of (key, feature, position) for each item; without `position` of (key, feature)."""
    salt = (feature_idx.astype(np.uint64) + np.uint64(1)) << np.uint64(32)
    if position is not None:
        salt |= position.astype(np.uint64) + np.uint64(1)
    return mix(keys ^ salt)
