"""A uniform sample of the contexts in which each feature fires."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from atlas.stats.base import PassShape, Selection, State, Statistic
from atlas.stats.hashing import context_keys, priorities
from atlas.stats.pool import CandidatePool, selection
from atlas.stats.ragged import best_of_runs, ranges, ranks

if TYPE_CHECKING:
    import pyarrow as pa

    from atlas.batch import ActivationBatch


class RandomExamples(Statistic):
    """`random_examples` contexts drawn from all in which the feature fires, each at one of its firings.

    Contexts are equally likely, and so are the firings within one; drawn by a hash of (seed,
    feature, context, position), each feature for itself.
    """

    name: ClassVar[str] = "random_examples"

    def __init__(self, shape: PassShape) -> None:
        super().__init__(shape)
        self._pool = CandidatePool(shape, shape.random_examples, lambda feature, _: feature.astype(np.int64))

    def update(self, batch: ActivationBatch) -> None:
        """Offer one firing of every run that can still enter its feature's sample."""
        if not batch.n_events or not self.shape.random_examples:
            return
        starts = batch.run_starts
        keys = context_keys(self.shape.seed, batch.context_idx)
        features = batch.feature_idx[starts]
        draw = priorities(keys[batch.context[starts]], features)
        runs = np.flatnonzero(self._pool.admits(features, draw))
        lengths = batch.run_lengths[runs]
        events = ranges(starts[runs], lengths)
        within = priorities(keys[batch.context[events]], batch.feature_idx[events], batch.position[events])
        self._pool.offer(batch, events[best_of_runs(within, lengths)], draw[runs])

    def merge(self, other: Self) -> None:
        """Keep the highest draws of both."""
        self._pool.merge(other._pool)

    def state(self) -> State:
        """The kept candidates."""
        return self._pool.state()

    def load(self, state: State) -> None:
        """Replace them."""
        self._pool.load(state)

    def selections(self, start: int, stop: int, features: pa.Table) -> list[Selection]:
        """The sample of some features, in the order of the draw: any first few of it are a sample too."""
        del features
        kept = self._pool.between(start, stop)
        return [selection("random", kept, ranks(kept.feature_idx), self.shape)]
