"""The token sample: which contexts are in it, that all of them is in it, and what is read off it."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from atlas.stats.hashing import context_keys
from atlas.stats.token_sample import ContextSample, TokenSample, sample_priorities
from tests.support import oracle_sample
from tests.support.oracle import Options, Recording
from tests.support.recordings import batch_of, batches_of, in_order, recording, shape_of, shuffled


def collected(source: Recording, groups: list[list[int]] | None = None) -> ContextSample:
    found = ContextSample(shape_of(source))
    for batch in batches_of(source, groups or in_order(source, 3)):
        found.add(batch)
    return found


def sized(sample: int, seed: int = 1, **options: Any) -> Recording:
    """A recording with a token sample of that size."""
    return recording(seed, options=Options(seed=seed, sample=sample), **options)


@pytest.mark.parametrize("size", [0, 1, 16, 17, 100, 10_000])
def test_the_contexts_are_those_of_the_definition(size: int):
    source = sized(size)
    sample = collected(source).sample()
    assert sample.context_idx.tolist() == oracle_sample.sampled_contexts(source)
    assert len(sample.context_idx) == min(math.ceil(size / 16), len(source.token_ids))
    assert sample.n_tokens == len(oracle_sample.sampled_tokens(source))


@pytest.mark.parametrize("order", range(4))
def test_everything_that_fires_there_is_kept(order: int):
    source = sized(100, density=0.4)
    sample = collected(source, shuffled(source, order)).sample()
    dense = np.zeros((*sample.token_ids.shape, source.n_features), np.float32)
    dense.reshape(-1, source.n_features)[sample.row, sample.feature_idx] = sample.activation
    assert (dense == source.firing[sample.context_idx]).all()
    assert (sample.token_ids == source.token_ids[sample.context_idx]).all()
    assert (sample.counted == source.counted[sample.context_idx]).all()
    assert (np.diff(sample.places) > 0).all(), "by feature, then by token"


def test_a_context_without_a_counted_token_takes_no_room():
    source = sized(32)
    first = oracle_sample.sampled_contexts(source)
    source.counted[first[0]] = False
    source.__post_init__()
    sample = collected(source).sample()
    assert first[0] not in sample.context_idx
    assert len(sample.context_idx) == 2


def test_a_silent_context_counts():
    """The denominator is tokens, whether or not anything fires on them."""
    source = sized(10_000)
    source.activations[:5] = 0
    source.__post_init__()
    assert collected(source).sample().n_tokens == source.counted.sum()


def test_every_context_is_drawn_equally_often():
    drawn = Counter[int]()
    for seed in range(400):
        priority = sample_priorities(seed, np.arange(20))
        drawn.update(np.argsort(priority)[-5:].tolist())
    spread = math.sqrt(400 * 0.25 * 0.75)
    assert all(abs(drawn[context] - 100) < 4.5 * spread for context in range(20)), drawn


def test_the_draw_is_unrelated_to_other_draws_of_contexts():
    """Random examples and top_tokens' share draw by the same keys: the sample must not be their half."""
    contexts = np.arange(1 << 14)
    order = np.argsort(np.argsort(sample_priorities(3, contexts)))
    other = np.argsort(np.argsort(context_keys(3, contexts)))
    assert abs(np.corrcoef(order, other)[0, 1]) < 5 / math.sqrt(contexts.size)


def test_once_full_a_batch_that_changes_nothing_is_only_looked_at(monkeypatch: pytest.MonkeyPatch):
    source = sized(48)
    kept = oracle_sample.sampled_contexts(source)
    found = collected(source, [kept])
    inserted: list[int] = []
    monkeypatch.setattr(found, "_insert", lambda _, context, __: inserted.append(context))
    rest = [context for context in range(len(source.token_ids)) if context not in kept]
    found.add(batch_of(source, rest))
    assert inserted == []


def test_rows_are_as_small_as_the_sizes_allow():
    source = sized(100, n_features=300)
    state = collected(source).state()
    assert state["feature_idx"].dtype == np.uint16
    assert state["position"].dtype == np.uint8
    per_event = sum(state[name].itemsize for name in ("feature_idx", "position", "activation"))
    assert per_event == 7


def test_the_bytes_of_a_large_sae_are_within_the_budget():
    """65,536 tokens of an SAE of 24,576 features with L0 40: under 1 KB a feature."""
    events = 65_536 * 40
    width = np.dtype(np.min_scalar_type(24_575)).itemsize + np.dtype(np.min_scalar_type(127)).itemsize + 4
    tokens = 65_536 * (4 + 1)
    assert (events * width + tokens) / 24_576 < 1024


@pytest.fixture(scope="module")
def source() -> Recording:
    return sized(100, density=0.4)


@pytest.fixture(scope="module")
def sample(source: Recording) -> TokenSample:
    return collected(source).sample()


class TestReading:
    def test_firings(self, source: Recording, sample: TokenSample):
        sets = [oracle_sample.firing_set(source, feature) for feature in range(source.n_features)]
        assert sample.firings.tolist() == [len(found) for found in sets]
        assert sample.bounds.tolist() == [0, *np.cumsum(sample.firings).tolist()]

    def test_fires(self, source: Recording, sample: TokenSample):
        features, rows = (
            grid.reshape(-1) for grid in np.mgrid[0 : source.n_features, 0 : sample.token_ids.size]
        )
        wanted = source.firing[sample.context_idx].reshape(-1, source.n_features) > 0
        assert (sample.fires(features, rows) == wanted.T.reshape(-1)).all()

    def test_the_firing_matrix(self, source: Recording, sample: TokenSample):
        wanted = source.firing[sample.context_idx].reshape(-1, source.n_features) > 0
        assert (sample.firing_matrix().toarray() == wanted.T).all()

    def test_occurrences_are_the_counted_tokens_in_the_order_of_the_draw(
        self, source: Recording, sample: TokenSample
    ):
        token, row = sample.occurrences
        assert sorted(row.tolist()) == np.flatnonzero(sample.counted).tolist()
        assert (sample.token_ids.reshape(-1)[row] == token).all()
        assert (np.diff(token) >= 0).all()
        context = row // sample.context_size
        pairs = list(zip(token.tolist(), context.tolist(), strict=True))
        changes = sum(one != other for one, other in pairwise(pairs))
        assert changes + 1 == len(set(pairs)), "the places of a context stand together"

    def test_nothing_sampled(self):
        sample = collected(sized(0)).sample()
        assert sample.n_tokens == 0
        assert sample.firings.tolist() == [0] * 7
        assert sample.fires(np.array([1]), np.array([0])).tolist() == [False]
        assert sample.firing_matrix().shape == (7, 0)
        assert [part.size for part in sample.occurrences] == [0, 0]
