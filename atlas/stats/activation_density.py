"""How often each feature fires: exact counts, and the density they give."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import pyarrow as pa

from atlas.schema import column
from atlas.stats.base import PassShape, State, Statistic, Totals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas.batch import ActivationBatch

Z = 1.959963984540054
"""The 97.5 % quantile of the normal distribution: a two-sided 95 % interval."""


def wilson(successes: NDArray[np.int64], trials: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(lower, upper) of each share's 95 % score interval (Wilson, 1927); (0, 1) without trials."""
    if trials == 0:
        return np.zeros(successes.size), np.ones(successes.size)
    share = successes / trials
    centre = share + Z * Z / (2 * trials)
    spread = Z * np.sqrt(share * (1 - share) / trials + Z * Z / (4.0 * trials * trials))
    scale = 1 + Z * Z / trials
    # At the ends the bound is exactly 0 or 1, which rounding would miss.
    lower = np.where(successes == 0, 0.0, (centre - spread) / scale)
    upper = np.where(successes == trials, 1.0, (centre + spread) / scale)
    return lower, upper


class ActivationDensity(Statistic):
    """Firing tokens and contexts (exact), both densities with their 95 % intervals."""

    name: ClassVar[str] = "activation_density"
    columns: ClassVar[tuple[pa.Field, ...]] = (
        column(
            "activation_density",
            pa.float64(),
            doc="Share of the counted tokens on which the feature fires (firing_tokens / counted tokens).",
            kind="scalar",
            unit="fraction",
            label="density",
        ),
        column(
            "density_lower",
            pa.float64(),
            doc="Lower end of the 95 % Wilson interval of the density, taking tokens as independent.",
            kind="scalar",
            unit="fraction",
        ),
        column(
            "density_upper",
            pa.float64(),
            doc="Upper end of the 95 % Wilson interval of the density, taking tokens as independent.",
            kind="scalar",
            unit="fraction",
        ),
        column(
            "firing_tokens",
            pa.int64(),
            doc="Number of counted tokens on which the activation is above 0.",
            kind="scalar",
            unit="tokens",
        ),
        column(
            "firing_contexts",
            pa.int64(),
            doc="Number of packed sequences with at least one counted token on which the feature fires.",
            kind="scalar",
            unit="contexts",
        ),
        column(
            "context_density",
            pa.float64(),
            doc="Share of the packed sequences with a counted token in which the feature fires"
            " (firing_contexts / those).",
            kind="scalar",
            unit="fraction",
        ),
        column(
            "context_density_lower",
            pa.float64(),
            doc="Lower end of the 95 % Wilson interval of context_density. Tokens of one sequence depend on"
            " each other, sequences hardly: of the two intervals this is the honest one.",
            kind="scalar",
            unit="fraction",
        ),
        column(
            "context_density_upper",
            pa.float64(),
            doc="Upper end of the 95 % Wilson interval of context_density.",
            kind="scalar",
            unit="fraction",
        ),
    )

    def __init__(self, shape: PassShape) -> None:
        super().__init__(shape)
        self._tokens = np.zeros(shape.n_features, dtype=np.int64)
        self._contexts = np.zeros(shape.n_features, dtype=np.int64)

    def update(self, batch: ActivationBatch) -> None:
        """Count the events and the runs of each feature."""
        self._tokens[batch.fired] += batch.firings
        runs = np.searchsorted(batch.run_starts, batch.feature_starts)
        self._contexts[batch.fired] += np.diff(runs, append=batch.run_starts.size)

    def merge(self, other: Self) -> None:
        """Add the counts."""
        self._tokens += other._tokens
        self._contexts += other._contexts

    def state(self) -> State:
        """Both counts, int64 [n_features]."""
        return {"tokens": self._tokens, "contexts": self._contexts}

    def load(self, state: State) -> None:
        """Replace both counts."""
        self._tokens = state["tokens"].astype(np.int64)
        self._contexts = state["contexts"].astype(np.int64)

    def finish(self, totals: Totals) -> dict[str, pa.Array]:
        """The counts, and the densities they give; 0 where no token was counted."""
        lower, upper = wilson(self._tokens, totals.n_tokens)
        context_lower, context_upper = wilson(self._contexts, totals.n_contexts)
        return {
            "activation_density": pa.array(self._tokens / max(totals.n_tokens, 1), pa.float64()),
            "density_lower": pa.array(lower, pa.float64()),
            "density_upper": pa.array(upper, pa.float64()),
            "firing_tokens": pa.array(self._tokens, pa.int64()),
            "firing_contexts": pa.array(self._contexts, pa.int64()),
            "context_density": pa.array(self._contexts / max(totals.n_contexts, 1), pa.float64()),
            "context_density_lower": pa.array(context_lower, pa.float64()),
            "context_density_upper": pa.array(context_upper, pa.float64()),
        }
