"""Sums whose bits do not depend on the order."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.stats.sums import DIGITS, WIDTH, ExactSums

VALUES = st.lists(st.floats(2.0**-149, 2.0**127), min_size=1, max_size=30)


def add(sums: ExactSums, values: list[float], feature: int = 0) -> None:
    array = np.array(values)
    sums.add(np.array([feature], np.int32), np.array([0]), np.array([array.size]), array)


def total(sums: ExactSums, feature: int = 0) -> float:
    return float(sums.totals()[feature])


def same(one: ExactSums, other: ExactSums) -> bool:
    return one.top.tobytes() == other.top.tobytes() and one.digits.tobytes() == other.digits.tobytes()


@given(VALUES)
def test_right_to_float64(values: list[float]):
    sums = ExactSums(1)
    add(sums, values)
    exact = sum(map(Fraction, values))
    assert total(sums) == pytest.approx(float(exact), rel=1e-15)


@given(VALUES, st.randoms(use_true_random=False), st.lists(st.integers(0, 30), max_size=4))
def test_no_order_no_split_shows(values: list[float], random, cuts: list[int]):
    whole = ExactSums(1)
    add(whole, values)
    shuffled = values.copy()
    random.shuffle(shuffled)
    merged = ExactSums(1)
    edges = [0, *sorted(cut % (len(values) + 1) for cut in cuts), len(values)]
    for start, stop in itertools.pairwise(edges):
        part = ExactSums(1)
        if stop > start:
            add(part, shuffled[start:stop])
        if random.random() < 0.5:
            part, merged = merged, part
        merged.merge(part)
    assert same(whole, merged)


def test_what_is_small_is_not_lost_among_what_is_large():
    """A float64 sum would lose every one of the small values."""
    sums = ExactSums(1)
    add(sums, [2.0**60] + [1.0] * 1000)
    assert total(sums) == float(Fraction(2) ** 60 + 1000) == 2.0**60 + 1024
    places = [
        int(digit) * 2 ** (WIDTH * (int(sums.top[0]) - place)) for place, digit in enumerate(sums.digits[0])
    ]
    assert sum(map(Fraction, places)) == Fraction(2) ** 60 + 1000


def test_equal_values_sum_exactly():
    for value in (0.1, 1 / 3, 1e-20, 7e30):
        rounded = float(np.float32(value))
        sums = ExactSums(1)
        add(sums, [rounded] * 1000)
        assert total(sums) == math.fsum([rounded] * 1000)


def test_features_do_not_mix():
    sums = ExactSums(5)
    values = np.array([1.0, 2.0, 4.0, 1e20, 1e-20])
    sums.add(np.array([1, 3, 4], np.int32), np.array([0, 2, 4]), np.array([2, 2, 1]), values)
    assert sums.totals().tolist() == [0.0, 3.0, 0.0, 1e20 + 4.0, 1e-20]


def test_a_rising_maximum_lets_go_of_what_no_longer_matters():
    """What is cut off depends on the values alone: large first and large last agree."""
    small, large = [1.0 + 2.0**-40] * 7, [2.0**100]
    one, other = ExactSums(1), ExactSums(1)
    add(one, small)
    add(one, large)
    add(other, large)
    add(other, small)
    assert same(one, other)
    assert one.digits.shape == (1, DIGITS)


def test_a_jump_past_all_places_leaves_nothing():
    sums, fresh = ExactSums(1), ExactSums(1)
    add(sums, [1e-30])
    for each in (sums, fresh):
        add(each, [1e30])
    assert same(sums, fresh)


def test_nothing_added_is_zero():
    sums, other = ExactSums(3), ExactSums(3)
    sums.merge(other)
    assert sums.totals().tolist() == [0.0, 0.0, 0.0]


def test_many_values_do_not_overflow():
    """The digit sums of 2**21 values of the largest digit fit with room to spare."""
    value = 1 - 2.0**-WIDTH
    sums = ExactSums(1)
    add(sums, [value] * (1 << 14))
    for _ in range(7):
        copy = ExactSums(1)
        copy.merge(sums)
        sums.merge(copy)
    assert total(sums) == value * (1 << 21)
    assert int(abs(sums.digits).max()) < 2**63 >> 13
