"""Places of a token sample at which a feature is silent though one might expect it to fire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.stats.pool import Candidates, around
from atlas.stats.ragged import chunks, ranges, ranks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas.stats.base import PassShape
    from atlas.stats.cooccurrence import Partners
    from atlas.stats.ragged import Indices
    from atlas.stats.token_sample import TokenSample

_CELLS_AT_ONCE = 1 << 21
"""Pairs of a feature and a context, or a firing of a partner, looked at together: bounds the memory."""
_FIRST_LOOK = 16
"""Places with its token at which every feature is looked up first."""
_NONE = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Places:
    """Tokens of a sample at which features are silent, by feature, best first. Both arrays [n]."""

    feature_idx: NDArray[np.int64]
    """The silent feature."""
    row: NDArray[np.int64]
    """Index into the flattened tokens of the sample."""

    def between(self, start: int, stop: int) -> Places:
        """Those of the features start <= feature_idx < stop."""
        first, last = np.searchsorted(self.feature_idx, [start, stop])
        return Places(self.feature_idx[first:last], self.row[first:last])


def same_token(sample: TokenSample, start: int, token_ids: NDArray[np.int64], shape: PassShape) -> Places:
    """Places with a given token at which a feature is silent, `shape.counter_examples` of each feature.

    `token_ids` [n] is one token for each of the features `start` …, negative for none. Of the sample's
    contexts with such a place those of highest hash priority, each at its place of highest priority.
    """
    token, row = sample.occurrences
    first, last = (np.searchsorted(token, token_ids, side=side) for side in ("left", "right"))
    kept = np.zeros(token_ids.size, dtype=np.int64)
    newest = np.full(token_ids.size, -1, dtype=np.int64)
    looking, step = np.flatnonzero(last > first), _FIRST_LOOK
    found: list[tuple[Indices, Indices]] = []
    # Most features have enough after a few places; those that hardly miss the token go on.
    while looking.size:
        counts = np.minimum(last[looking] - first[looking], step)
        features = np.repeat(looking, counts)
        rows = row[ranges(first[looking], counts)]
        silent = ~sample.fires(features + start, rows)
        features, rows = features[silent], rows[silent]
        context = rows // sample.context_size
        # The places of a context stand together, maybe on both sides of a look's end.
        fresh = (ranks(features * len(sample.context_idx) + context) == 0) & (context != newest[features])
        newest[features] = context
        found.append((features[fresh], rows[fresh]))
        kept += np.bincount(features[fresh], minlength=kept.size)
        first[looking] += counts
        looking = looking[(first[looking] < last[looking]) & (kept[looking] < shape.counter_examples)]
        step *= 2
    features, rows = (np.concatenate([_NONE, *(part[number] for part in found)]) for number in range(2))
    order = np.argsort(features, kind="stable")
    order = order[ranks(features[order]) < shape.counter_examples]
    return Places(features[order] + start, rows[order])


def near_miss(sample: TokenSample, partners: Partners, shape: PassShape) -> Places:
    """Contexts in which a feature is silent though its partners fire, `shape.counter_examples` of each.

    A token's score is the sum of the phi of the partners that fire on it; a context's, that of its
    highest token, which is the place shown. Highest first, ties by (context, position).
    """
    if not shape.counter_examples or not partners.phi.size:
        return Places(_NONE, _NONE)
    from scipy.sparse import csr_matrix

    n_features = sample.n_features
    ends = np.searchsorted(partners.feature_idx, np.arange(n_features + 1))
    # float64 adds a few float32 between 2**-25 and 1 without rounding, in any order.
    phi = partners.phi.astype(np.float64)
    weights = csr_matrix((phi, partners.partner, ends), shape=(n_features, n_features))
    matrix = sample.firing_matrix()
    tokens = np.bincount(partners.feature_idx, sample.firings[partners.partner], n_features)
    work = np.maximum(tokens, len(sample.context_idx)).astype(np.int64)
    parts = [
        _nearest(sample, weights[low:high] @ matrix, low, shape.counter_examples)
        for low, high in chunks(work, _CELLS_AT_ONCE)
    ]
    return Places(*(np.concatenate([part[number] for part in parts]) for number in range(2)))


def _nearest(sample: TokenSample, scores: Any, start: int, most: int) -> tuple[Indices, Indices]:
    """(features, rows); `scores` is a scipy.sparse.csr_matrix [features from `start`, rows of the sample]."""
    n_contexts, n_features = len(sample.context_idx), scores.shape[0]
    cell = np.repeat(np.arange(n_features) * n_contexts, np.diff(scores.indptr))
    cell += scores.indices // sample.context_size
    best = np.zeros(n_features * n_contexts)
    np.maximum.at(best, cell, scores.data)
    firing = slice(int(sample.bounds[start]), int(sample.bounds[start + n_features]))
    own = sample.feature_idx[firing].astype(np.int64) - start
    best[own * n_contexts + sample.row[firing] // sample.context_size] = 0.0
    chosen = _highest(best.reshape(n_features, n_contexts), most)
    place = np.full(best.size, sample.token_ids.size, dtype=np.int64)
    shown = np.zeros(best.size, dtype=np.bool_)
    shown[chosen] = True
    hits = np.flatnonzero(shown[cell] & (scores.data == best[cell]))
    np.minimum.at(place, cell[hits], scores.indices[hits])
    return chosen // n_contexts + start, place[chosen]


def _highest(scores: NDArray[np.float64], most: int) -> Indices:
    """Flat indices of the up to `most` highest positive entries of each row, highest first, then leftmost."""
    left = scores.copy()
    each = np.arange(len(left))
    found = np.full((len(left), most), -1, dtype=np.int64)
    for rank in range(min(most, left.shape[1])):
        column = left.argmax(axis=1)
        positive = left[each, column] > 0
        found[positive, rank] = (each * left.shape[1] + column)[positive]
        left[each, column] = 0.0
    return found[found >= 0]


def candidates(sample: TokenSample, places: Places, shape: PassShape) -> Candidates:
    """The places with the features' activations around them."""
    features, rows = places.feature_idx, places.row
    n_rows = sample.token_ids.size
    contexts, position = np.divmod(rows, sample.context_size)
    lower, upper = around(sample.places, features * n_rows + rows, position, sample.context_size, shape)
    near = ranges(lower, upper - lower)
    nothing = np.zeros(features.size, dtype=np.uint64)
    return Candidates(
        features.astype(np.int32),
        nothing,
        sample.context_idx[contexts],
        position.astype(np.int32),
        np.zeros(features.size, dtype=np.float32),
        nothing,
        (upper - lower).astype(np.int32),
        (sample.row[near] % sample.context_size).astype(np.int32),
        sample.activation[near],
    )
