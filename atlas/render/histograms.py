"""Histograms as pictures: half-open bins of any widths become at most two dozen bars of one width."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from atlas.render.numbers import decimal, integer

if TYPE_CHECKING:
    from atlas.schema import ColumnInfo

_MAX_BARS = 24
_BAR_PITCH = 8
_BAR_HEIGHT = 64
_GEOMETRIC = 1.5
_NOISE = 1e-5


class Bars(NamedTuple):
    """The bars of one colour."""

    css: str
    """Class: plain, marked (ember), positive or negative."""
    d: str
    """SVG path data: one upright stroke a bar."""


class BinRow(NamedTuple):
    """One bar as numbers."""

    lower: str
    """Where it begins."""
    number: str
    """How many values lie in it."""


@dataclass(frozen=True)
class HistogramPanel:
    """Kind 'histogram'."""

    width: int
    """Width of the picture's own units."""
    height: int
    """Height of the same."""
    bars: tuple[Bars, ...]
    """The picture."""
    ticks: tuple[str, ...]
    """Values at the left end, the middle and the right end of the axis."""
    caption: str
    """What is counted, and how."""
    count_label: str
    """Heading of the counts."""
    rows: tuple[BinRow, ...]
    """Bars as numbers; empty ones left out."""


def histogram(column: ColumnInfo, value: Any, shown_from: float) -> HistogramPanel | None:
    """`value`: [(lower, upper, count)] of half-open bins; None when nothing is counted.

    Bars of activations that reach `shown_from`, the weakest example on the page, are marked.
    """
    bins = [entry for entry in value or () if entry[2]]
    if not bins:
        return None
    axis = _Axis.over(bins)
    merged = axis.merged
    total, most = sum(entry[2] for entry in bins), max(entry[2] for entry in merged.values())
    drawn: dict[str, list[str]] = {}
    for place, (low, high, count) in merged.items():
        bar = (
            f"M{place * _BAR_PITCH + _BAR_PITCH // 2} {_BAR_HEIGHT}v-{round(_BAR_HEIGHT * count / most) or 1}"
        )
        drawn.setdefault(_bar_class(column.unit, low, high, shown_from), []).append(bar)
    counted = _counted(column.unit)
    scale = "logarithmic" if axis.geometric else "linear"
    marked = "; orange: the range of the examples shown" if "marked" in drawn else ""
    return HistogramPanel(
        width=axis.places * _BAR_PITCH,
        height=_BAR_HEIGHT,
        bars=tuple(Bars(css, "".join(paths)) for css, paths in drawn.items()),
        ticks=(decimal(axis.at(0), 3), decimal(axis.at(0.5), 3), decimal(axis.at(1), 3)),
        caption=(
            f"{integer(total)} {counted} in bins from {decimal(bins[0][0], 3)} to {decimal(bins[-1][1], 3)},"
            f" {scale} scale{marked}."
        ),
        count_label=counted,
        rows=tuple(BinRow(decimal(low, 3), integer(count)) for low, _, count in merged.values()),
    )


@dataclass(frozen=True)
class _Axis:
    """Bars of equal width along the values, on a linear scale or (for bins that grow) a logarithmic one."""

    start: float
    """Scaled value at the left end."""
    width: float
    """Scaled width of a bar."""
    places: int
    """Number of bars, empty ones included."""
    geometric: bool
    """Whether the scale is logarithmic (`_scale`)."""
    merged: dict[int, tuple[float, float, int]]
    """Place from the left → (lower, upper, count) of the bins that lie there; empty places left out."""

    @classmethod
    def over(cls, bins: Sequence[tuple[float, float, int]]) -> _Axis:
        """The axis on which `bins` have (nearly) equal widths, at most `_MAX_BARS` places long."""
        widths = [high - low for low, high, _ in bins]
        geometric = bins[0][0] > 0 and max(widths) > _GEOMETRIC * min(widths)
        scaled = [(_scale(low), _scale(high)) if geometric else (low, high) for low, high, _ in bins]
        unit = min((high - low for low, high in scaled if high > low), default=1.0)
        start = scaled[0][0]
        count = max(1, round((scaled[-1][1] - start) / unit))
        group = -(-count // _MAX_BARS)
        places = -(-count // group)
        merged: dict[int, tuple[float, float, int]] = {}
        for (low, high, number), (left, right) in zip(bins, scaled, strict=True):
            place = min(places - 1, int(((left + right) / 2 - start) / (unit * group)))
            first, _, already = merged.get(place, (low, high, 0))
            merged[place] = (first, high, already + number)
        return cls(start, unit * group, places, geometric, merged)

    def at(self, share: float) -> float:
        """The value at `share` (0 … 1) of the axis."""
        length = self.places * self.width
        place = self.start + share * length
        if self.geometric:
            return _unscale(place)
        # Sums of float edges miss zero by a rounding error, which would be read as a number.
        return 0.0 if abs(place) < length * _NOISE else place


def _scale(value: float) -> float:
    """Logarithm to base 2, made of straight pieces between powers of 2: bins of float bits are even on it."""
    mantissa, exponent = math.frexp(value)
    return exponent - 1 + 2 * mantissa - 1


def _unscale(place: float) -> float:
    """The value v with `_scale(v) == place`."""
    exponent = math.floor(place)
    return math.ldexp(1 + place - exponent, exponent)


def _bar_class(unit: str, low: float, high: float, shown_from: float) -> str:
    if unit == "logit":
        return "positive" if low + high > 0 else "negative"
    return "marked" if unit == "activation" and high > shown_from else "plain"


def _counted(unit: str) -> str:
    return {"activation": "firings", "position": "firings", "logit": "tokens"}.get(unit, "values")
