"""Examples of made-up features: where they fire in the made-up corpus, and the windows around."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from atlas.schema import EFFECT_LIST, EFFECTS, EXAMPLES
from atlas.stats.hashing import mix
from atlas.stats.lists import struct_lists
from bench.synthetic_world import BOS, Scale, World

if TYPE_CHECKING:
    from numpy.typing import NDArray

BEFORE, AFTER = 26, 14
TOP, INTERVALS, PER_INTERVAL, RANDOM, SILENT = 20, 5, 4, 8, 4
"""Examples per group, as `atlas build` keeps them when nothing else is asked."""
OWN = 4
"""Tokens a feature may fire on, at most."""
FLOOR, SHAPE = 0.12, 2.5
"""Activation as a share of the feature's scale is FLOOR + (1 - FLOOR) u^SHAPE, u uniform."""

GROUPS = ("top", "interval", "random", "same_token", "near_miss")
_CANDIDATES = 192
"""Contexts a feature's examples are chosen from, at most."""
_SPREAD = 11
"""Contexts of the whole corpus for each that examples are cut from: context_idx grows by so much."""
_PRIMES = np.array([7919, 10007, 15013, 20011, 30011, 40009, 50021, 60013], np.int64)
_TURNS = np.array([[0] * 8, [0, 0, 1, 0, 1, 0, 0, 1], [0, 0, 1, 0, 2, 0, 1, 0], [0, 0, 1, 0, 2, 0, 1, 3]])
"""[own tokens - 1, turn] which own token a candidate is on."""


@dataclass(frozen=True)
class Profiles:
    """What each feature responds to. All arrays [n_features] or [n_features, OWN]."""

    own: NDArray[np.int32]
    """Tokens it fires on, most important first."""
    n_own: NDArray[np.int64]
    """How many of them."""
    scale: NDArray[np.float64]
    """Largest activation it could have."""
    firing_tokens: NDArray[np.int64]
    """0 for a dead feature."""
    firing_contexts: NDArray[np.int64]


@dataclass(frozen=True)
class Events:
    """Where the features of a block fire, strongest first. All arrays [features, candidates]."""

    start: int
    """First feature of the block."""
    place: NDArray[np.int64]
    """Place in the corpus, one per context."""
    value: NDArray[np.float32]
    """Activation there; -1 where there is no further one."""


def _uniform(
    scale: Scale, feature: NDArray[np.int64], place: NDArray[np.int64], salt: int
) -> NDArray[np.float64]:
    """A number in [0, 1) that is always the same for a feature and a place."""
    keys = (feature.astype(np.uint64) << np.uint64(34)) ^ place.astype(np.uint64)
    keys ^= np.uint64((scale.seed * 31 + salt) << 56 & 0xFFFFFFFFFFFFFFFF)
    return (mix(keys) >> np.uint64(11)) * 2.0**-53


def _strength(scale: Scale, feature: NDArray[np.int64], place: NDArray[np.int64]) -> NDArray[np.float64]:
    """How strongly a feature fires at a place, as a share of the largest it could be there."""
    return FLOOR + (1 - FLOOR) * _uniform(scale, feature, place, 1) ** SHAPE


def events(scale: Scale, world: World, profiles: Profiles, start: int, stop: int) -> Events:
    """The candidates for examples of the features start <= feature_idx < stop."""
    feature = np.arange(start, stop)[:, None]
    turn = np.arange(_CANDIDATES)[None, :]
    token = profiles.own[feature, _TURNS[profiles.n_own[feature] - 1, turn % 8]]
    first, count = world.starts[token], world.n_places[token]
    begin = (_uniform(scale, feature, np.zeros_like(feature), 2) * count).astype(np.int64)
    place = world.places[first + (begin + turn * _PRIMES[feature % _PRIMES.size]) % count]
    value = (profiles.scale[feature] * _strength(scale, feature, place)).astype(np.float32)
    context = place // world.context_size
    by_context = np.argsort(context, axis=1, kind="stable")
    ordered = np.take_along_axis(context, by_context, 1)
    again = np.zeros_like(value, np.bool_)
    np.put_along_axis(again, by_context[:, 1:], ordered[:, 1:] == ordered[:, :-1], 1)
    value[again | (turn >= profiles.firing_contexts[feature])] = -1
    order = np.argsort(-value, axis=1, kind="stable")
    return Events(start, np.take_along_axis(place, order, 1), np.take_along_axis(value, order, 1))


@dataclass(frozen=True)
class _Chosen:
    """Examples of one block. All arrays [n]."""

    feature: NDArray[np.int64]
    group: NDArray[np.int64]
    interval: NDArray[np.int64]
    rank: NDArray[np.int64]
    place: NDArray[np.int64]
    value: NDArray[np.float32]


