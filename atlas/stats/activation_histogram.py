"""The distribution of each feature's activations in logarithmic bins, and its quantiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import pyarrow as pa

from atlas.schema import HISTOGRAM, column
from atlas.stats.base import PassShape, State, Statistic, Totals
from atlas.stats.bits import BIN_MANTISSA, bin_edges, bins_of
from atlas.stats.counts import CountTable
from atlas.stats.histograms import histogram_column

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas.batch import ActivationBatch

_OCTAVE = 1 << BIN_MANTISSA


def _quantile_doc(share: str) -> str:
    return (
        f"Activation that {share} of the firing tokens stay below, exact to the width of a bin of the"
        " histogram (at most 12.5 %): it lies in the first bin up to which more than that share of them is"
        " counted, as deep as their even spread in the bin would have it. None if it never fired."
    )


class ActivationHistogram(Statistic):
    """Counts per bin of strength (8 bins an octave), and three quantiles, exact to bin width.

    The counts are a table features x bins over the octaves in use, which grows as the data need.
    """

    name: ClassVar[str] = "activation_histogram"
    columns: ClassVar[tuple[pa.Field, ...]] = (
        column(
            "activation_histogram",
            HISTOGRAM,
            doc="Number of counted tokens per range of activation above 0: 8 bins an octave, equally wide"
            " within it.",
            kind="histogram",
            unit="activation",
        ),
        column(
            "activation_median",
            pa.float32(),
            doc=_quantile_doc("half"),
            kind="scalar",
            unit="activation",
            label="median activation",
        ),
        column(
            "activation_p90",
            pa.float32(),
            doc=_quantile_doc("90 %"),
            kind="scalar",
            unit="activation",
            label="90th percentile",
        ),
        column(
            "activation_p99",
            pa.float32(),
            doc=_quantile_doc("99 %"),
            kind="scalar",
            unit="activation",
            label="99th percentile",
        ),
    )

    def __init__(self, shape: PassShape) -> None:
        super().__init__(shape)
        self._first = 0
        self._table = CountTable(shape.n_features, 0)

    def update(self, batch: ActivationBatch) -> None:
        """Count every event in its bin."""
        if not batch.n_events:
            return
        bins = bins_of(batch.activation, BIN_MANTISSA)
        self._cover(int(bins.min()), int(bins.max()) + 1)
        self._table.add(batch.feature_idx, bins - self._first)

    def merge(self, other: Self) -> None:
        """Add the counts."""
        width = other._table.counts.shape[1]
        if width:
            self._cover(other._first, other._first + width)
            self._table.merge(other._table, other._first - self._first)

    def state(self) -> State:
        """The table of counts, [n_features, bins], and the number of its first bin."""
        return self._table.state("counts") | {"first": np.array([self._first], dtype=np.int64)}

    def load(self, state: State) -> None:
        """Replace the table."""
        self._first = int(state["first"][0])
        self._table.load(state, "counts")

    def finish(self, totals: Totals) -> dict[str, pa.Array]:
        """The bins that hold something, lowest first, and the quantiles; null if it never fired."""
        del totals
        counts = self._table.counts
        lower, upper = bin_edges(self._first + np.arange(counts.shape[1]), BIN_MANTISSA)
        features, places = np.nonzero(counts)
        lengths = np.bincount(features, minlength=self.shape.n_features)
        occupied = counts[features, places].astype(np.int64)
        bins = _Bins(lengths, occupied, lower[places], upper[places])
        return {
            "activation_histogram": histogram_column(counts, lower, upper),
            "activation_median": bins.quantile(50),
            "activation_p90": bins.quantile(90),
            "activation_p99": bins.quantile(99),
        }

    def _cover(self, first: int, stop: int) -> None:
        """Let the table have the bins first <= bin < stop: whole octaves."""
        low, high = first // _OCTAVE * _OCTAVE, -(-stop // _OCTAVE) * _OCTAVE
        width = self._table.counts.shape[1]
        if not width:
            self._first = low
        self._table.widen(self._first - low, high - self._first - width)
        self._first = min(self._first, low)


@dataclass(frozen=True)
class _Bins:
    """The occupied bins of all features, one after another, lowest first."""

    lengths: NDArray[np.int64]
    """[n_features] bins per feature."""
    counts: NDArray[np.int64]
    """[bins] events in each, never 0."""
    lower: NDArray[np.float32]
    upper: NDArray[np.float32]

    def quantile(self, percent: int) -> pa.Array:
        """The activation that `percent` of each feature's events lie below, evenly spread in a bin."""
        alive = self.lengths > 0
        # In hundredths of an event, so that ranks are exact integers. They grow along the flat array:
        # the wanted bin is the last one that begins at or below the wanted rank.
        ends = 100 * np.cumsum(self.counts)
        below = ends - 100 * self.counts
        last = np.cumsum(self.lengths)[alive] - 1
        base = below[last - self.lengths[alive] + 1]
        wanted = base + percent * (ends[last] - base) // 100
        chosen = np.searchsorted(below, wanted, side="right") - 1
        inside = (wanted - below[chosen]) / (100 * self.counts[chosen])
        low = self.lower[chosen].astype(np.float64)
        values = np.zeros(alive.size, dtype=np.float32)
        values[alive] = low + inside * (self.upper[chosen].astype(np.float64) - low)
        return pa.array(values, pa.float32(), mask=~alive)
