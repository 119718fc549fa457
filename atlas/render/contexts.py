"""What templates may use: one dataclass per template.

Every template gets two variables: `site`, a `SiteFrame`, and `page`, the dataclass that `TEMPLATES`
names for it. Text from data comes as `Shown` (made visible, escaped) where elements are possible, and
as plain text, which the template escapes, in titles and attributes. Hrefs are relative to the page
unless their doc says "from the site's root", where a template puts `page.root` in front.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from atlas.render.panels import Card, ScalarRow
    from atlas.render.strips import Shown
    from atlas.render.views import (
        BadgeView,
        BriefExample,
        Definition,
        ExplanationView,
        Fact,
        FeatureRow,
        FileView,
        FiringView,
        Head,
        Link,
        ListedView,
        MapSection,
        ModelView,
        NeighbourView,
        ReportFigure,
        SaeFactsView,
        SaeLink,
        SaeSection,
        ThousandLink,
    )


@dataclass(frozen=True, kw_only=True)
class Page:
    """What every template may use."""

    head: Head
    """Title, address, scripts and menu of the page."""

    @property
    def root(self) -> str:
        """From the page to the site's root: empty, or `../` once or more."""
        return self.head.root

    def near(self, path: str) -> str:
        """The way from the page to `path`, which is from the site's root; short within its own folder."""
        folder = f"{self.head.path.partition('/')[0]}/"
        if self.root.startswith("../") and path.startswith(folder):
            return self.root.removeprefix("../") + path.removeprefix(folder)
        return self.root + path


@dataclass(frozen=True, kw_only=True)
class HomePage(Page):
    """`home.html`."""

    heading: Shown
    """Name of the atlas."""
    lead: Shown
    """Its description by its author; may be empty."""
    what: Shown
    """Two sentences: what an atlas is, with this one's numbers."""
    corpus: Shown
    """The corpus in the words of its source."""
    ways: tuple[Link, ...]
    """Where to go first."""
    sections: tuple[SaeSection, ...]
    """One per SAE."""
    curated: tuple[Link, ...]
    """The curated lists."""


@dataclass(frozen=True, kw_only=True)
class BrowsePage(Page):
    """`browse.html`: the way into one SAE."""

    sae: SaeLink
    """Which."""
    facts: str
    """One sentence of what the SAE is."""
    report: tuple[ReportFigure, ...]
    """Its report card."""
    thousands: tuple[ThousandLink, ...]
    """All its lists."""
    rows: tuple[FeatureRow, ...]
    """The first features, readable without JavaScript."""


@dataclass(frozen=True, kw_only=True)
class ThousandPage(Page):
    """`thousand.html`: up to 1,000 features as a plain table."""

    sae: SaeLink
    """Which SAE."""
    label: str
    """First and last feature."""
    thousands: tuple[ThousandLink, ...]
    """All lists, this one marked."""
    rows: tuple[FeatureRow, ...]
    """The features."""


@dataclass(frozen=True, kw_only=True)
class FeaturePage(Page):
    """`feature.html`."""

    feature_idx: int
    """The feature's number."""
    sae: SaeLink
    """Its SAE."""
    thousand: str
    """Label of the list it is in."""
    heading: Shown
    """Its explanation, or what stands for one."""
    explanation: ExplanationView | None
    """Where the explanation comes from; None without one."""
    firing: FiringView
    """How often it fires."""
    badges: tuple[BadgeView, ...]
    """Remarks such as dead or dense."""
    examples: tuple[BriefExample, ...]
    """Some of its strongest examples; none for a dead feature."""
    nothing: tuple[str, ...]
    """Sentences shown in place of examples."""
    tokens: Shown
    """Tokens it fires on most, the entries of a `<dl>`; empty for none."""
    raised: Shown
    """Tokens it makes more likely to come next, likewise."""
    lowered: Shown
    """Tokens it makes less likely, likewise."""
    neighbours: tuple[NeighbourView, ...]
    """Features most like it."""
    numbers: tuple[ScalarRow, ...]
    """Its main numbers."""
    cards: tuple[Card, ...]
    """What templates of the theme's own panels draw, top to bottom."""
    previous: Link | None
    """The feature before."""
    following: Link | None
    """The feature after."""
    shard: str
    """Data file with all its examples, from the site's root."""


