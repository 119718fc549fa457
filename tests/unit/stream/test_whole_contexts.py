from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from atlas.schema import CONTEXTS, EXAMPLES, WHOLE_CONTEXTS
from atlas.store import AtlasStore
from atlas.stream import whole_contexts as module
from atlas.stream.contexts import ContextFiles
from atlas.stream.whole_contexts import strongest, strongest_contexts, write_contexts

SIZE = 6
COUNT = 30


def rows(chosen: dict[tuple[int, str], list[int]]) -> pa.Table:
    """Examples: (feature, group) → the contexts by rank."""
    found: list[dict[str, Any]] = [
        {
            "feature_idx": feature, "group": group, "interval": -1, "interval_lower": 0.0,
            "interval_upper": 0.0, "rank": rank, "activation": 1.0, "context_idx": context, "position": 0,
            "document_idx": 0, "copies": 1, "peak": 0, "token_ids": [1], "activations": [1.0],
        }
        for (feature, group), contexts in chosen.items()
        for rank, context in enumerate(contexts)
    ]  # fmt: skip
    return pa.Table.from_pylist(found, schema=EXAMPLES)


CHOSEN = {
    "one": {
        (0, "top"): [7, 3, 29, 4, 9, 11, 12],
        (0, "random"): [20, 21],
        (2, "top"): [3],
        (5, "interval"): [1],
    },
    "two": {(1, "top"): [0, 3], (1, "near_miss"): [25]},
}
EXPECTED = [0, 3, 4, 7, 9, 29]


@pytest.fixture
def store(tmp_path: Path) -> AtlasStore:
    made = AtlasStore.create(tmp_path / "data")
    made.update(saes=[{"slug": slug, "title": slug, "n_features": 8} for slug in CHOSEN])
    for slug, chosen in CHOSEN.items():
        with made.writer("examples", sae=slug, schema=EXAMPLES) as writer:
            writer.write(rows(chosen))
    return made


def tokens() -> np.ndarray:
    """[COUNT, SIZE] with -1 at the end of the last ones."""
    ids = np.arange(COUNT * SIZE, dtype=np.int32).reshape(COUNT, SIZE)
    ids[29, 4:] = -1
    return ids


@pytest.fixture
def files(tmp_path: Path) -> Any:
    with ContextFiles(tmp_path / "scratch", SIZE, 1000) as made:
        made.append(np.arange(COUNT), tokens(), np.zeros((COUNT, SIZE), np.int32))
        yield made


@pytest.mark.parametrize("at_once", [1, 2, 100])
def test_the_contexts_of_the_strongest_examples_are_kept_whole(store, files, monkeypatch, at_once):
    monkeypatch.setattr(module, "CONTEXTS_AT_ONCE", at_once)
    write_contexts(store, list(CHOSEN), files)
    found = store.read("contexts")
    assert found.schema.equals(CONTEXTS)
    assert found["context_idx"].to_pylist() == EXPECTED
    for number, ids in zip(EXPECTED, found["token_ids"].to_pylist(), strict=True):
        assert ids == [token for token in tokens()[number].tolist() if token >= 0]
    assert len(found["token_ids"].to_pylist()[-1]) == 4
    assert store.verify() == []


def test_an_sae_on_which_nothing_fired_has_no_contexts(tmp_path, files):
    made = AtlasStore.create(tmp_path / "empty")
    made.update(saes=[{"slug": "one", "title": "one", "n_features": 3}])
    with made.writer("examples", sae="one", schema=EXAMPLES):
        pass
    write_contexts(made, ["one"], files)
    assert made.read("contexts").num_rows == 0


def test_in_which_contexts_one_sae_has_its_strongest_examples(store, monkeypatch):
    monkeypatch.setattr(module, "_FEATURES_AT_ONCE", 1)
    assert strongest_contexts(store, "one").tolist() == [3, 4, 7, 9, 29]
    assert strongest_contexts(store, "two").tolist() == [0, 3]


def test_only_the_top_group_counts():
    table = rows(CHOSEN["one"])
    assert strongest(table, 1)["context_idx"].to_pylist() == [7, 3]
    assert strongest(table, 2)["context_idx"].to_pylist() == [7, 3, 3]
    assert strongest(table, 0).num_rows == 0
    assert strongest(table, WHOLE_CONTEXTS).num_rows == WHOLE_CONTEXTS + 1
