"""A first plain explanation per feature, made of the tokens it fires on; the user's own ones win."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa

from atlas.enrich import patterns
from atlas.enrich.patterns import Pattern, Patterns
from atlas.enrich.token_names import listing, merged_shares, read_token_texts, share_columns, token_name
from atlas.enrich.user_file import read_explanations
from atlas.schema import EXPLANATIONS as EXPLANATIONS_TABLE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas.enrich.base import EnrichContext

METHOD = "top tokens"
"""Value of the column `method` for the explanations made here."""
SCORE_NAME = "token coverage"
"""Value of `score_name`: the score is the share of the feature's total activation on the named tokens."""
MAX_LENGTH = 120
"""Longest explanation made here, in characters."""

ALONE = 0.9
"""From this share of the activation on, one token is the whole explanation."""
MOSTLY = 0.5
"""From this share on it is called the main one."""
COMPLETE = 0.8
"""A list of at most `_LIST` tokens that covers this share stands alone."""
LISTED = 0.6
"""One that covers this share ends in an ellipsis; below it the feature fires on many tokens."""
_LIST = 5
_LIST_OF_MANY = 3
_NOTEWORTHY = 0.03
"""Smallest share of a token that is named beside the main one."""

_STEP = 1024
_NOTHING = Pattern()


@dataclass(frozen=True)
class Explanation:
    """One explanation."""

    text: str
    """One line, at most `MAX_LENGTH` characters. Holds token text as it is: escape it where it is shown."""
    score: float
    """Share of the feature's total activation on the tokens that `text` names, 0..1."""


class Explanations:
    """Writes `explanations`: from the top tokens, or from the user's file where that has one."""

    name: ClassVar[str] = "explanations"
    reads: ClassVar[tuple[str, ...]] = ("features", "examples", "vocabulary")
    writes: ClassVar[tuple[str, ...]] = ("explanations",)
    notes: ClassVar[str] = (
        "An explanation made by “top tokens” only names the tokens on which the feature fires, ordered by "
        "their share of its total activation, and what its firings have in common; no language model has "
        "read its contexts. Its score, “token coverage”, is the share of the feature's total activation that "
        "falls on the tokens it is said to fire on (those of its list of top tokens), not a measure of how "
        "well the words predict it. “Strongest after” is added when at least 75 % of its strongest examples "
        "(8 or more) follow the same one or two tokens. Where five tokens make up less than 60 % of its "
        "activation, the explanation says what else holds. Of all its firings: a kind of token, if at least "
        "80 % of the firings in its random examples are of it, twice the usual share or more; the token "
        "before, or after, at least half of them; the one source of the corpus that has 80 % of them. “When "
        "strongest”, of its strongest examples alone: the tokens (three at most), the kind of token, the "
        "word, the neighbouring tokens or the word nearby (in the 8 tokens before; in at most a tenth of "
        "other features' examples) that at least 75 % of them have in common (80 % for a kind). Explanations "
        "from a file of your own replace these."
    )

    def run(self, context: EnrichContext) -> None:
        """Write one row per explained feature; `ConfigError` with all bad lines of the user's file."""
        store, slug = context.store, context.sae_slug
        own: dict[int, dict[str, Any]] = {}
        if context.config.explanations is not None:
            sizes = {entry.slug: entry.n_features for entry in store.manifest.saes}
            own = read_explanations(Path(context.config.explanations), sizes)[slug]
            context.note(f"{len(own)} of them are from the user's file.")
        texts = read_token_texts(store)
        names = {number: token_name(text) for number, text in texts.items()}
        columns = _columns(context)
        first = store.read_features("examples", slug, 0, _STEP, patterns.COLUMNS)
        finder = Patterns(texts, first)
        with store.writer("explanations", sae=slug, schema=EXPLANATIONS_TABLE) as writer:
            for start, stop, features in store.iter_features("features", slug, _STEP, columns):
                examples = store.read_features("examples", slug, start, stop, patterns.COLUMNS)
                made = _made(features.to_pylist(), examples, names, finder)
                rows = [
                    {"feature_idx": number, **row}
                    for number in range(start, stop)
                    if (row := own.get(number) or made.get(number)) is not None
                ]
                writer.write(pa.Table.from_pylist(rows, schema=EXPLANATIONS_TABLE))


def _columns(context: EnrichContext) -> list[str]:
    """The columns of `features` to read: those that shares need, and those of patterns that are there."""
    present = context.store.schema("features", context.sae_slug).names
    shares = share_columns(context.store, context.sae_slug)
    return [*shares, *(name for name in patterns.FEATURE_COLUMNS if name in present)]


