"""What an SAE costs the model: next-token loss and distribution with its output put in place.

Three forward passes over a stated number of tokens, after the pass: the model as it is, with the SAE's
output in place of the tensor it stands for, and with that tensor set to zero. The figures are those of
SAELens' evals, on the tokens left by the mask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil, fsum
from typing import TYPE_CHECKING

import numpy as np

from atlas.sources.saes.tiles import reconstructed
from atlas.sources.trials import written_at

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from atlas.sources.engines.base import Engine
    from atlas.sources.engines.edits import Change
    from atlas.sources.saes.base import SaeFacts, SparseCoder
    from atlas.stream.batches import Mask
    from atlas.stream.contexts import ContextFiles

LOGIT_BYTES = 64 << 20
"""Logits of one forward pass held at once, at most (one position at least); about four such are in use."""

MOST_CONTEXTS = 16
"""Contexts per forward pass, at most."""


@dataclass(frozen=True)
class Losses:
    """Means over the measured tokens; None where nothing was measured."""

    why_not: str = ""
    """Why nothing was measured, as the end of a sentence."""
    n_contexts: int = 0
    """Contexts measured, the first ones of the corpus."""
    n_tokens: int = 0
    """Counted tokens among them: the KL divergences are means over these."""
    n_predictions: int = 0
    """Those with a next token in their context: the losses are means over these."""
    ce_loss_without_sae: float | None = None
    """Loss of the model as it is, in nats per next token."""
    ce_loss_with_sae: float | None = None
    """Loss with the SAE's output in place at every counted token."""
    ce_loss_with_ablation: float | None = None
    """Loss with zero in place at every token, masked ones included."""
    kl_div_with_sae: float | None = None
    """KL divergence, in nats, from the model's next-token distribution to the one with the SAE."""
    kl_div_with_ablation: float | None = None
    """The same to the one with zero."""

    @property
    def ce_loss_score(self) -> float | None:
        """Share of the loss that ablation costs which the SAE keeps from being lost; 1 is perfect."""
        ablated, with_sae, without = (
            self.ce_loss_with_ablation,
            self.ce_loss_with_sae,
            self.ce_loss_without_sae,
        )
        if ablated is None or with_sae is None or without is None or ablated == without:
            return None
        return (ablated - with_sae) / (ablated - without)

    @property
    def kl_div_score(self) -> float | None:
        """The same share of the KL divergence."""
        ablated, with_sae = self.kl_div_with_ablation, self.kl_div_with_sae
        if ablated is None or with_sae is None or ablated == 0:
            return None
        return (ablated - with_sae) / ablated


def measure_losses(  # noqa: PLR0917 - the order of the data's way
    engine: Engine,
    saes: Sequence[SparseCoder],
    contexts: ContextFiles,
    n_contexts: int,
    mask: Mask,
    tokens: int,
    stop: Callable[[], bool] | None = None,
) -> list[Losses]:
    """The losses of every SAE on the first of the `n_contexts` contexts that have `tokens` tokens.

    `stop` is asked after every batch; if it says so, `KeyboardInterrupt`.
    """
    import torch

    hooks = [written_at(engine, sae.facts) for sae in saes]
    sums = [_Sums() for _ in saes]
    wanted = 0
    with torch.inference_mode():
        if tokens and any(hooks):
            wanted = min(ceil(tokens / contexts.context_size), n_contexts)
            for piece in _pieces(engine, contexts, wanted, mask):
                _measure(engine, saes, hooks, piece, sums)
                if stop is not None and stop():
                    raise KeyboardInterrupt
    return [
        found.losses(wanted) if hook and tokens else Losses(_why_not(sae.facts, tokens))
        for sae, hook, found in zip(saes, hooks, sums, strict=True)
    ]


def not_written(facts: SaeFacts) -> str:
    """Why a transcoder's output has no place in the model, as the end of a sentence."""
    return f"no hook after {facts.hook_name} is called {facts.hook_name_out}, where this transcoder writes"


def _why_not(facts: SaeFacts, tokens: int) -> str:
    return not_written(facts) if tokens else "pass.loss_tokens is 0"


@dataclass(frozen=True)
class _Piece:
    """Positions whose logits fit into memory together."""

    token_ids: torch.Tensor
    """int64 [batch, context]; padding is -1."""
    counted: torch.Tensor
    """bool [batch, context]: where the SAE's output goes in."""
    select: torch.Tensor
    """bool [batch, context]: the counted positions measured in this piece."""
    targets: torch.Tensor
    """int64 [n_selected]: the next token of each, -1 for none."""


