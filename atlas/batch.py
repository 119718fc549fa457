"""The one record that crosses modules in memory: the sparse activations of a few contexts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class ActivationBatch:
    """The events (activation > 0 on a counted token) of `n_contexts` whole contexts of one SAE.

    A context is never split between batches, and no context occurs in two batches. Events on tokens
    that the mask leaves out are not in the batch at all, so every statistic counts alike. Events are
    sorted by (feature_idx, context, position).
    """

    n_features: int
    """d_sae."""
    feature_idx: NDArray[np.int32]
    """[n_events] which feature fired."""
    row: NDArray[np.int32]
    """[n_events] index into the flattened [n_contexts * context_size] tokens of this batch."""
    activation: NDArray[np.float32]
    """[n_events] value after the nonlinearity, > 0 and finite."""
    token_ids: NDArray[np.int32]
    """[n_contexts, context_size]; padding is -1."""
    counted: NDArray[np.bool_]
    """[n_contexts, context_size] True for the tokens left by the mask (the denominator)."""
    document_idx: NDArray[np.int32]
    """[n_contexts, context_size] the document each token belongs to; padding is -1."""
    source_idx: NDArray[np.int16]
    """[n_contexts, context_size] the source of each token's document (`Totals.sources`); padding is -1."""
    context_idx: NDArray[np.int64]
    """[n_contexts] number of each context in the corpus order, independent of batches and workers."""

    @property
    def context_size(self) -> int:
        """Tokens per context, padding included."""
        return int(self.token_ids.shape[1])

    @property
    def n_events(self) -> int:
        """Number of (token, feature) pairs that fire."""
        return int(self.feature_idx.size)

    @cached_property
    def n_tokens(self) -> int:
        """Number of counted tokens."""
        return int(np.count_nonzero(self.counted))

    @cached_property
    def context(self) -> NDArray[np.int32]:
        """[n_events] row of `token_ids` in which each event lies (not the global `context_idx`)."""
        return self.row // np.int32(self.context_size)

    @cached_property
    def position(self) -> NDArray[np.int32]:
        """[n_events] position of each event within its context, 0-based."""
        return self.row % np.int32(self.context_size)

    @cached_property
    def event_context_idx(self) -> NDArray[np.int64]:
        """[n_events] global context number of each event."""
        return self.context_idx[self.context]

    @cached_property
    def event_token_id(self) -> NDArray[np.int32]:
        """[n_events] the token each event fires on."""
        return self.token_ids.reshape(-1)[self.row]

    @cached_property
    def feature_starts(self) -> NDArray[np.int64]:
        """[n_fired] index of the first event of every feature that fires, ascending."""
        return _starts(self.feature_idx)

    @cached_property
    def fired(self) -> NDArray[np.int32]:
        """[n_fired] the features that fire, ascending."""
        return self.feature_idx[self.feature_starts]

    @cached_property
    def firings(self) -> NDArray[np.int64]:
        """[n_fired] number of events of each feature in `fired`."""
        return np.diff(self.feature_starts, append=self.n_events)

    @cached_property
    def run_starts(self) -> NDArray[np.int64]:
        """[n_runs] index of the first event of every run: the events of one feature in one context."""
        return _starts(self.feature_idx.astype(np.int64) * len(self.context_idx) + self.context)

    @cached_property
    def run_lengths(self) -> NDArray[np.int64]:
        """[n_runs] number of events of each run."""
        return np.diff(self.run_starts, append=self.n_events)


def _starts(keys: NDArray[np.integer]) -> NDArray[np.int64]:
    """Index of the first of every stretch of equal neighbours in `keys`."""
    changes = np.ones(keys.size, dtype=np.bool_)
    np.not_equal(keys[1:], keys[:-1], out=changes[1:])
    return np.flatnonzero(changes)
