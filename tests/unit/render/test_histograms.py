"""Histograms: every count is drawn once, at its place."""

from __future__ import annotations

import itertools
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.render.histograms import HistogramPanel, _scale, _unscale, histogram
from atlas.schema import ColumnInfo

ACTIVATIONS = ColumnInfo("activation_histogram", "activations", "Doc.", "histogram", "activation")
LOGITS = ColumnInfo("logit_histogram", "logits", "Doc.", "histogram", "logit")
POSITIONS = ColumnInfo("position_profile", "position", "Doc.", "histogram", "position")
OTHER = ColumnInfo("gaps", "gaps", "Doc.", "histogram", "tokens")
STROKE = re.compile(r"M(\d+) 64v-(\d+)")

Bin = tuple[float, float, int]


def draw(bins: list[Bin], column: ColumnInfo = ACTIVATIONS, shown_from: float = math.inf) -> HistogramPanel:
    panel = histogram(column, bins, shown_from)
    assert panel is not None
    return panel


def strokes(panel: HistogramPanel) -> dict[int, int]:
    """Place from the left → height, over all colours."""
    found: dict[int, int] = {}
    for bars in panel.bars:
        assert STROKE.sub("", bars.d) == ""
        for x, height in STROKE.findall(bars.d):
            assert int(x) % 8 == 4
            assert int(x) // 8 not in found
            found[int(x) // 8] = int(height)
    return found


def number(text: str) -> int:
    return int(text.replace(",", ""))


def even(counts: list[int], start: float = 0.0, width: float = 0.5) -> list[Bin]:
    return [(start + width * at, start + width * (at + 1), count) for at, count in enumerate(counts) if count]


def octaves(counts: list[int], per_octave: int = 8) -> list[Bin]:
    """Bins of float bits, as the pass makes them: even within an octave, twice as wide in the next."""
    edges = [2.0 ** (at // per_octave) * (1 + at % per_octave / per_octave) for at in range(len(counts) + 1)]
    return [(edges[at], edges[at + 1], count) for at, count in enumerate(counts) if count]


@pytest.mark.parametrize("value", [None, [], [(0.0, 1.0, 0)]])
def test_nothing_counted_is_nothing_drawn(value: list[Bin] | None):
    assert histogram(ACTIVATIONS, value, math.inf) is None


def test_even_bins_are_bars_in_proportion():
    panel = draw(even([4, 0, 2, 1]))
    assert strokes(panel) == {0: 64, 2: 32, 3: 16}
    assert panel.width == 4 * 8
    assert panel.ticks == ("0", "1.00", "2.00")
    assert panel.caption == "7 firings in bins from 0 to 2.00, linear scale."
    assert [(row.lower, row.number) for row in panel.rows] == [("0", "4"), ("1.00", "2"), ("1.50", "1")]


def test_a_small_count_is_still_seen():
    assert strokes(draw(even([100000, 1]))) == {0: 64, 1: 1}


def test_float_bins_are_even_on_a_logarithmic_axis():
    panel = draw(octaves([1] * 20))
    assert strokes(panel) == dict.fromkeys(range(20), 64)
    assert "logarithmic scale" in panel.caption
    assert panel.ticks[0] == "1.00"


def test_gaps_between_float_bins_stay_gaps():
    counts = [1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 4]
    assert strokes(draw(octaves(counts))) == {0: 16, 3: 32, 11: 64}


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=120).filter(any), st.sampled_from([even, octaves]))
def test_no_count_is_lost_or_moved(counts: list[int], kind):
    bins = kind(counts)
    panel = draw(bins)
    assert sum(number(row.number) for row in panel.rows) == sum(counts)
    assert len(panel.rows) == len(strokes(panel)) <= 24
    assert panel.width == 8 * math.ceil(panel.width / 8) <= 24 * 8
    assert max(strokes(panel).values()) == 64
    assert min(strokes(panel).values()) >= 1
    lowers = [float(row.lower.replace(",", "").replace("\N{MINUS SIGN}", "-")) for row in panel.rows]
    assert lowers == sorted(lowers)


def test_the_range_of_the_examples_is_marked():
    panel = draw(even([1, 1, 1, 1]), shown_from=1.2)
    assert {bars.css: len(STROKE.findall(bars.d)) for bars in panel.bars} == {"plain": 2, "marked": 2}
    assert panel.caption.endswith("orange: the range of the examples shown.")


def test_logits_are_coloured_by_their_sign():
    panel = draw(even([3, 5, 2], start=-0.75), column=LOGITS)
    assert {bars.css: strokes_of(bars.d) for bars in panel.bars} == {"negative": [0, 1], "positive": [2]}
    assert panel.count_label == "tokens"
    assert panel.rows[0].lower == "\N{MINUS SIGN}0.750"


def strokes_of(d: str) -> list[int]:
    return [int(x) // 8 for x, _ in STROKE.findall(d)]


def test_the_middle_of_a_symmetric_axis_is_zero():
    edges = np.linspace(-1.2, 1.2, 13).astype(np.float32).tolist()
    bins = [(low, high, 1) for low, high in itertools.pairwise(edges)]
    assert draw(bins, column=LOGITS).ticks == ("\N{MINUS SIGN}1.20", "0", "1.20")


def test_other_units_are_plain_values():
    panel = draw(even([1, 2]), column=OTHER, shown_from=0.0)
    assert [bars.css for bars in panel.bars] == ["plain"]
    assert panel.count_label == "values"


def test_positions_are_firings_on_a_linear_scale_that_nothing_marks():
    """Positions without the masked first bins: equal bins, so not logarithmic, whatever is shown."""
    bins = [(8.0 * place, 8.0 * place + 8, 5) for place in range(1, 16)]
    panel = draw(bins, column=POSITIONS, shown_from=0.5)
    assert [bars.css for bars in panel.bars] == ["plain"]
    assert panel.count_label == "firings"
    assert panel.caption == "75 firings in bins from 8.00 to 128, linear scale."


def test_a_single_bin():
    panel = draw([(3.0, 3.5, 12)])
    assert strokes(panel) == {0: 64}
    assert panel.ticks == ("3.00", "3.25", "3.50")


@given(st.floats(1e-30, 1e30))
def test_the_scale_can_be_undone(value: float):
    assert _unscale(_scale(value)) == pytest.approx(value, rel=1e-9)


@given(st.floats(1e-30, 1e30), st.floats(1e-30, 1e30))
def test_the_scale_keeps_order(first: float, second: float):
    assert (_scale(first) < _scale(second)) <= (first < second)
