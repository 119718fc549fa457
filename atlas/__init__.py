"""Feature Atlas: a language model and a sparse autoencoder as a static site of feature dashboards.

`atlas.open("build/data")` opens a dataset in Python; the command line does the rest. Importing this
package costs next to nothing: every name below is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from atlas.errors import AtlasError, CheckError, ConfigError, DiskError, InputError, LockedError
    from atlas.reader import Atlas, Continuation, Example, Feature, TextActivations
    from atlas.reader import open_atlas as open  # noqa: A004 - atlas.open, as in gzip.open

    __version__: str

__all__ = [
    "Atlas",
    "AtlasError",
    "CheckError",
    "ConfigError",
    "Continuation",
    "DiskError",
    "Example",
    "Feature",
    "InputError",
    "LockedError",
    "TextActivations",
    "__version__",
    "open",
]

_HOMES = {
    **dict.fromkeys(
        ("AtlasError", "CheckError", "ConfigError", "DiskError", "InputError", "LockedError"), "atlas.errors"
    ),
    **dict.fromkeys(("Atlas", "Continuation", "Example", "Feature", "TextActivations"), "atlas.reader"),
}
"""Exported name → the module that defines it."""


def __getattr__(name: str) -> Any:
    """The exported `name`, loaded now."""
    if name == "open":
        return import_module("atlas.reader").open_atlas
    if name == "__version__":
        return import_module("importlib.metadata").version("feature-atlas")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'atlas' has no attribute {name!r}")


def __dir__() -> list[str]:
    """The exported names beside the ordinary ones."""
    return sorted({*globals(), *__all__})
