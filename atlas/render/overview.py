"""Pages about the whole atlas: home, map, search and the page for missing addresses."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from atlas.render.contexts import HomePage, MapPage, MissingPage, SearchPage
from atlas.render.frames import Frames, model_phrase
from atlas.render.maps import map_section
from atlas.render.numbers import integer
from atlas.render.strips import shown
from atlas.render.views import (
    Link,
    SaeSection,
)
from atlas.schema import DENSE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atlas.render.features import Explanations
    from atlas.render.maps import Places
    from atlas.render.payloads import SearchPayload

FINDS = 6
"""Features shown per SAE on the home page."""

_WAYS = {
    "Browse": "Browse all features",
    "Map": "See them on a map",
    "Test text": "Test a text of your own",
    "Search": "Search words and tokens",
    "About": "How it was made",
}
"""Label in the menu → words on the front page."""

_WORD = re.compile(r"[^\W\d_]{4}")


@dataclass(frozen=True)
class SaeSummary:
    """What the pages about the whole atlas need of one SAE; lists have one entry per feature."""

    slug: str
    """Which SAE."""
    explanations: Explanations
    """Its explanations."""
    densities: Sequence[float | None]
    """Share of tokens on which each feature fires."""
    top_tokens: Sequence[str]
    """The token each feature fires on most; empty where it never fired."""
    places: Places | None
    """Its map; None without one."""
    cluster_labels: Sequence[str]
    """Label of cluster c at index c."""


def choose_finds(summary: SaeSummary) -> list[int]:
    """Features to begin with: explained, alive and not dense, the best of each cluster in turn.

    Best is a feature at least as frequent as the median (a rare one is explained perfectly by the few
    tokens it ever fired on), then one of words rather than of letters and signs, then the highest
    score, then the density nearest to the median, then the lowest number.
    """
    explained = summary.explanations
    alive = [
        index
        for index, density in enumerate(summary.densities)
        if density is not None and 0 < density <= DENSE and explained.texts[index]
    ]
    if not alive:
        return []
    logs = {index: math.log(summary.densities[index] or 1.0) for index in alive}
    median = sorted(logs.values())[len(alive) // 2]
    cluster_of = _clusters(summary)
    alive.sort(
        key=lambda index: (
            logs[index] < median,
            not _WORD.search(summary.top_tokens[index]),
            -(explained.scores[index] or 0.0),
            abs(logs[index] - median),
            index,
        )
    )
    turns: dict[int, int] = {}
    ranked: list[tuple[int, int, int]] = []
    for rank, index in enumerate(alive):
        cluster = cluster_of.get(index, -1)
        turn = turns[cluster] = turns.get(cluster, -1) + 1
        ranked.append((turn, rank, index))
    return [index for *_, index in sorted(ranked)[:FINDS]]


def _clusters(summary: SaeSummary) -> dict[int, int]:
    places = summary.places
    if places is None:
        return {}
    return dict(zip(places.feature_idx.tolist(), places.cluster.tolist(), strict=True))


def home_page(frames: Frames, sections: Sequence[SaeSection], curated: tuple[Link, ...] = ()) -> HomePage:
    """The front page; `curated` are links to the curated lists."""
    manifest = frames.manifest
    model = model_phrase(manifest)
    n_features = sum(entry.n_features for entry in manifest.saes)
    tokens = integer(int(manifest.stream.get("n_tokens", 0) or 0))
    coder = (
        "a sparse autoencoder has"
        if len(manifest.saes) == 1
        else f"{len(manifest.saes)} sparse autoencoders have"
    )
    head = frames.head(
        "home",
        "index.html",
        frames.name,
        manifest.description or f"{integer(n_features)} features of {model}, over {tokens} tokens of text.",
    )
    return HomePage(
        head=head,
        heading=shown(manifest.title or "Feature Atlas"),
        lead=shown(manifest.description),
        what=shown(
            f"Inside {model}, {coder} found {integer(n_features)} features: directions that light up on"
            f" certain text. Each has a page with the text that activates it most, out of {tokens} tokens,"
            " and with what it does to the next token.",
        ),
        corpus=shown(str(manifest.corpus.get("description") or "")),
        ways=tuple(Link(link.href, _WAYS[link.label]) for link in head.menu if link.label in _WAYS),
        sections=tuple(sections),
        curated=curated,
    )


def map_page(frames: Frames, summaries: Sequence[SaeSummary]) -> MapPage:
    """The map of every SAE that has one, as a picture and as lists of groups."""
    mapped = [(summary, summary.places) for summary in summaries if summary.places]
    sections = [
        map_section(
            frames.saes[summary.slug], places, summary.explanations, summary.cluster_labels, len(mapped)
        )
        for summary, places in mapped
    ]
    head = frames.head("map", "map.html", "Map", f"Every feature of {frames.name} as a dot on a map.")
    return MapPage(head=head, sections=tuple(sections))


def search_page(frames: Frames, directory: SearchPayload | None) -> SearchPage:
    """The search page; `directory` is the shard `search/directory`, None where there is no index."""
    sums = {} if directory is None else dict(zip(directory["fields"], directory["sums"], strict=True))
    counts = {name: integer(sums.get(name, (0, 0))[0]) for name in ("word", "token", "phrase")}
    head = frames.head(
        "search",
        "search.html",
        "Search",
        f"Search {counts['word']} words of explanations, {counts['token']} tokens"
        f" and {counts['phrase']} phrases.",
    )
    has_meaning = directory is not None and directory["vector_shards"] > 0
    return SearchPage(
        head=head,
        n_words=counts["word"],
        n_tokens=counts["token"],
        n_phrases=counts["phrase"],
        has_meaning=has_meaning,
    )


def missing_page(frames: Frames) -> MissingPage:
    """404.html. Hosts serve it at any depth, so without a known base several roots are tried."""
    base = frames.manifest.base_url
    root = f"{urlsplit(base).path.rstrip('/')}/" if base else ""
    head = frames.head(
        "missing", "404.html", "Not here", f"This page of {frames.name} does not exist.", root=root
    )
    return MissingPage(head=head, prefixes=(root,) if base else ("", "../", "../../"))
