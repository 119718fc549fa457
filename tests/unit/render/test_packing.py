"""The bytes of feature shards: every number comes back, by a reader written from the description alone."""

from __future__ import annotations

import itertools
import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.render.packing import MAGIC, Packer, varint_parts, varints, zigzag
from tests.support.feature_shards import Reader

INTEGERS = st.lists(st.integers(0, 2**62) | st.integers(0, 300), max_size=40)
SIGNED = st.lists(st.integers(-(2**61), 2**61) | st.integers(-3, 3), max_size=40)
SINGLES = st.lists(st.floats(width=32), max_size=20)
DOUBLES = st.lists(st.floats(), max_size=20)


def numbers(values: list, dtype: type) -> np.ndarray:
    return np.array(values, dtype)


def same(found: float | None, value: float) -> bool:
    """Whether `found` is `value`, or nothing where `value` is no finite number."""
    if not math.isfinite(value):
        return found is None
    return found == value


@given(INTEGERS, SIGNED, SINGLES, DOUBLES)
def test_every_number_comes_back_in_its_turn(integers, signed, singles, doubles):
    packer = Packer(1)
    packer.integers(numbers(integers, np.int64), (0, len(integers)))
    packer.singles(numbers(singles, np.float32), (0, len(singles)))
    packer.integers_of(0, numbers([value % 70_000 for value in integers], np.int64))
    packer.signed(numbers(signed, np.int64), (0, len(signed)))
    packer.doubles(numbers(doubles, np.float64), (0, len(doubles)))
    packer.integers(numbers(integers, np.int64), (0, len(integers)))
    reader = Reader(packer.content(0, '{"any":"text ↵"}'.encode()))
    assert reader.text == {"any": "text ↵"}
    assert reader.integers(len(integers)) == integers
    assert reader.integers(len(integers)) == [value % 70_000 for value in integers]
    assert reader.signed(len(signed)) == signed
    assert reader.integers(len(integers)) == integers
    found = reader.raw(len(singles))
    for value, got in zip(numbers(singles, np.float32).tolist(), found, strict=True):
        assert same(None if math.isnan(got) else got, value)
    assert all(same(got, value) for value, got in zip(doubles, reader.doubles(len(doubles)), strict=True))
    reader.finish()


@given(st.integers(1, 62).flatmap(lambda bits: st.lists(st.integers(0, 2**bits), max_size=30)))
def test_leb128_by_its_definition(values: list[int]):
    expected = bytearray()
    for value in values:
        rest = value
        while rest >= 128:
            expected.append(rest & 127 | 128)
            rest >>= 7
        expected.append(rest)
    assert varints(np.array(values, np.int64)) == bytes(expected)


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (0, b"\0"),
        (127, b"\x7f"),
        (128, b"\x80\1"),
        (16384, b"\x80\x80\1"),
        (2**28 - 1, b"\xff\xff\xff\x7f"),
        (2**28, b"\x80\x80\x80\x80\1"),
        (2**56 - 1, b"\xff" * 7 + b"\x7f"),
        (2**56, b"\x80" * 8 + b"\1"),
    ],
)
def test_leb128_at_its_borders(value: int, data: bytes):
    assert varints(np.array([value])) == data


@given(st.lists(INTEGERS, min_size=1, max_size=6), st.integers(1, 9))
def test_stretches_are_packed_as_each_would_be_alone(stretches: list[list[int]], at_once: int):
    values = numbers([value for stretch in stretches for value in stretch], np.int64)
    cuts = [0, *itertools.accumulate(map(len, stretches))]
    alone = [varints(numbers(stretch, np.int64)) for stretch in stretches]
    assert varint_parts(values, cuts) == alone
    assert varint_parts(values, cuts[1:]) == alone[1:]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("atlas.render.packing._AT_ONCE", at_once)
        assert varint_parts(values, cuts) == alone


@given(st.lists(st.tuples(INTEGERS, SINGLES, DOUBLES), min_size=1, max_size=5))
def test_a_shard_holds_its_own_numbers_whatever_is_packed_beside_it(shards: list[tuple[list, list, list]]):
    together = Packer(len(shards))
    kinds = zip(zip(*shards, strict=True), (np.int64, np.float32, np.float64), strict=True)
    for (rows, dtype), put in zip(
        kinds, (together.integers, together.singles, together.doubles), strict=True
    ):
        cuts = [0, *itertools.accumulate(map(len, rows))]
        put(numbers([value for row in rows for value in row], dtype), cuts)
    for number, (integers, singles, doubles) in enumerate(shards):
        alone = Packer(1)
        alone.integers_of(0, numbers(integers, np.int64))
        alone.singles(numbers(singles, np.float32), (0, len(singles)))
        alone.doubles(numbers(doubles, np.float64), (0, len(doubles)))
        assert together.content(number, b"{}") == alone.content(0, b"{}")


def test_zigzag_alternates():
    assert zigzag(np.array([0, -1, 1, -2, 2, -(2**40)])).tolist() == [0, 1, 2, 3, 4, 2**41 - 1]


def test_an_empty_shard_is_its_head():
    data = Packer(1).content(0, b"{}")
    assert data == MAGIC + struct.pack("<4I", 2, 0, 0, 0) + b"{}"
