"""The report card of one SAE: how well it reconstructs, what it costs the model, how often features fire."""

from __future__ import annotations

from math import fsum, isfinite
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from atlas.schema import DENSE, REPORT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas.stats.base import Totals
    from atlas.stream.losses import Losses
    from atlas.stream.reconstruction import Figures

RARE = 1e-4
"""A feature that fires on a smaller share of tokens is called rare."""

_LOW, _HIGH = 0.1, 0.9


class Row(NamedTuple):
    """One figure, in the order of the columns of `REPORT`."""

    metric: str
    """Its name, SAELens' where there is one."""
    label: str
    """For people."""
    value: float | None
    """None where it could not be measured."""
    unit: str
    """A key of `UNITS`."""
    doc: str
    """Exact definition, with the number of tokens."""


def report_table(  # noqa: PLR0917 - what the pass found, and in what words
    totals: Totals,
    firing_tokens: NDArray[np.int64],
    mean_activation: NDArray[np.float64],
    figures: Figures,
    losses: Losses,
    sample: str,
) -> pa.Table:
    """The report card. `firing_tokens` and `mean_activation` (0 where it never fired) are [n_features].

    `sample` says in words which contexts `figures` rest on, or why they rest on none.
    """
    rows = [
        *_counts(totals),
        *_sparsity(totals, firing_tokens, mean_activation),
        *_reconstruction(figures, sample),
        *_lengths(figures, sample),
        *_cost(losses),
        *_divergence(losses),
        *_features(totals, firing_tokens),
        *_densities(totals, firing_tokens),
    ]
    columns = list(zip(*rows, strict=True))
    columns[2] = tuple(None if value is None or not isfinite(value) else value for value in columns[2])
    arrays = [pa.array(column, field.type) for column, field in zip(columns, REPORT, strict=True)]
    return pa.table(arrays, schema=REPORT)


def _counts(totals: Totals) -> list[Row]:
    return [
        Row(
            "n_tokens",
            "counted tokens",
            totals.n_tokens,
            "tokens",
            "Tokens left by the mask: the denominator of every density.",
        ),
        Row(
            "n_contexts",
            "contexts",
            totals.n_contexts,
            "contexts",
            "Packed sequences with at least one counted token.",
        ),
    ]


def _over(totals: Totals) -> str:
    return f"over {totals.n_tokens:,} counted tokens"


def _sparsity(totals: Totals, firing: NDArray[np.int64], mean: NDArray[np.float64]) -> list[Row]:
    n_tokens, over = totals.n_tokens, _over(totals)
    l0 = fsum(firing.tolist()) / n_tokens if n_tokens else None
    l1 = fsum((firing * mean).tolist()) / n_tokens if n_tokens else None
    return [
        Row("l0", "L0", l0, "count", f"Mean number of features that fire on a token, {over} (SAELens: l0)."),
        Row(
            "l1",
            "L1",
            l1,
            "activation",
            f"Mean over tokens of the sum of all activations, {over} (SAELens: l1).",
        ),
    ]


def _basis(figures: Figures, sample: str) -> str:
    if not figures.n_tokens:
        return f"Not measured: {sample}."
    return f"Measured on {figures.n_tokens:,} counted tokens: {sample}."


def _reconstruction(figures: Figures, sample: str) -> list[Row]:
    basis = _basis(figures, sample)
    return [
        Row(
            "explained_variance",
            "explained variance",
            figures.explained_variance,
            "fraction",
            "1 - (sum of squared errors) / (sum of squared distances of the originals from their mean over"
            f" all measured tokens) (SAELens: explained_variance). {basis}",
        ),
        Row(
            "explained_variance_legacy",
            "explained variance, old definition",
            figures.explained_variance_legacy,
            "fraction",
            "Mean over tokens of 1 - (squared error) / (squared distance of the original from the mean of its"
            " context): SAELens' explained_variance_legacy with a context as its batch, to compare with older"
            f" figures. {basis}",
        ),
        Row(
            "mse",
            "mean squared error",
            figures.mse,
            "none",
            "Mean over tokens of the squared distance between original and reconstruction, summed over"
            f" dimensions (SAELens: mse). {basis}",
        ),
        Row(
            "cosine",
            "cosine",
            figures.cosine,
            "cosine",
            f"Mean over tokens of the cosine between original and reconstruction (SAELens: cossim). {basis}",
        ),
    ]


def _lengths(figures: Figures, sample: str) -> list[Row]:
    basis = _basis(figures, sample)
    return [
        Row(
            "l2_norm_in",
            "L2 norm of the original",
            figures.l2_norm_in,
            "none",
            f"Mean over tokens of the length of the original vector (SAELens: l2_norm_in). {basis}",
        ),
        Row(
            "l2_norm_out",
            "L2 norm of the reconstruction",
            figures.l2_norm_out,
            "none",
            f"Mean over tokens of the length of the reconstruction (SAELens: l2_norm_out). {basis}",
        ),
        Row(
            "l2_ratio",
            "L2 ratio",
            figures.l2_ratio,
            "none",
            "Mean over tokens of the reconstruction's length divided by the original's; below 1 the SAE"
            f" shrinks (SAELens: l2_ratio). {basis}",
        ),
        Row(
            "relative_reconstruction_bias",
            "relative reconstruction bias",
            figures.relative_reconstruction_bias,
            "none",
            "(Mean squared length of the reconstruction) / (mean inner product of original and"
            f" reconstruction); 1 is unbiased (SAELens: relative_reconstruction_bias). {basis}",
        ),
    ]


