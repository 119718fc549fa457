"""What a build will cost, from a short pass: tokens, seconds, bytes, files, and whose limits that exceeds."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from atlas.configfile import parse_size
from atlas.pipeline.build import preflight, refuse_early
from atlas.pipeline.job import Job
from atlas.pipeline.modelsize import ModelSize, model_size
from atlas.pipeline.weigh import Scales
from atlas.store import AtlasStore

if TYPE_CHECKING:
    from atlas.config import EnrichConfig
    from atlas.configfile import LoadedConfig
    from atlas.pipeline.job import Progress
    from atlas.sources.engines.base import ModelFacts
    from atlas.sources.saes.base import SaeFacts

BATCHES = 4
"""Batches of the short pass; the first one, which also warms everything up, is not timed."""

COUNT_SECONDS = 10.0
"""Time spent at most on counting the tokens of a corpus that may be smaller than the budget."""

UMAP_START, UMAP_PER_FEATURE = 12.0, 1 / 1500
"""Seconds of the maps: compiling once, then per feature (measured up to 24,576 features on one core)."""

MULTIPLICATIONS = 2e10
"""Multiplications per second of logit effects and neighbours on one core, selecting the best included."""

SEARCH_BYTES = 120
"""Bytes per feature of the site's search index (measured on the demo atlas)."""

CHECK_SECONDS = 0.0015
"""Seconds per page of the final check."""

GB = 1_000_000_000


@dataclass(frozen=True)
class HostLimit:
    """One limit of one static host."""

    host: str
    """Its name."""
    bytes: int | None
    """Largest site in bytes."""
    files: int | None
    """Most files."""
    advice: str
    """What to do about it."""


HOST_LIMITS = (
    HostLimit("GitHub Pages", 1 * GB, None, "render fewer examples, or use another host"),
    HostLimit("Hugging Face (a Space or a repository)", 1 * GB, 100_000, "put one SAE into each"),
    HostLimit("Zenodo (as one zip file)", 50 * GB, None, "archive one SAE a record"),
)
"""Limits of the usual homes of a static site, as they publish them. No folder and no single file of a site
of ours comes near the limits that hosts have for those."""


@dataclass(frozen=True)
class Estimate:
    """What a build will cost. Seconds and bytes are estimates, tokens, pages and files counts."""

    tokens: int
    """Tokens the pass will read."""
    whole_corpus: bool
    """Whether that is the whole corpus, smaller than the budget."""
    tokens_per_second: float
    """Speed of the pass."""
    features: int
    """Features of all SAEs."""
    seconds: dict[str, float]
    """Stage → seconds."""
    memory_bytes: int
    """Memory in use during the short pass, at most; 0 where the system does not tell."""
    data_bytes: int
    """Size of the dataset."""
    site_bytes: int
    """Size of the site, with all the examples that the configuration asks for."""
    least_site_bytes: int
    """Size of the site with the fewest and shortest examples that its budget may come to."""
    pages: int
    """Pages of the site."""
    files: int
    """Files of the site."""
    model: ModelSize
    """What the model for browsers adds to dataset and site, counted in them."""
    site_budget: int | None
    """Largest site that the configuration allows, in bytes; None for any."""
    notes: tuple[str, ...]
    """What preflight found remarkable."""

    @property
    def over_budget(self) -> bool:
        """Whether the build would be refused before its pages, for the size of the site."""
        return self.site_budget is not None and self.least_site_bytes > self.site_budget

    @property
    def shortened(self) -> bool:
        """Whether the site would hold fewer and shorter examples, to keep to its budget."""
        return self.site_budget is not None and self.least_site_bytes <= self.site_budget < self.site_bytes

    @property
    def written_bytes(self) -> int:
        """Size of the site as it would be written: where it is shortened, at most its budget."""
        return self.site_budget or 0 if self.shortened else self.site_bytes

    @property
    def exceeded(self) -> list[str]:
        """Every limit of a usual host that the site exceeds, with the way out."""
        found: list[str] = []
        for limit in HOST_LIMITS:
            if limit.bytes is not None and self.written_bytes > limit.bytes:
                found.append(f"{limit.host} takes {limit.bytes / GB:g} GB: {limit.advice}")
            elif limit.files is not None and self.files > limit.files:
                found.append(f"{limit.host} takes {limit.files:,} files: {limit.advice}")
        return found


