"""The site of a dataset: what the dataset says of itself, whether its site is up to date, and writing it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atlas.errors import InputError
from atlas.pipeline.digests import render_digest
from atlas.pipeline.job import UNFINISHED, Silence
from atlas.store import AtlasStore
from atlas.store.lock import lock_beside, lock_folder
from atlas.store.seal import read_seal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from atlas.config import RenderConfig, SiteConfig
    from atlas.configfile import LoadedConfig
    from atlas.pipeline.job import Job, Progress
    from atlas.render.themes import Theme


def recorded_config(config: SiteConfig) -> dict[str, Any]:
    """What the manifest records of `config`: all but what says nothing of the data (folders, commits)."""
    left_out = {"output": True, "stream": {"checkpoint_seconds"}}
    return config.model_dump(mode="json", by_alias=True, exclude=left_out)


def describe(store: AtlasStore, config: SiteConfig) -> None:
    """Bring titles and site settings in the manifest up to `config`; writes only where they differ."""
    wanted = {name: getattr(config, name) for name in ("title", "description", "author", "base_url")}
    wanted["config"] = {**store.manifest.config, "render": config.render.model_dump(mode="json")}
    titles = [sae.title for sae in config.saes]
    entries = store.manifest.saes
    if len(titles) == len(entries):
        wanted["saes"] = [
            entry.model_copy(update={"title": title or entry.title})
            for entry, title in zip(entries, titles, strict=True)
        ]
    if any(getattr(store.manifest, name) != value for name, value in wanted.items()):
        store.update(**wanted)


def stale_sections(store: AtlasStore, config: SiteConfig) -> list[str]:
    """The sections of `config` that differ from those the dataset was built from, the site's left out."""
    ours, built = recorded_config(config), store.manifest.config
    return [
        name for name in ("model", "saes", "corpus", "pass", "enrich") if ours.get(name) != built.get(name)
    ]


def require_whole(store: AtlasStore) -> None:
    """`InputError` unless the dataset can be rendered: it has SAEs, and no build of it was cut short."""
    stages = {"stream": UNFINISHED, **store.manifest.stages}
    due = [name for name, digest in stages.items() if digest == UNFINISHED]
    if due or not store.manifest.saes:
        raise InputError(
            f"the dataset is not finished (to do: {', '.join(due) or 'everything'})",
            where=str(store.path),
            fix="run `atlas build` again",
        )


def usable_theme(config: RenderConfig, base: Path) -> Theme:
    """The theme that `config` names, seen from the folder `base`; `InputError` where it cannot be used."""
    from atlas.render.themes import assets, open_theme, require_scripts

    theme = open_theme(config.theme, base)
    require_scripts(theme, assets(theme))
    return theme


def site_digest(store: AtlasStore, config: RenderConfig, base: Path) -> str:
    """Digest of everything the site of `store` is made of."""
    from atlas.render.curated import list_files
    from atlas.render.themes import theme_hash

    theme = theme_hash(usable_theme(config, base))
    return render_digest(store.manifest, config, theme, list_files(base))


def site_is_current(job: Job) -> bool:
    """Whether the site folder holds exactly the site of this dataset, theme and configuration."""
    if not job.finished("index", job.index_digest):
        return False
    if job.config.browser_model and not job.finished("browser_model", job.browser_digest):
        return False
    describe(job.store, job.config)
    seal = read_seal(job.site)
    return seal is not None and seal.made_from == site_digest(job.store, job.config.render, job.loaded.base)


def write_site(store: AtlasStore, config: RenderConfig, base: Path, site: Path, progress: Progress) -> str:
    """Render the dataset to `site`; returns what was written, in words.

    The previous site stays until the new one replaces it as a whole. `InputError` when the dataset is not
    whole, the theme cannot be used or the site would be over its budget.
    """
    from atlas.render.output import Output
    from atlas.render.site import render_site

    require_whole(store)
    with Output(site, site_digest(store, config, base)) as out:
        report = render_site(store, config, out, progress.update, base=base)
    return f"{report.pages:,} pages, {report.files:,} files, {report.bytes / 1e6:,.1f} MB"


def render_config(
    loaded: LoadedConfig, site: Path, *, theme: str | None = None, progress: Progress | None = None
) -> list[str]:
    """Write the site of the dataset that `loaded` names to `site`, with today's titles and site settings.

    `theme` replaces the configured one this time. Returns the sections of the config that the dataset was not
    built from (`stale_sections`): they need `build`.
    """
    with _held(loaded.base / loaded.config.output.data) as store:
        require_whole(store)
        stale = stale_sections(store, loaded.config)
        describe(store, loaded.config)
        _write_alone(store, loaded.config.render, loaded.base, site, theme=theme, progress=progress)
    return stale


def render_dataset(
    data: Path, site: Path, *, theme: str | None = None, progress: Progress | None = None
) -> None:
    """Write the site of the dataset folder `data` to `site` with the settings it was built with."""
    from pydantic import ValidationError

    from atlas.config import RenderConfig

    with _held(data) as store:
        try:
            options = RenderConfig.model_validate(store.manifest.config.get("render", {}))
        except ValidationError:
            # Settings of another version of atlas: the defaults show everything as well.
            options = RenderConfig.model_validate({})
        _write_alone(store, options, data, site, theme=theme, progress=progress)


def _write_alone(
    store: AtlasStore,
    options: RenderConfig,
    base: Path,
    site: Path,
    *,
    theme: str | None,
    progress: Progress | None,
) -> None:
    progress = progress or Silence()
    if theme is not None:
        # The folder is seen from here, while the curated lists stay those beside the config.
        folder = Path(theme).absolute()
        options = options.model_copy(update={"theme": str(folder) if folder.is_dir() else theme})
    progress.begin("Writing pages", "pages")
    with lock_beside(site):
        progress.end(write_site(store, options, base, site, progress))


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[AtlasStore]:
    """The dataset in `folder`, safe from a build; where nobody may write, nobody needs a lock."""
    AtlasStore.open(folder)
    with lock_folder(folder) if os.access(folder, os.W_OK) else contextlib.nullcontext():
        yield AtlasStore.open(folder)
