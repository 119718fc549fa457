"""The columns of feature shards, in the order and the forms of `atlas.render.feature_shards`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.render.packing import zigzag
from atlas.stats.ragged import row_bounds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from atlas.render.dataset import Block, Drawn
    from atlas.render.packing import Cuts, Packer
    from atlas.render.pieces import ShardPieces
    from atlas.render.raw import RawColumn

    Integers = NDArray[np.int64]

_CLOSE = 4
_MOST_STEPS = 1 << 20


class NumberedTexts:
    """Texts by number, each once."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    @property
    def texts(self) -> list[str]:
        """All of them, in the order of their numbers."""
        return list(self._places)

    def index(self, text: str) -> int:
        """The number of `text`, a new one where it has none yet."""
        return self._places.setdefault(text, len(self._places))


@dataclass(frozen=True)
class Shards:
    """Consecutive shards in the making."""

    packer: Packer
    """Takes their numbers."""
    pieces: ShardPieces
    """Numbers their pieces."""
    names: list[NumberedTexts]
    """Numbers the sources and texts of each."""
    edges: Integers
    """[n_shards + 1] the first feature of each, counted from the first of all, and the end."""

    def cuts(self, bounds: Integers) -> list[int]:
        """Where each shard begins in a row of entries, those of feature i being bounds[i]:bounds[i + 1]."""
        return bounds[self.edges].tolist()

    def put_plain(self, letter: str, values: NDArray[Any], cuts: Cuts) -> None:
        """Put numbers of the type `letter`: i, f or d."""
        packer = self.packer
        put = {"i": packer.integers, "f": packer.singles, "d": packer.doubles}[letter]
        put(values, cuts)

    def put_names(self, texts: Sequence[str], cuts: Cuts) -> None:
        """Put texts by their numbers."""
        self.packer.integers(numbered(self.names, texts, cuts), cuts)


def numbered(tables: Sequence[NumberedTexts], texts: Sequence[str], cuts: Cuts) -> Integers:
    """[n_texts] the number of each text in its shard's table; texts[cuts[n]:cuts[n + 1]] are in shard n."""
    parts = zip(tables, pairwise(cuts), strict=True)
    found = [known.index(text) for known, (first, last) in parts for text in texts[first:last]]
    return np.array(found, np.int64)


def put_columns(
    shards: Shards, drawn: dict[str, Drawn], read: Block, known: Callable[[Any], Any]
) -> list[str]:
    """Put all columns of the features of `read`; returns their types.

    `known` replaces unknown ids of tokens, as `Vocabulary.known` does.
    """
    return [_put_column(shards, each, read.raw[name], known) for name, each in drawn.items()]


def _put_column(shards: Shards, drawn: Drawn, column: RawColumn, known: Callable[[Any], Any]) -> str:
    if column.texts is not None:
        return _put_texts(shards, column.texts, column.valid.tolist())
    if column.offsets is None:
        return _put_numbers(shards, column)
    if drawn.info.kind == "histogram":
        Histograms(column).put(shards)
        return "h"
    return _put_lists(shards, drawn, column, known)


def _put_texts(shards: Shards, texts: Sequence[str], valid: list[bool]) -> str:
    cuts: list[int] = shards.edges.tolist()
    numbers = [
        1 + known.index(texts[at]) if valid[at] else 0
        for known, (first, last) in zip(shards.names, pairwise(cuts), strict=True)
        for at in range(first, last)
    ]
    shards.packer.integers(np.array(numbers, np.int64), cuts)
    return "s"


def _put_numbers(shards: Shards, column: RawColumn) -> str:
    values = np.asarray(column.fields[0])
    if values.dtype.kind == "f":
        letter = _float_letter(values)
        values = np.where(column.valid, values, values.dtype.type(np.nan))
    else:
        letter = "i"
        values = np.where(column.valid, 1 + zigzag(values), 0)
    shards.put_plain(letter, values, shards.edges.tolist())
    return letter


def _float_letter(values: NDArray[Any]) -> str:
    return "f" if values.dtype == np.float32 else "d"


def _list_lengths(column: RawColumn) -> Integers:
    """[n] of lists: 0 for none, else 1 + number of entries."""
    return np.where(column.valid, 1 + np.diff(np.asarray(column.offsets)), 0)


def _put_lists(shards: Shards, drawn: Drawn, column: RawColumn, known: Callable[[Any], Any]) -> str:
    shards.packer.integers(_list_lengths(column), shards.edges.tolist())
    cuts = shards.cuts(np.asarray(column.offsets))
    letters = "*"
    for name, field in zip(drawn.fields, column.fields, strict=True):
        letter, values = _entries(name, field, known)
        letters += letter
        if letter == "n":
            shards.put_names(values, cuts)
        elif letter == "p":
            shards.packer.integers(shards.pieces.tokens(values, cuts), cuts)
        else:
            shards.put_plain(letter, values, cuts)
    return letters


def _entries(name: str, field: NDArray[Any] | list[str], known: Callable[[Any], Any]) -> tuple[str, Any]:
    """A field of all entries of a column of lists: its letter, and what is put of it."""
    if isinstance(field, list):
        return "n", field
    if name == "token_id":
        return "p", known(field.astype(np.int32))
    if field.dtype.kind == "f":
        return _float_letter(field), field
    return "i", zigzag(field)


