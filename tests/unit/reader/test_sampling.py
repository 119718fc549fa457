"""The sampler against an oracle in plain Python and the generator's own source, and the laws of a draw."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from atlas.reader.sampling import SEEDS, Mulberry32, choose, probability

LOGITS = arrays.arrays(
    np.float32, st.integers(1, 40), elements=st.floats(-30, 30, width=32, allow_subnormal=False)
)


def signed(value: int) -> int:
    """The 32 bits of `value` as JavaScript's `| 0` reads them."""
    value &= 0xFFFFFFFF
    return value - 2**32 if value >= 2**31 else value


def imul(left: int, right: int) -> int:
    return signed(signed(left) * signed(right))


def shifted(value: int, bits: int) -> int:
    """JavaScript's `>>>`."""
    return (value & 0xFFFFFFFF) >> bits


def published(seed: int, count: int) -> list[float]:
    """The generator statement by statement as published for JavaScript, with JavaScript's signed words."""
    found = []
    a = signed(seed)
    for _ in range(count):
        a = signed(a + 0x6D2B79F5)
        t = imul(a ^ shifted(a, 15), a | 1)
        t = signed(t ^ signed(t + imul(t ^ shifted(t, 7), t | 61)))
        found.append(shifted(t ^ shifted(t, 14), 0) / 4294967296)
    return found


def slow_choice(logits: list[float], temperature: float, u: float) -> int:
    """The rule in plain Python, one id after the other."""
    if temperature == 0:
        return logits.index(max(logits))
    scaled = [logit / temperature for logit in logits]
    largest = max(scaled)
    weights = [math.exp(value - largest) for value in scaled]
    total, running = 0.0, 0.0
    for weight in weights:
        total += weight
    for place, weight in enumerate(weights):
        running += weight
        if running > u * total:
            return place
    return len(logits) - 1


class Fixed:
    """A generator that draws what it is told."""

    def __init__(self, *numbers: float) -> None:
        self.numbers = list(numbers)

    def draw(self) -> float:
        return self.numbers.pop(0)


class TestGenerator:
    @pytest.mark.parametrize("seed", [0, 1, 42, 2**31 - 1, 2**31, SEEDS - 1])
    def test_it_is_the_published_one(self, seed: int):
        generator = Mulberry32(seed)
        assert [generator.draw() for _ in range(2000)] == published(seed, 2000)

    @given(st.integers(0, SEEDS - 1))
    def test_every_seed(self, seed: int):
        generator = Mulberry32(seed)
        drawn = [generator.draw() for _ in range(20)]
        assert drawn == published(seed, 20)
        assert all(0 <= number < 1 and Fraction(number).denominator <= SEEDS for number in drawn)

    def test_numbers_are_uniform(self):
        generator = Mulberry32(7)
        counts = np.histogram([generator.draw() for _ in range(50_000)], bins=50, range=(0, 1))[0]
        # Chi-square with 49 degrees of freedom: 85.4 is passed once in a thousand.
        assert ((counts - 1000) ** 2 / 1000).sum() < 85.4

    def test_seeds_differ(self):
        assert len({Mulberry32(seed).draw() for seed in range(1000)}) > 990


class TestChoice:
    @settings(deadline=None)
    @given(LOGITS, st.sampled_from([0.0, 0.1, 0.7, 1.0, 2.5]), st.integers(0, SEEDS - 1))
    def test_it_is_the_rule(self, logits: np.ndarray, temperature: float, seed: int):
        expected = slow_choice([float(v) for v in logits], temperature, published(seed, 1)[0])
        assert choose(logits, temperature, Mulberry32(seed)) == expected

    def test_greedy_takes_the_lowest_of_equals_and_draws_nothing(self):
        logits = np.array([1, 3, 3, 2], np.float32)
        assert choose(logits, 0, Fixed()) == 1  # type: ignore[arg-type]

    @pytest.mark.parametrize(("u", "chosen"), [(0.0, 0), (0.4999, 0), (0.5, 1), (0.9999, 1)])
    def test_the_bounds_of_the_draw(self, u: float, chosen: int):
        assert choose(np.zeros(2, np.float32), 1, Fixed(u)) == chosen  # type: ignore[arg-type]

    def test_the_last_id_where_rounding_leaves_nothing(self):
        assert choose(np.zeros(3, np.float32), 1, Fixed(1.0)) == 2  # type: ignore[arg-type]

    def test_an_impossible_token_is_never_drawn(self):
        logits = np.array([-np.inf, 0, -np.inf], np.float32)
        assert {choose(logits, 1, Mulberry32(seed)) for seed in range(200)} == {1}

    def test_huge_logits_do_not_overflow(self):
        logits = np.array([3e38, 3e38, -3e38], np.float32)
        assert {choose(logits, 0.01, Mulberry32(seed)) for seed in range(50)} == {0, 1}
        assert probability(logits, 0) == 0.5

    @pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
    def test_the_distribution_is_the_softmax(self, temperature: float):
        logits = np.array([0.3, -1.2, 2.0, 0.9, -0.4], np.float32)
        generator = Mulberry32(3)
        draws = 20_000
        counts = Counter(choose(logits, temperature, generator) for _ in range(draws))
        weights = np.exp(logits.astype(np.float64) / temperature)
        expected = draws * weights / weights.sum()
        observed = np.array([counts[place] for place in range(5)])
        # Chi-square with 4 degrees of freedom: 18.5 is passed once in a thousand.
        assert ((observed - expected) ** 2 / expected).sum() < 18.5

    def test_one_seed_one_sequence(self):
        logits = np.linspace(-1, 1, 50).astype(np.float32)

        def sequence(seed: int) -> list[int]:
            generator = Mulberry32(seed)
            return [choose(logits, 1, generator) for _ in range(30)]

        assert sequence(5) == sequence(5)
        assert sequence(5) != sequence(6)


class TestProbability:
    @settings(deadline=None)
    @given(LOGITS)
    def test_they_are_the_softmax(self, logits: np.ndarray):
        values = [float(value) for value in logits]
        whole = math.fsum(math.exp(value - max(values)) for value in values)
        for place, value in enumerate(values):
            assert probability(logits, place) == pytest.approx(
                math.exp(value - max(values)) / whole, rel=1e-12
            )
        assert sum(probability(logits, place) for place in range(len(values))) == pytest.approx(1)
