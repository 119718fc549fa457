"""The pieces of text that feature shards are made of: common ones once for the site, others once a shard."""

from __future__ import annotations

import string
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from atlas.stats.lists import flat_numbers

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
    """Numbers of the pieces of one shard: the common ones first, then those of its own."""

    def __init__(self, common: CommonPieces) -> None:
        self._common = common
        self._numbers = common.index.copy()
        self._texts: dict[str, int] = {}
        self.own: list[str] = []
        """Texts of the pieces that are not common."""

    def tokens(self, ids: NDArray[np.integer]) -> NDArray[np.int64]:
        """Number of each of the known `ids`, each being a piece by itself."""
        found = self._numbers.take(ids)
        places = np.flatnonzero(found < 0)
        if places.size:
            missing = ids[places]
            # Several times faster than np.unique: a vocabulary is short.
            seen = np.zeros(self._numbers.size, np.bool_)
            seen[missing] = True
            rare = np.flatnonzero(seen)
            first = len(self._common.texts) + len(self.own)
            self._numbers[rare] = np.arange(first, first + rare.size)
            self.own += self._common.vocabulary.texts(rare.tolist())
            found[places] = self._numbers[missing]
        return found.astype(np.int64)

    def known(self, ids: NDArray[np.int32]) -> NDArray[np.int32]:
        """`ids` with unknown ones replaced by the one that stands for them."""
        return self._common.vocabulary.known(ids)

    def whole(self, ids: NDArray[np.int32]) -> NDArray[np.bool_]:
        """For each of the known `ids` whether it is whole characters, and so a piece by itself."""
        return self._common.vocabulary.whole(ids)

    def group(self, ids: Sequence[int]) -> list[tuple[str, int]]:
        """(text, number of tokens) of the pieces that neighbours make up, all of them parts of characters."""
        return self._common.vocabulary.group(ids)

    def text(self, text: str) -> int:
        """Number of a piece that is no token by itself."""
        if text not in self._texts:
            self._texts[text] = len(self._common.texts) + len(self.own)
            self.own.append(text)
        return self._texts[text]
