"""What the pass will do, settled before it starts: packing, batch shape, samples."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from atlas.errors import InputError
from atlas.sources.packing import trained_separator
from atlas.sources.trials import written_at
from atlas.stats.base import PassShape

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from atlas.config import SiteConfig
    from atlas.sources.engines.base import Engine
    from atlas.sources.saes.base import SaeFacts, SparseCoder

DEFAULT_CONTEXT_SIZE = 128
"""Tokens per context where neither the configuration nor any SAE says."""

SAMPLE_MIN, SAMPLE_SHARE, SAMPLE_MAX = 4096, 32, 65_536
"""Tokens on which reconstruction is measured: one in `SAMPLE_SHARE`, at least and at most so many."""

CPU_TILE_BYTES, DEVICE_TILE_BYTES = 4 << 20, 256 << 20
"""Dense activations encoded at once, as far as contexts and features can be cut: on a CPU few enough to
stay in its cache (an eighth faster at 24,576 features than all at once), on other devices enough to keep
them busy."""

TILE_TOKENS = 512
"""Tokens encoded at once where features can be cut: fewer would read the weights too often."""

MIN_PART = 512
"""Features encoded at once, at least: matrix products of fewer columns are slow."""


@dataclass(frozen=True)
class PassPlan:
    """Everything about the pass that depends on no token."""

    context_size: int
    """Tokens per packed sequence."""
    prepend_bos: bool
    """Whether every context begins with BOS."""
    separator: str | None
    """Token between documents, in SAELens' words; None for none."""
    batch_contexts: int
    """Contexts per forward pass; the last batch is padded to this shape."""
    sample_first: int
    """Reconstruction is measured on so many contexts at the start of the corpus …"""
    sample_stride: int
    """… and on every context whose number is a multiple of this."""
    tile_bytes: int
    """Dense activations encoded at once, in bytes; one context of `MIN_PART` features at least."""
    hook_names: tuple[str, ...]
    """The hooks to read, each once, in the order of the SAEs."""

    def sampled(self, context_idx: NDArray[np.int64]) -> NDArray[np.bool_]:
        """[n] whether reconstruction is measured on each context: the same ones for any batches."""
        return (context_idx < self.sample_first) | (context_idx % self.sample_stride == 0)

    def sample_words(self, n_contexts: int) -> str:
        """Which of the first `n_contexts` contexts `sampled` takes, in words."""
        if self.sample_stride == 1 or n_contexts <= self.sample_first:
            return "all contexts"
        return f"the first {self.sample_first:,} contexts and one in {self.sample_stride:,} of the rest"


def plan_pass(config: SiteConfig, engine: Engine, saes: Sequence[SparseCoder]) -> PassPlan:
    """The plan for all `saes` in one forward pass.

    `InputError` when they were trained on differently packed text: one pass cannot serve both.
    """
    facts = [sae.facts for sae in saes]
    _require_same_packing(facts)
    context_size = config.corpus.context_size or _trained_context_size(facts, engine.facts.context_size)
    wanted = min(max(config.corpus.tokens // SAMPLE_SHARE, SAMPLE_MIN), SAMPLE_MAX)
    return PassPlan(
        context_size=context_size,
        prepend_bos=facts[0].prepend_bos,
        separator=trained_separator(facts[0]),
        batch_contexts=config.stream.batch_contexts,
        sample_first=ceil(SAMPLE_MIN / context_size),
        sample_stride=max(1, config.corpus.tokens // wanted),
        tile_bytes=CPU_TILE_BYTES if engine.device.type == "cpu" else DEVICE_TILE_BYTES,
        hook_names=tuple(dict.fromkeys(hook for fact in facts for hook in _hooks(engine, fact))),
    )


def _hooks(engine: Engine, facts: SaeFacts) -> list[str]:
    """Where the SAE reads, and where a transcoder writes if the engine has that hook."""
    written = written_at(engine, facts)
    return [facts.hook_name] if written is None else [facts.hook_name, written]


def pass_shape(config: SiteConfig, plan: PassPlan, n_features: int, vocabulary_size: int) -> PassShape:
    """The sizes and options of the statistics of one SAE."""
    options = config.stream
    return PassShape(
        n_features=n_features,
        vocabulary_size=vocabulary_size,
        context_size=plan.context_size,
        seed=config.corpus.seed,
        top_examples=options.top_examples,
        interval_count=options.interval_count,
        interval_examples=options.interval_examples,
        random_examples=options.random_examples,
        window_before=options.window_before,
        window_after=options.window_after,
        sample_tokens=options.sample_tokens,
        counter_examples=options.counter_examples,
    )


@dataclass(frozen=True)
class Tile:
    """What is encoded at once. It depends on sizes alone, for the last bits of a product depend on it."""

    contexts: int
    """Contexts: a divisor of the batch, so that every batch is cut alike."""
    features: int
    """Features; the last part may have fewer."""


def tile_of(plan: PassPlan, n_features: int, *, separable: bool) -> Tile:
    """How an SAE's dense activations are cut; one that is not `separable` needs all features at once."""
    wanted = plan.tile_bytes // (4 * plan.context_size * n_features)
    if separable:
        wanted = max(wanted, TILE_TOKENS // plan.context_size)
    divisors = [part for part in range(1, plan.batch_contexts + 1) if plan.batch_contexts % part == 0]
    contexts = max(part for part in divisors if part <= max(1, wanted))
    if not separable:
        return Tile(contexts, n_features)
    fitting = plan.tile_bytes // (4 * plan.context_size * contexts)
    return Tile(contexts, min(n_features, max(MIN_PART, fitting)))


def _require_same_packing(facts: Sequence[SaeFacts]) -> None:
    first = facts[0]
    for other in facts[1:]:
        if other.prepend_bos != first.prepend_bos:
            raise InputError(
                f"{first.slug} was trained with prepend_bos {first.prepend_bos}, {other.slug} with"
                f" {other.prepend_bos}: one pass cannot feed both",
                where="saes",
                fix="build them as two atlases, or set prepend_bos on one of them",
            )
        if trained_separator(other) != trained_separator(first):
            raise InputError(
                f"{first.slug} was trained with {trained_separator(first)!r} between documents,"
                f" {other.slug} with {trained_separator(other)!r}: one pass cannot feed both",
                where="saes",
                fix="build them as two atlases",
            )


def _trained_context_size(facts: Sequence[SaeFacts], longest: int) -> int:
    """The shortest context any of the SAEs was trained on, and no longer than the model takes."""
    trained = [fact.context_size for fact in facts if fact.context_size > 0]
    return min(min(trained, default=DEFAULT_CONTEXT_SIZE), longest)
