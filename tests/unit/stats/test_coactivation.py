"""Co-activation and counter-examples: by hand, by numpy's own correlation, and at the limits."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.schema import TOKEN_LIST
from atlas.stats import cooccurrence, counter_examples
from atlas.stats.coactivation import SHOWN, Coactivation
from atlas.stats.cooccurrence import MIN_COUNT, strongest_partners
from atlas.stats.token_sample import ContextSample, TokenSample
from tests.support.oracle import Options, Recording
from tests.support.oracle_sample import PARTNERS, TOGETHER, correlation, top_tokens
from tests.support.recordings import batches_of, in_order, recording, shape_of, totals_of

ALL = Options(seed=1, before=2, after=2, counter=3)


def made(fires: Any, tokens: Any = None, options: Options = ALL) -> Recording:
    """A recording in which features fire where `fires` [contexts, positions, features] is not 0."""
    activations = np.array(fires, np.float32)
    token_ids = np.zeros(activations.shape[:2], int) if tokens is None else np.array(tokens)
    counted = np.ones(token_ids.shape, bool)
    return Recording(activations, token_ids, counted, np.zeros(token_ids.shape, int), options)


def fed(source: Recording) -> Coactivation:
    statistic = Coactivation(shape_of(source))
    for batch in batches_of(source, in_order(source, 4)):
        statistic.update(batch)
    return statistic


def partners_of(source: Recording) -> list[list[dict[str, Any]]]:
    return fed(source).finish(totals_of(source))["coactivation"].to_pylist()


def counter_of(source: Recording, feature: int) -> dict[str, list[tuple[int, int]]]:
    """Group → (context, position) of the counter-examples of a feature."""
    statistic = fed(source)
    tokens = [top_tokens(source, number) for number in range(source.n_features)]
    features = pa.table({"top_tokens": pa.array(tokens, TOKEN_LIST)}).slice(feature, 1)
    found = statistic.selections(feature, feature + 1, features)
    return {
        part.group: list(zip(part.context_idx.tolist(), part.position.tolist(), strict=True))
        for part in found
    }


def sample_of(source: Recording) -> TokenSample:
    collected = ContextSample(shape_of(source))
    for batch in batches_of(source, in_order(source, 5)):
        collected.add(batch)
    return collected.sample()


class TestPartners:
    def test_by_hand(self):
        """100 tokens; a on 10, b on 8, both on 6: phi = (100·6 - 80) / sqrt(10·90·8·92)."""
        fires = np.zeros((10, 10, 3))
        flat = fires.reshape(100, 3)
        flat[:10, 0], flat[4:12, 1], flat[50:, 2] = 2.0, 0.5, 1.0
        lists = partners_of(made(fires))
        assert [[entry["feature_idx"] for entry in entries] for entries in lists] == [[1], [0], []]
        (entry,) = lists[0]
        assert entry["count"] == 6
        assert entry["value"] == np.float32(520 / math.sqrt(10 * 90 * 8 * 92))
        assert entry["pmi"] == np.float32(math.log(0.06 / (0.1 * 0.08)))
        assert lists[1][0] == {**entry, "feature_idx": 0}, "both ways alike"

    @given(seed=st.integers(0, 2**32), density=st.floats(0.05, 0.95), n_features=st.integers(2, 14))
    def test_equals_numpys_correlation(self, seed: int, density: float, n_features: int):
        source = recording(
            seed, density=density, n_features=n_features, masked=0.0, n_contexts=8, options=ALL
        )
        firing = source.firing[source.counted] > 0
        with np.errstate(all="ignore"):
            wanted = np.corrcoef(firing.T.astype(float))
        for feature, entries in enumerate(partners_of(source)):
            both = (firing[:, [feature]] & firing).sum(axis=0)
            for entry in entries:
                other = entry["feature_idx"]
                assert entry["value"] == pytest.approx(wanted[feature, other], rel=1e-6, abs=1e-9)
                assert entry["count"] == both[other]
            least = entries[-1]["value"] if len(entries) == SHOWN else 0.0
            for other in set(range(n_features)) - {entry["feature_idx"] for entry in entries} - {feature}:
                missed = wanted[feature, other] > least + 1e-6 and both[other] >= MIN_COUNT
                assert not missed, f"{feature} lacks {other}"

    def test_as_documented(self):
        doc = Coactivation.columns[0].metadata[b"atlas.doc"].decode()
        assert f"at least {MIN_COUNT};" in doc
        assert (SHOWN, MIN_COUNT) == (PARTNERS, TOGETHER) == (10, 2)

    def test_one_token_together_is_a_coincidence(self):
        fires = np.zeros((4, 10, 2))
        fires[0, 0] = 1.0
        assert partners_of(made(fires)) == [[], []]
        fires[1, 0] = 1.0
        assert [entry["value"] for entries in partners_of(made(fires)) for entry in entries] == [1.0, 1.0]

    def test_what_avoids_each_other_is_no_partner(self):
        fires = np.zeros((4, 10, 2))
        fires[:, :5, 0], fires[:, 5:, 1] = 1.0, 1.0
        fires[:2, 5, 0] = 1.0
        assert correlation(22, 20, 2, 40) < 0
        assert partners_of(made(fires)) == [[], []]

    def test_a_feature_that_always_fires_has_no_correlation(self):
        fires = np.zeros((4, 10, 3))
        fires[..., 0], fires[:, :3, 1:] = 1.0, 1.0
        lists = partners_of(made(fires))
        assert lists[0] == []
        assert [entries[0]["feature_idx"] for entries in lists[1:]] == [2, 1]

    def test_ties_go_to_the_lower_number(self):
        fires = np.zeros((4, 10, 14))
        fires[:, :3] = 1.0
        for feature, entries in enumerate(partners_of(made(fires))):
            others = [number for number in range(14) if number != feature]
            assert [entry["feature_idx"] for entry in entries] == others[:SHOWN]

    @pytest.mark.parametrize("pairs", [1, 50, 1000])
    def test_the_size_of_the_chunks_does_not_show(self, pairs: int, monkeypatch: pytest.MonkeyPatch):
        source = recording(5, n_features=60, density=0.3, options=ALL)
        whole = strongest_partners(sample_of(source), SHOWN)
        monkeypatch.setattr(cooccurrence, "_PAIRS_AT_ONCE", pairs)
        parts = strongest_partners(sample_of(source), SHOWN)
        for name, array in vars(whole).items():
            assert array.tobytes() == getattr(parts, name).tobytes(), name

    @pytest.mark.parametrize(("pairs", "pending"), [(1, 0), (50, 0), (50, 300)])
    @pytest.mark.parametrize("bits", [0, 64])
    def test_how_often_the_best_are_chosen_does_not_show(
        self, pairs: int, pending: int, bits: int, monkeypatch: pytest.MonkeyPatch
    ):
        """Many partners tie; some features have fewer than are shown."""
        source = recording(8, n_features=60, n_contexts=6, density=0.1, options=ALL)
        whole = strongest_partners(sample_of(source), SHOWN)
        tied = (np.diff(whole.phi) == 0) & (np.diff(whole.feature_idx) == 0)
        assert tied.sum() > 100
        assert {1, SHOWN} < set(np.bincount(whole.feature_idx).tolist())
        monkeypatch.setattr(cooccurrence, "_PAIRS_AT_ONCE", pairs)
        monkeypatch.setattr(cooccurrence, "_MIN_PENDING", pending)
        monkeypatch.setattr(cooccurrence, "_KEY_BITS", bits)
        parts = strongest_partners(sample_of(source), SHOWN)
        for name, array in vars(whole).items():
            assert array.tobytes() == getattr(parts, name).tobytes(), name

    def test_a_very_wide_sae_costs_what_fires(self):
        """16 million features, four of which fire: within a second, and with the right numbers."""
        n_features = 1 << 24
        numbers = np.array([3, 9, n_features - 2, n_features - 1], np.int32)
        events = np.repeat(numbers, 3)
        sample = TokenSample(
            n_features=n_features,
            seed=0,
            context_idx=np.arange(1),
            token_ids=np.zeros((1, 16), np.int32),
            counted=np.ones((1, 16), bool),
            row=np.array([0, 1, 2, 1, 2, 3, 0, 1, 2, 2, 3, 4]),
            feature_idx=events,
            activation=np.ones(12, np.float32),
        )
        found = strongest_partners(sample, SHOWN)
        pairs = [(int(f), int(p)) for f, p in zip(found.feature_idx, found.partner, strict=True)]
        a, b, c, d = numbers.tolist()
        assert pairs == [(a, c), (a, b), (b, a), (b, c), (b, d), (c, a), (c, b), (d, b)]

    def test_what_the_sample_is(self):
        source = recording(5, options=Options(seed=1, sample=40))
        found = fed(source).finish(totals_of(source))
        sample = sample_of(source)
        assert found["sampled_tokens"].to_pylist() == [sample.n_tokens] * source.n_features
        assert found["sampled_firing_tokens"].to_pylist() == sample.firings.tolist()
        assert 30 < sample.n_tokens <= 48


class TestSameToken:
    def test_only_where_it_is_silent_on_its_token(self):
        """Token 7 everywhere in even contexts; the feature fires on all of them but one in each."""
        tokens = np.tile(np.array([[7], [8]]), (6, 10))
        fires = np.zeros((12, 10, 1))
        fires[::2, :, 0] = 1.0
        silent = {(context, context // 2 + 1) for context in range(0, 12, 2)}
        for context, position in silent:
            fires[context, position, 0] = 0.0
        found = counter_of(made(fires, tokens), 0)
        assert len(found["same_token"]) == 3
        assert set(found["same_token"]) <= silent
        assert found["near_miss"] == []

    def test_one_per_context(self):
        tokens = np.full((3, 10), 7)
        fires = np.zeros((3, 10, 1))
        fires[:, 0] = 1.0
        found = counter_of(made(fires, tokens), 0)["same_token"]
        assert sorted(context for context, _ in found) == [0, 1, 2]

    @pytest.mark.parametrize("look", [1, 2, 3, 16])
    def test_a_context_on_both_sides_of_a_look_counts_once(self, look: int, monkeypatch: pytest.MonkeyPatch):
        tokens = np.full((5, 40), 7)
        fires = np.zeros((5, 40, 2))
        fires[:, ::7, 0] = 1.0
        fires[:, 1:, 1] = 1.0
        source = made(fires, tokens, Options(seed=1, counter=4))
        wanted = [counter_of(source, feature) for feature in range(2)]
        monkeypatch.setattr(counter_examples, "_FIRST_LOOK", look)
        assert [counter_of(source, feature) for feature in range(2)] == wanted
        assert all(len({context for context, _ in found["same_token"]}) == 4 for found in wanted)

    def test_contexts_and_places_are_drawn_equally_often(self):
        tokens = np.full((10, 4), 7)
        fires = np.zeros((10, 4, 1))
        fires[:, 0] = 1.0
        contexts, positions = Counter[int](), Counter[int]()
        for seed in range(400):
            found = counter_of(made(fires, tokens, Options(seed=seed, counter=3)), 0)["same_token"]
            contexts.update(context for context, _ in found)
            positions.update(position for _, position in found)
        spread = math.sqrt(1200 * 0.1 * 0.9)
        assert all(abs(contexts[context] - 120) < 4.5 * spread for context in range(10)), contexts
        assert set(positions) == {1, 2, 3}
        assert all(abs(count - 400) < 4.5 * math.sqrt(1200 * 2 / 9) for count in positions.values())

    def test_without_top_tokens_there_are_none(self):
        source = recording(1)
        found = fed(source).selections(0, 7, pa.table({"other": np.zeros(7)}))
        assert [len(part.rank) for part in found if part.group == "same_token"] == [0]


class TestNearMiss:
    def source(self) -> Recording:
        """Feature 0 fires with 1, 2 and 3 in the first contexts; later ones have some of these without it."""
        fires = np.zeros((8, 10, 4))
        fires[:3, 2, :] = 1.0
        fires[3, 5, 1:] = 1.0
        fires[4, 6, 1:3] = 1.0
        fires[5, 7, 1:3] = 1.0
        fires[6, 8, 3] = 1.0
        return made(fires)

    def test_by_score_then_place(self):
        assert counter_of(self.source(), 0)["near_miss"] == [(3, 5), (4, 6), (5, 7)]

    def test_the_first_of_equal_tokens(self):
        source = self.source()
        source.activations[4, 3, 1:3] = 1.0
        source.__post_init__()
        assert (4, 3) in counter_of(source, 0)["near_miss"]

    def test_not_where_it_fires_anywhere_in_the_context(self):
        source = self.source()
        source.activations[3, 0, 0] = 0.1
        source.__post_init__()
        assert {context for context, _ in counter_of(source, 0)["near_miss"]} == {4, 5, 6}

    @pytest.mark.parametrize("cells", [1, 8, 30])
    def test_the_size_of_the_chunks_does_not_show(self, cells: int, monkeypatch: pytest.MonkeyPatch):
        source = recording(5, n_features=30, n_contexts=25, density=0.1, options=ALL)
        shape, sample = shape_of(source), sample_of(source)
        partners = strongest_partners(sample, SHOWN)
        whole = counter_examples.near_miss(sample, partners, shape)
        assert whole.row.size > 30
        monkeypatch.setattr(counter_examples, "_CELLS_AT_ONCE", cells)
        parts = counter_examples.near_miss(sample, partners, shape)
        assert parts.feature_idx.tolist() == whole.feature_idx.tolist()
        assert parts.row.tolist() == whole.row.tolist()


class TestExamples:
    def test_the_window_shows_what_else_the_feature_does_there(self):
        tokens = np.arange(40).reshape(4, 10)
        tokens[0, 4] = tokens[1, 4] = tokens[1, 6] = 99
        fires = np.zeros((4, 10, 1))
        fires[0, 4], fires[1, 4], fires[1, 7], fires[1, 3] = 5.0, 4.0, 3.0, 2.0
        source = made(fires, tokens)
        features = pa.table(
            {"top_tokens": pa.array([[{"token_id": 99, "count": 2, "value": 4.5}]], TOKEN_LIST)}
        )
        same, missed = fed(source).selections(0, 1, features)
        assert (same.context_idx.tolist(), same.position.tolist()) == ([1], [6])
        assert same.window.tolist() == [[4.0, 0.0, 0.0, 3.0, 0.0]]
        assert same.activation.tolist() == [0.0]
        assert len(missed.rank) == 0

    @pytest.mark.parametrize("options", [Options(counter=0), Options(sample=0)], ids=["none", "no sample"])
    def test_can_be_turned_off(self, options: Options):
        source = recording(1, options=options)
        assert fed(source).selections(0, 7, pa.table({})) == []

    @given(seed=st.integers(0, 2**32), counter=st.integers(1, 6))
    def test_what_all_of_them_promise(self, seed: int, counter: int):
        options = Options(seed=seed, before=3, after=2, counter=counter, sample=150)
        source = recording(seed, n_contexts=20, options=options)
        tokens = [top_tokens(source, feature) for feature in range(source.n_features)]
        features = pa.table({"top_tokens": pa.array(tokens, TOKEN_LIST)})
        for part in fed(source).selections(0, source.n_features, features):
            assert (part.window[:, options.before] == part.activation).all()
            places = list(zip(part.feature_idx, part.context_idx, part.position, strict=True))
            assert len({(feature, context) for feature, context, _ in places}) == len(places)
            for rank, (feature, context, position) in zip(part.rank, places, strict=True):
                assert rank < counter
                assert source.counted[context, position]
                assert source.firing[context, position, feature] == 0
                if part.group == "same_token":
                    assert source.token_ids[context, position] == tokens[feature][0]["token_id"]
                else:
                    assert not source.firing[context, :, feature].any()
