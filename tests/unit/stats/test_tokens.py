"""What the tables of tokens promise beyond the laws and the oracle: bounds, samples, exact merging."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from atlas.stats import pairs
from atlas.stats.base import PassShape
from atlas.stats.pairs import LEVELS, MIN_ROWS, TABLE_ROWS, PairTable, Rows, context_levels, pairs_of
from atlas.stats.token_lists import neighbours
from atlas.stats.tokens_after import TokensAfter
from atlas.stats.tokens_before import TokensBefore
from atlas.stats.top_tokens import TopTokens
from tests.support import oracle_tokens, recordings
from tests.support.oracle import Options, Recording
from tests.support.recordings import batch_of, batches_of, in_order, recording, shuffled, totals_of

STATISTICS = {"top_tokens": TopTokens, "tokens_before": TokensBefore, "tokens_after": TokensAfter}


def shape_of(source: Recording) -> PassShape:
    """The shape of `source`, with a larger vocabulary than recordings have."""
    return replace(recordings.shape_of(source), vocabulary_size=1 << 14)


def fed(kind, source: Recording, groups=None):
    statistic = kind(shape_of(source))
    for batch in batches_of(source, groups or in_order(source, 4)):
        statistic.update(batch)
    return statistic


def table_of(source: Recording, groups=None) -> PairTable:
    table = PairTable(shape_of(source), 4)
    for batch in batches_of(source, groups or in_order(source, 50)):
        table.add(batch, batch.token_ids)
    return table


def of_tokens(tokens: list[list[int]], activation: float | np.ndarray = 1.0) -> Recording:
    """One feature that fires on every token."""
    token_ids = np.array(tokens)
    strength = np.broadcast_to(np.float32(activation), token_ids.shape)[..., None].copy()
    return Recording(
        strength, token_ids, np.ones(token_ids.shape, bool), np.zeros(token_ids.shape, int), Options(seed=1)
    )


def of_kinds(kinds: int, contexts: int = 200) -> Recording:
    """A feature that fires on `kinds` kinds of tokens, once in each of many contexts."""
    return of_tokens((np.arange(contexts * 10).reshape(contexts, 10) % kinds).tolist())


def own(source: Recording, context: int, position: int) -> int:
    """The token a firing is on."""
    return int(source.token_ids[context, position])


def before(source: Recording, context: int, position: int) -> int | None:
    """The token before it, if there is one that counts."""
    return oracle_tokens.neighbour(source, context, position, position - 1)


def after(source: Recording, context: int, position: int) -> int | None:
    """The token after it, if there is one that counts."""
    return oracle_tokens.neighbour(source, context, position, position + 1)


TOKEN_OF = {"top_tokens": own, "tokens_before": before, "tokens_after": after}


def needed_rows(
    source: Recording, feature: int, level: np.ndarray, at_least: int, token_of: Callable = own
) -> set[tuple]:
    """The rows (token, level, window of 8 octaves) of the contexts of some level on."""
    rows = set()
    for context, position, value in source.events(feature):
        exponent = max(math.frexp(value)[1] - 1 + 127, 1)
        token = token_of(source, context, position)
        if level[context] >= at_least and token is not None:
            rows.add((token, int(level[context]), exponent // 8))
    return rows


def levels_of(source: Recording, room: int, token_of: Callable = own) -> list[int]:
    """[n_features] the level of each feature in a table of `room` rows: tries every cap."""
    level = context_levels(source.options.seed, np.arange(len(source.token_ids)))
    need = [
        [len(needed_rows(source, feature, level, start, token_of)) for start in range(LEVELS)]
        for feature in range(source.n_features)
    ]
    cap = max(cap for cap in range(1, room + 1) if cap == 1 or sum(min(n[0], cap) for n in need) <= room)
    return [next((at for at in range(LEVELS) if n[at] <= cap), LEVELS - 1) for n in need]


def bounded(source: Recording, room: int) -> tuple[list[int], list[dict[int, tuple[int, float]]]]:
    """([n_features] level, [n_features] token → (count, sum)) of a table of `room` rows."""
    level = context_levels(source.options.seed, np.arange(len(source.token_ids)))
    levels = levels_of(source, room)
    found = []
    for feature in range(source.n_features):
        sums: dict[int, list[float]] = defaultdict(list)
        for context, position, value in source.events(feature):
            if level[context] >= levels[feature]:
                sums[int(source.token_ids[context, position])].append(value)
        found.append({token: (len(values), math.fsum(values)) for token, values in sums.items()})
    return levels, found


def part_of(source: Recording, contexts: np.ndarray) -> Recording:
    """Some contexts of a recording as one of their own."""
    arrays = (source.activations, source.token_ids, source.counted, source.document_idx)
    return Recording(*(array[contexts] for array in arrays), source.options)


def approximate(value: Any) -> Any:
    """`value` with its floats to the precision of float32."""
    if isinstance(value, float):
        return pytest.approx(value, rel=1e-6, abs=1e-12)
    if isinstance(value, dict):
        return {key: approximate(part) for key, part in value.items()}
    return [approximate(part) for part in value] if isinstance(value, list) else value


class TestBound:
    @given(
        seed=st.integers(0, 10**6),
        room=st.integers(4, 400),
        bits=st.sampled_from([1, 2, 3]),
        scale=st.sampled_from([1.0, 1e-42, 1e20]),
    )
    def test_cap_levels_and_counts_are_those_of_the_whole_corpus(
        self, seed: int, room: int, bits: int, scale: float
    ):
        """However the corpus is split and merged: the definition, tried out cap by cap."""
        source = recording(seed, n_contexts=20, context_size=8, density=0.4, scale=scale)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pairs, "LEVEL_BITS", bits)
            patch.setattr(pairs, "_MIN_PENDING", seed % 3 * 20)
            patch.setattr(pairs, "table_rows", lambda *_: room)
            levels, wanted = bounded(source, room)
            alone = table_of(source, shuffled(source, seed))
            merged = PairTable(shape_of(source), 4)
            for group in shuffled(source, seed + 1):
                merged.merge(table_of(source, [group[::2], group[1::2]]))
            for table in (alone, merged):
                found = pairs_of(table.rows())
                assert table.level.tolist() == levels
                rows = zip(found.feature_idx, found.token_id, found.count, found.activation, strict=True)
                assert {(f, t): (n, pytest.approx(a, rel=1e-12)) for f, t, n, a in rows} == {
                    (f, t): entry for f, tokens in enumerate(wanted) for t, entry in tokens.items()
                }
            assert [a.tobytes() for a in alone.state().values()] == [
                a.tobytes() for a in merged.state().values()
            ]

    def test_room_that_one_feature_does_not_need_goes_to_others(self, monkeypatch: pytest.MonkeyPatch):
        source = recording(3, n_contexts=100, n_features=5)
        source.activations[:, :, 2:] = 0
        source.__post_init__()
        need = len(needed_rows(source, 1, context_levels(3, np.arange(100)), 0))
        monkeypatch.setattr(pairs, "table_rows", lambda *_: need)
        table = table_of(source)
        table.settle()
        assert not table.level.any()
        assert pairs_of(table.rows()).count.sum() == (source.firing > 0).sum()

    @pytest.mark.parametrize("name", STATISTICS)
    def test_exact_up_to_the_bound(self, name: str):
        source = of_kinds(150)
        found = fed(STATISTICS[name], source).finish(totals_of(source))
        assert found[f"{name}_share"].to_pylist() == [1.0]
        assert len(found[name].to_pylist()[0]) == 10

    def test_a_sample_of_contexts_past_the_bound(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(pairs, "table_rows", lambda *_: 50)
        source = of_kinds(2000)
        found = fed(TopTokens, source).finish(totals_of(source))
        assert found["top_tokens_share"].to_pylist() == [1 / 64]
        level = context_levels(1, np.arange(200))
        counted = pairs_of(table_of(source).rows())
        assert counted.token_id.tolist() == sorted(source.token_ids[level >= 3].reshape(-1).tolist())
        assert (counted.count == 1).all()

    def test_rows_stay_within_the_bound(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(pairs, "table_rows", lambda *_: 50)
        monkeypatch.setattr(pairs, "_MIN_PENDING", 0)
        source = of_kinds(2000)
        table = PairTable(shape_of(source), 4)
        for batch in batches_of(source, in_order(source, 5)):
            table.add(batch, batch.token_ids)
            assert table.rows().key.size <= 50

    def test_the_bound_is_what_the_documentation_says(self):
        for name, kind in STATISTICS.items():
            doc = {f.name: f for f in kind.columns}[f"{name}_share"].metadata[b"atlas.doc"].decode()
            for n_features in (10, 24_576, 1 << 20):
                rows, least = TABLE_ROWS * kind.quarters // 4, MIN_ROWS * kind.quarters // 4
                assert f"{rows:,} rows" in doc
                assert f"or {least} per feature" in doc
                assert pairs.table_rows(n_features, kind.quarters) == max(rows, least * n_features)
        assert sum(kind.quarters for kind in STATISTICS.values()) == pairs.SHARES

    def test_levels_are_geometric(self):
        level = context_levels(0, np.arange(1 << 17))
        for number in range(4):
            share = (level >= number).mean()
            assert share == pytest.approx(4.0**-number, rel=0.1)
        assert level.max() < LEVELS

    def test_memory_does_not_grow_with_repetition(self):
        source = of_kinds(30)
        batch = batch_of(source, range(200))
        table = PairTable(shape_of(source), 4)
        table.add(batch, batch.token_ids)
        once = table.rows().key.size
        for _ in range(5):
            table.add(batch, batch.token_ids)
        assert table.rows().key.size == once

    @given(seed=st.integers(0, 10**6), room=st.integers(8, 300), levels=st.sampled_from([None, 3]))
    def test_columns_past_the_bound_are_those_of_the_contexts_drawn(
        self, seed: int, room: int, levels: int | None
    ):
        """Every column of each feature: the oracle's over the contexts that its level leaves."""
        source = recording(seed, n_contexts=16, context_size=6, density=0.4, n_features=5, levels=levels)
        level = context_levels(source.options.seed, np.arange(16))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pairs, "_MIN_PENDING", seed % 2 * 30)
            patch.setattr(pairs, "table_rows", lambda *_: room)
            for name, kind in STATISTICS.items():
                found = fed(kind, source, shuffled(source, seed)).finish(totals_of(source))
                for feature, least in enumerate(levels_of(source, room, TOKEN_OF[name])):
                    part = part_of(source, np.flatnonzero(level >= least))
                    wanted = oracle_tokens.columns(part, part.events(feature))
                    wanted[f"{name}_share"] = 4.0**-least
                    for column, values in found.items():
                        about = approximate(wanted[column])
                        assert values[feature].as_py() == about, (column, feature, least)

    def test_a_level_that_was_given_up_is_never_asked_for_again(self, monkeypatch: pytest.MonkeyPatch):
        """A feature that fell silent keeps its sample: what was not counted cannot come back."""
        monkeypatch.setattr(pairs, "table_rows", lambda *_: 50)
        source = of_kinds(2000)
        table = table_of(source)
        table.settle()
        level, cap = table.level.copy(), table._cap
        source.activations[:] = 0
        source.__post_init__()
        for batch in batches_of(source, in_order(source, 50)):
            table.add(batch, batch.token_ids)
        table.merge(PairTable(shape_of(source), 4))
        assert table.level.tolist() == level.tolist()
        assert table._cap == cap

    def test_a_resumed_table_goes_on_under_its_cap(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(pairs, "table_rows", lambda *_: 120)
        source = recording(9, n_contexts=60, density=0.5)
        groups = in_order(source, 10)
        whole = table_of(source, groups)
        for cut in range(1, len(groups)):
            saved = {name: array.copy() for name, array in table_of(source, groups[:cut]).state().items()}
            resumed = PairTable(shape_of(source), 4)
            resumed.load(saved)
            for batch in batches_of(source, groups[cut:]):
                resumed.add(batch, batch.token_ids)
            one, other = whole.state(), resumed.state()
            assert {name: array.tobytes() for name, array in one.items()} == {
                name: array.tobytes() for name, array in other.items()
            }

    @example(needed=[3, 2], spare=3)
    @given(needed=st.lists(st.integers(0, 60), min_size=1, max_size=12), spare=st.integers(0, 200))
    def test_the_largest_cap(self, needed: list[int], spare: int):
        """It fits, and one more would not; what fits altogether needs none."""
        room = len(needed) + spare
        cap = pairs._largest_cap(np.array(needed), room)
        assert sum(min(need, cap) for need in needed) <= room
        if sum(needed) <= room:
            assert cap == room
        else:
            assert sum(min(need, cap + 1) for need in needed) > room


class TestExactness:
    def test_activations_of_all_sizes_add_up(self):
        values = np.array([[1e-45], [1e-30], [1.0], [1e30], [3e38], [1.5]], np.float32)
        found = pairs_of(table_of(of_tokens([[0]] * 6, values)).rows())
        assert found.count.tolist() == [6]
        assert found.activation[0] == pytest.approx(math.fsum(values[:, 0].tolist()), rel=1e-15)

    def test_counts_and_sums_past_their_bytes(self):
        """A row of 100,000 events: neither its count nor its sum fits into what most rows need."""
        rng = np.random.default_rng(0)
        values = rng.uniform(1, 255, (1000, 100)).astype(np.float32)
        table = table_of(of_tokens([[7] * 100] * 1000, values), in_order(of_tokens([[7]] * 1000), 300))
        state = table.state()
        assert state["count"].dtype == np.uint8
        assert state["total"].dtype == np.uint32
        loaded = PairTable(shape_of(of_tokens([[7] * 100])), 4)
        loaded.load(state)
        for each in (table, loaded):
            found = pairs_of(each.rows())
            assert found.count.tolist() == [100_000]
            assert found.activation[0] == math.fsum(values.reshape(-1).tolist())

    @pytest.mark.parametrize(("vocabulary", "dtype"), [(1 << 16, np.uint16), ((1 << 16) + 1, np.uint32)])
    def test_tokens_take_what_the_vocabulary_needs(self, vocabulary: int, dtype: type):
        source = of_tokens([[0, vocabulary - 1, 5]])
        shape = replace(shape_of(source), vocabulary_size=vocabulary)
        table = PairTable(shape, 4)
        batch = batch_of(source, [0])
        table.add(batch, batch.token_ids)
        assert table.state()["token_id"].dtype == dtype
        assert table.rows().token_id.tolist() == [0, 5, vocabulary - 1]

    def test_the_highest_keys(self):
        """The last feature and the last token, of as many as int32 can number."""
        bits, tokens = 24, 1 << 24
        rows = Rows(np.array([((2**31 - 1) << bits | (tokens - 1)) << 8 | 255]), *np.ones((2, 1), int), bits)
        assert rows.feature_idx.tolist() == [2**31 - 1]
        assert rows.token_id.tolist() == [tokens - 1]
        assert rows.level.tolist() == [7]


class TestLists:
    def test_ordered_by_what_they_contribute(self):
        """Twenty weak firings on token 1, three strong ones on token 2, one accident on token 3."""
        activations = np.array([[0.1] * 20 + [1.0] * 3 + [2.5]], np.float32)
        source = of_tokens([[1] * 20 + [2] * 3 + [3]], activations)
        found = fed(TopTokens, source).finish(totals_of(source))["top_tokens"].to_pylist()[0]
        assert [entry["token_id"] for entry in found] == [2, 3, 1]
        assert [entry["count"] for entry in found] == [3, 1, 20]

    def test_equal_sums_go_by_token_id(self):
        source = of_tokens([[9, 4, 7, 4, 9, 7]])
        found = fed(TopTokens, source).finish(totals_of(source))["top_tokens"].to_pylist()[0]
        assert [entry["token_id"] for entry in found] == [4, 7, 9]

    def test_before_and_after(self):
        source = of_tokens([[1, 2, 3, 2, 3, 4]])
        source.activations[:] = 0
        source.activations[0, [2, 4], 0] = [1, 3]
        source.__post_init__()
        before = fed(TokensBefore, source).finish(totals_of(source))["tokens_before"].to_pylist()[0]
        after = fed(TokensAfter, source).finish(totals_of(source))["tokens_after"].to_pylist()[0]
        assert before == [{"token_id": 2, "count": 2, "value": 2.0}]
        assert after == [
            {"token_id": 4, "count": 1, "value": 3.0},
            {"token_id": 2, "count": 1, "value": 1.0},
        ]

    def test_neighbours_stay_within_context_document_and_mask(self):
        source = of_tokens([[1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, -1]])
        source.document_idx[0, 3:] = 1
        source.document_idx[1] = [1, 1, 1, 1, 1, -1]
        source.counted[0, 1] = source.counted[1, 5] = False
        source.__post_init__()
        batch = batch_of(source, [0, 1])
        assert neighbours(batch, -1).tolist() == [[-1, 1, -1, -1, 4, 5], [-1, 7, 8, 9, 10, -1]]
        assert neighbours(batch, 1).tolist() == [[-1, 3, -1, 5, 6, -1], [8, 9, 10, 11, -1, -1]]

    def test_one_position_has_no_neighbour(self):
        source = of_tokens([[1], [2]])
        for name in ("tokens_before", "tokens_after"):
            found = fed(STATISTICS[name], source).finish(totals_of(source))
            assert found[name].to_pylist() == [[]]
            assert found[f"{name}_share"].to_pylist() == [1.0]


class TestSingleToken:
    def finish(self, source: Recording) -> dict:
        found = fed(TopTokens, source).finish(totals_of(source))
        return {name: array.to_pylist()[0] for name, array in found.items()}

    def test_nine_of_ten_are_a_token_feature(self):
        found = self.finish(of_tokens([[5] * 9 + [6]]))
        assert found["single_token"] == 1
        assert found["top_token_share"] == np.float32(0.9)
        assert found["token_entropy"] == pytest.approx(-0.9 * math.log(0.9) - 0.1 * math.log(0.1))

    def test_less_is_a_context_feature(self):
        assert self.finish(of_tokens([[5] * 8 + [6] * 2]))["single_token"] == 0

    def test_too_few_firings_say_nothing(self):
        found = self.finish(of_tokens([[5] * 9]))
        assert found["single_token"] is None
        assert found["top_token_share"] == 1.0
        assert found["token_entropy"] == 0.0

    def test_recall_counts_the_tokens_on_which_it_is_silent_but_not_masked_ones(self):
        source = of_tokens([[5, 5, 5, 5, 6, 7]])
        source.activations[0, [1, 4, 5]] = 0
        source.counted[0, 3] = False
        source.__post_init__()
        found = self.finish(source)
        assert found["top_token_share"] == 1.0
        assert found["top_token_recall"] == np.float32(2 / 3)

    def test_of_equally_frequent_tokens_the_lowest(self):
        source = of_tokens([[8, 3, 8, 3, 3]])
        source.activations[0, 4] = 0
        source.__post_init__()
        assert self.finish(source)["top_token_recall"] == np.float32(2 / 3)

    def test_nothing_is_said_of_a_feature_that_never_fired(self):
        found = fed(TopTokens, recording(1)).finish(totals_of(recording(1)))
        for name in ("token_entropy", "top_token_share", "top_token_recall", "single_token"):
            assert found[name].to_pylist()[0] is None

    def test_past_the_bound_both_counts_are_of_the_same_contexts(self, monkeypatch: pytest.MonkeyPatch):
        """Silent on every other token 7: half of them wherever they are counted."""
        monkeypatch.setattr(pairs, "table_rows", lambda *_: 60)
        tokens = np.full((400, 10), 7)
        tokens[:, 4:] = np.arange(400 * 6).reshape(400, 6) + 100
        source = of_tokens(tokens.tolist())
        source.activations[:, [0, 2]] = 0
        source.__post_init__()
        found = self.finish(source)
        assert found["top_tokens_share"] < 1
        assert found["top_token_recall"] == 0.5
