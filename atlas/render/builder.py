"""Every file of a site, as (path, content), from a dataset and a theme."""

from __future__ import annotations

import contextlib
import gc
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from atlas.render.about import about_page, warnings
from atlas.render.cards import CardPlans
from atlas.render.contexts import TEMPLATES, Page
from atlas.render.dataset import MAX_COLUMN, TOKENS_COLUMN, Block, SaeData
from atlas.render.features import Explanations, FeaturePages, firing_view
from atlas.render.frames import STYLESHEET, Frames, asset_url, feature_path
from atlas.render.lists import Lists, report_figures
from atlas.render.overview import SaeSummary, choose_finds, home_page, map_page, missing_page, search_page
from atlas.render.shards import (
    TableRows,
    encode_shard,
    feature_shard,
    map_shard,
    search_shards,
    shard_path,
    site_payload,
)
from atlas.render.themes import Templates, assets, open_theme, require_scripts, stylesheet
from atlas.render.views import Find, SaeSection
from atlas.render.windows import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from atlas.config import RenderConfig
    from atlas.render.payloads import MapShard
    from atlas.store import AtlasStore, SaeEntry

SiteFile = tuple[str, bytes]
"""Path from the site's root, and content."""

_TEMPLATE_OF = {page: name for name, page in TEMPLATES.items()}
_BLOCKS_PER_READ = 16
_BEFORE, _AFTER = 12, 8


@dataclass
class _Places:
    """The columns of one SAE that its overview pages need, gathered block by block."""

    vocabulary: Vocabulary
    densities: list[Any] = field(default_factory=list[Any])
    tokens: list[str] = field(default_factory=list[str])
    xs: list[Any] = field(default_factory=list[Any])
    ys: list[Any] = field(default_factory=list[Any])
    clusters: list[Any] = field(default_factory=list[Any])

    def add(self, block: Block) -> None:
        nothing = [None] * (block.size)
        self.densities += block.values.get("activation_density", nothing)
        entries = block.values.get(TOKENS_COLUMN, nothing)
        self.tokens += [self.vocabulary.text(found[0][0]) if found else "" for found in entries]
        self.xs += block.values.get("x", nothing)
        self.ys += block.values.get("y", nothing)
        self.clusters += block.values.get("cluster", nothing)

    def map(self, labels: list[str]) -> MapShard | None:
        """The map; None where no feature has a place."""
        shard = map_shard(self.xs, self.ys, self.clusters, labels)
        return shard if shard["feature_idx"] else None


class SaeFiles:
    """The files of one SAE."""

    def __init__(self, builder: Builder, entry: SaeEntry) -> None:
        store = builder.store
        self.slug = entry.slug
        self.features_per_shard = builder.config.features_per_shard
        self._builder = builder
        self.data = SaeData(store, entry, builder.vocabulary)
        has = {name: store.has(name, entry.slug) for name in ("explanations", "clusters", "report")}
        rows = store.read("explanations", entry.slug) if has["explanations"] else None
        self.explanations = Explanations.read(rows, entry.n_features)
        self.labels: list[str] = []
        if has["clusters"]:
            self.labels = store.read("clusters", entry.slug, ["label"])["label"].to_pylist()
        self.report = report_figures(store.read("report", entry.slug) if has["report"] else None)
        self.pages = FeaturePages(
            builder.frames,
            self.data,
            CardPlans(builder.theme.cards, self.data.columns, builder.templates),
            vocabulary=builder.vocabulary,
            documents=builder.documents,
            explanations=self.explanations,
            cluster_labels=self.labels,
            static_examples=builder.config.static_examples,
            features_per_shard=self.features_per_shard,
        )
        scalars = [info for info in self.data.columns.values() if info.kind == "scalar"]
        self.table = TableRows(scalars, builder.vocabulary, self.explanations.texts)
        self.lists = Lists(builder.frames, self.data, builder.vocabulary, self.explanations)
        self._places = _Places(builder.vocabulary)

    def block_files(self, block: Block) -> Iterator[SiteFile]:
        """Pages and data file of the features of one shard."""
        for feature_idx in range(block.start, block.stop):
            yield self._builder.page(self.pages.page(block, feature_idx))
        number = block.start // self.features_per_shard
        examples = self._builder.config.examples_per_feature
        payload = feature_shard(block, self._builder.documents, examples)
        yield self._builder.shard(f"{self.slug}/features/{number}", payload)

    def files(self) -> Iterator[SiteFile]:
        """All files of the SAE; afterwards `summary` and `section` know all features."""
        for block in self.data.blocks(self.features_per_shard, _BLOCKS_PER_READ):
            yield from self.block_files(block)
            self.lists.add(block)
            self._places.add(block)
            self.table.add(block)
            for number, shard in self.table.full():
                yield self._builder.shard(f"{self.slug}/table/{number}", shard)
        for number, shard in self.table.rest():
            yield self._builder.shard(f"{self.slug}/table/{number}", shard)
        for page in self.lists.lists():
            yield self._builder.page(page)
        yield self._builder.page(self.lists.browse(self.report))
        places = self._places.map(self.labels)
        if places:
            yield self._builder.shard(f"{self.slug}/map", places)

    def summary(self) -> SaeSummary:
        """What the overview pages show of this SAE."""
        places = self._places.map(self.labels)
        return SaeSummary(
            self.slug, self.explanations, self._places.densities, self._places.tokens, places, self.labels
        )

    def section(self, summary: SaeSummary) -> SaeSection:
        """This SAE on the home page."""
        finds = tuple(self._find(feature_idx) for feature_idx in choose_finds(summary))
        frames = self._builder.frames
        return SaeSection(frames.saes[self.slug], self.report, finds, warnings(frames.manifest, self.slug))

    def _find(self, feature_idx: int) -> Find:
        block = self.data.block(feature_idx, feature_idx + 1)
        values = {name: column[0] for name, column in block.values.items()}
        largest = float(values.get(MAX_COLUMN) or 0.0)
        top = block.windows.top(feature_idx, 1)
        return Find(
            href=feature_path(self.slug, feature_idx),
            title=self.explanations.title(feature_idx),
            firing=firing_view(values, self._builder.n_tokens).phrase,
            example=self.pages.example(top[0].near(_BEFORE, _AFTER), largest) if top else None,
        )


