"""What an enricher is: a stage that reads tables of one SAE and writes new ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from atlas.config import EnrichConfig
    from atlas.sources.engines.base import Engine
    from atlas.sources.saes.base import SparseCoder
    from atlas.store import AtlasStore


NOT_AVAILABLE = "Not available"
"""How a note begins that says why there is no table; one from an earlier run is then dropped."""


@dataclass(frozen=True)
class EnrichContext:
    """What an enricher may use; the model and SAE open on first call and stay open."""

    store: AtlasStore
    """The dataset; written under its lock."""
    sae_slug: str
    """Which SAE this run is about."""
    config: EnrichConfig
    """The enrichment options, paths made absolute."""
    seed: int
    """Seed of everything random."""
    engine: Callable[[], Engine]
    """Gives the model."""
    sae: Callable[[], SparseCoder]
    """Gives the SAE."""
    note: Callable[[str], None]
    """Records, for the manifest and the pages of this SAE, what exactly was done; the last call wins. A
    sentence that begins with `NOT_AVAILABLE` says that the enricher's tables do not exist for this SAE."""


class Enricher(Protocol):
    """One enricher, registered under `atlas.enrichers` as an instance."""

    name: ClassVar[str]
    reads: ClassVar[tuple[str, ...]]
    """Names of the tables it reads (it runs after their writers)."""
    writes: ClassVar[tuple[str, ...]]
    """Names of the tables it writes."""
    notes: ClassVar[str]
    """One or two sentences for the about page: the exact definition of what it computes."""

    def run(self, context: EnrichContext) -> None:
        """Write its tables through `context.store`; deterministic for equal inputs and seed."""
        ...