def steps(values: NDArray[Any], cuts: Cuts | Integers) -> NDArray[Any]:
    """Each of `values` less the one before it in its part; `cuts` are where the parts begin, and the end."""
    found = np.diff(values, prepend=0)
    edges = np.asarray(cuts)
    firsts = edges[:-1][np.diff(edges) > 0]
    found[firsts] = values[firsts]
    return found


class Histograms:
    """The bins of a histogram column, put after their numbers per feature.

    First an integer, 1 for bins of a regular grid: singles, the lowest and the highest bound of each
    feature that has bins; integers, the number of steps between them, per feature; signed, the steps up to
    each bin's lower bound, less those of the bin before (of another feature too); signed, what to add to
    the rank of the single at that step, for all lower and then all upper bounds. 0 is for any other bins:
    an integer s; signed, the rank of each lower bound divided by 2**s, less that of the bin before; signed,
    that of the upper bound less that of the lower. Then signed, all counts.

    The rank of a single is its bits as an integer for positive ones, minus those of its size for negative
    ones. The single at a step is lowest + (highest - lowest) * step / steps, in doubles, rounded once at
    the end.
    """

    def __init__(self, column: RawColumn) -> None:
        lower, upper, counts = (np.asarray(field) for field in column.fields)
        self._offsets = np.asarray(column.offsets)
        self._lengths = _list_lengths(column)
        self._counts = zigzag(counts)
        self._ranks = np.stack([_ranks(lower), _ranks(upper)])
        lengths = np.diff(self._offsets)
        filled = np.flatnonzero(lengths > 0)
        self._filled = row_bounds((lengths > 0).astype(np.int64))
        self._lay(lower, upper, self._offsets[filled], lengths[filled])

    def _lay(
        self, lower: NDArray[np.float32], upper: NDArray[np.float32], first: Integers, lengths: Integers
    ) -> None:
        """Lay every bin on the grid of its feature; `first` and `lengths` are those of features with bins."""
        self._low, self._high = lower[first].astype(np.float64), upper[first + lengths - 1].astype(np.float64)
        width = upper[first].astype(np.float64) - self._low
        with np.errstate(all="ignore"):
            steps = np.rint((self._high - self._low) / width)
            self._regular = np.isfinite(steps) & (steps >= 1) & (steps < _MOST_STEPS)
            low, high, each = (np.repeat(values, lengths) for values in (self._low, self._high, steps))
            at = np.rint((lower - low) / (high - low) * each)
            self._finite = np.isfinite(at)
            guesses = [(low + (high - low) * step / each).astype(np.float32) for step in (at, at + 1)]
            self._steps, self._at = steps.astype(np.int64), at.astype(np.int64)
        self._off = self._ranks - np.stack([_ranks(guess) for guess in guesses])

    def put(self, shards: Shards) -> None:
        """Put the bins of all features."""
        packer, edges, cuts = shards.packer, shards.edges, shards.cuts(self._offsets)
        filled = shards.cuts(self._filled)
        regular = self._are_regular(filled, cuts)
        packer.integers(self._lengths, edges.tolist())
        packer.integers(regular, range(len(edges)))
        features = np.repeat(regular, np.diff(filled))
        bins = np.repeat(regular, np.diff(cuts))
        own, within = (row_bounds(np.diff(each) * regular).tolist() for each in (filled, cuts))
        packer.singles(self._low[features], own)
        packer.singles(self._high[features], own)
        packer.integers(self._steps[features], own)
        packer.signed(steps(self._at[bins], within), within)
        for off in self._off:
            packer.signed(off[bins], within)
        for number in np.flatnonzero(~regular).tolist():
            self._put_ranks(packer, number, slice(cuts[number], cuts[number + 1]))
        packer.integers(self._counts, cuts)

    def _put_ranks(self, packer: Packer, number: int, part: slice) -> None:
        """Put the bounds of the bins `part`, which lie on no grid, into shard `number`."""
        ranks = self._ranks[:, part]
        shift = _common_zeros(ranks)
        ranks = ranks >> shift
        packer.integers_of(number, np.array([shift]))
        packer.integers_of(number, zigzag(np.diff(ranks[0], prepend=0)))
        packer.integers_of(number, zigzag(ranks[1] - ranks[0]))

    def _are_regular(self, filled: Cuts, cuts: Cuts) -> NDArray[np.bool_]:
        """[n_shards] whether the bins of each shard are near enough to the grids of their features."""
        off = np.abs(self._off)
        sizes = 2 * np.diff(cuts)
        near = 2 * _counted((off <= _CLOSE).sum(0), cuts)
        found = (_counted(~self._regular, filled) == 0) & (_counted(~self._finite, cuts) == 0)
        # Only where just half are close does the median need more than their number.
        for number in np.flatnonzero(found & (near == sizes) & (sizes > 0)).tolist():
            found[number] = np.median(off[:, cuts[number] : cuts[number + 1]]) <= _CLOSE
        return found & (sizes > 0) & (near >= sizes)


def _counted(values: NDArray[Any], cuts: Cuts) -> Integers:
    """[n_shards] sum of the `values` of each shard."""
    return np.diff(row_bounds(values)[np.asarray(cuts)])


def _ranks(values: NDArray[np.float32]) -> Integers:
    """Numbers in the same order as the singles, one more for the next larger single."""
    bits = values.view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


def _common_zeros(ranks: Integers) -> int:
    """How many lowest bits are 0 in all of `ranks`, at most 23."""
    together = int(np.bitwise_or.reduce(ranks, axis=None)) if ranks.size else 0
    return min(23, (together & -together).bit_length() - 1) if together else 0
