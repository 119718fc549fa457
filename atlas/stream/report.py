"""The report card of one SAE: how well it reconstructs, how many features fire, how often."""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum, isfinite
from typing import TYPE_CHECKING, Self

import numpy as np
import pyarrow as pa

from atlas.schema import DENSE, REPORT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas.stats.base import State, Totals


_SCALARS = ("n_tokens", "error", "norm", "cosine")


class Reconstruction:
    """Sums over the counted tokens of the sampled contexts, kept context by context.

    So merging is a union, and the sums are taken in corpus order at the end: the result does not
    depend on batches or workers.
    """

    def __init__(self, d_in: int) -> None:
        self._d_in = d_in
        self._scalars: dict[int, list[float]] = {}
        self._inputs: dict[int, NDArray[np.float64]] = {}

    def add(self, context_idx: int, inputs: NDArray[np.float64], outputs: NDArray[np.float64]) -> None:
        """One context: what the SAE read, and what it made of it, both [n_tokens, d_in]."""
        error = ((inputs - outputs) ** 2).sum(axis=1)
        norm = (inputs**2).sum(axis=1)
        lengths = np.sqrt(norm * (outputs**2).sum(axis=1))
        products = (inputs * outputs).sum(axis=1)
        cosine = np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)
        self._scalars[context_idx] = [len(inputs), *(fsum(part) for part in (error, norm, cosine))]
        self._inputs[context_idx] = inputs.sum(axis=0)

    def merge(self, other: Self) -> None:
        """Take in the contexts of another worker."""
        self._scalars |= other._scalars
        self._inputs |= other._inputs

    def state(self) -> State:
        """The contexts' numbers, [n, 4] sums and [n, d_in] sums of inputs, in corpus order."""
        contexts = sorted(self._scalars)
        return {
            "context_idx": np.array(contexts, dtype=np.int64),
            "scalars": np.array([self._scalars[key] for key in contexts]).reshape(-1, len(_SCALARS)),
            "inputs": np.array([self._inputs[key] for key in contexts]).reshape(-1, self._d_in),
        }

    def load(self, state: State) -> None:
        """Replace all of it."""
        contexts = state["context_idx"].tolist()
        self._scalars = dict(zip(contexts, state["scalars"].tolist(), strict=True))
        self._inputs = dict(zip(contexts, state["inputs"].astype(np.float64), strict=True))

    def figures(self) -> Figures:
        """The figures over all contexts so far."""
        contexts = sorted(self._scalars)
        columns = zip(*(self._scalars[key] for key in contexts), strict=True)
        n_tokens, error, norm, cosine = (fsum(column) for column in columns) if contexts else (0.0,) * 4
        if not n_tokens:
            return Figures(0, None, None, None)
        mean = np.sum([self._inputs[key] for key in contexts], axis=0) / n_tokens
        variance = norm - n_tokens * float(mean @ mean)
        return Figures(
            n_tokens=int(n_tokens),
            explained_variance=1 - error / variance if variance > 0 else None,
            mse=error / (n_tokens * self._d_in),
            cosine=cosine / n_tokens,
        )


@dataclass(frozen=True)
class Figures:
    """How well an SAE reconstructs; None where it cannot be said."""

    n_tokens: int
    """Tokens measured."""
    explained_variance: float | None
    """1 - sum |x - x_hat|² / sum |x - mean(x)|²."""
    mse: float | None
    """Mean over tokens and dimensions of (x - x_hat)²."""
    cosine: float | None
    """Mean over tokens of the cosine between x and x_hat."""


def report_table(
    totals: Totals, firing_tokens: NDArray[np.int64], figures: Figures | None, sample: str
) -> pa.Table:
    """The report card. `figures` is None for a transcoder, whose output is not its input.

    `sample` says in words which contexts `figures` rest on.
    """
    rows = [*_counts(totals), *_reconstruction(figures, sample), *_features(totals, firing_tokens)]
    columns = list(zip(*rows, strict=True))
    values = [None if value is None or not isfinite(value) else value for value in columns[2]]
    columns[2] = tuple(values)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, REPORT, strict=True)]
    return pa.table(arrays, schema=REPORT)


_Row = tuple[str, str, float | None, str, str]


def _counts(totals: Totals) -> list[_Row]:
    return [
        ("n_tokens", "counted tokens", totals.n_tokens, "tokens",
         "Tokens left by the mask: the denominator of every density."),
        ("n_contexts", "contexts", totals.n_contexts, "contexts",
         "Packed sequences with at least one counted token."),
    ]  # fmt: skip


def _reconstruction(figures: Figures | None, sample: str) -> list[_Row]:
    known = figures or Figures(0, None, None, None)
    basis = f"Measured on {known.n_tokens:,} counted tokens: {sample}."
    if figures is None:
        basis = "Not measured: this SAE writes to another place than it reads from."
    return [
        ("explained_variance", "explained variance", known.explained_variance, "fraction",
         "1 - (sum of squared errors) / (sum of squared distances of the inputs from their mean). " + basis),
        ("mse", "mean squared error", known.mse, "none",
         "Mean squared difference between input and reconstruction, over tokens and dimensions. " + basis),
        ("cosine", "cosine", known.cosine, "cosine",
         "Mean over tokens of the cosine between input and reconstruction. " + basis),
    ]  # fmt: skip


def _features(totals: Totals, firing: NDArray[np.int64]) -> list[_Row]:
    n_tokens = totals.n_tokens
    over = f"over {n_tokens:,} counted tokens"
    alive = int(np.count_nonzero(firing))
    dense = int(np.count_nonzero(firing > DENSE * n_tokens))
    density = np.sort(firing[firing > 0]) / max(n_tokens, 1)
    median = float(np.median(density)) if alive else None
    l0 = fsum(firing.tolist()) / n_tokens if n_tokens else None
    return [
        ("l0", "L0", l0, "count", f"Mean number of features that fire on a token, {over}."),
        ("n_features", "features", len(firing), "count", "Features of the SAE (d_sae)."),
        ("alive", "alive features", alive, "count", f"Features that fire at least once {over}."),
        ("dead", "dead features", len(firing) - alive, "count", f"Features that never fire {over}."),
        ("dense", "dense features", dense, "count",
         f"Features that fire on more than {DENSE:.0%} of the tokens, {over}."),
        ("median_density", "median density", median, "fraction",
         f"Median activation density of the alive features, {over}."),
    ]  # fmt: skip
