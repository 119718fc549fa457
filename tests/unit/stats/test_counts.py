"""Compact integers, tables of counts, the profiles made of them, and how many bytes the statistics keep."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas import plugins
from atlas.batch import ActivationBatch
from atlas.stats import counts, pairs
from atlas.stats.base import PassShape, Totals
from atlas.stats.counts import CountTable
from atlas.stats.histograms import histogram_column
from atlas.stats.position_profile import PositionProfile
from atlas.stats.source_profile import SourceProfile
from atlas.stats.split import Split
from tests.support.oracle import Options, Recording
from tests.support.oracle_tokens import SOURCES
from tests.support.recordings import batch_of, batches_of, in_order, recording, shape_of, totals_of

CELLS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4)), max_size=40)


class TestSplit:
    @given(
        values=st.lists(st.one_of(st.integers(0, 300), st.integers(0, (1 << 40) - 1)), max_size=50),
        low=st.sampled_from([np.uint8, np.uint16, np.uint32]),
    )
    def test_nothing_is_lost(self, values: list[int], low: type):
        split = Split.of(np.array(values, np.int64), low)
        assert split.whole().tolist() == values
        assert split.low.dtype == low
        loaded = Split.load(split.state("x"), "x", low)
        assert loaded.whole().tolist() == values

    def test_the_largest(self):
        for low, bits in ((np.uint8, 8), (np.uint16, 16)):
            value = (1 << (32 + bits)) - 1
            assert Split.of(np.array([value, 0, value]), low).whole().tolist() == [value, 0, value]
        assert Split.of(np.array([2**63 - 1]), np.uint32).whole().tolist() == [2**63 - 1]

    def test_only_large_numbers_cost_more(self):
        values = np.arange(1000)
        values[7] = 1 << 20
        split = Split.of(values, np.uint16)
        assert split.at.tolist() == [7]
        assert sum(array.nbytes for array in split.state("x").values()) == 1000 * 2 + 8


class TestCountTable:
    @given(one=CELLS, other=CELLS, before=st.integers(0, 3), largest=st.sampled_from([10, 2**32 - 1]))
    def test_against_plain_addition(self, one: list, other: list, before: int, largest: int):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(counts, "_LARGEST", largest)
            tables = []
            for cells in (one, other):
                table = CountTable(3, 5)
                rows, columns = np.array(cells, np.int32).reshape(-1, 2).T
                table.add(rows, columns)
                tables.append(table)
            wanted = np.zeros((3, 5 + before), int)
            for row, column in one + other:
                wanted[row, column + before] += 1
            table, second = tables
            table.widen(before, 0)
            table.merge(second, before)
            assert table.counts.tolist() == wanted.tolist()
            assert (table.counts.dtype == np.uint64) == (len(one) + len(other) > largest)
            loaded = CountTable(3, 0)
            loaded.load(table.state("n"), "n")
            assert loaded.counts.tolist() == wanted.tolist()
            assert loaded.counts.dtype == table.counts.dtype

    def test_widening_by_nothing_keeps_the_table(self):
        table = CountTable(2, 3)
        before = table.counts
        table.widen(-2, 0)
        assert table.counts is before
        table.widen(1, 2)
        assert table.counts.shape == (2, 6)

    def test_counts_past_16_and_32_bits_survive_the_state(self):
        table = CountTable(1, 3)
        table.counts = np.array([[1 << 33, (1 << 16) - 1, 1 << 16]], np.uint64)
        loaded = CountTable(1, 0)
        loaded.load(table.state("n"), "n")
        assert loaded.counts.tolist() == table.counts.tolist()
        assert loaded.counts.dtype == np.uint64

    def test_a_histogram_leaves_out_what_is_empty(self):
        found = histogram_column(
            np.array([[0, 2, 0], [0, 0, 0], [1, 0, 3]]), np.arange(3.0), np.arange(1, 4.0)
        )
        assert found.to_pylist() == [
            [{"lower": 1.0, "upper": 2.0, "count": 2}],
            [],
            [{"lower": 0.0, "upper": 1.0, "count": 1}, {"lower": 2.0, "upper": 3.0, "count": 3}],
        ]


def firing_everywhere(size: int, contexts: int = 3) -> Recording:
    tokens = np.zeros((contexts, size), int)
    return Recording(np.ones((contexts, size, 1), np.float32), tokens, tokens == 0, tokens.copy(), Options())


class TestPositionProfile:
    def finish(self, source: Recording) -> list[dict]:
        statistic = PositionProfile(shape_of(source))
        for batch in batches_of(source, in_order(source, 2)):
            statistic.update(batch)
        return statistic.finish(totals_of(source))["position_profile"].to_pylist()[0]

    @pytest.mark.parametrize(
        ("size", "bins", "width"), [(1, 1, 1), (5, 5, 1), (16, 16, 1), (17, 9, 2), (100, 15, 7), (128, 16, 8)]
    )
    def test_at_most_sixteen_equal_bins(self, size: int, bins: int, width: int):
        found = self.finish(firing_everywhere(size))
        assert [entry["lower"] for entry in found] == [width * number for number in range(bins)]
        assert all(entry["upper"] - entry["lower"] == width for entry in found)
        assert sum(entry["count"] for entry in found) == 3 * size
        assert {entry["count"] for entry in found[:-1]} <= {3 * width}

    def test_a_bin_ends_before_its_upper_bound(self):
        source = firing_everywhere(32, contexts=1)
        source.activations[:] = 0
        source.activations[0, [1, 2], 0] = 1
        source.__post_init__()
        assert self.finish(source) == [
            {"lower": 0.0, "upper": 2.0, "count": 1},
            {"lower": 2.0, "upper": 4.0, "count": 1},
        ]


class TestSourceProfile:
    def finish(self, source: Recording, names: tuple[str, ...] = SOURCES) -> list:
        statistic = SourceProfile(shape_of(source))
        for batch in batches_of(source, in_order(source, 2)):
            statistic.update(batch)
        return statistic.finish(Totals(1, 1, names))["sources"].to_pylist()

    def of_documents(self, documents: list[int]) -> Recording:
        source = firing_everywhere(4, contexts=len(documents))
        source.document_idx[:] = np.array(documents)[:, None]
        return source

    def test_by_density_within_the_source(self):
        source = self.of_documents([0, 1, 1, 2])
        source.activations[0, 1:] = 0
        source.activations[1, :2] = 0
        source.counted[3, 0] = False
        source.__post_init__()
        assert self.finish(source) == [
            [
                {"name": SOURCES[2], "count": 3, "value": 1.0},
                {"name": SOURCES[1], "count": 6, "value": 0.75},
                {"name": SOURCES[0], "count": 1, "value": 0.25},
            ]
        ]

    def test_ties_in_the_order_of_the_corpus(self):
        assert [entry["name"] for entry in self.finish(self.of_documents([2, 1, 0]))[0]] == list(SOURCES)

    def test_one_source_is_no_profile(self):
        assert self.finish(self.of_documents([0, 0]), ("all",)) == [[]]

    def test_sources_in_which_it_is_silent_are_left_out(self):
        source = self.of_documents([0, 1])
        source.activations[1] = 0
        source.__post_init__()
        assert [entry["name"] for entry in self.finish(source)[0]] == [SOURCES[0]]

    def test_at_most_eight(self):
        batch = batch_of(firing_everywhere(1, contexts=32), range(32))
        numbered = ActivationBatch(**{**vars(batch), "source_idx": np.arange(32, dtype=np.int16)[:, None]})
        statistic = SourceProfile(shape_of(firing_everywhere(1)))
        statistic.update(numbered)
        found = statistic.finish(Totals(32, 32, tuple(f"source {n}" for n in range(32))))
        assert [entry["name"] for entry in found["sources"].to_pylist()[0]] == [
            f"source {n}" for n in range(8)
        ]


class TestMemory:
    """Bytes kept beyond examples, on a corpus that fills the tables: Zipf's law, dense features."""

    FEATURES, VOCABULARY, ROWS = 512, 5000, 512 * 128
    """Rows per feature as an SAE of 24,576 features has them."""

    def batch(self, number: int) -> ActivationBatch:
        rng = np.random.default_rng(number)
        tokens = np.minimum(rng.zipf(1.3, (16, 128)), self.VOCABULARY) - 1
        density = np.minimum(np.exp(rng.normal(-3.5, 1.5, self.FEATURES)), 0.9)
        feature, row = np.nonzero(rng.random((self.FEATURES, tokens.size)) < density[:, None])
        return ActivationBatch(
            n_features=self.FEATURES,
            feature_idx=feature.astype(np.int32),
            row=row.astype(np.int32),
            activation=np.exp(rng.normal(0, 0.7, row.size)).astype(np.float32),
            token_ids=tokens.astype(np.int32),
            counted=np.ones(tokens.shape, bool),
            document_idx=np.zeros(tokens.shape, np.int32),
            source_idx=np.repeat(np.arange(16, dtype=np.int16)[:, None], 128, axis=1),
            context_idx=np.arange(16) + 16 * number,
        )

    def test_two_kilobytes_a_feature_whatever_the_corpus(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(pairs, "TABLE_ROWS", self.ROWS)
        monkeypatch.setattr(pairs, "MIN_ROWS", 0)
        shape = PassShape(
            **{
                **vars(shape_of(recording(1))),
                "n_features": self.FEATURES,
                "vocabulary_size": self.VOCABULARY,
                "context_size": 128,
            }
        )
        names = [
            "activation_density", "activation_moments", "activation_histogram", "top_tokens", "tokens_before",
            "tokens_after", "position_profile", "source_profile",
        ]  # fmt: skip
        statistics = [plugins.load("atlas.statistics", name)(shape) for name in names]
        found = []
        for number in range(20):
            batch = self.batch(number)
            for statistic in statistics:
                statistic.update(batch)
            kept = {
                f"{name}.{key}": array.nbytes
                for name, statistic in zip(names, statistics, strict=True)
                for key, array in statistic.state().items()
                if not key.startswith("occurrences")  # by token, not by feature
            }
            found.append(sum(kept.values()) / self.FEATURES)
        assert max(found) <= 2048
        assert found[-1] <= 1.05 * found[1], found
