"""The synthetic atlas with what only a full build has: co-activation, profiles, silent examples and more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from atlas import schema
from atlas.schema import column
from atlas.store import AtlasStore
from tests.support.synthetic import make_atlas

SLUG = "alpha"
FEATURES = 40
DENSE, SINGLE, TWIN, UNEXPLAINED = 5, 6, 8, 9
"""Numbers of features that are dense, fire on a single token, have a twin, have no explanation; 3 is dead."""

COLUMNS = (
    column("context_density", pa.float64(), doc="Share of contexts.", kind="scalar", unit="fraction"),
    column("context_density_lower", pa.float64(), doc="Lower end.", kind="scalar", unit="fraction"),
    column("context_density_upper", pa.float64(), doc="Upper end.", kind="scalar", unit="fraction"),
    column(
        "coactivation",
        schema.COACTIVATION_LIST,
        doc="Features that fire on the same tokens (value = phi).",
        kind="feature_list",
        unit="correlation",
        label="fires together with",
    ),
    column("sampled_tokens", pa.int64(), doc="Sampled tokens.", kind="hidden", unit="tokens"),
    column(
        "position_profile",
        schema.HISTOGRAM,
        doc="Firing tokens by position.",
        kind="histogram",
        unit="position",
        label="position in the context",
    ),
    column("tokens_after", schema.TOKEN_LIST, doc="Tokens after.", kind="token_list", unit="activation"),
    column("tokens_before", schema.TOKEN_LIST, doc="Tokens before.", kind="token_list", unit="activation"),
    column("top_tokens_share", pa.float64(), doc="Share of contexts.", kind="hidden", unit="fraction"),
    column("top_token_share", pa.float64(), doc="Share of firings.", kind="scalar", unit="fraction"),
    column("single_token", pa.int8(), doc="1 for a token feature.", kind="scalar"),
)


def make_rich_atlas(path: Path, saes: tuple[str, ...] = (SLUG,)) -> AtlasStore:
    """A dataset at `path` of SAEs of `FEATURES` features, the first with every picture a page can hold."""
    store = make_atlas(path, n_features=FEATURES, saes=saes)
    with store.lock():
        _replace(store, "features", _features(store))
        _replace(store, "examples", _examples(store))
        _replace(store, "neighbours", _neighbours(store))
        explanations = store.read("explanations", SLUG)
        rows = [row for row in explanations.to_pylist() if row["feature_idx"] != UNEXPLAINED]
        for row in rows:
            row |= {"score": 0.914, "score_name": "held-out F1"}
        _replace(store, "explanations", pa.Table.from_pylist(rows, schema=explanations.schema))
    return store


def _replace(store: AtlasStore, table: str, rows: pa.Table) -> None:
    store.drop(table, SLUG)
    with store.writer(table, sae=SLUG, schema=rows.schema) as writer:
        writer.write(rows)


def _features(store: AtlasStore) -> pa.Table:
    table = store.read("features", SLUG)
    rows = [row | _more(row) for row in table.to_pylist()]
    return pa.Table.from_pylist(rows, schema=pa.schema([*table.schema, *COLUMNS]))


def _more(row: dict[str, Any]) -> dict[str, Any]:
    """The further columns of a feature; a dense one fires on half of all tokens."""
    feature, fires = row["feature_idx"], row["firing_tokens"] > 0
    others = [{"feature_idx": other, "value": 0.5, "count": 12, "pmi": 2.31} for other in (1, 2) if fires]
    tokens = row["top_tokens"][:2]
    return {
        "activation_density": 0.5 if feature == DENSE else row["activation_density"],
        "context_density": 0.25 if fires else 0.0,
        "context_density_lower": 0.2 if fires else 0.0,
        "context_density_upper": 0.3,
        "coactivation": others,
        "sampled_tokens": 200,
        "position_profile": [{"lower": 0, "upper": 16, "count": 3}, {"lower": 16, "upper": 32, "count": 5}]
        if fires
        else [],
        "tokens_after": tokens,
        "tokens_before": tokens[::-1],
        "top_tokens_share": 0.25,
        "top_token_share": 0.95 if fires else None,
        "single_token": int(feature == SINGLE) if fires else None,
        "activation_histogram": _histogram(row) if fires else [],
    }


def _histogram(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Bins that grow with the values, as a pass makes them."""
    top, counts = row["max_activation"] * 1.001, (3, 1, 4, 1, 5, 9)
    edges = [top / 2 ** (len(counts) - at) for at in range(len(counts) + 1)]
    return [{"lower": edges[at], "upper": edges[at + 1], "count": count} for at, count in enumerate(counts)]


def _examples(store: AtlasStore) -> pa.Table:
    """Each feature's first near miss is also a silent example of its own token, firing elsewhere."""
    table = store.read("examples", SLUG)
    rows: list[dict[str, Any]] = []
    for row in table.to_pylist():
        if row["group"] == "near_miss":
            heat = [0.0] * len(row["token_ids"])
            heat[(row["peak"] + 1) % len(heat)] = 0.5
            rows.append(row | {"group": "same_token", "activations": heat})
        rows.append(row)
    return pa.Table.from_pylist(rows, schema=table.schema)


def _neighbours(store: AtlasStore) -> pa.Table:
    table = store.read("neighbours", SLUG)
    rows = table.to_pylist()
    rows[TWIN]["neighbours"][0] |= {"feature_idx": 7, "value": 0.97}
    return pa.Table.from_pylist(rows, schema=table.schema)
