"""The shared pieces of the statistics: bits, hashes, ragged rows, batches."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from atlas.batch import ActivationBatch
from atlas.stats.bits import BIN_MANTISSA, STRATUM_MANTISSA, bin_edges, bins_of, bits_of
from atlas.stats.hashing import context_keys, mix, priorities
from atlas.stats.ragged import best_of_runs, chunks, offsets, radix_order, ranges, ranks
from tests.support import oracle
from tests.support.recordings import batch_of, recording

POSITIVE = st.floats(min_value=2.0**-149, max_value=float(np.finfo(np.float32).max), width=32)


class TestBits:
    @given(hnp.arrays(np.float32, st.integers(2, 20), elements=POSITIVE))
    def test_bits_order_as_the_floats_do(self, values: np.ndarray):
        assert (np.argsort(bits_of(values), kind="stable") == np.argsort(values, kind="stable")).all()

    @given(POSITIVE, st.sampled_from([BIN_MANTISSA, STRATUM_MANTISSA]))
    def test_a_value_lies_in_its_bin(self, value: float, mantissa: int):
        number = bins_of(np.array([value], np.float32), mantissa)
        lower, upper = bin_edges(number, mantissa)
        assert lower[0] <= np.float32(value) < upper[0] or upper[0] == np.finfo(np.float32).max

    @given(POSITIVE, st.sampled_from([BIN_MANTISSA, STRATUM_MANTISSA]))
    def test_bins_are_the_octaves_equal_parts(self, value: float, mantissa: int):
        lower, upper = bin_edges(bins_of(np.array([value], np.float32), mantissa), mantissa)
        wanted = oracle.octave_bins(float(np.float32(value)), 1 << mantissa)
        assert float(lower[0]) == float(wanted[0])
        assert float(upper[0]) == min(float(wanted[1]), float(np.finfo(np.float32).max))

    def test_eight_bins_an_octave(self):
        values = np.linspace(1, 2, 1000, endpoint=False, dtype=np.float32)
        lower, upper = bin_edges(np.unique(bins_of(values, BIN_MANTISSA)), BIN_MANTISSA)
        assert lower.tolist() == [1 + step / 8 for step in range(8)]
        assert upper.tolist() == [1 + step / 8 for step in range(1, 9)]

    def test_the_last_bin_ends_at_the_largest_float(self):
        largest = np.array([np.finfo(np.float32).max])
        _, upper = bin_edges(bins_of(largest.astype(np.float32), BIN_MANTISSA), BIN_MANTISSA)
        assert np.isfinite(upper).all()


class TestHashing:
    def test_the_published_sequence(self):
        """First outputs of SplitMix64 seeded with 0, as in the reference implementation's users."""
        golden = 0x9E3779B97F4A7C15
        states = np.array([0, golden, (2 * golden) % 2**64], dtype=np.uint64)
        assert [hex(value) for value in mix(states).tolist()] == [
            "0xe220a8397b1dcdaf", "0x6e789e6aa1b965f4", "0x6c45d188009454f",
        ]  # fmt: skip

    def test_mix_leaves_its_argument_alone(self):
        values = np.arange(4, dtype=np.uint64)
        mix(values)
        assert values.tolist() == [0, 1, 2, 3]

    @given(
        st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**40), st.integers(0, 2**24), st.integers(0, 2**20)
    )
    def test_equals_plain_integers(self, seed: int, context: int, feature: int, position: int):
        keys = context_keys(seed, np.array([context], dtype=np.int64))
        features, positions = np.array([feature], np.int32), np.array([position], np.int32)
        assert int(priorities(keys, features, positions)[0]) == oracle.draw(seed, context, feature, position)
        assert int(priorities(keys, features)[0]) == oracle.draw(seed, context, feature, None)

    def test_no_two_places_share_a_priority(self):
        contexts, features, positions = (grid.reshape(-1) for grid in np.mgrid[0:40, 0:40, 0:40])
        found = priorities(context_keys(0, contexts), features, positions)
        assert len(np.unique(found)) == len(found)

    def test_every_bit_is_a_coin(self):
        """Neighbouring places: each of the 64 bits is set in about half, independent of its neighbour's."""
        n = 1 << 14
        found = priorities(context_keys(3, np.zeros(n, np.int64)), np.zeros(n, np.int32), np.arange(n))
        bits = (found[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
        spread = 5 / (2 * math.sqrt(n))
        assert (abs(bits.mean(axis=0) - 0.5) < spread).all()
        assert (abs((bits[1:] == bits[:-1]).mean(axis=0) - 0.5) < spread).all()


class TestRagged:
    @given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 5)), max_size=8))
    def test_ranges(self, rows: list[tuple[int, int]]):
        starts, counts = (np.array([row[part] for row in rows], dtype=np.int64) for part in (0, 1))
        wanted = [place for start, count in rows for place in range(start, start + count)]
        assert ranges(starts, counts).tolist() == wanted
        assert offsets(counts).tolist() == [sum(counts[:row]) for row in range(len(rows))]

    @given(st.lists(st.integers(0, 3), max_size=12))
    def test_ranks(self, slots: list[int]):
        wanted, previous = [], None
        for slot in slots:
            wanted.append(wanted[-1] + 1 if slot == previous else 0)
            previous = slot
        assert ranks(np.array(slots, dtype=np.int64)).tolist() == wanted

    @given(st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=5), max_size=8))
    def test_best_of_runs(self, runs: list[list[int]]):
        lengths = np.array([len(run) for run in runs], dtype=np.int64)
        values = np.array([value for run in runs for value in run], dtype=np.int64)
        starts = [sum(map(len, runs[:number])) for number in range(len(runs))]
        wanted = [start + run.index(max(run)) for start, run in zip(starts, runs, strict=True)]
        assert best_of_runs(values, lengths).tolist() == wanted

    @given(st.lists(st.integers(0, 9), max_size=12), st.integers(1, 20))
    def test_chunks(self, sizes: list[int], limit: int):
        found = chunks(np.array(sizes, dtype=np.int64), limit)
        assert [start for start, _ in found] == [0, *(stop for _, stop in found)][: len(found)]
        assert (found[-1][1] if found else 0) == len(sizes)
        for start, stop in found:
            assert stop > start
            assert sum(sizes[start:stop]) <= limit or stop == start + 1
            if stop < len(sizes):
                assert sum(sizes[start : stop + 1]) > limit, "no chunk is smaller than it need be"

    @pytest.mark.parametrize(
        ("largest", "dtype"),
        [
            (5, np.int32),
            (1 << 16, np.int32),
            ((1 << 31) - 1, np.int32),
            (1 << 47, np.int64),
            (2**63 - 1, np.int64),
        ],
    )
    def test_radix_order_is_a_stable_sort(self, largest: int, dtype: type):
        keys = np.random.default_rng(0).integers(0, largest, 500, endpoint=True).astype(dtype)
        keys[::3] = keys[0]
        assert radix_order(keys).tolist() == np.argsort(keys, kind="stable").tolist()
        assert radix_order(keys[:0]).tolist() == []


