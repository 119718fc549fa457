from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from atlas.enrich.ranking import largest, tile_rows
from atlas.schema import FEATURE_LIST, TOKEN_LIST

VALUES = st.sampled_from([-math.inf, -2.0, -1.0, 0.0, -0.0, 0.5, 1.0, 3.0, math.nan, math.inf])


def by_definition(row: list[float], n: int) -> list[tuple[int, float]]:
    legal = [
        (column, value) for column, value in enumerate(row) if not math.isnan(value) and value > -math.inf
    ]
    return sorted(legal, key=lambda entry: (-entry[1], entry[0]))[:n]


def rows_of(ranked) -> list[list[tuple[int, float]]]:
    pairs = list(zip(ranked.columns.tolist(), ranked.values.tolist(), strict=True))
    return [pairs[a:b] for a, b in zip(ranked.offsets[:-1], ranked.offsets[1:], strict=True)]


@given(
    st.integers(0, 6).flatmap(
        lambda width: st.lists(st.lists(VALUES, min_size=width, max_size=width), max_size=5)
    ),
    st.integers(0, 8),
)
def test_rows_hold_the_largest_values_with_ties_by_column(rows, n):
    width = len(rows[0]) if rows else 3
    matrix = torch.tensor(rows, dtype=torch.float32).reshape(len(rows), width)
    assert rows_of(largest(matrix, n)) == [by_definition(row, n) for row in rows]


def test_many_equal_values_come_in_column_order():
    matrix = torch.ones(3, 5000)
    matrix[1, 4999] = 2
    ranked = largest(matrix, 4)
    assert rows_of(ranked) == [
        [(0, 1.0), (1, 1.0), (2, 1.0), (3, 1.0)],
        [(4999, 2.0), (0, 1.0), (1, 1.0), (2, 1.0)],
        [(0, 1.0), (1, 1.0), (2, 1.0), (3, 1.0)],
    ]


def test_the_matrix_is_left_as_it_was():
    matrix = torch.tensor([[1.0, torch.nan, -torch.inf, 2.0]])
    before = matrix.clone()
    largest(matrix, 2)
    assert torch.equal(matrix.nan_to_num(7), before.nan_to_num(7))


def test_columns_become_tokens_with_their_own_ids_and_sign():
    ids = np.array([10, 20, 30], np.int32)
    lists = largest(torch.tensor([[-1.0, 0.0, -3.0], [-torch.inf] * 3]), 2).tokens(ids, -1.0)
    assert lists.type == TOKEN_LIST
    assert lists.to_pylist() == [
        [{"token_id": 20, "count": 0, "value": 0.0}, {"token_id": 10, "count": 0, "value": 1.0}],
        [],
    ]
    assert math.copysign(1, lists[0][0]["value"].as_py()) == 1


def test_columns_become_features():
    lists = largest(torch.tensor([[0.5, 0.25]]), 2).features()
    assert lists.type == FEATURE_LIST
    assert lists.to_pylist() == [[{"feature_idx": 0, "value": 0.5}, {"feature_idx": 1, "value": 0.25}]]


@pytest.mark.parametrize(("columns", "rows"), [(0, 1 << 24), (1 << 10, 1 << 14), (1 << 24, 1), (1 << 26, 1)])
def test_tiles_stay_at_64_mb(columns, rows):
    assert tile_rows(columns) == rows
