"""Feature shards: everything that a feature page shows, `features_per_shard` features at a time.

The bytes are those of `atlas.render.packing`. The text is a JSON object:

- `start`, `count`: the features `start` to `start + count - 1`; below, [n] is one number per feature;
- `common`: how many pieces of the shard `pieces` come before those of `own`; a piece is an index into both
  together;
- `own`, `documents`, `names`: texts of pieces, of documents, and of sources and columns of texts;
- `titles`: explanations of features of other shards that are named here;
- `texts`, `methods`, `score_names`: [n] the features' explanations; the texts that `method` and
  `score_name` choose from;
- `hashes`: [n] the content hashes;
- `groups`: names of the groups of examples;
- `types`: one per column, see below; `largest`: the column of `max_activation`, -1 for none.

The numbers follow in this order. "Signed" is a zigzag integer, "based" is a signed smallest and then each
less that.

1. Titles: integers, the difference of each feature to the one before (the first to 0).
2. Explanations: integers [n] method; integers [n] score name; singles [n] score.
3. Every column, by its type:
   - `i` integers [n]: 0 for none, else 1 + the signed number; `f` singles [n]; `d` doubles [n];
   - `s` integers [n]: 0 for none, else 1 + index into `names`;
   - `h` a histogram: integers [n], 0 for none, else 1 + number of bins; then see `_put_histogram`;
   - `*` and a letter per field: integers [n], 0 for none, else 1 + number of entries; then field by field
     all entries: `p` integers, a piece; `n` integers, an index into `names`; `i` signed; `f` singles; `d`
     doubles.
4. Examples: integers [n] groups per feature; of all groups integers: index into `groups`, then number of
   examples; singles: all lower, then all upper bounds. Of all examples: singles, activation; based, one
   after the other: document, context, position, copies, place of the peak, number of pieces, number of
   pieces with heat. Then of all heat the places (integers, the difference to the place before in the same
   example, the first to 0) and the strengths (integers); then the pieces of all examples (integers).
5. Effects: integers [n] examples with effects per feature; of all of these integers: rank, number of
   pieces, number of raised, number of lowered; singles: effects on all pieces; then raised and lowered,
   each: integers, the pieces; singles, measured; singles, direct.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.render.dataset import MAX_COLUMN
from atlas.render.packed_examples import put_effects, put_examples
from atlas.render.packing import Packer, zigzag
from atlas.render.pieces import CommonPieces, ShardPieces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from atlas.render.dataset import Block, Drawn
    from atlas.render.features import Explanations
    from atlas.render.raw import RawColumn

_CLOSE = 4
_MOST_STEPS = 1 << 20


@dataclass(frozen=True)
class ShardMaker:
    """Makes the feature shards of one SAE."""

    drawn: dict[str, Drawn]
    """The columns, by name."""
    common: CommonPieces
    """The site's common pieces."""
    documents: list[str]
    """Names of all documents."""
    explanations: Explanations
    """The explanations of all features."""

    def parts(self, block: Block, hashes: Sequence[str]) -> list[bytes]:
        """The shard of the features of `block`, as parts of its bytes."""
        packer, pieces = Packer(), ShardPieces(self.common)
        names = _Table()
        text: dict[str, Any] = {"start": block.start, "count": block.size, "common": len(self.common.texts)}
        text["titles"] = self._put_titles(packer, block)
        text |= self._put_explanations(packer, block)
        put = _ColumnPacker(packer, pieces, names)
        types = [put.column(drawn, block.raw[name]) for name, drawn in self.drawn.items()]
        largest = _largest(block)
        text["documents"] = put_examples(packer, block, pieces, self.documents, largest)
        put_effects(packer, block, pieces)
        text |= {
            "own": pieces.own,
            "names": names.texts,
            "hashes": list(hashes),
            "groups": block.windows.groups,
            "types": types,
            "largest": list(self.drawn).index(MAX_COLUMN) if MAX_COLUMN in self.drawn else -1,
        }
        return packer.parts(text)

    def _put_titles(self, packer: Packer, block: Block) -> list[str]:
        lists = [
            block.raw[name].fields[0]
            for name, drawn in self.drawn.items()
            if drawn.info.kind == "feature_list"
        ]
        named = np.unique(np.concatenate([np.empty(0, np.int64), *lists]).astype(np.int64))
        outside = named[(named < block.start) | (named >= block.stop)].tolist()
        texts = self.explanations.texts
        known = [feature for feature in outside if 0 <= feature < len(texts) and texts[feature]]
        packer.integers(np.diff(np.array(known, np.int64), prepend=0))
        return [texts[feature] for feature in known]

    def _put_explanations(self, packer: Packer, block: Block) -> dict[str, list[str]]:
        part = slice(block.start, block.stop)
        methods, names = _Table(), _Table()
        packer.integers(np.array([methods.index(text) for text in self.explanations.methods[part]], np.int64))
        packer.integers(
            np.array([names.index(text) for text in self.explanations.score_names[part]], np.int64)
        )
        scores = [np.nan if score is None else score for score in self.explanations.scores[part]]
        packer.singles(np.array(scores, np.float32))
        return {
            "texts": list(self.explanations.texts[part]),
            "methods": methods.texts,
            "score_names": names.texts,
        }


