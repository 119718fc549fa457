"""Columns of made-up features: counts, distributions, token lists, weights, neighbours, map, explanations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from atlas.schema import (
    CLUSTERS,
    COACTIVATION_LIST,
    COORDS,
    EXPLANATIONS,
    FEATURE_LIST,
    HISTOGRAM,
    LOGITS,
    NEIGHBOURS,
    NEURON_LIST,
    SOURCE_LIST,
    TOKEN_LIST,
    WEIGHTS,
)
from atlas.stats.activation_density import wilson
from atlas.stats.bits import BIN_MANTISSA, bin_edges, bins_of
from atlas.stats.histograms import histogram_column
from atlas.stats.lists import struct_lists
from bench.synthetic_examples import FLOOR, OWN, SHAPE, Profiles, events
from bench.synthetic_world import BOS, SOURCES, Scale, World

if TYPE_CHECKING:
    from numpy.typing import NDArray

N_TOKENS, N_CONTEXTS = 100_000_000, 392_157
"""The corpus that the counts claim: counted tokens, contexts."""
N_CLUSTERS, UNCLUSTERED = 40, 0.25
D_MODEL = 768

_DEAD, _RARE = 0.02, 0.03
"""Share of features that never fire, and of those too rare for full lists of examples."""
_LISTED = 10
_POSITIONS, _LOGIT_BINS = 16, 50
_NEAR = 30
"""Neighbours of a feature are among so many on each side of it within its cluster."""
_SAMPLED = 65_536
_PHRASES = (
    "references to {} and {}", "the word {} before {}", "{} in descriptions of {}", "names of {} or {}",
    "{} when comparing it with {}", "phrases that introduce {} by {}", "lists of {}, mostly {}",
    "verbs about {} in texts on {}", "numbers after {} or {}", "the end of sentences about {} and {}",
)  # fmt: skip


def make_profiles(scale: Scale, world: World) -> Profiles:
    """What each feature responds to; densities are log-normal around one token in 600."""
    rng = scale.rng(1)
    count = scale.features
    density = np.minimum(np.exp(rng.normal(np.log(0.0016), 1.6, count)), 0.6)
    firing = np.maximum(np.rint(density * N_TOKENS), 1).astype(np.int64)
    lot = rng.random(count)
    firing = np.where(lot < _DEAD, 0, np.where(lot < _DEAD + _RARE, rng.integers(1, 60, count), firing))
    contexts = np.ceil(np.minimum(firing, N_CONTEXTS * -np.expm1(-firing / (1.8 * N_CONTEXTS))))
    # Enough contexts for every group of examples, where the corpus has such tokens at all.
    often = np.flatnonzero(world.n_places >= min(220, np.sort(world.n_places)[-20]))
    own = often[(often.size * rng.random((count, OWN)) ** 1.5).astype(np.int64)].astype(np.int32)
    return Profiles(
        own,
        rng.integers(1, OWN + 1, count),
        np.clip(np.exp(rng.normal(4.0, 0.6, count)), 4, 900),
        firing,
        contexts.astype(np.int64),
    )


@dataclass(frozen=True)
class Layout:
    """The map. All arrays [n_features] but `order`, which has the features cluster by cluster."""

    cluster: NDArray[np.int32]
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    order: NDArray[np.int64]
    rank: NDArray[np.int64]
    """Where each feature stands in `order`."""


def make_layout(scale: Scale) -> Layout:
    """Clusters of falling size, each of a few elongated clouds, and features between them."""
    rng = scale.rng(2)
    count = scale.features
    weights = 1 / (np.arange(N_CLUSTERS) + 3)
    drawn = rng.choice(N_CLUSTERS, count, p=weights / weights.sum())
    sizes = np.bincount(drawn, minlength=N_CLUSTERS)
    names = np.empty(N_CLUSTERS, np.int32)
    names[np.argsort(-sizes, kind="stable")] = np.arange(N_CLUSTERS)
    centres = rng.uniform(-10, 10, (N_CLUSTERS, 2))
    cloud = 4 * drawn + rng.integers(0, 4, count)
    clouds = np.repeat(centres, 4, axis=0) + rng.normal(0, 0.7, (4 * N_CLUSTERS, 2))
    axes = rng.normal(0, 0.28, (4 * N_CLUSTERS, 2, 2))
    between = rng.random(count) < UNCLUSTERED
    spots = clouds[cloud] + np.einsum("nab,nb->na", axes[cloud], rng.normal(size=(count, 2)))
    spots[between] += rng.normal(0, 2.5, (int(between.sum()), 2))
    cluster = np.where(between, -1, names[drawn]).astype(np.int32)
    order = np.lexsort((cloud, drawn))
    rank = np.empty(count, np.int64)
    rank[order] = np.arange(count)
    x, y = spots.astype(np.float32).T
    return Layout(cluster, x, y, order, rank)


def _distinct(values: NDArray[np.integer], wanted: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """(the first `wanted` distinct values >= 0 of each row, how many); rows [n, at least wanted]."""
    order = np.argsort(values, axis=1, kind="stable")
    ordered = np.take_along_axis(values, order, 1)
    again = np.zeros(values.shape, np.bool_)
    np.put_along_axis(again, order[:, 1:], ordered[:, 1:] == ordered[:, :-1], 1)
    again |= values < 0
    first = np.argsort(again, axis=1, kind="stable")[:, :wanted]
    return np.take_along_axis(values, first, 1), np.minimum((~again).sum(1), wanted)


def _ragged(kind: pa.ListType, lengths: NDArray[np.int64], *columns: NDArray[Any]) -> pa.Array:
    """A list column of the first `lengths` entries of each row of `columns`, all [n, width]."""
    inside = np.arange(columns[0].shape[1]) < lengths[:, None]
    return struct_lists(kind, lengths, *(column[inside] for column in columns))


def _tokens(
    firing: NDArray[np.int64], tokens: NDArray[np.integer], largest: NDArray[Any], rng: np.random.Generator
) -> pa.Array:
    """A list of tokens with falling counts; `tokens` [n, over 10], repeated and negative ones left out."""
    chosen, lengths = _distinct(tokens, _LISTED)
    shares = 1 / (np.arange(_LISTED) + 1.2) ** rng.uniform(0.8, 2.5, (firing.size, 1))
    counts = np.maximum(np.rint(firing[:, None] * shares / 2), 1).astype(np.int64)
    values = largest[:, None] * rng.uniform(FLOOR, 0.9, counts.shape)
    return _ragged(TOKEN_LIST, np.minimum(lengths, firing), chosen, counts, values.astype(np.float32))


def features_columns(
    scale: Scale, world: World, profiles: Profiles, layout: Layout, block: slice
) -> dict[str, pa.Array]:
    """Every column that a statistic of `atlas build` writes, for the features of `block`."""
    rng = scale.rng(3, block.start)
    firing, contexts = profiles.firing_tokens[block], profiles.firing_contexts[block]
    largest = np.maximum(events(scale, world, profiles, block.start, block.stop).value[:, 0], 0)
    drawn = rng.choice(world.share.size, (3, firing.size, 2 * _LISTED), p=world.share)
    own = np.where(np.arange(OWN) < profiles.n_own[block][:, None], profiles.own[block], -1)
    found = {
        "feature_idx": pa.array(np.arange(block.start, block.stop), pa.int32()),
        **_densities(firing, contexts),
        **_strengths(profiles, largest, block, rng),
        **_distribution(firing, rng),
        "top_tokens": _tokens(firing, np.concatenate([own, drawn[0]], 1), largest, rng),
    }
    if scale.lean:
        return found
    positions = rng.poisson(firing[:, None] / _POSITIONS, (firing.size, _POSITIONS))
    edges = np.arange(0, world.context_size + 1, world.context_size // _POSITIONS, dtype=np.float32)
    sampled = np.full(firing.size, _SAMPLED)
    one = np.where(firing > 0, 1.0, 0.0)
    return found | {
        "tokens_before": _tokens(firing, drawn[1], largest, rng),
        "tokens_after": _tokens(firing, drawn[2], largest, rng),
        **{f"{name}_share": pa.array(one) for name in ("top_tokens", "tokens_before", "tokens_after")},
        "position_profile": histogram_column(positions, edges[:-1], edges[1:]),
        "sources": _sources(firing, rng),
        "coactivation": _coactivation(layout, firing, block, rng),
        "sampled_tokens": pa.array(sampled, pa.int64()),
        "sampled_firing_tokens": pa.array(firing * _SAMPLED // N_TOKENS, pa.int64()),
    }


def _densities(firing: NDArray[np.int64], contexts: NDArray[np.int64]) -> dict[str, pa.Array]:
    lower, upper = wilson(firing, N_TOKENS)
    context_lower, context_upper = wilson(contexts, N_CONTEXTS)
    return {
        "activation_density": pa.array(firing / N_TOKENS),
        "density_lower": pa.array(lower),
        "density_upper": pa.array(upper),
        "firing_tokens": pa.array(firing),
        "firing_contexts": pa.array(contexts),
        "context_density": pa.array(contexts / N_CONTEXTS),
        "context_density_lower": pa.array(context_lower),
        "context_density_upper": pa.array(context_upper),
    }


def _strengths(
    profiles: Profiles, largest: NDArray[np.float32], block: slice, rng: np.random.Generator
) -> dict[str, pa.Array]:
    """Histogram, quantiles and moments of FLOOR + (1 - FLOOR) u^SHAPE, moments a little disturbed."""
    firing, top = profiles.firing_tokens[block], profiles.scale[block]
    dead = firing == 0
    bins = np.arange(int(bins_of(np.array([0.25], np.float32), BIN_MANTISSA)[0]), 8 * (127 + 11))
    lower, upper = bin_edges(bins, BIN_MANTISSA)

    def below(value: NDArray[Any]) -> NDArray[np.float64]:
        return np.clip((value / top[:, None] - FLOOR) / (1 - FLOOR), 0, 1) ** (1 / SHAPE)

    whole = np.maximum(below(np.maximum(largest, 1e-9)[:, None]), 1e-9)
    counted = np.rint(firing[:, None] * np.minimum(below(np.append(lower, upper[-1])[None, :]) / whole, 1))
    jitter = rng.normal(1, 0.04, (4, firing.size))
    mean = FLOOR + (1 - FLOOR) / (SHAPE + 1)
    variance = (1 - FLOOR) ** 2 * (1 / (2 * SHAPE + 1) - 1 / (SHAPE + 1) ** 2) * (top * jitter[1]) ** 2
    quantiles = {
        name: np.minimum(top * (FLOOR + (1 - FLOOR) * share**SHAPE) * jitter[0], largest)
        for name, share in (("activation_median", 0.5), ("activation_p90", 0.9), ("activation_p99", 0.99))
    }
    numbers = quantiles | {
        "mean_activation": np.minimum(top * mean * jitter[2], largest),
        "std_activation": np.sqrt(variance),
        "activation_skew": 0.91 * jitter[3],
        "activation_kurtosis": -0.36 + jitter[3] * jitter[1],
    }
    return {
        "activation_histogram": histogram_column(np.diff(counted, axis=1).astype(np.int64), lower, upper),
        "max_activation": pa.array(largest, pa.float32()),
        "variance_activation": pa.array(variance, mask=dead),
        **{name: pa.array(values, pa.float32(), mask=dead) for name, values in numbers.items()},
    }


def _distribution(firing: NDArray[np.int64], rng: np.random.Generator) -> dict[str, pa.Array]:
    """How its firings spread over tokens."""
    share = rng.beta(1.2, 3.5, firing.size).astype(np.float32)
    numbers = {
        "token_entropy": -np.log(share) * rng.uniform(0.6, 1.4, firing.size),
        "top_token_share": share,
        "top_token_recall": rng.beta(0.7, 0.5, firing.size),
    }
    single = pa.array((share >= 0.9).astype(np.int8), pa.int8(), mask=firing < 10)  # noqa: PLR2004
    return {
        **{name: pa.array(values, pa.float32(), mask=firing == 0) for name, values in numbers.items()},
        "single_token": single,
    }


def _sources(firing: NDArray[np.int64], rng: np.random.Generator) -> pa.Array:
    wanted = 8
    chosen = np.argsort(rng.random((firing.size, len(SOURCES))), axis=1)[:, :wanted]
    values = -np.sort(-rng.gamma(1.0, firing[:, None] / N_TOKENS, chosen.shape), axis=1)
    counts = np.maximum(np.rint(values * N_TOKENS / len(SOURCES)), 1).astype(np.int64)
    return _ragged(
        SOURCE_LIST, np.minimum(firing, wanted), np.array(SOURCES)[chosen], counts, values.astype(np.float32)
    )


def _others(
    layout: Layout, block: slice, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(10 features near each one of the block on the map, how many of them there are)."""
    count = layout.order.size
    near = min(_NEAR, max(count // 60, _LISTED // 2), (count - 1) // 2)
    steps = np.concatenate([np.arange(-near, 0), np.arange(1, near + 1)])
    size = len(layout.rank[block])
    picked = steps[np.argsort(rng.random((size, steps.size)), axis=1)[:, :_LISTED]]
    found = layout.order[(layout.rank[block][:, None] + picked) % count]
    return found, np.full(size, picked.shape[1])


def _coactivation(
    layout: Layout, firing: NDArray[np.int64], block: slice, rng: np.random.Generator
) -> pa.Array:
    others, lengths = _others(layout, block, rng)
    phi = -np.sort(-rng.beta(1.1, 7, others.shape), axis=1).astype(np.float32)
    counts = 2 + np.rint(phi * np.minimum(firing[:, None] * _SAMPLED / N_TOKENS, 4000)).astype(np.int64)
    pmi = rng.gamma(5, 0.6, others.shape).astype(np.float32)
    return _ragged(COACTIVATION_LIST, np.where(firing > 20, lengths, 0), others, phi, counts, pmi)  # noqa: PLR2004


def logits_table(scale: Scale, world: World, block: slice) -> pa.Table:
    """The table `logits`: 10 tokens at both ends, and a histogram of 50 bins."""
    rng = scale.rng(4, block.start)
    size = len(range(*block.indices(scale.features)))
    ends = []
    for sign in (1, -1):
        drawn = rng.integers(BOS + 1, world.share.size, (size, 2 * _LISTED))
        tokens, lengths = _distinct(drawn, _LISTED)
        values = -np.sort(-rng.gamma(9, 0.1, tokens.shape), axis=1)
        ends.append((tokens, lengths, sign * values.astype(np.float32)))
    zeros = np.zeros((size, _LISTED), np.int64)
    lists = [_ragged(TOKEN_LIST, lengths, tokens, zeros, values) for tokens, lengths, values in ends]
    low, high = ends[1][2][:, 0], ends[0][2][:, 0]
    edges = np.linspace(low, high, _LOGIT_BINS + 1, axis=1).astype(np.float32)
    share = 1 / (1 + np.exp(-edges * (14 / (high - low))[:, None]))
    counts = rng.poisson(np.diff(share, axis=1) * world.share.size)
    bins = counts > 0
    histogram = struct_lists(HISTOGRAM, bins.sum(1), edges[:, :-1][bins], edges[:, 1:][bins], counts[bins])
    kurtosis = pa.array(rng.gamma(2, 0.7, size) - 0.4)
    columns = [*lists, histogram, kurtosis, pa.array(rng.normal(0, 0.3, size)), *lists]
    return pa.table([_numbers(block, size), *columns], schema=LOGITS)


def _numbers(block: slice, size: int) -> pa.Array:
    return pa.array(np.arange(block.start, block.start + size), pa.int32())


def weights_table(scale: Scale, profiles: Profiles, block: slice) -> pa.Table:
    """The table `weights`."""
    rng = scale.rng(5, block.start)
    size = len(profiles.scale[block])
    neurons = np.argsort(rng.random((size, 64)), axis=1)[:, :5] * (D_MODEL // 64) + rng.integers(
        0, D_MODEL // 64
    )
    values = -np.sort(-rng.uniform(0.08, 0.3, (size, 5)), axis=1) * rng.choice([-1, 1], (size, 5))
    columns = [
        rng.gamma(40, 0.035, size), rng.normal(1, 1e-7, size), rng.beta(12, 4, size),
        rng.normal(-2.5, 1, size),
        profiles.scale[block] * FLOOR, np.abs(values[:, 0]),
    ]  # fmt: skip
    top = _ragged(
        NEURON_LIST, np.full(size, 5), neurons, values.astype(np.float32), (np.abs(values) / 20).astype("f4")
    )
    return pa.table(
        [_numbers(block, size), *(pa.array(one, pa.float32()) for one in columns), top], schema=WEIGHTS
    )


def neighbours_table(scale: Scale, layout: Layout, block: slice) -> pa.Table:
    """The table `neighbours`: features near it on the map."""
    rng = scale.rng(6, block.start)
    others, lengths = _others(layout, block, rng)
    cosines = -np.sort(-rng.beta(3, 6, others.shape), axis=1).astype(np.float32)
    return pa.table(
        [_numbers(block, len(lengths)), _ragged(FEATURE_LIST, lengths, others, cosines)], schema=NEIGHBOURS
    )


def coords_table(layout: Layout, block: slice) -> pa.Table:
    """The table `coords`."""
    columns = [layout.x[block], layout.y[block], layout.cluster[block]]
    return pa.table([_numbers(block, len(columns[0])), *map(pa.array, columns)], schema=COORDS)


def clusters_table(scale: Scale, world: World, layout: Layout) -> pa.Table:
    """The table `clusters`, labels of made-up words."""
    rng = scale.rng(8)
    rows = []
    for cluster in range(N_CLUSTERS):
        members = layout.cluster == cluster
        words = [world.words[at] for at in rng.integers(0, len(world.words), 3)]
        x, y = (float(np.median(axis[members])) if members.any() else 0.0 for axis in (layout.x, layout.y))
        label = ", ".join(map(repr, words))
        rows.append({"cluster": cluster, "label": label, "size": int(members.sum()), "x": x, "y": y})
    return pa.Table.from_pylist([row for row in rows if row["size"]], schema=CLUSTERS)


def explanations_table(scale: Scale, world: World, profiles: Profiles, block: slice) -> pa.Table:
    """The table `explanations` of the features that fire: phrases about made-up words, by Zipf's law."""
    rng = scale.rng(9, block.start)
    alive = np.flatnonzero(profiles.firing_tokens[block] > 0)
    chosen = (len(world.words) * rng.random((alive.size, 2)) ** 2.5).astype(np.int64).tolist()
    phrases = rng.integers(0, len(_PHRASES), alive.size).tolist()
    texts = [
        _PHRASES[phrase].format(world.words[one], world.words[other])
        for phrase, (one, other) in zip(phrases, chosen, strict=True)
    ]
    score = pa.array(rng.beta(5, 2, alive.size), pa.float32(), mask=rng.random(alive.size) < 0.05)  # noqa: PLR2004
    columns = [texts, ["made up"] * alive.size, score, ["detection"] * alive.size]
    return pa.table([pa.array(alive + block.start, pa.int32()), *columns], schema=EXPLANATIONS)
