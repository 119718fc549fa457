"""The candidate pool: who gets in, who stays, what is kept of the surroundings."""

from __future__ import annotations

import numpy as np
import pytest

from atlas.stats import pool as pool_module
from atlas.stats.pool import CandidatePool, Candidates, concat, gather
from tests.support.oracle import Recording
from tests.support.recordings import batch_of, recording, shape_of


def by_feature(features: np.ndarray, _: np.ndarray) -> np.ndarray:
    return features.astype(np.int64)


def made(source: Recording, capacity: int = 3) -> CandidatePool:
    return CandidatePool(shape_of(source), capacity, by_feature)


def runs(batch, priority) -> tuple[np.ndarray, np.ndarray]:
    """The first event of every run, with a priority each."""
    events = batch.run_starts
    return events, np.array([priority(event) for event in events], dtype=np.uint64)


def offer(pool: CandidatePool, source: Recording, contexts: list[int], priority) -> None:
    batch = batch_of(source, contexts)
    pool.offer(batch, *runs(batch, lambda event: priority(int(batch.event_context_idx[event]))))


def contexts_of(pool: CandidatePool, feature: int) -> list[int]:
    return pool.between(feature, feature + 1).context_idx.tolist()


def test_keeps_the_best_few_of_every_feature():
    source = recording(1)
    pool = made(source)
    offer(pool, source, list(range(12)), lambda context: (context * 7) % 12)
    firing = np.argwhere(source.firing.any(axis=1))
    for feature in range(source.n_features):
        wanted = sorted((c for c, f in firing.tolist() if f == feature), key=lambda c: -((c * 7) % 12))
        assert contexts_of(pool, feature) == wanted[:3]


def test_ties_go_to_the_earlier_context():
    source = recording(1)
    pool = made(source)
    for contexts in ([9, 3], [5], [11, 0, 7]):
        offer(pool, source, contexts, lambda _: 5)
    firing = [c for c in (0, 3, 5, 7, 9, 11) if source.firing[c, :, 1].any()]
    assert contexts_of(pool, 1) == firing[:3]


def test_priorities_that_differ_only_in_their_last_bit():
    """The sort key has no room for it: ties of the key are settled by the whole priority."""
    source = recording(1)
    pool = made(source, capacity=2)
    offer(pool, source, [0, 1, 2, 3], lambda context: (1 << 63) + (context == 2))
    assert contexts_of(pool, 1)[0] == 2


def test_the_threshold_rises_with_the_last_place_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pool_module, "_MIN_PENDING", 0)
    source = recording(1, masked=0.0)
    pool = made(source, capacity=2)
    feature = np.array([1])
    offer(pool, source, [0], lambda _: 50)
    assert pool.admits(feature, np.array([0], np.uint64)).all(), "not full: everything may enter"
    offer(pool, source, [1], lambda _: 30)
    pool.settle()
    assert pool.threshold[1] == 30
    assert pool.admits(feature, np.array([30], np.uint64)).all(), (
        "an equal one may come from an earlier context"
    )
    assert not pool.admits(feature, np.array([29], np.uint64)).any()
    offer(pool, source, [2], lambda _: 40)
    pool.settle()
    assert pool.threshold[1] == 40


def test_no_capacity_keeps_nothing():
    source = recording(1)
    pool = made(source, capacity=0)
    offer(pool, source, [0, 1], lambda _: 9)
    other = made(source, capacity=0)
    pool.merge(other)
    assert len(pool.settle()) == 0


def test_pending_candidates_are_settled_before_they_pile_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pool_module, "_MIN_PENDING", 10)
    source = recording(1)
    pool = made(source)
    for context in range(12):
        offer(pool, source, [context], lambda c: c)
        assert pool._n_pending <= max(10, len(pool._kept))
    assert len(pool._kept) > 0


def test_windows_hold_the_features_own_neighbours():
    source = recording(2, density=0.6, masked=0.2)
    shape = shape_of(source)
    batch = batch_of(source, [3, 1])
    events = np.arange(batch.n_events)
    found = gather(batch, events, *np.zeros((2, events.size), np.uint64), shape)
    windows = found.windows(shape.window_before, shape.window_after)
    width = shape.context_size
    for row in range(len(found)):
        context, position = int(found.context_idx[row]), int(found.position[row])
        for column in range(windows.shape[1]):
            place = position - shape.window_before + column
            inside = 0 <= place < width
            wanted = source.firing[context, place, found.feature_idx[row]] if inside else 0
            assert windows[row, column] == wanted


