"""A build, stage by stage; each stage is skipped where nothing that it reads has changed.

A stage's digest covers the part of the configuration it reads, the files behind that, and the digest of
the stage before it. The dataset's manifest records the digest of every finished stage and takes it back
before the stage changes a table: a digest that stands there says that the stage's tables are whole.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from atlas.errors import CheckError, InputError, InterruptedBuildError
from atlas.pipeline import browser
from atlas.pipeline.job import UNFINISHED, Job, Progress
from atlas.pipeline.signals import stop_on_signal
from atlas.pipeline.site import describe, recorded_config, site_is_current, usable_theme, write_site
from atlas.pipeline.space import require_space
from atlas.store import AtlasStore
from atlas.store.lock import LOCK_NAME, lock_beside, lock_folder
from atlas.store.manifest import MANIFEST_NAME
from atlas.stream.checkpoint import Keeper
from atlas.stream.inputs import changes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from atlas.configfile import LoadedConfig

STREAM_TABLES = ("documents", "vocabulary", "contexts", "features", "examples", "report")
"""What the pass writes; every other table depends on it and is dropped when it ran."""


@dataclass(frozen=True)
class Stage:
    """One step of a build."""

    name: str
    """Key of its digest in the manifest."""
    title: str
    """What it does, for people."""
    unit: str
    """What its progress counts (a plural)."""
    run: Callable[[Job], str]
    """Does the work; returns what came of it in a few words."""
    current: Callable[[Job], bool]
    """Whether its result is there already, made from the same inputs."""
    wanted: Callable[[Job], bool] = lambda _: True
    """Whether the configuration has it at all."""


@dataclass(frozen=True)
class BuildReport:
    """What a build did."""

    data: Path
    """The dataset folder."""
    site: Path
    """The site folder."""
    ran: tuple[str, ...]
    """Names of the stages that ran."""
    skipped: tuple[str, ...]
    """Names of the stages that were up to date."""
    notes: tuple[str, ...]
    """What the user should know of model, SAEs and corpus, one sentence each."""


def preflight(job: Job) -> str:
    """Open model, SAEs and corpus, and refuse what would fail hours later. Writes nothing."""
    from atlas.render.curated import read_lists
    from atlas.sources.preflight import preflight as check_sources

    if not job.fresh:
        job.checkpoint.refuse_other(job.all_sections)
    job.warnings = check_sources(job.engine, job.saes, job.first_contexts(), force=job.force)
    job.notes += job.warnings
    browser.refuse_unexportable(job)
    counts = {sae.facts.slug: sae.facts.d_sae for sae in job.saes}
    _check_explanations(job, counts)
    read_lists(job.loaded.base, counts)
    facts = job.engine.facts
    sizes = " + ".join(f"{sae.facts.d_sae:,}" for sae in job.saes)
    return f"{sizes} features on {facts.name} ({facts.architecture}, {facts.n_layers} layers, {facts.device})"


def _check_explanations(job: Job, sizes: dict[str, int]) -> None:
    """Refuse a bad line of the user's explanations; `sizes` has the features of every SAE."""
    if job.explanations is not None:
        from atlas.enrich.user_file import read_explanations

        read_explanations(job.explanations, sizes)


def stream(job: Job) -> str:
    """Read the corpus once: features, examples, documents, vocabulary, report card."""
    from atlas.stream.run import stream_activations

    if job.fresh:
        job.checkpoint.discard()
    require_space(job)
    with stop_on_signal(job.progress.note) as stop:
        keeper = Keeper(job.checkpoint, job.all_sections, stop)
        stream_activations(
            job.store, job.config, job.engine, job.saes, job.corpus, job.progress.update, keeper=keeper
        )
        keeper.stop_if_asked()
    job.notes += job.checkpoint.notes
    store = job.store
    slugs = {sae.facts.slug for sae in job.saes}
    kept = {
        key: files
        for key, files in store.manifest.tables.items()
        if key.rpartition("/")[2] in STREAM_TABLES and (key.partition("/")[0] in slugs or "/" not in key)
    }
    found = store.manifest.stream | {"warnings": job.warnings}
    config = recorded_config(job.config)
    store.update(tables=kept, enrichers={}, browser_model={}, config=config, stream=found)
    store.sweep()
    job.record("stream", job.stream_digest)
    job.checkpoint.discard()
    counted = store.manifest.stream.get("n_tokens", 0)
    return f"{counted:,} tokens of {store.manifest.corpus.get('n_documents', 0):,} documents"


