"""Where in the context each feature fires."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from atlas.schema import HISTOGRAM, column
from atlas.stats.base import PassShape, State, Statistic, Totals
from atlas.stats.counts import CountTable
from atlas.stats.histograms import histogram_column

if TYPE_CHECKING:
    import pyarrow as pa

    from atlas.batch import ActivationBatch

BINS = 16
"""Bins of positions, at most."""


class PositionProfile(Statistic):
    """Firing tokens by position in the packed sequence, in at most 16 bins."""

    name: ClassVar[str] = "position_profile"
    columns: ClassVar[tuple[pa.Field, ...]] = (
        column(
            "position_profile",
            HISTOGRAM,
            doc="Firing tokens by position in the packed sequence, from 0: bins [lower, upper) of"
            f" ceil(context size / {BINS}) positions each (the last one may reach past the context's end)."
            " Counts, not rates: masked positions (BOS, the end of the last context) lower the bins they lie"
            " in.",
            kind="histogram",
            unit="position",
            label="position in the context",
        ),
    )

    def __init__(self, shape: PassShape) -> None:
        super().__init__(shape)
        self._width = -(-shape.context_size // BINS)
        self._table = CountTable(shape.n_features, -(-shape.context_size // self._width))

    def update(self, batch: ActivationBatch) -> None:
        """Count every event in the bin of its position."""
        self._table.add(batch.feature_idx, batch.position // self._width)

    def merge(self, other: Self) -> None:
        """Add the counts."""
        self._table.merge(other._table)

    def state(self) -> State:
        """Counts [n_features, bins]."""
        return self._table.state("counts")

    def load(self, state: State) -> None:
        """Replace them."""
        self._table.load(state, "counts")

    def finish(self, totals: Totals) -> dict[str, pa.Array]:
        """The bins in which it fires; an empty list if it never fired."""
        del totals
        counts = self._table.counts
        lower = np.arange(counts.shape[1], dtype=np.float64) * self._width
        return {"position_profile": histogram_column(counts, lower, lower + self._width)}
