"""The Arrow schema of every table. Each column carries its meaning as field metadata.

Metadata keys: `atlas.doc` (what the number is, with its exact definition), `atlas.unit` (one of
`UNITS`), `atlas.kind` (one of `KINDS`; decides which panel draws it) and `atlas.label` (short
heading). They survive parquet, so a page can show a statistic that this version has never heard of.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

SCHEMA_VERSION = 1
"""Raised with every change a reader of older datasets would trip over."""

DENSE = 0.1
"""A feature that fires on a larger share of tokens is called dense: in the report card and on its page."""

UNITS = {
    "tokens": "counted tokens",
    "contexts": "packed sequences",
    "documents": "documents",
    "fraction": "share between 0 and 1",
    "activation": "the SAE's own activation scale",
    "logit": "logits",
    "cosine": "cosine between -1 and 1",
    "nats": "natural-log units",
    "count": "a plain number of things",
    "id": "an identifier",
    "text": "text",
    "none": "no unit",
}
"""Every unit a column may carry → its meaning."""

KINDS = {
    "id": "identifies the row",
    "scalar": "one number; a row of the numbers table, a sort key, a filter",
    "histogram": "list<struct<lower, upper, count>>: half-open bins [lower, upper), empty ones left out",
    "token_list": "list<struct<token_id, count, value>>: tokens, most important first",
    "feature_list": "list<struct<feature_idx, value>>: other features, most important first",
    "text": "text for people",
    "coords": "a place on the map",
    "category": "a small integer naming a group; -1 is none",
    "examples": "part of an example from the corpus",
    "hidden": "kept in the dataset, not drawn",
}
"""Every kind a column may carry → what it holds."""

HISTOGRAM = pa.list_(pa.struct([("lower", pa.float32()), ("upper", pa.float32()), ("count", pa.int64())]))
TOKEN_LIST = pa.list_(pa.struct([("token_id", pa.int32()), ("count", pa.int64()), ("value", pa.float32())]))
FEATURE_LIST = pa.list_(pa.struct([("feature_idx", pa.int32()), ("value", pa.float32())]))


def column(
    name: str, dtype: pa.DataType, *, doc: str, kind: str, unit: str = "none", label: str = ""
) -> pa.Field:
    """A documented Arrow field; `label` defaults to the name with spaces.

    Raises `ValueError` for an unknown kind or unit, or an empty `doc`.
    """
    if kind not in KINDS or unit not in UNITS or not doc.strip():
        raise ValueError(f"column {name!r} needs a doc, a kind of {list(KINDS)}, a unit of {list(UNITS)}")
    metadata = {
        "atlas.doc": doc,
        "atlas.kind": kind,
        "atlas.unit": unit,
        "atlas.label": label or name.replace("_", " "),
    }
    return pa.field(name, dtype, metadata=metadata)


@dataclass(frozen=True)
class ColumnInfo:
    """The meaning of one column, read back from its metadata."""

    name: str
    """Column name, the same in Python, parquet, JSON and TypeScript."""
    label: str
    """Short heading."""
    doc: str
    """One or two sentences with the exact definition."""
    kind: str
    """A key of `KINDS`."""
    unit: str
    """A key of `UNITS`."""


def column_info(field: pa.Field) -> ColumnInfo:
    """What `field` says of itself; a foreign column without metadata counts as hidden."""
    metadata = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
    return ColumnInfo(
        name=field.name,
        label=metadata.get("atlas.label", field.name),
        doc=metadata.get("atlas.doc", ""),
        kind=metadata.get("atlas.kind", "hidden"),
        unit=metadata.get("atlas.unit", "none"),
    )


FEATURE_IDX = column(
    "feature_idx", pa.int32(), doc="Number of the feature in its SAE, from 0.", kind="id", unit="id"
)

FEATURES = pa.schema([FEATURE_IDX])
"""One row per feature. The statistics append their own columns (`atlas.stats`)."""

EXAMPLES = pa.schema(
    [
        FEATURE_IDX,
        column(
            "group",
            pa.string(),
            doc="Why this example was chosen: 'top' (strongest, one per context), 'interval' (hash sample"
            " within one interval of strength) or 'random' (hash sample of all contexts it fires in).",
            kind="examples",
        ),
        column(
            "interval", pa.int8(), doc="Interval number, 0 = weakest; -1 outside 'interval'.", kind="examples"
        ),
        column(
            "interval_lower",
            pa.float32(),
            doc="Lower bound, exclusive (0 outside 'interval').",
            kind="examples",
            unit="activation",
        ),
        column(
            "interval_upper",
            pa.float32(),
            doc="Upper bound, inclusive (0 outside 'interval').",
            kind="examples",
            unit="activation",
        ),
        column("rank", pa.int16(), doc="Order within its group (and interval), from 0.", kind="examples"),
        column(
            "activation",
            pa.float32(),
            doc="Activation at the example's own token.",
            kind="examples",
            unit="activation",
        ),
        column(
            "context_idx",
            pa.int64(),
            doc="Packed sequence the window was cut from.",
            kind="examples",
            unit="id",
        ),
        column(
            "position",
            pa.int32(),
            doc="Position of the example's own token in that sequence.",
            kind="examples",
        ),
        column(
            "document_idx",
            pa.int32(),
            doc="Document of the example's own token (table documents).",
            kind="examples",
            unit="id",
        ),
        column(
            "peak", pa.int16(), doc="Index of the example's own token within `token_ids`.", kind="examples"
        ),
        column(
            "token_ids",
            pa.list_(pa.int32()),
            doc="Tokens of the window; never from another document.",
            kind="examples",
        ),
        column(
            "activations",
            pa.list_(pa.float32()),
            doc="This feature's activation on each token of the window; 0 also where masked.",
            kind="examples",
            unit="activation",
        ),
    ]
)
"""Corpus windows per feature; the window never crosses a document boundary."""

LOGITS = pa.schema(
    [
        FEATURE_IDX,
        column(
            "positive_logits",
            TOKEN_LIST,
            doc="Tokens whose logit the decoder direction raises most (value = logit effect; count is 0).",
            kind="token_list",
            unit="logit",
        ),
        column(
            "negative_logits",
            TOKEN_LIST,
            doc="Tokens whose logit the decoder direction lowers most (value = logit effect; count is 0).",
            kind="token_list",
            unit="logit",
        ),
        column(
            "logit_histogram",
            HISTOGRAM,
            doc="Logit effects over the whole vocabulary.",
            kind="histogram",
            unit="logit",
        ),
    ]
)
"""Direct effect of each decoder direction on the output vocabulary."""

NEIGHBOURS = pa.schema(
    [
        FEATURE_IDX,
        column(
            "neighbours",
            FEATURE_LIST,
            doc="Features with the most similar decoder direction (value = cosine), itself left out.",
            kind="feature_list",
            unit="cosine",
        ),
    ]
)
"""Similar features of the same SAE."""

COORDS = pa.schema(
    [
        FEATURE_IDX,
        column("x", pa.float32(), doc="UMAP of the decoder directions, first axis.", kind="coords"),
        column("y", pa.float32(), doc="UMAP of the decoder directions, second axis.", kind="coords"),
        column(
            "cluster", pa.int32(), doc="Group of nearby features on the map; -1 is none.", kind="category"
        ),
    ]
)
"""The map."""

EXPLANATIONS = pa.schema(
    [
        FEATURE_IDX,
        column(
            "text",
            pa.string(),
            doc="What the feature seems to respond to, in words.",
            kind="text",
            unit="text",
        ),
        column("method", pa.string(), doc="How the explanation was made.", kind="text", unit="text"),
        column(
            "score",
            pa.float32(),
            doc="Score of the explanation in 0..1; null when not scored.",
            kind="scalar",
            unit="fraction",
        ),
        column(
            "score_name",
            pa.string(),
            doc="What the score measures; empty when not scored.",
            kind="text",
            unit="text",
        ),
    ]
)
"""One explanation per feature (none for a feature that never fired)."""

CLUSTERS = pa.schema(
    [
        column("cluster", pa.int32(), doc="Number of the cluster, from 0, largest first.", kind="category"),
        column(
            "label",
            pa.string(),
            doc="The tokens that set its features apart from the rest (untrusted).",
            kind="text",
            unit="text",
        ),
        column("size", pa.int32(), doc="Features in it.", kind="scalar", unit="count"),
        column("x", pa.float32(), doc="Median of its features' x: where its label goes.", kind="coords"),
        column("y", pa.float32(), doc="Median of its features' y.", kind="coords"),
    ]
)
"""The groups on the map: one row each, row c is cluster c."""

REPORT = pa.schema(
    [
        column("metric", pa.string(), doc="Name of the figure.", kind="id"),
        column("label", pa.string(), doc="Short heading for people.", kind="text"),
        column("value", pa.float64(), doc="The figure; null when it could not be measured.", kind="scalar"),
        column("unit", pa.string(), doc="A key of UNITS.", kind="text"),
        column(
            "doc", pa.string(), doc="Exact definition, with the number of tokens it rests on.", kind="text"
        ),
    ]
)
"""The report card of one SAE."""

DOCUMENTS = pa.schema(
    [
        column(
            "document_idx", pa.int32(), doc="Number of the document in corpus order.", kind="id", unit="id"
        ),
        column(
            "name", pa.string(), doc="Name of the document as the corpus gives it (untrusted).", kind="text"
        ),
        column("n_tokens", pa.int64(), doc="Tokens read of this document.", kind="scalar", unit="tokens"),
    ]
)
"""The documents that were read."""

VOCABULARY = pa.schema(
    [
        column("token_id", pa.int32(), doc="Number of the token.", kind="id", unit="id"),
        column(
            "bytes",
            pa.binary(),
            doc="Exact bytes of the token in text (empty for special tokens).",
            kind="hidden",
        ),
        column("special", pa.bool_(), doc="True for special tokens such as BOS.", kind="hidden"),
        column("piece", pa.string(), doc="The tokenizer's own spelling, for special tokens.", kind="hidden"),
    ]
)
"""Every token of the tokenizer: byte-exact, never `decode([id])`."""

POSTINGS = pa.schema(
    [
        column(
            "term",
            pa.string(),
            doc="A lower-case word, or the exact text of a token.",
            kind="id",
        ),
        column(
            "field", pa.string(), doc="'word' (of explanations) or 'token' (tokens it fires on).", kind="text"
        ),
        column(
            "sae",
            pa.list_(pa.int16()),
            doc="Position of the SAE in the manifest, per posting.",
            kind="hidden",
        ),
        column(
            "feature_idx", pa.list_(pa.int32()), doc="Feature, per posting, strongest first.", kind="hidden"
        ),
        column(
            "weight",
            pa.list_(pa.float32()),
            doc="Strength, per posting: for 'token' the mean"
            " activation as a share of the feature's maximum; for 'word' 1 over the words.",
            kind="hidden",
        ),
    ]
)
"""The inverted search index over all SAEs, sorted by (field, term)."""

SAE_TABLES: dict[str, pa.Schema] = {
    "features": FEATURES,
    "examples": EXAMPLES,
    "logits": LOGITS,
    "neighbours": NEIGHBOURS,
    "coords": COORDS,
    "clusters": CLUSTERS,
    "explanations": EXPLANATIONS,
    "report": REPORT,
}
"""Tables every SAE has of its own. `features` may carry further columns."""

SHARED_TABLES: dict[str, pa.Schema] = {
    "documents": DOCUMENTS,
    "vocabulary": VOCABULARY,
    "postings": POSTINGS,
}
"""Tables of the whole atlas."""


def scalar_columns(schema: pa.Schema) -> list[ColumnInfo]:
    """The columns of `schema` that are one number each, in order."""
    infos = (column_info(field) for field in schema)
    return [info for info in infos if info.kind == "scalar"]


def conforms(actual: pa.Schema, expected: pa.Schema) -> list[str]:
    """Problems of `actual` as a table of `expected`, one line each; extra columns are welcome."""
    problems: list[str] = []
    for field in expected:
        if field.name not in actual.names:
            problems.append(f"column {field.name!r} is missing")
        elif actual.field(field.name).type != field.type:
            found = actual.field(field.name).type
            problems.append(f"column {field.name!r} is {found}, not {field.type}")
    return problems
