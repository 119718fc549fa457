"""What rests on texts and on the token sample, from the definitions: plain loops and exact fractions."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from fractions import Fraction
from typing import Any

import numpy as np

from tests.support.oracle import Recording, draw, splitmix
from tests.support.oracle_tokens import token_list

Place = tuple[int, int]
"""(context, position)."""

TEXT = 16
PARTNERS = 10
TOGETHER = 2


# --- texts ---------------------------------------------------------------------------------------


def text_at(recording: Recording, context: int, position: int) -> tuple[int, ...]:
    """The tokens that end at a place: up to 16, of the same context and document."""
    documents = recording.document_idx[context]
    first = position
    while first > 0 and position - first < TEXT - 1 and documents[first - 1] == documents[position]:
        first -= 1
    return tuple(recording.token_ids[context, first : position + 1].tolist())


def holders(recording: Recording) -> dict[tuple[int, ...], set[int]]:
    """Text → the contexts in which it stands, masked tokens included, padding not."""
    found: dict[tuple[int, ...], set[int]] = defaultdict(set)
    for context, position in np.argwhere(recording.token_ids >= 0).tolist():
        found[text_at(recording, context, position)].add(context)
    return found


# --- the sample ----------------------------------------------------------------------------------


def sampled_contexts(recording: Recording) -> list[int]:
    """The contexts of highest priority among those with a counted token, in corpus order."""
    size = recording.token_ids.shape[1]
    some = [context for context in range(len(recording.token_ids)) if recording.counted[context].any()]
    key = splitmix(recording.options.seed & ((1 << 64) - 1))
    some.sort(key=lambda context: -splitmix(splitmix(context ^ key)))
    return sorted(some[: math.ceil(recording.options.sample / size)])


def sampled_tokens(recording: Recording) -> list[Place]:
    """The counted tokens of the sample, in corpus order."""
    return [
        (context, position)
        for context in sampled_contexts(recording)
        for position in np.flatnonzero(recording.counted[context]).tolist()
    ]


def firing_set(recording: Recording, feature: int) -> set[Place]:
    """The sampled tokens on which a feature fires."""
    return {place for place in sampled_tokens(recording) if recording.firing[(*place, feature)] > 0}


class Sample:
    """The sample of a recording: who fires where on it."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.contexts = sampled_contexts(recording)
        self.tokens = sampled_tokens(recording)
        self.on_token: dict[Place, list[int]] = {
            place: np.flatnonzero(recording.firing[place] > 0).tolist() for place in self.tokens
        }
        self.firings: dict[int, list[Place]] = defaultdict(list)
        for place, features in self.on_token.items():
            for feature in features:
                self.firings[feature].append(place)

    def coactivation(self, feature: int) -> list[dict[str, Any]]:
        """The ten partners of highest phi."""
        n, own = len(self.tokens), len(self.firings[feature])
        together = Counter(other for place in self.firings[feature] for other in self.on_token[place])
        found: list[dict[str, Any]] = []
        for other, both in together.items():
            if other == feature or both < TOGETHER:
                continue
            theirs = len(self.firings[other])
            phi = correlation(own, theirs, both, n)
            if phi is not None and phi > 0:
                share = Fraction(both, n) / (Fraction(own, n) * Fraction(theirs, n))
                value = float(np.float32(phi))
                found.append({"feature_idx": other, "value": value, "count": both, "pmi": math.log(share)})
        found.sort(key=lambda entry: (-entry["value"], entry["feature_idx"]))
        return found[:PARTNERS]


def sample_columns(recording: Recording) -> list[dict[str, Any]]:
    """The columns of the statistic coactivation, a dict per feature."""
    sample = Sample(recording)
    return [
        {
            "coactivation": sample.coactivation(feature),
            "sampled_tokens": len(sample.tokens),
            "sampled_firing_tokens": len(sample.firings[feature]),
        }
        for feature in range(recording.n_features)
    ]


def correlation(a: int, b: int, both: int, n: int) -> float | None:
    """Pearson's correlation of two 0/1 variables, by covariance and variances; None where undefined."""
    covariance = Fraction(both, n) - Fraction(a, n) * Fraction(b, n)
    variances = [Fraction(k, n) * (1 - Fraction(k, n)) for k in (a, b)]
    if not all(variances):
        return None
    squared = covariance**2 / (variances[0] * variances[1])
    return math.copysign(math.sqrt(squared), covariance)


# --- counter-examples ----------------------------------------------------------------------------


def top_tokens(recording: Recording, feature: int) -> list[dict[str, Any]]:
    """The tokens that carry most of a feature's activation, all contexts counted."""
    return token_list(recording.events(feature), lambda c, p: int(recording.token_ids[c, p]))


def same_token(sample: Sample, feature: int) -> list[Place]:
    """Sampled places of the feature's first top token where it is silent, one per context."""
    recording = sample.recording
    top = top_tokens(recording, feature)
    if not top:
        return []
    seed, token = recording.options.seed, int(top[0]["token_id"])
    places: dict[int, list[Place]] = defaultdict(list)
    for place in sample.tokens:
        if int(recording.token_ids[place]) == token and feature not in sample.on_token[place]:
            places[place[0]].append(place)
    # The hash of a feature's firings, with the token in the feature's place.
    best = [max(some, key=lambda place: draw(seed, place[0], token, place[1])) for some in places.values()]
    best.sort(key=lambda place: -draw(seed, place[0], token, None))
    return best[: recording.options.counter]


def near_miss(sample: Sample, feature: int) -> list[Place]:
    """Sampled contexts in which the feature is silent, by the highest score of a token."""
    partners = sample.coactivation(feature)
    firing = {context for context, _ in sample.firings[feature]}
    best: dict[int, tuple[Fraction, Place]] = {}
    for partner in partners:
        for place in sample.firings[partner["feature_idx"]]:
            if place[0] not in firing:
                ranked = (-score(sample, partners, place), place)
                best[place[0]] = min(best.get(place[0], ranked), ranked)
    return [place for _, place in sorted(best.values())][: sample.recording.options.counter]


def score(sample: Sample, partners: list[dict[str, Any]], place: Place) -> Fraction:
    """Sum of the phi of the partners that fire on a token."""
    firing = [partner for partner in partners if partner["feature_idx"] in sample.on_token[place]]
    return sum((Fraction(partner["value"]) for partner in firing), Fraction(0))
