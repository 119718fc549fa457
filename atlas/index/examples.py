"""What the examples of features say for the search: tokens seen firing, words and phrases around peaks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from atlas.index.sequences import NONE, TokenFacts, around, distinct, runs
from atlas.schema import SILENT_GROUPS
from atlas.stats.lists import flat_numbers
from atlas.stats.ragged import offsets, ranges
from atlas.text import search_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from atlas.index.postings import Postings

NEAR = (-4, 1)
"""First and last token, as seen from the peak, whose words count as being in the example."""
LONGEST_WORD = 8
"""A word of more tokens than this is left out."""
PHRASES = ((-1, 0), (-2, 0), (0, 1), (-1, 1))
"""First and last token, as seen from the peak, of the phrases of an example."""
LEAST_EXAMPLES = 2
"""Top examples in which a word or a phrase has to occur before it counts for a feature."""

_CHARACTER = 3
"""Tokens beyond a word's end that can tell whether a character begins or ends there."""
_BEFORE = LONGEST_WORD - NEAR[0] + _CHARACTER
_AFTER = LONGEST_WORD + NEAR[1] + _CHARACTER


class Found(NamedTuple):
    """Terms of features. All arrays [n]."""

    term: NDArray[np.int32]
    feature: NDArray[np.int32]
    weight: NDArray[np.float32]


class ExampleReader:
    """Finds terms in the examples of features, for the fields 'seen', 'example' and 'phrase'."""

    def __init__(
        self, facts: TokenFacts, token_terms: NDArray[np.int32], example: Postings, phrase: Postings
    ) -> None:
        self._facts = facts
        self._token_terms = token_terms
        self._example, self._phrase = example, phrase
        self._words: dict[bytes, NDArray[np.int32]] = {}

    def seen(self, rows: pa.Table, largest: NDArray[np.float32], listed: Found) -> Found:
        """The tokens on which features fire in an example, but for the terms `listed` for a feature already.

        `largest` [n_features of the SAE] is each feature's largest activation; a weight is the largest
        activation on the token in any example, as a share of it.
        """
        fires = [group not in SILENT_GROUPS for group in rows["group"].to_pylist()]
        rows = rows.filter(pa.array(fires, pa.bool_()))
        starts, tokens = flat_numbers(rows["token_ids"])
        activation = flat_numbers(rows["activations"])[1]
        feature = np.repeat(rows["feature_idx"].to_numpy(), np.diff(starts))
        term = self._token_terms[tokens]
        firing = np.flatnonzero((activation > 0) & (term >= 0))
        term, feature = term[firing], feature[firing]
        share = (activation[firing] / largest[feature]).astype(np.float32)
        other = ~np.isin(_pairs(feature, term), _pairs(listed.feature, listed.term))
        return _strongest(Found(term[other], feature[other], share[other]))

    def around_peaks(self, rows: pa.Table, largest: NDArray[np.float32]) -> tuple[Found, Found]:
        """(words, phrases) of the top examples: those found in `LEAST_EXAMPLES` of a feature's.

        A word weighs the share of the feature's top examples that have it. A phrase, the same tokens
        in each, weighs the largest activation of those as a share of `largest` [n_features of the SAE].
        """
        rows = rows.filter(pa.array([group == "top" for group in rows["group"].to_pylist()], pa.bool_()))
        starts, tokens = flat_numbers(rows["token_ids"])
        feature, activation = rows["feature_idx"].to_numpy(), rows["activation"].to_numpy()
        if not feature.size:
            nothing = Found(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.float32))
            return nothing, nothing
        near = around(tokens, starts, rows["peak"].to_numpy().astype(np.int64), _BEFORE, _AFTER)
        count = np.bincount(feature)
        row, term = self._words_in(near)
        word = _repeated(row, term, feature, lambda of, found: found / count[feature[of]])
        share = activation / largest[feature]
        row, which, different = self._phrases_in(near)
        phrase = self._named(_repeated(row, which, feature, lambda of, _: share[of]), different)
        return word, phrase

    def _words_in(self, near: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        row, sequences = runs(near, self._facts, (_BEFORE + NEAR[0], _BEFORE + NEAR[1]), LONGEST_WORD)
        if not row.size:
            return row, np.zeros(0, np.int32)
        different, which = distinct(sequences)
        terms = [self._words_of(sequence) for sequence in different]
        counts = np.array([found.size for found in terms])
        places = ranges(offsets(counts)[which], counts[which])
        return np.repeat(row, counts[which]), np.concatenate(terms)[places]

    def _words_of(self, sequence: NDArray[np.int32]) -> NDArray[np.int32]:
        key = sequence.tobytes()
        found = self._words.get(key)
        if found is None:
            terms = self._facts.words(sequence)
            found = self._words[key] = np.array([self._example.term(term) for term in terms], np.int32)
        return found

    def _phrases_in(
        self, near: NDArray[np.int32]
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
        """(row of each phrase found, which of the different ones it is, their tokens padded with `NONE`)."""
        width = max(last - first for first, last in PHRASES) + 1
        slices = np.full((len(PHRASES), near.shape[0], width), NONE, np.int32)
        whole = np.zeros(slices.shape[:2], np.bool_)
        for number, (first, last) in enumerate(PHRASES):
            cut = near[:, _BEFORE + first : _BEFORE + last + 1]
            slices[number, :, : cut.shape[1]] = cut
            whole[number] = self._facts.usable[cut].all(axis=1)
        number, row = np.nonzero(whole)
        different, which = distinct(slices[number, row])
        return row, which.astype(np.int32), different

    def _named(self, found: Found, different: NDArray[np.int32]) -> Found:
        """`found`, whose terms count the rows of `different`, by terms of the index."""
        # Named only now: most phrases occur once and are forgotten.
        used, which = np.unique(found.term, return_inverse=True)
        term = np.array([self._phrase_of(different[number]) for number in used], np.int32)[which]
        has_text = term >= 0
        return Found(term[has_text], found.feature[has_text], found.weight[has_text])

    def _phrase_of(self, sequence: NDArray[np.int32]) -> int:
        """The term of a phrase; -1 where it is nothing but white space."""
        text = self._facts.text(sequence)
        return self._phrase.term(text) if search_key(text) else -1


def _pairs(feature: NDArray[np.int32], term: NDArray[np.int32]) -> NDArray[np.int64]:
    return feature.astype(np.int64) << 32 | term


def _strongest(found: Found) -> Found:
    """One entry per (feature, term): the one of the largest weight."""
    pairs, which = np.unique(_pairs(found.feature, found.term), return_inverse=True)
    weight = np.zeros(pairs.size, np.float32)
    np.maximum.at(weight, which, found.weight)
    return Found((pairs & 0xFFFFFFFF).astype(np.int32), (pairs >> 32).astype(np.int32), weight)


def _repeated(
    row: NDArray[np.int64],
    term: NDArray[np.int32],
    feature: NDArray[np.int32],
    weigh: Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.floating]],
) -> Found:
    """The terms found in `LEAST_EXAMPLES` rows of one feature, each with the largest weight of those.

    `weigh(rows, number of rows that have the same term and feature)` gives the weight of each occurrence.
    """
    once = np.unique(row << 32 | term)
    row, term = once >> 32, (once & 0xFFFFFFFF).astype(np.int32)
    _, which, count = np.unique(_pairs(feature[row], term), return_inverse=True, return_counts=True)
    weight = weigh(row, count[which]).astype(np.float32)
    often = count[which] >= LEAST_EXAMPLES
    return _strongest(Found(term[often], feature[row[often]], weight[often]))
