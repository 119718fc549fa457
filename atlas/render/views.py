"""The records that page contexts are made of; see `atlas.render.contexts`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from atlas.render.strips import Shown


class Link(NamedTuple):
    """A link with a trusted label."""

    href: str
    """Where it goes."""
    label: str
    """What it says."""
    current: bool = False
    """True for the page it stands on."""


@dataclass(frozen=True)
class SaeLink:
    """One SAE, for headings and links."""

    slug: str
    """Path segment of its pages."""
    title: Shown
    """Name for people."""
    href: str
    """Its browse page, from the site's root."""
    n_features: str
    """Number of features, in words and figures."""
    hook_name: str
    """Where it reads the model."""


@dataclass(frozen=True)
class SiteFrame:
    """What every page shares."""

    title: Shown
    """Name of the atlas."""
    build_id: str
    """12 hex digits naming the dataset's exact content."""
    atlas_version: str
    """Version of this software."""
    icon: str
    """The icon, from the site's root."""
    theme_script: str
    """Script that must run before the first paint, from the site's root; empty without one."""
    saes: tuple[SaeLink, ...]
    """All SAEs, in the order of the configuration."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """Title, address, scripts and menu of a page."""

    kind: str
    """home, about, map, search, browse, thousand, feature, starred, list, test, contrast, steer, missing."""
    path: str
    """Path of the file, from the site's root."""
    root: str
    """From the page to the site's root: empty, or `../` once or more."""
    title: str
    """Plain text for the window title: what the page is, and of which site."""
    headline: str
    """Plain text for link previews: what the page is."""
    description: str
    """Plain text for search engines and link previews; never empty."""
    canonical: str
    """Absolute address; empty without `base_url`."""
    stylesheet: str
    """The stylesheet of this kind of page, from the site's root."""
    scripts: tuple[str, ...]
    """Scripts of this kind of page, from the site's root."""
    menu: tuple[Link, ...]
    """The site's menu, from the site's root."""
    image: str = ""
    """Absolute address of a preview picture; empty without one or without `base_url`."""
    sae_slug: str = ""
    """The SAE the page is about; empty for the whole atlas."""
    feature_idx: int | None = None
    """The feature the page is about, if it is about one."""


@dataclass(frozen=True)
class ListedView:
    """One feature of a curated list."""

    sae: str
    """Slug of its SAE."""
    feature_idx: int
    """Its number."""
    href: str
    """Its page."""
    title: Shown
    """Its explanation, or what stands for one."""
    token: Shown | None
    """The token it fires on most; None for a dead one."""
    density: str
    """How often it fires, in words."""
    note: str
    """What the list says of it, as it is; may be empty."""
    paragraphs: tuple[Shown, ...]
    """The same, made visible."""
    preview: str
    """Its preview picture."""


@dataclass(frozen=True)
class ReportFigure:
    """One figure of an SAE's report card."""

    label: str
    """Short heading."""
    text: str
    """The number as read."""
    exact: str
    """The number in full."""
    unit: str
    """Unit in words; may be empty."""
    doc: str
    """Exact definition."""


@dataclass(frozen=True)
class ModelSection:
    """How exactly the model in the browser gives the features of one SAE."""

    sae: SaeLink
    """Which."""
    figures: tuple[ReportFigure, ...]
    """Its agreement with the original on real text."""


@dataclass(frozen=True)
class ModelView:
    """The model that runs in the browser."""

    tabs: tuple[Link, ...]
    """The pages that run it, from the site's root."""
    precision: str
    """How its weights are stored, in a sentence."""
    sections: tuple[ModelSection, ...]
    """One per SAE."""


class ExampleView(NamedTuple):
    """One window of the corpus."""

    activation: str
    """Activation at its own token, four digits."""
    exact: str
    """The same in full."""
    document: Shown
    """Name of the document."""
    strip: Shown
    """The text with its heat: the inside of a `<pre class="strip">`."""


class BriefExample(NamedTuple):
    """The middle of one window of the corpus, on one line."""

    activation: str
    """Activation at its own token, four digits."""
    text: Shown
    """The text, its own token in a `<mark>`."""