def _choose(scale: Scale, world: World, profiles: Profiles, found: Events) -> _Chosen:
    """The examples of every group, in the order of the table."""
    size, width = found.value.shape
    rows, columns = np.arange(size)[:, None], np.arange(width)[None, :]
    feature = rows + found.start
    alive = found.value > 0
    parts = [
        (0, np.full_like(found.place, -1), np.broadcast_to(columns, alive.shape), alive & (columns < TOP))
    ]
    lot = _uniform(scale, np.broadcast_to(feature, alive.shape), found.place, 3)
    interval = np.clip(np.ceil(found.value / found.value[:, :1] * INTERVALS) - 1, 0, INTERVALS - 1).astype(
        np.int64
    )
    interval[~alive] = INTERVALS
    order = np.lexsort((lot, interval), axis=1)
    number = np.take_along_axis(interval, order, 1)
    fresh = np.concatenate([np.ones((size, 1), np.bool_), number[:, 1:] != number[:, :-1]], 1)
    rank = columns - np.maximum.accumulate(np.where(fresh, columns, 0), axis=1)
    parts.append((1, interval, _unsorted(rank, order), _unsorted(rank, order) < PER_INTERVAL))
    drawn = np.argsort(np.where(alive, 1 - lot, 2.0), axis=1, kind="stable")
    place_of = _unsorted(np.broadcast_to(columns, alive.shape), drawn)
    parts.append((2, np.full_like(found.place, -1), place_of, place_of < RANDOM))
    chosen = []
    for group, intervals, ranks, wanted in parts:
        at = np.nonzero(wanted & alive)
        chosen.append((feature[at[0], 0], group, intervals[at], ranks[at], found.place[at], found.value[at]))
    chosen += _silent(scale, world, profiles, found)
    columns_ = [
        np.concatenate([np.broadcast_to(part[at], part[0].shape) for part in chosen]) for at in range(6)
    ]
    order = np.lexsort((columns_[3], columns_[2], columns_[1], columns_[0]))
    return _Chosen(*(column[order] for column in columns_))


def _unsorted(values: NDArray[Any], order: NDArray[np.int64]) -> NDArray[Any]:
    """`values`, which are in `order`, where they came from."""
    back = np.empty_like(values)
    np.put_along_axis(back, order, values, 1)
    return back


def _silent(scale: Scale, world: World, profiles: Profiles, found: Events) -> list[tuple[Any, ...]]:
    """Examples in which the feature is silent: on its first token, and anywhere."""
    alive = np.flatnonzero(found.value[:, 0] > 0) + found.start
    feature, rank = np.repeat(alive, SILENT), np.tile(np.arange(SILENT), alive.size)
    none, silent = np.full(feature.size, -1), np.zeros(feature.size, np.float32)
    token = profiles.own[feature, 0]
    # The turns after those of the candidates: other contexts, if the token is in so many.
    turn = _CANDIDATES + rank
    begin = (_uniform(scale, feature, np.zeros_like(feature), 2) * world.n_places[token]).astype(np.int64)
    at = (begin + turn * _PRIMES[feature % _PRIMES.size]) % world.n_places[token]
    same = world.places[world.starts[token] + at]
    anywhere = (_uniform(scale, feature, rank, 4) * (world.tokens.size - 1)).astype(np.int64)
    # Never on BOS, which is masked; two do not stand side by side.
    anywhere += world.tokens[anywhere] == BOS
    return [(feature, 3, none, rank, same, silent), (feature, 4, none, rank, anywhere, silent)]


@dataclass(frozen=True)
class _Windows:
    """The windows of examples, one after another."""

    lower: NDArray[np.int64]
    """[n] where each begins in the corpus."""
    lengths: NDArray[np.int64]
    owner: NDArray[np.int64]
    """[tokens of all windows] the example."""
    place: NDArray[np.int64]
    """[tokens of all windows] in the corpus."""


def _windows(world: World, place: NDArray[np.int64]) -> _Windows:
    """The windows around each place, within its document and context."""
    document, begin = world.document[place], place - place % world.context_size
    lower = np.maximum(np.maximum(place - BEFORE, begin), world.bounds[document])
    upper = np.minimum(np.minimum(place + AFTER + 1, begin + world.context_size), world.bounds[document + 1])
    lengths = upper - lower
    owner = np.repeat(np.arange(place.size), lengths)
    inside = np.arange(owner.size) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return _Windows(lower, lengths, owner, lower[owner] + inside)


def _lists(values: NDArray[Any], lengths: NDArray[np.int64], kind: pa.DataType) -> pa.Array:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values, kind.value_type))


