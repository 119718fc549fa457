"""Tables that the pass writes."""

from __future__ import annotations

import pyarrow as pa

from atlas.schema.columns import FEATURE_IDX, column

DENSE = 0.1
"""A feature that fires on a larger share of tokens is called dense: in the report card and on its page."""

SILENT_GROUPS = ("same_token", "near_miss")
"""Groups of examples in which the feature does not fire: never shown among those where it does."""

FEATURES = pa.schema([FEATURE_IDX])
"""One row per feature. The statistics append their own columns (`atlas.stats`)."""

EXAMPLES = pa.schema(
    [
        FEATURE_IDX,
        column(
            "group",
            pa.string(),
            doc="Why this example was chosen: 'top' (strongest, one per context and one per text), 'interval'"
            " (hash sample within one interval of strength), 'random' (hash sample of all contexts it fires"
            " in), 'same_token' (on the token it fires on most, but silent) or 'near_miss' (silent in the"
            " whole context, though the features that usually fire with it fire there).",
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
            "copies",
            pa.int32(),
            doc="Contexts of the corpus that hold this text, this one included: the same tokens, up to 16,"
            " of one document and context, ending at the example's own token.",
            kind="examples",
            unit="contexts",
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

WHOLE_CONTEXTS = 5
"""Top examples per feature whose whole context the dataset keeps."""

CONTEXTS = pa.schema(
    [
        column(
            "context_idx", pa.int64(), doc="Number of the packed sequence, ascending.", kind="id", unit="id"
        ),
        column(
            "token_ids",
            pa.list_(pa.int32()),
            doc="All its tokens as the model read them, BOS and separators included; padding is left out.",
            kind="hidden",
        ),
    ]
)
"""The packed sequences, whole, that hold one of the 5 strongest examples of any feature of any SAE."""

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
        column(
            "source",
            pa.string(),
            doc="Part of the corpus the document is from: a package, a file, a group of files or a value of"
            " `corpus.source_column` (untrusted).",
            kind="text",
        ),
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
