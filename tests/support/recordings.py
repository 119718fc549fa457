"""Made-up recordings for the statistics' tests, and the batches they arrive in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from atlas.batch import ActivationBatch
from atlas.stats.base import PassShape, Totals
from tests.support.oracle import Options, Recording
from tests.support.oracle_tokens import SOURCES

VOCABULARY = 40


def recording(
    seed: int = 0,
    *,
    n_contexts: int = 12,
    context_size: int = 16,
    n_features: int = 7,
    density: float = 0.15,
    levels: int | None = None,
    masked: float = 0.1,
    scale: float = 1.0,
    options: Options | None = None,
) -> Recording:
    """Random sparse activations. `levels` rounds them to so few values that ties are everywhere.

    Feature 0 never fires, feature 1 fires almost everywhere; the last context is padded; documents
    begin anywhere; a share `masked` of the tokens does not count (though features fire there).
    """
    rng = np.random.default_rng(seed)
    shape = (n_contexts, context_size)
    rates = np.full(n_features, density)
    rates[:1], rates[1:2] = 0.0, 0.9
    strength = np.exp(rng.normal(0, 1, (*shape, n_features)))
    if levels:
        strength = np.ceil(strength * levels / strength.max()) / levels * 3
    fires = rng.random((*shape, n_features)) < rates
    starts = rng.random(shape) < 0.1
    token_ids = rng.integers(0, VOCABULARY, shape)
    document_idx = np.cumsum(starts.reshape(-1)).reshape(shape)
    counted = rng.random(shape) >= masked
    padding = rng.integers(0, context_size)
    if padding:
        token_ids[-1, -padding:], document_idx[-1, -padding:], counted[-1, -padding:] = -1, -1, False
    return Recording(
        activations=np.where(fires, strength * scale, 0).astype(np.float32),
        token_ids=token_ids,
        counted=counted,
        document_idx=document_idx,
        options=options
        or Options(
            seed=seed, top=5, intervals=5, per_interval=2, random=3, before=4, after=3, sample=100, counter=2
        ),
    )


def copied(source: Recording, period: int = 3) -> Recording:
    """`source` with the tokens and documents of its first `period` contexts over and over."""
    count = len(source.token_ids)
    rows = np.arange(count) % period
    made = Recording(
        source.activations, source.token_ids[rows], source.counted, source.document_idx[rows], source.options
    )
    # The last context is padded: the copy must count nothing where the first ones are.
    made.counted &= made.token_ids >= 0
    made.__post_init__()
    return made


def shape_of(source: Recording) -> PassShape:
    """The shape under which the statistics see `source`."""
    options = source.options
    return PassShape(
        n_features=source.n_features,
        vocabulary_size=VOCABULARY,
        context_size=source.token_ids.shape[1],
        seed=options.seed,
        top_examples=options.top,
        interval_count=options.intervals,
        interval_examples=options.per_interval,
        random_examples=options.random,
        window_before=options.before,
        window_after=options.after,
        sample_tokens=options.sample,
        counter_examples=options.counter,
    )


def totals_of(source: Recording) -> Totals:
    """The denominators."""
    return Totals(int(source.counted.sum()), int(source.counted.any(axis=1).sum()), SOURCES)


def batch_of(source: Recording, contexts: Sequence[int]) -> ActivationBatch:
    """The contexts with the numbers `contexts`, in that order, as one batch."""
    rows = list(contexts)
    firing = source.firing[rows]
    context, position, feature = np.nonzero(firing)
    order = np.lexsort((position, context, feature))
    context, position, feature = context[order], position[order], feature[order]
    return ActivationBatch(
        n_features=source.n_features,
        feature_idx=feature.astype(np.int32),
        row=(context * source.token_ids.shape[1] + position).astype(np.int32),
        activation=firing[context, position, feature].astype(np.float32),
        token_ids=source.token_ids[rows].astype(np.int32),
        counted=source.counted[rows],
        document_idx=source.document_idx[rows].astype(np.int32),
        source_idx=source.source_idx[rows].astype(np.int16),
        context_idx=np.array(rows, dtype=np.int64),
    )


def batches_of(source: Recording, groups: Iterable[Sequence[int]]) -> list[ActivationBatch]:
    """One batch per group of contexts."""
    return [batch_of(source, group) for group in groups]


def in_order(source: Recording, size: int) -> list[list[int]]:
    """Groups of `size` contexts in corpus order."""
    count = len(source.token_ids)
    return [list(range(start, min(start + size, count))) for start in range(0, count, size)]


def shuffled(source: Recording, seed: int) -> list[list[int]]:
    """All contexts in random order, in groups of random size; some groups are empty."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(source.token_ids)).tolist()
    cuts = sorted(rng.integers(0, len(order) + 1, rng.integers(0, 6)).tolist())
    return [order[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(order)], strict=True)]


class RecordedContexts:
    """The contexts of a recording, read as those of a pass are (`atlas.stream.contexts`)."""

    def __init__(self, source: Recording) -> None:
        self._source = source
        self.context_size = source.token_ids.shape[1]
        self.numbers = range(len(source.token_ids))

    def read(self, context_idx: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(token_ids, document_idx) of the contexts asked for."""
        return (
            self._source.token_ids[context_idx].astype(np.int32),
            self._source.document_idx[context_idx].astype(np.int32),
        )
