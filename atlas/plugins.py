"""The one door for extensions: built-ins and outsiders are both found as entry points."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from atlas.errors import InputError, suggest

GROUPS = {
    "atlas.statistics": "a per-feature statistic of the pass (`atlas.stats.base.Statistic`)",
    "atlas.engines": "a way to run a language model (`atlas.sources.engines.base.Engine`)",
    "atlas.saes": "an SAE format (`atlas.sources.saes.base.SparseCoder` reader)",
    "atlas.corpora": "a kind of corpus (`atlas.sources.corpora.base.Corpus`)",
    "atlas.enrichers": "a stage that reads tables and writes new ones (`atlas.enrich.base.Enricher`)",
    "atlas.themes": "a folder of templates, panels and styles",
}
"""Every extension point: entry point group → what it holds."""


@lru_cache
def available(group: str) -> dict[str, EntryPoint]:
    """All installed extensions of `group` (a key of `GROUPS`) by name, not yet imported.

    A name that two distributions claim is an `InputError`: which one would run is luck.
    """
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=group):
        rival = found.get(entry.name)
        if rival is not None and rival.value != entry.value:
            raise InputError(
                f"two installed packages provide {entry.name!r} in {group}: {rival.value} and {entry.value}",
                fix="uninstall one of them",
            )
        found[entry.name] = entry
    return dict(sorted(found.items()))


def load(group: str, name: str, *, where: str = "") -> Any:
    """The object registered as `name` in `group`; an unknown name is an `InputError`."""
    found = available(group)
    if name not in found:
        raise InputError(
            f"{name!r} is not an installed {group.removeprefix('atlas.')} extension",
            where=where,
            fix=suggest(name, found),
        )
    return found[name].load()
