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
   - `h` a histogram: integers [n], 0 for none, else 1 + number of bins; then see `packed_columns.Histograms`;
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
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from atlas.render.dataset import MAX_COLUMN, OncePerRead
from atlas.render.packed_columns import NumberedTexts, Shards, numbered, put_columns, steps
from atlas.render.packed_examples import put_effects, put_examples
from atlas.render.packing import Packer
from atlas.render.pieces import CommonPieces, ShardPieces, as_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from atlas.render.dataset import Block, Drawn
    from atlas.render.features import Explanations


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

    @cached_property
    def _reads(self) -> OncePerRead[_Read]:
        return OncePerRead(lambda read: _Read(self, read))

    @cached_property
    def titles(self) -> list[str]:
        """[n_features] the explanations as JSON: each is written many times."""
        return list(map(as_json, self.explanations.texts))

    @cached_property
    def document_names(self) -> list[str]:
        """[n_documents + 1] names of documents as JSON, and an empty one for those that are not known."""
        return list(map(as_json, [*self.documents, ""]))

    @cached_property
    def explained(self) -> NDArray[np.bool_]:
        """[n_features] whether there is one."""
        return np.array(list(map(bool, self.explanations.texts)), np.bool_)

    def content(self, block: Block, hashes: Sequence[str]) -> bytes:
        """The shard of the features of `block`, a part of what was read."""
        return self._reads(block).content(block.part_number, hashes)


class _Read:
    """The shards of all features of a read, packed together."""

    def __init__(self, maker: ShardMaker, read: Block) -> None:
        self._maker, self._read = maker, read
        count = len(read.edges) - 1
        vocabulary = maker.common.vocabulary
        self._packer, self._pieces = Packer(count), ShardPieces(maker.common, count)
        self._names = [NumberedTexts() for _ in range(count)]
        shards = Shards(self._packer, self._pieces, self._names, np.array(read.edges))
        self._titles = self._put_titles(shards.edges + read.start)
        self._methods = self._put_said(maker.explanations.methods)
        self._score_names = self._put_said(maker.explanations.score_names)
        scores = maker.explanations.scores[read.start : read.stop]
        self._packer.singles(np.array(scores, np.float32), read.edges)
        self._types = put_columns(shards, maker.drawn, read, vocabulary.known)
        self._documents, self._groups = put_examples(
            shards, read, vocabulary, _largest(read), maker.document_names
        )
        if read.effects is None:
            self._packer.integers(np.zeros(read.size, np.int64), read.edges)
        else:
            put_effects(shards, read, read.effects, vocabulary)

    def _put_titles(self, edges: NDArray[np.int64]) -> list[list[int]]:
        """Put the features of other shards that are named, those with an explanation; they, of each shard.

        `edges` are the first features of the shards, and one past the last.
        """
        drawn, raw = self._maker.drawn, self._read.raw
        lists = [raw[name] for name, each in drawn.items() if each.info.kind == "feature_list"]
        explained = self._maker.explained
        keys = np.empty(0, np.int64)
        for column in lists:
            named, offsets = np.asarray(column.fields[0], np.int64), np.asarray(column.offsets)
            shards = np.repeat(np.arange(len(edges) - 1), np.diff(offsets[edges - edges[0]]))
            known = (named >= 0) & (named < len(explained))
            known &= (named < edges[shards]) | (named >= edges[shards + 1])
            known[known] = explained[named[known]]
            keys = np.append(keys, shards[known] * len(explained) + named[known])
        keys = np.unique(keys)
        features = keys % max(len(explained), 1)
        cuts: list[int] = np.searchsorted(keys, np.arange(len(edges)) * len(explained)).tolist()
        self._packer.integers(steps(features, cuts), cuts)
        plain: list[int] = features.tolist()
        return [plain[first:last] for first, last in pairwise(cuts)]

    def _put_said(self, texts: Sequence[str]) -> list[NumberedTexts]:
        """Put what is said of each explanation, as its number among what the shard says."""
        tables = [NumberedTexts() for _ in self._names]
        read = self._read
        self._packer.integers(numbered(tables, texts[read.start : read.stop], read.edges), read.edges)
        return tables

    def content(self, number: int, hashes: Sequence[str]) -> bytes:
        """The shard `number` of the read."""
        start, stop = (self._read.start + edge for edge in self._read.edges[number : number + 2])
        titles, drawn = self._maker.titles, self._maker.drawn
        fields = {
            "start": str(start),
            "count": str(stop - start),
            "common": str(len(self._maker.common.texts)),
            "titles": _row(titles[feature] for feature in self._titles[number]),
            "texts": _row(titles[start:stop]),
            "methods": as_json(self._methods[number].texts),
            "score_names": as_json(self._score_names[number].texts),
            "documents": _row(self._documents[number]),
            "own": _row(self._pieces.own[number]),
            "names": as_json(self._names[number].texts),
            "hashes": as_json(list(hashes)),
            "groups": as_json(self._groups[number]),
            "types": as_json(self._types),
            "largest": str(list(drawn).index(MAX_COLUMN) if MAX_COLUMN in drawn else -1),
        }
        text = ",".join(f'"{name}":{value}' for name, value in fields.items())
        return self._packer.content(number, f"{{{text}}}".encode())


def _row(values: Iterable[str]) -> str:
    """A JSON list of `values`, which are JSON already."""
    return f"[{','.join(values)}]"


def _largest(block: Block) -> NDArray[np.float64]:
    """[n] largest activation of each feature; 0 where it is not known."""
    if MAX_COLUMN not in block.raw:
        return np.zeros(block.size)
    return np.nan_to_num(np.asarray(block.raw[MAX_COLUMN].fields[0], np.float64))
