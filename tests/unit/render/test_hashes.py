"""Content hashes: they change with what they are of, and with nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from atlas.config import RenderConfig
from atlas.render.builder import Builder
from atlas.render.choice import Choice
from atlas.render.hashes import PART_DIGITS, example_hashes
from atlas.schema import EXAMPLES
from atlas.store import AtlasStore
from tests.support.synthetic import make_atlas

NUMBERS, SHOWN, EXPLAINED = (slice(at, at + PART_DIGITS) for at in range(0, 3 * PART_DIGITS, PART_DIGITS))


def hashes(store: AtlasStore, choice: Choice | None = None, cut: int = 16, per_read: int = 1) -> list[str]:
    """The hash of every feature of alpha, `cut` features at a time, so many of these blocks a read."""
    builder = Builder(store, RenderConfig(), Path(), scripts=False)
    if choice:
        builder.choose(choice)
    sae = builder.saes[0]
    return [found for block in sae.data.blocks(cut, per_read) for found in sae.hashes(block)]


@pytest.fixture
def own(tmp_path: Path) -> AtlasStore:
    return make_atlas(tmp_path / "data", n_features=12, saes=("alpha",))


def changed(store: AtlasStore, table: str, change: Any) -> None:
    """Rewrite a table of alpha, each row through `change`."""
    old = store.read(table, "alpha")
    rows = [change(row) for row in old.to_pylist()]
    with store.lock(), store.writer(table, sae="alpha", schema=old.schema) as writer:
        writer.write(pa.Table.from_pylist([row for row in rows if row is not None], schema=old.schema))


def parts_that_differ(first: str, second: str) -> set[str]:
    parts = {"numbers": NUMBERS, "examples": SHOWN, "explanation": EXPLAINED}
    return {name for name, part in parts.items() if first[part] != second[part]}


def test_a_hash_is_three_parts_of_six_digits(store: AtlasStore):
    found = hashes(store)
    assert len(found) == 40
    assert all(len(each) == 18 and int(each, 16) >= 0 for each in found)
    assert len({each[NUMBERS] for each in found}) == 40
    living = [each[SHOWN] for feature, each in enumerate(found) if feature != 3]
    assert len(set(living)) == len(living)


def test_neither_what_the_site_shows_nor_how_it_is_read_matters(store: AtlasStore):
    assert hashes(store) == hashes(store, Choice(1, 1, 1, 1)) == hashes(store, cut=7)
    assert hashes(store) == hashes(store, cut=3, per_read=5)


@pytest.mark.parametrize(
    ("table", "column", "value", "part"),
    [
        ("features", "firing_tokens", 1, "numbers"),
        ("features", "max_activation", 0.5, "numbers"),
        ("logits", "positive_logits", [], "numbers"),
        ("neighbours", "neighbours", [{"feature_idx": 1, "value": 0.5}], "numbers"),
        ("explanations", "text", "anew", "explanation"),
        ("explanations", "score", 0.125, "explanation"),
        ("explanations", "method", "another", "explanation"),
        ("coords", "x", 99.0, None),
        ("coords", "cluster", 7, None),
    ],
)
def test_a_change_shows_in_its_part_of_its_feature(own, table, column, value, part):
    before = hashes(own)
    changed(own, table, lambda row: row | {column: value} if row["feature_idx"] == 5 else row)
    after = hashes(AtlasStore.open(own.path))
    assert [at for at in range(12) if before[at] != after[at]] == ([5] if part else [])
    assert parts_that_differ(before[5], after[5]) == ({part} if part else set())


@pytest.mark.parametrize("field", ["token_ids", "activations", "activation", "group", "peak"])
def test_examples_are_hashed_by_what_they_show(own: AtlasStore, field: str):
    before = hashes(own)

    def change(row: dict) -> dict:
        if row["feature_idx"] != 5 or row["rank"] != 0 or row["group"] != "random":
            return row
        new = {
            "token_ids": [*row["token_ids"][:-1], 7],
            "activations": [*row["activations"][:-1], 0.125],
            "activation": row["activation"] + 1,
            "group": "near_miss",
            "peak": row["peak"] ^ 1,
        }
        return row | {field: new[field]}

    changed(own, "examples", change)
    after = hashes(AtlasStore.open(own.path))
    assert parts_that_differ(before[5], after[5]) == {"examples"}
    assert before[:5] + before[6:] == after[:5] + after[6:]


def test_where_in_the_corpus_an_example_stands_does_not_matter(own: AtlasStore):
    before = hashes(own)
    changed(
        own,
        "examples",
        lambda row: row | {"context_idx": row["context_idx"] + 9, "document_idx": row["document_idx"] + 1},
    )
    assert hashes(AtlasStore.open(own.path)) == before


def example(tokens: list[int], activations: list[float]) -> dict[str, Any]:
    return {
        "feature_idx": 0, "group": "top", "interval": -1, "interval_lower": 0.0, "interval_upper": 0.0,
        "rank": 0, "activation": 1.0, "context_idx": 0, "position": 0, "document_idx": 0, "copies": 1,
        "peak": 0, "token_ids": tokens, "activations": activations,
    }  # fmt: skip


def test_windows_cannot_run_into_one_another():
    def of(*rows: dict[str, Any]) -> str:
        return example_hashes(pa.Table.from_pylist(list(rows), schema=EXAMPLES), 0, 1)[0]

    one = of(example([1, 2, 3], [1.0, 0.0, 2.0]))
    assert one != of(example([1, 2], [1.0, 0.0]), example([3], [2.0]))
    assert one != of(example([1, 2, 3], [0.0, 1.0, 2.0]))
    assert one == of(example([1, 2, 3], [1.0, 0.0, 2.0]))


def test_a_feature_without_examples_has_the_hash_of_nothing():
    empty = EXAMPLES.empty_table()
    assert len(set(example_hashes(empty, 0, 3))) == 1
    assert np.unique(example_hashes(empty, 4, 6)).size == 1
