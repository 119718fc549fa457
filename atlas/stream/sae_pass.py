"""One SAE's share of the pass: encode, extract, count. Mergeable, like the statistics it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from atlas.batch import ActivationBatch
from atlas.errors import InputError
from atlas.sources.saes.base import Separable
from atlas.stats.base import Totals
from atlas.stream.events import NotFiniteError, by_feature, events_of
from atlas.stream.plan import tile_of
from atlas.stream.reconstruction import Reconstruction
from atlas.stream.statistics import StatisticSet

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from numpy.typing import NDArray

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
        self.reconstruction = Reconstruction()
        self._plan = plan
        self._apart = sae if isinstance(sae, Separable) and sae.separable else None
        self._tile = tile_of(plan, shape.n_features, separable=self._apart is not None)
        self._n_tokens = 0
        self._n_contexts = 0

    @property
    def totals(self) -> Totals:
        """What was counted so far."""
        return Totals(self._n_tokens, self._n_contexts)

    def update(
        self, contexts: ContextBatch, inputs: torch.Tensor, targets: torch.Tensor | None = None
    ) -> None:
        """Take in one batch; `inputs` [batch_contexts, context_size, d_in] are read at the SAE's hook.

        `targets` [batch_contexts, context_size, d_out] are read where a transcoder writes; without them its
        reconstruction is not measured. `InputError` when an input or an activation on a counted token is NaN
        or infinite.
        """
        self._require_finite(contexts, inputs)
        events = by_feature(self._events(contexts, inputs))
        compared = targets if self.sae.facts.hook_name_out else inputs
        if compared is not None:
            self._measure(contexts, inputs, compared, events)
        self.statistics.update(
            ActivationBatch(
                n_features=self.sae.facts.d_sae,
                feature_idx=events.feature_idx,
                row=events.row,
                activation=events.activation,
                token_ids=contexts.token_ids,
                counted=contexts.counted,
                document_idx=contexts.document_idx,
                source_idx=contexts.source_idx,
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
        """Encode tile by tile: the dense activations of a whole batch never exist at once."""
        n_contexts, size = contexts.counted.shape
        parts: list[Events] = []
        for start in range(0, n_contexts, self._tile.contexts):
            tile = slice(start, start + self._tile.contexts)
            counted = contexts.counted[tile].reshape(-1)
            first_feature = 0
            for dense in self._encoded(inputs[tile].flatten(0, 1)):
                parts.append(self._found(dense[: len(counted)], counted, start * size, first_feature))
                first_feature += dense.shape[1]
        return parts

    def _encoded(self, inputs: torch.Tensor) -> Iterator[torch.Tensor]:
        """The activations of one tile's tokens, some features at a time."""
        if self._apart is None:
            return iter((self.sae.encode(inputs),))
        return self._apart.encode_parts(inputs, self._tile.features)

    def _found(
        self, dense: torch.Tensor, counted: NDArray[np.bool_], first_row: int, first_feature: int
    ) -> Events:
        try:
            return events_of(dense, counted, first_row, first_feature)
        except NotFiniteError as error:
            raise self._not_finite(
                f"feature {error.feature_idx} has an activation that is not finite"
            ) from error

    def _measure(
        self, contexts: ContextBatch, inputs: torch.Tensor, targets: torch.Tensor, events: Events
    ) -> None:
        """Compare the sampled contexts with their reconstruction, one at a time: the shape is fixed.

        The activations are put together again from the events: nothing else fires on a counted token.
        """
        import torch

        size = contexts.counted.shape[1]
        sampled = self._plan.sampled(contexts.context_idx)
        mine = np.flatnonzero(sampled[events.row // size]) if sampled.any() else np.zeros(0, np.int64)
        row, feature_idx, activation = events.row[mine], events.feature_idx[mine], events.activation[mine]
        for number in np.flatnonzero(sampled).tolist():
            own = row // size == number
            dense = np.zeros((size, self.sae.facts.d_sae), dtype=np.float32)
            dense[row[own] % size, feature_idx[own]] = activation[own]
            outputs = self.sae.reconstruct(inputs[number], torch.from_numpy(dense).to(inputs.device))
            counted = contexts.counted[number]
            before, after = (part.cpu().double().numpy()[counted] for part in (targets[number], outputs))
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
