"""A dataset in whose every field stand hostile strings, a few to a feature, so that no field is left out.

It begins as the plain synthetic atlas (`tests.support.synthetic`); then every table is written again with
the strings of its feature in every text, token list, window and name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from atlas.index.search import build_postings
from atlas.schema import SILENT_GROUPS
from atlas.store import AtlasStore
from atlas.text import group_pieces
from tests.support.synthetic import clean, make_atlas

SLUG = "alpha"
TOGETHER = 4
"""Strings of one feature: all of them stand in each of its fields."""
GROUPS = ("top", "interval", "random", *SILENT_GROUPS)

Row = dict[str, Any]


def packs(texts: Sequence[str]) -> list[list[str]]:
    """`texts` as they are given to features: feature i has the i-th list."""
    return [list(texts[start : start + TOGETHER]) for start in range(0, len(texts), TOGETHER)]


def title(pack: Sequence[str]) -> str:
    """The explanation of the feature of `pack`: its strings between marks that tell where each begins."""
    return " ¦ ".join(map(clean, pack))


def piece(text: str) -> str:
    """What a token of this text reads: lone surrogates are bytes that no character has."""
    data = text.encode("utf-8", "surrogatepass")
    return "".join(found.text for found in group_pieces([data]))


def hostile_atlas(folder: Path, texts: Sequence[str]) -> AtlasStore:
    """The dataset of `texts` at `folder`, with one SAE `SLUG` of a feature for each of their `packs`."""
    given = packs(texts)
    store = make_atlas(
        folder, n_features=len(given), saes=(SLUG,), dead=(), hostile=list(texts), texts=["a plain text.\n"]
    )
    with store.lock():
        tokens = _tokens(store, texts)
        _again(store, "features", lambda row: _feature(row, given, tokens))
        _again(store, "logits", lambda row: _logits(row, given, tokens))
        _again(store, "coords", lambda row: {**row, "cluster": row["feature_idx"]})
        _again(store, "explanations", lambda row: _explanation(row, given))
        _write(store, "clusters", [_cluster(number, pack) for number, pack in enumerate(given)])
        _write(
            store,
            "examples",
            [row for number in range(len(given)) for row in _examples(number, given, tokens)],
        )
        _write(store, "effects", [_effects(number, given, tokens) for number in range(len(given))])
        _again(store, "report", lambda row: {**row, "label": clean(texts[3]), "doc": clean(texts[4])})
        build_postings(store)
    return store


def _again(store: AtlasStore, table: str, change: Callable[[Row], Row]) -> None:
    _write(store, table, [change(row) for row in store.read(table, SLUG).to_pylist()])


def _write(store: AtlasStore, table: str, rows: list[Row], sae: str | None = SLUG) -> None:
    schema = store.schema(table, sae)
    with store.writer(table, sae=sae, schema=schema) as writer:
        writer.write(pa.Table.from_pylist(rows, schema=schema))


def _tokens(store: AtlasStore, texts: Sequence[str]) -> dict[str, int]:
    """Give each text a token of its own, whatever the toy tokenizer made of it: text → token id."""
    rows = store.read("vocabulary").to_pylist()
    known = {row["bytes"]: row["token_id"] for row in rows if not row["special"]}
    found: dict[str, int] = {}
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        if data not in known:
            known[data] = len(rows)
            rows.append({"token_id": len(rows), "bytes": data, "special": False, "piece": ""})
        found[text] = known[data]
    _write(store, "vocabulary", rows, None)
    return found


def _listed(pack: Sequence[str], tokens: dict[str, int], sign: int = 1) -> list[Row]:
    return [
        {"token_id": tokens[text], "count": 9 - number, "value": sign * (9.0 - number)}
        for number, text in enumerate(pack)
    ]


def _feature(row: Row, given: list[list[str]], tokens: dict[str, int]) -> Row:
    pack = given[row["feature_idx"]]
    others = sorted({clean(text) for text in pack})
    sources = [{"name": name, "count": 3, "value": 0.5 - number / 10} for number, name in enumerate(others)]
    return {**row, "top_tokens": _listed(pack, tokens), "sources": sources, "max_activation": 9.0}


def _logits(row: Row, given: list[list[str]], tokens: dict[str, int]) -> Row:
    pack = given[row["feature_idx"]]
    return {
        **row,
        **{name: _listed(pack, tokens) for name in ("positive_logits", "raw_positive_logits")},
        **{name: _listed(pack, tokens, -1) for name in ("negative_logits", "raw_negative_logits")},
    }


def _explanation(row: Row, given: list[list[str]]) -> Row:
    pack = given[row["feature_idx"]]
    named = {"method": clean(pack[0]), "score": 0.5, "score_name": clean(pack[-1])}
    return {**row, "text": title(pack), **named}


def _cluster(number: int, pack: Sequence[str]) -> Row:
    return {"cluster": number, "label": title(pack), "size": 1, "x": number / 10, "y": number % 7 / 10}


def _examples(number: int, given: list[list[str]], tokens: dict[str, int]) -> list[Row]:
    """One example of every string in every group, each with all strings of the feature in its window."""
    ids = [tokens[text] for text in given[number]]
    return [_example(number, group, rank, ids) for group in GROUPS for rank in range(len(ids))]


def _example(number: int, group: str, rank: int, ids: list[int]) -> Row:
    fires, inner = group not in SILENT_GROUPS, group == "interval"
    return {
        "feature_idx": number,
        "group": group,
        "interval": 0 if inner else -1,
        "interval_lower": 0.0,
        "interval_upper": 9.0 if inner else 0.0,
        "rank": rank,
        "activation": (9.0 - rank) * fires,
        "context_idx": number,
        "position": rank,
        # The plain text is document 0; those of the strings follow in their order.
        "document_idx": number * TOGETHER + rank + 1,
        "copies": 1,
        "peak": rank,
        "token_ids": ids,
        "activations": [(9.0 - rank if place == rank else 1.0) * fires for place in range(len(ids))],
    }


def _effects(number: int, given: list[list[str]], tokens: dict[str, int]) -> Row:
    pack = given[number]
    listed = [{"token_id": tokens[text], "measured": 0.5, "direct": None} for text in pack]
    lowered = [{**entry, "measured": -0.5} for entry in listed]
    return {
        "feature_idx": number,
        "rank": 0,
        "effects": [None] + [0.25] * (len(pack) - 1),
        "raised": listed,
        "lowered": lowered,
    }