def _where(losses: Losses, n_tokens: int, what: str) -> str:
    if losses.why_not:
        return f"Not measured: {losses.why_not}."
    return f"Mean over {n_tokens:,} {what} in the first {losses.n_contexts:,} contexts."


def _cost(losses: Losses) -> list[Row]:
    basis = _where(losses, losses.n_predictions, "counted tokens with a next token")
    return [
        Row(
            "ce_loss_without_sae",
            "loss without SAE",
            losses.ce_loss_without_sae,
            "nats",
            f"Cross-entropy of the model's next-token predictions (SAELens: ce_loss_without_sae). {basis}",
        ),
        Row(
            "ce_loss_with_sae",
            "loss with SAE",
            losses.ce_loss_with_sae,
            "nats",
            "The same with the SAE's output in place of the original at every counted token"
            f" (SAELens: ce_loss_with_sae). {basis}",
        ),
        Row(
            "ce_loss_with_ablation",
            "loss with zero",
            losses.ce_loss_with_ablation,
            "nats",
            "The same with zero in place of the original at every token"
            f" (SAELens: ce_loss_with_ablation). {basis}",
        ),
        Row(
            "ce_loss_score",
            "loss recovered",
            losses.ce_loss_score,
            "fraction",
            "(loss with zero - loss with SAE) / (loss with zero - loss without SAE)"
            f" (SAELens: ce_loss_score). {basis}",
        ),
    ]


def _divergence(losses: Losses) -> list[Row]:
    basis = _where(losses, losses.n_tokens, "counted tokens")
    return [
        Row(
            "kl_div_with_sae",
            "KL divergence with SAE",
            losses.kl_div_with_sae,
            "nats",
            "KL divergence from the model's next-token distribution to the one with the SAE's output in place"
            f" (SAELens: kl_div_with_sae). {basis}",
        ),
        Row(
            "kl_div_with_ablation",
            "KL divergence with zero",
            losses.kl_div_with_ablation,
            "nats",
            "The same with zero in place of the original at every token"
            f" (SAELens: kl_div_with_ablation). {basis}",
        ),
        Row(
            "kl_div_score",
            "KL divergence recovered",
            losses.kl_div_score,
            "fraction",
            "(KL divergence with zero - with SAE) / (KL divergence with zero)"
            f" (SAELens: kl_div_score). {basis}",
        ),
    ]


def _features(totals: Totals, firing: NDArray[np.int64]) -> list[Row]:
    alive = int(np.count_nonzero(firing))
    found = {
        "alive": (alive, f"fire at least once {_over(totals)}"),
        "dead": (len(firing) - alive, f"never fire {_over(totals)}"),
        "dense": (
            int(np.count_nonzero(firing > DENSE * totals.n_tokens)),
            f"fire on more than {DENSE:.0%} of the tokens, {_over(totals)}",
        ),
    }
    return [
        Row("n_features", "features", len(firing), "count", "Features of the SAE (d_sae)."),
        *(
            Row(name, f"{name} features", count, "count", f"Features that {what}.")
            for name, (count, what) in found.items()
        ),
        *(
            Row(
                f"{name}_share",
                f"{name} share",
                count / max(len(firing), 1),
                "fraction",
                f"Share of all features that {what}.",
            )
            for name, (count, what) in found.items()
        ),
    ]


def _densities(totals: Totals, firing: NDArray[np.int64]) -> list[Row]:
    over = _over(totals)
    alive = firing[firing > 0]
    low = median = high = rare = None
    if len(alive):
        low, median, high = (np.quantile(alive, [_LOW, 0.5, _HIGH]) / totals.n_tokens).tolist()
        rare = np.count_nonzero(alive < RARE * totals.n_tokens) / len(alive)
    return [
        Row(
            "density_p10",
            "density, 10th percentile",
            low,
            "fraction",
            f"A tenth of the alive features fire on at most this share of the tokens, {over} (interpolated).",
        ),
        Row(
            "median_density",
            "median density",
            median,
            "fraction",
            f"Median activation density of the alive features, {over}.",
        ),
        Row(
            "density_p90",
            "density, 90th percentile",
            high,
            "fraction",
            f"A tenth of the alive features fire on this share of the tokens or more, {over} (interpolated).",
        ),
        Row(
            "rare_share",
            "rare share",
            rare,
            "fraction",
            f"Share of the alive features that fire on less than {RARE:.2%} of the tokens, {over}.",
        ),
    ]
