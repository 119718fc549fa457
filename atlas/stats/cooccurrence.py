"""Which features fire on the same tokens: the strongest partners of every feature of the SAE.

With n tokens, of which a feature f fires on k_f and two of them together on c, the correlation of the
two firing indicators is (Pearson's phi)

    phi = (n c - k_f k_g) / sqrt(k_f (n - k_f) k_g (n - k_g))

and their pointwise mutual information ln(n c / (k_f k_g)). Counts are exact integers, so equal samples
give equal bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from atlas.stats.ragged import chunks, ranks

if TYPE_CHECKING:
    from atlas.stats.token_sample import TokenSample

MIN_COUNT = 2
"""Tokens on which a pair must fire together: one is a coincidence, however high its phi."""

_PAIRS_AT_ONCE = 1 << 22
"""Pairs of firings on one token that are counted together: what bounds the memory."""
_PHI_BITS = 30
"""The bits of a float32 that is at most 1 are below 2**30."""


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
    matrix = sample.firing_matrix()[live]
    by_token = matrix.T.tocsr()
    work = matrix @ np.diff(by_token.indptr)
    # A chunk must be small enough for its features to be numbered within the sort key.
    widest = 1 << (64 - _PHI_BITS - _width(live.size))
    work = np.maximum(work, -(-_PAIRS_AT_ONCE // widest)).astype(np.int64)
    parts = [
        _strongest(sample, live, matrix[start:stop] @ by_token, start, most)
        for start, stop in chunks(work, _PAIRS_AT_ONCE)
    ]
    return Partners(*(np.concatenate(columns) for columns in zip(_NO_PAIRS, *parts, strict=True)))


_Columns = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]
_NO_PAIRS: _Columns = (
    np.zeros(0, np.int32),
    np.zeros(0, np.int32),
    np.zeros(0, np.float32),
    np.zeros(0, np.int64),
    np.zeros(0, np.float32),
)


def _strongest(
    sample: TokenSample, live: NDArray[np.int64], together: Any, start: int, most: int
) -> _Columns:
    """The columns of `Partners` for the features live[start] ….

    `together` is a scipy.sparse.csr_matrix [features, live features] of common tokens.
    """
    own = np.repeat(np.arange(together.shape[0]), np.diff(together.indptr))
    kept = np.flatnonzero((together.data >= MIN_COUNT) & (together.indices != own + start))
    own, others, counts = own[kept], together.indices[kept], together.data[kept].astype(np.int64)
    n_tokens, firings = sample.n_tokens, sample.firings[live]
    one, other = firings[own + start], firings[others]
    above = n_tokens * counts - one * other
    kept = np.flatnonzero(above > 0)
    own, others, counts, above, one, other = (
        array[kept] for array in (own, others, counts, above, one, other)
    )
    spread = (one * (n_tokens - one)).astype(np.float64) * (other * (n_tokens - other))
    phi = (above / np.sqrt(spread)).astype(np.float32)
    order = _by_phi(own, phi, others, _width(live.size))
    order = order[ranks(own[order]) < most]
    own, others, counts, one, other = (array[order] for array in (own, others, counts, one, other))
    pmi = np.log(n_tokens * counts / (one * other)).astype(np.float32)
    return live[own + start].astype(np.int32), live[others].astype(np.int32), phi[order], counts, pmi


def _by_phi(
    own: NDArray[np.int64], phi: NDArray[np.float32], others: NDArray[np.integer], width: int
) -> NDArray[np.int64]:
    """Indices that sort by (own, -phi, others); `others` have `width` bits."""
    # One key is several times faster to sort than three. Bits of positive floats order as they do.
    falling = (1 << _PHI_BITS) - 1 - phi.view(np.int32).astype(np.uint64)
    key = (own.astype(np.uint64) << np.uint64(_PHI_BITS)) | falling
    return np.argsort((key << np.uint64(width)) | others.astype(np.uint64))


def _width(n_features: int) -> int:
    return max(n_features - 1, 1).bit_length()
