"""Numbers as people read them."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.render.numbers import NO_DATA, decimal, exact, integer, one_in, percent, ratio, signed

FINITE = st.floats(allow_nan=False, allow_infinity=False, width=32)


def plain(text: str) -> str:
    """A written number as Python reads it."""
    return text.replace(",", "").replace("\N{MINUS SIGN}", "-")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (7, "7"),
        (999, "999"),
        (1000, "1,000"),
        (1234567, "1,234,567"),
        (-1500, "\N{MINUS SIGN}1,500"),
    ],
)
def test_integers_keep_every_digit(value: int, text: str):
    assert integer(value) == text


@given(st.integers(-(10**18), 10**18))
def test_an_integer_can_be_read_back(value: int):
    assert int(plain(integer(value))) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (14.2131, "14.21"),
        (0.5, "0.5000"),
        (0, "0"),
        (-0.0, "0"),
        (9.999, "9.999"),
        (123456.7, "123,457"),
        (0.00012345, "0.0001234"),
        (0.0000123, "1.230e\N{MINUS SIGN}5"),
        (12345678.0, "1.235e7"),
        (-2.5, "\N{MINUS SIGN}2.500"),
        (None, NO_DATA),
        (math.nan, NO_DATA),
        (math.inf, NO_DATA),
        (-math.inf, NO_DATA),
    ],
)
def test_decimals_have_four_significant_digits(value: float | None, text: str):
    assert decimal(value) == text


@given(FINITE, st.integers(2, 6))
def test_a_decimal_is_right_to_its_digits(value: float, digits: int):
    read = float(plain(decimal(value, digits)))
    assert read == pytest.approx(value, rel=0.51 * 10 ** (1 - digits), abs=0)


@given(st.one_of(st.none(), st.floats()))
def test_nothing_but_a_number_or_the_dash_is_ever_written(value: float | None):
    for text in (decimal(value), percent(value), signed(value), exact(value)):
        assert text == NO_DATA or re.fullmatch(
            "[+\N{MINUS SIGN}-]?[\\d,.]+(e[\N{MINUS SIGN}+-]?\\d+)?(\u202f%)?", text
        ), text


@given(FINITE)
def test_the_exact_number_gives_a_float32_back(value: float):
    assert np.float32(exact(value)) == np.float32(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_exact_number_gives_a_float64_back(value: float):
    if np.isfinite(np.float64(value)) and abs(value) < 3e38 and float(np.float32(value)) != value:
        assert float(exact(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.0, "3"),
        (0.1, "0.1"),
        (float(np.float32(14.2131)), "14.2131"),
        (0.03358208955223881, "0.03358208955223881"),
        (1e39, "1e+39"),
        (None, NO_DATA),
        (math.nan, NO_DATA),
    ],
)
def test_exact_numbers_are_as_short_as_they_can_be(value: float | None, text: str):
    assert exact(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.314, "+2.31"),
        (-1.2, "\N{MINUS SIGN}1.20"),
        (0.0042, "+0.0042"),
        (-0.0042, "\N{MINUS SIGN}0.0042"),
        (0.0, "+0.00"),
        (None, NO_DATA),
    ],
)
def test_signed_numbers_carry_their_sign_and_never_round_to_zero(value: float | None, text: str):
    assert signed(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.00115, "0.115\u202f%"), (1.0, "100\u202f%"), (0.0, "0\u202f%"), (None, NO_DATA)]
)
def test_shares_are_in_per_cent(value: float | None, text: str):
    assert percent(value) == text


@pytest.mark.parametrize(
    ("count", "total", "text"),
    [
        (1, 870, "1 in 870 tokens"),
        (3, 870, "1 in 290 tokens"),
        (1, 1_000_000, "1 in 1,000,000 tokens"),
        (2, 7, "1 in 3.5 tokens"),
        (63, 100, "63.0\u202f% of tokens"),
        (1, 2, "50.0\u202f% of tokens"),
        (5, 5, "100\u202f% of tokens"),
    ],
)
def test_how_often(count: int, total: int, text: str):
    assert one_in(count, total) == text


@given(st.integers(1, 10**9), st.integers(1, 10**9))
def test_how_often_is_true(count: int, total: int):
    count = min(count, total)
    found = re.fullmatch(r"1 in ([\d,.]+) tokens", one_in(count, total))
    if count * 2 >= total:
        assert found is None
    else:
        assert found is not None
        assert float(plain(found[1])) == pytest.approx(total / count, rel=0.06)


def test_a_ratio_below_ten_keeps_two_digits():
    assert ratio(0.3) == "3.3"
    assert ratio(0.01) == "100"