class _Table:
    """Texts by number, each once."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    @property
    def texts(self) -> list[str]:
        return list(self._places)

    def index(self, text: str) -> int:
        return self._places.setdefault(text, len(self._places))


def _largest(block: Block) -> NDArray[np.float64]:
    """[n] largest activation of each feature; 0 where it is not known."""
    if MAX_COLUMN not in block.raw:
        return np.zeros(block.size)
    return np.nan_to_num(np.asarray(block.raw[MAX_COLUMN].fields[0], np.float64))


@dataclass(frozen=True)
class _ColumnPacker:
    packer: Packer
    pieces: ShardPieces
    names: _Table

    def column(self, drawn: Drawn, column: RawColumn) -> str:
        """Put a column; returns its type."""
        packer = self.packer
        if column.texts is not None:
            known = zip(column.texts, column.valid.tolist(), strict=True)
            numbers = [1 + self.names.index(text) if valid else 0 for text, valid in known]
            packer.integers(np.array(numbers, np.int64))
            return "s"
        if column.offsets is None:
            return _put_numbers(packer, column)
        packer.integers(np.where(column.valid, 1 + np.diff(column.offsets), 0))
        if drawn.info.kind == "histogram":
            _put_histogram(packer, column)
            return "h"
        letters = (self._field(name, field) for name, field in zip(drawn.fields, column.fields, strict=True))
        return f"*{''.join(letters)}"

    def _field(self, name: str, field: NDArray[Any] | list[str]) -> str:
        """Put one field of all entries of a column of lists; returns its letter."""
        if isinstance(field, list):
            self.packer.integers(np.array([self.names.index(text) for text in field], np.int64))
            return "n"
        if name == "token_id":
            self.packer.integers(self.pieces.tokens(self.pieces.known(field.astype(np.int32))))
            return "p"
        if field.dtype.kind == "f":
            return _put_floats(self.packer, field)
        self.packer.signed(field)
        return "i"


def _put_numbers(packer: Packer, column: RawColumn) -> str:
    values = np.asarray(column.fields[0])
    if values.dtype.kind != "f":
        packer.integers(np.where(column.valid, 1 + zigzag(values), 0))
        return "i"
    return _put_floats(packer, np.where(column.valid, values, values.dtype.type(np.nan)))


def _put_floats(packer: Packer, values: NDArray[Any]) -> str:
    if values.dtype == np.float32:
        packer.singles(values)
        return "f"
    packer.doubles(values)
    return "d"


def _put_histogram(packer: Packer, column: RawColumn) -> None:
    """Put the bins of a histogram column, after their numbers per feature.

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
    lower, upper, counts = (np.asarray(field) for field in column.fields)
    offsets = np.asarray(column.offsets)
    grid = _grid(lower, upper, offsets)
    packer.integers(np.array([grid is not None]))
    if grid is not None:
        for put, values in zip(
            (packer.singles, packer.integers, packer.signed, packer.signed), grid, strict=True
        ):
            put(values)
    else:
        ranks = np.stack([_ranks(lower), _ranks(upper)])
        shift = _common_zeros(ranks)
        ranks >>= shift
        packer.integers(np.array([shift]))
        packer.signed(np.diff(ranks[0], prepend=0))
        packer.signed(ranks[1] - ranks[0])
    packer.signed(counts)


def _grid(
    lower: NDArray[np.float32], upper: NDArray[np.float32], offsets: NDArray[np.int64]
) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]] | None:
    """Bounds, numbers of steps, steps and corrections of the bins; None where they are of no regular grid."""
    filled = np.flatnonzero(np.diff(offsets) > 0)
    if not filled.size:
        return None
    lengths = np.diff(offsets)[filled]
    first = offsets[filled]
    low, high = lower[first].astype(np.float64), upper[first + lengths - 1].astype(np.float64)
    width = upper[first].astype(np.float64) - low
    with np.errstate(all="ignore"):
        steps = np.rint((high - low) / width)
        if not (np.isfinite(steps) & (steps >= 1) & (steps < _MOST_STEPS)).all():
            return None
        each = [np.repeat(values, lengths) for values in (low, high, steps)]
        at = np.rint((lower - each[0]) / (each[1] - each[0]) * each[2])
        if not np.isfinite(at).all():
            return None
        guesses = [
            (each[0] + (each[1] - each[0]) * step / each[2]).astype(np.float32) for step in (at, at + 1)
        ]
    off = [_ranks(edge) - _ranks(guess) for edge, guess in zip((lower, upper), guesses, strict=True)]
    if np.median(np.abs(off)) > _CLOSE:
        return None
    bounds = np.concatenate([low, high]).astype(np.float32)
    return bounds, steps.astype(np.int64), np.diff(at.astype(np.int64), prepend=0), np.concatenate(off)


def _ranks(values: NDArray[np.float32]) -> NDArray[np.int64]:
    """Numbers in the same order as the singles, one more for the next larger single."""
    bits = values.view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


def _common_zeros(ranks: NDArray[np.int64]) -> int:
    """How many lowest bits are 0 in all of `ranks`, at most 23."""
    together = int(np.bitwise_or.reduce(ranks, axis=None)) if ranks.size else 0
    return min(23, (together & -together).bit_length() - 1) if together else 0
