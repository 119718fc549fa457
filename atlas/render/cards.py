"""Which panels stand on which card of the feature page: the theme's cards laid over the tables' columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atlas.render.dataset import SHARE_SUFFIX
from atlas.render.panels import (
    BY_COLUMN,
    Card,
    FeatureView,
    Panel,
    PanelData,
    coords,
    heading_unit,
    scalars,
    token_list,
)
from atlas.render.themes import CardSpec, Templates, panel_template

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atlas.schema import ColumnInfo

REST = "rest"
"""Id of the theme's card in whose place columns appear that no card names."""

_TOGETHER = {"scalar", "coords", "category"}


@dataclass(frozen=True)
class _Slot:
    """One panel of a card: its template and the columns it draws."""

    template: str
    columns: tuple[ColumnInfo, ...]


@dataclass(frozen=True)
class _CardPlan:
    id: str
    title: str
    slots: tuple[_Slot, ...]

    @property
    def explained(self) -> ColumnInfo | None:
        """The column that the card is about; None for cards of many kinds of numbers."""
        columns = [info for slot in self.slots for info in slot.columns]
        return columns[0] if columns and columns[0].kind not in _TOGETHER else None

    def card(self, panels: tuple[Panel, ...]) -> Card:
        """The card with `panels` on it."""
        about = self.explained
        return Card(
            self.id, self.title, about.name if about else "", heading_unit(about) if about else "", panels
        )


class CardPlans:
    """The cards of one SAE's feature pages, decided once; `cards` fills them for a feature."""

    def __init__(
        self, specs: Sequence[CardSpec], columns: Mapping[str, ColumnInfo], templates: Templates
    ) -> None:
        self._columns = columns
        self._templates = templates
        named = {name for spec in specs for name in spec.columns}
        kinds = {kind for spec in specs for kind in spec.kinds}
        self._free = [info for info in columns.values() if info.name not in named and info.kind not in kinds]
        self._plans: list[_CardPlan] = []
        for spec in specs:
            self._plans += self._rest() if spec.id == REST else [self._plan(spec, named)]

    def cards(self, values: Mapping[str, Any], view: FeatureView) -> tuple[Card, ...]:
        """The cards of a feature whose columns have `values`; cards with nothing to draw are left out."""
        filled = (plan.card(tuple(_fill(plan, values, view))) for plan in self._plans)
        return tuple(card for card in filled if card.panels)

    def _rest(self) -> list[_CardPlan]:
        return [
            _CardPlan(f"c-{info.name}", info.label, tuple(self._slots([info], "")))
            for info in self._free
            if info.kind in BY_COLUMN
        ]

    def _plan(self, spec: CardSpec, named: set[str]) -> _CardPlan:
        wanted = [self._columns[name] for name in spec.columns if name in self._columns]
        wanted += [
            info for info in self._columns.values() if info.kind in spec.kinds and info.name not in named
        ]
        if spec.columns or spec.kinds:
            return _CardPlan(spec.id, spec.title, tuple(self._slots(wanted, spec.panel)))
        return _CardPlan(spec.id, spec.title, (_Slot(panel_template(spec.panel), ()),))

    def _slots(self, columns: Sequence[ColumnInfo], panel: str) -> list[_Slot]:
        together = tuple(info for info in columns if info.kind in _TOGETHER)
        slots = [
            _Slot(self._template(info, panel), (info,)) for info in columns if info.kind not in _TOGETHER
        ]
        if together:
            slots.insert(0, _Slot(self._template(together[0], panel), together))
        return slots

    def _template(self, info: ColumnInfo, panel: str) -> str:
        own = panel or info.name
        return panel_template(own if self._templates.has_panel(own) else info.kind)


def _fill(plan: _CardPlan, values: Mapping[str, Any], view: FeatureView) -> list[Panel]:
    """The panels of a card that have something to draw."""
    scale = _shared_scale(plan, values)
    panels: list[Panel] = []
    for slot in plan.slots:
        data = _draw(slot.columns, values, view, scale) if slot.columns else None
        if data is not None or not slot.columns:
            panels.append(Panel(slot.template, data))
    return panels


def _draw(
    columns: Sequence[ColumnInfo], values: Mapping[str, Any], view: FeatureView, scale: float
) -> PanelData | None:
    first = columns[0]
    if first.kind == "scalar":
        return scalars(columns, [values[info.name] for info in columns])
    if first.kind in _TOGETHER:
        return coords({info.name: values[info.name] for info in columns}, view)
    if first.kind == "token_list":
        return token_list(first, values[first.name], view, scale, values.get(first.name + SHARE_SUFFIX))
    return BY_COLUMN[first.kind](first, values[first.name], view)


def _shared_scale(plan: _CardPlan, values: Mapping[str, Any]) -> float:
    """Largest logit effect of the card's token lists, so that their bars compare; 0 for other units."""
    lists = [values[info.name] for slot in plan.slots for info in slot.columns if _is_logits(info)]
    return max((abs(number) for entries in lists for *_, number in entries or ()), default=0.0)


def _is_logits(info: ColumnInfo) -> bool:
    return info.kind == "token_list" and info.unit == "logit"
