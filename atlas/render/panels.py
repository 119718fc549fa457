"""Panels: how a column is drawn, by its kind. Each builder turns one feature's value into plain records.

A theme draws a record in `panels/<name>/panel.html`, where `<name>` is the column's own name if the
theme has such a folder, else its kind. The template gets the record as `panel.data`, next to `page`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from atlas.render.histograms import HistogramPanel, histogram
from atlas.render.numbers import decimal, exact, integer, percent, signed
from atlas.render.strips import Shown, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from atlas.schema import ColumnInfo

METER_STEPS = 20
"""Classes w0 … w20 of the bars: inline styles are forbidden by the CSP."""

_WITH_UNIT = {"token_list", "feature_list"}
_HEADING_UNITS = {"logit": "logits", "cosine": "cosine", "correlation": "phi"}

UNIT_WORDS = {
    "tokens": "tokens",
    "contexts": "contexts",
    "documents": "documents",
    "activation": "activation",
    "logit": "logits",
    "nats": "nats",
}
"""Unit → the word beside a number; other units show in the number itself or need none."""


@dataclass(frozen=True)
class FeatureView:
    """What builders may know of the feature besides the column's value."""

    feature_idx: int
    """Its number."""
    max_activation: float
    """Its largest activation; 0 if it never fired."""
    shown_from: float
    """Activation of the weakest top example on the page; infinite without examples."""
    token: Callable[[int], str]
    """Token id → exact text."""
    title: Callable[[int], Shown]
    """Feature of the same SAE → its explanation or what stands for one."""
    href: Callable[[int], str]
    """Feature of the same SAE → its page, seen from this one."""
    cluster: Callable[[int], Shown]
    """Cluster number → its label."""


class TokenRow(NamedTuple):
    """A token with a number."""

    token: Shown
    """The token, spaces visible."""
    width: int
    """Length of its bar, 0 … METER_STEPS."""
    value: str
    """The number as read."""
    exact: str
    """The number in full, in words where there are two."""


@dataclass(frozen=True)
class TokenListPanel:
    """Kind 'token_list'."""

    label: str
    """What the list is."""
    css: str
    """positive, negative, or empty for activations."""
    rows: tuple[TokenRow, ...]
    """Most important first."""
    note: str = ""
    """How much of the corpus was counted, where it was not all of it."""


class FeatureRowView(NamedTuple):
    """Another feature with a number."""

    href: str
    """Its page."""
    title: Shown
    """Its explanation, or what stands for one."""
    value: str
    """The number as read."""
    exact: str
    """The number in full."""


class SourceRow(NamedTuple):
    """A part of the corpus with how densely a feature fires in it."""

    name: Shown
    """What the corpus calls it."""
    width: int
    """Length of its bar, 0 … METER_STEPS: the densest source has all of it."""
    value: str
    """Share of its tokens on which the feature fires."""
    exact: str
    """The number of firing tokens, and that share in full."""


@dataclass(frozen=True)
class SourceListPanel:
    """Kind 'source_list'."""

    label: str
    """What the list is."""
    rows: tuple[SourceRow, ...]
    """Most densely firing first."""


@dataclass(frozen=True)
class FeatureListPanel:
    """Kind 'feature_list'."""

    label: str
    """What the list is."""
    rows: tuple[FeatureRowView, ...]
    """Most important first."""


class ScalarRow(NamedTuple):
    """One number of the table."""

    name: str
    """Column name: the anchor of its definition on the about page."""
    label: str
    """Heading."""
    text: str
    """The number as read."""
    exact: str
    """The number in full."""
    unit: str
    """Unit in words; may be empty."""


@dataclass(frozen=True)
class ScalarPanel:
    """Kind 'scalar': all of them in one table."""

    rows: tuple[ScalarRow, ...]
    """In the order of the tables."""


@dataclass(frozen=True)
class CoordsPanel:
    """Kinds 'coords' and 'category': the place on the map."""

    cluster: Shown
    """Label of its group; empty for none."""


@dataclass(frozen=True)
class TextPanel:
    """Kind 'text'."""

    label: str
    """What the text is."""
    text: Shown
    """The text."""


PanelData = (
    HistogramPanel
    | TokenListPanel
    | FeatureListPanel
    | SourceListPanel
    | ScalarPanel
    | CoordsPanel
    | TextPanel
)


@dataclass(frozen=True)
class Panel:
    """One picture on a card."""

    template: str
    """Template that draws it."""
    data: PanelData | None
    """What it draws; None for a panel that needs no column."""


