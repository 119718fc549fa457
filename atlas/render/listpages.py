"""Pages of lists: the reader's own, which scripts fill, and the curated ones with their preview pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atlas.render.contexts import ListPage, StarredPage
from atlas.render.curated import FOLDER, CuratedList, ListedFeature, read_lists
from atlas.render.dataset import MAX_COLUMN
from atlas.render.frames import Frames, feature_path
from atlas.render.numbers import integer, percent
from atlas.render.preview import PREVIEW_ROWS, Strength, histogram_bins, preview_png
from atlas.render.strips import Shown, shown
from atlas.render.views import Link, ListedView

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from atlas.render.dataset import SaeData
    from atlas.render.overview import SaeSummary
    from atlas.render.windows import Window

PREVIEW_BYTES = 3000
"""What a preview picture takes, about."""

_ROOT = "../"
_HISTOGRAM = "activation_histogram"


def preview_path(slug: str, feature_idx: int) -> str:
    """Path of the preview picture of a listed feature from the site's root."""
    return f"{FOLDER}/preview/{slug}-{feature_idx}.png"


class ListPages:
    """The pages of lists of one site."""

    def __init__(self, frames: Frames, base: Path) -> None:
        """Reads the lists of the config folder `base`; errors as `atlas.render.curated.read_lists`.

        From here on the heads of the listed features' pages name their preview pictures.
        """
        self._frames = frames
        sizes = {entry.slug: entry.n_features for entry in frames.manifest.saes}
        self._lists = read_lists(base, sizes)
        listed = {(feature.sae, feature.feature_idx) for each in self._lists for feature in each.features}
        frames.previews.update({(slug, index): preview_path(slug, index) for slug, index in listed})
        self._listed = sorted(listed)

    @property
    def links(self) -> tuple[Link, ...]:
        """Links to the curated lists, from the site's root."""
        return tuple(Link(each.path, shown(each.name)) for each in self._lists)

    @property
    def n_previews(self) -> int:
        """Number of preview pictures."""
        return len(self._listed)

    def pages(self, summaries: Sequence[SaeSummary]) -> Iterator[StarredPage | ListPage]:
        """The page of the reader's own lists, then those of the curated ones."""
        head = self._frames.head(
            "starred",
            "starred.html",
            "Lists",
            f"Lists of features of {self._frames.name}: your own, kept in your browser, and its own.",
        )
        yield StarredPage(head=head, curated=self.links)
        by_slug = {summary.slug: summary for summary in summaries}
        for each in self._lists:
            yield self._page(each, [_view(feature, by_slug[feature.sae]) for feature in each.features])

    def _page(self, each: CuratedList, features: Sequence[ListedView]) -> ListPage:
        count = f"{integer(len(features))} {'feature' if len(features) == 1 else 'features'}"
        first = each.features[0]
        head = self._frames.head(
            "list",
            each.path,
            each.name,
            each.description or f"{count} of {self._frames.name}, chosen and annotated.",
            image=preview_path(first.sae, first.feature_idx),
        )
        return ListPage(
            head=head,
            name=shown(each.name),
            plain_name=each.name,
            description=each.description,
            paragraphs=_paragraphs(each.description),
            count=count,
            features=tuple(features),
        )

    def previews(self, data: Sequence[SaeData]) -> Iterator[tuple[str, bytes]]:
        """(path, PNG) of the preview picture of every listed feature; `data` are the SAEs of the atlas."""
        by_slug = {sae.slug: sae for sae in data}
        for slug, feature_idx in self._listed:
            block = by_slug[slug].block(feature_idx, feature_idx + 1)
            values = {
                name: block.values[name][0] for name in (MAX_COLUMN, _HISTOGRAM) if name in block.values
            }
            largest = float(values.get(MAX_COLUMN) or 0.0)
            top = block.windows.top(feature_idx, PREVIEW_ROWS)
            picture = preview_png(
                [_strengths(window, largest) for window in top], histogram_bins(values.get(_HISTOGRAM))
            )
            yield preview_path(slug, feature_idx), picture


def _strengths(window: Window, largest: float) -> Strength:
    heat = {place: value / largest for place, value in window.heat.items()} if largest > 0 else {}
    return heat, window.peak, len(window.pieces)


def _view(feature: ListedFeature, summary: SaeSummary) -> ListedView:
    index = feature.feature_idx
    token = summary.top_tokens[index]
    density = summary.densities[index]
    return ListedView(
        sae=feature.sae,
        feature_idx=index,
        href=_ROOT + feature_path(feature.sae, index),
        title=summary.explanations.title(index),
        token=shown(token, spaces=True) if token else None,
        density="never fires" if density == 0 else f"density {percent(density)}",
        note=feature.note.strip(),
        paragraphs=_paragraphs(feature.note),
        preview=_ROOT + preview_path(feature.sae, index),
    )


def _paragraphs(text: str) -> tuple[Shown, ...]:
    # Not splitlines: it also cuts at characters that pages show as badges.
    return tuple(shown(line.strip(" \t\r")) for line in text.split("\n") if line.strip())
