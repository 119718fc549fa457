"""What the stages of one build share: the dataset, the opened sources, and who is told of the progress."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from atlas.pipeline.digests import browser_digest, enrich_digest, index_digest
from atlas.store import AtlasStore
from atlas.store.dataset import CHECKPOINT, SCRATCH
from atlas.store.manifest import MANIFEST_NAME
from atlas.stream.checkpoint import Checkpoint
from atlas.stream.inputs import Sections, digest, opened_sections, pass_sections

if TYPE_CHECKING:
    from collections.abc import Iterable

    from atlas.config import SiteConfig
    from atlas.configfile import LoadedConfig
    from atlas.sources.corpora.base import Corpus
    from atlas.sources.engines.base import Engine
    from atlas.sources.packing import PackedContext
    from atlas.sources.saes.base import SparseCoder


FOLLOWERS = {
    "stream": ("enrich", "index", "browser_model"),
    "enrich": ("index",),
    "index": (),
    "browser_model": (),
}
"""Stage that writes tables → the stages that read what it writes."""

UNFINISHED = ""
"""Digest in the manifest of a stage that has not run since something it reads changed."""


class Progress(Protocol):
    """Where a build tells how far it is. Called from one thread, at most once per batch or file."""

    def begin(self, title: str, unit: str) -> None:
        """A stage starts; its amounts will be counted in `unit` (a plural)."""
        ...

    def update(self, done: int, total: int, step: str = "") -> None:
        """`done` of `total` units are finished, earlier runs included; `step` is what comes next."""
        ...

    def end(self, outcome: str) -> None:
        """The stage is finished; `outcome` says in a few words what came of it."""
        ...

    def skip(self, title: str, reason: str) -> None:
        """A stage is not needed."""
        ...

    def note(self, text: str) -> None:
        """Something to know while the stage runs."""
        ...


class Silence:
    """A `Progress` that tells nobody."""

    def begin(self, title: str, unit: str) -> None:
        """Nothing."""

    def update(self, done: int, total: int, step: str = "") -> None:
        """Nothing."""

    def end(self, outcome: str) -> None:
        """Nothing."""

    def skip(self, title: str, reason: str) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""


class Job:
    """What the stages of one build share; models, SAEs and corpus are opened on first use, once."""

    def __init__(
        self,
        loaded: LoadedConfig,
        progress: Progress | None = None,
        *,
        fresh: bool = False,
        force: bool = False,
    ) -> None:
        """With `fresh` nothing of earlier builds is used; with `force` doubts do not stop the build."""
        self.loaded = loaded
        self.fresh = fresh
        self.force = force
        self.progress: Progress = Silence() if progress is None else progress
        self.data = loaded.base / loaded.config.output.data
        self.site = loaded.base / loaded.config.output.site
        self.notes: list[str] = []
        self.warnings: list[str] = []
        own = loaded.config.enrich.explanations
        self.explanations = None if own is None else loaded.base / own

    @property
    def config(self) -> SiteConfig:
        """The configuration."""
        return self.loaded.config

    @cached_property
    def store(self) -> AtlasStore:
        """The dataset; made on first use where there is none."""
        return AtlasStore.open_or_create(self.data)

    @cached_property
    def engine(self) -> Engine:
        """The language model."""
        from atlas.sources.open import open_engine

        return open_engine(self.config.model, self.loaded.base)

    @cached_property
    def saes(self) -> list[SparseCoder]:
        """The SAEs, in the order of the configuration."""
        from atlas.sources.open import open_sae

        return [open_sae(sae, self.loaded.base, self.engine.device, self.engine) for sae in self.config.saes]

    def sae(self, slug: str) -> SparseCoder:
        """The SAE of that slug; `KeyError` if there is none."""
        return {sae.facts.slug: sae for sae in self.saes}[slug]

    @cached_property
    def corpus(self) -> Corpus:
        """The text."""
        from atlas.sources.open import open_corpus

        return open_corpus(self.config.corpus, self.loaded.base)

    def first_contexts(self) -> Iterable[PackedContext]:
        """The packed contexts that the pass will read, from the first on."""
        from atlas.sources.packing import pack
        from atlas.stream.plan import plan_pass

        plan = plan_pass(self.config, self.engine, self.saes)
        return pack(
            self.corpus,
            self.engine.tokens,
            context_size=plan.context_size,
            prepend_bos=plan.prepend_bos,
            separator=plan.separator,
            token_budget=self.config.corpus.tokens,
        )

    @cached_property
    def sections(self) -> Sections:
        """Everything the pass depends on that can be said before model and SAEs are opened."""
        return pass_sections(self.config, self.loaded.base, self.corpus.fingerprint())

    @cached_property
    def all_sections(self) -> Sections:
        """Everything the pass depends on, opened model and SAEs and the software included."""
        return {**self.sections, **opened_sections(self.engine, self.saes)}

    @cached_property
    def checkpoint(self) -> Checkpoint:
        """What an unfinished pass has committed in the dataset folder."""
        folder = self.data / SCRATCH / CHECKPOINT
        return Checkpoint(folder, seconds=self.config.stream.checkpoint_seconds)

    @cached_property
    def stream_digest(self) -> str:
        """Digest of everything the pass depends on; other software leaves a finished dataset as it is."""
        return digest(self.sections)

    @cached_property
    def enrich_digest(self) -> str:
        """Digest of everything the enrichers depend on."""
        return enrich_digest(self.loaded, self.stream_digest)

    @cached_property
    def index_digest(self) -> str:
        """Digest of everything the search index depends on."""
        return index_digest(self.enrich_digest)

    @cached_property
    def browser_digest(self) -> str:
        """Digest of everything the model for browsers depends on."""
        return browser_digest(self.loaded, self.stream_digest)

    def finished(self, stage: str, digest: str) -> bool:
        """Whether the dataset holds the result of `stage` for `digest`."""
        return (self.data / MANIFEST_NAME).exists() and self.store.manifest.stages.get(stage) == digest

    def record(self, stage: str, digest: str) -> None:
        """Record `digest` for `stage` (`UNFINISHED` while it runs); all stages that read it are due again."""
        due = dict.fromkeys(FOLLOWERS[stage], UNFINISHED)
        if not self.config.browser_model:
            due.pop("browser_model", None)
        self.store.update(stages={**self.store.manifest.stages, stage: digest, **due})
