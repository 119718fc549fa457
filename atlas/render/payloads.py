"""The JSON that scripts read at run time, as types. `python -m atlas.render.typescript` writes their
TypeScript twins, so that a name exists once. Every payload is one shard (see `atlas.render.shards`).
"""

from __future__ import annotations

from typing import TypedDict


class ColumnPayload(TypedDict):
    """A column of the dataset's tables, as its metadata says."""

    name: str
    label: str
    doc: str
    unit: str
    kind: str
    """A key of the schema's KINDS, 'neuron_list', or 'hidden' for a number that belongs to another column."""
    fields: list[str]
    """What the numbers of one entry are, for kinds that are lists; empty for the others."""
    hidden: bool
    """True for what the dataset keeps beside its main numbers: shown on demand or as a remark."""


class CardPayload(TypedDict):
    """A card of the feature page: the theme's cards laid over the columns, top to bottom."""

    id: str
    title: str
    panel: str
    """Panel the theme names for it; empty where each column is drawn by its name or its kind."""
    columns: list[str]
    """Columns the script draws on it, by name."""
    kept: bool
    """True where a template drew it: the page holds it as `<section data-keep id=…>`, which the script keeps,
    drawing `columns` below what is there."""


class SaePayload(TypedDict):
    """One SAE, for links, search results and the feature page."""

    slug: str
    title: str
    hook_name: str
    n_features: int
    columns: list[ColumnPayload]
    """Every column of the feature page, in the order of the tables; `FeaturePayload.values` follows it."""
    cards: list[CardPayload]


class ChoicePayload(TypedDict):
    """Which examples of the dataset the site holds: as configured, or as `site_budget` allows."""

    budget: int
    """Largest size of the site in bytes; 0 where none is set."""
    fitted: bool
    """True where the budget made the site hold less than was asked for."""
    top: int
    """At most so many examples of the group 'top'."""
    others: int
    """At most so many of each other group, and of each interval."""
    before: int
    """At most so many tokens before the example's own."""
    after: int
    """At most so many tokens after it."""


class SitePayload(TypedDict):
    """Shard `site`: what every page may need to know of the whole atlas."""

    title: str
    author: str
    """Who made it, for citations; empty where nobody is named."""
    build_id: str
    n_tokens: int
    """Counted tokens of the pass: what firing counts are of."""
    saes: list[SaePayload]
    features_per_shard: int
    """Feature shard of feature i: `<sae slug>/features/<i // features_per_shard>`."""
    rows_per_title_shard: int
    """Title shard of feature i: `<sae slug>/titles/<i // rows_per_title_shard>`."""
    rows_per_column_shard: int
    """Value of column n for feature i: `<sae slug>/columns/<n>/<i // rows_per_column_shard>`."""
    choice: ChoicePayload
    model: bool
    """Whether the atlas brings its model for browsers: shard `model/index`."""


class Example(TypedDict):
    """One window of the corpus."""

    activation: float
    """Exact activation at the example's own token; 0 in the groups where the feature is silent."""
    document: int
    """Index into the shard's `documents`."""
    context_idx: int
    position: int
    copies: int
    """Contexts of the corpus that hold this text, this one included."""
    peak: int
    """Index into `pieces` of the example's own token."""
    pieces: list[int]
    """The window's text: indices into the shard's `pieces`."""
    heat: list[int]
    """Flat pairs (index into `pieces`, strength 1..255): 255 is the feature's max_activation, linear."""


class ExampleGroup(TypedDict):
    """Examples chosen for one reason."""

    group: str
    """'top', 'interval', 'random', or where it is silent 'same_token', 'near_miss'."""
    lower: float
    """Interval bound, exclusive; 0 outside 'interval'."""
    upper: float
    """Interval bound, inclusive; 0 outside 'interval'."""
    examples: list[Example]


class ExampleEffect(TypedDict):
    """What ablating the feature does to one of its top examples."""

    rank: int
    """Index into the examples of the group 'top'."""
    effects: list[float | None]
    """Loss effect per piece of that example, in nats; null where unknown."""
    raised: list[float | None]
    """Flat triples (index into the shard's `pieces`, measured, direct), largest first."""
    lowered: list[float | None]
    """The same of the tokens it lowers most."""


class FeaturePayload(TypedDict):
    """All of one feature that its page shows."""

    feature_idx: int
    title: str
    """Its explanation; empty where there is none."""
    method: str
    score: float | None
    score_name: str
    hash: str
    """18 hex digits: six each of its numbers, its examples, its explanation (see `atlas.render.hashes`)."""
    max_activation: float
    values: list[float | str | list[float | str | None] | None]
    """One per `SaePayload.columns`, null where there is none: a number, a text, or for kinds that are lists
    the entries' fields one after the other (token_id as an index into the shard's `pieces`)."""
    groups: list[ExampleGroup]
    effects: list[ExampleEffect]


class FeatureShard(TypedDict):
    """Shard `<sae>/features/<k>`, decoded: `features_per_shard` features.

    On disk it is the bytes that `atlas.render.packing` documents.
    """

    pieces: list[str]
    """Exact text of every piece used here: whole characters; undecodable bytes as `<0xE6>`."""
    documents: list[str]
    titles: list[tuple[int, str]]
    """(feature_idx, explanation) of every other feature named here that has one."""
    features: list[FeaturePayload]


