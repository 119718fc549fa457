"""Rendering: what a site will be (`plan_site`) and making it (`render_site`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from atlas.errors import InputError
from atlas.render.builder import Builder, SaeFiles
from atlas.render.choice import LEAST, Choice, budget_bytes, choices, configured
from atlas.render.columns import ROWS_PER_TITLE_SHARD, table_files
from atlas.render.frames import MODEL_PAGES
from atlas.render.listpages import PREVIEW_BYTES
from atlas.render.lists import PER_LIST
from atlas.render.maps import map_files
from atlas.render.memory import steady_memory
from atlas.render.numbers import integer
from atlas.render.output import MARKER, Output
from atlas.render.search import count_shards
from atlas.render.shards import encode_shard
from atlas.store.seal import OPENING, SEAL_LINE_BYTES

if TYPE_CHECKING:
    from atlas.config import RenderConfig
    from atlas.store import AtlasStore

_SAMPLES = 4
_MARGIN = 1.02
_BYTES_PER_POSTING = 9
_BYTES_PER_LIST_ROW = 330
_OVERVIEW_BYTES = 16_000
_BYTES_PER_POINT = 8

Progress = Callable[[int, int], None]
"""Called with (pages done, pages in all)."""


@dataclass(frozen=True)
class SitePlan:
    """What a site will be."""

    pages: int
    """HTML pages, exactly."""
    files: int
    """All files, exactly."""
    bytes: int
    """All bytes with the examples that the configuration asks for, estimated from a sample of features."""
    least_bytes: int
    """The same with the fewest and shortest examples that a budget may come to."""


@dataclass(frozen=True)
class SiteReport:
    """What was written."""

    pages: int
    """HTML pages."""
    files: int
    """All files."""
    bytes: int
    """All bytes."""
    page_bytes: int
    """Bytes of all feature pages."""
    shard_bytes: int
    """Bytes of all feature shards."""
    features: int
    """Features of all SAEs."""


def render_site(
    store: AtlasStore,
    config: RenderConfig,
    out: Output,
    progress: Progress | None = None,
    *,
    base: Path = Path(),
    scripts: bool = True,
) -> SiteReport:
    """Write the whole site into `out`, which the caller holds open (`with Output(folder) as out`).

    `base` is the folder that a theme's relative path is seen from. Equal datasets, options and themes
    give equal bytes. Where the site would exceed `config.site_budget` it holds fewer and shorter examples
    (`SHORTER`), and says so. `InputError` when the theme is wrong, its scripts are not built (unless
    `scripts` is False: pages without them, for tests), or even the least of these sites would exceed the
    budget.
    """
    with steady_memory():
        builder = Builder(store, config, base, scripts=scripts)
        pages = keep_to_budget(builder)
        done = 0
        for path, data in builder.files(out):
            if data is not None:
                out.write(path, data)
            if path.endswith(".html"):
                done += 1
                if progress is not None:
                    progress(done, pages)
    out.seal()
    features = sum(entry.n_features for entry in store.manifest.saes)
    slugs = {entry.slug for entry in store.manifest.saes}
    page_bytes = sum(size for path, size in out.sizes.items() if _is_feature_page(path, slugs))
    shard_bytes = sum(size for path, size in out.sizes.items() if "/features/" in path)
    return SiteReport(done, len(out.sizes), out.total_bytes, page_bytes, shard_bytes, features)


def plan_site(
    store: AtlasStore, config: RenderConfig, *, base: Path = Path(), scripts: bool = True
) -> SitePlan:
    """How many pages, files and bytes `render_site` would write; errors as there, the budget aside."""
    builder = Builder(store, config, base, scripts=scripts)
    frame = _frame(builder)
    least = frame.bytes + _growing_bytes(builder, LEAST)
    most = frame.bytes + _growing_bytes(builder, configured(config))
    return SitePlan(frame.pages, frame.files, most, least)


def keep_to_budget(builder: Builder) -> int:
    """Make `builder` show no more than its `site_budget` allows; how many pages the site will have.

    `InputError` where nothing fits.
    """
    config, frame = builder.config, _frame(builder)
    budget = budget_bytes(config)
    if not budget:
        return frame.pages
    most = frame.bytes + _growing_bytes(builder, configured(config))
    if most <= budget:
        return frame.pages
    for choice in choices(config):
        if frame.bytes + _MARGIN * _growing_bytes(builder, choice) <= budget:
            return frame.pages
    least = frame.bytes + _growing_bytes(builder, LEAST)
    raise InputError(
        f"the site would be about {integer(most)} bytes ({integer(frame.files)} files), and with the"
        f" fewest examples {integer(least)}, more than site_budget {config.site_budget!r}",
        where="render.site_budget",
        fix="lower render.static_examples, leave out an SAE or browser_model, or raise render.site_budget",
    )


def _is_feature_page(path: str, slugs: set[str]) -> bool:
    parts = path.split("/")
    return len(parts) == 3 and parts[0] in slugs and parts[2] != "index.html"  # noqa: PLR2004 - slug/thousand/feature


class _Frame(NamedTuple):
    """What a site is whichever examples it shows."""

    pages: int
    files: int
    bytes: int
    """Of all but the pages and shards of features."""


def _frame(builder: Builder) -> _Frame:
    config = builder.config
    fixed = {MARKER: len(OPENING), ".nojekyll": 0} | {
        name: len(data) for name, data in builder.assets.items()
    }
    pages = 5 + builder.has_map + len(builder.lists.links)
    pages += len(MODEL_PAGES) if builder.store.manifest.browser_model else 0
    files = len(fixed) + pages + 3 + builder.lists.n_previews
    size = sum(fixed.values()) + pages * _OVERVIEW_BYTES + builder.lists.n_previews * PREVIEW_BYTES
    size += len(encode_shard("pieces", builder.common.payload))
    for sae in builder.saes:
        count = sae.data.n_features
        lists = -(-count // PER_LIST)
        pages += count + lists + 1
        shards = -(-count // config.features_per_shard) + table_files(count, len(sae.table))
        files += count + lists + 1 + shards + map_files(sae.places)
        size += round((_table_bytes(sae) + _BYTES_PER_LIST_ROW + _BYTES_PER_POINT) * count) if count else 0
    if builder.store.has("postings"):
        shards, postings = count_shards(builder.search)
        files += shards
        size += _BYTES_PER_POSTING * postings
    files += len(builder.model.paths())
    size += builder.model.bytes()
    size += SEAL_LINE_BYTES * files
    return _Frame(pages, files, size)


def _growing_bytes(builder: Builder, choice: Choice) -> int:
    """Bytes of all feature pages and shards that show `choice`, from now on; estimated from a few of them."""
    builder.choose(choice)
    return sum(round(_bytes_per_feature(sae) * sae.data.n_features) for sae in builder.saes)


def _bytes_per_feature(sae: SaeFiles) -> float:
    """Mean bytes of a feature's page and its part of a shard, over a few shards spread evenly."""
    per_shard, count = sae.features_per_shard, sae.data.n_features
    spread = {number * (-(-count // per_shard)) // _SAMPLES for number in range(_SAMPLES)}
    size = features = 0
    for start in [per_shard * number for number in sorted(spread)] if count else ():
        # Two at a time: to read a shard costs more than to make it.
        for block in sae.data.blocks(per_shard, 2, start, min(start + 2 * per_shard, count)):
            features += block.size
            size += sum(len(data) for _, data in sae.block_files(block))
    return size / max(features, 1)


def _table_bytes(sae: SaeFiles) -> float:
    """Mean bytes per feature of the feature table's data files, over its first rows."""
    count = min(sae.data.n_features, ROWS_PER_TITLE_SHARD)
    columns = (b"".join(column.parts()) for column in sae.table.columns(0, count))
    return sum(len(encode_shard("", content)) for content in (sae.table.titles(0, count), *columns)) / count