@dataclass(frozen=True, kw_only=True)
class MapPage(Page):
    """`map.html`."""

    sections: tuple[MapSection, ...]
    """One per SAE that has a map."""


@dataclass(frozen=True, kw_only=True)
class SearchPage(Page):
    """`search.html`."""

    n_words: str
    """Number of words of explanations that can be found."""
    n_tokens: str
    """Number of tokens that can be found among those that features fire on most."""
    n_phrases: str
    """Number of phrases that can be found."""
    has_meaning: bool
    """Whether features can be found by meaning."""


@dataclass(frozen=True, kw_only=True)
class StarredPage(Page):
    """`starred.html`: the reader's own lists, which scripts fill in."""

    curated: tuple[Link, ...]
    """The curated lists."""


@dataclass(frozen=True, kw_only=True)
class ListPage(Page):
    """`list.html`: a curated list."""

    name: Shown
    """Its heading."""
    plain_name: str
    """The same as it is, for scripts."""
    description: str
    """What it is about, as it is; may be empty."""
    paragraphs: tuple[Shown, ...]
    """The same, made visible."""
    count: str
    """Number of features, with the noun."""
    features: tuple[ListedView, ...]
    """The features, in order."""


@dataclass(frozen=True, kw_only=True)
class TestPage(Page):
    """`test.html`: a text of the reader's own, which scripts run through the model."""

    model: ModelView
    """The model that runs in the browser."""


@dataclass(frozen=True, kw_only=True)
class ContrastPage(Page):
    """`contrast.html`: two texts, or two sets of lines, compared feature by feature by scripts."""

    model: ModelView
    """The model that runs in the browser."""


@dataclass(frozen=True, kw_only=True)
class SteerPage(Page):
    """`steer.html`: what the model writes with features turned up or silenced, run by scripts."""

    model: ModelView
    """The model that runs in the browser."""


@dataclass(frozen=True, kw_only=True)
class AboutPage(Page):
    """`about.html`: the manifest in words."""

    summary: tuple[str, ...]
    """What was done, in sentences."""
    author: Shown
    """Who made it; may be empty."""
    corpus_description: Shown
    """The corpus in the words of its source."""
    model: tuple[Fact, ...]
    """The language model."""
    corpus: tuple[Fact, ...]
    """The text."""
    stream: tuple[Fact, ...]
    """The pass: counts, mask, windows."""
    shows: str
    """Which of the dataset's examples the site holds; empty where it holds them all."""
    warnings: tuple[Shown, ...]
    """What was suspicious of model, SAEs and text before the pass."""
    saes: tuple[SaeFactsView, ...]
    """The SAEs."""
    enrichers: tuple[Fact, ...]
    """What was computed afterwards, by name, with definition."""
    definitions: tuple[Definition, ...]
    """Every number of the feature pages."""
    versions: tuple[Fact, ...]
    """Libraries."""
    files: tuple[FileView, ...]
    """Every file of the dataset with its hash."""
    citation: str
    """BibTeX."""


@dataclass(frozen=True, kw_only=True)
class MissingPage(Page):
    """`missing.html`, written as 404.html; hosts serve it at any depth."""

    prefixes: tuple[str, ...]
    """Where the site's root may be, seen from the page: one, or several to try."""


TEMPLATES: dict[str, type[Page]] = {
    "home.html": HomePage,
    "browse.html": BrowsePage,
    "thousand.html": ThousandPage,
    "feature.html": FeaturePage,
    "map.html": MapPage,
    "search.html": SearchPage,
    "starred.html": StarredPage,
    "list.html": ListPage,
    "test.html": TestPage,
    "contrast.html": ContrastPage,
    "steer.html": SteerPage,
    "about.html": AboutPage,
    "missing.html": MissingPage,
}
"""Every template a theme has → what it gets as `page`."""
