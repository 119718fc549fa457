"""Every file of a site, as (path, content), from a dataset and a theme."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from atlas.render.about import about_page, warnings
from atlas.render.cards import CardPlans, column_payloads
from atlas.render.choice import Choice, configured, shown_words
from atlas.render.columns import DENSITY_COLUMN, FeatureTable
from atlas.render.contexts import TEMPLATES, Page
from atlas.render.curated import list_files
from atlas.render.dataset import MAX_COLUMN, TOKENS_COLUMN, Block, OncePerRead, SaeData
from atlas.render.feature_shards import ShardMaker
from atlas.render.features import Explanations, FeaturePages, firing_view
from atlas.render.frames import Frames, asset_path, asset_url, feature_path
from atlas.render.hashes import content_hashes
from atlas.render.install import WEB_MANIFEST, web_manifest
from atlas.render.listpages import ListPages
from atlas.render.lists import PER_LIST, Lists, report_figures, thousand_path
from atlas.render.maps import Places, map_shards
from atlas.render.model import ModelFiles
from atlas.render.modelpages import model_pages
from atlas.render.overview import SaeSummary, choose_finds, home_page, map_page, missing_page, search_page
from atlas.render.parts import (
    Parts,
    WatchedSite,
    block_inputs,
    explanation_marks,
    ground,
    ground_digest,
)
from atlas.render.pieces import common_pieces
from atlas.render.search import SearchTables, search_shards
from atlas.render.shards import (
    QUICK,
    encode_shard,
    shard_path,
    site_payload,
)
from atlas.render.strips import Words
from atlas.render.styles import stylesheets
from atlas.render.themes import Templates, assets, open_theme, require_scripts, theme_hash
from atlas.render.views import Find, SaeSection
from atlas.render.windows import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from atlas.config import RenderConfig
    from atlas.render.output import Output
    from atlas.render.payloads import SearchPayload
    from atlas.store import AtlasStore, SaeEntry

SiteFile = tuple[str, bytes]
"""Path from the site's root, and content."""

KeptFile = tuple[str, None]
"""Path of a file that the output has taken from the previous site."""

_TEMPLATE_OF = {page: name for name, page in TEMPLATES.items()}
_BLOCKS_PER_READ = 64
_BEFORE, _AFTER = 12, 8


