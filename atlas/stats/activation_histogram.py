"""The distribution of each feature's activations in logarithmic bins, and its quantiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import pyarrow as pa

from atlas.schema import HISTOGRAM, column
from atlas.stats.base import PassShape, State, Statistic, Totals
from atlas.stats.bits import BIN_MANTISSA, bin_edges, bins_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas.batch import ActivationBatch

_OCTAVE = 1 << BIN_MANTISSA
_INT32 = np.iinfo(np.int32).max


class ActivationHistogram(Statistic):
    """Counts per bin of strength (8 bins an octave), median and 99th percentile to bin width.

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
            doc="Median activation over the tokens on which the feature fires, read off the histogram"
            " (at most one bin off: 12.5 %).",
            kind="scalar",
            unit="activation",
            label="median activation",
        ),
        column(
            "activation_p99",
            pa.float32(),
            doc="Activation that 99 % of the firing tokens stay below, read off the histogram (at most one"
            " bin off: 12.5 %).",
            kind="scalar",
            unit="activation",
            label="99th percentile",
        ),
    )

    def __init__(self, shape: PassShape) -> None:
        super().__init__(shape)
        self._first = 0
        self._counts: NDArray[np.signedinteger] = np.zeros((shape.n_features, 0), dtype=np.int32)
        self._n_events = 0

    def update(self, batch: ActivationBatch) -> None:
        """Count every event in its bin."""
        if not batch.n_events:
            return
        bins = bins_of(batch.activation, BIN_MANTISSA)
        self._grow(int(bins.min()), int(bins.max()) + 1, batch.n_events)
        cells = batch.feature_idx.astype(np.int64) * self._counts.shape[1] + (bins - self._first)
        # The addends' type must be the table's: otherwise add.at is many times slower.
        np.add.at(self._counts.reshape(-1), cells, np.ones(cells.size, self._counts.dtype))

    def merge(self, other: Self) -> None:
        """Add the counts."""
        width = other._counts.shape[1]
        if not width:
            return
        self._grow(other._first, other._first + width, other._n_events)
        start = other._first - self._first
        self._counts[:, start : start + width] += other._counts.astype(self._counts.dtype)

    def state(self) -> State:
        """The table of counts, [n_features, bins], the number of its first bin, and the number of events."""
        return {
            "counts": self._counts,
            "first": np.array([self._first], dtype=np.int64),
            "n_events": np.array([self._n_events], dtype=np.int64),
        }

    def load(self, state: State) -> None:
        """Replace the table."""
        self._first = int(state["first"][0])
        self._n_events = int(state["n_events"][0])
        dtype = np.int64 if self._n_events > _INT32 else np.int32
        self._counts = state["counts"].astype(dtype)

    def finish(self, totals: Totals) -> dict[str, pa.Array]:
        """The bins that hold something, lowest first, and two quantiles; null if it never fired."""
        del totals
        features, places = np.nonzero(self._counts)
        counts = self._counts[features, places].astype(np.int64)
        lower, upper = bin_edges(places + self._first, BIN_MANTISSA)
        lengths = np.bincount(features, minlength=self.shape.n_features)
        bins = _Bins(lengths, counts, lower, upper)
        columns = pa.StructArray.from_arrays(
            [pa.array(lower), pa.array(upper), pa.array(counts)], fields=list(HISTOGRAM.value_type)
        )
        ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        return {
            "activation_histogram": pa.ListArray.from_arrays(pa.array(ends), columns, type=HISTOGRAM),
            "activation_median": bins.quantile(50),
            "activation_p99": bins.quantile(99),
        }

    def _grow(self, first: int, stop: int, n_events: int) -> None:
        """Make room for the bins first <= bin < stop and for `n_events` more events."""
        self._n_events += n_events
        if self._n_events > _INT32 and self._counts.dtype == np.int32:
            self._counts = self._counts.astype(np.int64)
        width = self._counts.shape[1]
        if width and self._first <= first and stop <= self._first + width:
            return
        low = first // _OCTAVE * _OCTAVE
        high = -(-stop // _OCTAVE) * _OCTAVE
        if width:
            low, high = min(low, self._first), max(high, self._first + width)
        counts = np.zeros((self.shape.n_features, high - low), dtype=self._counts.dtype)
        counts[:, self._first - low : self._first - low + width] = self._counts if width else 0
        self._first, self._counts = low, counts


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
