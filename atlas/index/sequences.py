"""Short sequences of tokens around the peaks of examples: found, told apart and written as text, in bulk."""

from __future__ import annotations

import itertools
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atlas.text import group_pieces, words

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

NONE = -1
"""Stands in token arrays where there is no token."""


@dataclass(frozen=True)
class TokenFacts:
    """What the bytes of each token say. Arrays [n_tokens + 1]; the last entry stands for `NONE`."""

    content: list[bytes]
    """[n_tokens] bytes; empty for a special token."""
    usable: NDArray[np.bool_]
    """Whether the token has text of its own: no special token, not empty."""
    cut: NDArray[np.bool_]
    """Whether it is no whole characters: only its neighbours tell what it is a part of."""
    wordy: NDArray[np.bool_]
    """Whether it holds a letter, mark, digit or underscore: a character of a word. True of a cut token."""
    opens: NDArray[np.bool_]
    """Whether its first character is one of a word; False of a cut token."""
    closes: NDArray[np.bool_]
    """Whether its last character is one of a word; False of a cut token."""

    @classmethod
    def of(cls, vocabulary: pa.Table) -> TokenFacts:
        """The facts of the table `vocabulary`, which counts token_id from 0."""
        special = vocabulary["special"].to_pylist()
        content = [
            b"" if rare else data for rare, data in zip(special, vocabulary["bytes"].to_pylist(), strict=True)
        ]
        flags = np.array([_flags(data) for data in content] + [(False,) * 5], np.bool_)
        return cls(content, *flags.T)

    def text(self, token_ids: NDArray[np.int32]) -> str:
        """The text of a sequence of tokens padded with `NONE`; `<0xE6>` for a byte that is no character."""
        data = b"".join(self.content[number] for number in token_ids.tolist() if number != NONE)
        try:
            return data.decode()
        except UnicodeDecodeError:
            return "".join(piece.text for piece in group_pieces([data]))

    def words(self, token_ids: NDArray[np.int32]) -> list[str]:
        """The words of such a sequence (`atlas.text.words`); a byte that is no character parts them."""
        data = b"".join(self.content[number] for number in token_ids.tolist() if number != NONE)
        return words(data.decode("utf-8", "replace"))


def _flags(data: bytes) -> tuple[bool, bool, bool, bool, bool]:
    """(usable, cut, wordy, opens, closes) of one token."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return True, True, True, False, False
    if not text:
        return False, False, False, False, False
    return True, False, any(map(_is_wordy, text)), _is_wordy(text[0]), _is_wordy(text[-1])


def _is_wordy(character: str) -> bool:
    return character == "_" or unicodedata.category(character)[0] in "LMN"


def around(
    token_ids: NDArray[np.int32], starts: NDArray[np.int64], peaks: NDArray[np.int64], before: int, after: int
) -> NDArray[np.int32]:
    """[n, before + 1 + after] tokens around the peak of each window, `NONE` beyond its ends.

    `token_ids` [total] are the windows one after another, `starts` [n + 1] where each begins, `peaks` [n]
    the place of the peak in its window.
    """
    places = (starts[:-1] + peaks)[:, None] + np.arange(-before, after + 1)
    inside = (places >= starts[:-1, None]) & (places < starts[1:, None])
    return np.where(inside, token_ids[np.where(inside, places, 0)], NONE)


def runs(
    tokens: NDArray[np.int32], facts: TokenFacts, near: tuple[int, int], longest: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The whole words in each row of `tokens` [n, width]: (row [m], token_ids [m, longest], `NONE` at ends).

    Neighbouring tokens belong together where a character reaches across their border, or where two that meet
    there are both of words. Only runs that may hold such a character, touch the columns near[0] … near[1] and
    have at most `longest` tokens.
    """
    glued = np.zeros(tokens.shape, np.bool_)
    glued[:, 1:] = facts.closes[tokens[:, :-1]] & facts.opens[tokens[:, 1:]]
    _glue_cut(glued, tokens, facts)
    flat = tokens.ravel()
    first = np.flatnonzero(~glued.ravel())
    length = np.diff(first, append=flat.size)
    row, column = np.divmod(first, tokens.shape[1])
    touches = (column <= near[1]) & (column + length > near[0])
    chosen = np.flatnonzero(touches & (length <= longest) & facts.wordy[flat[first]])
    places = first[chosen, None] + np.arange(longest)
    inside = np.arange(longest) < length[chosen, None]
    return row[chosen], np.where(inside, flat[np.where(inside, places, 0)], NONE)


def _glue_cut(glued: NDArray[np.bool_], tokens: NDArray[np.int32], facts: TokenFacts) -> None:
    """Set `glued` [n, width], whether a token belongs to the one before it, around all cut tokens."""
    cut = np.pad(facts.cut[tokens], ((0, 0), (1, 1)))
    row, first = np.nonzero(cut[:, 1:-1] & ~cut[:, :-2])
    if not row.size:
        return
    stop = np.nonzero(cut[:, 1:-1] & ~cut[:, 2:])[1] + 1
    places = first[:, None] + np.arange((stop - first).max())
    inside = places < stop[:, None]
    parts = np.where(inside, tokens[row[:, None], np.where(inside, places, 0)], NONE)
    different, which = distinct(parts)
    borders = np.zeros((len(different), different.shape[1] + 1), np.bool_)
    for number, part in enumerate(different.tolist()):
        found = _borders([facts.content[token] for token in part if token != NONE])
        borders[number, : len(found)] = found
    at, place = np.nonzero(inside[:, 1:])
    glued[row[at], first[at] + place + 1] = borders[which[at], place + 1]
    after = np.flatnonzero(first > 0)
    closes = facts.closes[tokens[row[after], first[after] - 1]]
    glued[row[after], first[after]] = borders[which[after], 0] & closes
    before = np.flatnonzero(stop < tokens.shape[1])
    opens = facts.opens[tokens[row[before], stop[before]]]
    glued[row[before], stop[before]] = borders[which[before], (stop - first)[before]] & opens


def _borders(parts: list[bytes]) -> list[bool]:
    """Before each of some tokens in a row, and after the last, whether a word can go on there."""
    inside = [True] * (sum(map(len, parts)) + 1)
    place, previous = 0, True
    for character in b"".join(parts).decode("utf-8", "surrogateescape"):
        wordy = _is_wordy(character)
        inside[place] = previous and wordy
        place += len(character.encode("utf-8", "surrogateescape"))
        previous = wordy
    inside[place] = previous
    return [inside[end] for end in itertools.accumulate(map(len, parts), initial=0)]


def distinct(tokens: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """(the different rows of `tokens` [n, width], which of them each row is [n]); `NONE` pads rows."""
    number = tokens[:, 0].astype(np.int64)
    base = int(tokens.max(initial=0)) + 2
    for column in tokens.T[1:]:
        going_on = np.flatnonzero(column != NONE)
        if not going_on.size:
            break
        keys = number[going_on] * base + column[going_on] + 1
        _, places = np.unique(keys, return_inverse=True)
        # Beyond all numbers given so far, so that a sequence never shares one with its own beginning.
        number[going_on] = places + int(number.max()) + 1
    _, first, places = np.unique(number, return_index=True, return_inverse=True)
    return tokens[first], places