def enrich(job: Job) -> str:
    """Logit effects, neighbours, map, explanations: from the weights and the tables."""
    from atlas.enrich.run import enrich_all

    _check_explanations(job, {entry.slug: entry.n_features for entry in job.store.manifest.saes})
    job.record("enrich", UNFINISHED)
    enrich_all(
        job.store,
        job.config,
        lambda: job.engine,
        job.sae,
        lambda step, done, total: job.progress.update(done, total, step),
        base=job.loaded.base,
    )
    job.store.update(config=recorded_config(job.config))
    job.record("enrich", job.enrich_digest)
    return ", ".join(name.replace("_", " ") for name in job.store.manifest.enrichers if "/" not in name)


def index(job: Job) -> str:
    """The search index over explanations, tokens and examples, and its vectors."""
    from atlas.index.search import build_postings
    from atlas.index.vectors import build_vectors

    job.record("index", UNFINISHED)
    build_postings(job.store)
    build_vectors(job.store)
    job.record("index", job.index_digest)
    rows = sum(entry.rows for entry in job.store.manifest.tables.get("postings", []))
    return f"{rows:,} search terms"


def browser_model(job: Job) -> str:
    """The model itself, for readers' browsers; or its removal, where the configuration has it no more."""
    return browser.write_model(job) if job.config.browser_model else browser.remove_model(job)


def render(job: Job) -> str:
    """The site."""
    describe(job.store, job.config)
    return write_site(job.store, job.config.render, job.loaded.base, job.site, job.progress)


def check(job: Job) -> str:
    """Hashes, tables, pages and links of the result."""
    from atlas.check import check_dataset, check_site

    problems = check_dataset(job.data) + check_site(job.site, job.progress.update)
    if problems:
        raise CheckError(f"the finished atlas has {len(problems):,} problems", problems)
    return "no problems"


STAGES: tuple[Stage, ...] = (
    Stage(
        "preflight",
        "Opening model, SAEs and corpus",
        "steps",
        preflight,
        lambda job: job.finished("stream", job.stream_digest),
    ),
    Stage(
        "stream",
        "Reading the corpus",
        "tokens",
        stream,
        lambda job: job.finished("stream", job.stream_digest),
    ),
    Stage(
        "enrich", "Enriching features", "steps", enrich, lambda job: job.finished("enrich", job.enrich_digest)
    ),
    Stage(
        "index", "Indexing for search", "terms", index, lambda job: job.finished("index", job.index_digest)
    ),
    Stage(
        "browser_model",
        "Exporting the model for browsers",
        "steps",
        browser_model,
        lambda job: job.config.browser_model and job.finished("browser_model", job.browser_digest),
        lambda job: job.config.browser_model or browser.has_model(job),
    ),
    Stage("render", "Writing pages", "pages", render, site_is_current),
    Stage("check", "Checking the result", "files", check, lambda _: False),
)
"""A build, in order."""


