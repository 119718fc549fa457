"""A first plain explanation per feature, made of the tokens it fires on; the user's own ones win."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from atlas.enrich.token_names import listing, merged_shares, read_token_texts, share_columns, token_name
from atlas.enrich.user_file import read_explanations
from atlas.schema import EXPLANATIONS as EXPLANATIONS_TABLE
from atlas.stats.lists import flat_numbers

if TYPE_CHECKING:
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
"""One that covers this share ends in an ellipsis; below it the feature fires on 'many tokens'."""
_LIST = 5
_NOTEWORTHY = 0.03
"""Smallest share of a token that is named beside the main one."""

SAME_CONTEXT = 0.75
"""Share of the strongest examples that must follow the same one or two tokens to be said so."""
_SECOND_CONTEXT = 0.25
"""Share that the second of two needs, to be named."""
_ENOUGH_EXAMPLES = 8

_STEP = 1024
_EXAMPLE_COLUMNS = ("feature_idx", "group", "peak", "token_ids")


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
        "their share of its total activation; no language model has read its contexts. Its score, “token "
        "coverage”, is the share of the feature's total activation that falls on the named tokens, not a "
        "measure of how well the words predict it. “Strongest after” is added when at least 75 % of its "
        "strongest examples (8 or more) follow the same one or two tokens. Explanations from a file of your "
        "own replace these."
    )

    def run(self, context: EnrichContext) -> None:
        """Write one row per explained feature; `ConfigError` with all bad lines of the user's file."""
        store, slug = context.store, context.sae_slug
        own: dict[int, dict[str, Any]] = {}
        if context.config.explanations is not None:
            sizes = {entry.slug: entry.n_features for entry in store.manifest.saes}
            own = read_explanations(Path(context.config.explanations), sizes)[slug]
            context.note(f"{len(own)} of them are from the user's file.")
        names = {number: token_name(text) for number, text in read_token_texts(store).items()}
        columns = share_columns(store, slug)
        with store.writer("explanations", sae=slug, schema=EXPLANATIONS_TABLE) as writer:
            for start, stop, features in store.iter_features("features", slug, _STEP, columns):
                before = preceding(store.read_features("examples", slug, start, stop, _EXAMPLE_COLUMNS))
                made = {row["feature_idx"]: _made(row, before, names) for row in features.to_pylist()}
                rows = [
                    {"feature_idx": number, **row}
                    for number in range(start, stop)
                    if (row := own.get(number) or made.get(number)) is not None
                ]
                writer.write(pa.Table.from_pylist(rows, schema=EXPLANATIONS_TABLE))


def _made(
    feature: dict[str, Any], before: dict[int, list[int]], names: dict[int, str]
) -> dict[str, Any] | None:
    """The row for `feature` (a row of `features`), or None when it never fired."""
    shares = merged_shares(feature, names)
    if not shares:
        return None
    previous = [names.get(number, "") for number in before.get(feature["feature_idx"], [])]
    explanation = explain(shares, previous)
    return {
        "text": explanation.text,
        "method": METHOD,
        "score": explanation.score,
        "score_name": SCORE_NAME,
    }


def preceding(examples: pa.Table) -> dict[int, list[int]]:
    """feature_idx → the token before the peak in each of its 'top' examples (-1 when none is shown)."""
    top = examples.filter(pc.field("group") == "top").combine_chunks()
    if not top.num_rows:
        return {}
    bounds, windows = flat_numbers(top["token_ids"])
    peak = top["peak"].to_numpy().astype(np.int64)
    tokens = np.where(peak > 0, windows[np.maximum(bounds[:-1] + peak - 1, 0)], -1)
    found: dict[int, list[int]] = {}
    for feature, token in zip(top["feature_idx"].to_pylist(), tokens.tolist(), strict=True):
        found.setdefault(feature, []).append(token)
    return found


def explain(shares: Mapping[str, float], previous: Sequence[str] = ()) -> Explanation:
    """The explanation of a feature from its token names and their shares of its activation (not empty).

    `previous` names what precedes the peak in each of its strongest examples, '' where nothing is
    shown. The score covers exactly the names in the text.
    """
    ordered = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
    after = _common(previous)
    for context in dict.fromkeys([after, ""]):
        for count in range(_LIST, 0, -1):
            text, named = _phrase(ordered, count, context)
            if len(text) <= MAX_LENGTH:
                return Explanation(text, min(1.0, sum(share for _, share in ordered[:named])))
    text = _phrase(ordered, 1, "")[0]
    return Explanation(text[: MAX_LENGTH - 1] + "…", min(1.0, ordered[0][1]))


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
    if covered[-1] >= LISTED:
        return _sentence(f"{listing(names)}, …{clause}"), len(names)
    where = f", strongest after {after}" if after else ""
    return _sentence(f"many tokens{where}: {listing(names)}, …"), len(names)


def _sentence(text: str) -> str:
    """`text` beginning with a capital, unless it begins with a quoted token."""
    return text[:1].upper() + text[1:]


def _common(previous: Sequence[str]) -> str:
    """The one or two names that most of `previous` are, in words; '' when there are none such."""
    if len(previous) < _ENOUGH_EXAMPLES:
        return ""
    counts: dict[str, int] = {}
    for name in previous:
        if name:
            counts[name] = counts.get(name, 0) + 1
    best = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:2]
    bound = SAME_CONTEXT * len(previous)
    if best and best[0][1] >= bound:
        return best[0][0]
    if sum(count for _, count in best) >= bound and best[-1][1] >= _SECOND_CONTEXT * len(previous):
        return listing([name for name, _ in best], " or ")
    return ""


EXPLANATIONS = Explanations()
"""Registered under `atlas.enrichers`."""
