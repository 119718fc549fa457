"""What single statistics promise beyond the laws and the oracle."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from atlas.stats import activation_histogram, pairs
from atlas.stats.activation_density import ActivationDensity, wilson
from atlas.stats.activation_histogram import ActivationHistogram
from atlas.stats.activation_moments import ActivationMoments
from atlas.stats.base import Totals
from atlas.stats.interval_examples import IntervalExamples
from atlas.stats.pairs import LEVELS, MIN_ROWS, TABLE_ROWS, PairTable, context_levels, pairs_of
from atlas.stats.random_examples import RandomExamples
from atlas.stats.top_tokens import TopTokens
from tests.support.oracle import Options, Recording
from tests.support.recordings import batch_of, batches_of, in_order, recording, shape_of, shuffled, totals_of


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
            "activation_skew": None, "activation_kurtosis": None,
        }  # fmt: skip

    @pytest.mark.parametrize("scale", [1e-40, 1e-20, 1.0, 1e20, 1e35])
    def test_the_shape_does_not_depend_on_the_scale(self, scale: float):
        values = np.random.default_rng(0).lognormal(size=200).astype(np.float32)
        plain, scaled = self.finish(values.tolist()), self.finish((values * np.float32(scale)).tolist())
        for name in ("activation_skew", "activation_kurtosis"):
            assert scaled[name] == pytest.approx(plain[name], rel=1e-3 if scale < 1e-38 else 1e-5)


class TestHistogram:
    def test_counts_grow_past_32_bits(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(activation_histogram, "_INT32", 100)
        source = recording(1)
        grown = fed(ActivationHistogram, source)
        assert grown.state()["counts"].dtype == np.int64
        monkeypatch.undo()
        plain = fed(ActivationHistogram, source)
        assert plain.state()["counts"].dtype == np.int32
        totals = totals_of(source)
        assert grown.finish(totals)["activation_histogram"] == plain.finish(totals)["activation_histogram"]

    def test_whichever_worker_grew_first(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(activation_histogram, "_INT32", 100)
        source = recording(1)
        large, small = fed(ActivationHistogram, source), fed(ActivationHistogram, source, [[0]])
        assert small.state()["counts"].dtype == np.int32
        small.merge(large)
        assert small.state()["counts"].dtype == np.int64
        loaded = ActivationHistogram(shape_of(source))
        loaded.load(small.state())
        assert loaded.state()["counts"].dtype == np.int64

    def test_the_table_covers_the_octaves_in_use(self):
        counts = fed(ActivationHistogram, of_values([1.0, 1.5, 3.9])).state()["counts"]
        assert counts.shape == (1, 16)
        counts = fed(ActivationHistogram, of_values([1.0, 0.01])).state()["counts"]
        assert counts.shape == (1, 64)

    def test_every_event_is_in_one_bin(self):
        source = recording(4)
        found = fed(ActivationHistogram, source).finish(totals_of(source))["activation_histogram"].to_pylist()
        for feature, bins in enumerate(found):
            assert sum(entry["count"] for entry in bins) == (source.firing[..., feature] > 0).sum()
            edges = [(entry["lower"], entry["upper"]) for entry in bins]
            assert edges == sorted(edges)
            assert all(entry["count"] > 0 for entry in bins)

    @pytest.mark.parametrize("percent", [50, 99])
    def test_a_quantile_is_off_by_one_bin_at_most(self, percent: int):
        values = np.random.default_rng(1).lognormal(size=1001).astype(np.float32)
        found = fed(ActivationHistogram, of_values(values.tolist())).finish(Totals(1, 1))
        name = "activation_median" if percent == 50 else "activation_p99"
        exact = float(np.quantile(values, percent / 100))
        assert found[name].to_pylist()[0] == pytest.approx(exact, rel=0.125)


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
            selection = fed(RandomExamples, source).selections(0, 1)[0]
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
            drawn.update(fed(RandomExamples, source).selections(0, 1)[0].position.tolist())
        spread = math.sqrt(800 / 8 * 7 / 8)
        assert all(abs(drawn[position] - 100) < 4.5 * spread for position in range(8)), drawn

    def test_two_features_draw_for_themselves(self):
        same = np.ones((60, 2, 2), np.float32)
        source = Recording(
            same, np.zeros((60, 2), int), np.ones((60, 2), bool), np.zeros((60, 2), int), Options(random=5)
        )
        selection = fed(RandomExamples, source).selections(0, 2)[0]
        first, second = selection.context_idx[:5].tolist(), selection.context_idx[5:].tolist()
        assert first != second

    def test_intervals_are_filled_from_contexts_of_their_own_where_possible(self):
        source = recording(7, n_contexts=30, options=Options(seed=1, intervals=5, per_interval=4))
        selection = fed(IntervalExamples, source).selections(1, 2)[0]
        for number in range(5):
            contexts = selection.context_idx[selection.interval == number].tolist()
            assert len(set(contexts)) == len(contexts)

    @pytest.mark.parametrize("intervals", [1, 2, 4, 5, 7, 10, 20])
    def test_intervals_are_full_where_there_is_enough(self, intervals: int):
        values = np.linspace(0.001, 3.7, 4000)
        options = Options(seed=2, intervals=intervals, per_interval=4, before=0, after=0)
        source = of_values(values.tolist())
        source.options = options
        selection = fed(IntervalExamples, source, in_order(source, 500)).selections(0, 1)[0]
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
            selection = fed(IntervalExamples, source, in_order(source, 1000)).selections(0, 1)[0]
            lowest = selection.activation[selection.interval == 0]
            places += ((lowest - 0.001) / 0.199).tolist()
        assert abs(np.mean(places) - 0.5) < 4.5 * math.sqrt(1 / 12 / len(places))


class TestPairs:
    def source(self, kinds: int, contexts: int = 200) -> Recording:
        """A feature that fires on `kinds` kinds of tokens, once in each of many contexts."""
        tokens = np.arange(contexts * 10).reshape(contexts, 10) % kinds
        return Recording(
            np.ones((contexts, 10, 1), np.float32), tokens, np.ones((contexts, 10), bool),
            np.zeros((contexts, 10), int), Options(seed=1, before=0, after=0),
        )  # fmt: skip

    def test_exact_up_to_the_bound(self):
        source = self.source(kinds=150)
        found = fed(TopTokens, source).finish(totals_of(source))
        assert found["top_tokens_share"].to_pylist() == [1.0]
        assert [entry["count"] for entry in found["top_tokens"].to_pylist()[0]] == [14] * 10

    def test_a_sample_of_contexts_past_the_bound(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(pairs, "rows_per_feature", lambda _: 50)
        source = self.source(kinds=2000)
        found = fed(TopTokens, source).finish(totals_of(source))
        share = found["top_tokens_share"].to_pylist()[0]
        assert share == 1 / 64
        level = context_levels(1, np.arange(200))
        table = PairTable(1, seed=1)
        for batch in batches_of(source, in_order(source, 50)):
            table.add(batch)
        counted = pairs_of(table.settle())
        assert counted.token_id.tolist() == sorted(source.token_ids[level >= 2].reshape(-1).tolist())
        assert (counted.count == 1).all()

    def test_rows_stay_within_the_bound(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(pairs, "rows_per_feature", lambda _: 50)
        monkeypatch.setattr(pairs, "_MIN_PENDING", 0)
        source = self.source(kinds=2000)
        table = PairTable(1, seed=1)
        for batch in batches_of(source, in_order(source, 5)):
            table.add(batch)
            assert table.settle().key.size <= 50

    def test_levels_are_geometric(self):
        level = context_levels(0, np.arange(1 << 17))
        for number in range(4):
            share = (level >= number).mean()
            assert share == pytest.approx(8.0**-number, rel=0.15)
        assert level.max() < LEVELS

    def test_the_bound_is_what_the_documentation_says(self):
        doc = {f.name: f for f in TopTokens.columns}["top_tokens_share"].metadata[b"atlas.doc"].decode()
        assert f"{TABLE_ROWS:,} rows" in doc
        assert f"{MIN_ROWS:,} each" in doc
        assert pairs.rows_per_feature(2048) == TABLE_ROWS // 2048
        assert pairs.rows_per_feature(1 << 20) == MIN_ROWS

    def test_activations_of_all_sizes_add_up(self):
        values = [1e-45, 1e-30, 1.0, 1e30, 3e38, 1.5]
        rows = fed(TopTokens, of_values(values))._table.settle()
        found = pairs_of(rows)
        assert found.count.tolist() == [6]
        wanted = math.fsum(float(np.float32(value)) for value in values)
        assert found.activation[0] == pytest.approx(wanted, rel=1e-15)

    def test_top_tokens_are_ordered_by_what_they_contribute(self):
        """Twenty weak firings on token 1, three strong ones on token 2, one accident on token 3."""
        activations = np.array([0.1] * 20 + [1.0] * 3 + [2.5], np.float32)
        tokens = np.array([1] * 20 + [2] * 3 + [3])
        source = Recording(
            activations.reshape(1, -1, 1), tokens[None], np.ones((1, 24), bool), np.zeros((1, 24), int)
        )
        found = fed(TopTokens, source).finish(totals_of(source))["top_tokens"].to_pylist()[0]
        assert [entry["token_id"] for entry in found] == [2, 3, 1]
        assert [entry["count"] for entry in found] == [3, 1, 20]

    def test_equal_sums_go_by_token_id(self):
        tokens = np.array([[9, 4, 7, 4, 9, 7]])
        source = Recording(
            np.ones((1, 6, 1), np.float32), tokens, np.ones((1, 6), bool), np.zeros((1, 6), int)
        )
        found = fed(TopTokens, source).finish(totals_of(source))["top_tokens"].to_pylist()[0]
        assert [entry["token_id"] for entry in found] == [4, 7, 9]

    def test_memory_does_not_grow_with_repetition(self):
        source = self.source(kinds=30)
        table = PairTable(1, seed=1)
        batch = batch_of(source, range(200))
        table.add(batch)
        once = table.settle().key.size
        for _ in range(5):
            table.add(batch)
        assert table.settle().key.size == once
