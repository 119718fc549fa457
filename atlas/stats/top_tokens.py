"""The tokens each feature fires on, and whether it is a feature of a single token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa

from atlas.schema import column
from atlas.stats.counts import CountTable
from atlas.stats.pairs import LEVELS, Pairs, context_levels, pairs_of
from atlas.stats.ragged import best_of_runs
from atlas.stats.token_lists import TokenListStatistic, token_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas.batch import ActivationBatch
    from atlas.stats.base import PassShape, State, Totals

SINGLE_SHARE = 0.9
"""A feature is of a single token from this share of its firings on."""
SINGLE_FIRINGS = 10
"""Below so many firings nothing is said about that."""

_SAMPLED = " Counted in the contexts that top_tokens counts (top_tokens_share)."


class TopTokens(TokenListStatistic):
    """The tokens each feature fires on, how evenly, and how reliably on the most frequent one."""

    name: ClassVar[str] = "top_tokens"
    quarters: ClassVar[int] = 2
    columns: ClassVar[tuple[pa.Field, ...]] = (
        *token_columns(
            "top_tokens",
            "The tokens it fires on, by summed activation (count = firing tokens of that id, value = mean"
            " activation over them).",
            quarters,
        ),
        column(
            "token_entropy",
            pa.float32(),
            doc="Entropy of the distribution of its firings over token ids: 0 if it fires on one token only;"
            " none if it did not fire." + _SAMPLED,
            kind="scalar",
            unit="nats",
        ),
        column(
            "top_token_share",
            pa.float32(),
            doc="Share of its firings that are on its most frequent token (of equally frequent ones the"
            " lowest id); none if it did not fire." + _SAMPLED,
            kind="scalar",
            unit="fraction",
        ),
        column(
            "top_token_recall",
            pa.float32(),
            doc="Share of the counted tokens with the id of its most frequent token on which it fires; none"
            " if it did not fire." + _SAMPLED,
            kind="scalar",
            unit="fraction",
        ),
        column(
            "single_token",
            pa.int8(),
            doc=f"1 for a token feature (top_token_share is at least {SINGLE_SHARE}), 0 for a context feature"
            f" (it is less); none below {SINGLE_FIRINGS} firings." + _SAMPLED,
            kind="scalar",
            label="single-token feature",
        ),
    )

    def __init__(self, shape: PassShape) -> None:
        super().__init__(shape)
        self.occurrences = CountTable(LEVELS, shape.vocabulary_size)
        """[LEVELS, vocabulary_size] counted tokens by level of their context and by id."""

    def tokens(self, batch: ActivationBatch) -> NDArray[np.int32]:
        """The token of each place; events are on counted tokens only."""
        return batch.token_ids

    def update(self, batch: ActivationBatch) -> None:
        """Count the events per feature and token, and how often each token occurs."""
        super().update(batch)
        context, position = np.nonzero(batch.counted)
        level = context_levels(self.shape.seed, batch.context_idx)
        self.occurrences.add(level[context], batch.token_ids[context, position])

    def merge(self, other: Any) -> None:
        """Add the counts."""
        super().merge(other)
        self.occurrences.merge(other.occurrences)

    def state(self) -> State:
        """The table of pairs, and the occurrences of each token by level of context."""
        return super().state() | self.occurrences.state("occurrences")

    def load(self, state: State) -> None:
        """Replace both."""
        super().load(state)
        self.occurrences.load(state, "occurrences")

    def finish(self, totals: Totals) -> dict[str, pa.Array]:
        """The list and what follows from the whole distribution."""
        del totals
        pairs = pairs_of(self._table.rows())
        return self._lists(pairs) | self._shape_of(pairs)

    def _shape_of(self, pairs: Pairs) -> dict[str, pa.Array]:
        """How a feature's firings are spread over tokens."""
        n_features = self.shape.n_features
        firings = np.zeros(n_features, dtype=np.int64)
        np.add.at(firings, pairs.feature_idx, pairs.count)
        fired = firings > 0
        most, token_id = np.zeros(n_features, dtype=np.int64), np.zeros(n_features, dtype=np.int64)
        # Sorted by token within a feature: the lowest id of the most frequent ones.
        first = best_of_runs(pairs.count, np.bincount(pairs.feature_idx, minlength=n_features)[fired])
        most[fired], token_id[fired] = pairs.count[first], pairs.token_id[first]
        from_level = self.occurrences.counts[::-1].cumsum(axis=0, dtype=np.int64)[::-1]
        occurrences = from_level[self._table.level, token_id]
        share = most / np.maximum(firings, 1)
        recall = most / np.maximum(occurrences, 1)
        known = firings >= SINGLE_FIRINGS
        return {
            "token_entropy": pa.array(_entropy(pairs, firings), pa.float32(), mask=~fired),
            "top_token_share": pa.array(share.astype(np.float32), pa.float32(), mask=~fired),
            "top_token_recall": pa.array(recall.astype(np.float32), pa.float32(), mask=~fired),
            "single_token": pa.array((share >= SINGLE_SHARE).astype(np.int8), pa.int8(), mask=~known),
        }


def _entropy(pairs: Pairs, firings: NDArray[np.int64]) -> NDArray[np.float32]:
    """[n_features] -sum p ln p over the tokens of each feature, 0 without any."""
    share = pairs.count / firings[pairs.feature_idx]
    terms = np.bincount(pairs.feature_idx, -share * np.log(share), minlength=firings.size)
    return np.maximum(terms, 0).astype(np.float32)
