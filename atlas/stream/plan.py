"""What the pass will do, settled before it starts: packing, batch shape, samples, digest."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from math import ceil
from typing import TYPE_CHECKING, Any

from atlas.errors import InputError
from atlas.schema import SCHEMA_VERSION
from atlas.sources.packing import trained_separator
from atlas.stats.base import PassShape

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from atlas.config import SiteConfig
    from atlas.sources.corpora.base import Corpus
    from atlas.sources.engines.base import Engine
    from atlas.sources.saes.base import SaeFacts, SparseCoder

DEFAULT_CONTEXT_SIZE = 128
"""Tokens per context where neither the configuration nor any SAE says."""

SAMPLE_MIN, SAMPLE_SHARE, SAMPLE_MAX = 4096, 32, 65_536
"""Tokens on which reconstruction is measured: one in `SAMPLE_SHARE`, at least and at most so many."""

CPU_TILE_BYTES, DEVICE_TILE_BYTES = 4 << 20, 256 << 20
"""Dense activations encoded at once, unless one context is larger: on a CPU few enough to stay in its
cache (a fifth faster on the demo's SAEs than 32 MiB), on other devices enough to keep them busy."""

LIBRARIES = (
    "feature-atlas", "torch", "numpy", "pyarrow", "transformers", "tokenizers", "transformer-lens",
    "sae-lens", "datasets",
)  # fmt: skip
"""Distributions whose versions may change a dataset."""


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
    """Dense activations encoded at once, in bytes; one context at least."""
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
        hook_names=tuple(dict.fromkeys(fact.hook_name for fact in facts)),
    )


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
    )


def tile_contexts(plan: PassPlan, n_features: int) -> int:
    """Contexts encoded at once: a divisor of the batch, so that every batch is cut alike."""
    wanted = max(1, plan.tile_bytes // (4 * plan.context_size * n_features))
    return max(
        part
        for part in range(1, plan.batch_contexts + 1)
        if plan.batch_contexts % part == 0 and part <= wanted
    )


def library_versions() -> dict[str, str]:
    """Versions of Python and of the installed libraries that may change a dataset."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def pass_digest(config: SiteConfig, engine: Engine, saes: Sequence[SparseCoder], corpus: Corpus) -> str:
    """SHA-256 hex over all inputs of the pass: equal digests mean equal tables."""
    sections: dict[str, Any] = {
        "schema": SCHEMA_VERSION,
        "model": asdict(engine.facts),
        "saes": [asdict(sae.facts) for sae in saes],
        "corpus": [config.corpus.model_dump(mode="json"), corpus.fingerprint()],
        "pass": config.stream.model_dump(mode="json"),
        "versions": library_versions(),
    }
    return hashlib.sha256(json.dumps(sections, sort_keys=True, default=str).encode()).hexdigest()


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