def examples_table(scale: Scale, world: World, profiles: Profiles, start: int, stop: int) -> pa.Table:
    """The table `examples` of the features start <= feature_idx < stop."""
    found = events(scale, world, profiles, start, stop)
    chosen = _choose(scale, world, profiles, found)
    windows = _windows(world, chosen.place)
    feature, tokens = chosen.feature[windows.owner], world.tokens[windows.place]
    hot = (tokens[:, None] == profiles.own[feature]) & (np.arange(OWN) < profiles.n_own[feature][:, None])
    at = np.flatnonzero(hot.any(1) & (chosen.value > 0)[windows.owner])
    own = chosen.value[windows.owner[at]]
    other = own * _strength(scale, feature[at], windows.place[at]).astype(np.float32)
    strengths = np.zeros(tokens.size, np.float32)
    strengths[at] = np.where(windows.place[at] == chosen.place[windows.owner[at]], own, other)
    bounds = np.maximum(found.value[chosen.feature - start, 0], 0) / INTERVALS
    inner = chosen.group == GROUPS.index("interval")
    copies = np.where(_uniform(scale, chosen.feature, chosen.place, 5) < 0.04, 2, 1)  # noqa: PLR2004
    return pa.table(
        {
            "feature_idx": pa.array(chosen.feature, pa.int32()),
            "group": pa.DictionaryArray.from_arrays(pa.array(chosen.group, pa.int8()), list(GROUPS)).cast(
                pa.string()
            ),
            "interval": pa.array(chosen.interval, pa.int8()),
            "interval_lower": pa.array(np.where(inner, chosen.interval * bounds, 0), pa.float32()),
            "interval_upper": pa.array(np.where(inner, (chosen.interval + 1) * bounds, 0), pa.float32()),
            "rank": pa.array(chosen.rank, pa.int16()),
            "activation": pa.array(chosen.value, pa.float32()),
            "context_idx": pa.array(chosen.place // world.context_size * _SPREAD, pa.int64()),
            "position": pa.array(chosen.place % world.context_size, pa.int32()),
            "document_idx": pa.array(world.document[chosen.place], pa.int32()),
            "copies": pa.array(copies, pa.int32()),
            "peak": pa.array(chosen.place - windows.lower, pa.int16()),
            "token_ids": _lists(tokens, windows.lengths, pa.list_(pa.int32())),
            "activations": _lists(strengths, windows.lengths, pa.list_(pa.float32())),
        },
        schema=EXAMPLES,
    )


def effects_table(scale: Scale, world: World, profiles: Profiles, start: int, stop: int) -> pa.Table:
    """The table `effects` of the strongest example of the features start <= feature_idx < stop."""
    found = events(scale, world, profiles, start, stop)
    alive = np.flatnonzero(found.value[:, 0] > 0)
    windows = _windows(world, found.place[alive, 0])
    rng = scale.rng(7, start)
    effects = rng.standard_t(3, windows.place.size).astype(np.float32) * np.float32(0.04)
    unpredicted = windows.place % world.context_size == 0
    tokens = rng.choice(world.share.size, (2, alive.size * 10), p=world.share)
    measured = np.sort(rng.gamma(4.0, 0.4, (2, alive.size, 10)).astype(np.float32), axis=2)[:, :, ::-1]
    direct = measured * rng.normal(0.5, 0.25, measured.shape).astype(np.float32)
    ten = np.full(alive.size, 10)
    lists = [
        struct_lists(
            EFFECT_LIST, ten, tokens[at], sign * measured[at].reshape(-1), sign * direct[at].reshape(-1)
        )
        for at, sign in ((0, 1), (1, -1))
    ]
    offsets = np.concatenate([[0], np.cumsum(windows.lengths)]).astype(np.int32)
    values = pa.array(effects, pa.float32(), mask=unpredicted)
    return pa.table(
        {
            "feature_idx": pa.array(alive + start, pa.int32()),
            "rank": pa.array(np.zeros(alive.size), pa.int16()),
            "effects": pa.ListArray.from_arrays(pa.array(offsets), values),
            "raised": lists[0],
            "lowered": lists[1],
        },
        schema=EFFECTS,
    )


def contexts_table(world: World) -> pa.Table:
    """Every context that examples are cut from, whole."""
    from atlas.schema import CONTEXTS

    count = world.tokens.size // world.context_size
    lengths = np.full(count, world.context_size)
    numbers = pa.array(np.arange(count) * _SPREAD, pa.int64())
    return pa.table([numbers, _lists(world.tokens, lengths, pa.list_(pa.int32()))], schema=CONTEXTS)