class Builder:
    """Makes the files of one site. Opening it compiles the theme and loads what all pages share.

    `scripts` False leaves the theme's scripts out: for tests of pages without them.
    """

    def __init__(self, store: AtlasStore, config: RenderConfig, base: Path, *, scripts: bool = True) -> None:
        self.store = store
        self.config = config
        self.theme = open_theme(config.theme, base)
        self.templates = Templates(self.theme)
        self.vocabulary = Vocabulary(store.read("vocabulary"))
        self.documents: list[str] = store.read("documents", columns=["name"])["name"].to_pylist()
        self.n_tokens = int(store.manifest.stream.get("n_tokens", 0) or 0)
        found = assets(self.theme)
        if scripts:
            require_scripts(self.theme, found)
        self.assets = {STYLESHEET: stylesheet(self.theme)} | {
            name: path.read_bytes() for name, path in found.items() if scripts or path.suffix != ".js"
        }
        urls = {name: asset_url(name, data) for name, data in self.assets.items()}
        has_map = any(store.has("coords", entry.slug) for entry in store.manifest.saes)
        self.frames = Frames(store.manifest, urls, has_map=has_map)
        self.has_map = has_map

    def page(self, page: Page) -> SiteFile:
        """The file of a page."""
        return page.head.path, self.templates.render(_TEMPLATE_OF[type(page)], self.frames.site, page)

    def shard(self, key: str, payload: Any) -> SiteFile:
        """The file of a shard."""
        return shard_path(key), encode_shard(key, payload)

    def files(self) -> Iterator[SiteFile]:
        """Every file of the site, in a fixed order."""
        with _rare_collections():
            yield from self._files()

    def _files(self) -> Iterator[SiteFile]:
        yield ".nojekyll", b""
        for name, content in self.assets.items():
            yield f"assets/{name}", content
        yield self.shard("site", site_payload(self.store.manifest, self.config.features_per_shard))
        summaries: list[SaeSummary] = []
        sections: list[SaeSection] = []
        data: list[SaeData] = []
        for entry in self.store.manifest.saes:
            sae = SaeFiles(self, entry)
            yield from sae.files()
            summary = sae.summary()
            summaries.append(summary)
            sections.append(sae.section(summary))
            data.append(sae.data)
        yield self.page(home_page(self.frames, sections))
        yield self.page(about_page(self.frames, data))
        yield self.page(missing_page(self.frames))
        if self.has_map:
            yield self.page(map_page(self.frames, summaries))
        yield from self._search_files()

    def _search_files(self) -> Iterator[SiteFile]:
        counts: dict[str, int] = {}
        if self.store.has("postings"):
            for key, payload in search_shards(self.store):
                yield self.shard(key, payload)
                if key.endswith("/vocabulary"):
                    counts[key.split("/")[1]] = len(payload["terms"])
        yield self.page(search_page(self.frames, counts))


@contextlib.contextmanager
def _rare_collections() -> Iterator[None]:
    """Garbage collection at long intervals: millions of records without cycles cost a fifth of the time."""
    thresholds = gc.get_threshold()
    gc.set_threshold(200_000, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
