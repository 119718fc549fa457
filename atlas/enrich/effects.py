"""What a feature does on the examples shown: each token's loss, and the next token's logits, without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pyarrow as pa

from atlas.enrich.ablation import Ablation
from atlas.enrich.base import NOT_AVAILABLE
from atlas.enrich.cases import Budget, Effect, Shown
from atlas.enrich.logit_effects import tokenizer_ids
from atlas.errors import InputError
from atlas.schema import EFFECT_LIST
from atlas.schema import EFFECTS as EFFECTS_TABLE
from atlas.stats.lists import flat_numbers, flatten, struct_lists
from atlas.stats.ragged import row_bounds
from atlas.stream.whole_contexts import strongest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from atlas.enrich.base import EnrichContext
    from atlas.sources.engines.base import ModelFacts
    from atlas.store import AtlasStore

CPU_PARAMETERS, DEVICE_PARAMETERS = 50_000_000, 1_000_000_000
"""Largest model, on a CPU and elsewhere, whose effects `auto` computes: the work grows with the model."""

FEATURES_AT_ONCE = 16_384
"""Features whose examples are read together."""


class Effects:
    """Ablates each feature on its strongest examples."""

    name: ClassVar[str] = "effects"
    reads: ClassVar[tuple[str, ...]] = ("examples", "contexts", "vocabulary")
    writes: ClassVar[tuple[str, ...]] = ("effects",)
    notes: ClassVar[str] = (
        "The effect of a feature on a token is how much worse the model predicts that token, in nats, when "
        "the feature is ablated: what the decoder adds for it is removed at every position of the context "
        "at once, and nothing else is touched (the SAE's error stays). It is positive where the feature "
        "helped. Beside it stands what the ablation does to the logits after the example's own token, less "
        "the mean over the vocabulary, and the part of it that the direct path explains."
    )

    def run(self, context: EnrichContext) -> None:
        """Write `effects` (rows by feature and rank, none for a dead feature), or note why there are none."""
        engine, sae = context.engine(), context.sae()
        reason = left_out(context.config.effects, engine.facts)
        if reason:
            context.note(f"{NOT_AVAILABLE}: {reason}.")
            return
        ids = tokenizer_ids(context.store)
        budget = Budget.of(engine.device.type)
        try:
            ablation = Ablation(
                engine,
                sae,
                ids[ids < engine.facts.vocabulary_size],
                n_tokens=context.config.logit_effects,
                budget=budget,
            )
        except InputError as error:
            context.note(f"{NOT_AVAILABLE}: {error.what}.")
            return
        count = context.config.effect_examples
        context.note(f"Measured on the {count} strongest examples of each feature.")
        contexts = Contexts(context.store)
        with context.store.writer("effects", sae=context.sae_slug, schema=EFFECTS_TABLE) as writer:
            steps = context.store.iter_features("examples", context.sae_slug, FEATURES_AT_ONCE, _COLUMNS)
            for _, _, rows in steps:
                top = strongest(rows, count)
                found = dict(ablation.run(examples_of(top, contexts)))
                writer.write(effect_rows(top, [found[number] for number in range(top.num_rows)]))


_COLUMNS = ("feature_idx", "group", "rank", "context_idx", "position", "peak", "token_ids")


def left_out(option: str, facts: ModelFacts) -> str:
    """Why effects are not computed for this model under that option; '' when they are."""
    if option == "off":
        return "switched off by enrich.effects: off"
    limit = CPU_PARAMETERS if facts.device == "cpu" else DEVICE_PARAMETERS
    size = parameters(facts)
    if option == "on" or size <= limit:
        return ""
    return (
        f"left out because the model has about {size / 1e6:,.0f} million parameters, and on {facts.device}"
        f" the limit is {limit // 1_000_000:,} million; enrich.effects: on computes them all the same"
    )


def parameters(facts: ModelFacts) -> int:
    """About how many parameters the model has: 12 d² a layer, and the unembedding."""
    return 12 * facts.n_layers * facts.d_model**2 + facts.vocabulary_size * facts.d_model


class Contexts:
    """The table contexts, for looking up by number."""

    def __init__(self, store: AtlasStore) -> None:
        rows = store.read("contexts").combine_chunks()
        self._numbers = rows["context_idx"].to_numpy()
        self._bounds, self._tokens = flat_numbers(rows["token_ids"])

    def tokens(self, context_idx: int) -> NDArray[np.int32]:
        """The token ids of that context; `InputError` when the dataset does not have it."""
        at = int(np.searchsorted(self._numbers, context_idx))
        if at == len(self._numbers) or self._numbers[at] != context_idx:
            raise InputError(
                f"the table contexts lacks context {context_idx} of an example",
                where="table contexts",
                fix="run the pass again: atlas build --fresh",
            )
        return self._tokens[self._bounds[at] : self._bounds[at + 1]]


def examples_of(rows: pa.Table, contexts: Contexts) -> list[Shown]:
    """The examples in `rows` of the table examples, in their order."""
    columns = {name: rows[name].to_pylist() for name in ("feature_idx", "context_idx", "position", "peak")}
    lengths = np.diff(flatten(rows["token_ids"])[0]).tolist()
    found: list[Shown] = []
    for feature, number, position, peak, length in zip(*columns.values(), lengths, strict=True):
        first = position - peak
        tokens = contexts.tokens(number)
        found.append(Shown(feature, tokens, number, first, first + length, position))
    return found


def effect_rows(rows: pa.Table, effects: Sequence[Effect]) -> pa.Table:
    """`schema.EFFECTS` for `rows` of the table examples; NaN becomes null."""
    columns: dict[str, pa.Array | pa.ChunkedArray] = {
        "feature_idx": rows["feature_idx"],
        "rank": rows["rank"],
        "effects": _lists([effect.loss for effect in effects], EFFECTS_TABLE.field("effects").type),
        "raised": _token_lists([effect.raised for effect in effects]),
        "lowered": _token_lists([effect.lowered for effect in effects]),
    }
    return pa.table([columns[name] for name in EFFECTS_TABLE.names], schema=EFFECTS_TABLE)


def _lists(parts: Sequence[NDArray[np.float32]], kind: pa.ListType) -> pa.Array:
    flat = np.concatenate([*parts, np.zeros(0, np.float32)])
    ends = row_bounds(np.array([len(part) for part in parts], np.int64)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(flat, from_pandas=True), type=kind)


def _token_lists(
    parts: Sequence[tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]],
) -> pa.Array:
    empty = (np.zeros(0, np.int32), np.zeros(0, np.float32), np.zeros(0, np.float32))
    columns = (np.concatenate(column) for column in zip(*parts, empty, strict=True))
    lengths = np.array([len(part[0]) for part in parts], dtype=np.int64)
    return struct_lists(EFFECT_LIST, lengths, *columns, nan_is_null=True)


EFFECTS = Effects()
"""Registered under `atlas.enrichers`."""
