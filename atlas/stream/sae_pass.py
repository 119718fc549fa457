"""One SAE's share of the pass: encode, extract, count. Mergeable, like the statistics it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from atlas.batch import ActivationBatch
from atlas.errors import InputError
from atlas.stats.base import Totals
from atlas.stream.events import NotFiniteError, by_feature, events_of
from atlas.stream.plan import tile_contexts
from atlas.stream.report import Reconstruction
from atlas.stream.statistics import StatisticSet

if TYPE_CHECKING:
    import torch

    from atlas.sources.saes.base import SparseCoder
    from atlas.stats.base import PassShape, State
    from atlas.stream.batches import ContextBatch
    from atlas.stream.events import Events
    from atlas.stream.plan import PassPlan


class SaePass:
    """All that is known of one SAE after the contexts seen so far."""

    def __init__(self, sae: SparseCoder, plan: PassPlan, shape: PassShape) -> None:
        self.sae = sae
        self.statistics = StatisticSet(shape)
        self.reconstruction = Reconstruction(sae.facts.d_in)
        self._plan = plan
        self._tile = tile_contexts(plan, shape.n_features)
        self._n_tokens = 0
        self._n_contexts = 0

    @property
    def totals(self) -> Totals:
        """What was counted so far."""
        return Totals(self._n_tokens, self._n_contexts)

    @property
    def reconstructs(self) -> bool:
        """Whether the SAE's output is an estimate of its own input (a transcoder's is not)."""
        return not self.sae.facts.hook_name_out

    def update(self, contexts: ContextBatch, inputs: torch.Tensor) -> None:
        """Take in one batch; `inputs` [batch_contexts, context_size, d_in] are read at the SAE's hook.

        `InputError` when an input or an activation on a counted token is NaN or infinite.
        """
        self._require_finite(contexts, inputs)
        events = by_feature(list(self._events(contexts, inputs)))
        self.statistics.update(
            ActivationBatch(
                n_features=self.sae.facts.d_sae,
                feature_idx=events.feature_idx,
                row=events.row,
                activation=events.activation,
                token_ids=contexts.token_ids,
                counted=contexts.counted,
                document_idx=contexts.document_idx,
                context_idx=contexts.context_idx,
            )
        )
        self._n_tokens += contexts.n_counted
        self._n_contexts += contexts.n_counted_contexts

    def merge(self, other: Self) -> None:
        """Take in what another worker found in other contexts."""
        self.statistics.merge(other.statistics)
        self.reconstruction.merge(other.reconstruction)
        self._n_tokens += other._n_tokens
        self._n_contexts += other._n_contexts

    def state(self) -> State:
        """Everything as named arrays."""
        return {
            **{f"statistics.{key}": array for key, array in self.statistics.state().items()},
            **{f"reconstruction.{key}": array for key, array in self.reconstruction.state().items()},
            "totals": np.array([self._n_tokens, self._n_contexts], dtype=np.int64),
        }

    def load(self, state: State) -> None:
        """Replace everything by `state`."""
        for name, member in (("statistics", self.statistics), ("reconstruction", self.reconstruction)):
            prefix = f"{name}."
            member.load({key.removeprefix(prefix): state[key] for key in state if key.startswith(prefix)})
        self._n_tokens, self._n_contexts = (int(count) for count in state["totals"].tolist())

    def _events(self, contexts: ContextBatch, inputs: torch.Tensor) -> list[Events]:
        """Encode tile by tile, so that the dense activations of a whole batch never exist at once."""
        n_contexts, size = contexts.counted.shape
        sampled = self._plan.sampled(contexts.context_idx)
        parts: list[Events] = []
        for start in range(0, len(inputs), self._tile):
            stop = min(start + self._tile, n_contexts)
            if start >= n_contexts:
                break
            tile = inputs[start : start + self._tile].flatten(0, 1)
            dense = self.sae.encode(tile)
            counted = contexts.counted[start:stop].reshape(-1)
            try:
                parts.append(events_of(dense[: len(counted)], counted, start * size))
            except NotFiniteError as error:
                raise self._not_finite(
                    f"feature {error.feature_idx} has an activation that is not finite"
                ) from error
            if self.reconstructs:
                for number in np.flatnonzero(sampled[start:stop]).tolist():
                    rows = slice(number * size, (number + 1) * size)
                    self._measure(contexts, start + number, tile[rows], dense[rows])
        return parts

    def _measure(
        self, contexts: ContextBatch, number: int, inputs: torch.Tensor, dense: torch.Tensor
    ) -> None:
        """Compare one context with its reconstruction; one context at a time, so that the shape is fixed."""
        outputs = self.sae.reconstruct(inputs, dense)
        counted = contexts.counted[number]
        before, after = (part.cpu().double().numpy()[counted] for part in (inputs, outputs))
        self.reconstruction.add(int(contexts.context_idx[number]), before, after)

    def _require_finite(self, contexts: ContextBatch, inputs: torch.Tensor) -> None:
        sums = inputs[: len(contexts.counted)].sum(dim=-1).cpu().numpy()
        if not np.isfinite(sums[contexts.counted]).all():
            raise self._not_finite(f"the model's activations at {self.sae.facts.hook_name} are not finite")

    def _not_finite(self, what: str) -> InputError:
        facts = self.sae.facts
        return InputError(
            f"{what} (NaN or infinity)",
            where=f"SAE {facts.slug} at {facts.hook_name}",
            fix="check the weights of the model and the SAE; with dtype float16, try float32 or bfloat16",
        )
