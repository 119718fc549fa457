"""Columns as arrays: the same values as Arrow has, whatever rows a table lacks."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.render.raw import RawColumn, raw_column
from atlas.schema import SOURCE_LIST, TOKEN_LIST

SINGLE = st.floats(width=32)
ENTRY = st.fixed_dictionaries({"token_id": st.integers(0, 99), "count": st.integers(0, 9), "value": SINGLE})


def of(
    values: list, dtype: pa.DataType, places: list[int] | None = None, size: int | None = None
) -> RawColumn:
    rows = np.arange(len(values)) if places is None else np.array(places, np.int64)
    column = pa.chunked_array([pa.array(values, dtype)])
    return raw_column(column, rows, len(values) if size is None else size)


def plain(value: object) -> object:
    """NaN and infinities as None."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


@given(st.lists(st.none() | st.floats(), max_size=12))
def test_floats_come_back(values: list):
    assert of(values, pa.float64()).values() == [plain(value) for value in values]


@given(st.lists(st.none() | st.integers(-(2**62), 2**62), max_size=12))
def test_integers_come_back(values: list):
    found = of(values, pa.int64())
    assert found.values() == values
    assert np.asarray(found.fields[0]).dtype == np.int64


@given(st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=4), max_size=8))
def test_texts_come_back(values: list):
    assert of(values, pa.string()).values() == values


@given(st.lists(st.none() | st.lists(ENTRY, max_size=4), max_size=6))
def test_lists_come_back_as_tuples(values: list):
    expected = [
        None
        if row is None
        else [tuple(plain(entry[name]) for name in ("token_id", "count", "value")) for entry in row]
        for row in values
    ]
    assert of(values, TOKEN_LIST).values() == expected


@given(st.data())
def test_rows_that_a_table_lacks_have_no_value(data: st.DataObject):
    size = data.draw(st.integers(1, 8))
    places = sorted(data.draw(st.sets(st.integers(0, size - 1))))
    rows = [[{"token_id": place, "count": 0, "value": 1.0}] * (place % 3) for place in places]
    lists = of(rows, TOKEN_LIST, places, size).values()
    numbers = of(places, pa.int32(), places, size).values()
    texts = of([str(place) for place in places], pa.string(), places, size).values()
    for at in range(size):
        known = at in places
        assert lists[at] == ([(at, 0, 1.0)] * (at % 3) if known else None)
        assert numbers[at] == (at if known else None)
        assert texts[at] == (str(at) if known else None)


@given(st.lists(st.lists(ENTRY, max_size=3), min_size=1, max_size=6), st.data())
def test_a_part_is_the_same_values(values: list, data: st.DataObject):
    first = data.draw(st.integers(0, len(values)))
    last = data.draw(st.integers(first, len(values)))
    whole = of(values, TOKEN_LIST)
    assert whole.part(first, last).values() == whole.values()[first:last]
    assert of([1.5] * len(values), pa.float32()).part(first, last).values() == [1.5] * (last - first)
    assert of(["a"] * len(values), pa.string()).part(first, last).values() == ["a"] * (last - first)


@given(st.lists(st.none() | st.lists(ENTRY, max_size=4), max_size=6), st.integers(0, 5))
def test_heads_are_the_first_entries(values: list, most: int):
    column = of(values, TOKEN_LIST)
    assert column.heads(most) == [(row or [])[:most] for row in column.values()]


def test_heads_of_sources_are_texts():
    rows = [[{"name": name, "count": 1, "value": 0.5} for name in "abc"], None, []]
    assert of(rows, SOURCE_LIST).heads(2) == [[("a", 1, 0.5), ("b", 1, 0.5)], [], []]


def test_names_of_sources_stay_texts():
    rows = [[{"name": "a", "count": 1, "value": 0.5}, {"name": None, "count": 2, "value": 0.25}], []]
    assert of(rows, SOURCE_LIST).values() == [[("a", 1, 0.5), ("", 2, 0.25)], []]


@pytest.mark.parametrize("values", [[True, False, None], [None, None, None]])
def test_truth_values_are_integers(values: list):
    assert of(values, pa.bool_()).values() == [None if value is None else int(value) for value in values]


def test_a_slice_of_a_table_is_read_from_its_own_start():
    column = pa.chunked_array(
        [pa.array([[{"token_id": n, "count": 0, "value": 0.0}] for n in range(5)], TOKEN_LIST)]
    )
    found = raw_column(column.slice(3), np.arange(2), 2)
    assert found.values() == [[(3, 0, 0.0)], [(4, 0, 0.0)]]
