"""The Arrow schema of every table. Each column carries its meaning as field metadata.

Metadata keys: `atlas.doc` (what the number is, with its exact definition), `atlas.unit` (one of
`UNITS`), `atlas.kind` (one of `KINDS`; decides which panel draws it) and `atlas.label` (short
heading). They survive parquet, so a page can show a statistic that this version has never heard of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from atlas.schema.browser import DIRECTIONS, MODEL_FILES, MODEL_TABLES
from atlas.schema.columns import (
    COACTIVATION_LIST,
    EFFECT_LIST,
    FEATURE_IDX,
    FEATURE_LIST,
    HISTOGRAM,
    KINDS,
    NEURON_LIST,
    SOURCE_LIST,
    TOKEN_LIST,
    UNITS,
    ColumnInfo,
    column,
    column_info,
    conforms,
    scalar_columns,
    with_kinds,
)
from atlas.schema.counted import (
    CONTEXTS,
    DENSE,
    DOCUMENTS,
    EXAMPLES,
    FEATURES,
    REPORT,
    SILENT_GROUPS,
    VOCABULARY,
    WHOLE_CONTEXTS,
)
from atlas.schema.derived import (
    CLUSTERS,
    COORDS,
    EFFECTS,
    EXPLANATIONS,
    LOGITS,
    NEIGHBOURS,
    POSTINGS,
    VECTORS,
    WEIGHTS,
)

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "CLUSTERS",
    "COACTIVATION_LIST",
    "CONTEXTS",
    "COORDS",
    "DENSE",
    "DIRECTIONS",
    "DOCUMENTS",
    "EFFECTS",
    "EFFECT_LIST",
    "EXAMPLES",
    "EXPLANATIONS",
    "FEATURES",
    "FEATURE_IDX",
    "FEATURE_LIST",
    "HISTOGRAM",
    "KINDS",
    "LOGITS",
    "MODEL_FILES",
    "MODEL_TABLES",
    "NEIGHBOURS",
    "NEURON_LIST",
    "POSTINGS",
    "REPORT",
    "SAE_TABLES",
    "SCHEMA_VERSION",
    "SHARED_TABLES",
    "SILENT_GROUPS",
    "SOURCE_LIST",
    "TOKEN_LIST",
    "UNITS",
    "VECTORS",
    "VOCABULARY",
    "WEIGHTS",
    "WHOLE_CONTEXTS",
    "ColumnInfo",
    "column",
    "column_info",
    "conforms",
    "scalar_columns",
    "with_kinds",
]

SCHEMA_VERSION = 1
"""Raised with every change a reader of older datasets would trip over."""

SAE_TABLES: dict[str, pa.Schema] = {
    "features": FEATURES,
    "examples": EXAMPLES,
    "logits": LOGITS,
    "weights": WEIGHTS,
    "effects": EFFECTS,
    "neighbours": NEIGHBOURS,
    "coords": COORDS,
    "clusters": CLUSTERS,
    "explanations": EXPLANATIONS,
    "report": REPORT,
    "directions": DIRECTIONS,
}
"""Tables every SAE has of its own. `features` may carry further columns."""

SHARED_TABLES: dict[str, pa.Schema] = {
    "documents": DOCUMENTS,
    "contexts": CONTEXTS,
    "vocabulary": VOCABULARY,
    "postings": POSTINGS,
    "vectors": VECTORS,
    "model_files": MODEL_FILES,
}
"""Tables of the whole atlas."""