def test_take_and_concat_move_the_windows_along():
    source = recording(2, density=0.6)
    shape = shape_of(source)
    batch = batch_of(source, [3, 1])
    events = np.arange(batch.n_events)
    found = gather(batch, events, events.astype(np.uint64), events.astype(np.uint64), shape)
    order = np.random.default_rng(0).permutation(len(found))[:20]
    mixed = concat([found.take(order[:7]), found.take(order[7:])])
    before, after = shape.window_before, shape.window_after
    assert (mixed.windows(before, after) == found.windows(before, after)[order]).all()
    assert mixed.priority.tolist() == order.tolist()


def test_between_is_a_range_of_features():
    source = recording(1)
    pool = made(source)
    offer(pool, source, list(range(12)), lambda context: context)
    kept: Candidates = pool.settle()
    for start, stop in ((0, 3), (2, 2), (3, 7), (0, 100)):
        part = pool.between(start, stop)
        inside = (kept.feature_idx >= start) & (kept.feature_idx < stop)
        assert part.context_idx.tolist() == kept.context_idx[inside].tolist()


def test_candidates_are_copies():
    """The pool must not keep a whole batch alive, nor notice when its arrays are used again."""
    source = recording(1)
    batch = batch_of(source, [0, 1])
    events = np.arange(batch.n_events)
    found = gather(batch, events, *np.zeros((2, events.size), np.uint64), shape_of(source))
    for name in ("activation", "near_value", "position"):
        assert not np.shares_memory(getattr(found, name), getattr(batch, "activation")), name  # noqa: B009


class TestAlike:
    """Of what is alike the best one counts, whenever it comes."""

    def pool(self, source: Recording, capacity: int = 3) -> CandidatePool:
        return CandidatePool(shape_of(source), capacity, by_feature, distinct=True)

    def offer(
        self, pool: CandidatePool, source: Recording, contexts: list[int], alike, priority=lambda c: c
    ) -> None:
        batch = batch_of(source, contexts)
        events = batch.run_starts
        numbers = batch.event_context_idx[events].tolist()
        keys, draw = (np.array([f(number) for number in numbers], np.uint64) for f in (alike, priority))
        pool.offer(batch, events, draw, keys)

    def source(self) -> Recording:
        return recording(1, density=1.0, masked=0.0)

    def test_the_best_of_each(self):
        source = self.source()
        pool = self.pool(source)
        self.offer(pool, source, list(range(12)), lambda context: context % 4)
        assert contexts_of(pool, 1) == [11, 10, 9], "the best of 3, 2, 1 modulo 4"

    @pytest.mark.parametrize("order", [range(12), range(11, -1, -1), [3, 9, 0, 6, 1, 11, 5, 7, 2, 10, 4, 8]])
    @pytest.mark.parametrize("pending", [0, 1 << 14])
    def test_in_any_order(self, order, pending: int, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(pool_module, "_MIN_PENDING", pending)
        source = self.source()
        pool = self.pool(source, capacity=2)
        for context in order:
            self.offer(
                pool, source, [context], lambda context: context // 5, lambda context: (context * 5) % 12
            )
        priorities = {context: (context * 5) % 12 for context in range(12)}
        best = [max(some, key=priorities.__getitem__) for some in (range(5), range(5, 10), range(10, 12))]
        assert contexts_of(pool, 1) == sorted(best, key=lambda context: -priorities[context])[:2]

    def test_copies_do_not_raise_the_threshold(self):
        """Twelve copies are one: there is room for two more, however weak."""
        source = self.source()
        pool = self.pool(source)
        self.offer(pool, source, list(range(11)), lambda _: 7)
        pool.settle()
        assert pool.threshold[1] == 0
        self.offer(pool, source, [11], lambda _: 8, lambda _: 0)
        assert contexts_of(pool, 1) == [10, 11]

    def test_equal_copies_go_to_the_earlier_context(self):
        source = self.source()
        pool = self.pool(source)
        for contexts in ([9, 4], [6, 2], [11]):
            self.offer(pool, source, contexts, lambda _: 7, lambda _: 5)
        assert contexts_of(pool, 1) == [2]

    def test_features_do_not_share_texts(self):
        source = self.source()
        pool = self.pool(source)
        self.offer(pool, source, [0, 1], lambda _: 7)
        assert [contexts_of(pool, feature) for feature in (1, 2)] == [[1], [1]]

    @pytest.mark.parametrize("high", [0, 1 << 63])
    def test_keys_of_any_size(self, high: int):
        """Small ones are sorted together with the slot, large ones apart."""
        source = self.source()
        pool = self.pool(source)
        self.offer(pool, source, list(range(12)), lambda context: high + context % 2)
        assert contexts_of(pool, 3) == [11, 10]
