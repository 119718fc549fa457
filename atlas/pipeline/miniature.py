"""A few features of a short pass as an atlas of their own, to measure what pages of them weigh."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from atlas import schema
from atlas.store import AtlasStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

SLUG = "sample"
"""The one SAE of a miniature."""


def make_miniature(folder: Path, source: AtlasStore, slug: str, features: Sequence[int]) -> AtlasStore:
    """An atlas in `folder` of the chosen `features` of SAE `slug` of `source`, numbered from 0.

    Tables that the enrichers would write are filled with made-up rows of the right shape and size.
    `source` needs no more than what the pass writes.
    """
    store = AtlasStore.create(folder)
    manifest = source.manifest
    entry = next(entry for entry in manifest.saes if entry.slug == slug)
    few = entry.model_copy(update={"slug": SLUG, "n_features": len(features)})
    store.update(model=manifest.model, corpus=manifest.corpus, stream=manifest.stream, saes=[few])
    for name in ("documents", "vocabulary", "contexts"):
        _write(store, name, None, source.read(name))
    _write(store, "report", SLUG, source.read("report", slug))
    for name in ("features", "examples"):
        parts = [source.read_features(name, slug, feature, feature + 1) for feature in features]
        numbers = np.repeat(np.arange(len(parts), dtype=np.int32), [part.num_rows for part in parts])
        rows = pa.concat_tables(parts)
        _write(store, name, SLUG, rows.set_column(0, rows.schema.field(0), pa.array(numbers)))
    made = ("logits", "weights", "effects", "neighbours", "coords", "clusters", "explanations")
    fill_enriched(store, SLUG, len(features), made)
    return store


def fill_enriched(store: AtlasStore, slug: str, n_features: int, tables: Sequence[str]) -> None:
    """Write made-up rows into those `tables` of SAE `slug` that the enrichers would write."""
    vocabulary = sum(file.rows for file in store.manifest.tables["vocabulary"])
    made = _enriched(n_features, vocabulary)
    for name in tables:
        _write(store, name, slug, pa.Table.from_pylist(made[name](), schema=schema.SAE_TABLES[name]))


def _write(store: AtlasStore, name: str, sae: str | None, rows: pa.Table) -> None:
    with store.writer(name, sae=sae, schema=rows.schema) as writer:
        writer.write(rows)


def _enriched(count: int, vocabulary: int) -> dict[str, Callable[[], list[dict[str, Any]]]]:
    """Table → rows like the enrichers' for `count` features, with ordinary tokens, so of ordinary length."""
    random = np.random.default_rng(0)
    bins = [{"lower": step / 10, "upper": (step + 1) / 10, "count": 100 + step} for step in range(40)]
    others = [{"feature_idx": other % count, "value": 0.5} for other in range(10)]
    words = {"text": "fires on 'return', ' raise' and similar tokens", "method": "top tokens"}
    score = {"score": None, "score_name": ""}

    def tokens() -> list[dict[str, Any]]:
        chosen = random.integers(0, vocabulary, 10)
        return [{"token_id": int(token), "count": 0, "value": float(random.random())} for token in chosen]

    def logits() -> dict[str, Any]:
        lists = {f"{raw}{end}_logits": tokens() for raw in ("", "raw_") for end in ("positive", "negative")}
        return {**lists, "logit_histogram": bins, "logit_kurtosis": random.random(), "logit_skew": 0.5}

    def weights() -> dict[str, Any]:
        numbers = {info.name: random.random() for info in schema.scalar_columns(schema.WEIGHTS)}
        return {**numbers, "top_neurons": [{"dimension": 0, "value": 0.5, "share": 0.5}]}

    def effects() -> dict[str, Any]:
        listed = [{"token_id": token["token_id"], "measured": 0.5, "direct": 0.5} for token in tokens()]
        return {"rank": 0, "effects": random.random(40).tolist(), "raised": listed, "lowered": listed}

    def numbered(make: Callable[[], dict[str, Any]]) -> list[dict[str, Any]]:
        return [{"feature_idx": feature, **make()} for feature in range(count)]

    return {
        "logits": lambda: numbered(logits),
        "weights": lambda: numbered(weights),
        "effects": lambda: numbered(effects),
        "neighbours": lambda: numbered(lambda: {"neighbours": others}),
        "coords": lambda: numbered(lambda: {"x": random.random(), "y": random.random(), "cluster": 0}),
        "clusters": lambda: [{"cluster": 0, "label": "def, class", "size": count, "x": 0.5, "y": 0.5}],
        "explanations": lambda: numbered(lambda: {**words, **score}),
    }
