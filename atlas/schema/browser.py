"""Tables of the model for browsers: they are there only where the atlas was built with `browser_model`."""

from __future__ import annotations

import pyarrow as pa

from atlas.schema.columns import FEATURE_IDX, column

MODEL_FILES = pa.schema(
    [
        column(
            "name",
            pa.string(),
            doc="Name of the file: a graph (`.onnx`), weights (`.bin`), `tokenizer.json` or `checks.json`.",
            kind="id",
        ),
        column(
            "part", pa.int32(), doc="Number of the part within its file, from 0.", kind="id", unit="count"
        ),
        column(
            "data",
            pa.large_binary(),
            doc="Bytes of the part; the parts of a file, one after the other, are the file.",
            kind="hidden",
        ),
    ]
)
"""The files of the model, in parts, file by file."""

DIRECTIONS = pa.schema(
    [
        FEATURE_IDX,
        column(
            "direction",
            pa.list_(pa.float32()),
            doc="What one unit of activation writes at the hook: the feature's row of W_dec as used (folds"
            " applied).",
            kind="hidden",
        ),
    ]
)
"""The decoder direction of every feature, for steering."""

MODEL_TABLES = frozenset({"model_files", "directions"})
"""Names of these tables."""
