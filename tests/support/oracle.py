"""What the pass must find, written from the definitions: dense arrays, plain loops, nothing of ours.

`Recording` holds every activation of every token. Masked and padded tokens are silent by
definition, whatever the array holds there.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from tests.support import oracle_tokens as tokens

MASK64 = (1 << 64) - 1


@dataclass
class Options:
    """The options of the pass."""

    seed: int = 0
    top: int = 20
    intervals: int = 5
    per_interval: int = 4
    random: int = 8
    before: int = 26
    after: int = 14
    sample: int = 1 << 16
    counter: int = 4


@dataclass
class Recording:
    """A corpus and one SAE's activation on every token of it."""

    activations: np.ndarray  # float32 [n_contexts, context_size, n_features]
    token_ids: np.ndarray  # int [n_contexts, context_size], padding -1
    counted: np.ndarray  # bool, same shape
    document_idx: np.ndarray  # int, same shape, padding -1
    options: Options = field(default_factory=Options)
    sources: tuple[str, ...] = tokens.SOURCES
    source_of: Sequence[int] | None = None  # source of every document; None: in turn

    def __post_init__(self) -> None:
        self.firing = np.where(self.counted[..., None] & (self.activations > 0), self.activations, 0)

    @property
    def source_idx(self) -> np.ndarray:
        """The source of every token's document; padding -1."""
        count = int(self.document_idx.max(initial=0)) + 1
        number = [n % len(self.sources) for n in range(count)] if self.source_of is None else self.source_of
        return np.where(self.document_idx < 0, -1, np.array(number)[self.document_idx])

    @property
    def n_features(self) -> int:
        return self.activations.shape[2]

    def events(self, feature: int) -> list[tuple[int, int, float]]:
        """(context, position, activation) of every firing, in corpus order."""
        contexts, positions = np.nonzero(self.firing[:, :, feature])
        return [
            (int(c), int(p), float(self.firing[c, p, feature]))
            for c, p in zip(contexts, positions, strict=True)
        ]


# --- columns -------------------------------------------------------------------------------------


def columns(recording: Recording) -> dict[str, list[Any]]:
    """Every column of the features table, as Python values (float64 where the table rounds)."""
    from tests.support.oracle_sample import sample_columns

    rows = [_row(recording, feature) for feature in range(recording.n_features)]
    for row, sampled in zip(rows, sample_columns(recording), strict=True):
        row.update(sampled)
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


def _row(recording: Recording, feature: int) -> dict[str, Any]:
    events = recording.events(feature)
    values = [value for _, _, value in events]
    n_tokens = int(recording.counted.sum())
    lower, upper = wilson(len(events), n_tokens)
    n_contexts = int(recording.counted.any(axis=1).sum())
    n_firing = len({context for context, _, _ in events})
    context_lower, context_upper = wilson(n_firing, n_contexts)
    return {
        "firing_tokens": len(events),
        "firing_contexts": n_firing,
        "context_density": n_firing / n_contexts if n_contexts else 0.0,
        "context_density_lower": context_lower,
        "context_density_upper": context_upper,
        "activation_density": len(events) / n_tokens if n_tokens else 0.0,
        "density_lower": lower,
        "density_upper": upper,
        "max_activation": max(values, default=0.0),
        **moments(values),
        "activation_histogram": histogram(values),
        "activation_median": quantile(values, Fraction(1, 2)),
        "activation_p90": quantile(values, Fraction(90, 100)),
        "activation_p99": quantile(values, Fraction(99, 100)),
        **tokens.columns(recording, events),
    }


def wilson(k: int, n: int) -> tuple[float, float]:
    """The two roots of (p - k/n)^2 = z^2 p (1 - p) / n, by the quadratic formula."""
    if n == 0:
        return 0.0, 1.0
    z2 = 1.959963984540054**2
    a, b, c = 1 + z2 / n, -(2 * k / n + z2 / n), (k / n) ** 2
    root = math.sqrt(max(b * b - 4 * a * c, 0.0))
    return (-b - root) / (2 * a), (-b + root) / (2 * a)


