"""What the templates of a theme's own panels get, and numbers in the words of the page.

The default theme's panels are drawn by its scripts, from the feature's shard. A theme may add panels that
are templates: `panels/<name>/panel.html`, where `<name>` is the panel a card names, or a column's own name,
or its kind. Such a template gets the columns as `panel.columns`, next to `page`; what it draws is part of
the page itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from atlas.render.numbers import decimal, exact, integer, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atlas.schema import ColumnInfo

UNIT_WORDS = {
    "tokens": "tokens",
    "contexts": "contexts",
    "documents": "documents",
    "activation": "activation",
    "logit": "logits",
    "nats": "nats",
}
"""Unit → the word beside a number; other units show in the number itself or need none."""


class ScalarRow(NamedTuple):
    """One number of a feature."""

    name: str
    """Column name: the anchor of its definition on the about page."""
    label: str
    """Heading."""
    text: str
    """The number as read, with its unit unless the heading says it."""


@dataclass(frozen=True)
class ColumnValue:
    """A column with the feature's value, for a panel's template."""

    info: ColumnInfo
    """Its meaning."""
    value: Any
    """As the dataset has it: a number, a text, a list of tuples; None where there is none. Texts and names in
    it are untrusted; templates escape them."""


@dataclass(frozen=True)
class Panel:
    """One picture on a card."""

    template: str
    """Template that draws it."""
    columns: tuple[ColumnValue, ...]
    """What it draws; empty for a panel that needs no column."""


@dataclass(frozen=True)
class Card:
    """A box of the margin column that templates draw."""

    id: str
    """Anchor."""
    title: str
    """Heading."""
    panels: tuple[Panel, ...]
    """What it holds."""


def scalar_rows(column: ColumnInfo, values: Sequence[Any]) -> list[ScalarRow]:
    """A scalar column as one line per feature."""
    name, label, unit = column.name, column.label, column.unit
    words = unit_words(unit)
    after = f" {words}" if words and words not in label.split() else ""
    return [ScalarRow(name, label, f"{number_text(value, unit)}{after}") for value in values]


def number_text(value: Any, unit: str) -> str:
    """A scalar as read: integers in full, shares in per cent, floats to four digits, nothing as a dash."""
    if unit == "fraction" and value is not None:
        return percent(float(value))
    if isinstance(value, int):
        return integer(value)
    return decimal(value)


def full_text(value: Any) -> str:
    """A scalar in full."""
    return str(value) if isinstance(value, int) else exact(value)


def unit_words(unit: str) -> str:
    """The word beside a number of `unit`; empty for most."""
    return UNIT_WORDS.get(unit, "")
