"""The examples of many features on one line each, as their pages show them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from atlas.render.strips import (
    LEFT_OUT,
    MARKED,
    NO_SPACE_AFTER,
    NO_SPACE_BEFORE,
    WHOLE,
    BriefPieces,
    Shown,
    brief,
)
from atlas.stats.ragged import ranges, row_bounds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas.render.windows import Vocabulary, Windows

    Integers = NDArray[np.int64]


class Briefs:
    """Writes the middle of windows, their own piece marked."""

    def __init__(self, vocabulary: Vocabulary, before: int, after: int) -> None:
        """At most `before` pieces before the window's own, and `after` after it."""
        self._vocabulary = vocabulary
        self._before, self._after = before, after

    @cached_property
    def _pieces(self) -> BriefPieces:
        return BriefPieces(self._vocabulary.texts(range(self._vocabulary.size)))

    def lines(self, windows: Windows, numbers: Integers) -> list[Shown]:
        """The line of each of the windows `numbers`, without white space at its ends."""
        own = windows.starts[numbers] + windows.peak[numbers]
        first = np.maximum(windows.starts[numbers], own - self._before)
        last = np.minimum(windows.ends[numbers], own + self._after + 1)
        lengths = last - first
        bounds = row_bounds(lengths)
        tokens = windows.tokens[ranges(first, lengths)]
        forms = self._forms(tokens, np.repeat(np.arange(len(numbers)), lengths), bounds[:-1] + own - first)
        found = self._pieces.lines(tokens, forms, bounds.tolist())
        for at in np.flatnonzero(windows.strange[numbers]).tolist():
            found[at] = brief(*windows.brief(int(numbers[at]), self._before, self._after))
        return found

    def _forms(self, tokens: NDArray[np.int32], owner: Integers, own: Integers) -> Integers:
        """How each of `tokens` is written, those of window n having `owner` n and its own piece at own[n]."""
        places = np.arange(tokens.size)
        seen = np.flatnonzero(~self._pieces.blank[tokens])
        before, after = seen[seen < own[owner[seen]]], seen[seen > own[owner[seen]]]
        first, last = own.copy(), own.copy()
        # Of several places for a window the last one stays: so the first of all is set from behind.
        first[owner[before[::-1]]] = before[::-1]
        last[owner[after]] = after
        forms = np.full(tokens.size, WHOLE)
        forms[first] = NO_SPACE_BEFORE
        forms[last] = NO_SPACE_AFTER
        forms[own] = MARKED
        forms[(places < first[owner]) | (places > last[owner])] = LEFT_OUT
        return forms