class PiecesShard(TypedDict):
    """Shard `pieces`: the pieces of text that all feature shards share, before their own."""

    shared: str
    """For each piece a digit of base 36: how many of its first characters are those of the one before."""
    rest: list[str]
    """The exact text of each piece behind these."""


class TableColumn(TypedDict):
    """A column of the feature table: one number per feature."""

    name: str
    label: str
    doc: str
    unit: str
    kind: str
    """'scalar' or 'category'."""
    type: str
    """How its shards hold it: 'uint8', 'uint16', 'uint32', 'int32', 'float32' or 'float64'."""
    least: float | None
    """Smallest value; null where there is none at all."""
    largest: float | None
    missing: int
    """Features without a value."""
    edges: list[float]
    """Bounds of the bins of its histogram, ascending; bins are drawn equally wide. Empty without values."""
    counts: list[int]
    """Features per bin [edges[i], edges[i + 1]); the last bin holds its upper bound too."""
    labels: list[str]
    """Of a category: name of value v at index v (untrusted); may be empty."""


class TableShard(TypedDict):
    """Shard `<sae>/table`: the columns of the feature table.

    Values of column n are in shards `<sae>/columns/<n>/<k>`, each the bytes of `rows_per_column_shard`
    little-endian numbers of the column's type. NaN, the largest unsigned or smallest signed number: no value.
    """

    columns: list[TableColumn]


class TitleShard(TypedDict):
    """Shard `<sae>/titles/<k>`: what `rows_per_title_shard` features are called; one entry per feature.

    Shard `<sae>/texts/<k>` says the same of `rows_per_column_shard` features, for whoever needs all of them;
    its densities are empty.
    """

    start: int
    explanations: list[str]
    """Empty string where there is none."""
    tokens: list[list[str]]
    """The (at most 5) tokens each feature fires on most, exact text."""
    densities: list[float | None]
    """Share of the counted tokens on which each fires, as lists show it; the column has it exactly."""


class MapCluster(TypedDict):
    """A group of neighbouring points."""

    label: str
    """Empty where it has no name."""
    size: int
    """Number of its points."""
    x: int
    """Median of its points, 0..65535; y points up."""
    y: int


class MapShard(TypedDict):
    """Shard `<sae>/map`: what lies on the map of an SAE.

    Where, is in the bytes of `<sae>/map/<k>`: of n points of part k, in the order of their features, n
    uint16 x, n uint16 y and n int16 cluster, all little-endian. x and y are scaled to 0..65535 on the
    longer axis, y points up, cluster -1 is none.
    """

    n_points: int
    points_per_part: int
    """Part k holds the points from k * points_per_part on."""
    width: int
    """Largest x."""
    height: int
    """Largest y."""
    runs: list[int]
    """Flat pairs (first feature, number of features in a row): the features that have a place, ascending."""
    clusters: list[MapCluster]
    """Cluster c at index c."""


class MinimapShard(TypedDict):
    """Shard `<sae>/minimap`: the map as a small picture, for the pages of single features."""

    left: float
    """`coords.x` at the left edge."""
    bottom: float
    """`coords.y` at the lower edge."""
    cell: float
    """Side of a cell in units of `coords`."""
    columns: int
    rows: int
    cells: list[int]
    """By rows from the top: 0 where no point is, else 16 * density (1..15, by its logarithm) + colour of most
    of the cell's points (0 no cluster, 1..10)."""


class BookPayload(TypedDict):
    """One sorted vocabulary of the search: 'terms' or 'phrases'."""

    blocks: list[str]
    """First key of each block `search/<book>/<b>`; keys are sorted by code points."""
    n_keys: int
    shard_starts: list[int]
    """First unit of each posting shard `search/postings/<book>/<s>`."""


class SearchPayload(TypedDict):
    """Shard `search/directory`: where to find what in the search index (`atlas.render.search`)."""

    fields: list[str]
    """What a posting says, by number: word, token, seen, example, phrase."""
    terms: BookPayload
    """Words and tokens."""
    phrases: BookPayload
    """Phrases."""
    keys_per_block: int
    postings_per_unit: int
    spellings: list[list[int]]
    """[number of characters, number of shards `search/spelling/<k>`], ascending; k counts on through all."""
    vector_shards: int
    """Feature shards of the search by meaning; 0 where there is none."""
    sums: list[list[int]]
    """Per field [terms, postings]."""


class TermShard(TypedDict):
    """Shard `search/<book>/<b>`: consecutive keys and their entries."""

    first_unit: int
    """Number of the first entry's first unit; an entry has one per `postings_per_unit` of its postings."""
    keys: list[str]
    entries: list[int]
    """Flat triples (index into `keys`, field, number of postings), in order."""
    spellings: list[str]
    """Exact text of each entry; "" where it is the key."""


class SpellingShard(TypedDict):
    """Shard `search/spelling/<k>`: keys of one number of characters, for similar spellings."""

    keys: list[str]


PAYLOADS = (
    ColumnPayload,
    CardPayload,
    SaePayload,
    ChoicePayload,
    SitePayload,
    Example,
    ExampleGroup,
    ExampleEffect,
    FeaturePayload,
    FeatureShard,
    PiecesShard,
    TableColumn,
    TableShard,
    TitleShard,
    MapCluster,
    MapShard,
    MinimapShard,
    BookPayload,
    SearchPayload,
    TermShard,
    SpellingShard,
)
"""Every payload type, in the order TypeScript gets them."""
