"""Every column of every table has an oracle: its definition, written again apart from the code."""

from __future__ import annotations

import pytest

from atlas.schema import SAE_TABLES, SHARED_TABLES
from atlas.stream.statistics import StatisticSet
from tests.support import oracle, oracle_tables, oracle_weights
from tests.support.recordings import recording, shape_of

ELSEWHERE = {
    "coords": "places on the map are umap-learn's; what must be true of them: tests/unit/enrich/test_umap.py",
    "clusters": "groups are made from those places; tests/unit/enrich/test_umap.py",
    "explanations": "words, not numbers; tests/unit/enrich/test_explanations.py",
    "postings": "an index over other tables; tests/unit/index/test_search.py searches it by plain loops",
    "model_files": "bytes, gated against the model itself; tests/unit/export/",
    "directions": "the SAE's own W_dec; tests/unit/pipeline/test_browser.py",
    "vectors": "a space, not a number; what must be true of it: tests/unit/index/test_vectors.py",
}
"""Tables without an oracle, and what stands in for one."""


def columns_of(table: str) -> set[str]:
    """The columns that the oracle of `table` computes; `KeyError` where there is none."""
    made = recording(1)
    if table == "features":
        return {"feature_idx", *oracle.columns(made)}
    if table == "examples":
        return set(oracle.examples(made)[0])
    return oracle_tables.COLUMNS.get(table) or oracle_weights.COLUMNS[table]


@pytest.mark.parametrize("table", [*SAE_TABLES, *SHARED_TABLES])
def test_every_column_has_an_oracle(table: str):
    if table in ELSEWHERE:
        return
    schema = StatisticSet(shape_of(recording(1))).schema if table == "features" else None
    names = (schema or {**SAE_TABLES, **SHARED_TABLES}[table]).names
    assert columns_of(table) == set(names)


def test_nothing_is_excused_that_does_not_exist_or_has_an_oracle():
    assert ELSEWHERE.keys() < SAE_TABLES.keys() | SHARED_TABLES.keys()
    assert not ELSEWHERE.keys() & (oracle_tables.COLUMNS.keys() | oracle_weights.COLUMNS.keys())
