"""Is there room on the disk for what the pass and the site will write? Asked before the long run."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from atlas.configfile import parse_size
from atlas.errors import DiskError
from atlas.pipeline.modelsize import NOTHING, ModelSize, model_size
from atlas.pipeline.weigh import TABLE_BYTES
from atlas.schema import SILENT_GROUPS
from atlas.store.files import disk_errors
from atlas.stream.contexts import token_type

if TYPE_CHECKING:
    from atlas.config import SiteConfig
    from atlas.pipeline.job import Job

EXAMPLE_BYTES = 85
"""Bytes of one example in the dataset (measured on the demo)."""

STATE_BYTES, STATE_EXAMPLE_BYTES = 2048, 64
"""Bytes of a commit per feature, and per example of it."""

SAMPLE_BYTES = 512
"""Bytes of a commit per token of the sample on which features are seen together, with 64 firings on each."""

SITE_BYTES = 11_000
"""Bytes per feature of the site (measured on the demo)."""


@dataclass(frozen=True)
class Need:
    """What a build will write beside what is there already, in bytes, if every feature has all examples."""

    contexts: int
    """The contexts read, until their examples are written."""
    commits: int
    """Two commits: the new one is whole before the old one goes."""
    tables: int
    """The dataset."""
    site: int
    """The site."""
    model: int = 0
    """The model for browsers, in the dataset."""

    @property
    def data(self) -> int:
        """All that goes to the dataset folder."""
        return self.contexts + self.commits + self.tables + self.model


def needed(
    config: SiteConfig,
    n_features: int,
    vocabulary_size: int,
    n_tokens: int,
    model: ModelSize = NOTHING,
) -> Need:
    """What the pass over `n_tokens` tokens, the `model` and the site of `n_features` features take."""
    options = config.stream
    intervals = options.interval_count * options.interval_examples
    silent = len(SILENT_GROUPS) * options.counter_examples
    examples = options.top_examples + intervals + options.random_examples + silent
    rows = n_features * min(examples, n_tokens)
    sampled = min(n_tokens, options.sample_tokens)
    site = n_features * SITE_BYTES + model.site
    budget = config.render.site_budget
    return Need(
        contexts=n_tokens * (4 + token_type(vocabulary_size).itemsize),
        commits=2 * (n_features * STATE_BYTES + rows * STATE_EXAMPLE_BYTES + sampled * SAMPLE_BYTES),
        tables=n_features * TABLE_BYTES + rows * EXAMPLE_BYTES,
        site=site if budget is None else min(site, parse_size(budget)),
        model=model.data,
    )


def require_space(job: Job) -> None:
    """`DiskError` when dataset or site will hardly fit; nothing with `job.force`.

    The configured number of tokens may be far more than the corpus has, so they are counted before a build
    is refused.
    """
    if job.force or not _too_small(job, job.config.corpus.tokens):
        return
    n_tokens = sum(context.n_tokens for context in job.first_contexts())
    for folder, wanted, free in _too_small(job, n_tokens):
        raise DiskError(
            f"the disk is too small: about {wanted:,} bytes needed, {free:,} bytes free",
            where=str(folder),
            fix="free some space, choose another disk (output), or try all the same: --force",
        )


def _too_small(job: Job, n_tokens: int) -> list[tuple[Path, int, int]]:
    """(folder, bytes needed there, bytes free) of each disk that is too small."""
    n_features = sum(sae.facts.d_sae for sae in job.saes)
    facts = job.engine.facts
    model = model_size(job.config, facts, [sae.facts for sae in job.saes])
    need = needed(job.config, n_features, facts.vocabulary_size, n_tokens, model)
    data, site = _existing(job.data), _existing(job.site)
    with disk_errors(job.data):
        one_disk = data.stat().st_dev == site.stat().st_dev
        wanted = [(job.data, data, need.data + need.site if one_disk else need.data)]
        if not one_disk:
            wanted.append((job.site, site, need.site))
        room = [(folder, size, shutil.disk_usage(place).free) for folder, place, size in wanted]
    return [(folder, size, free) for folder, size, free in room if free < size]


def _existing(folder: Path) -> Path:
    """`folder`, or the nearest folder above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())
