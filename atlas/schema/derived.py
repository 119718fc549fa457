"""Tables made from the weights and from other tables: by the enrichers, and the search index."""

from __future__ import annotations

import pyarrow as pa

from atlas.schema.columns import (
    EFFECT_LIST,
    FEATURE_IDX,
    FEATURE_LIST,
    HISTOGRAM,
    NEURON_LIST,
    TOKEN_LIST,
    column,
)

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
        column(
            "logit_kurtosis",
            pa.float64(),
            doc="Excess kurtosis of the logit effects over the vocabulary, m4 / m2² - 3 of the central"
            " moments: 0 for a normal distribution, large where few tokens stand out. Null where all effects"
            " are equal.",
            kind="scalar",
        ),
        column(
            "logit_skew",
            pa.float64(),
            doc="Skewness of the logit effects over the vocabulary, m3 / m2^1.5 of the central moments:"
            " positive where the tokens that stand out are raised. Null where all effects are equal.",
            kind="scalar",
        ),
        column(
            "raw_positive_logits",
            TOKEN_LIST,
            doc="Tokens with the largest raw logit effect, W_dec · W_U as it is: nothing folded, no mean"
            " removed (value = raw logit effect; count is 0).",
            kind="hidden",
            unit="logit",
        ),
        column(
            "raw_negative_logits",
            TOKEN_LIST,
            doc="Tokens with the smallest raw logit effect, W_dec · W_U as it is: nothing folded, no mean"
            " removed (value = raw logit effect; count is 0).",
            kind="hidden",
            unit="logit",
        ),
    ]
)
"""Direct effect of each decoder direction on the output vocabulary."""

WEIGHTS = pa.schema(
    [
        FEATURE_IDX,
        column(
            "encoder_norm",
            pa.float32(),
            doc="Euclidean length of the feature's encoder direction, W_enc[:, f] as used (folds applied);"
            " null where there is no encoder.",
            kind="scalar",
        ),
        column(
            "decoder_norm",
            pa.float32(),
            doc="Euclidean length of the feature's decoder direction, W_dec[f] as used (folds applied).",
            kind="scalar",
        ),
        column(
            "encoder_decoder_cosine",
            pa.float32(),
            label="encoder-decoder cosine",
            doc="Cosine between the encoder and the decoder direction; null where one is zero or there is no"
            " encoder, and for a transcoder that writes another width than it reads.",
            kind="scalar",
            unit="cosine",
        ),
        column(
            "encoder_bias",
            pa.float32(),
            doc="Added to the input's product with the encoder direction (b_enc; b_mag of a gated SAE); null"
            " where there is no encoder.",
            kind="scalar",
            unit="activation",
        ),
        column(
            "threshold",
            pa.float32(),
            doc="What that sum must exceed for the feature to fire, never below 0: JumpReLU's threshold, or"
            " b_mag - exp(r_mag) b_gate of a gated SAE. Null for architectures that learn none.",
            kind="scalar",
            unit="activation",
        ),
        column(
            "neuron_alignment",
            pa.float32(),
            doc="Largest absolute entry of the decoder direction as a share of its length: its cosine with"
            " the nearest basis direction, 1 for a feature that is one neuron. Null for a zero direction.",
            kind="scalar",
            unit="cosine",
        ),
        column(
            "top_neurons",
            NEURON_LIST,
            doc="The dimensions in which the decoder direction is largest in absolute value, largest first:"
            " dimension, value, and the share of that value in the sum of all absolute values.",
            kind="hidden",
        ),
    ]
)
"""What the weights of each feature are like. One row per feature."""

EFFECTS = pa.schema(
    [
        FEATURE_IDX,
        column(
            "rank",
            pa.int16(),
            doc="Which example of the group 'top' this is about (column rank of examples).",
            kind="examples",
        ),
        column(
            "effects",
            pa.list_(pa.float32()),
            doc="Loss effect of the feature on each token of the example's window: the token's negative"
            " log-likelihood with the feature ablated less that of the model as it is, in nats; positive"
            " where the feature helped to predict it. Ablated: what the SAE's decoder adds for the feature is"
            " removed at every position of the context at once, masked ones too; nothing else is replaced."
            " Null for the first token of a context, which nothing predicts.",
            kind="examples",
            unit="nats",
        ),
        column(
            "raised",
            EFFECT_LIST,
            doc="Tokens whose logit after the example's own token the feature raises most: measured is the"
            " logit less that with the feature ablated, minus the mean of that difference over all tokens of"
            " the tokenizer; direct is the feature's logit effect (final norm folded, mean removed) times its"
            " activation there, over the spread that the final norm divides by (standard deviation, or root"
            " mean square, of the last residual stream); null where the hook has no logit effects.",
            kind="examples",
            unit="logit",
        ),
        column(
            "lowered",
            EFFECT_LIST,
            doc="Tokens whose logit after the example's own token the feature lowers most; measured and"
            " direct as in raised.",
            kind="examples",
            unit="logit",
        ),
    ]
)
"""What ablating a feature does to its strongest examples. One row per feature and example, by rank."""

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

POSTINGS = pa.schema(
    [
        column(
            "term",
            pa.string(),
            doc="A lower-case word, or the exact text of a token or a phrase.",
            kind="id",
        ),
        column(
            "field",
            pa.string(),
            doc="'word' (of the explanation), 'token' (of the list of tokens it fires on), 'seen' (another"
            " token on which it fires in a stored example), 'example' (a word beside the peak in at least 2"
            " top examples) or 'phrase' (2 or 3 tokens around the peak in at least 2 top examples).",
            kind="text",
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
            doc="Strength, per posting: for 'word' 1 over the words of the explanation; for 'token' the mean"
            " activation, for 'seen' and 'phrase' the largest in those examples, as a share of the feature's"
            " maximum; for 'example' the share of its top examples that have the word.",
            kind="hidden",
        ),
    ]
)
"""The inverted search index over all SAEs, sorted by (field, term)."""

VECTORS = pa.schema(
    [
        column(
            "term",
            pa.string(),
            doc="A term of the search index, folded: NFKC, lower case, no white space around it; empty in the"
            " row of a feature.",
            kind="id",
        ),
        column(
            "number",
            pa.int32(),
            doc="Number of the feature, counted on through all SAEs in the order of the manifest; -1 in the"
            " row of a term.",
            kind="id",
            unit="id",
        ),
        column(
            "vector",
            pa.list_(pa.int8()),
            doc="Place in a space where terms and features that share features and terms are close (latent"
            " semantic analysis of the search index), times 127: a feature's has length 1, a term's less the"
            " more features have it.",
            kind="hidden",
        ),
    ]
)
"""What the search by meaning compares: rows of terms by code points, then features by number."""