def moments(values: list[float]) -> dict[str, float | None]:
    """Mean, standard deviation, skew and excess kurtosis, in exact fractions until the last step."""
    names = (
        "mean_activation", "std_activation", "variance_activation", "activation_skew", "activation_kurtosis",
    )  # fmt: skip
    if not values:
        return dict.fromkeys(names)
    exact = [Fraction(value) for value in values]
    n = len(exact)
    mean = sum(exact) / n
    second, third, fourth = (sum((value - mean) ** power for value in exact) / n for power in (2, 3, 4))
    std = math.sqrt(second)
    shaped = std > 0.01 * float(mean)
    return {
        "mean_activation": float(mean),
        "std_activation": std,
        "variance_activation": float(second),
        "activation_skew": float(third) / std**3 if shaped and n >= 3 else None,
        "activation_kurtosis": float(fourth / second**2) - 3 if shaped and n >= 4 else None,
    }


def octave_bins(value: float, per_octave: int) -> tuple[Fraction, Fraction]:
    """The bin [lower, upper) of `value`: each octave [2**e, 2**(e+1)) is cut into equally wide bins.

    Below the smallest normal float32 the bins go on with the width they have in the lowest octave.
    """
    base = Fraction(2) ** max(math.frexp(value)[1] - 1, -126)
    width = base / per_octave
    number = Fraction(value) // width
    return number * width, (number + 1) * width


def histogram(values: Iterable[float]) -> list[dict[str, Any]]:
    """Occupied bins, lowest first, eight an octave."""
    counts: dict[tuple[Fraction, Fraction], int] = defaultdict(int)
    for value in values:
        counts[octave_bins(value, 8)] += 1
    return [
        {"lower": float(lower), "upper": float(upper), "count": counts[lower, upper]}
        for lower, upper in sorted(counts)
    ]


def quantile(values: list[float], share: Fraction) -> float | None:
    """The first bin whose cumulative count exceeds share * n; evenly spread within it."""
    below, wanted = 0, share * len(values)
    for entry in histogram(values):
        if below + entry["count"] > wanted:
            inside = (wanted - below) / entry["count"]
            return entry["lower"] + float(inside) * (entry["upper"] - entry["lower"])
        below += entry["count"]
    return None


def top_tokens(recording: Recording, events: list[tuple[int, int, float]]) -> list[dict[str, Any]]:
    """The ten tokens with the largest summed activation."""
    return tokens.token_list(events, lambda c, p: int(recording.token_ids[c, p]))


# --- examples ------------------------------------------------------------------------------------


def examples(recording: Recording) -> list[dict[str, Any]]:
    """Every row of the examples table, in its order."""
    from tests.support.oracle_sample import Sample, holders, near_miss, same_token, text_at

    rows: list[dict[str, Any]] = []
    sample = Sample(recording)
    for feature in range(recording.n_features):
        rows += _top(recording, feature)
        rows += _interval(recording, feature)
        rows += _random(recording, feature)
        for group, find in (("same_token", same_token), ("near_miss", near_miss)):
            places = find(sample, feature)
            rows += [example(recording, feature, (*p, 0.0), group, rank) for rank, p in enumerate(places)]
    texts = holders(recording)
    for row in rows:
        row["copies"] = len(texts[text_at(recording, row["context_idx"], row["position"])])
    return rows


def _top(recording: Recording, feature: int) -> list[dict[str, Any]]:
    from tests.support.oracle_sample import text_at

    best = best_of_context(recording.events(feature), lambda event: (event[2], -event[1]))
    best.sort(key=lambda event: (-event[2], event[0], event[1]))
    first_of_text: dict[tuple[int, ...], tuple[int, int, float]] = {}
    for event in best:
        first_of_text.setdefault(text_at(recording, event[0], event[1]), event)
    return [
        example(recording, feature, event, "top", rank)
        for rank, event in enumerate(list(first_of_text.values())[: recording.options.top])
    ]


def _random(recording: Recording, feature: int) -> list[dict[str, Any]]:
    seed = recording.options.seed
    drawn = best_of_context(recording.events(feature), lambda event: draw(seed, event[0], feature, event[1]))
    drawn.sort(key=lambda event: -draw(seed, event[0], feature, None))
    return [
        example(recording, feature, event, "random", rank)
        for rank, event in enumerate(drawn[: recording.options.random])
    ]