class SaeFiles:
    """The files of one SAE."""

    def __init__(self, builder: Builder, entry: SaeEntry) -> None:
        store = builder.store
        self.slug = entry.slug
        self.features_per_shard = builder.config.features_per_shard
        self._builder = builder
        self.data = SaeData(builder.ground, entry, builder.vocabulary, builder.choice)
        has = {name: store.has(name, entry.slug) for name in ("explanations", "clusters", "report")}
        rows = store.read("explanations", entry.slug) if has["explanations"] else None
        self.explanations = Explanations.read(rows, entry.n_features)
        self.labels: list[str] = []
        if has["clusters"]:
            self.labels = store.read("clusters", entry.slug, ["label"])["label"].to_pylist()
        self.report = report_figures(store.read("report", entry.slug) if has["report"] else None)
        self.plans = CardPlans(builder.theme.cards, self.data.drawn, builder.templates)
        self.pages = FeaturePages(
            builder.part_frames,
            self.data,
            self.plans,
            vocabulary=builder.vocabulary,
            words=builder.words,
            documents=builder.documents,
            explanations=self.explanations,
            static_examples=builder.config.static_examples,
            features_per_shard=self.features_per_shard,
        )
        self._shards = ShardMaker(self.data.drawn, builder.common, builder.documents, self.explanations)
        self.table = FeatureTable(store, self.data, builder.vocabulary, self.explanations.texts, self.labels)
        self.lists = Lists(builder.part_frames, self.data, builder.words, self.explanations)
        self.places = Places.read(store, entry.slug)
        self._marks = explanation_marks(self.explanations)
        self._hashes = OncePerRead(self._read_hashes)

    def block_files(self, block: Block) -> Iterator[SiteFile]:
        """Pages and data file of the features of one shard."""
        for feature_idx in range(block.start, block.stop):
            yield self._builder.page(self.pages.page(block, feature_idx), of_part=True)
        key = self._key(block.start)
        yield shard_path(key), encode_shard(key, self._shards.content(block, self.hashes(block)), QUICK)

    def _key(self, feature_idx: int) -> str:
        """Key of the data file of the features of a block, and name of the part that they are."""
        return f"{self.slug}/features/{feature_idx // self.features_per_shard}"

    def hashes(self, block: Block) -> list[str]:
        """The content hash of each feature of `block`."""
        first = block.read.start
        return self._hashes(block)[block.start - first : block.stop - first]

    def _read_hashes(self, read: Block) -> list[str]:
        explained = self.explanations.facts(read.start, read.stop)
        return content_hashes(self.data.drawn, read.raw, read.example_hashes, explained)

    def files(self) -> Iterator[SiteFile | KeptFile]:
        """All files of the SAE."""
        yield from self.feature_files()
        for key, content in self.table.shards():
            yield self._builder.shard(key, content)
        for number in range(-(-self.data.n_features // PER_LIST)):
            part, path = f"{self.slug}/lists/{number}", thousand_path(self.slug, number)
            inputs = self._marks[number * PER_LIST : (number + 1) * PER_LIST].tobytes()
            if self._builder.parts.keep(part, inputs, [path]):
                yield path, None
            else:
                yield self._builder.page(self.lists.page(number), of_part=True)
                self._builder.parts.made(part, inputs)
        yield self._builder.page(self.lists.browse(self.report))
        if self.places:
            for key, content in map_shards(self.slug, self.places, self.labels):
                yield self._builder.shard(key, content)

    def feature_files(self) -> Iterator[SiteFile | KeptFile]:
        """Pages and data files of all features."""
        step = self.features_per_shard * _BLOCKS_PER_READ
        for start in range(0, self.data.n_features, step):
            yield from self._files_between(start, min(start + step, self.data.n_features))

    def _files_between(self, start: int, stop: int) -> Iterator[SiteFile | KeptFile]:
        """The files of some blocks: those that can be kept, then the others, neighbours read together."""
        size, parts = self.features_per_shard, self._builder.parts
        blocks = [(first, min(first + size, stop)) for first in range(start, stop, size)]
        missing: dict[int, bytes] = {}
        for block, inputs in zip(blocks, block_inputs(self.data, self._marks, blocks), strict=True):
            paths = [feature_path(self.slug, feature_idx) for feature_idx in range(*block)]
            paths.append(shard_path(self._key(block[0])))
            if parts.keep(self._key(block[0]), inputs, paths):
                yield from ((path, None) for path in paths)
            else:
                missing[block[0]] = inputs
        for first, last in _runs(list(missing), size):
            for block in self.data.blocks(size, _BLOCKS_PER_READ, first, min(last, stop)):
                yield from self.block_files(block)
                parts.made(self._key(block.start), missing[block.start])

    def summary(self) -> SaeSummary:
        """What the overview pages show of this SAE."""
        n_features = self.data.n_features
        raw = self.data.columns_of((DENSITY_COLUMN, TOKENS_COLUMN), 0, n_features)
        densities = raw[DENSITY_COLUMN].values() if DENSITY_COLUMN in raw else [None] * n_features
        column = raw.get(TOKENS_COLUMN)
        firsts = column.heads(1) if column else [[]] * n_features
        tokens = [self._builder.vocabulary.text(found[0][0]) if found else "" for found in firsts]
        return SaeSummary(self.slug, self.explanations, densities, tokens, self.places, self.labels)

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

    def __init__(
        self,
        store: AtlasStore,
        config: RenderConfig,
        base: Path,
        *,
        scripts: bool = True,
    ) -> None:
        self.store = store
        self.ground = ground(store)
        """The dataset as the makers of parts see it."""
        self.config = config
        self.choice = configured(config)
        self._base, self._scripts = base, scripts
        self.theme = open_theme(config.theme, base)
        self.templates = Templates(self.theme)
        self.vocabulary = Vocabulary(self.ground.read("vocabulary"))
        self.words = Words(self.vocabulary.text)
        self.common = common_pieces(self.ground, self.vocabulary)
        self.documents: list[str] = self.ground.read("documents", columns=["name"])["name"].to_pylist()
        self.n_tokens = int(store.manifest.stream.get("n_tokens", 0) or 0)
        found = assets(self.theme)
        if scripts:
            require_scripts(self.theme, found)
        sheets = stylesheets(self.theme)
        self.assets = dict(sheets.values()) | {
            name: path.read_bytes() for name, path in found.items() if scripts or path.suffix != ".js"
        }
        urls = {name: asset_url(name, data) for name, data in self.assets.items()}
        has_map = any(store.has("coords", entry.slug) for entry in store.manifest.saes)
        styles = {kind: name for kind, (name, _) in sheets.items()}
        self.frames = Frames(store.manifest, urls, styles, has_map=has_map)
        self.part_frames = Frames(self.ground.manifest, urls, styles, has_map=has_map)
        self._part_site = WatchedSite(self.frames.site)
        self.parts = Parts(None, "", self._part_site, "")
        self.has_map = has_map
        self.model = ModelFiles(
            self.ground, self.theme if scripts else None, config.features_per_shard, webgpu=config.webgpu
        )
        self.lists = ListPages(self.frames, base)
        self.part_frames.previews = self.frames.previews
        self.search = SearchTables(store)
        self.saes = [SaeFiles(self, entry) for entry in store.manifest.saes]

    def choose(self, choice: Choice) -> None:
        """From now on show only what `choice` lets through."""
        self.choice = choice
        for sae in self.saes:
            sae.data.limit(choice)

    def page(self, page: Page, *, of_part: bool = False) -> SiteFile:
        """The file of a page; `of_part` for one that belongs to a part."""
        site = self._part_site if of_part else self.frames.site
        return page.head.path, self.templates.render(_TEMPLATE_OF[type(page)], site, page)

    def shard(self, key: str, payload: Any) -> SiteFile:
        """The file of a shard."""
        return shard_path(key), encode_shard(key, payload)

    def files(self, out: Output | None = None) -> Iterator[SiteFile | KeptFile]:
        """Every file of the site, once; those that `out` could keep from the previous site are in it then.

        Write the others to `out` as they come: what parts of the site were made from is noted there too.
        """
        if out is not None:
            lists, theme = list_files(self._base), theme_hash(self.theme)
            digest = ground_digest(self.ground, self.config, self.choice, theme, lists, scripts=self._scripts)
            self.parts = Parts(out, digest, self._part_site, self.store.manifest.build_id)
        yield ".nojekyll", b""
        for name, content in self.assets.items():
            yield asset_path(name), content
        yield WEB_MANIFEST, web_manifest(self.frames)
        layouts = [(column_payloads(sae.data.drawn), sae.plans.payloads) for sae in self.saes]
        yield self.shard("site", site_payload(self.store.manifest, self.config, self.choice, layouts))
        yield self.shard("pieces", self.common.payload)
        summaries: list[SaeSummary] = []
        sections: list[SaeSection] = []
        data: list[SaeData] = []
        for sae in self.saes:
            yield from sae.files()
            summary = sae.summary()
            summaries.append(summary)
            sections.append(sae.section(summary))
            data.append(sae.data)
        yield self.page(home_page(self.frames, sections, self.lists.links))
        for page in self.lists.pages(summaries):
            yield self.page(page)
        yield from self.lists.previews(data)
        yield self.page(about_page(self.frames, data, shown_words(self.choice, self.config)))
        yield self.page(missing_page(self.frames))
        if self.has_map:
            yield self.page(map_page(self.frames, summaries))
        for page in model_pages(self.frames):
            yield self.page(page)
        yield from self._model_files()
        yield from self._search_files()

    def _model_files(self) -> Iterator[SiteFile | KeptFile]:
        paths = self.model.paths()
        if self.parts.keep("model", b"", paths):
            yield from ((path, None) for path in paths)
        else:
            yield from self.model.files()
            self.parts.made("model", b"")

    def _search_files(self) -> Iterator[SiteFile]:
        directory: SearchPayload | None = None
        if self.store.has("postings"):
            for key, payload in search_shards(self.search):
                directory = directory or payload
                yield self.shard(key, payload)
        yield self.page(search_page(self.frames, directory))


def _runs(starts: Sequence[int], size: int) -> Iterator[tuple[int, int]]:
    """(first, one past the last) of the longest runs of adjoining blocks of `size` that begin at `starts`."""
    for _, run in itertools.groupby(enumerate(starts), key=lambda found: found[1] - found[0] * size):
        own = [start for _, start in run]
        yield own[0], own[-1] + size