def _pieces(engine: Engine, contexts: ContextFiles, n_contexts: int, mask: Mask) -> Iterator[_Piece]:
    """The counted positions of the first `n_contexts` contexts, in corpus order.

    Shapes depend on nothing but the sizes of context and vocabulary, and so do the last bits.
    """
    import torch

    positions = max(1, LOGIT_BYTES // (4 * engine.facts.vocabulary_size))
    batch = min(MOST_CONTEXTS, max(1, positions // contexts.context_size))
    for first in range(0, n_contexts, batch):
        found, _ = contexts.read(np.arange(first, min(first + batch, n_contexts)))
        token_ids = np.full((batch, contexts.context_size), -1, dtype=np.int64)
        token_ids[: len(found)] = found
        counted = mask.counted(token_ids.astype(np.int32))
        following = np.full_like(token_ids, -1)
        following[:, :-1] = token_ids[:, 1:]
        places = np.flatnonzero(counted)
        for start in range(0, len(places), positions):
            chosen = places[start : start + positions]
            select = np.zeros(counted.size, dtype=np.bool_)
            select[chosen] = True
            arrays = (token_ids, counted, select.reshape(counted.shape), following.reshape(-1)[chosen])
            yield _Piece(*(torch.from_numpy(array).to(engine.device) for array in arrays))


@dataclass
class _Sums:
    """Per-token values, in corpus order."""

    base: list[NDArray[np.float64]] = field(default_factory=list["NDArray[np.float64]"])
    with_sae: list[NDArray[np.float64]] = field(default_factory=list["NDArray[np.float64]"])
    ablated: list[NDArray[np.float64]] = field(default_factory=list["NDArray[np.float64]"])
    kl_with_sae: list[NDArray[np.float64]] = field(default_factory=list["NDArray[np.float64]"])
    kl_ablated: list[NDArray[np.float64]] = field(default_factory=list["NDArray[np.float64]"])

    def losses(self, n_contexts: int) -> Losses:
        """Their means."""
        return Losses(
            n_contexts=n_contexts,
            n_tokens=sum(map(len, self.kl_with_sae)),
            n_predictions=sum(map(len, self.base)),
            ce_loss_without_sae=_mean(self.base),
            ce_loss_with_sae=_mean(self.with_sae),
            ce_loss_with_ablation=_mean(self.ablated),
            kl_div_with_sae=_mean(self.kl_with_sae),
            kl_div_with_ablation=_mean(self.kl_ablated),
        )


def _mean(parts: list[NDArray[np.float64]]) -> float | None:
    values = np.concatenate(parts) if parts else np.zeros(0)
    return fsum(values.tolist()) / len(values) if len(values) else None


def _measure(
    engine: Engine, saes: Sequence[SparseCoder], hooks: Sequence[str | None], piece: _Piece, sums: list[_Sums]
) -> None:
    """Add the losses on one piece to the sums of every SAE whose place is known."""
    import torch

    base = engine.logits(piece.token_ids, select=piece.select).log_softmax(dim=-1)
    own = _losses(base, piece)
    ablated: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
    for sae, hook, found in zip(saes, hooks, sums, strict=True):
        if hook is None:
            continue
        if hook not in ablated:
            ablated[hook] = _compared(engine, piece, {hook: torch.zeros_like}, base)
        loss, divergence = _compared(engine, piece, put_in_place(sae, hook, piece.counted), base)
        found.base.append(own)
        found.with_sae.append(loss)
        found.kl_with_sae.append(divergence)
        found.ablated.append(ablated[hook][0])
        found.kl_ablated.append(ablated[hook][1])


def _compared(
    engine: Engine, piece: _Piece, change: dict[str, Change], base: torch.Tensor
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(loss of each next token, KL divergence from `base` at each position) with `change` made."""
    changed = engine.logits(piece.token_ids, change, piece.select).log_softmax(dim=-1)
    loss = _losses(changed, piece)
    divergence = changed.neg_().add_(base).mul_(base.exp()).sum(dim=-1)
    return loss, divergence.double().cpu().numpy()


def _losses(log_probabilities: torch.Tensor, piece: _Piece) -> NDArray[np.float64]:
    """Negative log-probability of every next token there is."""
    known = piece.targets >= 0
    picked = log_probabilities.gather(1, piece.targets.clamp(min=0)[:, None])[known, 0]
    return picked.neg().double().cpu().numpy()


def put_in_place(sae: SparseCoder, hook: str, where: torch.Tensor) -> dict[str, Change]:
    """Changes for `Engine.logits` that put the SAE's output at `hook` where `where` [batch, context]."""
    read: dict[str, torch.Tensor] = {}

    def remember(value: torch.Tensor) -> torch.Tensor:
        read["inputs"] = value
        return value

    def replace(value: torch.Tensor) -> torch.Tensor:
        changed = value.clone()
        inputs = read["inputs"] if elsewhere else value
        changed[where] = reconstructed(sae, inputs[where])[0].to(value)
        return changed

    elsewhere = hook != sae.facts.hook_name
    return ({sae.facts.hook_name: remember} if elsewhere else {}) | {hook: replace}
