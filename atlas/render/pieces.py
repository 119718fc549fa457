"""The pieces of text that feature shards are made of: common ones once for the site, others once a shard."""

from __future__ import annotations

import json
import string
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from atlas.stats.lists import flat_numbers
from atlas.stats.ragged import ranges, row_bounds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from atlas.render.payloads import PiecesShard
    from atlas.render.windows import Vocabulary
    from atlas.store import AtlasStore

MOST_COMMON = 16384
"""Tokens in the site's common table: about 90 kB to load once."""

FIRST_BY_NUMBER = 128
"""So many of the most frequent stay in the order of their frequency: they take one byte."""

MOST_SHARED = 35
"""Characters a piece may share with the one before: what one digit of base 36 can say."""

_SAMPLES = 12
_SAMPLED = 16
_DIGITS = string.digits + string.ascii_lowercase


as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
"""A value as JSON, as short as it goes; `ValueError` for NaN."""


class CommonPieces:
    """The tokens that the examples hold most, the frequent ones first: small numbers pack better.

    After the first, every run of places that doubles their number is in the order of the texts. Frequencies
    within a run differ little, and neighbours in the alphabet need only say how they differ.
    """

    def __init__(self, vocabulary: Vocabulary, counts: NDArray[np.int64]) -> None:
        """`counts` [vocabulary.size] says how often each token was seen; it need not be all the examples."""
        order = np.lexsort((np.arange(len(counts)), -counts))[:MOST_COMMON]
        texts = dict(zip(order.tolist(), vocabulary.texts(order.tolist()), strict=True))
        start = FIRST_BY_NUMBER
        while start < len(order):
            order[start : 2 * start] = sorted(order[start : 2 * start].tolist(), key=lambda t: (texts[t], t))
            start *= 2
        self.vocabulary = vocabulary
        self.texts = [texts[token] for token in order.tolist()]
        self.index = np.full(vocabulary.size, -1, np.int32)
        """[vocabulary.size] place of each token in `texts`; -1 for one that is not common."""
        self.index[order] = np.arange(len(order))
        self.commonest = int(order[0])
        """The token whose place is 0."""

    @cached_property
    def json_texts(self) -> list[str]:
        """[vocabulary.size] the text of each token as JSON: rare ones stand in many shards."""
        return list(map(as_json, self.vocabulary.texts(range(self.vocabulary.size))))

    @property
    def payload(self) -> PiecesShard:
        """Shard `pieces`."""
        shared = [_shared(one, next_) for one, next_ in pairwise(["", *self.texts])]
        return {
            "shared": "".join(_DIGITS[count] for count in shared),
            "rest": [text[count:] for text, count in zip(self.texts, shared, strict=True)],
        }


def _shared(one: str, other: str) -> int:
    """How many first characters are in both: `MOST_SHARED` at most, none that JavaScript counts twice."""
    count = 0
    for first, second in zip(one[:MOST_SHARED], other, strict=False):
        if first != second or first > "\uffff":
            break
        count += 1
    return count


def common_pieces(store: AtlasStore, vocabulary: Vocabulary) -> CommonPieces:
    """Counted over the examples of some features of each SAE, spread evenly."""
    counts = np.zeros(vocabulary.size, np.int64)
    for entry in store.manifest.saes:
        if not store.has("examples", entry.slug):
            continue
        for start in {number * entry.n_features // _SAMPLES for number in range(_SAMPLES)}:
            stop = min(start + _SAMPLED, entry.n_features)
            rows = store.read_features("examples", entry.slug, start, stop, ["feature_idx", "token_ids"])
            known = vocabulary.known(flat_numbers(rows["token_ids"])[1])
            counts += np.bincount(known, minlength=vocabulary.size)
    return CommonPieces(vocabulary, counts)


class ShardPieces:
    """Numbers of the pieces of consecutive shards: in each the common ones first, then those of its own."""

    def __init__(self, common: CommonPieces, shards: int) -> None:
        self.own: list[list[str]] = [[] for _ in range(shards)]
        """Of each shard the texts of the pieces that are not common, as JSON."""
        self._common = common
        self._texts: list[dict[str, int]] = [{} for _ in range(shards)]
        self._numbers = np.zeros(shards * common.vocabulary.size, np.int32)
        """[n_shards * vocabulary.size] 1 + the number of each token that a shard has of its own, else 0."""

    def tokens(self, ids: NDArray[np.integer], cuts: Sequence[int]) -> NDArray[np.int32]:
        """Number of each of the known `ids`, each a piece by itself, ids[cuts[n]:cuts[n + 1]] in shard n."""
        found = self._common.index.take(ids)
        places = np.flatnonzero(found < 0)
        if places.size:
            shards = np.searchsorted(cuts, places, side="right") - 1
            keys = shards * self._common.vocabulary.size + ids[places]
            self._add(keys[self._numbers[keys] == 0])
            found[places] = self._numbers[keys] - 1
        return found

    def _add(self, keys: NDArray[np.int64]) -> None:
        """Give numbers to tokens that have none, `keys` being their places in `_numbers`."""
        # Several times faster than np.unique: a vocabulary is short.
        seen = np.zeros(self._numbers.size, np.bool_)
        seen[keys] = True
        new = np.flatnonzero(seen)
        shards, tokens = np.divmod(new, self._common.vocabulary.size)
        counts = np.bincount(shards, minlength=len(self.own))
        first = np.array([len(own) for own in self.own]) + len(self._common.texts)
        self._numbers[new] = 1 + ranges(first, counts)
        texts = list(map(self._common.json_texts.__getitem__, tokens.tolist()))
        for own, (start, stop) in zip(self.own, pairwise(row_bounds(counts).tolist()), strict=True):
            own.extend(texts[start:stop])

    @property
    def commonest(self) -> int:
        """A token that has a number in every shard."""
        return self._common.commonest

    def text(self, shard: int, text: str) -> int:
        """Number in `shard` of a piece that is no token by itself."""
        known, own = self._texts[shard], self.own[shard]
        if text not in known:
            known[text] = len(self._common.texts) + len(own)
            own.append(as_json(text))
        return known[text]