def _interval(recording: Recording, feature: int) -> list[dict[str, Any]]:
    events = recording.events(feature)
    if not events:
        return []
    options = recording.options
    candidates = interval_candidates(recording, feature)
    top = max(value for _, _, value in events)
    edges = [float(np.float32(top * step / options.intervals)) for step in range(options.intervals)]
    edges.append(top)
    rows: list[dict[str, Any]] = []
    for number in range(options.intervals):
        lower, upper = edges[number], edges[number + 1]
        inside = [event for event in candidates if lower < event[2] <= upper]
        inside.sort(key=lambda event: -draw(options.seed, event[0], feature, event[1]))
        seen: set[int] = set()
        fresh, again = [], []
        for event in inside:
            (again if event[0] in seen else fresh).append(event)
            seen.add(event[0])
        chosen = (fresh + again)[: options.per_interval]
        chosen.sort(key=lambda event: (-event[2], event[0], event[1]))
        rows += [
            example(recording, feature, event, "interval", rank, interval=(number, lower, upper))
            for rank, event in enumerate(chosen)
        ]
    return rows


def interval_candidates(recording: Recording, feature: int) -> list[tuple[int, int, float]]:
    """Per stratum of strength the firings of highest hash priority, one per context.

    Strata: the four of every octave, from the maximum's own down to ceil(log2(intervals)) octaves
    below it; everything weaker is one stratum.
    """
    options = recording.options
    events = recording.events(feature)
    top = octave_bins(max(value for _, _, value in events), 4)[0]
    octaves = math.ceil(math.log2(options.intervals))
    weakest = top / 2**octaves
    strata: dict[Any, list[tuple[int, int, float]]] = defaultdict(list)
    for event in events:
        lower = octave_bins(event[2], 4)[0]
        strata[lower if lower >= weakest else "weaker"].append(event)
    size = options.per_interval * math.ceil(options.intervals / 5)
    found: list[tuple[int, int, float]] = []
    for members in strata.values():
        best = best_of_context(members, lambda event: draw(options.seed, event[0], feature, event[1]))
        best.sort(key=lambda event: -draw(options.seed, event[0], feature, event[1]))
        found += best[:size]
    return found


def best_of_context(
    events: list[tuple[int, int, float]], key: Callable[[tuple[int, int, float]], Any]
) -> list[tuple[int, int, float]]:
    """The event with the largest key of every context."""
    contexts: dict[int, list[tuple[int, int, float]]] = defaultdict(list)
    for event in events:
        contexts[event[0]].append(event)
    return [max(members, key=key) for members in contexts.values()]


def example(
    recording: Recording,
    feature: int,
    event: tuple[int, int, float],
    group: str,
    rank: int,
    *,
    interval: tuple[int, float, float] = (-1, 0.0, 0.0),
) -> dict[str, Any]:
    """One row: the window around an event, cut where its document begins or ends."""
    context, position, value = event
    documents = recording.document_idx[context]
    document = int(documents[position])
    first = position
    while first > 0 and position - first < recording.options.before and documents[first - 1] == document:
        first -= 1
    last = position
    size = recording.token_ids.shape[1]
    while last + 1 < size and last - position < recording.options.after and documents[last + 1] == document:
        last += 1
    window = slice(first, last + 1)
    return {
        "feature_idx": feature,
        "group": group,
        "interval": interval[0],
        "interval_lower": interval[1],
        "interval_upper": interval[2],
        "rank": rank,
        "activation": value,
        "context_idx": context,
        "position": position,
        "document_idx": document,
        "peak": position - first,
        "token_ids": [int(token) for token in recording.token_ids[context, window]],
        "activations": [float(number) for number in recording.firing[context, window, feature]],
    }


# --- the sample's hash ---------------------------------------------------------------------------


def splitmix(value: int) -> int:
    """One step of SplitMix64 from state `value`, as published, in plain integers."""
    value = (value + 0x9E3779B97F4A7C15) & MASK64
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK64
    return value ^ (value >> 31)


def draw(seed: int, context: int, feature: int, position: int | None) -> int:
    """The hash priority of a firing, or of a whole context (`position` None) for a feature."""
    key = splitmix(context ^ splitmix(seed & MASK64))
    return splitmix(key ^ ((feature + 1) << 32) ^ (0 if position is None else position + 1))