class NeighbourView(NamedTuple):
    """A feature that is like another."""

    href: str
    """Its page."""
    title: Shown
    """Its explanation, or what stands for one."""
    value: str
    """How like it is."""


@dataclass(frozen=True)
class Find:
    """A feature shown on the home page."""

    href: str
    """Its page, from the site's root."""
    title: Shown
    """Its explanation."""
    firing: str
    """How often it fires."""
    example: ExampleView | None
    """Its strongest example."""


@dataclass(frozen=True)
class SaeSection:
    """One SAE on the home page."""

    sae: SaeLink
    """Which."""
    report: tuple[ReportFigure, ...]
    """Its report card."""
    finds: tuple[Find, ...]
    """Features to begin with."""
    warnings: tuple[Shown, ...] = ()
    """What was suspicious of it before the pass."""


class ThousandLink(NamedTuple):
    """A list of up to 1,000 features."""

    href: str
    """Where it is."""
    label: str
    """Its first and last feature."""
    current: bool
    """True on that list itself."""


class FeatureRow(NamedTuple):
    """One line of a list of features."""

    feature_idx: int
    """Its number."""
    href: str
    """Its page."""
    title: Shown
    """Its explanation, or what stands for one."""
    dead: bool
    """True if it never fired."""
    density: str
    """Share of tokens on which it fires."""
    density_exact: str
    """Firing count of counted tokens."""
    max_activation: str
    """Largest activation."""
    tokens: tuple[Shown, ...]
    """The tokens it fires on most."""


@dataclass(frozen=True)
class ExplanationView:
    """Where the headline comes from."""

    method: Shown
    """How it was made."""
    score: str
    """Its score; empty when it has none."""
    score_name: Shown
    """What the score measures."""


@dataclass(frozen=True)
class FiringView:
    """How often a feature fires, in words."""

    phrase: str
    """`fires on 1 in 870 tokens`."""
    detail: str
    """The counts and the 95 % interval; empty where the phrase says it all."""


@dataclass(frozen=True)
class BadgeView:
    """A remark on a feature."""

    label: str
    """One or two words."""
    doc: str
    """What it means, exactly."""
    href: str = ""
    """A page it speaks of, seen from the feature's; may be empty."""


@dataclass(frozen=True)
class ClusterView:
    """One group of nearby features on the map."""

    css: str
    """Class of its colour."""
    label: Shown
    """Words that set it apart."""
    count: str
    """Number of features in it."""
    features: tuple[FeatureLink, ...]
    """Some of them."""


@dataclass(frozen=True)
class FeatureLink:
    """A feature by name."""

    href: str
    """Its page."""
    title: Shown
    """Its explanation, or what stands for one."""


@dataclass(frozen=True)
class MapPath:
    """The dots of one colour."""

    css: str
    """Class of the colour."""
    d: str
    """SVG path of zero-length strokes, one per feature."""


@dataclass(frozen=True)
class MapSection:
    """The map of one SAE."""

    sae: SaeLink
    """Which."""
    width: int
    """Width of the picture's own units."""
    height: int
    """Height of the same."""
    paths: tuple[MapPath, ...]
    """The dots."""
    note: str
    """What is drawn, in a sentence."""
    clusters: tuple[ClusterView, ...]
    """Its groups, largest first."""


@dataclass(frozen=True)
class Fact:
    """A line of a table of facts."""

    label: str
    """What it is."""
    value: Shown
    """The value."""
    code: bool
    """True for hashes, names and paths."""


@dataclass(frozen=True)
class SaeFactsView:
    """One SAE on the about page."""

    sae: SaeLink
    """Which."""
    facts: tuple[Fact, ...]
    """What the manifest says of it."""


@dataclass(frozen=True)
class Definition:
    """One number of the feature pages."""

    name: str
    """Column name; the anchor is `c-` and this."""
    label: str
    """Heading."""
    unit: str
    """Unit in words."""
    doc: str
    """Exact definition."""
    table: str
    """Table that holds it."""


@dataclass(frozen=True)
class FileView:
    """One file of the dataset."""

    path: str
    """Relative to the dataset folder."""
    size: str
    """Bytes."""
    sha256: str
    """Hash in hex."""
