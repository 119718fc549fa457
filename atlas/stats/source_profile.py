"""In which parts of the corpus each feature fires."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from atlas.schema import SOURCE_LIST, column
from atlas.stats.base import PassShape, State, Statistic, Totals
from atlas.stats.counts import CountTable
from atlas.stats.lists import struct_lists
from atlas.stats.ragged import ranks

if TYPE_CHECKING:
    import pyarrow as pa

    from atlas.batch import ActivationBatch

SHOWN = 8
"""Sources per feature in the column."""


class SourceProfile(Statistic):
    """How often each feature fires within each source of the corpus."""

    name: ClassVar[str] = "source_profile"
    columns: ClassVar[tuple[pa.Field, ...]] = (
        column(
            "sources",
            SOURCE_LIST,
            doc=f"The (at most {SHOWN}) sources of the corpus in which it fires most densely (count = firing"
            " tokens in that source, value = their share of the counted tokens of that source). The first 31"
            " sources of the corpus are told apart, all further ones together are 'other'. Empty if the"
            " corpus has only one source.",
            kind="source_list",
            unit="fraction",
        ),
    )

    def __init__(self, shape: PassShape) -> None:
        super().__init__(shape)
        self._firings = CountTable(shape.n_features, 0)
        self._tokens = CountTable(1, 0)

    def update(self, batch: ActivationBatch) -> None:
        """Count the events of each feature and the counted tokens, by source."""
        if not batch.source_idx.size:
            return
        self._widen(int(batch.source_idx.max()) + 1)
        self._firings.add(batch.feature_idx, batch.source_idx.reshape(-1)[batch.row])
        counted = batch.source_idx[batch.counted]
        self._tokens.add(np.zeros_like(counted), counted)

    def merge(self, other: Self) -> None:
        """Add the counts."""
        self._widen(other._tokens.counts.shape[1])
        self._firings.merge(other._firings)
        self._tokens.merge(other._tokens)

    def state(self) -> State:
        """Firings [n_features, sources] and counted tokens [1, sources]."""
        return self._firings.state("firings") | self._tokens.state("tokens")

    def load(self, state: State) -> None:
        """Replace both."""
        self._firings.load(state, "firings")
        self._tokens.load(state, "tokens")

    def _widen(self, n_sources: int) -> None:
        """Make room for so many sources."""
        for table in (self._firings, self._tokens):
            table.widen(0, n_sources - table.counts.shape[1])

    def finish(self, totals: Totals) -> dict[str, pa.Array]:
        """The first `SHOWN` sources of every feature."""
        firings = self._firings.counts.astype(np.int64)
        if len(totals.sources) < 2:  # noqa: PLR2004 - one source is no profile
            firings = firings[:, :0]
        features, sources = np.nonzero(firings)
        count = firings[features, sources]
        density = count / self._tokens.counts[0].astype(np.int64)[sources]
        # Sources ascend within a feature and lexsort is stable: ties stay in the order of the corpus.
        order = np.lexsort((-density, features))
        order = order[ranks(features[order]) < SHOWN]
        names = [totals.sources[int(source)] for source in sources[order]]
        lengths = np.bincount(features[order], minlength=self.shape.n_features)
        value = density[order].astype(np.float32)
        return {"sources": struct_lists(SOURCE_LIST, lengths, names, count[order], value)}