def build(
    loaded: LoadedConfig,
    *,
    force_fresh: bool = False,
    force: bool = False,
    progress: Progress | None = None,
) -> BuildReport:
    """Run every stage whose inputs changed and check the result.

    A pass that was cut short goes on where it last committed; when its inputs have changed since, that is an
    `InputError` which names them. With `force_fresh` every stage runs, and such a pass starts over. With
    `force` the pass also runs where preflight finds that model, SAEs and text hardly belong together.

    `AtlasError` of any kind when a stage cannot do its work, `InterruptedBuildError` on Ctrl-C: then dataset
    and site are the ones from before, or hold whole tables of finished stages, and folders that were not
    there before and got no data are gone again. `LockedError` at once while another build works here.
    """
    job = Job(loaded, progress, fresh=force_fresh, force=force)
    ran: list[str] = []
    with _claimed(job.data), _claimed_site(job.site):
        refuse_early(job)
        tidy(job)
        for stage in filter(lambda stage: stage.wanted(job), STAGES):
            if not force_fresh and stage.current(job):
                job.progress.skip(stage.title, "nothing changed")
                continue
            job.progress.begin(stage.title, stage.unit)
            with _interruptible(stage):
                job.progress.end(stage.run(job))
            ran.append(stage.name)
    skipped = tuple(stage.name for stage in STAGES if stage.name not in ran and stage.wanted(job))
    return BuildReport(job.data, job.site, tuple(ran), skipped, tuple(job.notes))


def tidy(job: Job) -> None:
    """Remove what a killed build left, and refuse to run beside an unfinished pass of other inputs."""
    from atlas.render.output import Output

    # A build that died after the switch left the old site there, and may have nothing to write now.
    Output(job.site).discard()
    if not (job.data / MANIFEST_NAME).exists():
        return
    # Whatever stage a killed build died in: the pass, which cleans up as well, may be skipped now.
    job.store.sweep()
    if job.fresh:
        return
    if not job.finished("stream", job.stream_digest):
        job.checkpoint.refuse_other(job.sections)
        return
    commit = job.checkpoint.commit
    if commit is None or not changes(commit.sections, job.sections):
        job.checkpoint.discard()


@contextlib.contextmanager
def _interruptible(stage: Stage) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as error:
        raise InterruptedBuildError(
            f"stopped during {stage.title!r}; finished stages are kept: the same command goes on after them"
        ) from error


def refuse_early(job: Job) -> None:
    """Refuse, before anything slow, what only the last stages would stumble over."""
    from atlas.render.output import refuse_foreign

    refuse_foreign(job.site)
    usable_theme(job.config.render, job.loaded.base)
    browser.refuse_early(job)
    if job.explanations is not None and not job.explanations.is_file():
        raise InputError(
            f"there is no file {str(job.explanations)!r}",
            where="enrich.explanations",
            fix="correct the path, or leave it out",
        )
    if job.data.is_dir() and any(not path.name.startswith(".") for path in job.data.iterdir()):
        _ = job.store  # refuses a folder with other files in it, a damaged manifest, a newer dataset


@contextlib.contextmanager
def _claimed(folder: Path) -> Iterator[None]:
    """Hold the dataset folder; what was made for a build that wrote no table is removed again."""
    started = (folder / MANIFEST_NAME).exists()
    with _removed_if_empty(folder), lock_folder(folder):
        try:
            yield
        finally:
            if not started and _holds_nothing(folder):
                for name in (MANIFEST_NAME, LOCK_NAME):
                    (folder / name).unlink(missing_ok=True)


@contextlib.contextmanager
def _claimed_site(site: Path) -> Iterator[None]:
    """Hold the site folder, for it may be another dataset's too."""
    with _removed_if_empty(site.parent), lock_beside(site):
        yield


@contextlib.contextmanager
def _removed_if_empty(folder: Path) -> Iterator[None]:
    """Remove `folder` and its parents again where they were not there before and are empty after."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            for path in missing:
                path.rmdir()


def _holds_nothing(folder: Path) -> bool:
    """Whether `folder` has no table and no work to go on with, at most an empty dataset."""
    names = {path.name for path in folder.iterdir()}
    if not names <= {MANIFEST_NAME, LOCK_NAME}:
        return False
    return MANIFEST_NAME not in names or not AtlasStore.open(folder).manifest.tables
