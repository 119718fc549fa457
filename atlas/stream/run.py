"""The one pass: every SAE of the atlas, every statistic, the corpus read once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from atlas.errors import InputError, InterruptedBuildError, OutOfMemoryError, is_out_of_memory
from atlas.sources.packing import pack
from atlas.sources.trials import written_at
from atlas.store import SaeEntry
from atlas.store.dataset import SCRATCH
from atlas.stream.batches import Mask, in_batches
from atlas.stream.checkpoint import Counts
from atlas.stream.contexts import ContextFiles
from atlas.stream.inputs import library_versions
from atlas.stream.losses import measure_losses, not_written
from atlas.stream.plan import pass_shape, plan_pass
from atlas.stream.sae_pass import SaePass
from atlas.stream.tables import write_documents, write_sae_tables, write_vocabulary
from atlas.stream.whole_contexts import write_contexts

if TYPE_CHECKING:
    from atlas.config import SiteConfig
    from atlas.sources.corpora.base import Corpus
    from atlas.sources.engines.base import Engine
    from atlas.sources.packing import PackedContext
    from atlas.sources.saes.base import SparseCoder
    from atlas.stats.base import State
    from atlas.store import AtlasStore
    from atlas.stream.batches import ContextBatch
    from atlas.stream.checkpoint import Keeper
    from atlas.stream.losses import Losses

Progress = Callable[[int, int], None]
"""Told (tokens read so far, tokens to read at most) after every batch; a resumed pass begins with what an
earlier run has read."""

STAGE = "stream"
"""Name of this stage in the manifest."""


def stream_activations(  # noqa: PLR0917 - the order of the data's way
    store: AtlasStore,
    config: SiteConfig,
    engine: Engine,
    saes: Sequence[SparseCoder],
    corpus: Corpus,
    progress: Progress | None = None,
    *,
    keeper: Keeper | None = None,
) -> None:
    """Run the pass; write features, examples and report per SAE, documents, vocabulary, manifest.

    Call it under `store.lock()`. With `keeper` the pass goes on where the last commit stands, commits on
    its way, and stops after a batch when asked to. The stage is taken out of the manifest before the first
    table is replaced; who called records it. `InputError` when no token is left to count or an activation
    is not finite; `InterruptedBuildError` on Ctrl-C; `OutOfMemoryError`. No table in `store` changes before
    the corpus has been read to its end.
    """
    reading = Reading(config, engine, saes, corpus)
    files = ContextFiles(store.path / SCRATCH, reading.plan.context_size, engine.tokens.vocabulary_size)
    with files, _told_what_is_kept(reading, keeper):
        reading.read(files, progress or _silent, keeper)
        others = {name: digest for name, digest in store.manifest.stages.items() if name != STAGE}
        losses = reading.losses(files, keeper)
        store.update(**reading.manifest_fields(), stages=others)
        for sae_pass, found in zip(reading.passes, losses, strict=True):
            if keeper is not None:
                keeper.stop_if_asked()
            sample, sources = reading.sample_words(sae_pass), reading.packing.sources
            write_sae_tables(store, sae_pass, files, losses=found, sample=sample, sources=sources)
        write_contexts(store, [sae.facts.slug for sae in saes], files)
        write_documents(store, reading.packing.documents)
        write_vocabulary(store, engine.tokens)


class Member(Protocol):
    """A part of the pass that remembers something."""

    def state(self) -> State:
        """All of it as arrays."""
        ...

    def load(self, state: State) -> None:
        """Replace all of it."""
        ...


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
        self._tokens = hashlib.sha256()
        self._committed = 0
        self._config = config
        self._engine = engine
        self._corpus = corpus

    def members(self) -> dict[str, Member]:
        """Everything whose memory a commit must hold, by name."""
        return {f"saes.{sae_pass.sae.facts.slug}": sae_pass for sae_pass in self.passes}

    def state(self) -> State:
        """Every member's arrays, named '<member>/<array>'."""
        return {
            f"{name}/{key}": array
            for name, member in self.members().items()
            for key, array in member.state().items()
        }

    def load(self, state: State) -> None:
        """Replace every member's memory."""
        for name, member in self.members().items():
            prefix = f"{name}/"
            member.load({key.removeprefix(prefix): state[key] for key in state if key.startswith(prefix)})

    def read(self, files: ContextFiles, progress: Progress, keeper: Keeper | None) -> None:
        """Every batch once; what was read is kept in `files`. `InputError` when nothing counts."""
        import torch

        budget = self._config.corpus.tokens
        contexts = iter(self.packing)
        if keeper is not None and self._resume(contexts, files, keeper):
            progress(self.counts.read, max(budget, self.counts.read))
        with torch.inference_mode():
            for batch in in_batches(contexts, self.plan.batch_contexts, self.mask):
                with _hopeless(keeper):
                    self._read_batch(batch)
                self._note(batch, files)
                progress(self.counts.read, max(budget, self.counts.read))
                if keeper is not None:
                    self._keep(keeper)
        with _hopeless(keeper):
            self._require_counted()
        if keeper is not None:
            self._commit(keeper)
        progress(self.counts.read, self.counts.read)

    def losses(self, files: ContextFiles, keeper: Keeper | None) -> list[Losses]:
        """What each SAE costs the model, on the first contexts read."""
        return measure_losses(
            self._engine,
            [sae_pass.sae for sae_pass in self.passes],
            files,
            self.counts.contexts,
            self.mask,
            self._config.stream.loss_tokens,
            keeper.stop if keeper is not None else None,
        )

    def sample_words(self, sae_pass: SaePass) -> str:
        """On which contexts the SAE's reconstruction was measured, or why on none."""
        facts = sae_pass.sae.facts
        if written_at(self._engine, facts) is None:
            return not_written(facts)
        return self.plan.sample_words(self.counts.contexts)

    def _require_counted(self) -> None:
        if not self.counts.counted:
            raise InputError(
                f"the corpus has {self.counts.read:,} tokens, but the mask leaves out all of them"
                f" ({self.mask.words()})",
                where="pass: mask",
                fix="use a corpus with text in it, or mask less",
            )

    def _read_batch(self, batch: ContextBatch) -> None:
        """Model, SAEs, statistics."""
        import torch

        padded = torch.from_numpy(batch.padded_token_ids(self.plan.batch_contexts)).to(self._engine.device)
        inputs = self._engine.activations(padded, self.plan.hook_names)
        for sae_pass in self.passes:
            facts = sae_pass.sae.facts
            sae_pass.update(batch, inputs[facts.hook_name], inputs.get(facts.hook_name_out))

    def _note(self, batch: ContextBatch, files: ContextFiles) -> None:
        """Count a batch and keep its contexts for the examples."""
        files.append(batch.context_idx, batch.token_ids, batch.document_idx)
        self._tokens.update(np.ascontiguousarray(batch.token_ids, dtype="<i4").data)
        self.counts.read += batch.n_read
        self.counts.counted += batch.n_counted
        self.counts.contexts += len(batch.context_idx)

    def _resume(self, contexts: Iterator[PackedContext], files: ContextFiles, keeper: Keeper) -> bool:
        """Take up the last commit and pass over the contexts in it; whether there is one.

        They are packed again, which is cheap beside the model: documents and contexts come out the same.
        """
        keeper.checkpoint.refuse_other(keeper.sections)
        found = keeper.checkpoint.load()
        if found is None:
            return False
        commit, state = found
        self._load_kept(state)
        done = islice(contexts, commit.counts.contexts)
        for batch in in_batches(done, self.plan.batch_contexts, self.mask):
            self._note(batch, files)
            keeper.stop_if_asked()
        if self._tokens.hexdigest() != commit.tokens_sha256:
            raise InputError(
                f"the first {commit.counts.read:,} tokens of the corpus are not those that an unfinished pass"
                " has read",
                where="corpus",
                fix="restore the texts, or start over: `atlas build --fresh`",
            )
        self._committed = commit.counts.contexts
        return True

    def _load_kept(self, state: State) -> None:
        try:
            self.load(state)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise InputError(
                "what is kept of an unfinished pass was written by other code",
                where="pass",
                fix="start over: `atlas build --fresh`",
            ) from error

    def _keep(self, keeper: Keeper) -> None:
        """Commit if it is time to, or if the pass shall stop here."""
        if keeper.stop() or keeper.checkpoint.due():
            self._commit(keeper)
        keeper.stop_if_asked()

    def _commit(self, keeper: Keeper) -> None:
        if self._committed != self.counts.contexts:
            keeper.checkpoint.save(self.state(), self.counts, self._tokens.hexdigest(), keeper.sections)
            self._committed = self.counts.contexts

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
                **options.model_dump(mode="json", exclude={"mask", "checkpoint_seconds"}),
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
def _hopeless(keeper: Keeper | None) -> Iterator[None]:
    """What fails in the block fails for the same inputs every time: there is nothing to go on with."""
    try:
        yield
    except InputError:
        if keeper is not None:
            keeper.checkpoint.discard()
        raise


@contextmanager
def _told_what_is_kept(reading: Reading, keeper: Keeper | None) -> Iterator[None]:
    """Ctrl-C and lack of memory within the block as errors that say what the next run need not repeat."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise InterruptedBuildError(
            f"stopped after {reading.counts.read:,} tokens of the pass; {_kept(keeper)}",
            fix="run the same command again",
        ) from error
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemoryError(
            f"not enough memory after {reading.counts.read:,} tokens of the pass; {_kept(keeper)}"
        ) from error


def _kept(keeper: Keeper | None) -> str:
    """What the next run need not repeat, in words."""
    commit = None if keeper is None else keeper.checkpoint.commit
    if commit is None:
        return "nothing was kept of it"
    return f"{commit.counts.read:,} tokens are kept: the same command goes on after them"


def _silent(done: int, total: int) -> None:
    """No progress wanted."""
