"""What the firings of a feature have in common where no few tokens make them up: neighbours, kinds, words.

Two sorts of evidence. *Everywhere*: the columns of `features`, counted over the corpus, and the firing tokens
in the windows of the group 'random', a sample of all its contexts. *When strongest*: the examples of the
group 'top'. A claim says which of the two it rests on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc

from atlas.enrich.token_classes import CLASSES, VAGUE, class_counts, classes_of, token_bits
from atlas.enrich.token_names import listing, quoted, token_name
from atlas.sources.packing import OTHER_SOURCES
from atlas.stats.lists import flat_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

SHARED = 0.75
"""Share of the strongest examples that must agree for a claim about them."""
ENOUGH_EXAMPLES = 8
"""Strongest examples below which nothing is said about them."""
KIND = 0.8
"""Share of the sampled firings, or of the strongest examples, that must be of a kind of token."""
ENOUGH_FIRINGS = 20
"""Firings, sampled or counted, below which nothing is said about all of them."""
LIFT = 2.0
"""How many times more frequent than in other features' firings a kind, or a source in the corpus, must be."""
BESIDE = 0.5
"""Share of all firings that one token must stand before, or after, to be named."""
WITHIN = 0.8
"""Share of all firings that one source must have, to be named."""
RARE = 0.1
"""Largest share of other features' examples that a word nearby may stand in."""
ENOUGH_USUAL = 100
"""Examples of other features below which what is usual is unknown: then no kind or word nearby is named."""
REACH = 8
"""Tokens read on either side of a peak."""

COLUMNS = ("feature_idx", "group", "peak", "token_ids", "activations")
"""Columns of `examples` that are read."""
FEATURE_COLUMNS = (
    "activation_density",
    "tokens_before",
    "tokens_before_share",
    "tokens_after",
    "tokens_after_share",
    "sources",
)
"""Columns of `features` that are read where they are there."""

_WORD = re.compile(r"[^\W_]+")
_NEARBY = re.compile(r"[^\W\d_]{3,}")


@dataclass(frozen=True)
class Pattern:
    """What the firings of one feature have in common, in words."""

    everywhere: str = ""
    """Of all its firings: 'digits', or 'mostly after' a token, with its share; '' if nothing holds."""
    what: str = ""
    """What its strongest firings are on: names of tokens, or a class; '' if they have nothing in common."""
    where: str = ""
    """Where its strongest firings are: after, before or near a token, or in a word; '' likewise."""
    tokens: tuple[str, ...] = ()
    """The tokens named in `what`."""


@dataclass(frozen=True)
class Usual:
    """How frequent kinds and words are among the firings of other features."""

    kinds: NDArray[np.float64]
    """[classes] share of the firing tokens."""
    words: Mapping[str, float]
    """Word → share of the examples in which it stands before the peak."""


