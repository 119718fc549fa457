"""How strongly each feature fires: maximum, mean, spread and shape of its positive activations."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import pyarrow as pa

from atlas.schema import column
from atlas.stats.base import PassShape, State, Statistic, Totals
from atlas.stats.sums import ExactSums

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas.batch import ActivationBatch

POWERS = 4
MIN_SPREAD = 0.01
"""Skew and kurtosis are left out below this standard deviation, as a share of the mean: they would be
differences of almost equal numbers."""

_MIN_FOR_SKEW = 3
_MIN_FOR_KURTOSIS = 4


class ActivationMoments(Statistic):
    """Maximum, mean, standard deviation and variance, skew and kurtosis of the activations above 0."""

    name: ClassVar[str] = "activation_moments"
    columns: ClassVar[tuple[pa.Field, ...]] = (
        column(
            "max_activation",
            pa.float32(),
            doc="Largest activation; 0 if it never fired.",
            kind="scalar",
            unit="activation",
        ),
        column(
            "mean_activation",
            pa.float32(),
            doc="Mean activation over the counted tokens on which the feature fires.",
            kind="scalar",
            unit="activation",
        ),
        column(
            "std_activation",
            pa.float32(),
            doc="Standard deviation (division by n) over the counted tokens on which the feature fires.",
            kind="scalar",
            unit="activation",
        ),
        column(
            "variance_activation",
            pa.float64(),
            doc="Variance (division by n) over the counted tokens on which the feature fires: the square of"
            " std_activation.",
            kind="hidden",
        ),
        column(
            "activation_skew",
            pa.float32(),
            doc="Third standardised moment of the activations above 0; none below 3 firing tokens or if the"
            " standard deviation is under 1 % of the mean.",
            kind="scalar",
        ),
        column(
            "activation_kurtosis",
            pa.float32(),
            doc="Fourth standardised moment of the activations above 0, minus 3; none below 4 firing tokens"
            " or if the standard deviation is under 1 % of the mean.",
            kind="scalar",
        ),
    )

    def __init__(self, shape: PassShape) -> None:
        super().__init__(shape)
        self._max = np.zeros(shape.n_features, dtype=np.float32)
        self._min = np.full(shape.n_features, np.inf, dtype=np.float32)
        self._count = np.zeros(shape.n_features, dtype=np.int64)
        self._sums = [ExactSums(shape.n_features) for _ in range(POWERS)]

    def update(self, batch: ActivationBatch) -> None:
        """Add the first four powers of every activation."""
        if not batch.n_events:
            return
        fired, starts, lengths = batch.fired, batch.feature_starts, batch.firings
        self._count[fired] += lengths
        self._max[fired] = np.maximum(self._max[fired], np.maximum.reduceat(batch.activation, starts))
        self._min[fired] = np.minimum(self._min[fired], np.minimum.reduceat(batch.activation, starts))
        first = batch.activation.astype(np.float64)
        second = first * first
        for sums, power in zip(self._sums, (first, second, second * first, second * second), strict=True):
            sums.add(fired, starts, lengths, power)

    def merge(self, other: Self) -> None:
        """Add counts and sums, keep the extremes."""
        self._count += other._count
        np.maximum(self._max, other._max, out=self._max)
        np.minimum(self._min, other._min, out=self._min)
        for mine, theirs in zip(self._sums, other._sums, strict=True):
            mine.merge(theirs)

    def state(self) -> State:
        """Counts, extremes, and per power the digits of the sum and the place of the highest one."""
        state: State = {"count": self._count, "max": self._max, "min": self._min}
        for power, sums in enumerate(self._sums, 1):
            state[f"top{power}"] = sums.top
            state[f"digits{power}"] = sums.digits
        return state

    def load(self, state: State) -> None:
        """Replace all of it."""
        self._count = state["count"].astype(np.int64)
        self._max = state["max"].astype(np.float32)
        self._min = state["min"].astype(np.float32)
        for power, sums in enumerate(self._sums, 1):
            sums.top = state[f"top{power}"].astype(np.int16)
            sums.digits = state[f"digits{power}"].astype(np.int64)

    def finish(self, totals: Totals) -> dict[str, pa.Array]:
        """The moments; null where they are not defined."""
        del totals
        count = np.maximum(self._count, 1)
        mean, second, third, fourth = (sums.totals() / count for sums in self._sums)
        square = mean * mean
        variance = np.where(self._max > self._min, np.maximum(second - square, 0.0), 0.0)
        std = np.sqrt(variance)
        spread = np.where(std > MIN_SPREAD * mean, std, 1.0)
        skew = (third - 3 * mean * second + 2 * square * mean) / spread**3
        kurtosis = (fourth - 4 * mean * third + 6 * square * second - 3 * square * square) / spread**4 - 3
        alive = self._count > 0
        shaped = alive & (std > MIN_SPREAD * mean)
        return {
            "max_activation": pa.array(self._max, pa.float32()),
            "mean_activation": _where(alive, mean),
            "std_activation": _where(alive, std),
            "variance_activation": pa.array(variance, pa.float64(), mask=~alive),
            "activation_skew": _where(shaped & (self._count >= _MIN_FOR_SKEW), skew),
            "activation_kurtosis": _where(shaped & (self._count >= _MIN_FOR_KURTOSIS), kurtosis),
        }


def _where(known: NDArray[np.bool_], values: NDArray[np.float64]) -> pa.Array:
    """`values` as float32, null where not `known`."""
    return pa.array(np.where(known, values, 0.0).astype(np.float32), pa.float32(), mask=~known)
