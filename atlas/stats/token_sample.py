"""Everything that fires on a sample of tokens: what needs all features of a token at once is read off it.

The sample is whole contexts, those of highest hash priority among all that have a counted token. So
it is uniform over contexts, does not depend on batches or order, and the sample of a union is found
among the samples of its parts (see `atlas.stats.hashing`). Priorities of two contexts are never equal.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from heapq import heappush, heappushpop
from math import ceil
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from atlas.stats.hashing import context_keys, mix, priorities
from atlas.stats.ragged import Indices, offsets, radix_order, row_bounds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas.batch import ActivationBatch
    from atlas.stats.base import PassShape, State
    from atlas.stats.hashing import Hashes


def sample_priorities(seed: int, context_idx: NDArray[np.int64]) -> Hashes:
    """[n] the priority of contexts, unrelated to what else is drawn by their keys."""
    return mix(context_keys(seed, context_idx))


@dataclass(frozen=True)
class _Context:
    """One sampled context; arrays are copies."""

    token_ids: NDArray[np.int32]
    counted: NDArray[np.bool_]
    position: NDArray[np.unsignedinteger]
    feature_idx: NDArray[np.unsignedinteger]
    activation: NDArray[np.float32]


@dataclass(frozen=True)
class TokenSample:
    """The contexts of a sample in corpus order, their events by (feature_idx, row)."""

    n_features: int
    """d_sae."""
    seed: int
    """Seed of the keyed hash behind every draw."""
    context_idx: NDArray[np.int64]
    """[n_contexts] number of each context in the corpus, ascending."""
    token_ids: NDArray[np.int32]
    """[n_contexts, context_size]; padding is -1."""
    counted: NDArray[np.bool_]
    """[n_contexts, context_size] True for the tokens left by the mask."""
    row: NDArray[np.int64]
    """[n_events] index into the flattened tokens."""
    feature_idx: NDArray[np.int32]
    """[n_events] the feature that fires."""
    activation: NDArray[np.float32]
    """[n_events] its activation."""

    @property
    def context_size(self) -> int:
        """Tokens per context, padding included."""
        return self.token_ids.shape[1]

    @cached_property
    def n_tokens(self) -> int:
        """Counted tokens."""
        return int(np.count_nonzero(self.counted))

    @cached_property
    def firings(self) -> NDArray[np.int64]:
        """[n_features] number of tokens on which each feature fires."""
        return np.bincount(self.feature_idx, minlength=self.n_features)

    @cached_property
    def bounds(self) -> Indices:
        """[n_features + 1] the events of feature f are bounds[f] … bounds[f + 1]."""
        return row_bounds(self.firings)

    def firing_matrix(self) -> Any:
        """scipy.sparse.csr_matrix [n_features, n_rows] of float64: 1 where a feature fires on a token."""
        from scipy.sparse import csr_matrix

        shape = (self.n_features, self.token_ids.size)
        return csr_matrix((np.ones(self.row.size), self.row, self.bounds), shape=shape)

    @cached_property
    def occurrences(self) -> tuple[NDArray[np.int32], Indices]:
        """([n] token ids, ascending, [n] rows) of the counted tokens.

        Those of one id by the priority of (seed, context, token), then of (seed, context, token,
        position), highest first: any first few are a sample of contexts, each at a place drawn in it.
        """
        row = np.flatnonzero(self.counted)
        token = self.token_ids.reshape(-1)[row]
        keys = context_keys(self.seed, self.context_idx)[row // self.context_size]
        place = priorities(keys, token, row % self.context_size)
        order = np.lexsort((~place, ~priorities(keys, token), token))
        return token[order], row[order]

    @cached_property
    def places(self) -> Indices:
        """[n_events] feature_idx * n_rows + row, ascending."""
        return self.feature_idx.astype(np.int64) * self.token_ids.size + self.row

    def fires(self, features: NDArray[np.integer], rows: Indices) -> NDArray[np.bool_]:
        """[n] whether each feature fires on each token."""
        if not self.places.size:
            return np.zeros(len(rows), dtype=np.bool_)
        wanted = features.astype(np.int64) * self.token_ids.size + rows
        found = np.searchsorted(self.places, wanted)
        return self.places[np.minimum(found, self.places.size - 1)] == wanted


class ContextSample:
    """Collects the contexts of highest priority, about `shape.sample_tokens` tokens of them."""

    def __init__(self, shape: PassShape) -> None:
        self.shape = shape
        self._capacity = ceil(shape.sample_tokens / shape.context_size)
        self._lowest: list[tuple[int, int]] = []
        """Heap of (priority, context_idx)."""
        self._contexts: dict[int, _Context] = {}
        self._feature_type = np.min_scalar_type(max(shape.n_features - 1, 0))
        self._position_type = np.min_scalar_type(shape.context_size - 1)

    def add(self, batch: ActivationBatch) -> None:
        """Take in the contexts that belong to the sample as it stands; mostly none."""
        if not self._capacity:
            return
        draw = sample_priorities(self.shape.seed, batch.context_idx)
        wanted: NDArray[np.bool_] = np.any(batch.counted, axis=1)
        if len(self._lowest) == self._capacity:
            wanted &= draw > np.uint64(self._lowest[0][0])
        if not wanted.any():
            return
        chosen = np.flatnonzero(wanted[batch.context])
        order = chosen[radix_order(batch.context[chosen])]
        counts = np.bincount(batch.context[chosen], minlength=len(draw))
        starts = offsets(counts)
        for number in np.flatnonzero(wanted).tolist():
            events = order[starts[number] : starts[number] + counts[number]]
            self._insert(
                int(draw[number]),
                int(batch.context_idx[number]),
                _Context(
                    batch.token_ids[number].astype(np.int32),
                    batch.counted[number].copy(),
                    batch.position[events].astype(self._position_type),
                    batch.feature_idx[events].astype(self._feature_type),
                    batch.activation[events],
                ),
            )

    def merge(self, other: Self) -> None:
        """Take in a sample of other contexts."""
        for priority, context_idx in other._lowest:
            self._insert(priority, context_idx, other._contexts[context_idx])

    def state(self) -> State:
        """The contexts in corpus order, and their events."""
        order = sorted(self._contexts)
        parts = [self._contexts[context_idx] for context_idx in order]
        size = self.shape.context_size
        empty = _Context(
            np.zeros((0, size), np.int32),
            np.zeros((0, size), np.bool_),
            np.zeros(0, self._position_type),
            np.zeros(0, self._feature_type),
            np.zeros(0, np.float32),
        )
        state: State = {
            "context_idx": np.array(order, dtype=np.int64),
            "n_events": np.array([part.position.size for part in parts], dtype=np.int64),
        }
        for field in fields(_Context):
            nothing = getattr(empty, field.name)
            rows = [getattr(part, field.name) for part in parts]
            rows = [row[None] for row in rows] if nothing.ndim > 1 else rows
            state[field.name] = np.concatenate([nothing, *rows])
        return state

    def load(self, state: State) -> None:
        """Replace everything by the contexts of `state`."""
        self._lowest, self._contexts = [], {}
        context_idx = state["context_idx"].astype(np.int64)
        draw = sample_priorities(self.shape.seed, context_idx).tolist()
        ends = np.cumsum(state["n_events"].astype(np.int64))
        for number, (priority, name, end) in enumerate(
            zip(draw, context_idx.tolist(), ends.tolist(), strict=True)
        ):
            events = slice(end - int(state["n_events"][number]), end)
            self._insert(
                priority,
                name,
                _Context(
                    state["token_ids"][number].astype(np.int32),
                    state["counted"][number].astype(np.bool_),
                    state["position"][events].astype(self._position_type),
                    state["feature_idx"][events].astype(self._feature_type),
                    state["activation"][events].astype(np.float32),
                ),
            )

    def sample(self) -> TokenSample:
        """The sample as it stands."""
        state = self.state()
        feature_idx = state["feature_idx"].astype(np.int32)
        base = np.arange(len(state["context_idx"])) * self.shape.context_size
        row = np.repeat(base, state["n_events"].astype(np.int64)) + state["position"].astype(np.int64)
        # Within a context events are sorted by (feature, position) already.
        order = radix_order(feature_idx)
        return TokenSample(
            n_features=self.shape.n_features,
            seed=self.shape.seed,
            context_idx=state["context_idx"].astype(np.int64),
            token_ids=state["token_ids"].astype(np.int32),
            counted=state["counted"].astype(np.bool_),
            row=row[order],
            feature_idx=feature_idx[order],
            activation=state["activation"].astype(np.float32)[order],
        )

    def _insert(self, priority: int, context_idx: int, context: _Context) -> None:
        self._contexts[context_idx] = context
        if len(self._lowest) < self._capacity:
            heappush(self._lowest, (priority, context_idx))
        else:
            del self._contexts[heappushpop(self._lowest, (priority, context_idx))[1]]