class TestBatch:
    def test_views_of_the_events(self):
        source = recording(3)
        batch = batch_of(source, [4, 2, 7])
        seen = Counter[tuple[int, int]]()
        for event in range(batch.n_events):
            context, position = int(batch.context[event]), int(batch.position[event])
            feature = int(batch.feature_idx[event])
            number = int(batch.event_context_idx[event])
            assert number == [4, 2, 7][context]
            assert batch.activation[event] == source.firing[number, position, feature]
            assert batch.event_token_id[event] == source.token_ids[number, position]
            seen[feature, number] += 1
        assert batch.n_events == (source.firing[[4, 2, 7]] > 0).sum() == seen.total()
        assert batch.n_tokens == source.counted[[4, 2, 7]].sum()
        assert batch.context_size == source.token_ids.shape[1]
        fired = sorted({feature for feature, _ in seen})
        assert batch.fired.tolist() == fired
        firings = [sum(count for (f, _), count in seen.items() if f == feature) for feature in fired]
        assert batch.firings.tolist() == firings
        assert batch.feature_starts.tolist() == [sum(firings[:number]) for number in range(len(fired))]
        assert batch.run_starts.size == len(seen)
        assert sorted(batch.run_lengths.tolist()) == sorted(seen.values())
        assert batch.run_starts[0] == 0

    def test_an_empty_batch(self):
        batch: ActivationBatch = batch_of(recording(3), [])
        for array in (batch.fired, batch.firings, batch.feature_starts, batch.run_starts, batch.run_lengths):
            assert array.size == 0
        assert batch.n_tokens == batch.n_events == 0
