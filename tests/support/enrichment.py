"""Tiny stand-ins for what enrichers read: a dataset of a few features, a model's unembedding, an SAE."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from atlas import schema
from atlas.config import EnrichConfig
from atlas.enrich.base import EnrichContext
from atlas.schema import column
from atlas.sources.saes.base import SaeWeights
from atlas.store import AtlasStore

if TYPE_CHECKING:
    import torch

FEATURES = pa.schema(
    [
        schema.FEATURE_IDX,
        column("firing_tokens", pa.int64(), doc="Tokens it fires on.", kind="scalar", unit="tokens"),
        column("max_activation", pa.float32(), doc="Maximum.", kind="scalar", unit="activation"),
        column("mean_activation", pa.float32(), doc="Mean.", kind="scalar", unit="activation"),
        column("top_tokens", schema.TOKEN_LIST, doc="Tokens.", kind="token_list", unit="activation"),
    ]
)

Firing = Sequence[tuple[int, int, float]]
"""What one feature fires on: (token_id, how often, mean activation there)."""


def make_store(
    path: Path,
    features: Mapping[str, Sequence[Firing]],
    vocabulary: Sequence[bytes | None],
    before: Mapping[int, Sequence[int]] | None = None,
    *,
    sampled: float | None = None,
) -> AtlasStore:
    """A dataset with the tables vocabulary, and per SAE slug features and examples.

    None in `vocabulary` is the special token '<|s|>'. `before` gives, for features of every SAE, the
    token before the peak of each top example (-1: the window begins at the peak). With `sampled`, the
    firings given are those of that share of the contexts, and the totals are of all.
    """
    store = AtlasStore.create(path)
    store.update(
        saes=[{"slug": slug, "title": slug, "n_features": len(rows)} for slug, rows in features.items()]
    )
    tokens = [
        {"token_id": i, "bytes": token or b"", "special": token is None, "piece": "" if token else "<|s|>"}
        for i, token in enumerate(vocabulary)
    ]
    write(store, "vocabulary", schema.VOCABULARY, tokens)
    for slug, rows in features.items():
        table = [_feature(number, row, sampled) for number, row in enumerate(rows)]
        extra = (
            [] if sampled is None else [column("top_tokens_share", pa.float64(), doc="Share.", kind="hidden")]
        )
        write(store, "features", pa.schema([*FEATURES, *extra]), table, slug)
        examples = [
            _example(number, rank, token)
            for number, tokens_before in sorted((before or {}).items())
            for rank, token in enumerate(tokens_before)
        ]
        write(store, "examples", schema.EXAMPLES, examples, slug)
    return store


def write(
    store: AtlasStore, table: str, columns: pa.Schema, rows: list[dict], sae: str | None = None
) -> None:
    """Write `rows` as a table of `store`."""
    with store.writer(table, sae=sae, schema=columns) as writer:
        writer.write(pa.Table.from_pylist(rows, schema=columns))


def context(store: AtlasStore, slug: str = "one", **options: Any) -> tuple[EnrichContext, list[str]]:
    """(what an enricher is given, the list its notes end up in).

    `options` may hold W_dec (or whole weights), facts, unembedding, d_model; the others are those of
    `EnrichConfig`.
    """
    notes: list[str] = []
    coder = fake_sae(
        options.pop("W_dec", None), weights=options.pop("weights", None), **options.pop("facts", {})
    )
    engine = fake_engine(options.pop("unembedding", None), options.pop("d_model", 4))
    config = EnrichConfig(**options)
    made = EnrichContext(store, slug, config, 0, lambda: engine, lambda: coder, notes.append)
    return made, notes


def fake_sae(W_dec: torch.Tensor | None = None, *, weights: SaeWeights | None = None, **facts: Any) -> Any:
    """An SAE that has weights (or just decoder directions) and facts, and nothing else."""
    known = {"hook_name": "blocks.1.hook_resid_pre", "hook_name_out": "", **facts}
    found: Any = SaeWeights(None, W_dec, None, None, None) if weights is None else weights  # type: ignore[arg-type]
    return SimpleNamespace(facts=SimpleNamespace(**known), weights=lambda: found)


def fake_engine(unembedding: Any = None, d_model: int = 4) -> Any:
    """An engine that has an unembedding and facts, and nothing else."""
    return SimpleNamespace(facts=SimpleNamespace(d_model=d_model), unembedding=lambda: unembedding)


def counting(make: Callable[..., Any]) -> tuple[Callable[..., Any], list[tuple[Any, ...]]]:
    """(`make` with its calls noted, the list of the arguments of each call)."""
    calls: list[tuple[Any, ...]] = []

    def made(*arguments: Any) -> Any:
        calls.append(arguments)
        return make(*arguments)

    return made, calls


def _feature(number: int, firing: Firing, sampled: float | None) -> dict[str, Any]:
    count = sum(times for _, times, _ in firing)
    total = sum(times * mean for _, times, mean in firing)
    scale = 1 if sampled is None else round(1 / sampled)
    row = {
        "feature_idx": number,
        "firing_tokens": count * scale,
        "max_activation": max((2 * mean for _, _, mean in firing), default=0.0),
        "mean_activation": total / count if count else None,
        "top_tokens": [
            {"token_id": token, "count": times, "value": mean}
            for token, times, mean in sorted(firing, key=lambda entry: -entry[1] * entry[2])
        ],
    }
    return row if sampled is None else {**row, "top_tokens_share": sampled}


def _example(feature: int, rank: int, token_before: int) -> dict[str, Any]:
    lead = [] if token_before < 0 else [0, token_before]
    window = [*lead, 1, 0]
    return {
        "feature_idx": feature,
        "group": "top",
        "interval": -1,
        "interval_lower": 0.0,
        "interval_upper": 0.0,
        "rank": rank,
        "activation": 1.0,
        "context_idx": rank,
        "position": 5,
        "document_idx": 0,
        "copies": 1,
        "peak": len(lead),
        "token_ids": window,
        "activations": np.zeros(len(window)).tolist(),
    }
