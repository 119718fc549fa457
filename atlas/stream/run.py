"""The one pass: every SAE of the atlas, every statistic, the corpus read once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from atlas.errors import InputError, InterruptedBuildError
from atlas.sources.packing import pack
from atlas.store import SaeEntry
from atlas.stream.batches import Mask, in_batches
from atlas.stream.contexts import ContextFiles
from atlas.stream.plan import library_versions, pass_digest, pass_shape, plan_pass
from atlas.stream.sae_pass import SaePass
from atlas.stream.tables import write_documents, write_sae_tables, write_vocabulary

if TYPE_CHECKING:
    from atlas.config import SiteConfig
    from atlas.sources.corpora.base import Corpus
    from atlas.sources.engines.base import Engine
    from atlas.sources.saes.base import SparseCoder
    from atlas.store import AtlasStore

Progress = Callable[[int, int], None]
"""Told (tokens read so far, tokens to read at most) after every batch."""

STAGE = "stream"
"""Name of this stage in the manifest."""

SCRATCH = ".partial"
"""Folder in the dataset for files that no manifest names; the store sweeps what a killed build leaves."""


def stream_activations(  # noqa: PLR0917 - the order of the data's way
    store: AtlasStore,
    config: SiteConfig,
    engine: Engine,
    saes: Sequence[SparseCoder],
    corpus: Corpus,
    progress: Progress | None = None,
) -> None:
    """Run the pass; write features, examples and report per SAE, documents, vocabulary, manifest.

    Call it under `store.lock()`. `InputError` when no token is left to count or an activation is
    not finite; `InterruptedBuildError` on Ctrl-C. Nothing in `store` changes before the corpus has
    been read to its end.
    """
    reading = Reading(config, engine, saes, corpus)
    files = ContextFiles(store.path / SCRATCH, reading.plan.context_size, engine.tokens.vocabulary_size)
    with files, _interruptible(reading):
        reading.read(files, progress or _silent)
        others = {name: digest for name, digest in store.manifest.stages.items() if name != STAGE}
        store.update(**reading.manifest_fields(), stages=others)
        for sae_pass in reading.passes:
            write_sae_tables(store, sae_pass, files, reading.plan.sample_words(reading.counts.contexts))
        write_documents(store, reading.packing.documents)
        write_vocabulary(store, engine.tokens)
        store.update(stages={**others, STAGE: pass_digest(config, engine, saes, corpus)})


@dataclass
class Counts:
    """Running totals over the corpus."""

    read: int = 0
    """Tokens read, masked ones included."""
    counted: int = 0
    """Tokens left by the mask."""
    contexts: int = 0
    """Packed sequences read."""


class Reading:
    """The corpus on its way through the model into the statistics of every SAE."""

    def __init__(
        self, config: SiteConfig, engine: Engine, saes: Sequence[SparseCoder], corpus: Corpus
    ) -> None:
        """`InputError` when one pass cannot serve all `saes`."""
        self.plan = plan_pass(config, engine, saes)
        self.mask = Mask.of(config.stream.mask, engine.tokens.special_ids)
        vocabulary_size = engine.tokens.vocabulary_size
        self.passes = [
            SaePass(sae, self.plan, pass_shape(config, self.plan, sae.facts.d_sae, vocabulary_size))
            for sae in saes
        ]
        self.packing = pack(
            corpus,
            engine.tokens,
            context_size=self.plan.context_size,
            prepend_bos=self.plan.prepend_bos,
            separator=self.plan.separator,
            token_budget=config.corpus.tokens,
        )
        self.counts = Counts()
        self._config = config
        self._engine = engine
        self._corpus = corpus

    def read(self, files: ContextFiles, progress: Progress) -> None:
        """Every batch once; what was read is kept in `files`. `InputError` when nothing counts."""
        import torch

        budget = self._config.corpus.tokens
        size = self.plan.batch_contexts
        with torch.inference_mode():
            for batch in in_batches(self.packing, size, self.mask):
                token_ids = torch.from_numpy(batch.padded_token_ids(size)).to(self._engine.device)
                inputs = self._engine.activations(token_ids, self.plan.hook_names)
                for sae_pass in self.passes:
                    sae_pass.update(batch, inputs[sae_pass.sae.facts.hook_name])
                files.append(batch.context_idx, batch.token_ids, batch.document_idx)
                self.counts.read += batch.n_read
                self.counts.counted += batch.n_counted
                self.counts.contexts += len(batch.context_idx)
                progress(self.counts.read, max(budget, self.counts.read))
        if not self.counts.counted:
            raise InputError(
                f"the corpus has {self.counts.read:,} tokens, but the mask leaves out all of them"
                f" ({self.mask.words()})",
                where="pass: mask",
                fix="use a corpus with text in it, or mask less",
            )
        progress(self.counts.read, self.counts.read)

    def manifest_fields(self) -> dict[str, Any]:
        """Fields of the manifest that this pass settles."""
        config, options, counts = self._config, self._config.stream, self.counts
        return {
            "model": asdict(self._engine.facts),
            "saes": [_entry(sae_pass) for sae_pass in self.passes],
            "corpus": {
                "kind": config.corpus.kind,
                "description": self._corpus.description,
                "fingerprint": self._corpus.fingerprint(),
                "n_documents": len(self.packing.documents),
                "n_tokens_read": counts.read,
                "tokens_requested": config.corpus.tokens,
                "context_size": self.plan.context_size,
                "prepend_bos": self.plan.prepend_bos,
                "separator": self.plan.separator,
                "seed": config.corpus.seed,
            },
            "stream": {
                **options.model_dump(mode="json", exclude={"mask"}),
                "n_tokens": counts.counted,
                "n_contexts": counts.contexts,
                "n_masked": counts.read - counts.counted,
                "mask": self.mask.words(),
                "sample": self.plan.sample_words(counts.contexts),
            },
            "versions": library_versions(),
        }


def _entry(sae_pass: SaePass) -> SaeEntry:
    facts = sae_pass.sae.facts
    return SaeEntry(slug=facts.slug, title=facts.title, n_features=facts.d_sae, facts=asdict(facts))


@contextmanager
def _interruptible(reading: Reading) -> Iterator[None]:
    """Ctrl-C within the block as `InterruptedBuildError`."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise InterruptedBuildError(
            f"stopped after {reading.counts.read:,} tokens of the pass; nothing was kept of it",
            fix="run the same command again",
        ) from error


def _silent(done: int, total: int) -> None:
    """No progress wanted."""
