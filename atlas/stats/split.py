"""A few large integers among many small ones, in few bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas.stats.base import State


@dataclass(frozen=True)
class Split:
    """Non-negative integers below 2**(32 + bits of `low`), at most 2**32 of them, kept exactly."""

    low: NDArray[np.unsignedinteger]
    """[n] the lowest bits of every number."""
    at: NDArray[np.uint32]
    """[m] indices of the numbers that do not fit, ascending …"""
    high: NDArray[np.uint32]
    """[m] … and their further bits."""

    @classmethod
    def of(cls, values: NDArray[np.int64], low: type[np.unsignedinteger]) -> Self:
        """`values` with low parts of type `low`."""
        high = values >> _bits(low)
        at = np.flatnonzero(high)
        return cls(values.astype(low), at.astype(np.uint32), high[at].astype(np.uint32))

    def whole(self) -> NDArray[np.int64]:
        """[n] the numbers."""
        values = self.low.astype(np.int64)
        values[self.at] |= self.high.astype(np.int64) << _bits(self.low.dtype)
        return values

    def state(self, name: str) -> State:
        """The three arrays, each named after `name`."""
        return {name: self.low, f"{name}_at": self.at, f"{name}_high": self.high}

    @classmethod
    def load(cls, state: State, name: str, low: type[np.unsignedinteger]) -> Self:
        """What `state(name)` gave, with low parts of type `low`."""
        return cls(
            state[name].astype(low),
            state[f"{name}_at"].astype(np.uint32),
            state[f"{name}_high"].astype(np.uint32),
        )


def _bits(low: type[np.unsignedinteger] | np.dtype[np.unsignedinteger]) -> int:
    return 8 * np.dtype(low).itemsize
