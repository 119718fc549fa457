"""Bins read off the bits of a float32: no range is needed beforehand, and counts merge exactly.

The bits of positive floats, taken as integers, are ordered as the floats are (IEEE 754). Cutting
them after the first `m` mantissa bits gives 2**m bins in every octave, equally wide within it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MANTISSA = 23
_LARGEST = 0x7F7FFFFF

BIN_MANTISSA = 3
"""Mantissa bits of a histogram bin: 8 bins an octave, each 6 to 12.5 % of its value wide."""
STRATUM_MANTISSA = 2
"""Mantissa bits of a stratum of strength: 4 in an octave, each 14 to 25 % of its value wide."""


def bits_of(values: NDArray[np.float32]) -> NDArray[np.int32]:
    """The bits of non-negative finite float32 `values` as integers of the same order."""
    return np.ascontiguousarray(values, dtype=np.float32).view(np.int32)


def bins_of(values: NDArray[np.float32], mantissa: int) -> NDArray[np.int32]:
    """Number of the bin of each value, ascending with the value; `mantissa` as the constants above."""
    return bits_of(values) >> np.int32(_MANTISSA - mantissa)


def bin_edges(bins: NDArray[np.integer], mantissa: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(lower, upper) of each bin: it holds lower <= value < upper; the last one ends at the largest float."""
    numbers = np.asarray(bins, dtype=np.int64)
    shift = _MANTISSA - mantissa
    lower = (numbers << shift).astype(np.int32).view(np.float32)
    upper = np.minimum((numbers + 1) << shift, _LARGEST).astype(np.int32).view(np.float32)
    return lower, upper
