"""The strongest firings of each feature, one per context and one per text."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from atlas.stats.base import PassShape, Selection, State, Statistic
from atlas.stats.bits import bits_of
from atlas.stats.pool import CandidatePool, selection
from atlas.stats.ragged import best_of_runs, ranges, ranks
from atlas.stats.texts import text_keys

if TYPE_CHECKING:
    import pyarrow as pa

    from atlas.batch import ActivationBatch


class TopExamples(Statistic):
    """The `top_examples` contexts in which a feature peaks highest, each at its peak.

    Of peaks on the same text (`atlas.stats.texts`) only the first counts: copies of one licence would
    fill the list. Order and ties: (-activation, context_idx, position).
    """

    name: ClassVar[str] = "top_examples"

    def __init__(self, shape: PassShape) -> None:
        super().__init__(shape)
        self._pool = CandidatePool(
            shape, shape.top_examples, lambda feature, _: feature.astype(np.int64), distinct=True
        )

    def update(self, batch: ActivationBatch) -> None:
        """Offer the peak of every run that can still enter its feature's list."""
        if not batch.n_events:
            return
        starts = batch.run_starts
        # The bits of a positive float order as it does, so that they serve as the priority.
        peaks = bits_of(np.maximum.reduceat(batch.activation, starts)).astype(np.uint64) << np.uint64(32)
        runs = np.flatnonzero(self._pool.admits(batch.feature_idx[starts], peaks))
        lengths = batch.run_lengths[runs]
        events = ranges(starts[runs], lengths)
        best = events[best_of_runs(batch.activation[events], lengths)]
        if best.size:
            texts = text_keys(batch.token_ids, batch.document_idx).reshape(-1)
            self._pool.offer(batch, best, peaks[runs], texts[batch.row[best]])

    def merge(self, other: Self) -> None:
        """Keep the strongest of both."""
        self._pool.merge(other._pool)

    def state(self) -> State:
        """The kept candidates."""
        return self._pool.state()

    def load(self, state: State) -> None:
        """Replace them."""
        self._pool.load(state)

    def selections(self, start: int, stop: int, features: pa.Table) -> list[Selection]:
        """The kept firings of some features, strongest first."""
        del features
        kept = self._pool.between(start, stop)
        return [selection("top", kept, ranks(kept.feature_idx), self.shape)]
