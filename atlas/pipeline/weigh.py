"""What a site and its dataset will weigh, from the tables of a short pass."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from atlas.pipeline.miniature import fill_enriched, make_miniature
from atlas.schema import SILENT_GROUPS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas.config import SiteConfig
    from atlas.store import AtlasStore, SaeEntry

SAMPLED = 32
"""Features whose pages are weighed: those with most examples, and those with fewest."""

WEIGHED_SAES = 3
"""SAEs that are weighed at most; the others are taken to be like them."""

TABLE_BYTES = 2450
"""Bytes per feature of all tables but the examples: logits, numbers, search … (measured on the demo)."""


@dataclass(frozen=True)
class SiteWeight:
    """What one site will weigh."""

    pages: int
    """Pages, exactly."""
    files: int
    """Files; exact but for those of the search index."""
    fixed_bytes: float
    """Bytes that do not depend on the number of features."""
    feature_bytes: float
    """Bytes per feature: its page, its share of the data files."""
    least_feature_bytes: float
    """The same with the fewest examples that a budget may come to."""
    feature_seconds: float
    """Seconds per feature to write it."""
    data_bytes: float
    """Bytes of the tables that the pass writes."""
    growth: float
    """Examples of the whole pass for one of the short pass."""


@dataclass(frozen=True)
class Scales:
    """Weighs the features of a short pass."""

    store: AtlasStore
    """What the short pass wrote; gets made-up rows where the enrichers have not been."""
    config: SiteConfig
    """The configuration of the long pass."""
    base: Path
    """The folder of the configuration."""
    scratch: Path
    """A folder to work in."""
    longer: float
    """Tokens of the long pass for one of the short pass."""

    def weigh(self) -> SiteWeight:
        """The weight of the site and the dataset after the long pass."""
        entries = self.store.manifest.saes
        expected = {entry.slug: self._expected_examples(entry) for entry in entries}
        growth = sum(counts.sum() for counts in expected.values()) / max(self._example_rows(), 1)
        samples = [self._weigh_sae(entry, expected[entry.slug].mean()) for entry in entries[:WEIGHED_SAES]]
        pages, files = self._count_files()
        return SiteWeight(
            pages=pages,
            files=files,
            fixed_bytes=fmean(sample.fixed_bytes for sample in samples),
            feature_bytes=fmean(sample.feature_bytes for sample in samples),
            least_feature_bytes=fmean(sample.least_bytes for sample in samples),
            feature_seconds=fmean(sample.seconds for sample in samples),
            data_bytes=self._table_bytes(growth),
            growth=growth,
        )

    def _example_rows(self) -> int:
        tables = self.store.manifest.tables.items()
        return sum(file.rows for key, files in tables for file in files if _is_examples(key))

    def _expected_examples(self, entry: SaeEntry) -> NDArray[np.float64]:
        """[n_features] examples of each feature after the long pass.

        A feature that never fired counts as having fired in half a context: most such are rare, not dead.
        """
        options = self.config.stream
        table = self.store.read("features", entry.slug, columns=["feature_idx", "firing_contexts"])
        fired = np.zeros(entry.n_features)
        fired[table["feature_idx"].to_numpy()] = table["firing_contexts"].to_numpy()
        contexts = np.maximum(fired, 0.5) * self.longer
        intervals = options.interval_count * options.interval_examples
        total = np.zeros(entry.n_features)
        silent = len(SILENT_GROUPS) * options.counter_examples
        for most in (options.top_examples, intervals, options.random_examples, silent):
            total += np.minimum(contexts, most)
        return total

    def _weigh_sae(self, entry: SaeEntry, expected: float) -> _Sample:
        """A feature with `expected` examples, on the line between those with many and those with few."""
        rows = self.store.read("examples", entry.slug, columns=["feature_idx"])["feature_idx"].to_numpy()
        counts = np.bincount(rows, minlength=entry.n_features)
        order = np.argsort(counts, kind="stable")
        many, few = np.sort(order[-SAMPLED:]), np.sort(order[:SAMPLED])
        heavy, light = self._weigh_some(entry, many.tolist()), self._weigh_some(entry, few.tolist())
        most, least = float(counts[many].mean()), float(counts[few].mean())
        slope = (heavy.feature_bytes - light.feature_bytes) / (most - least) if most > least else 0.0
        share = max(expected - least, 0.0)
        lighter = (heavy.least_bytes - light.least_bytes) / (most - least) if most > least else 0.0
        return replace(
            heavy,
            feature_bytes=light.feature_bytes + slope * share,
            least_bytes=light.least_bytes + lighter * share,
        )

    def _weigh_some(self, entry: SaeEntry, features: list[int]) -> _Sample:
        """The weight of `features`, by taking them once and twice: the difference has nothing fixed in it."""
        from atlas.render.site import plan_site

        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            once = make_miniature(Path(folder) / "once", self.store, entry.slug, features)
            twice = make_miniature(Path(folder) / "twice", self.store, entry.slug, [*features, *features])
            first = plan_site(once, self.config.render, base=self.base)
            began = time.perf_counter()
            second = plan_site(twice, self.config.render, base=self.base)
            seconds = (time.perf_counter() - began) / (2 * len(features))
        each = (second.bytes - first.bytes) / len(features)
        fewest = (second.least_bytes - first.least_bytes) / len(features)
        return _Sample(each, fewest, first.bytes - each * len(features), seconds)

    def _count_files(self) -> tuple[int, int]:
        """Pages and files of a site of all features; those of the search index follow its few terms."""
        from atlas.index.search import build_postings
        from atlas.index.vectors import build_vectors
        from atlas.render.site import plan_site

        for entry in self.store.manifest.saes:
            fill_enriched(self.store, entry.slug, entry.n_features, ("coords", "clusters", "explanations"))
        build_postings(self.store)
        build_vectors(self.store)
        plan = plan_site(self.store, self.config.render, base=self.base)
        return plan.pages, plan.files

    def _table_bytes(self, growth: float) -> float:
        tables = self.store.manifest.tables.items()
        sizes = {key: sum(file.bytes for file in files) for key, files in tables}
        examples = sum(size for key, size in sizes.items() if _is_examples(key))
        features = sum(entry.n_features for entry in self.store.manifest.saes)
        return growth * examples + TABLE_BYTES * features + sizes["vocabulary"]


@dataclass(frozen=True)
class _Sample:
    """What a few features weigh."""

    feature_bytes: float
    least_bytes: float
    fixed_bytes: float
    seconds: float


def _is_examples(key: str) -> bool:
    return key.endswith("/examples")
