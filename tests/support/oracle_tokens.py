"""What the pass must find about tokens, positions and sources, by plain loops from the definitions."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable
from fractions import Fraction
from typing import Any

SOURCES = ("first", "second", "third <b>")

Event = tuple[int, int, float]


def columns(recording: Any, events: list[Event]) -> dict[str, Any]:
    """The columns of one feature, whose firings are `events` (context, position, activation)."""
    own = {(c, p): int(recording.token_ids[c, p]) for c, p, _ in events}
    return {
        "top_tokens": token_list(events, lambda c, p: own[c, p]),
        "top_tokens_share": 1.0,
        **single(recording, Counter(own.values())),
        "tokens_before": token_list(events, lambda c, p: neighbour(recording, c, p, p - 1)),
        "tokens_before_share": 1.0,
        "tokens_after": token_list(events, lambda c, p: neighbour(recording, c, p, p + 1)),
        "tokens_after_share": 1.0,
        "position_profile": positions(recording, events),
        "sources": sources(recording, events),
    }


def neighbour(recording: Any, context: int, position: int, other: int) -> int | None:
    """The token at place `other` of the context, if it counts and is of the same document."""
    if not 0 <= other < recording.token_ids.shape[1] or not recording.counted[context, other]:
        return None
    if recording.document_idx[context, other] != recording.document_idx[context, position]:
        return None
    return int(recording.token_ids[context, other])


def token_list(events: list[Event], token_of: Callable[[int, int], int | None]) -> list[dict[str, Any]]:
    """The ten tokens with the largest summed activation."""
    found: dict[int, list[Fraction]] = defaultdict(list)
    for context, position, value in events:
        token = token_of(context, position)
        if token is not None:
            found[token].append(Fraction(value))
    ordered = sorted(found, key=lambda token: (-sum(found[token]), token))
    return [
        {"token_id": t, "count": len(found[t]), "value": float(sum(found[t]) / len(found[t]))}
        for t in ordered[:10]
    ]


def single(recording: Any, firings: Counter[int]) -> dict[str, Any]:
    """How far the firings are those of a single token."""
    n = sum(firings.values())
    if not n:
        names = ("token_entropy", "top_token_share", "top_token_recall", "single_token")
        return dict.fromkeys(names)
    most = max(firings.values())
    token = min(t for t, count in firings.items() if count == most)
    occurrences = sum(
        1
        for c in range(len(recording.token_ids))
        for p in range(recording.token_ids.shape[1])
        if recording.counted[c, p] and recording.token_ids[c, p] == token
    )
    return {
        "token_entropy": -math.fsum(count / n * math.log(count / n) for count in firings.values()) + 0.0,
        "top_token_share": most / n,
        "top_token_recall": most / occurrences,
        "single_token": None if n < 10 else int(Fraction(most, n) >= Fraction(9, 10)),
    }


def positions(recording: Any, events: list[Event]) -> list[dict[str, Any]]:
    """Firings per bin of ceil(size / 16) positions."""
    size = recording.token_ids.shape[1]
    width = math.ceil(size / 16)
    found = []
    for lower in range(0, size, width):
        upper = lower + width
        count = sum(1 for _, position, _ in events if lower <= position < upper)
        if count:
            found.append({"lower": float(lower), "upper": float(upper), "count": count})
    return found


def sources(recording: Any, events: list[Event]) -> list[dict[str, Any]]:
    """The eight sources in which the feature fires on most of the counted tokens; one source is none."""
    rows = []
    for number, name in enumerate(recording.sources if len(recording.sources) > 1 else ()):
        count = sum(1 for c, p, _ in events if recording.source_idx[c, p] == number)
        if count:
            tokens = int((recording.counted & (recording.source_idx == number)).sum())
            rows.append((-Fraction(count, tokens), number, name, count))
    return [
        {"name": name, "count": count, "value": float(-share)} for share, _, name, count in sorted(rows)[:8]
    ]
