"""What fires together, and where a feature is silent against expectation: read off one token sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import pyarrow as pa

from atlas.schema import COACTIVATION_LIST, column
from atlas.stats.base import PassShape, Selection, State, Statistic, Totals
from atlas.stats.cooccurrence import Partners, strongest_partners
from atlas.stats.counter_examples import Places, candidates, near_miss, same_token
from atlas.stats.lists import flatten, struct_lists
from atlas.stats.pool import selection
from atlas.stats.ragged import ranks
from atlas.stats.token_sample import ContextSample, TokenSample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas.batch import ActivationBatch

SHOWN = 10
"""Partners per feature in the column."""


class Coactivation(Statistic):
    """Features that fire on the same tokens, and counter-examples, over a hash sample of contexts.

    The sample is the ceil(`sample_tokens` / `context_size`) contexts of highest hash priority, with all
    that fires there; every pair of features of the SAE is looked at.
    """

    name: ClassVar[str] = "coactivation"
    columns: ClassVar[tuple[pa.Field, ...]] = (
        column(
            "coactivation",
            COACTIVATION_LIST,
            doc="The features that fire on the same tokens, of the whole SAE, by phi (value): the Pearson"
            " correlation of the two firing indicators over the sampled tokens (see sampled_tokens). count"
            " = sampled tokens on which both fire, at least 2; pmi = ln(P(both) / (P(one) P(other))) in"
            " nats. Only phi above 0; ties: lower number first.",
            kind="feature_list",
            unit="correlation",
            label="fires together with",
        ),
        column(
            "sampled_tokens",
            pa.int64(),
            doc="Counted tokens of the sample behind coactivation and the counter-examples: whole contexts,"
            " drawn by a hash; the same ones for all features.",
            kind="hidden",
            unit="tokens",
        ),
        column(
            "sampled_firing_tokens",
            pa.int64(),
            doc="How many of sampled_tokens the feature fires on.",
            kind="hidden",
            unit="tokens",
        ),
    )

    def __init__(self, shape: PassShape) -> None:
        super().__init__(shape)
        self._collected = ContextSample(shape)
        self._seen: _View | None = None

    def update(self, batch: ActivationBatch) -> None:
        """Take in those contexts that belong to the sample as it stands."""
        self._seen = None
        self._collected.add(batch)

    def merge(self, other: Self) -> None:
        """Keep the contexts of highest priority of both."""
        self._seen = None
        self._collected.merge(other._collected)

    def state(self) -> State:
        """The sampled contexts and their events."""
        return self._collected.state()

    def load(self, state: State) -> None:
        """Replace them."""
        self._seen = None
        self._collected.load(state)

    def finish(self, totals: Totals) -> dict[str, pa.Array]:
        """The partners of every feature, and the counts they rest on."""
        del totals
        view = self._view()
        sample, found = view.sample, view.partners
        lengths = np.bincount(found.feature_idx, minlength=self.shape.n_features)
        tokens = np.full(self.shape.n_features, sample.n_tokens, dtype=np.int64)
        return {
            "coactivation": struct_lists(
                COACTIVATION_LIST, lengths, found.partner, found.phi, found.count, found.pmi
            ),
            "sampled_tokens": pa.array(tokens, pa.int64()),
            "sampled_firing_tokens": pa.array(sample.firings, pa.int64()),
        }

    def selections(self, start: int, stop: int, features: pa.Table) -> list[Selection]:
        """Counter-examples of some features: on the first of their `top_tokens`, and among their partners."""
        shape, view = self.shape, self._view()
        if not shape.counter_examples or not view.sample.n_tokens:
            return []
        tokens = _first_tokens(features, stop - start)
        chosen = {
            "same_token": same_token(view.sample, start, tokens, shape),
            "near_miss": view.missed.between(start, stop),
        }
        found: list[Selection] = []
        for group, places in chosen.items():
            kept = candidates(view.sample, places, shape)
            found.append(selection(group, kept, ranks(kept.feature_idx), shape))
        return found

    def _view(self) -> _View:
        if self._seen is None:
            sample = self._collected.sample()
            partners = strongest_partners(sample, SHOWN)
            self._seen = _View(sample, partners, near_miss(sample, partners, self.shape))
        return self._seen


@dataclass(frozen=True)
class _View:
    """What follows from the sample as it stands; most of the time at the end goes into it."""

    sample: TokenSample
    partners: Partners
    missed: Places


def _first_tokens(features: pa.Table, n_features: int) -> NDArray[np.int64]:
    """[n_features] the first of each feature's `top_tokens`; -1 where there is none."""
    tokens = np.full(n_features, -1, dtype=np.int64)
    if "top_tokens" in features.column_names:
        bounds, entries = flatten(features["top_tokens"])
        some = np.flatnonzero(np.diff(bounds))
        tokens[some] = entries.field("token_id").to_numpy()[bounds[some]]
    return tokens