@dataclass(frozen=True)
class Card:
    """A box of the margin column."""

    id: str
    """Anchor."""
    title: str
    """Heading."""
    definition: str
    """Column whose definition on the about page explains it; empty for none."""
    unit: str
    """What its numbers are, in a word or two; may be empty."""
    panels: tuple[Panel, ...]
    """What it holds."""


def token_list(
    column: ColumnInfo, value: Any, view: FeatureView, scale: float = 0.0, share: float | None = None
) -> TokenListPanel | None:
    """`value`: [(token_id, count, value)], most important first; None for an empty list.

    Bars are as long as the value in relation to `scale` (of activations: the feature's maximum). A
    `share` below 1 says in how much of the corpus the list was counted; the panel then says so.
    """
    entries = value or ()
    if not entries:
        return None
    values = [entry[2] for entry in entries]
    full = scale or (view.max_activation if column.unit == "activation" else max(map(abs, values)))
    rows: list[TokenRow] = []
    for token, count, number in entries:
        width = min(METER_STEPS, round(METER_STEPS * abs(number) / full)) if full > 0 else 0
        text_ = shown(view.token(token), spaces=True)
        if count:
            title = f"{integer(count)} firing{'s' * (count > 1)}, mean {exact(number)}"
            rows.append(TokenRow(text_, width, integer(count), title))
        else:
            rows.append(TokenRow(text_, width, signed(number), exact(number)))
    css = ""
    if column.unit == "logit":
        css = "negative" if sum(values) < 0 else "positive"
    return TokenListPanel(column.label, css, tuple(rows), _sample_note(share))


def _sample_note(share: float | None) -> str:
    if share is None or not 0 < share < 1:
        return ""
    return f"Counted in 1 of {round(1 / share)} contexts, drawn by a hash."


def feature_list(column: ColumnInfo, value: Any, view: FeatureView) -> FeatureListPanel | None:
    """`value`: [(feature_idx, value, …)], most important first; None for an empty list."""
    rows = [
        FeatureRowView(view.href(other), view.title(other), decimal(number, 2), exact(number))
        for other, number, *_ in value or ()
    ]
    return FeatureListPanel(column.label, tuple(rows)) if rows else None


def source_list(column: ColumnInfo, value: Any, view: FeatureView) -> SourceListPanel | None:
    """`value`: [(name, count, value)], largest value first; None for an empty list."""
    del view
    entries = value or ()
    most = max((density for _, _, density in entries), default=0.0)
    rows = [
        SourceRow(
            shown(name or "(no name)"),
            min(METER_STEPS, round(METER_STEPS * density / most)) if most > 0 else 0,
            percent(density),
            f"{integer(count)} firing{'s' * (count > 1)}, {exact(density)} of the tokens",
        )
        for name, count, density in entries
    ]
    return SourceListPanel(column.label, tuple(rows)) if rows else None


def text(column: ColumnInfo, value: Any, view: FeatureView) -> TextPanel | None:
    """`value`: a string; None when empty."""
    del view
    return TextPanel(column.label, shown(str(value))) if value else None


def scalars(columns: Sequence[ColumnInfo], values: Sequence[Any]) -> ScalarPanel | None:
    """All scalar columns of a feature as one table; None without any."""
    rows = [
        ScalarRow(
            column.name,
            column.label,
            number_text(value, column.unit),
            full_text(value),
            unit_words(column.unit),
        )
        for column, value in zip(columns, values, strict=True)
    ]
    return ScalarPanel(tuple(rows)) if rows else None


def coords(values: Mapping[str, Any], view: FeatureView) -> CoordsPanel | None:
    """`values`: column name → value of the columns on the map's card; None for a feature without a place."""
    if values.get("x") is None:
        return None
    cluster = values.get("cluster")
    return CoordsPanel(view.cluster(int(cluster)) if cluster is not None and cluster >= 0 else shown(""))


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


def heading_unit(column: ColumnInfo) -> str:
    """What the numbers of a card about `column` are, in a word or two."""
    if column.kind == "token_list" and column.unit == "activation":
        return "firings, mean as bar"
    if column.kind == "source_list":
        return "share of its tokens"
    return _HEADING_UNITS.get(column.unit, "") if column.kind in _WITH_UNIT else ""


BY_COLUMN: dict[str, Callable[[ColumnInfo, Any, FeatureView], PanelData | None]] = {
    "histogram": lambda column, value, view: histogram(column, value, view.shown_from),
    "token_list": token_list,
    "feature_list": feature_list,
    "source_list": source_list,
    "text": text,
}
"""Kinds drawn one column a panel → builder. 'scalar', 'coords' and 'category' are drawn together."""
