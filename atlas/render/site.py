"""Rendering: what a site will be (`plan_site`) and making it (`render_site`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from atlas.configfile.sizes import parse_size
from atlas.errors import InputError
from atlas.render.builder import Builder, SaeFiles
from atlas.render.lists import PER_LIST
from atlas.render.numbers import integer
from atlas.render.output import MARKER, Output
from atlas.render.shards import ROWS_PER_TABLE_SHARD, SEARCH_FIELDS, TERMS_PER_SHARD, TableRows, encode_shard
from atlas.store.seal import OPENING, SEAL_LINE_BYTES

if TYPE_CHECKING:
    from atlas.config import RenderConfig
    from atlas.store import AtlasStore

_SAMPLES = 5
_BYTES_PER_POSTING = 9
_BYTES_PER_LIST_ROW = 330

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
    """All bytes, estimated from a sample of features."""


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
    give equal bytes. `InputError` when the theme is wrong, its scripts are not built (unless `scripts`
    is False: pages without them, for tests), or the site would exceed `config.site_budget`.
    """
    builder = Builder(store, config, base, scripts=scripts)
    plan = _plan(builder)
    refuse_over_budget(plan, config)
    done = 0
    for path, data in builder.files():
        out.write(path, data)
        if path.endswith(".html"):
            done += 1
            if progress is not None:
                progress(done, plan.pages)
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
    return _plan(Builder(store, config, base, scripts=scripts))


def refuse_over_budget(plan: SitePlan, config: RenderConfig) -> None:
    """`InputError` with figures when the plan exceeds `config.site_budget`."""
    if config.site_budget is None:
        return
    budget = parse_size(config.site_budget)
    if plan.bytes > budget:
        raise InputError(
            f"the site would be about {integer(plan.bytes)} bytes ({integer(plan.files)} files),"
            f" more than site_budget {config.site_budget!r}",
            where="render.site_budget",
            fix="lower render.static_examples or render.examples_per_feature, or raise render.site_budget",
        )


def _is_feature_page(path: str, slugs: set[str]) -> bool:
    parts = path.split("/")
    return len(parts) == 3 and parts[0] in slugs and parts[2] != "index.html"  # noqa: PLR2004 - slug/thousand/feature


def _plan(builder: Builder) -> SitePlan:
    manifest, config = builder.store.manifest, builder.config
    fixed = {MARKER: len(OPENING), ".nojekyll": 0} | {
        name: len(data) for name, data in builder.assets.items()
    }
    pages = 4 + builder.has_map
    files = len(fixed) + pages + 1
    size = sum(fixed.values()) + pages * 8192
    for entry in manifest.saes:
        lists = -(-entry.n_features // PER_LIST)
        pages += entry.n_features + lists + 1
        shards = -(-entry.n_features // config.features_per_shard) + -(
            -entry.n_features // ROWS_PER_TABLE_SHARD
        )
        mapped = builder.store.has("coords", entry.slug)
        files += entry.n_features + lists + 1 + shards + mapped
        size += round(_bytes_per_feature(SaeFiles(builder, entry)) * entry.n_features)
    if builder.store.has("postings"):
        terms = builder.store.read("postings", columns=["field", "feature_idx"])
        fields = terms["field"].to_pylist()
        files += sum(1 + -(-fields.count(name) // TERMS_PER_SHARD) for name in SEARCH_FIELDS)
        size += _BYTES_PER_POSTING * int(
            terms["feature_idx"].combine_chunks().value_lengths().sum().as_py() or 0
        )
    return SitePlan(pages, files, size + SEAL_LINE_BYTES * files)


def _bytes_per_feature(sae: SaeFiles) -> float:
    """Mean bytes of all that grows with the features, over a few shards spread evenly."""
    per_shard, count = sae.features_per_shard, sae.data.n_features
    starts = sorted(
        {per_shard * (number * (-(-count // per_shard)) // _SAMPLES) for number in range(_SAMPLES)}
    )
    size = features = 0
    table = TableRows(sae.table.columns, sae.table.vocabulary, sae.table.explanations)
    for start in starts if count else ():
        block = sae.data.block(start, min(start + per_shard, count))
        features += block.size
        size += sum(len(data) for _, data in sae.block_files(block))
        table.add(block)
    if not features:
        return 0.0
    size += sum(len(encode_shard("table", shard)) for _, shard in table.rest())
    return size / features + _BYTES_PER_LIST_ROW