class Patterns:
    """Finds what firings have in common; of one vocabulary, and one SAE's usual firings."""

    def __init__(self, texts: Mapping[int, str], first: pa.Table) -> None:
        """`texts` gives the text of each token; `first` are examples (`COLUMNS`) that show what is usual."""
        self._texts = texts
        self._bits = token_bits(texts)
        self._usual = self._measure(first.filter(pc.field("group") == "random"))

    def _measure(self, sample: pa.Table) -> Usual | None:
        """What is usual in these examples; None if they are too few to tell."""
        if sample.num_rows < ENOUGH_USUAL:
            return None
        around, _ = windows(sample)
        classes, _ = self._sampled(sample)
        counts: dict[str, int] = {}
        for row in around:
            for word in self._nearby(row):
                counts[word] = counts.get(word, 0) + 1
        kinds = class_counts(classes, np.zeros(classes.size, np.int64), 1)[0] / max(classes.size, 1)
        return Usual(kinds, {word: count / len(around) for word, count in counts.items()})

    def find(
        self, features: Sequence[dict[str, Any]], peaks: Mapping[int, NDArray[np.int32]], examples: pa.Table
    ) -> dict[int, Pattern]:
        """feature_idx → its pattern, for each of the rows `features`.

        `peaks` are those of `strongest`, `examples` (`COLUMNS`) those of these features at least.
        """
        sample = examples.filter(pc.field("group") == "random")
        classes, owner = self._sampled(sample)
        place = {row["feature_idx"]: number for number, row in enumerate(features)}
        rows = np.array([place.get(number, len(place)) for number in owner.tolist()], np.int64)
        counts = class_counts(classes, rows, len(place) + 1)
        total = np.bincount(rows, minlength=len(place) + 1)
        found: dict[int, Pattern] = {}
        for number, row in enumerate(features):
            kind = self._kind(counts[number], int(total[number]), ENOUGH_FIRINGS)
            everywhere = kind or _beside(row, self._texts) or _source(row)
            what, where, tokens = self._when_strongest(peaks.get(row["feature_idx"], _NO_PEAKS))
            if what == everywhere or (what in VAGUE and not where):
                what = ""
            found[row["feature_idx"]] = Pattern(everywhere, what, where, tokens)
        return found

    def _sampled(self, examples: pa.Table) -> tuple[NDArray[np.uint32], NDArray[np.int32]]:
        """The classes of every firing token in the windows, and whose firings they are: [n] each."""
        bounds, tokens = flat_numbers(examples["token_ids"])
        _, activations = flat_numbers(examples["activations"])
        tokens = np.concatenate([[-1], tokens, [-1]]).astype(np.int32)
        before, after = tokens[:-2].copy(), tokens[2:].copy()
        filled = np.diff(bounds) > 0
        before[bounds[:-1][filled]] = -1
        after[bounds[1:][filled] - 1] = -1
        fires = activations > 0
        owner = np.repeat(examples["feature_idx"].to_numpy(), np.diff(bounds))
        classes = classes_of(self._bits, before[fires], tokens[1:-1][fires], after[fires])
        return classes, owner[fires]

    def _kind(self, counts: NDArray[np.int64], total: int, enough: int) -> str:
        """The first class that `KIND` of `total` tokens are of, `LIFT` times the usual; '' if none is."""
        if total < enough or self._usual is None:
            return ""
        share = counts / total
        holds = (share >= KIND) & (share >= LIFT * self._usual.kinds)
        return CLASSES[int(np.argmax(holds))] if holds.any() else ""

    def _when_strongest(self, peaks: NDArray[np.int32]) -> tuple[str, str, tuple[str, ...]]:
        """(what, where, tokens named) of the strongest examples, from the tokens around their peaks.

        A word nearby is named where the tokens and their neighbours do not say enough.
        """
        if len(peaks) < ENOUGH_EXAMPLES:
            return "", "", ()
        tokens = common(self._names(peaks[:, REACH]), 3)
        what = either(tokens)
        if not what:
            classes = classes_of(self._bits, peaks[:, REACH - 1], peaks[:, REACH], peaks[:, REACH + 1])
            counts = class_counts(classes, np.zeros(len(peaks), np.int64), 1)[0]
            what = self._kind(counts, len(peaks), ENOUGH_EXAMPLES)
        words = common([self._word(row) for row in peaks], 2)
        if words:
            return what, f"in {either([quoted(word) for word in words])}", tokens
        where = ""
        for side, sign in (("after", -1), ("before", 1)):
            where = where or _with(side, common(self._names(peaks[:, REACH + sign]), 2))
        if not (where and tokens):
            near = self._near(peaks, where.lower())
            where = " ".join(part for part in (where, near and f"near {quoted(near)}") if part)
        return what, where, tokens

    def _names(self, tokens: NDArray[np.int32]) -> list[str]:
        return [
            token_name(self._texts[number]) if number in self._texts else "" for number in tokens.tolist()
        ]

    def _text(self, tokens: NDArray[np.int32]) -> str:
        return "".join(self._texts.get(number, "") for number in tokens.tolist())

    def _word(self, row: NDArray[np.int32]) -> str:
        """The word of two tokens or more that the peak is a part of; '' if it is none."""
        token = self._texts.get(int(row[REACH]), "")
        middle = token.strip()
        if not _WORD.fullmatch(middle):
            return ""
        left = right = ""
        if token[0] == middle[0]:
            left = re.search(r"[^\W_]*$", self._text(row[:REACH]))[0]  # type: ignore[index]
        if token[-1] == middle[-1]:
            right = re.match(r"[^\W_]*", self._text(row[REACH + 1 :]))[0]  # type: ignore[index]
        return left + middle + right if left or right else ""

    def _nearby(self, row: NDArray[np.int32]) -> set[str]:
        """The whole words of 3 letters or more before the peak, in lower case."""
        text = self._text(row[:REACH])
        cut = _WORD.match(text)
        return {word.lower() for word in _NEARBY.findall(text[cut.end() :] if cut else text)}

    def _near(self, peaks: NDArray[np.int32], said: str) -> str:
        """The word that most often stands before the peaks, if unusual and not in `said`; '' if none does."""
        if self._usual is None:
            return ""
        counts: dict[str, int] = {}
        for row in peaks:
            for word in self._nearby(row):
                if self._usual.words.get(word, 0.0) <= RARE and quoted(word) not in said:
                    counts[word] = counts.get(word, 0) + 1
        best = min(counts, key=lambda word: (-counts[word], word), default="")
        return best if best and counts[best] >= SHARED * len(peaks) else ""


