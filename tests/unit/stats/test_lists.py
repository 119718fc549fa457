"""Rows of unequal length as columns of lists and back, held to plain Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from atlas.schema import COACTIVATION_LIST, EFFECT_LIST, SOURCE_LIST, TOKEN_LIST
from atlas.stats.lists import flat_numbers, flatten, struct_lists


def test_every_row_has_its_entries():
    found = struct_lists(TOKEN_LIST, np.array([2, 0, 1]), np.array([7, 8, 9]), np.arange(3), np.ones(3))
    assert found.type == TOKEN_LIST
    assert found.to_pylist() == [
        [{"token_id": 7, "count": 0, "value": 1.0}, {"token_id": 8, "count": 1, "value": 1.0}],
        [],
        [{"token_id": 9, "count": 2, "value": 1.0}],
    ]


def test_texts_are_a_column_like_others():
    found = struct_lists(SOURCE_LIST, np.array([1]), ["a b"], np.array([3]), np.array([0.5]))
    assert found.to_pylist() == [[{"name": "a b", "count": 3, "value": 0.5}]]


@pytest.mark.parametrize("n_rows", [0, 4])
def test_rows_without_entries(n_rows: int):
    nothing = np.zeros(0)
    found = struct_lists(COACTIVATION_LIST, np.zeros(n_rows, np.int64), nothing, nothing, nothing, nothing)
    assert found.to_pylist() == [[]] * n_rows


@pytest.mark.parametrize("nan_is_null", [False, True])
def test_nan_is_null_only_where_asked_for(nan_is_null: bool):
    columns = (np.array([1, 2]), np.array([0.5, 1.5]), np.array([np.nan, 2.0]))
    (row,) = struct_lists(EFFECT_LIST, np.array([2]), *columns, nan_is_null=nan_is_null).to_pylist()
    assert (row[0]["direct"] is None) is nan_is_null
    assert row[1]["direct"] == pytest.approx(2.0)


def test_a_column_missing_is_an_error():
    with pytest.raises(ValueError, match="zip"):
        struct_lists(TOKEN_LIST, np.array([1]), np.array([1]))


def test_entries_beyond_the_rows_do_not_pass_for_a_row():
    with pytest.raises(pa.ArrowInvalid):
        struct_lists(TOKEN_LIST, np.array([3]), np.array([1]), np.array([1]), np.array([1.0])).validate()


LISTS = pa.array([[1, 2], [3], [], None, [4, 5, 6]], pa.list_(pa.int32()))


@pytest.mark.parametrize(
    "column", [LISTS, pa.chunked_array([LISTS]), pa.chunked_array([LISTS[:2], LISTS[2:]])]
)
@pytest.mark.parametrize("first", range(6))
def test_lists_come_apart_from_zero_whatever_part_of_a_table_they_are(column: Any, first: int):
    part = column.slice(first)
    wanted = [row or [] for row in part.to_pylist()]
    every = [number for row in wanted for number in row]
    bounds, entries = flatten(part)
    assert np.diff(bounds).tolist() == [len(row) for row in wanted]
    assert (bounds[0], bounds.dtype) == (0, np.int64)
    assert entries.to_pylist() == every
    same, numbers = flat_numbers(part)
    assert same.tolist() == bounds.tolist()
    assert (numbers.tolist(), numbers.dtype) == (every, np.int32)


def test_structs_come_apart_as_they_were_put_together():
    lengths, values = np.array([2, 0, 1]), np.array([0.5, 1.5, 2.5])
    bounds, entries = flatten(struct_lists(TOKEN_LIST, lengths, np.array([7, 8, 9]), np.arange(3), values))
    assert np.diff(bounds).tolist() == lengths.tolist()
    assert entries.field("token_id").to_pylist() == [7, 8, 9]
    assert entries.field("value").to_pylist() == values.tolist()