def estimate(
    loaded: LoadedConfig,
    progress: Progress | None = None,
    *,
    force_fresh: bool = False,
    force: bool = False,
) -> Estimate:
    """Open everything, read a few batches, weigh a few pages; writes only into a temporary folder.

    `AtlasError` for everything that would stop a build with these options before its pass.
    """
    job = Job(loaded, progress, fresh=force_fresh, force=force)
    refuse_early(job)
    seconds: dict[str, float] = {}
    with _timed(seconds, "opening"):
        job.progress.begin("Opening model, SAEs and corpus", "steps")
        job.progress.end(preflight(job))
    tokens, whole = _count_tokens(job)
    with tempfile.TemporaryDirectory(prefix="atlas-") as scratch:
        short = _short_pass(job, Path(scratch) / "pass", tokens)
        job.progress.begin("Weighing a few pages", "steps")
        longer = tokens / short.tokens
        site = Scales(short.store, job.config, job.loaded.base, Path(scratch), longer).weigh()
        job.progress.end(f"{site.feature_bytes / 1000:,.1f} kB a feature")
    features = sum(sae.facts.d_sae for sae in job.saes)
    seconds["reading"] = tokens / short.tokens_per_second + short.write_seconds * site.growth
    seconds["enriching"] = UMAP_START + sum(_enrich_seconds(job.engine.facts, sae.facts) for sae in job.saes)
    context_size = int(short.store.manifest.corpus["context_size"])
    read = effect_tokens(job.config.enrich, job.engine.facts, features, context_size)
    seconds["enriching"] += read / short.tokens_per_second
    seconds["pages"] = site.feature_seconds * features
    seconds["checking"] = CHECK_SECONDS * features
    budget = job.config.render.site_budget
    model = model_size(job.config, job.engine.facts, [sae.facts for sae in job.saes])
    return Estimate(
        tokens=tokens,
        whole_corpus=whole,
        tokens_per_second=short.tokens_per_second,
        features=features,
        seconds=seconds,
        memory_bytes=_memory(),
        data_bytes=round(site.data_bytes) + model.data,
        site_bytes=round(site.fixed_bytes + (site.feature_bytes + SEARCH_BYTES) * features) + model.site,
        least_site_bytes=round(site.fixed_bytes + (site.least_feature_bytes + SEARCH_BYTES) * features)
        + model.site,
        pages=site.pages,
        files=site.files + model.files,
        model=model,
        site_budget=None if budget is None else parse_size(budget),
        notes=tuple(job.notes),
    )


@contextlib.contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - start


def _count_tokens(job: Job) -> tuple[int, bool]:
    """Tokens the pass will read, and whether that is the whole corpus: less than the budget."""
    budget, count = job.config.corpus.tokens, 0
    deadline = time.perf_counter() + COUNT_SECONDS
    job.progress.begin("Counting tokens", "tokens")
    for context in job.first_contexts():
        count += int((context.token_ids >= 0).sum())
        job.progress.update(min(count, budget), budget)
        if time.perf_counter() > deadline:
            count = budget
            break
    job.progress.end(f"{count:,} tokens")
    return count, count < budget


@dataclass(frozen=True)
class _ShortPass:
    """What a pass over a few batches took."""

    store: AtlasStore
    tokens: int
    tokens_per_second: float
    write_seconds: float


def _short_pass(job: Job, folder: Path, tokens: int) -> _ShortPass:
    from atlas.stream.plan import plan_pass
    from atlas.stream.run import stream_activations

    plan = plan_pass(job.config, job.engine, job.saes)
    few = min(tokens, BATCHES * plan.batch_contexts * plan.context_size)
    corpus = job.config.corpus.model_copy(update={"tokens": few})
    config = job.config.model_copy(update={"corpus": corpus})
    store = AtlasStore.create(folder)
    marks: list[tuple[float, int]] = []

    def mark(done: int, total: int) -> None:
        marks.append((time.perf_counter(), done))
        job.progress.update(min(done, total), total)

    job.progress.begin("Reading a few batches", "tokens")
    began = time.perf_counter()
    stream_activations(store, config, job.engine, job.saes, job.corpus, mark)
    ended = time.perf_counter()
    speed = _speed(began, marks)
    job.progress.end(f"{speed:,.0f} tokens a second")
    return _ShortPass(store, marks[-1][1], speed, ended - marks[-1][0])


def _speed(began: float, marks: Sequence[tuple[float, int]]) -> float:
    """Tokens a second after the first batch, which also warms up; of that batch where there is no other."""
    (start, before), (end, done) = marks[0], marks[-1]
    if done > before and end > start:
        return (done - before) / (end - start)
    return done / max(end - began, 1e-9)


def _enrich_seconds(model: ModelFacts, sae: SaeFacts) -> float:
    products = sae.d_sae * (model.vocabulary_size * model.d_model + sae.d_sae * sae.d_in)
    return products / MULTIPLICATIONS + UMAP_PER_FEATURE * sae.d_sae


def effect_tokens(config: EnrichConfig, model: ModelFacts, features: int, context_size: int) -> float:
    """Tokens that the pass reads in the time that measuring effects takes; 0 where they are left out.

    About half a context for each example: that much is run through the model again (measured on the demo).
    """
    from atlas.enrich.effects import left_out

    if left_out(config.effects, model):
        return 0.0
    return features * config.effect_examples * context_size / 2


def _memory() -> int:
    """Largest memory this process has used, in bytes; 0 on Windows, which has no such call."""
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
