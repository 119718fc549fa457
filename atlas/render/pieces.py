"""The pieces of text that feature shards are made of: common ones once for the site, others once a shard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atlas.render.windows import flatten

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas.render.payloads import PiecesShard
    from atlas.render.windows import Vocabulary
    from atlas.store import AtlasStore

MOST_COMMON = 16384
"""Tokens in the site's common table: about 90 kB to load once."""

_SAMPLES = 12
_SAMPLED = 16


class CommonPieces:
    """The tokens that the examples hold most, in the order of their frequency: small numbers pack better."""

    def __init__(self, vocabulary: Vocabulary, counts: NDArray[np.int64]) -> None:
        """`counts` [vocabulary.size] says how often each token was seen; it need not be all the examples."""
        order = np.lexsort((np.arange(len(counts)), -counts))[:MOST_COMMON]
        self.vocabulary = vocabulary
        self.texts = vocabulary.texts(order.tolist())
        self.index = np.full(vocabulary.size, -1, np.int64)
        """[vocabulary.size] place of each token in `texts`; -1 for one that is not common."""
        self.index[order] = np.arange(len(order))

    @property
    def payload(self) -> PiecesShard:
        """Shard `pieces`."""
        return {"pieces": self.texts}


def common_pieces(store: AtlasStore, vocabulary: Vocabulary) -> CommonPieces:
    """Counted over the examples of some features of each SAE, spread evenly."""
    counts = np.zeros(vocabulary.size, np.int64)
    for entry in store.manifest.saes:
        if not store.has("examples", entry.slug):
            continue
        for start in {number * entry.n_features // _SAMPLES for number in range(_SAMPLES)}:
            stop = min(start + _SAMPLED, entry.n_features)
            rows = store.read_features("examples", entry.slug, start, stop, ["feature_idx", "token_ids"])
            _, ids = flatten(rows["token_ids"])
            known = vocabulary.known(ids.to_numpy(zero_copy_only=False))
            counts += np.bincount(known, minlength=vocabulary.size)
    return CommonPieces(vocabulary, counts)


class ShardPieces:
    """Numbers of the pieces of one shard: the common ones first, then those of its own."""

    def __init__(self, common: CommonPieces) -> None:
        self._common = common
        self._tokens: dict[int, int] = {}
        self._texts: dict[str, int] = {}
        self.own: list[str] = []
        """Texts of the pieces that are not common."""

    def tokens(self, ids: NDArray[np.integer]) -> NDArray[np.int64]:
        """Number of each of the known `ids`, each being a piece by itself."""
        found = self._common.index[ids]
        missing = np.flatnonzero(found < 0)
        if missing.size:
            rare, places = np.unique(ids[missing], return_inverse=True)
            found[missing] = np.array([self._token(token) for token in rare.tolist()], np.int64)[places]
        return found

    def known(self, ids: NDArray[np.int32]) -> NDArray[np.int32]:
        """`ids` with unknown ones replaced by the one that stands for them."""
        return self._common.vocabulary.known(ids)

    def whole(self, ids: NDArray[np.int32]) -> NDArray[np.bool_]:
        """For each of the known `ids` whether it is whole characters, and so a piece by itself."""
        return self._common.vocabulary.whole(ids)

    def text(self, text: str) -> int:
        """Number of a piece that is no token by itself."""
        if text not in self._texts:
            self._texts[text] = self._add(text)
        return self._texts[text]

    def _token(self, token: int) -> int:
        if token not in self._tokens:
            self._tokens[token] = self._add(self._common.vocabulary.text(token))
        return self._tokens[token]

    def _add(self, text: str) -> int:
        self.own.append(text)
        return len(self._common.texts) + len(self.own) - 1
