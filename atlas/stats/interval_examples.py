"""Examples from every level of strength: what a feature does when it fires weakly.

The levels shown are equal intervals over (0, max], but the maximum is known only at the end. So
the pass samples in fixed strata, four per octave (`atlas.stats.bits`): those from the stratum of
the running maximum down to max / interval_count, and one for all that is weaker. As the maximum
rises strata only ever join the weakest one, and the sample of a union is found among the samples
of its parts, so any order of the corpus gives the same result.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil, log2
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from atlas.stats.base import PassShape, Selection, State, Statistic
from atlas.stats.bits import STRATUM_MANTISSA, bins_of, bits_of
from atlas.stats.hashing import context_keys, priorities
from atlas.stats.pool import CandidatePool, Candidates, best_first, first_of_alike, selection
from atlas.stats.ragged import radix_order, ranks

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from atlas.batch import ActivationBatch

_PER_OCTAVE = 1 << STRATUM_MANTISSA
_INTERVALS_PER_STRATUM = 5
"""Intervals narrower than a fifth of the maximum share a stratum, which then must hold more."""


class IntervalExamples(Statistic):
    """`interval_examples` firings from each of `interval_count` equal intervals of (0, max].

    Candidates: per stratum the n contexts of highest hash priority, n = `interval_examples` for up
    to 5 intervals, twice that for up to 10 and so on; of a context its firing of highest priority
    in the stratum. Per interval the candidates of highest priority are shown, further ones of the
    same context only where other contexts do not fill it. Strongest first.
    """

    name: ClassVar[str] = "interval_examples"

    def __init__(self, shape: PassShape) -> None:
        super().__init__(shape)
        self._max = np.zeros(shape.n_features, dtype=np.float32)
        self._depth = _PER_OCTAVE * ceil(log2(shape.interval_count))
        """Strata below the maximum's own that are kept apart."""
        self._slots = self._depth + 2
        """Slots per feature: slot d is d strata below the maximum's, the last one all that is weaker."""
        self._settled_top = np.zeros(shape.n_features, dtype=np.int32)
        share = ceil(shape.interval_count / _INTERVALS_PER_STRATUM)
        self._pool = CandidatePool(
            shape,
            shape.interval_examples * share,
            self._slot_of,
            slots_per_feature=self._slots,
            distinct=True,
        )

    def update(self, batch: ActivationBatch) -> None:
        """Offer every event that can still enter its stratum's sample."""
        if not batch.n_events or not self.shape.interval_examples:
            return
        fired = batch.fired
        peaks = np.maximum.reduceat(batch.activation, batch.feature_starts)
        self._max[fired] = np.maximum(self._max[fired], peaks)
        keys = context_keys(self.shape.seed, batch.context_idx)
        draw = priorities(keys[batch.context], batch.feature_idx, batch.position)
        # Thresholds belong to the strata as they were when the pool last chose.
        top = np.repeat(self._settled_top[fired], batch.firings)
        below = top - bins_of(batch.activation, STRATUM_MANTISSA)
        slots = self._slot(batch.feature_idx, below)
        events = np.flatnonzero((below < 0) | self._pool.admits(slots, draw))
        self._pool.offer(batch, events, draw[events])

    def merge(self, other: Self) -> None:
        """Keep the higher maxima, and the highest draws of both per stratum."""
        np.maximum(self._max, other._max, out=self._max)
        self._pool.merge(other._pool)

    def state(self) -> State:
        """The maxima and the kept candidates."""
        return {"max": self._max, **self._pool.state()}

    def load(self, state: State) -> None:
        """Replace both."""
        self._max = state["max"].astype(np.float32)
        self._pool.load(state)

    def selections(self, start: int, stop: int, features: pa.Table) -> list[Selection]:
        """The chosen firings of some features, by interval, weakest interval first."""
        del features
        kept = self._pool.between(start, stop)
        edges = self._edges(start, stop)
        own = edges[kept.feature_idx - start]
        interval = np.count_nonzero(own[:, 1:-1] < kept.activation[:, None], axis=1).astype(np.int8)
        chosen = self._chosen(kept, interval)
        kept, interval, own = kept.take(chosen), interval[chosen], own[chosen]
        level = kept.feature_idx.astype(np.int64) * self.shape.interval_count + interval
        rows = np.arange(len(kept))
        bare = selection("interval", kept, ranks(level), self.shape)
        lower, upper = own[rows, interval], own[rows, interval + 1]
        return [replace(bare, interval=interval, interval_lower=lower, interval_upper=upper)]

    def _edges(self, start: int, stop: int) -> NDArray[np.float32]:
        """[features, interval_count + 1] bounds of the intervals: 0, max / count, …, max."""
        count = self.shape.interval_count
        steps = self._max[start:stop, None].astype(np.float64) * np.arange(count + 1) / count
        edges = steps.astype(np.float32)
        edges[:, -1] = self._max[start:stop]
        return edges

    def _chosen(self, kept: Candidates, interval: NDArray[np.int8]) -> NDArray[np.int64]:
        """Indices of the candidates to show, by (feature, interval, -activation, context, position)."""
        level = kept.feature_idx.astype(np.int64) * self.shape.interval_count + interval
        places = (kept.context_idx, kept.position)
        order = best_first(level, kept.priority, *places)
        again = ~first_of_alike(level[order], kept.context_idx[order].astype(np.uint64))
        order = order[radix_order(2 * level[order] + again)]
        order = order[ranks(level[order]) < self.shape.interval_examples]
        # The bits of a positive float order as it does, so that they serve as the priority.
        strength = bits_of(kept.activation).astype(np.uint64) << np.uint64(32)
        shown = best_first(level[order], strength[order], *(place[order] for place in places))
        return order[shown]

    def _slot_of(self, features: NDArray[np.int32], activation: NDArray[np.float32]) -> NDArray[np.int64]:
        self._settled_top = bins_of(self._max, STRATUM_MANTISSA)
        below = self._settled_top[features] - bins_of(activation, STRATUM_MANTISSA)
        return self._slot(features, below)

    def _slot(self, features: NDArray[np.int32], below: NDArray[np.int32]) -> NDArray[np.int64]:
        return features.astype(np.int64) * self._slots + np.clip(below, 0, self._depth + 1)
