"""The columns of a feature shard, in the order and the forms of `atlas.render.feature_shards`.

What can be done for all features of a read at once is done once for them: a shard holds so few that every
call of numpy costs more than its work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from atlas.render.packing import zigzag
from atlas.stats.ragged import row_bounds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from atlas.render.dataset import Block, Drawn
    from atlas.render.packing import Packer
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

    def indices(self, texts: Sequence[str]) -> Integers:
        """[len(texts)] the number of each."""
        return np.array([self.index(text) for text in texts], np.int64)


@dataclass(frozen=True)
class Shard:
    """A shard in the making."""

    packer: Packer
    """Takes its numbers."""
    pieces: ShardPieces
    """Numbers its pieces."""
    names: NumberedTexts
    """Numbers its sources and texts."""


class _Column(Protocol):
    """A column of the features of a read."""

    @property
    def type(self) -> str:
        """Its type, as the text of a shard says it."""
        ...

    def put(self, shard: Shard, first: int, last: int) -> None:
        """Put the features first <= i < last, counted from the first of the read."""
        ...


class ReadColumns:
    """The columns of all features of a read."""

    def __init__(self, drawn: dict[str, Drawn], read: Block, known: Callable[[Any], Any]) -> None:
        """`known` replaces unknown ids of tokens, as `Vocabulary.known` does."""
        self._columns = [_column(each, read.raw[name], known) for name, each in drawn.items()]

    def put(self, shard: Shard, first: int, last: int) -> list[str]:
        """Put the features first <= i < last, counted from the first of the read; the columns' types."""
        for column in self._columns:
            column.put(shard, first, last)
        return [column.type for column in self._columns]


def _column(drawn: Drawn, column: RawColumn, known: Callable[[Any], Any]) -> _Column:
    if column.texts is not None:
        return _Texts(column.texts, column.valid.tolist())
    if column.offsets is None:
        return _numbers(column)
    if drawn.info.kind == "histogram":
        return _Histogram(Histograms(column))
    return _Lists(drawn, column, known)


class _Texts:
    type = "s"

    def __init__(self, texts: Sequence[str], valid: list[bool]) -> None:
        self._texts = texts
        self._valid = valid

    def put(self, shard: Shard, first: int, last: int) -> None:
        known = zip(self._texts[first:last], self._valid[first:last], strict=True)
        numbers = [1 + shard.names.index(text) if valid else 0 for text, valid in known]
        shard.packer.integers(np.array(numbers, np.int64))


@dataclass(frozen=True)
class _Numbers:
    type: str
    """Its type."""
    values: NDArray[Any]
    """[n] as they are put."""

    def put(self, shard: Shard, first: int, last: int) -> None:
        _put_plain(shard.packer, self.type, self.values[first:last])


def _put_plain(packer: Packer, letter: str, values: NDArray[Any]) -> None:
    if letter == "i":
        packer.integers(values)
    elif letter == "f":
        packer.singles(values)
    else:
        packer.doubles(values)


def _numbers(column: RawColumn) -> _Numbers:
    values = np.asarray(column.fields[0])
    if values.dtype.kind != "f":
        return _Numbers("i", np.where(column.valid, 1 + zigzag(values), 0))
    return _Numbers(_float_letter(values), np.where(column.valid, values, values.dtype.type(np.nan)))


def _float_letter(values: NDArray[Any]) -> str:
    return "f" if values.dtype == np.float32 else "d"


def _list_lengths(column: RawColumn) -> Integers:
    """[n] of lists: 0 for none, else 1 + number of entries."""
    return np.where(column.valid, 1 + np.diff(np.asarray(column.offsets)), 0)


class _Lists:
    def __init__(self, drawn: Drawn, column: RawColumn, known: Callable[[Any], Any]) -> None:
        self._lengths = _list_lengths(column)
        self._bounds: list[int] = np.asarray(column.offsets).tolist()
        named = zip(drawn.fields, column.fields, strict=True)
        self._fields = [_entries(name, field, known) for name, field in named]
        self.type = f"*{''.join(letter for letter, _ in self._fields)}"

    def put(self, shard: Shard, first: int, last: int) -> None:
        packer = shard.packer
        packer.integers(self._lengths[first:last])
        part = slice(self._bounds[first], self._bounds[last])
        for letter, values in self._fields:
            if letter == "n":
                packer.integers(shard.names.indices(values[part]))
            elif letter == "p":
                packer.integers(shard.pieces.tokens(values[part]))
            else:
                _put_plain(packer, letter, values[part])


def _entries(name: str, field: NDArray[Any] | list[str], known: Callable[[Any], Any]) -> tuple[str, Any]:
    """A field of all entries of a column of lists: its letter, and what is put of it."""
    if isinstance(field, list):
        return "n", field
    if name == "token_id":
        return "p", known(field.astype(np.int32))
    if field.dtype.kind == "f":
        return _float_letter(field), field
    return "i", zigzag(field)


@dataclass(frozen=True)
class _Histogram:
    bins: Histograms
    """What is put."""
    type: str = "h"
    """Its type."""

    def put(self, shard: Shard, first: int, last: int) -> None:
        self.bins.put(shard.packer, first, last)


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
        offsets = np.asarray(column.offsets)
        self._lengths = _list_lengths(column)
        self._bounds: list[int] = offsets.tolist()
        self._counts = zigzag(counts)
        self._ranks = np.stack([_ranks(lower), _ranks(upper)])
        lengths = np.diff(offsets)
        filled = np.flatnonzero(lengths > 0)
        self._filled: list[int] = row_bounds((lengths > 0).astype(np.int64)).tolist()
        self._lay(lower, upper, offsets[filled], lengths[filled])

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
        self._signed_off = zigzag(self._off)

    def put(self, packer: Packer, first: int, last: int) -> None:
        """Put the features first <= i < last, counted from the first of the read."""
        packer.integers(self._lengths[first:last])
        part = slice(self._bounds[first], self._bounds[last])
        features = slice(self._filled[first], self._filled[last])
        regular = self._is_regular(features, part)
        packer.integers(np.array([regular]))
        if regular:
            packer.singles(np.concatenate([self._low[features], self._high[features]]))
            packer.integers(self._steps[features])
            packer.signed(np.diff(self._at[part], prepend=0))
            packer.integers(self._signed_off[:, part].ravel())
        else:
            ranks = self._ranks[:, part]
            shift = _common_zeros(ranks)
            ranks = ranks >> shift
            packer.integers(np.array([shift]))
            packer.signed(np.diff(ranks[0], prepend=0))
            packer.signed(ranks[1] - ranks[0])
        packer.integers(self._counts[part])

    def _is_regular(self, features: slice, part: slice) -> bool:
        """Whether the bins `part` of the features with bins `features` are near enough to their grids."""
        if features.start == features.stop:
            return False
        if not (self._regular[features].all() and self._finite[part].all()):
            return False
        off = np.abs(self._off[:, part])
        near = 2 * np.count_nonzero(off <= _CLOSE)
        # Only where just half are close does the median need more than their number.
        return bool(near > off.size or (near == off.size and np.median(off) <= _CLOSE))


def _ranks(values: NDArray[np.float32]) -> Integers:
    """Numbers in the same order as the singles, one more for the next larger single."""
    bits = values.view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


def _common_zeros(ranks: Integers) -> int:
    """How many lowest bits are 0 in all of `ranks`, at most 23."""
    together = int(np.bitwise_or.reduce(ranks, axis=None)) if ranks.size else 0
    return min(23, (together & -together).bit_length() - 1) if together else 0
