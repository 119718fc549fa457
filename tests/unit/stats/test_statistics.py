"""What single statistics promise beyond the laws and the oracle."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.stats import counts
from atlas.stats.activation_density import ActivationDensity, wilson
from atlas.stats.activation_histogram import ActivationHistogram
from atlas.stats.activation_moments import ActivationMoments
from atlas.stats.base import Totals
from atlas.stats.interval_examples import IntervalExamples
from atlas.stats.random_examples import RandomExamples
from tests.support.oracle import Options, Recording
from tests.support.recordings import batches_of, in_order, recording, shape_of, shuffled, totals_of

NOTHING = pa.table({})
"""Columns of other statistics, for those that need none."""


def fed(kind, source: Recording, groups=None):
    statistic = kind(shape_of(source))
    for batch in batches_of(source, groups or in_order(source, 4)):
        statistic.update(batch)
    return statistic


def of_values(values: list[float]) -> Recording:
    """One feature that fires once per context with the given activations."""
    count = len(values)
    return Recording(
        activations=np.array(values, np.float32).reshape(count, 1, 1),
        token_ids=np.zeros((count, 1), int),
        counted=np.ones((count, 1), bool),
        document_idx=np.zeros((count, 1), int),
        options=Options(seed=0, top=5, intervals=5, per_interval=2, random=3, before=0, after=0),
    )


class TestWilson:
    @pytest.mark.parametrize(
        ("successes", "trials", "lower", "upper"),
        [
            # Newcombe (1998), Statistics in Medicine 17, table I, method 3.
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ],
    )
    def test_published_examples(self, successes: int, trials: int, lower: float, upper: float):
        found = wilson(np.array([successes]), trials)
        assert [round(float(bound[0]), 4) for bound in found] == [lower, upper]

    def test_the_ends_are_exact(self):
        lower, upper = wilson(np.array([0, 7]), 7)
        assert lower[0] == 0.0
        assert upper[1] == 1.0

    def test_it_covers_the_density(self):
        lower, upper = wilson(np.arange(1001), 1000)
        share = np.arange(1001) / 1000
        assert (lower <= share).all()
        assert (share <= upper).all()
        assert (lower >= 0).all()
        assert (upper <= 1).all()

    def test_nothing_known_is_everything_possible(self):
        lower, upper = wilson(np.array([0]), 0)
        assert (lower[0], upper[0]) == (0.0, 1.0)


class TestMoments:
    def finish(self, values: list[float]) -> dict[str, float | None]:
        found = fed(ActivationMoments, of_values(values)).finish(Totals(len(values), len(values)))
        return {name: array.to_pylist()[0] for name, array in found.items()}

    def test_by_hand(self):
        found = self.finish([1.0, 1.0, 1.0, 5.0])
        assert found["max_activation"] == 5.0
        assert found["mean_activation"] == 2.0
        assert found["std_activation"] == pytest.approx(math.sqrt(3))
        assert found["variance_activation"] == 3.0
        assert found["activation_skew"] == pytest.approx((3 * -1 + 27) / 4 / 3**1.5)
        assert found["activation_kurtosis"] == pytest.approx((3 * 1 + 81) / 4 / 9 - 3)

    @pytest.mark.parametrize(("value", "count"), [(0.1, 50), (0.2997118830680847, 982)])
    def test_equal_activations_have_no_spread_and_no_shape(self, value: float, count: int):
        """In float64 the second case has E[a²] - E[a]² = 1.4e-17."""
        found = self.finish([value] * count)
        assert found["std_activation"] == 0.0
        assert found["mean_activation"] == np.float32(value)
        assert found["activation_skew"] is None
        assert found["activation_kurtosis"] is None

    @pytest.mark.parametrize("values", [[2.0], [1.0, 2.0], [1.0, 2.0, 4.0]])
    def test_too_few_for_a_shape(self, values: list[float]):
        found = self.finish(values)
        assert (found["activation_skew"] is None) == (len(values) < 3)
        assert found["activation_kurtosis"] is None

    def test_almost_equal_activations_have_no_shape(self):
        assert self.finish([1.0, 1.001, 1.002, 1.003])["activation_skew"] is None

    def test_a_dead_feature(self):
        found = fed(ActivationMoments, recording(1)).finish(Totals(1, 1))
        first = {name: array.to_pylist()[0] for name, array in found.items()}
        assert first == {
            "max_activation": 0.0, "mean_activation": None, "std_activation": None,
            "variance_activation": None, "activation_skew": None, "activation_kurtosis": None,
        }  # fmt: skip

    @pytest.mark.parametrize("scale", [1e-40, 1e-20, 1.0, 1e20, 1e35])
    def test_the_shape_does_not_depend_on_the_scale(self, scale: float):
        values = np.random.default_rng(0).lognormal(size=200).astype(np.float32)
        plain, scaled = self.finish(values.tolist()), self.finish((values * np.float32(scale)).tolist())
        for name in ("activation_skew", "activation_kurtosis"):
            assert scaled[name] == pytest.approx(plain[name], rel=1e-3 if scale < 1e-38 else 1e-5)


class TestHistogram:
    def test_counts_grow_past_32_bits(self, monkeypatch: pytest.MonkeyPatch):
        source = recording(1)
        plain = fed(ActivationHistogram, source)
        monkeypatch.setattr(counts, "_LARGEST", 100)
        grown = fed(ActivationHistogram, source)
        assert grown._table.counts.dtype == np.uint64
        assert plain._table.counts.dtype == np.uint32
        totals = totals_of(source)
        assert grown.finish(totals)["activation_histogram"] == plain.finish(totals)["activation_histogram"]

    def test_the_table_covers_the_octaves_in_use(self):
        found = fed(ActivationHistogram, of_values([1.0, 1.5, 3.9]))._table.counts
        assert found.shape == (1, 16)
        found = fed(ActivationHistogram, of_values([1.0, 0.01]))._table.counts
        assert found.shape == (1, 64)

    def test_every_event_is_in_one_bin(self):
        source = recording(4)
        found = fed(ActivationHistogram, source).finish(totals_of(source))["activation_histogram"].to_pylist()
        for feature, bins in enumerate(found):
            assert sum(entry["count"] for entry in bins) == (source.firing[..., feature] > 0).sum()
            edges = [(entry["lower"], entry["upper"]) for entry in bins]
            assert edges == sorted(edges)
            assert all(entry["count"] > 0 for entry in bins)

    @pytest.mark.parametrize(("percent", "name"), [(50, "median"), (90, "p90"), (99, "p99")])
    @given(
        values=st.lists(st.floats(2.0**-148, 2.0**127, width=32), min_size=1, max_size=60),
        repeats=st.integers(1, 9),
    )
    def test_a_quantile_is_exact_to_its_bin(self, percent: int, name: str, values: list[float], repeats: int):
        """The exact one: the first value (in order) up to which more than the share of them lie."""
        values = values * repeats
        found = fed(ActivationHistogram, of_values(values)).finish(Totals(1, 1))
        quantile = found[f"activation_{name}"].to_pylist()[0]
        exact = sorted(float(np.float32(value)) for value in values)[len(values) * percent // 100]
        (bin_,) = [
            entry
            for entry in found["activation_histogram"].to_pylist()[0]
            if entry["lower"] <= exact < entry["upper"]
        ]
        assert bin_["lower"] <= quantile <= bin_["upper"]
        if exact >= np.finfo(np.float32).tiny:
            assert quantile == pytest.approx(exact, rel=0.125)


class TestDensity:
    def test_a_context_counts_once(self):
        source = recording(5, density=0.9)
        found = fed(ActivationDensity, source, shuffled(source, 2)).finish(totals_of(source))
        contexts = [(source.firing[..., f] > 0).any(axis=1).sum() for f in range(source.n_features)]
        assert found["firing_contexts"].to_pylist() == contexts

    def test_without_tokens_the_density_is_zero(self):
        found = ActivationDensity(shape_of(recording(5))).finish(Totals(0, 0))
        assert found["activation_density"].to_pylist()[0] == 0.0
        assert found["density_upper"].to_pylist()[0] == 1.0
        assert found["context_density"].to_pylist()[0] == 0.0
        assert found["context_density_upper"].to_pylist()[0] == 1.0

    def test_contexts_are_the_denominator_of_context_density(self):
        source = recording(5, density=0.9, n_contexts=20)
        source.counted[3] = False
        source.__post_init__()
        found = fed(ActivationDensity, source).finish(totals_of(source))
        for feature, share in enumerate(found["context_density"].to_pylist()):
            fires = (source.firing[..., feature] > 0).any(axis=1).sum()
            assert share == fires / 19
            lower, upper = wilson(np.array([fires]), 19)
            assert found["context_density_lower"].to_pylist()[feature] == lower[0]
            assert found["context_density_upper"].to_pylist()[feature] == upper[0]


class TestSamples:
    def test_every_context_is_drawn_equally_often(self):
        """Over 400 seeds each of 20 contexts is among the 5 drawn about 100 times, dense ones not more."""
        drawn = Counter[int]()
        fires = np.zeros((20, 8, 1), np.float32)
        fires[:, 0], fires[::2] = 1.0, 1.0
        for seed in range(400):
            source = Recording(
                fires, np.zeros((20, 8), int), np.ones((20, 8), bool), np.zeros((20, 8), int),
                Options(seed=seed, random=5, before=0, after=0),
            )  # fmt: skip
            selection = fed(RandomExamples, source).selections(0, 1, NOTHING)[0]
            assert len(set(selection.context_idx.tolist())) == 5
            drawn.update(selection.context_idx.tolist())
        spread = math.sqrt(400 * 0.25 * 0.75)
        assert all(abs(drawn[context] - 100) < 4.5 * spread for context in range(20)), drawn

    def test_every_firing_of_a_context_is_drawn_equally_often(self):
        drawn = Counter[int]()
        for seed in range(800):
            source = Recording(
                np.ones((1, 8, 1), np.float32), np.zeros((1, 8), int), np.ones((1, 8), bool),
                np.zeros((1, 8), int), Options(seed=seed, random=1, before=0, after=0),
            )  # fmt: skip
            drawn.update(fed(RandomExamples, source).selections(0, 1, NOTHING)[0].position.tolist())
        spread = math.sqrt(800 / 8 * 7 / 8)
        assert all(abs(drawn[position] - 100) < 4.5 * spread for position in range(8)), drawn

    def test_two_features_draw_for_themselves(self):
        same = np.ones((60, 2, 2), np.float32)
        source = Recording(
            same, np.zeros((60, 2), int), np.ones((60, 2), bool), np.zeros((60, 2), int), Options(random=5)
        )
        selection = fed(RandomExamples, source).selections(0, 2, NOTHING)[0]
        first, second = selection.context_idx[:5].tolist(), selection.context_idx[5:].tolist()
        assert first != second

    def test_intervals_are_filled_from_contexts_of_their_own_where_possible(self):
        source = recording(7, n_contexts=30, options=Options(seed=1, intervals=5, per_interval=4))
        selection = fed(IntervalExamples, source).selections(1, 2, NOTHING)[0]
        for number in range(5):
            contexts = selection.context_idx[selection.interval == number].tolist()
            assert len(set(contexts)) == len(contexts)

    @pytest.mark.parametrize("intervals", [1, 2, 4, 5, 7, 10, 20])
    def test_intervals_are_full_where_there_is_enough(self, intervals: int):
        values = np.linspace(0.001, 3.7, 4000)
        options = Options(seed=2, intervals=intervals, per_interval=4, before=0, after=0)
        source = of_values(values.tolist())
        source.options = options
        selection = fed(IntervalExamples, source, in_order(source, 500)).selections(0, 1, NOTHING)[0]
        counts = Counter(selection.interval.tolist())
        assert set(counts) == set(range(intervals))
        assert min(counts.values()) >= 3
        assert sum(counts.values()) >= 0.95 * 4 * intervals

    def test_interval_examples_are_spread_evenly_over_the_events(self):
        """Within an interval every event is equally likely: the mean rank of those drawn is the middle."""
        values = np.linspace(0.001, 1.0, 1000)
        places: list[float] = []
        for seed in range(60):
            source = of_values(values.tolist())
            source.options = Options(seed=seed, intervals=5, per_interval=4, before=0, after=0)
            selection = fed(IntervalExamples, source, in_order(source, 1000)).selections(0, 1, NOTHING)[0]
            lowest = selection.activation[selection.interval == 0]
            places += ((lowest - 0.001) / 0.199).tolist()
        assert abs(np.mean(places) - 0.5) < 4.5 * math.sqrt(1 / 12 / len(places))
