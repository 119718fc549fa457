"""Which features fire on the same tokens: the strongest partners of every feature of the SAE.

With n tokens, of which a feature f fires on k_f and two of them together on c, the correlation of the
two firing indicators is (Pearson's phi)

    phi = (n c - k_f k_g) / sqrt(k_f (n - k_f) k_g (n - k_g))

and their pointwise mutual information ln(n c / (k_f k_g)). Counts are exact integers, so equal samples
give equal bits.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.stats.ragged import chunks, ranks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from atlas.stats.token_sample import TokenSample

MIN_COUNT = 2
"""Tokens on which a pair must fire together: one is a coincidence, however high its phi."""

_PAIRS_AT_ONCE = 1 << 21
"""Pairs of firings on one token that are counted together, about: what bounds the memory."""
_MIN_PENDING = 1 << 18
_PHI_BITS = 30
"""The bits of a float32 that is at most 1 are below 2**30."""
_KEY_BITS = 64


@dataclass(frozen=True)
class Partners:
    """Pairs of features by (feature_idx, -phi, partner). All arrays [n]."""

    feature_idx: NDArray[np.int32]
    """The feature."""
    partner: NDArray[np.int32]
    """Another one that fires with it."""
    phi: NDArray[np.float32]
    """Correlation of their firing, in (0, 1]."""
    count: NDArray[np.int64]
    """Tokens on which both fire."""
    pmi: NDArray[np.float32]
    """ln(n c / (k_f k_g)) in nats."""


def strongest_partners(sample: TokenSample, most: int) -> Partners:
    """Of each feature the `most` others of highest phi (rounded to float32), ties by the lower number.

    Only pairs with phi > 0 that fire together on `MIN_COUNT` tokens or more. The time is proportional to
    the number of pairs of firings on one token; the memory does not depend on it.
    """
    # Features that fire too rarely for a pair are left out: in a wide SAE that is most of them.
    live = np.flatnonzero(sample.firings >= MIN_COUNT)
    best = _Best(sample.n_tokens, sample.firings[live], most)
    for one, other, count in _common(sample.firing_matrix()[live].astype(np.int32)):
        best.offer(one, other, count)
    return best.partners(live)


def _common(matrix: Any) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]]:
    """(one, other, common tokens) of the rows one < other of `matrix` with `MIN_COUNT` of them, in parts.

    `matrix` is a scipy.sparse.csr_matrix [features, tokens] of int32: 1 where a feature fires.
    """
    from scipy.sparse import csr_matrix

    n_features, n_tokens = matrix.shape
    by_token = matrix.T.tocsr()
    ends = by_token.indptr[1:]
    after = np.repeat(ends, np.diff(by_token.indptr)) - np.arange(by_token.nnz)
    work = np.bincount(by_token.indices, after, n_features).astype(np.int64)
    # Counts are symmetric, so each part of the product leaves out what came before it: every token is two
    # rows, its features before the part and the others, and the part is multiplied by the latter.
    left = csr_matrix((matrix.data, 2 * matrix.indices + 1, matrix.indptr), (n_features, 2 * n_tokens))
    bounds = np.repeat(by_token.indptr, 2)[:-1]
    for start, stop in chunks(work, _PAIRS_AT_ONCE):
        right = csr_matrix((by_token.data, by_token.indices, bounds), (2 * n_tokens, n_features))
        together = left[start:stop] @ right
        own = np.repeat(np.arange(start, stop, dtype=np.int32), np.diff(together.indptr))
        kept = np.flatnonzero((together.data >= MIN_COUNT) & (together.indices > own))
        yield own[kept], together.indices[kept], together.data[kept]
        passed = matrix.indices[matrix.indptr[start] : matrix.indptr[stop]]
        bounds[1::2] += np.bincount(passed, minlength=n_tokens).astype(bounds.dtype)


@dataclass(frozen=True)
class _Kept:
    """Pairs as in `Partners`, of features numbered among those that fire often enough."""

    own: NDArray[np.int32]
    other: NDArray[np.int32]
    phi: NDArray[np.float32]
    count: NDArray[np.int32]

    @classmethod
    def of(cls, parts: list[_Kept]) -> _Kept:
        """All of `parts`, one after another."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> _Kept:
        """The pairs at an index or mask."""
        return _Kept(*(getattr(self, field.name)[chosen] for field in fields(self)))


class _Best:
    """The `most` partners of highest phi of each feature among the pairs offered so far."""

    def __init__(self, n_tokens: int, firings: NDArray[np.int64], most: int) -> None:
        self._n_tokens, self._firings, self._most = n_tokens, firings, most
        self._spread = (firings * (n_tokens - firings)).astype(np.float64)
        self._least = np.zeros(firings.size, dtype=np.float32)
        """A partner of lower phi cannot be among a feature's best; as of the last `_settle`."""
        nothing = np.zeros(0, dtype=np.int32)
        self._kept = _Kept(nothing, nothing, nothing.astype(np.float32), nothing)
        self._pending: list[_Kept] = []

    def offer(self, one: NDArray[np.int32], other: NDArray[np.int32], count: NDArray[np.int32]) -> None:
        """Take in pairs, each once, with the tokens on which both fire."""
        above = self._n_tokens * count.astype(np.int64) - self._firings[one] * self._firings[other]
        kept = np.flatnonzero(above > 0)
        one, other, count, above = (array[kept] for array in (one, other, count, above))
        phi = (above / np.sqrt(self._spread[one] * self._spread[other])).astype(np.float32)
        for pairs in (_Kept(one, other, phi, count), _Kept(other, one, phi, count)):
            self._pending.append(pairs.take(phi >= self._least[pairs.own]))
        if sum(part.own.size for part in self._pending) > max(_MIN_PENDING, self._kept.own.size):
            self._settle()

    def partners(self, live: NDArray[np.int64]) -> Partners:
        """What is kept; `live` [n] are the numbers of the features in the SAE."""
        self._settle()
        kept = self._kept
        count = kept.count.astype(np.int64)
        expected = self._firings[kept.own] * self._firings[kept.other]
        pmi = np.log(self._n_tokens * count / expected).astype(np.float32)
        own, other = (live[array].astype(np.int32) for array in (kept.own, kept.other))
        return Partners(own, other, kept.phi, count, pmi)

    def _settle(self) -> None:
        pairs = _Kept.of([self._kept, *self._pending])
        self._pending = []
        order = _by_phi(pairs.own, pairs.phi, pairs.other)
        rank = ranks(pairs.own[order])
        self._kept = pairs.take(order[rank < self._most])
        last = order[rank == self._most - 1]
        self._least[pairs.own[last]] = pairs.phi[last]


def _by_phi(own: NDArray[np.int32], phi: NDArray[np.float32], other: NDArray[np.int32]) -> NDArray[np.int64]:
    """Indices that sort by (own, -phi, other)."""
    # Bits of positive floats order as they do.
    falling = (1 << _PHI_BITS) - 1 - phi.view(np.int32).astype(np.uint64)
    key = (own.astype(np.uint64) << np.uint64(_PHI_BITS)) | falling
    width = int(other.max(initial=0)).bit_length()
    if int(own.max(initial=0)).bit_length() + _PHI_BITS + width > _KEY_BITS:
        return np.lexsort((other, key))
    # One key is several times faster to sort than two.
    return np.argsort((key << np.uint64(width)) | other.astype(np.uint64))
