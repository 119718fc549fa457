"""What a statistic is: a commutative monoid over activation batches that ends in documented columns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

    from atlas.batch import ActivationBatch

State = dict[str, NDArray[np.generic]]
"""A statistic's whole memory as named arrays: what is committed to disk and merged."""


@dataclass(frozen=True)
class PassShape:
    """The sizes and options every statistic is built with; equal for all workers of one pass."""

    n_features: int
    """d_sae."""
    vocabulary_size: int
    """Number of token ids; ids are below it."""
    context_size: int
    """Tokens per packed sequence."""
    seed: int
    """Seed of the keyed hash behind every sample."""
    top_examples: int
    """Strongest examples kept per feature."""
    interval_count: int
    """Equal-width intervals of strength over (0, max]."""
    interval_examples: int
    """Examples shown per interval."""
    random_examples: int
    """Random firing contexts kept per feature."""
    window_before: int
    """Tokens shown before an example's own token, at most."""
    window_after: int
    """Tokens shown after it, at most."""
    sample_tokens: int
    """Tokens of the contexts on which all that fires is kept, to see features together; about so many."""
    counter_examples: int
    """Counter-examples of each kind kept per feature."""


@dataclass(frozen=True)
class Totals:
    """What the pass counted as a whole: the denominators."""

    n_tokens: int
    """Counted tokens (left by the mask)."""
    n_contexts: int
    """Packed sequences with at least one counted token."""
    sources: tuple[str, ...] = ()
    """Names of the corpus's sources: source number i of a batch is called so (untrusted)."""


@dataclass(frozen=True)
class Selection:
    """Corpus positions a statistic wants shown, with the activations around them. All arrays [n]."""

    group: str
    """'top', 'interval', 'random', 'same_token' or 'near_miss' (see `atlas.schema.EXAMPLES`)."""
    feature_idx: NDArray[np.int32]
    """The feature shown."""
    interval: NDArray[np.int8]
    """-1 outside 'interval'."""
    interval_lower: NDArray[np.float32]
    """Lower bound of the interval, exclusive; 0 outside 'interval'."""
    interval_upper: NDArray[np.float32]
    """Upper bound, inclusive; 0 outside 'interval'."""
    rank: NDArray[np.int16]
    """Order within group and interval, from 0."""
    activation: NDArray[np.float32]
    """Activation at `position`; 0 in the groups where the feature is silent."""
    context_idx: NDArray[np.int64]
    """Number of the context in corpus order."""
    position: NDArray[np.int32]
    """Position within the context, from 0."""
    window: NDArray[np.float32]
    """[n, window_before + 1 + window_after] the feature's activations around `position`, 0 outside."""


class Statistic(ABC):
    """One mergeable per-feature statistic; one file each, registered under `atlas.statistics`.

    The laws, held by `tests/laws` for every registered statistic: `update` over any split of the
    corpus into batches, followed by `merge` in any order, gives the same `finish`; an empty batch
    changes nothing; `load(state())` gives an equal statistic. Exact integers stay integers; float
    sums are accumulated in float64.
    """

    name: ClassVar[str]
    """Unique name, the entry point's too."""
    columns: ClassVar[tuple[pa.Field, ...]] = ()
    """Columns added to the features table, made with `atlas.schema.column`."""

    def __init__(self, shape: PassShape) -> None:
        self.shape = shape

    @abstractmethod
    def update(self, batch: ActivationBatch) -> None:
        """Take in one batch; called once per batch, must cost O(events) and keep no reference."""

    @abstractmethod
    def merge(self, other: Any) -> None:
        """Take in another instance of the same class and `shape` that saw other contexts."""

    @abstractmethod
    def state(self) -> State:
        """The memory as arrays; `load` gets exactly these back."""

    @abstractmethod
    def load(self, state: State) -> None:
        """Replace the memory by `state`."""

    def finish(self, totals: Totals) -> dict[str, pa.Array]:
        """The columns, each of length n_features, with exactly the declared types."""
        del totals
        return {}

    def selections(self, start: int, stop: int, features: pa.Table) -> list[Selection]:
        """Examples to show of the features start <= feature_idx < stop; most statistics have none.

        `features` [stop - start] are the finished rows of these features, with the columns of all
        statistics. Asked range by range, so that the windows of all are never in memory at once.
        """
        del start, stop, features
        return []
