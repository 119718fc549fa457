"""The bytes of feature shards: every number comes back, by a reader written from the description alone."""

from __future__ import annotations

import gzip
import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.render.packing import MAGIC, Packer, gzip_parts, varints, zigzag
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
    packer = Packer()
    packer.integers(numbers(integers, np.int64))
    packer.singles(numbers(singles, np.float32))
    packer.integers(numbers([value % 70_000 for value in integers], np.int64))
    packer.signed(numbers(signed, np.int64))
    packer.doubles(numbers(doubles, np.float64))
    packer.integers(numbers(integers, np.int64))
    reader = Reader(b"".join(packer.parts({"any": "text ↵"})))
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


def test_zigzag_alternates():
    assert zigzag(np.array([0, -1, 1, -2, 2, -(2**40)])).tolist() == [0, 1, 2, 3, 4, 2**41 - 1]


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_parts_are_one_gzip_member(parts: list[bytes]):
    packed = gzip_parts(parts)
    assert gzip.decompress(packed) == b"".join(parts)
    assert packed[:4] == b"\x1f\x8b\x08\x00"
    assert struct.unpack("<I", packed[-4:]) == (len(b"".join(parts)),)


def test_parts_of_different_kinds_pack_better_apart():
    letters = b"abcdefghij" * 200
    noise = np.random.default_rng(0).integers(0, 256, 4000).astype(np.uint8).tobytes()
    assert len(gzip_parts([letters, noise])) <= len(gzip_parts([letters + noise])) + 8


def test_equal_numbers_give_equal_bytes_without_a_clock():
    def data() -> bytes:
        packer = Packer()
        packer.integers(np.arange(5))
        return gzip_parts(packer.parts({"b": 1, "a": 2}))

    assert data() == data()
    assert data()[4:8] == b"\0\0\0\0"


def test_an_empty_shard_is_its_head():
    data = b"".join(Packer().parts({}))
    assert data == MAGIC + struct.pack("<4I", 2, 0, 0, 0) + b"{}"


def test_what_json_cannot_carry_is_refused():
    with pytest.raises(ValueError, match="JSON"):
        Packer().parts({"x": math.nan})