def _made(
    features: list[dict[str, Any]], examples: pa.Table, names: dict[int, str], finder: Patterns
) -> dict[int, dict[str, Any]]:
    """feature_idx → its row, for each of `features` (rows of the table) that fired."""
    shares = {row["feature_idx"]: merged_shares(row, names) for row in features}
    peaks = patterns.strongest(examples)
    many = {number for number, own in shares.items() if own and of_many_tokens(own)}
    found = finder.find([row for row in features if row["feature_idx"] in many], peaks, examples)
    rows: dict[int, dict[str, Any]] = {}
    for number, own in shares.items():
        if own:
            previous = _previous(peaks.get(number), names)
            explanation = explain(own, previous, found.get(number, Pattern()))
            rows[number] = {
                "text": explanation.text,
                "method": METHOD,
                "score": explanation.score,
                "score_name": SCORE_NAME,
            }
    return rows


def _previous(peaks: NDArray[np.int32] | None, names: dict[int, str]) -> list[str]:
    """The name of the token before each peak; '' where none is known."""
    if peaks is None:
        return []
    return [names.get(number, "") for number in peaks[:, patterns.REACH - 1].tolist()]


def of_many_tokens(shares: Mapping[str, float]) -> bool:
    """Whether the five tokens with the largest shares make up less than `LISTED`, and none `MOSTLY`."""
    largest = sorted(shares.values(), reverse=True)[:_LIST]
    return sum(largest) < LISTED and largest[0] < MOSTLY


def explain(
    shares: Mapping[str, float], previous: Sequence[str] = (), pattern: Pattern = _NOTHING
) -> Explanation:
    """The explanation of a feature from its token names and their shares of its activation (not empty).

    `previous` names what precedes the peak in each of its strongest examples, '' where nothing is
    known; `pattern` counts only for a feature of many tokens. The score covers exactly the tokens that
    the text says it fires on.
    """
    ordered = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
    if of_many_tokens(shares):
        return _of_many(ordered, pattern)
    after = patterns.either(patterns.common(previous, 2))
    for context in dict.fromkeys([after, ""]):
        for count in range(_LIST, 0, -1):
            text, named = _phrase(ordered, count, context)
            if len(text) <= MAX_LENGTH:
                return Explanation(text, min(1.0, sum(share for _, share in ordered[:named])))
    text = _phrase(ordered, 1, "")[0]
    return Explanation(text[: MAX_LENGTH - 1] + "…", min(1.0, ordered[0][1]))


def _of_many(ordered: list[tuple[str, float]], pattern: Pattern) -> Explanation:
    """What holds of a feature that fires on many tokens, then the three with the largest shares."""
    strongest = " ".join(part for part in (pattern.what, pattern.where) if part)
    for lead in dict.fromkeys([strongest, ""]):
        named = pattern.tokens if lead else ()
        for count in range(_LIST_OF_MANY, 0, -1):
            others = [name for name, _ in ordered if name not in named][:count]
            text = _sentence(_lead(pattern, lead, f": {listing(others)}, …" if others else ""))
            if len(text) <= MAX_LENGTH:
                score = sum(share for name, share in ordered if name in (*named, *others))
                return Explanation(text, min(1.0, score))
    return Explanation(_sentence(f"many tokens: {ordered[0][0]}, …")[:MAX_LENGTH], min(1.0, ordered[0][1]))


def _lead(pattern: Pattern, strongest: str, others: str) -> str:
    if pattern.everywhere:
        on = "on " if pattern.what else ""
        return pattern.everywhere + others + (f"; strongest {on}{strongest}" if strongest else "")
    return (f"{strongest} when strongest; " if strongest else "") + f"many tokens{others}"


def _phrase(ordered: list[tuple[str, float]], most: int, after: str) -> tuple[str, int]:
    """(text, number of names in it) with at most `most` of the names, largest share first."""
    first, share = ordered[0]
    names = [name for name, _ in ordered[:most]]
    if share >= ALONE:
        return _sentence(first + (f", strongest after {after}" if after else "")), 1
    clause = f"; strongest after {after}" if after else ""
    if share >= MOSTLY:
        others = [name for name, part in ordered[1 : min(most, 4)] if part >= _NOTEWORTHY]
        also = f", also {listing(others)}" if others else ""
        return _sentence(f"mostly {first} ({round(100 * share)} %){also}{clause}"), 1 + len(others)
    covered = np.cumsum([part for _, part in ordered[:most]])
    if covered[-1] >= COMPLETE:
        count = int(np.argmax(covered >= COMPLETE)) + 1
        return _sentence(listing(names[:count], " and ") + clause), count
    return _sentence(f"{listing(names)}, …{clause}"), len(names)


def _sentence(text: str) -> str:
    """`text` beginning with a capital, unless it begins with a quoted token."""
    return text[:1].upper() + text[1:]


EXPLANATIONS = Explanations()
"""Registered under `atlas.enrichers`."""
