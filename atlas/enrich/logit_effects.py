"""What a feature's decoder direction does to the next-token logits when nothing else in the model moves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pyarrow as pa

from atlas.enrich.base import NOT_AVAILABLE
from atlas.enrich.ranking import largest, tile_rows
from atlas.schema import HISTOGRAM, LOGITS, with_kinds
from atlas.stats.lists import struct_lists

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from atlas.enrich.base import EnrichContext
    from atlas.sources.engines.base import Unembedding
    from atlas.store import AtlasStore

BINS = 50
"""Bins of the histogram of a feature's logit effects."""

_RESIDUAL = re.compile(
    r"(hook_embed|blocks\.\d+\.(hook_(resid_(pre|mid|post)|attn_out|mlp_out|in|out)|(attn|mlp)\.hook_out))"
)
"""Hooks whose vectors are part of the residual stream, so that the final norm and W_U apply to them."""


class LogitEffects:
    """Direct logit effects: `W_dec` through the final norm's linear part and `W_U`."""

    name: ClassVar[str] = "logit_effects"
    reads: ClassVar[tuple[str, ...]] = ("vocabulary",)
    writes: ClassVar[tuple[str, ...]] = ("logits",)
    notes: ClassVar[str] = (
        "The logit effect of feature f on token t is d · W_U[:, t] minus its mean over all tokens of the "
        "tokenizer, where d is the feature's decoder direction times the final norm's scale: the change in "
        "logits per unit of activation that the direction causes directly, later layers and the final norm's "
        "division left out. The mean is removed because the softmax does not see it. The raw logit effect is "
        "W_dec · W_U as it is, nothing folded or removed; the dataset has the ends of both. Tokens of equal "
        "effect are ordered by token id."
    )

    def run(self, context: EnrichContext) -> None:
        """Write `logits` (one row per feature), or note why there can be none for this SAE."""
        coder, engine = context.sae(), context.engine()
        W_dec = coder.weights().W_dec
        hook_name = coder.facts.hook_name_out or coder.facts.hook_name
        reason = unavailable(hook_name, W_dec.shape[1], engine.facts.d_model)
        if reason:
            context.note(f"{NOT_AVAILABLE}: {reason}.")
            return
        unembedding = engine.unembedding()
        context.note(shown(unembedding, folded=context.config.fold_final_norm))
        ids = tokenizer_ids(context.store)
        ids = ids[ids < unembedding.W_U.shape[1]]
        schema = table_schema(unembedding, folded=context.config.fold_final_norm)
        n = context.config.logit_effects
        tiles = zip(
            logit_effects(W_dec, unembedding, ids),
            logit_effects(W_dec, unembedding, ids, raw=True),
            strict=True,
        )
        with context.store.writer("logits", sae=context.sae_slug, schema=schema) as writer:
            for (start, effects), (_, raw) in tiles:
                features = np.arange(start, start + effects.shape[0], dtype=np.int32)
                skew, kurtosis = skew_and_kurtosis(effects)
                columns: dict[str, pa.Array] = {
                    "feature_idx": pa.array(features),
                    "positive_logits": largest(effects, n).tokens(ids),
                    "negative_logits": largest(-effects, n).tokens(ids, -1.0),
                    "logit_histogram": histograms(effects),
                    "logit_kurtosis": pa.array(kurtosis, from_pandas=True),
                    "logit_skew": pa.array(skew, from_pandas=True),
                    "raw_positive_logits": largest(raw, n).tokens(ids),
                    "raw_negative_logits": largest(-raw, n).tokens(ids, -1.0),
                }
                writer.write(pa.table([columns[name] for name in schema.names], schema=schema))


def tokenizer_ids(store: AtlasStore) -> NDArray[np.int32]:
    """[n_tokens] the token ids of the table `vocabulary`, ascending.

    Place holders of a padded embedding matrix (special, spelt `<unused 50300>`) are left out: the
    tokenizer never produces them.
    """
    table = store.read("vocabulary", columns=["token_id", "special", "piece"])
    columns = (table[name].to_pylist() for name in ("token_id", "special", "piece"))
    real = [i for i, special, piece in zip(*columns, strict=True) if not special or piece != f"<unused {i}>"]
    return np.sort(np.array(real, np.int32))


def unavailable(hook_name: str, width: int, d_model: int) -> str:
    """Why vectors of that `width` at `hook_name` are not of the residual stream; '' when they are."""
    if hook_name.endswith("hook_z"):
        return (
            f"decoder directions at {hook_name} live in the heads' own space (heads x d_head); "
            "they reach the logits only through W_O"
        )
    if not _RESIDUAL.fullmatch(hook_name):
        return f"decoder directions at {hook_name} are not directions of the residual stream"
    if width != d_model:
        return f"decoder directions have {width} dimensions, the residual stream {d_model}"
    return ""


def shown(unembedding: Unembedding, *, folded: bool) -> str:
    """In words: which logit effects the pages show, and what was done to the decoder direction before W_U."""
    if not folded:
        return "Shown raw: the decoder direction meets W_U as it is, final norm not folded, no mean removed."
    return folding(unembedding)


def folding(unembedding: Unembedding) -> str:
    """In words: what was done to the decoder direction before W_U for the effects that are not raw."""
    if unembedding.norm_kind == "none":
        return "The model has no final norm to fold."
    centred = unembedding.norm_kind == "layer_norm"
    centring = ", after its mean is removed as that norm does" if centred else ""
    if unembedding.norm_scale is None:
        return f"Final norm folded: it has no learned scale; the decoder direction meets W_U{centring}."
    return f"Final norm folded: the decoder direction is multiplied by that norm's learned scale{centring}."


