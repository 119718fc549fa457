"""Which columns stand on which card of the feature page: the theme's cards laid over the tables' columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atlas.render.panels import Card, ColumnValue, Panel
from atlas.render.themes import CardSpec, Templates, panel_template

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atlas.render.dataset import Drawn
    from atlas.render.payloads import CardPayload, ColumnPayload
    from atlas.schema import ColumnInfo

REST = "rest"
"""Id of the theme's card in whose place columns appear that no card names."""

_DRAWN_TOGETHER = {"scalar", "coords", "category", "hidden"}


@dataclass(frozen=True)
class _CardPlan:
    id: str
    title: str
    panel: str
    scripted: tuple[ColumnInfo, ...]
    """Columns that the theme's scripts draw."""
    templates: tuple[tuple[str, tuple[ColumnInfo, ...]], ...]
    """Templates that draw a part of it, each with its columns."""

    @property
    def payload(self) -> CardPayload:
        return {
            "id": self.id,
            "title": self.title,
            "panel": self.panel,
            "columns": [info.name for info in self.scripted],
            "kept": bool(self.templates),
        }


class CardPlans:
    """The cards of one SAE's feature pages, decided once."""

    def __init__(self, specs: Sequence[CardSpec], columns: Mapping[str, Drawn], templates: Templates) -> None:
        self._columns = columns
        self._templates = templates
        named = {name for spec in specs for name in spec.columns}
        kinds = {kind for spec in specs for kind in spec.kinds}
        self._plans: list[_CardPlan] = []
        for spec in specs:
            if spec.id == REST:
                self._plans += self._rest(named, kinds)
            else:
                self._plans.append(self._plan(spec, named))

    @property
    def payloads(self) -> list[CardPayload]:
        """The cards as scripts get them."""
        return [plan.payload for plan in self._plans]

    @property
    def kept_columns(self) -> frozenset[str]:
        """The columns that templates draw."""
        return frozenset(info.name for plan in self._plans for _, infos in plan.templates for info in infos)

    def cards(self, values: Mapping[str, Any]) -> tuple[Card, ...]:
        """The cards that templates draw, of a feature whose `kept_columns` have `values`."""
        return tuple(
            Card(
                plan.id,
                plan.title,
                tuple(
                    Panel(template, tuple(ColumnValue(info, values.get(info.name)) for info in infos))
                    for template, infos in plan.templates
                ),
            )
            for plan in self._plans
            if plan.templates
        )

    def _rest(self, named: set[str], kinds: set[str]) -> list[_CardPlan]:
        free = [
            drawn.info
            for name, drawn in self._columns.items()
            if name not in named and drawn.info.kind not in kinds and not drawn.hidden
        ]
        return [
            self._laid(CardSpec.model_validate({"id": f"c-{info.name}", "title": info.label}), [info])
            for info in free
            if info.kind not in _DRAWN_TOGETHER
        ]

    def _plan(self, spec: CardSpec, named: set[str]) -> _CardPlan:
        wanted = [self._columns[name].info for name in spec.columns if name in self._columns]
        wanted += [
            drawn.info
            for name, drawn in self._columns.items()
            if drawn.info.kind in spec.kinds and name not in named and not drawn.hidden
        ]
        return self._laid(spec, wanted)

    def _laid(self, spec: CardSpec, wanted: Sequence[ColumnInfo]) -> _CardPlan:
        """A card with the columns `wanted`, each given to a template where the theme has one for it."""
        whole = spec.panel and self._templates.has_panel(spec.panel)
        if whole:
            templates = ((panel_template(spec.panel), tuple(wanted)),)
            return _CardPlan(spec.id, spec.title, spec.panel, (), templates)
        found = [(self._template(info), info) for info in wanted]
        return _CardPlan(
            spec.id,
            spec.title,
            spec.panel,
            tuple(info for template, info in found if not template),
            tuple((template, (info,)) for template, info in found if template),
        )

    def _template(self, info: ColumnInfo) -> str:
        """The template for a column, by its name or else by its kind; empty where a script draws it."""
        named = (panel_template(name) for name in (info.name, info.kind) if self._templates.has_panel(name))
        return next(named, "")


def column_payloads(columns: Mapping[str, Drawn]) -> list[ColumnPayload]:
    """The columns as scripts get them, in order."""
    return [
        {
            "name": drawn.info.name,
            "label": drawn.info.label,
            "doc": drawn.info.doc,
            "unit": drawn.info.unit,
            "kind": drawn.info.kind,
            "fields": list(drawn.fields),
            "hidden": drawn.hidden,
        }
        for drawn in columns.values()
    ]
