"""The candidate pool behind every kind of example: the best few events of each slot.

A slot is a feature, or a feature at one strength. Events of a slot that are alike (of one context, or
of one text) count once, as the best of them; a pool keeps the `capacity` best of those. Better is:
of higher priority, then of lower (context_idx, position).

So pools merge exactly: the pool of a union is found in the pools of its parts. An event is left out of
a pool because a better one is alike, or because `capacity` better ones are not alike. What comes later
can only put still better ones in their place, so the event stays out, whatever the order; for the same
reason the priority of the last place only rises, and what is below it need not be looked at.

The feature's other activations around an event are copied when it is admitted, so the corpus is
read once. They are stored sparsely: most windows hold one to three of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from atlas.stats.base import PassShape, Selection, State
from atlas.stats.hashing import mix
from atlas.stats.ragged import Indices, offsets, ranges, ranks

if TYPE_CHECKING:
    from atlas.batch import ActivationBatch
    from atlas.stats.hashing import Hashes

SlotOf = Callable[[NDArray[np.int32], NDArray[np.float32]], NDArray[np.int64]]
"""(feature_idx, activation) of events → their slots; may change as long as slots only ever join."""

_MIN_PENDING = 1 << 14
_KEY_BITS = 64
_NEAR = ("near_position", "near_value")


@dataclass(frozen=True)
class Candidates:
    """Events that may become examples. All arrays [n] but the last two, which are [sum(near_count)]."""

    feature_idx: NDArray[np.int32]
    """The feature that fires."""
    priority: Hashes
    """The higher the better."""
    context_idx: NDArray[np.int64]
    """Number of the context in corpus order."""
    position: NDArray[np.int32]
    """Position in that context, from 0."""
    activation: NDArray[np.float32]
    """The activation there."""
    alike: Hashes
    """Equal for events of which one is enough: the number of their context, or the key of their text."""
    near_count: NDArray[np.int32]
    """How many entries of the last two arrays are this event's: its window, itself included."""
    near_position: NDArray[np.int32]
    """Positions in the context where the feature fires within the window, ascending."""
    near_value: NDArray[np.float32]
    """The activations there."""

    def __len__(self) -> int:
        return int(self.feature_idx.size)

    def take(self, chosen: NDArray[np.integer]) -> Candidates:
        """The candidates at the indices `chosen`, in that order."""
        counts = self.near_count[chosen]
        near = ranges(offsets(self.near_count)[chosen], counts)
        return Candidates(
            self.feature_idx[chosen],
            self.priority[chosen],
            self.context_idx[chosen],
            self.position[chosen],
            self.activation[chosen],
            self.alike[chosen],
            counts,
            self.near_position[near],
            self.near_value[near],
        )

    def part(self, items: slice, near: slice) -> Candidates:
        """The candidates `items`, whose entries of the last two arrays are `near`; a view."""
        return Candidates(
            *(
                getattr(self, field.name)[near if field.name in _NEAR else items]
                for field in fields(Candidates)
            )
        )

    def windows(self, before: int, after: int) -> NDArray[np.float32]:
        """[n, before + 1 + after] the feature's activations around each event, 0 where it is silent."""
        window = np.zeros((len(self), before + 1 + after), dtype=np.float32)
        rows = np.repeat(np.arange(len(self)), self.near_count)
        window[rows, self.near_position - self.position[rows] + before] = self.near_value
        return window


def concat(parts: list[Candidates]) -> Candidates:
    """All candidates of `parts`, one after another; `parts` must not be empty."""
    return Candidates(
        *(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Candidates))
    )


def gather(
    batch: ActivationBatch, events: Indices, priority: Hashes, alike: Hashes, shape: PassShape
) -> Candidates:
    """The events at the indices `events` (ascending) of `batch` with the activations around them."""
    position = batch.position[events]
    tokens = batch.token_ids.size
    flat = batch.feature_idx.astype(np.int64) * tokens + batch.row
    base = batch.feature_idx[events].astype(np.int64) * tokens + batch.row[events]
    lower, upper = around(flat, base, position, batch.context_size, shape)
    near = ranges(lower, upper - lower)
    return Candidates(
        batch.feature_idx[events],
        priority,
        batch.event_context_idx[events],
        position,
        batch.activation[events],
        alike,
        (upper - lower).astype(np.int32),
        batch.position[near],
        batch.activation[near],
    )


def around(
    firings: Indices, places: Indices, position: NDArray[np.integer], context_size: int, shape: PassShape
) -> tuple[Indices, Indices]:
    """(first, past the last) index of the `firings` within the window around each of `places`.

    Both are numbered feature * tokens + token, the tokens of a context one after another; `firings`
    are sorted; `position` is that of each place in its context, of `context_size` tokens.
    """
    first = places - np.minimum(position, shape.window_before)
    last = places + np.minimum(context_size - 1 - position, shape.window_after)
    return np.searchsorted(firings, first, side="left"), np.searchsorted(firings, last, side="right")


def selection(group: str, kept: Candidates, rank: Indices, shape: PassShape) -> Selection:
    """`kept` as examples of `group`, each at its `rank`; the interval's fields are left open."""
    nothing = np.zeros(len(kept), dtype=np.float32)
    return Selection(
        group=group,
        feature_idx=kept.feature_idx,
        interval=np.full(len(kept), -1, dtype=np.int8),
        interval_lower=nothing,
        interval_upper=nothing,
        rank=rank.astype(np.int16),
        activation=kept.activation,
        context_idx=kept.context_idx,
        position=kept.position,
        window=kept.windows(shape.window_before, shape.window_after),
    )


