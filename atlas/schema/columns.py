"""What a column says of itself: units, kinds, types of lists, and the metadata that carries its meaning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

UNITS = {
    "tokens": "counted tokens",
    "contexts": "packed sequences",
    "documents": "documents",
    "fraction": "share between 0 and 1",
    "activation": "the SAE's own activation scale",
    "logit": "logits",
    "cosine": "cosine between -1 and 1",
    "correlation": "correlation between -1 and 1",
    "nats": "natural-log units",
    "count": "a plain number of things",
    "position": "place in a packed sequence, from 0",
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
    "feature_list": "list<struct<feature_idx, value, …>>: other features, most important first",
    "source_list": "list<struct<name, count, value>>: parts of the corpus, largest value first",
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
COACTIVATION_LIST = pa.list_(
    pa.struct(
        [("feature_idx", pa.int32()), ("value", pa.float32()), ("count", pa.int64()), ("pmi", pa.float32())]
    )
)
SOURCE_LIST = pa.list_(pa.struct([("name", pa.string()), ("count", pa.int64()), ("value", pa.float32())]))
NEURON_LIST = pa.list_(
    pa.struct([("dimension", pa.int32()), ("value", pa.float32()), ("share", pa.float32())])
)
EFFECT_LIST = pa.list_(
    pa.struct([("token_id", pa.int32()), ("measured", pa.float32()), ("direct", pa.float32())])
)


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


def with_kinds(schema: pa.Schema, kinds: Mapping[str, str]) -> pa.Schema:
    """`schema` with the columns named in `kinds` of that kind: what pages draw, chosen for one dataset.

    Raises `ValueError` for an unknown kind.
    """
    if not set(kinds.values()) <= KINDS.keys():
        raise ValueError(f"kinds are {list(KINDS)}, not {sorted(kinds.values())}")
    fields = [
        field.with_metadata({**field.metadata, b"atlas.kind": kinds[field.name].encode()})
        if field.name in kinds
        else field
        for field in schema
    ]
    return pa.schema(fields)


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
