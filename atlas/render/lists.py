"""Lists of features: the browse page of an SAE and its lists of a thousand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atlas.render.columns import DENSITY_COLUMN
from atlas.render.contexts import BrowsePage, ThousandPage
from atlas.render.dataset import FIRING_COLUMN, MAX_COLUMN, TOKENS_COLUMN, SaeData
from atlas.render.features import is_dead
from atlas.render.numbers import decimal, integer, percent
from atlas.render.panels import full_text, number_text, unit_words
from atlas.render.views import FeatureRow, ReportFigure, ThousandLink
from atlas.text import inline_text

if TYPE_CHECKING:
    import pyarrow as pa

    from atlas.render.features import Explanations
    from atlas.render.frames import Frames
    from atlas.render.strips import Words

PER_LIST = 1000
"""Features per list, and entries per folder: hosts cap the size of folders."""

_NUMBERS = (FIRING_COLUMN, MAX_COLUMN, DENSITY_COLUMN)
_COUNTED = {"tokens", "contexts", "documents", "count"}
_FIRST_ROWS = 100
_TOKENS = 5


class Lists:
    """Makes the lists of one SAE."""

    def __init__(self, frames: Frames, data: SaeData, words: Words, explanations: Explanations) -> None:
        self._frames = frames
        self._data = data
        self._words = words
        self._explanations = explanations
        self._n_tokens = int(frames.manifest.stream.get("n_tokens", 0) or 0)

    def rows(self, start: int, stop: int) -> list[FeatureRow]:
        """A row of each feature start <= feature_idx < stop, hrefs as seen from the feature's own list."""
        raw = self._data.columns_of((*_NUMBERS, TOKENS_COLUMN), start, stop)
        missing: list[Any] = [None] * (stop - start)
        columns = [raw[name].values() if name in raw else missing for name in _NUMBERS]
        tokens = raw[TOKENS_COLUMN].heads(_TOKENS) if TOKENS_COLUMN in raw else [()] * (stop - start)
        total, words = integer(self._n_tokens), self._words
        return [
            FeatureRow(
                feature_idx=feature_idx,
                href=f"{feature_idx}.html",
                title=self._explanations.title(feature_idx),
                dead=is_dead({FIRING_COLUMN: count}),
                density=percent(density),
                density_exact="" if count is None else f"{integer(count)} of {total}",
                max_activation=decimal(largest),
                tokens=tuple([words[entry[0]] for entry in entries]),
            )
            for feature_idx, (count, largest, density, entries) in enumerate(
                zip(*columns, tokens, strict=True), start
            )
        ]

    def thousands(self, current: int, prefix: str) -> tuple[ThousandLink, ...]:
        """Links to all lists; `prefix` leads to the SAE's folder, `current` is the page's own list."""
        n_features = self._data.n_features
        return tuple(
            ThousandLink(f"{prefix}{number}/index.html", _label(number, n_features), number == current)
            for number in range(-(-n_features // PER_LIST))
        )

    def browse(self, report: tuple[ReportFigure, ...]) -> BrowsePage:
        """The SAE's own page."""
        slug, frames = self._data.slug, self._frames
        first = [
            row._replace(href=f"{row.feature_idx // PER_LIST}/{row.href}")
            for row in self.rows(0, min(_FIRST_ROWS, self._data.n_features))
        ]
        sae = frames.saes[slug]
        return BrowsePage(
            head=frames.head(
                "browse",
                f"{slug}/index.html",
                f"{self._data.entry.title}",
                f"All {sae.n_features} of {self._data.entry.title}, a sparse autoencoder on {sae.hook_name}.",
                sae_slug=slug,
            ),
            sae=sae,
            facts=sae_sentence(self._data.entry.facts, sae.n_features),
            report=report,
            thousands=self.thousands(-1, ""),
            rows=tuple(first),
        )

    def page(self, number: int) -> ThousandPage:
        """List `number` of a thousand."""
        slug, frames, n_features = self._data.slug, self._frames, self._data.n_features
        label = _label(number, n_features)
        head = frames.head(
            "thousand",
            thousand_path(slug, number),
            f"Features {label} · {self._data.entry.title}",
            f"Features {label} of {self._data.entry.title} with how often and on what they fire.",
            sae_slug=slug,
        )
        rows = self.rows(number * PER_LIST, min((number + 1) * PER_LIST, n_features))
        links = self.thousands(number, "../")
        return ThousandPage(head=head, sae=frames.saes[slug], label=label, thousands=links, rows=tuple(rows))


def thousand_path(slug: str, number: int) -> str:
    """Path of list `number` of an SAE from the site's root."""
    return f"{slug}/{number}/index.html"


def _label(number: int, n_features: int) -> str:
    first = number * PER_LIST
    return f"{first}\N{EN DASH}{min(first + PER_LIST, n_features) - 1}"


def sae_sentence(facts: dict[str, Any], n_features: str) -> str:
    """What an SAE is, in one sentence; facts that the manifest lacks are left out."""
    architecture = inline_text(str(facts.get("architecture") or "")).strip()
    sentence = f"A {architecture} sparse autoencoder" if architecture else "A sparse autoencoder"
    if facts.get("hook_name"):
        sentence += f" reading {inline_text(str(facts['hook_name']))}"
    if facts.get("d_in"):
        sentence += f" ({integer(int(facts['d_in']))} dimensions)"
    return f"{sentence}, with {n_features}."


def report_figures(rows: pa.Table | None) -> tuple[ReportFigure, ...]:
    """The report card from the table report; empty where the dataset has none."""
    if rows is None:
        return ()
    names = ("label", "value", "unit", "doc", "metric")
    figures: list[ReportFigure] = []
    for label, value, unit, doc, metric in zip(*(rows[name].to_pylist() for name in names), strict=True):
        number = int(value) if unit in _COUNTED and value is not None and value == int(value) else value
        figures.append(
            ReportFigure(
                label=inline_text(label or metric),
                text=number_text(number, unit),
                exact=full_text(number),
                unit="" if unit in _COUNTED else unit_words(unit),
                doc=inline_text(doc),
            )
        )
    return tuple(figures)