def logit_effects(
    W_dec: torch.Tensor, unembedding: Unembedding, token_ids: NDArray[np.int32], *, raw: bool = False
) -> Iterator[tuple[int, torch.Tensor]]:
    """(first feature, effects [tile, n_tokens] float32) tile by tile, for W_dec [d_sae, d_model].

    Column c belongs to token_ids[c]. The final norm is folded and each row's mean removed, unless `raw`.
    A direction with values that are not finite has no effects, nor has a zero one: its row is NaN.
    """
    import torch

    W_U = unembedding.W_U.float()
    if not W_U.is_cuda:
        W_U = W_U.cpu()  # Apple's mps has no float64 to take the mean in
    if not np.array_equal(token_ids, np.arange(W_U.shape[1])):
        W_U = W_U[:, torch.from_numpy(token_ids.astype(np.int64)).to(W_U.device)]
    step = tile_rows(W_U.shape[1])
    for start in range(0, W_dec.shape[0], step):
        directions = W_dec[start : start + step].to(W_U.device, torch.float32)
        if not raw:
            directions = fold_norm(directions, unembedding)
        effects = directions @ W_U
        if effects.shape[1] and not raw:
            effects = centred(effects)
        # A zero direction would rank all tokens by number alone.
        effects[~directions.any(dim=1)] = torch.nan
        yield start, effects


def centred(values: torch.Tensor) -> torch.Tensor:
    """`values` [rows, columns] less the mean of each row, which is taken in float64."""
    return values - row_means(values).to(values)


def row_means(values: torch.Tensor) -> torch.Tensor:
    """[rows, 1] mean of each row of `values`, float64, on a GPU or else the CPU."""
    import torch

    if values.is_cuda:
        return values.mean(dim=1, keepdim=True, dtype=torch.float64)
    # torch shares a row among threads, and the sum then depends on their number.
    return torch.from_numpy(values.cpu().numpy().mean(axis=1, keepdims=True, dtype=np.float64))


def fold_norm(directions: torch.Tensor, unembedding: Unembedding) -> torch.Tensor:
    """The linear part of the final norm, applied to `directions` [n, d_model].

    LayerNorm(x) = (x - mean x) / std · scale + bias and RMSNorm(x) = x / rms · scale; the division
    depends on the whole residual stream and is left out, the bias is no effect of the direction.
    """
    if unembedding.norm_kind == "layer_norm":
        directions = directions - directions.mean(dim=1, keepdim=True)
    if unembedding.norm_scale is not None:
        directions = directions * unembedding.norm_scale.to(directions.device, directions.dtype)
    return directions


def histograms(effects: torch.Tensor) -> pa.Array:
    """`schema.HISTOGRAM` of each row of `effects` [rows, n_tokens]: 50 bins of equal width over its range.

    Bins are half-open, so the last one ends at the next float above the largest effect; empty bins
    are left out. A row with NaN has no bins.
    """
    import torch

    rows = effects.shape[0]
    legal = torch.isfinite(effects).all(dim=1) if effects.shape[1] else torch.zeros(rows, dtype=torch.bool)
    values = effects[legal].float().cpu().contiguous()
    edges = torch.zeros(values.shape[0], BINS + 1)
    if values.numel():
        low, high = values.min(dim=1).values.double(), values.max(dim=1).values.double()
        edges = (low[:, None] + (high - low)[:, None] * torch.linspace(0, 1, BINS + 1).double()).float()
        edges[:, -1] = torch.nextafter(values.max(dim=1).values, torch.tensor(torch.inf))
    bins = torch.searchsorted(edges, values, right=True) - 1
    bins += torch.arange(values.shape[0])[:, None] * BINS
    counts = np.bincount(bins.reshape(-1).numpy(), minlength=edges.shape[0] * BINS).reshape(-1, BINS)
    filled = counts > 0
    lower, upper = edges[:, :-1].numpy()[filled], edges[:, 1:].numpy()[filled]
    lengths = np.zeros(rows, np.int32)
    lengths[legal.cpu().numpy()] = filled.sum(axis=1)
    return struct_lists(HISTOGRAM, lengths, lower, upper, counts[filled])


def skew_and_kurtosis(effects: torch.Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Skewness and excess kurtosis [rows] of each row of `effects`, from central moments over all n values.

    NaN for a row with NaN, and where all values are equal.
    """
    import torch

    # Apple's mps has no float64.
    values = effects.cpu().double() if effects.device.type == "mps" else effects.double()
    apart = values - row_means(values)
    square = apart * apart
    variance, third, fourth = (row_means(part)[:, 0] for part in (square, square * apart, square * square))
    skew = torch.where(variance > 0, third / variance**1.5, torch.nan)
    kurtosis = torch.where(variance > 0, fourth / variance**2 - 3, torch.nan)
    return skew.cpu().numpy(), kurtosis.cpu().numpy()


def table_schema(unembedding: Unembedding, *, folded: bool) -> pa.Schema:
    """`schema.LOGITS`: the pages get the `folded` effects or else the raw lists.

    What was folded stands in the meaning of the columns, so that it travels with the data.
    """
    sentence = folding(unembedding)
    fields: list[pa.Field] = []
    for field in LOGITS:
        metadata = dict(field.metadata)
        if field.name != "feature_idx" and not field.name.startswith("raw_"):
            metadata[b"atlas.doc"] += b" " + sentence.encode()
        fields.append(field.with_metadata(metadata))
    if folded:
        return pa.schema(fields)
    ends = ("positive_logits", "negative_logits")
    hidden = dict.fromkeys((*ends, "logit_histogram"), "hidden")
    return with_kinds(pa.schema(fields), {**hidden, **{f"raw_{name}": "token_list" for name in ends}})


LOGIT_EFFECTS = LogitEffects()
"""Registered under `atlas.enrichers`."""