_NO_PEAKS = np.zeros((0, 2 * REACH + 1), np.int32)


def windows(examples: pa.Table) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The tokens around the peak of each example, and whose it is: [n, 2 REACH + 1], [n].

    The peak is in column `REACH`; -1 stands for what is outside the window.
    """
    bounds, tokens = flat_numbers(examples["token_ids"])
    at = (bounds[:-1] + examples["peak"].to_numpy())[:, None] + np.arange(-REACH, REACH + 1)
    inside = (at >= bounds[:-1, None]) & (at < bounds[1:, None])
    found = np.where(inside, np.append(tokens, -1)[np.where(inside, at, -1)], -1)
    return found.astype(np.int32), examples["feature_idx"].to_numpy()


def strongest(examples: pa.Table) -> dict[int, NDArray[np.int32]]:
    """feature_idx → the tokens around the peak of each of its 'top' examples, as `windows` has them."""
    top = examples.filter(pc.field("group") == "top")
    around, owner = windows(top)
    order = np.argsort(owner, kind="stable")
    features, first = np.unique(owner[order], return_index=True)
    return dict(zip(features.tolist(), np.split(around[order], first[1:]), strict=True)) if len(top) else {}


def common(names: Sequence[str], most: int) -> tuple[str, ...]:
    """The fewest of `names`, at most `most`, that `SHARED` of them are; () when there are none such.

    '' stands for nothing known. Each of k names must have 1 / 2k of them; ties go by the alphabet.
    """
    if len(names) < ENOUGH_EXAMPLES:
        return ()
    counts: dict[str, int] = {}
    for name in names:
        if name:
            counts[name] = counts.get(name, 0) + 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    for count in range(1, min(most, len(ordered)) + 1):
        best = ordered[:count]
        least = len(names) / (2 * count) if count > 1 else 0.0
        if sum(part for _, part in best) >= SHARED * len(names) and best[-1][1] >= least:
            return tuple(name for name, _ in best)
    return ()


def either(names: Sequence[str]) -> str:
    """'a, b or c'; '' for no names."""
    return listing(list(names), " or ") if names else ""


def _with(side: str, names: Sequence[str]) -> str:
    return f"{side} {either(names)}" if names else ""


def _beside(row: Mapping[str, Any], texts: Mapping[int, str]) -> str:
    """'mostly after', or before, the token beside most of its firings, and its share; '' if there is none."""
    for column, side in (("tokens_before", "after"), ("tokens_after", "before")):
        counted = row["firing_tokens"] * (row.get(f"{column}_share") or 1.0)
        merged: dict[str, int] = {}
        for token in row.get(column) or []:
            name = token_name(texts.get(token["token_id"], ""))
            merged[name] = merged.get(name, 0) + token["count"]
        best = min(merged, key=lambda name: (-merged[name], name), default="")
        if best and counted >= ENOUGH_FIRINGS and merged[best] >= BESIDE * counted:
            return f"mostly {side} {best} ({min(100, round(100 * merged[best] / counted))} %)"
    return ""


def _source(row: Mapping[str, Any]) -> str:
    """'mostly in' the source of the corpus that has most of its firings, and its share; '' if none has."""
    firings, density = row["firing_tokens"], row.get("activation_density") or 0.0
    named = [source for source in row.get("sources") or [] if source["name"] != OTHER_SOURCES]
    best = max(named, key=lambda source: source["count"], default=None)
    if best is None or firings < ENOUGH_FIRINGS or best["count"] < WITHIN * firings:
        return ""
    if best["value"] < LIFT * density:
        return ""
    return f"mostly in {token_name(best['name'])} ({round(100 * best['count'] / firings)} %)"
