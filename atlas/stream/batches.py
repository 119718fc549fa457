"""Contexts in batches of one fixed shape, with the one mask that every statistic shares."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from atlas.sources.packing import PADDING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from atlas.config import MaskConfig
    from atlas.sources.packing import PackedContext


@dataclass(frozen=True)
class Mask:
    """Which tokens count."""

    special_ids: NDArray[np.int32]
    """Token ids that never count, sorted; empty when special tokens count."""
    first_positions: int
    """The first so many positions of every context do not count."""

    @classmethod
    def of(cls, config: MaskConfig, special_ids: Iterable[int]) -> Mask:
        """The mask that `config` asks for, given the tokenizer's special tokens."""
        ids = sorted(special_ids) if config.special_tokens else []
        return cls(np.array(ids, dtype=np.int32), config.first_positions)

    def counted(self, token_ids: NDArray[np.int32]) -> NDArray[np.bool_]:
        """[n_contexts, context_size] True where a token counts; padding never does."""
        counted = token_ids != PADDING
        if self.special_ids.size:
            counted &= ~np.isin(token_ids, self.special_ids)
        counted[:, : self.first_positions] = False
        return counted

    def words(self) -> str:
        """The mask in words, for the page."""
        parts = ["special tokens"] if self.special_ids.size else []
        if self.first_positions:
            parts.append(f"the first {self.first_positions} positions of every context")
        return " and ".join(parts) or "nothing"


@dataclass(frozen=True)
class ContextBatch:
    """A few whole contexts, before the model has seen them."""

    token_ids: NDArray[np.int32]
    """[n_contexts, context_size]; padding is -1."""
    document_idx: NDArray[np.int32]
    """[n_contexts, context_size]; padding is -1."""
    source_idx: NDArray[np.int16]
    """[n_contexts, context_size]; padding is -1."""
    context_idx: NDArray[np.int64]
    """[n_contexts] number of each context in the corpus."""
    counted: NDArray[np.bool_]
    """[n_contexts, context_size] True for the tokens left by the mask."""

    @cached_property
    def n_read(self) -> int:
        """Tokens read, masked ones included, padding not."""
        return int(np.count_nonzero(self.token_ids != PADDING))

    @cached_property
    def n_counted(self) -> int:
        """Tokens left by the mask."""
        return int(np.count_nonzero(self.counted))

    @cached_property
    def n_counted_contexts(self) -> int:
        """Contexts with at least one counted token."""
        return int(np.count_nonzero(self.counted.any(axis=1)))

    def padded_token_ids(self, n_contexts: int) -> NDArray[np.int64]:
        """[n_contexts, context_size] the model's input: whole rows of padding make up the fixed shape.

        One shape for every batch, because the last bits of a matrix product depend on it.
        """
        padded = np.full((n_contexts, self.token_ids.shape[1]), PADDING, dtype=np.int64)
        padded[: len(self.token_ids)] = self.token_ids
        return padded


def in_batches(contexts: Iterable[PackedContext], size: int, mask: Mask) -> Iterator[ContextBatch]:
    """`size` contexts at a time, in their order; the last batch may have fewer."""
    iterator = iter(contexts)
    while chunk := list(islice(iterator, size)):
        token_ids = np.stack([context.token_ids for context in chunk])
        yield ContextBatch(
            token_ids=token_ids,
            document_idx=np.stack([context.document_idx for context in chunk]),
            source_idx=np.stack([context.source_idx for context in chunk]),
            context_idx=np.array([context.context_idx for context in chunk], dtype=np.int64),
            counted=mask.counted(token_ids),
        )
