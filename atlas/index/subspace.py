"""The leading eigenvectors of a matrix of whole numbers, the same on every machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROUNDS = 16
"""Rounds of the iteration; more move the directions by less than int8 shows."""

_SPARE = 8
_BITS = 20


def leading_directions(matrix: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """[n, min(count, n)] orthonormal columns that span the leading eigenvectors of a symmetric matrix.

    `matrix` [n, n] is positive semidefinite. Orthogonal iteration in which every product is one of whole
    numbers below 2^53: so it is exact, and neither threads nor libraries change the result.
    """
    size = matrix.shape[0]
    width = min(count + _SPARE, size)
    if not width:
        return np.zeros((size, 0))
    whole = np.rint(matrix * (2.0**_BITS / max(float(np.abs(matrix).max()), 1e-300)))
    # 20 bits of each factor leave room for sums over 2^13 of them.
    found = np.random.default_rng(0).integers(-(2**10), 2**10, (size, width)).astype(np.float64)
    found = _orthonormal(found)
    for _ in range(ROUNDS):
        found = _orthonormal(whole @ np.rint(found * 2.0**_BITS))
    return found[:, : min(count, size)]


def _orthonormal(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gram and Schmidt, twice over; a column that depends on those before it becomes zero."""
    done = np.zeros_like(columns)
    for number in range(columns.shape[1]):
        column = columns[:, number] / max(float(np.abs(columns[:, number]).max()), 1e-300)
        length = np.sqrt(np.sum(column * column))
        for _ in range(2):
            # np.sum adds in one fixed order; a product of matrices would use as many threads as there are.
            column = column - np.sum(done * np.sum(done * column[:, None], axis=0), axis=1)
        rest = np.sqrt(np.sum(column * column))
        # Far above what rounding leaves, far below any direction of its own.
        if rest > 1e-6 * length:
            done[:, number] = column / rest
    return done
