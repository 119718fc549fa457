"""Pages about the whole atlas: home, map, search and the page for missing addresses."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from atlas.render.contexts import HomePage, MapPage, MissingPage, SearchPage
from atlas.render.frames import Frames, feature_path, model_phrase
from atlas.render.numbers import integer
from atlas.render.strips import shown
from atlas.render.views import (
    ClusterView,
    FeatureLink,
    Link,
    MapPath,
    MapSection,
    SaeLink,
    SaeSection,
)
from atlas.schema import DENSE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atlas.render.features import Explanations
    from atlas.render.payloads import MapShard

FINDS = 6
"""Features shown per SAE on the home page."""

_WAYS = {
    "Browse": "Browse all features",
    "Map": "See them on a map",
    "Search": "Search words and tokens",
    "About": "How it was made",
}
"""Label in the menu → words on the front page."""

_WORD = re.compile(r"[^\W\d_]{4}")
_COLOURS = 10
_MAP_WIDTH = 1000
_MAP_MARGIN = 14
_MOST_DOTS = 4000
_CLUSTER_FEATURES = 5
_GRID = 65535


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
    places: MapShard | None
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
    return dict(zip(places["feature_idx"], places["cluster"], strict=True)) if places else {}


def home_page(frames: Frames, sections: Sequence[SaeSection]) -> HomePage:
    """The front page."""
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
    )


def map_page(frames: Frames, summaries: Sequence[SaeSummary]) -> MapPage:
    """The map of every SAE that has one, as a picture and as lists of groups."""
    sections = [_map_section(frames.saes[summary.slug], summary) for summary in summaries if summary.places]
    head = frames.head("map", "map.html", "Map", f"Every feature of {frames.name} as a dot on a map.")
    return MapPage(head=head, sections=tuple(sections))


def _map_section(sae: SaeLink, summary: SaeSummary) -> MapSection:
    places = summary.places
    if places is None:
        raise ValueError("an SAE without a map has no section")
    count = len(places["feature_idx"])
    step = max(1, math.ceil(count / _MOST_DOTS))
    scale = (_MAP_WIDTH - 2 * _MAP_MARGIN) / _GRID
    tallest = max(places["y"], default=0)
    strokes: dict[str, list[str]] = {}
    for at in range(0, count, step):
        x = _MAP_MARGIN + round(places["x"][at] * scale)
        y = _MAP_MARGIN + round((tallest - places["y"][at]) * scale)
        strokes.setdefault(_colour(places["cluster"][at]), []).append(f"M{x} {y}h0")
    paths = [MapPath(css, "".join(drawn)) for css, drawn in sorted(strokes.items(), reverse=True)]
    dots = "" if step == 1 else f", one dot for every {step}"
    return MapSection(
        sae=sae,
        width=_MAP_WIDTH,
        height=2 * _MAP_MARGIN + max(1, round(tallest * scale)),
        paths=tuple(paths),
        note=f"{integer(count)} features{dots}, coloured by group.",
        clusters=tuple(_cluster_views(summary)),
    )


def _colour(cluster: int) -> str:
    return "knone" if cluster < 0 else f"k{cluster % _COLOURS}"


def _cluster_views(summary: SaeSummary) -> list[ClusterView]:
    members: dict[int, list[int]] = {}
    for feature, cluster in _clusters(summary).items():
        if cluster >= 0:
            members.setdefault(cluster, []).append(feature)
    explained = summary.explanations
    views: list[ClusterView] = []
    for cluster, features in sorted(members.items(), key=lambda item: (-len(item[1]), item[0])):
        best = sorted(
            features, key=lambda index: (not explained.texts[index], -(explained.scores[index] or 0.0), index)
        )
        known = cluster < len(summary.cluster_labels)
        label = (summary.cluster_labels[cluster] if known else "") or f"group {cluster}"
        links = [
            FeatureLink(feature_path(summary.slug, index), explained.title(index))
            for index in best[:_CLUSTER_FEATURES]
        ]
        views.append(ClusterView(_colour(cluster), shown(label), integer(len(features)), tuple(links)))
    return views


def search_page(frames: Frames, counts: dict[str, int]) -> SearchPage:
    """The search page; `counts` are the terms of each field."""
    words, tokens = integer(counts.get("word", 0)), integer(counts.get("token", 0))
    head = frames.head(
        "search", "search.html", "Search", f"Search {words} words of explanations and {tokens} tokens."
    )
    return SearchPage(head=head, n_words=words, n_tokens=tokens)


def missing_page(frames: Frames) -> MissingPage:
    """404.html. Hosts serve it at any depth, so without a known base several roots are tried."""
    base = frames.manifest.base_url
    root = f"{urlsplit(base).path.rstrip('/')}/" if base else ""
    head = frames.head(
        "missing", "404.html", "Not here", f"This page of {frames.name} does not exist.", root=root
    )
    return MissingPage(head=head, prefixes=(root,) if base else ("", "../", "../../"))