class CandidatePool:
    """The `capacity` best events of each slot.

    Slots are numbered feature by feature. With `distinct`, of the offered events of a slot that are
    alike the best one counts; without, the caller offers none that are alike.
    """

    def __init__(
        self,
        shape: PassShape,
        capacity: int,
        slot_of: SlotOf,
        *,
        slots_per_feature: int = 1,
        distinct: bool = False,
    ) -> None:
        self.shape = shape
        self.capacity = capacity
        self._distinct = distinct
        self.threshold: Hashes = np.zeros(shape.n_features * slots_per_feature, dtype=np.uint64)
        """[n_slots] an event of lower priority cannot be kept; as of the last `settle`."""
        self._slot_of = slot_of
        self._kept = _none()
        self._pending: list[Candidates] = []
        self._n_pending = 0

    def admits(self, slots: NDArray[np.integer], priority: Hashes) -> NDArray[np.bool_]:
        """Whether events could still enter their slots."""
        return priority >= self.threshold[slots]

    def offer(
        self, batch: ActivationBatch, events: Indices, priority: Hashes, alike: Hashes | None = None
    ) -> None:
        """Take in the events at the indices `events` (ascending) of `batch`, `priority` one each.

        `alike` is as in `Candidates`, and the number of the context if left out.
        """
        if not self.capacity or not events.size:
            return
        if alike is None:
            alike = batch.event_context_idx[events].astype(np.uint64)
        self._queue(gather(batch, events, priority, alike, self.shape))
        if self._n_pending > max(_MIN_PENDING, len(self._kept)):
            self.settle()

    def merge(self, other: Self) -> None:
        """Take in the candidates of a pool of the same shape that saw other contexts."""
        self._queue(other.settle())
        self.settle()

    def settle(self) -> Candidates:
        """Choose among all candidates so far; returns the kept ones by slot, best first."""
        if self._pending:
            everything = concat([self._kept, *self._pending])
            self._pending, self._n_pending = [], 0
            self._choose(everything)
        return self._kept

    def state(self) -> State:
        """The kept candidates as arrays."""
        kept = self.settle()
        return {field.name: getattr(kept, field.name) for field in fields(Candidates)}

    def load(self, state: State) -> None:
        """Replace everything by the candidates of `state`."""
        self._pending, self._n_pending = [], 0
        self._choose(_from_state(state))

    def between(self, start: int, stop: int) -> Candidates:
        """The kept candidates of the features start <= feature_idx < stop."""
        kept = self.settle()
        first, last = np.searchsorted(kept.feature_idx, [start, stop])
        before, own = (int(part.sum()) for part in (kept.near_count[:first], kept.near_count[first:last]))
        return kept.part(slice(first, last), slice(before, before + own))

    def _queue(self, candidates: Candidates) -> None:
        self._pending.append(candidates)
        self._n_pending += len(candidates)

    def _choose(self, candidates: Candidates) -> None:
        slots = self._slot_of(candidates.feature_idx, candidates.activation)
        order = best_first(slots, candidates.priority, candidates.context_idx, candidates.position)
        if self._distinct:
            order = order[first_of_alike(slots[order], candidates.alike[order])]
        slots = slots[order]
        place = ranks(slots)
        kept = np.flatnonzero(place < self.capacity)
        last = kept[place[kept] == self.capacity - 1]
        self._kept = candidates.take(order[kept])
        self.threshold[:] = 0
        self.threshold[slots[last]] = candidates.priority[order[last]]


def best_first(
    slots: NDArray[np.integer],
    priority: Hashes,
    context_idx: NDArray[np.integer],
    position: NDArray[np.integer],
) -> Indices:
    """Indices that sort items, all arrays [n], by (slot, -priority, context_idx, position)."""
    if not slots.size:
        return np.zeros(0, dtype=np.int64)
    # One sort of one key: the slot, then as much of the priority as fits. Ties are settled after.
    width = np.uint64(max(int(slots.max()).bit_length(), 1))
    key = (slots.astype(np.uint64) << (np.uint64(64) - width)) | (~priority >> width)
    order = np.argsort(key)
    key = key[order]
    tied = np.zeros(key.size, dtype=np.bool_)
    tied[1:] = key[1:] == key[:-1]
    tied[:-1] |= tied[1:]
    places = np.flatnonzero(tied)
    if places.size:
        items = order[places]
        ties = (position, context_idx, ~priority, slots)
        order[places] = items[np.lexsort(tuple(column[items] for column in ties))]
    return order


def first_of_alike(slots: NDArray[np.int64], alike: Hashes) -> NDArray[np.bool_]:
    """Whether each item is the first one of its (slot, alike)."""
    first = np.zeros(slots.size, dtype=np.bool_)
    if not slots.size:
        return first
    # Sorting one key without keeping the order of equal ones is several times faster than sorting two.
    width = int(alike.max()).bit_length()
    if int(slots.max()).bit_length() + width <= _KEY_BITS:
        key = (slots.astype(np.uint64) << np.uint64(width)) | alike
    else:
        # `alike` is a hash then: two pairs share a key as rarely as two texts do.
        key = mix(slots.astype(np.uint64)) ^ alike
    order = np.argsort(key)
    key = key[order]
    starts = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    first[np.minimum.reduceat(order, starts)] = True
    return first


def _from_state(state: State) -> Candidates:
    return Candidates(
        state["feature_idx"].astype(np.int32),
        state["priority"].astype(np.uint64),
        state["context_idx"].astype(np.int64),
        state["position"].astype(np.int32),
        state["activation"].astype(np.float32),
        state["alike"].astype(np.uint64),
        state["near_count"].astype(np.int32),
        state["near_position"].astype(np.int32),
        state["near_value"].astype(np.float32),
    )


def _none() -> Candidates:
    return _from_state({field.name: np.zeros(0) for field in fields(Candidates)})
