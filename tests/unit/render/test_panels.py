"""Numbers in the words of the page, and what templates of panels get."""

from __future__ import annotations

import pytest

from atlas.render.numbers import NO_DATA
from atlas.render.panels import full_text, number_text, scalar_rows, unit_words
from atlas.schema import UNITS, ColumnInfo


def column(name: str, kind: str = "scalar", unit: str = "none", label: str = "") -> ColumnInfo:
    return ColumnInfo(name, label or name.replace("_", " "), "Doc.", kind, unit)


@pytest.mark.parametrize(
    ("info", "value", "row", "none"),
    [
        (column("firing_tokens", unit="tokens"), 1234, ("firing_tokens", "firing tokens", "1,234"), NO_DATA),
        (column("seen", unit="tokens"), 1234, ("seen", "seen", "1,234 tokens"), f"{NO_DATA} tokens"),
        (column("density", unit="fraction"), 0.0125, ("density", "density", "1.25\u202f%"), NO_DATA),
        (
            column("an_activation", unit="activation"), 3.14,
            ("an_activation", "an activation", "3.140"), NO_DATA,
        ),
        (column("entropy", unit="nats"), 2.0, ("entropy", "entropy", "2.000 nats"), f"{NO_DATA} nats"),
        (column("skew"), None, ("skew", "skew", NO_DATA), NO_DATA),
    ],
)  # fmt: skip
def test_a_number_on_one_line(info: ColumnInfo, value: float | None, row: tuple[str, ...], none: str):
    assert [tuple(found) for found in scalar_rows(info, [value, None])] == [row, (*row[:2], none)]
    assert scalar_rows(info, []) == []


@pytest.mark.parametrize("unit", UNITS)
def test_every_unit_can_be_written(unit: str):
    assert number_text(3, unit)
    assert number_text(2.5, unit)
    assert number_text(None, unit) == NO_DATA
    assert isinstance(unit_words(unit), str)


def test_whole_numbers_are_written_in_full():
    assert full_text(1234567) == "1234567"
    assert full_text(0.5) == "0.5"
