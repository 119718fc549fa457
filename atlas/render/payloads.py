"""The JSON that scripts read at run time, as types. `python -m atlas.render.typescript` writes their
TypeScript twins, so that a name exists once. Every payload is one shard (see `atlas.render.shards`).
"""

from __future__ import annotations

from typing import TypedDict


class SaePayload(TypedDict):
    """One SAE, for links and search results."""

    slug: str
    title: str
    hook_name: str
    n_features: int


class SitePayload(TypedDict):
    """Shard `site`: what every page may need to know of the whole atlas."""

    title: str
    build_id: str
    saes: list[SaePayload]
    features_per_shard: int
    """Feature shard of feature i: `<sae slug>/features/<i // features_per_shard>`."""
    rows_per_table_shard: int
    """Table shard of feature i: `<sae slug>/table/<i // rows_per_table_shard>`."""
    terms_per_shard: int
    """Posting shard of term number t of a field: `search/<field>/<t // terms_per_shard>`."""


class Example(TypedDict):
    """One window of the corpus."""

    activation: float
    """Exact activation at the example's own token."""
    document: int
    """Index into the shard's `documents`."""
    context_idx: int
    position: int
    peak: int
    """Index into `pieces` of the example's own token."""
    pieces: list[int]
    """The window's text: indices into the shard's `pieces`."""
    heat: list[int]
    """Flat pairs (index into `pieces`, strength 1..255): 255 is the feature's max_activation, linear."""


class ExampleGroup(TypedDict):
    """Examples chosen for one reason."""

    group: str
    """'top', 'interval' or 'random'."""
    lower: float
    """Interval bound, exclusive; 0 outside 'interval'."""
    upper: float
    """Interval bound, inclusive; 0 outside 'interval'."""
    examples: list[Example]


class FeaturePayload(TypedDict):
    """One feature's examples."""

    feature_idx: int
    max_activation: float
    groups: list[ExampleGroup]


class FeatureShard(TypedDict):
    """Shard `<sae>/features/<k>`: examples of `features_per_shard` features."""

    pieces: list[str]
    """Exact text of every piece used here: whole characters; undecodable bytes as `<0xE6>`."""
    documents: list[str]
    features: list[FeaturePayload]


class ColumnPayload(TypedDict):
    """A scalar column, as its metadata says."""

    name: str
    label: str
    doc: str
    unit: str


class TableShard(TypedDict):
    """Shard `<sae>/table/<k>`: rows of the feature table, in columns."""

    start: int
    columns: list[ColumnPayload]
    values: list[list[float | None]]
    """One list per column, in the order of `columns`."""
    explanations: list[str]
    """Empty string where there is none."""
    tokens: list[list[str]]
    """The (at most 5) tokens each feature fires on most, exact text."""
    clusters: list[int]
    """Cluster on the map; -1 is none."""


class MapShard(TypedDict):
    """Shard `<sae>/map`: every feature's place, scaled to 0..65535 on the longer axis."""

    feature_idx: list[int]
    x: list[int]
    y: list[int]
    cluster: list[int]
    cluster_labels: list[str]
    """Label of cluster c at index c."""


class VocabularyShard(TypedDict):
    """Shard `search/<field>/vocabulary`: the sorted terms of one field ('word' or 'token')."""

    terms: list[str]
    counts: list[int]
    """Postings per term."""


class PostingShard(TypedDict):
    """Shard `search/<field>/<k>`: postings of consecutive terms."""

    postings: list[list[int]]
    """Per term a flat list of triples (sae index, feature_idx, weight 0..1000), strongest first."""


PAYLOADS = (
    SaePayload,
    SitePayload,
    Example,
    ExampleGroup,
    FeaturePayload,
    FeatureShard,
    ColumnPayload,
    TableShard,
    MapShard,
    VocabularyShard,
    PostingShard,
)
"""Every payload type, in the order TypeScript gets them."""
