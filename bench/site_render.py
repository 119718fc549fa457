"""Rendering, measured: pages a second, sizes on disk, and what one changed explanation rewrites."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from atlas.render.builder import Builder
    from atlas.store import AtlasStore

_PAGE = re.compile(r"[a-z0-9-]+/\d+/\d+\.html")
_SHARD = re.compile(r"data/[a-z0-9-]+/features/\d+\.js")


@dataclass(frozen=True)
class Rendered:
    """One rendering of a site."""

    features: int
    cpu: float
    """Processor seconds of everything."""
    wall: float
    """Seconds on the clock."""


@dataclass(frozen=True)
class Sizes:
    """Bytes on disk."""

    features: int
    files: int
    pages: int
    """Of all feature pages."""
    shards: int
    """Of all feature shards."""
    whole: int
    """Of everything."""
    largest_file: int

    @property
    def rest(self) -> int:
        """Everything that is neither page nor shard of a feature: search, map, table, lists."""
        return self.whole - self.pages - self.shards


@dataclass(frozen=True)
class Again:
    """A second rendering after one change."""

    seconds: float
    """On the clock."""
    cpu: float
    """Processor seconds."""
    changed: int
    """Files whose bytes are others than before, new ones included."""
    written: int
    """Files that were written anew, whether their bytes changed or not."""
    files: int


def render(data: Path, site: Path) -> Rendered:
    """Render the dataset `data` into `site`, as `atlas render` does, on one core."""
    from atlas.pipeline import render_dataset
    from atlas.store import AtlasStore

    features = sum(entry.n_features for entry in AtlasStore.open(data).manifest.saes)
    cpu, wall = time.process_time(), time.perf_counter()
    render_dataset(data, site)
    return Rendered(features, time.process_time() - cpu, time.perf_counter() - wall)


def render_features(data: Path, site: Path) -> Rendered:
    """Write the pages of all features and their data into `site`, and no other file, on one core."""
    from atlas.config import RenderConfig
    from atlas.render.builder import Builder
    from atlas.render.memory import steady_memory
    from atlas.render.output import Output
    from atlas.render.site import keep_to_budget
    from atlas.store import AtlasStore

    cpu, wall = time.process_time(), time.perf_counter()
    with steady_memory(), Output(site) as out:
        builder = Builder(AtlasStore.open(data), RenderConfig(), Path())
        keep_to_budget(builder)
        for sae in builder.saes:
            for path, content in sae.feature_files():
                if content is not None:
                    out.write(path, content)
    features = sum(sae.data.n_features for sae in builder.saes)
    return Rendered(features, time.process_time() - cpu, time.perf_counter() - wall)


def measure_sizes(site: Path, features: int) -> Sizes:
    """What lies in the folder `site`."""
    sizes = {
        path.relative_to(site).as_posix(): path.stat().st_size for path in site.rglob("*") if path.is_file()
    }
    return Sizes(
        features,
        len(sizes),
        sum(size for path, size in sizes.items() if _PAGE.fullmatch(path)),
        sum(size for path, size in sizes.items() if _SHARD.fullmatch(path)),
        sum(sizes.values()),
        max(sizes.values(), default=0),
    )


def render_again(data: Path, site: Path) -> Again:
    """Change one explanation in `data`, render again, and compare with `site` as it was."""
    from atlas.store import AtlasStore

    before, bytes_before = _stamps(site), digests(site)
    store = AtlasStore.open(data)
    change_explanation(store, store.manifest.saes[0].slug)
    took = render(data, site)
    after, bytes_after = _stamps(site), digests(site)
    return Again(
        took.wall,
        took.cpu,
        sum(bytes_before.get(path) != digest for path, digest in bytes_after.items()),
        sum(before.get(path) != stamp for path, stamp in after.items()),
        len(after),
    )


def change_explanation(store: AtlasStore, slug: str) -> int:
    """Give the feature in the middle that has one another explanation; its number."""
    import pyarrow as pa

    rows = store.read("explanations", slug)
    middle = len(rows) // 2
    texts = rows["text"].to_pylist()
    texts[middle] = f"{texts[middle]}, seen again"
    at = rows.schema.get_field_index("text")
    changed = rows.set_column(at, rows.schema.field(at), pa.array(texts, pa.string()))
    with store.lock(), store.writer("explanations", sae=slug, schema=rows.schema) as writer:
        writer.write(changed)
    return int(rows["feature_idx"][middle].as_py())


def render_overview(data: Path, site: Path) -> Rendered:
    """Write of the site of `data` what search, table and map need, and no page or shard of a feature."""
    from atlas.config import RenderConfig
    from atlas.render.builder import Builder
    from atlas.render.output import Output
    from atlas.store import AtlasStore

    store = AtlasStore.open(data)
    cpu, wall = time.process_time(), time.perf_counter()
    with Output(site) as out:
        for path, content in _overview(Builder(store, RenderConfig(site_budget=None), data)):
            out.write(path, content)
    features = sum(entry.n_features for entry in store.manifest.saes)
    return Rendered(features, time.process_time() - cpu, time.perf_counter() - wall)


def _overview(builder: Builder) -> Iterator[tuple[str, bytes]]:
    """Those files of a site, as `Builder.files` makes them."""
    from atlas.render.cards import column_payloads
    from atlas.render.frames import asset_path
    from atlas.render.maps import map_shards
    from atlas.render.overview import SaeSummary, home_page, map_page
    from atlas.render.search import SearchTables, search_shards
    from atlas.render.shards import site_payload

    layouts = [(column_payloads(sae.data.drawn), sae.plans.payloads) for sae in builder.saes]
    site = site_payload(builder.store.manifest, builder.config, builder.choice, layouts)
    yield from ((asset_path(name), content) for name, content in builder.assets.items())
    yield builder.shard("site", site)
    yield builder.shard("pieces", builder.common.payload)
    for sae in builder.saes:
        shards = [*sae.table.shards(), *map_shards(sae.slug, sae.places, sae.labels)]
        yield from (builder.shard(key, content) for key, content in shards)
    yield from (builder.shard(key, content) for key, content in search_shards(SearchTables(builder.store)))
    yield builder.page(home_page(builder.frames, [], builder.lists.links))
    summaries = [SaeSummary(s.slug, s.explanations, [], [], s.places, s.labels) for s in builder.saes]
    yield builder.page(map_page(builder.frames, summaries))


def _stamps(site: Path) -> dict[str, tuple[int, int]]:
    """When each file was last written, and which file it is on the disk."""
    found = {}
    for path in site.rglob("*"):
        if path.is_file():
            stat = path.stat()
            found[path.relative_to(site).as_posix()] = (stat.st_mtime_ns, stat.st_ino)
    return found


def digests(site: Path) -> dict[str, str]:
    """SHA-256 of each file, as the site's own seal has it."""
    from atlas.store.seal import read_seal

    seal = read_seal(site)
    return {} if seal is None else dict(seal.digests)
