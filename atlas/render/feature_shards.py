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
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.render.dataset import MAX_COLUMN, OncePerRead
from atlas.render.packed_columns import NumberedTexts, ReadColumns, Shard
from atlas.render.packed_examples import ReadEffects, ReadExamples
from atlas.render.packing import Packer
from atlas.render.pieces import CommonPieces, ShardPieces

if TYPE_CHECKING:
    from collections.abc import Sequence

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

    def parts(self, block: Block, hashes: Sequence[str]) -> list[bytes]:
        """The shard of the features of `block`, as parts of its bytes."""
        read = self._reads(block)
        first, last = block.start - block.read.start, block.stop - block.read.start
        packer, pieces, names = Packer(), ShardPieces(self.common), NumberedTexts()
        text: dict[str, Any] = {"start": block.start, "count": block.size, "common": len(self.common.texts)}
        text["titles"] = self._put_titles(packer, block)
        text |= self._put_explanations(packer, block)
        types = read.columns.put(Shard(packer, pieces, names), first, last)
        text["documents"], text["groups"] = read.examples.put(packer, pieces, first, last)
        if read.effects is None:
            packer.integers(np.zeros(block.size, np.int64))
        else:
            read.effects.put(packer, pieces, first, last)
        text |= {
            "own": pieces.own,
            "names": names.texts,
            "hashes": list(hashes),
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
        methods, names = NumberedTexts(), NumberedTexts()
        packer.integers(methods.indices(self.explanations.methods[part]))
        packer.integers(names.indices(self.explanations.score_names[part]))
        scores = [np.nan if score is None else score for score in self.explanations.scores[part]]
        packer.singles(np.array(scores, np.float32))
        return {
            "texts": list(self.explanations.texts[part]),
            "methods": methods.texts,
            "score_names": names.texts,
        }


class _Read:
    """What is done once for all features of a read."""

    def __init__(self, maker: ShardMaker, read: Block) -> None:
        vocabulary = maker.common.vocabulary
        self.columns = ReadColumns(maker.drawn, read, vocabulary.known)
        self.examples = ReadExamples(read, vocabulary, _largest(read), maker.documents)
        self.effects = None if read.effects is None else ReadEffects(read, read.effects, vocabulary)


def _largest(block: Block) -> NDArray[np.float64]:
    """[n] largest activation of each feature; 0 where it is not known."""
    if MAX_COLUMN not in block.raw:
        return np.zeros(block.size)
    return np.nan_to_num(np.asarray(block.raw[MAX_COLUMN].fields[0], np.float64))
