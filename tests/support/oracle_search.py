"""The search index from its description: one feature, one example and one token at a time."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterator
from typing import Any

import numpy as np

from atlas.store import AtlasStore
from atlas.text import words

Found = dict[tuple[str, str], dict[tuple[int, int], float]]
"""(field, term) → (sae, feature) → weight."""


def undecoded(token: bytes) -> str:
    """The text of one token; `<0xE6>` for each byte that is no part of a character."""
    text = ""
    while token:
        for size in (1, 2, 3, 4):
            try:
                text += token[:size].decode()
            except UnicodeDecodeError:
                continue
            token = token[size:]
            break
        else:
            text += f"<0x{token[0]:02X}>"
            token = token[1:]
    return text


def index(store: AtlasStore) -> Found:
    """Every field of the index."""
    found: Found = {}
    vocabulary = store.read("vocabulary").to_pylist()
    for sae, entry in enumerate(store.manifest.saes):
        features = {row["feature_idx"]: row for row in store.read("features", entry.slug).to_pylist()}
        if store.has("explanations", entry.slug):
            for row in store.read("explanations", entry.slug).to_pylist():
                terms = words(row["text"])
                for term in terms:
                    _keep(found, "word", term, (sae, row["feature_idx"]), np.float32(1 / len(terms)))
        for number, row in features.items():
            for token in row["top_tokens"]:
                share = np.float32(token["value"]) / np.float32(row["max_activation"])
                _keep(found, "token", _text(vocabulary, token["token_id"]), (sae, number), share)
        if store.has("examples", entry.slug):
            rows = store.read("examples", entry.slug).to_pylist()
            for number, row in features.items():
                own = [example for example in rows if example["feature_idx"] == number]
                _seen(found, vocabulary, row, own, (sae, number))
                top = [example for example in own if example["group"] == "top"]
                _around_peaks(found, vocabulary, row["max_activation"], top, (sae, number))
    return found


def _keep(found: Found, field: str, term: str, feature: tuple[int, int], weight: Any) -> None:
    if term:
        known = found.setdefault((field, term), {})
        known[feature] = max(known.get(feature, 0.0), float(weight))


def _text(vocabulary: list[dict[str, Any]], token_id: int) -> str:
    row = vocabulary[token_id]
    return row["piece"] if row["special"] else undecoded(row["bytes"])


def _seen(found: Found, vocabulary: Any, feature: dict, examples: list[dict], name: tuple[int, int]) -> None:
    listed = {_text(vocabulary, token["token_id"]) for token in feature["top_tokens"]}
    for example in examples:
        if example["group"] in {"same_token", "near_miss"}:
            continue
        for token, activation in zip(example["token_ids"], example["activations"], strict=True):
            text = _text(vocabulary, token)
            if activation > 0 and text not in listed:
                share = np.float32(activation) / np.float32(feature["max_activation"])
                _keep(found, "seen", text, name, share)


def _around_peaks(
    found: Found, vocabulary: Any, largest: float, examples: list[dict], name: tuple[int, int]
) -> None:
    word_in: dict[str, set[int]] = {}
    phrase_in: dict[tuple[int, ...], set[int]] = {}
    for place, example in enumerate(examples):
        tokens = [vocabulary[token] for token in example["token_ids"]]
        for word in _words(tokens, example["peak"]):
            word_in.setdefault(word, set()).add(place)
        for first, last in _phrases(tokens, example["peak"]):
            phrase_in.setdefault(tuple(example["token_ids"][first : last + 1]), set()).add(place)
    for word, places in word_in.items():
        if len(places) > 1:
            _keep(found, "example", word, name, np.float32(len(places) / len(examples)))
    for phrase, places in phrase_in.items():
        text = undecoded(b"".join(vocabulary[token]["bytes"] for token in phrase))
        if len(places) > 1 and unicodedata.normalize("NFKC", text).strip(" \t\n\r\f\v"):
            best = max(np.float32(examples[place]["activation"]) for place in places)
            _keep(found, "phrase", text, name, best / np.float32(largest))


def _words(tokens: list[dict[str, Any]], peak: int) -> Iterator[str]:
    """The words near a peak."""
    for first, last in token_runs(tokens):
        if last >= peak - 4 and first <= peak + 1 and last - first < 8:
            text = "".join(text or " " for text, _, end in characters(tokens) if first <= end <= last)
            yield from words(text)


def _phrases(tokens: list[dict[str, Any]], peak: int) -> Iterator[tuple[int, int]]:
    """First and last token of the phrases at a peak."""
    for before, after in ((-1, 0), (-2, 0), (0, 1), (-1, 1)):
        first, last = peak + before, peak + after
        if first >= 0 and last < len(tokens):
            part = tokens[first : last + 1]
            if all(token["bytes"] and not token["special"] for token in part):
                yield first, last


def characters(tokens: list[dict[str, Any]]) -> list[tuple[str, int, int]]:
    """(character, first, last token that hold a part of it), in order; empty for a byte that is of none.

    No character reaches across a special token, nor across one without bytes.
    """
    found: list[tuple[str, int, int]] = []
    stretch: list[tuple[int, int]] = []  # (byte, its token)
    for place, token in enumerate([*tokens, {"special": True, "bytes": b""}]):
        if not token["special"] and token["bytes"]:
            stretch += [(byte, place) for byte in token["bytes"]]
            continue
        while stretch:
            text, size = _first_character(bytes(byte for byte, _ in stretch[:4]))
            found.append((text, stretch[0][1], stretch[size - 1][1]))
            del stretch[:size]
    return found


def _first_character(data: bytes) -> tuple[str, int]:
    for size in (1, 2, 3, 4):
        try:
            return data[:size].decode(), min(size, len(data))
        except UnicodeDecodeError:
            continue
    return "", 1


def token_runs(tokens: list[dict[str, Any]]) -> Iterator[tuple[int, int]]:
    """(first, last) of neighbouring tokens that a word or a character holds together."""
    together = set()  # tokens that belong to the one before them
    for _, first, last in characters(tokens):
        together |= set(range(first + 1, last + 1))
    for (left, _, end), (right, start, _) in itertools.pairwise(characters(tokens)):
        if end + 1 == start and left and right and _is_letter(left) and _is_letter(right):
            together.add(start)
    first = 0
    for place in range(1, len(tokens) + 1):
        if place not in together:
            yield first, place - 1
            first = place


def _is_letter(character: str) -> bool:
    return character == "_" or unicodedata.category(character)[0] in "LMN"
