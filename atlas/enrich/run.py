"""Runs every installed enricher over every SAE, each after those whose tables it reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from atlas.enrich.base import NOT_AVAILABLE, EnrichContext, Enricher
from atlas.errors import InputError
from atlas.plugins import available, load
from atlas.stream.inputs import versions_of

if TYPE_CHECKING:
    from atlas.config import EnrichConfig, SiteConfig
    from atlas.sources.engines.base import Engine
    from atlas.sources.saes.base import SparseCoder
    from atlas.store import AtlasStore

LIBRARIES = ("umap-learn", "pynndescent", "numba", "scikit-learn", "scipy")
"""Distributions whose version decides the map; recorded in the manifest."""

Progress = Callable[[str, int, int], None]
"""Called with what comes next ('slug: enricher'), steps done and steps in all."""


def enrich_all(
    store: AtlasStore,
    config: SiteConfig,
    engine_factory: Callable[[], Engine],
    sae_factory: Callable[[str], SparseCoder],
    progress: Progress,
    *,
    base: Path = Path(),
) -> None:
    """Write the tables of all enrichers for all SAEs of the manifest, and what they did into the manifest.

    Call it under the store's lock, after the pass. `engine_factory()` opens the model, at most once;
    `sae_factory(slug)` opens an SAE, at most once, and only where an enricher asks for it. Relative
    paths of `config.enrich` are meant from `base`, the configuration's folder. An enricher whose
    tables are missing is noted as not available. `AtlasError` from the enrichers.
    """
    enrichers = in_order({name: load("atlas.enrichers", name) for name in available("atlas.enrichers")})
    slugs = [entry.slug for entry in store.manifest.saes]
    options = _absolute(config.enrich, base)
    engine = cache(engine_factory)
    notes = {enricher.name: enricher.notes for enricher in enrichers}
    steps = len(slugs) * len(enrichers)
    for number, slug in enumerate(slugs):
        sae = cache(lambda slug=slug: sae_factory(slug))
        for place, enricher in enumerate(enrichers):
            progress(f"{slug}: {enricher.name}", number * len(enrichers) + place, steps)
            key = f"{slug}/{enricher.name}"

            def note(sentence: str, key: str = key) -> None:
                notes[key] = sentence

            absent = [name for name in enricher.reads if not (store.has(name, slug) or store.has(name))]
            if absent:
                note(f"{NOT_AVAILABLE}: the dataset has no table {absent[0]!r}.")
            else:
                enricher.run(EnrichContext(store, slug, options, config.corpus.seed, engine, sae, note))
            if notes.get(key, "").startswith(NOT_AVAILABLE):
                for table in enricher.writes:
                    store.drop(table, slug)
    progress("done", steps, steps)
    store.update(enrichers=notes, versions={**store.manifest.versions, **versions_of(LIBRARIES)})


def in_order(enrichers: Mapping[str, Enricher]) -> list[Enricher]:
    """`enrichers` so that each comes after the writers of what it reads; otherwise by name.

    `InputError` when two write the same table, or when they wait for each other.
    """
    writer: dict[str, str] = {}
    for name, enricher in sorted(enrichers.items()):
        for table in enricher.writes:
            if table in writer:
                raise InputError(
                    f"the enrichers {writer[table]!r} and {name!r} both write the table {table!r}",
                    fix="uninstall the package of one of them",
                )
            writer[table] = name
    waits = {
        name: {writer[table] for table in enricher.reads if table in writer} - {name}
        for name, enricher in enrichers.items()
    }
    ordered: list[Enricher] = []
    while waits:
        ready = min((name for name, others in waits.items() if not others & waits.keys()), default=None)
        if ready is None:
            raise InputError(f"the enrichers {', '.join(sorted(waits))} wait for each other's tables")
        del waits[ready]
        ordered.append(enrichers[ready])
    return ordered


def _absolute(config: EnrichConfig, base: Path) -> EnrichConfig:
    if config.explanations is None:
        return config
    return config.model_copy(update={"explanations": str(base / config.explanations)})
