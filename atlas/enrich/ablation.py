"""A model with one feature ablated, on the contexts of its examples: what changes in the loss and the logits.

Ablated means that what the decoder adds for the feature, activation · scale · W_dec[f], is subtracted where
the SAE writes, at every position of the context at once. The rest stays: the SAE's error, the other features.
Attention is causal, so nothing moves before the feature first fires, and nothing after the window is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from atlas.enrich.cases import Budget, Case, Clean, Effect, Shown, no_effect, window_losses
from atlas.enrich.logit_effects import centred, fold_norm, row_means, unavailable
from atlas.enrich.ranking import Ranked, largest
from atlas.sources.engines.families import split_hook

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from atlas.sources.engines.base import Engine, Unembedding
    from atlas.sources.engines.edits import Change
    from atlas.sources.saes.base import SparseCoder

_CHUNK_BYTES = 256 << 20
"""Residual streams and logits kept between the unchanged passes and the ablated ones."""

_WHOLE = 16
"""Lengths are multiples of it: at others torch's attention on a CPU gives other bits with other threads."""


class Ablation:
    """Ablates features of one SAE in its model, many examples at a time."""

    def __init__(
        self, engine: Engine, sae: SparseCoder, token_ids: NDArray[np.int32], *, n_tokens: int, budget: Budget
    ) -> None:
        """List at most `n_tokens` of `token_ids` (ascending, below W_U's size) at each end.

        `InputError` when the engine does not know where the SAE reads or writes.
        """
        facts = sae.facts
        self._engine = engine
        self._sae = sae
        self._budget = budget
        self._n_tokens = n_tokens
        self._token_ids = token_ids
        self._read, self._write = facts.hook_name, facts.hook_name_out or facts.hook_name
        for hook_name in (self._read, self._write):
            engine.hook_width(hook_name)
        self._start = _start(self._write, engine.hook_names())
        self._last = f"blocks.{engine.facts.n_layers - 1}.hook_resid_post"
        unembedding = engine.unembedding()
        self._directions = sae.weights().W_dec.to(engine.device)
        self._direct = not unavailable(self._write, self._directions.shape[1], engine.facts.d_model)
        self._vocabulary = unembedding.W_U.shape[1]
        self._all = np.array_equal(token_ids, np.arange(self._vocabulary))
        self._final = unembedding if self._all else _narrowed(unembedding, token_ids)
        self._mean_output = row_means(self._final.W_U)[:, 0].cpu().numpy()

    def run(self, examples: Sequence[Shown]) -> Iterator[tuple[int, Effect]]:
        """(number of the example, its effect), each once, in the order in which they get done."""
        import torch

        with torch.inference_mode():
            for chunk in self._chunks(examples):
                cases = list(self._unchanged(examples, chunk))
                fires = sorted(
                    (case for case in cases if case.onset < case.shown.needed),
                    key=lambda case: (case.shown.needed, case.number),
                )
                for case in cases:
                    if case.onset >= case.shown.needed:
                        yield case.number, no_effect(case.shown)
                for batch in self._batches(fires):
                    yield from self._ablated(batch)

    def _chunks(self, examples: Sequence[Shown]) -> Iterator[list[int]]:
        """The numbers of `examples`, those of one context together, as many as may be kept at once."""
        order = sorted(range(len(examples)), key=lambda number: (examples[number].context_idx, number))
        width = 4 * max(self._engine.facts.d_model, self._directions.shape[1])
        chunk: list[int] = []
        used, context = 0, -1
        for number in order:
            new = examples[number].context_idx != context
            if new and used > _CHUNK_BYTES:
                yield chunk
                chunk, used = [], 0
            context = examples[number].context_idx
            chunk.append(number)
            used += 4 * len(self._token_ids) + (len(examples[number].context) * width if new else 0)
        if chunk:
            yield chunk

    def _unchanged(self, examples: Sequence[Shown], chunk: Sequence[int]) -> Iterator[Case]:
        """Run the contexts of `chunk` as they are."""
        contexts: dict[int, list[int]] = {}
        for number in chunk:
            contexts.setdefault(examples[number].context_idx, []).append(number)
        groups = sorted(
            contexts.values(),
            key=lambda numbers: (max(examples[n].needed for n in numbers), examples[numbers[0]].context_idx),
        )
        rows, length, some = 0, 0, list[list[int]]()
        for numbers in groups:
            length = max(examples[n].needed for n in numbers)
            more = sum(len(examples[n].predictors()) for n in numbers)
            if some and not self._fits(len(some) + 1, length, rows + more):
                yield from self._unchanged_batch(examples, some)
                rows, some = 0, list[list[int]]()
            rows += more
            some.append(numbers)
        if some:
            yield from self._unchanged_batch(examples, some)

    def _unchanged_batch(self, examples: Sequence[Shown], groups: list[list[int]]) -> Iterator[Case]:
        """One forward pass over a context per group; the groups hold the numbers of its examples."""
        needed = [max(examples[n].needed for n in numbers) for numbers in groups]
        tokens = [examples[numbers[0]].context for numbers in groups]
        select = np.zeros((len(groups), self._width(max(needed))), np.bool_)
        for row, numbers in enumerate(groups):
            for number in numbers:
                select[row, examples[number].predictors()] = True
        seen: dict[str, torch.Tensor] = {}
        hooks = [name for name in (self._start, self._read, self._last) if name is not None]
        logits = self._logits(tokens, select, {name: partial(_kept, seen, name) for name in hooks})
        loss, listed = self._losses(logits, tokens, select)
        where = _places(select)
        for row, numbers in enumerate(groups):
            inputs = seen[self._read][row, : needed[row]]
            dense = self._sae.encode(inputs)
            scale = self._sae.output_scale(inputs)[:, 0]
            stream = seen[self._start if self._start is not None else self._read][row, : needed[row]].clone()
            clean = Clean(stream, loss[row, : needed[row] + 1].clone())
            for number in numbers:
                shown = examples[number]
                added = (dense[:, shown.feature_idx] * scale)[: shown.needed]
                fires = added.nonzero()
                yield Case(
                    number=number,
                    shown=shown,
                    clean=clean,
                    added=added,
                    logits=listed(logits[where[row, shown.peak]]).clone(),
                    spread=self._spread(seen[self._last][row, shown.peak]),
                    onset=int(fires[0, 0]) if len(fires) else shown.needed,
                )

    def _batches(self, cases: Sequence[Case]) -> Iterator[list[Case]]:
        """`cases`, ascending in length, as many at a time as fit."""
        batch: list[Case] = []
        rows = 0
        for case in cases:
            more = len(case.predictors())
            if batch and not self._fits(len(batch) + 1, case.shown.needed, rows + more):
                yield batch
                batch, rows = [], 0
            batch.append(case)
            rows += more
        if batch:
            yield batch

    def _fits(self, contexts: int, length: int, rows: int) -> bool:
        budget = self._budget
        return contexts * length <= budget.tokens and rows * self._vocabulary * 4 <= budget.logit_bytes

    def _width(self, needed: int) -> int:
        """Tokens of a forward pass that needs the first `needed` ones of its contexts."""
        return min(-(-needed // _WHOLE) * _WHOLE, self._engine.facts.context_size)

    def _ablated(self, batch: list[Case]) -> Iterator[tuple[int, Effect]]:
        """One forward pass, each case's feature ablated in its row."""
        import torch

        length = self._width(max(case.shown.needed for case in batch))
        select = np.zeros((len(batch), length), np.bool_)
        added = torch.zeros(len(batch), length, 1, device=self._engine.device)
        for row, case in enumerate(batch):
            select[row, case.predictors()] = True
            added[row, : case.shown.needed, 0] = case.added
        features = [case.shown.feature_idx for case in batch]
        directions = self._directions[features]
        gone = added * directions[:, None, :]
        tokens = [case.shown.context for case in batch]
        logits = self._logits(tokens, select, self._changes(batch, gone), start=self._start)
        loss, listed = self._losses(logits, tokens, select)
        where = _places(select)
        peaks = [where[row, case.shown.peak] for row, case in enumerate(batch)]
        measured = torch.stack([case.logits for case in batch]) - listed(logits[peaks])
        measured = centred(measured)
        # A peak before the feature fires has no logits here: another row's stood in.
        measured[[case.onset > case.shown.peak for case in batch]] = 0
        ends = [_ranked(sign * measured, self._n_tokens) for sign in (1, -1)]
        for row, case in enumerate(batch):
            lists = [self._list(end, row, sign, case) for end, sign in zip(ends, (1, -1), strict=True)]
            yield case.number, Effect(window_losses(case, loss[row]), *lists)

    def _changes(self, batch: list[Case], gone: torch.Tensor) -> dict[str, Change]:
        """What takes `gone` [batch, length, d] from the tensor that the SAE writes to."""
        import torch

        if self._start is None:
            return {self._write: lambda value: value - gone}
        width = batch[0].clean.stream.shape[1]
        stream = torch.zeros(*gone.shape[:2], width, device=gone.device)
        for row, case in enumerate(batch):
            stream[row, : case.shown.needed] = case.clean.stream[: case.shown.needed]
        if self._start == self._write:
            stream -= gone
            return {self._start: lambda _: stream}
        return {self._start: lambda _: stream, self._write: lambda value: value - gone}

    def _logits(
        self,
        contexts: Sequence[NDArray[np.int32]],
        select: NDArray[np.bool_],
        changes: dict[str, Change],
        start: str | None = None,
    ) -> torch.Tensor:
        """[n_selected, vocabulary] for the first tokens of `contexts`, as many as `select` is wide."""
        import torch

        token_ids = np.zeros(select.shape, np.int64)
        for row, context in enumerate(contexts):
            part = context[: select.shape[1]]
            token_ids[row, : len(part)] = part
        device = self._engine.device
        ids, chosen = torch.from_numpy(token_ids).to(device), torch.from_numpy(select).to(device)
        return self._engine.logits(ids, changes, chosen, start=start)

    def _losses(
        self, logits: torch.Tensor, contexts: Sequence[NDArray[np.int32]], select: NDArray[np.bool_]
    ) -> tuple[torch.Tensor, Change]:
        """([rows, length + 1] negative log-likelihoods, a function to the logits of the tokens listed)."""
        import torch

        row, place = np.nonzero(select)
        target = np.zeros(row.size, np.int64)
        for at, (number, position) in enumerate(zip(row.tolist(), place.tolist(), strict=True)):
            if position + 1 < len(contexts[number]):
                target[at] = contexts[number][position + 1]
        chosen = torch.from_numpy(target).to(logits.device)
        values = logits.logsumexp(dim=1) - logits.gather(1, chosen[:, None])[:, 0]
        loss = torch.zeros(select.shape[0], select.shape[1] + 1, device=logits.device)
        loss[torch.from_numpy(row), torch.from_numpy(place + 1)] = values
        ids = torch.from_numpy(self._token_ids.astype(np.int64)).to(logits.device)
        return loss, (lambda rows: rows) if self._all else (lambda rows: rows[..., ids])

    def _spread(self, stream: torch.Tensor) -> float:
        """What the final norm divides the last residual stream [d_model] by, its epsilon left out."""
        if self._final.norm_kind == "none":
            return 1.0
        if self._final.norm_kind == "layer_norm":
            stream = stream - stream.mean()
        return float(stream.cpu().double().square().mean().sqrt())

    def _direct_effects(self, case: Case, columns: NDArray[np.int32]) -> NDArray[np.float32]:
        """Direct effect at the peak on the logits of these of the tokens; NaN where the hook has none."""
        if not self._direct:
            return np.full(columns.size, np.nan, np.float32)
        direction = fold_norm(self._directions[case.shown.feature_idx, None].float(), self._final)
        # Token by token, since the sums of a small matrix product depend on the number of threads.
        outputs = self._final.W_U[:, columns].cpu().numpy().T - self._mean_output
        unit = (outputs * direction[0].cpu().numpy().astype(np.float64)).sum(axis=1)
        strength = float(case.added[case.shown.peak]) / case.spread if case.spread else 0.0
        return (unit * strength).astype(np.float32)

    def _list(
        self, end: Ranked, row: int, sign: int, case: Case
    ) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
        part = slice(end.offsets[row], end.offsets[row + 1])
        columns = end.columns[part]
        beside = self._direct_effects(case, columns)
        return self._token_ids[columns], end.values[part] * np.float32(sign), beside


def _start(write: str, hook_names: Sequence[str]) -> str | None:
    """The residual stream from which the ablated pass can begin; None where all of the model must run."""
    place = split_hook(write)
    if place is None:
        return None
    layer, kind = place
    start = write if kind in {"hook_resid_pre", "hook_resid_post"} else f"blocks.{layer}.hook_resid_pre"
    return start if start in hook_names else None


def _narrowed(unembedding: Unembedding, token_ids: NDArray[np.int32]) -> Unembedding:
    import torch

    ids = torch.from_numpy(token_ids.astype(np.int64)).to(unembedding.W_U.device)
    return replace(unembedding, W_U=unembedding.W_U[:, ids])


def _kept(seen: dict[str, torch.Tensor], hook_name: str, value: torch.Tensor) -> torch.Tensor:
    seen[hook_name] = value
    return value


def _places(select: NDArray[np.bool_]) -> NDArray[np.int64]:
    """[rows, length] which of the selected positions each is; 0 where it is not selected."""
    return np.where(select, np.cumsum(select.reshape(-1)).reshape(select.shape) - 1, 0)


def _ranked(values: torch.Tensor, n: int) -> Ranked:
    """The largest `n` of each row that are above zero."""
    import torch

    return largest(values.masked_fill(values <= 0, -torch.inf), n)
