"""Everything that decides what the pass finds, in named sections, so that a difference can be named.

Left out on purpose: titles, output folders, and how the pass is run (`HOW`). They do not change what is
computed. A model on the Hub counts by its name and revision; a folder counts by the bytes of its files.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from atlas import plugins
from atlas.schema import SCHEMA_VERSION
from atlas.store.files import sha256_file

if TYPE_CHECKING:
    from pathlib import Path

    from atlas.config import SiteConfig
    from atlas.sources.engines.base import Engine
    from atlas.sources.saes.base import SparseCoder

Sections = dict[str, Any]
"""Name of a section → JSON value."""

METHOD = 1
"""Number of the pass's method, raised when its results change for equal inputs: then every dataset's pass
runs again. The package's own version is not used, or each release would cost everybody a pass."""

HOW = frozenset({"batch_contexts", "checkpoint_seconds"})
"""Options of the pass that say how it is run; the batch's shape moves the last bits of a model's
activations at most, and it must be free to change where memory ran out."""

LIBRARIES = (
    "feature-atlas", "torch", "numpy", "pyarrow", "transformers", "tokenizers", "transformer-lens",
    "sae-lens", "datasets",
)  # fmt: skip
"""Distributions whose versions may change a dataset."""


def pass_sections(config: SiteConfig, base: Path, corpus_fingerprint: str) -> Sections:
    """What can be said before model and SAEs are opened; relative folders are below `base`.

    `DiskError` for a file of a model or SAE that cannot be read.
    """
    files = {f"model, {name}": found for name, found in folder_hashes(base / config.model.name).items()}
    for number, sae in enumerate(config.saes, 1):
        if sae.folder:
            owner = f"SAE {sae.slug or number}"
            hashes = folder_hashes(base / sae.folder)
            files |= {f"{owner}, {name}": found for name, found in hashes.items()}
    return {
        "method": {"method": METHOD, "schema": SCHEMA_VERSION},
        "config": {
            "model": config.model.model_dump(mode="json", exclude={"device"}),
            "saes": [sae.model_dump(mode="json", exclude={"title"}) for sae in config.saes],
            "corpus": config.corpus.model_dump(mode="json"),
            "pass": config.stream.model_dump(mode="json", exclude=set(HOW)),
        },
        "files": files,
        "corpus": corpus_fingerprint,
        "statistics": installed("atlas.statistics"),
    }


def opened_sections(engine: Engine, saes: Sequence[SparseCoder]) -> Sections:
    """What only the opened model and SAEs tell, and the software: it must not change within one pass."""
    facts = engine.facts
    weights = {"model": facts.weights_sha256, "tokenizer": facts.tokenizer_sha256}
    weights |= {f"SAE {sae.facts.slug}": sae.facts.weights_sha256 for sae in saes}
    return {
        "weights": weights,
        "folds": {f"the folds of SAE {sae.facts.slug}": dict(sae.facts.folds) for sae in saes},
        "device": engine.device.type,
        "versions": library_versions(),
    }


def library_versions() -> dict[str, str]:
    """Versions of Python and of the installed libraries that may change a dataset."""
    return {"python": platform.python_version(), **versions_of(LIBRARIES)}


def versions_of(distributions: Sequence[str]) -> dict[str, str]:
    """Name → version of those of `distributions` that are installed."""
    found: dict[str, str] = {}
    for name in distributions:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def installed(group: str) -> dict[str, str]:
    """Name → place of every installed extension of `group`."""
    return {name: entry.value for name, entry in plugins.available(group).items()}


def digest(value: Any) -> str:
    """SHA-256 hex of the canonical JSON of `value`."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def folder_hashes(folder: Path) -> dict[str, str]:
    """Path → SHA-256 hex of every file below `folder`, hidden ones left out; empty if there is none.

    `DiskError` for a file that cannot be read.
    """
    if not folder.is_dir():
        return {}
    names = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    return {name: sha256_file(folder / name) for name in names}


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What differs between `old` and `new`, a sentence each; sections that `new` lacks are not compared."""
    found: list[str] = []
    for section in new:
        before, after = (dict(_leaves(sections.get(section), ())) for sections in (old, new))
        found += [
            _sentence(section, path, before, after)
            for path in sorted(before.keys() | after.keys())
            if before.get(path) != after.get(path)
        ]
    return found


_Path = tuple[str, ...]

_OPAQUE = {
    "corpus": "the texts of the corpus",
    "files": "the file of the {}",
    "weights": "the weights of the {}",
    "statistics": "the statistic {}",
    "method": "the method of the pass ({})",
}
"""Section → what a leaf of it is; its values say nothing to people."""


def _leaves(value: Any, path: _Path) -> Iterator[tuple[_Path, Any]]:
    """Every value of nested mappings and lists of mappings, with its path."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, f".{key}" if path else str(key)))
    elif isinstance(value, list) and any(isinstance(entry, Mapping) for entry in value):
        for number, inner in enumerate(value):
            yield from _leaves(inner, (*path, f"[{number}]"))
    else:
        yield path, value


def _sentence(section: str, path: _Path, before: Mapping[_Path, Any], after: Mapping[_Path, Any]) -> str:
    name = "".join(path)
    if section in _OPAQUE:
        what = "the tokenizer" if path == ("tokenizer",) else _OPAQUE[section].format(name)
        return f"{what} {'is gone' if path not in after else 'is new' if path not in before else 'changed'}"
    if section == "device":
        name = "model.device"
    return f"{name} was {_shown(before.get(path))}, is now {_shown(after.get(path))}"


def _shown(value: Any) -> str:
    """A value of a configuration for people."""
    if value is None:
        return "not set"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return json.dumps(value, ensure_ascii=False)
