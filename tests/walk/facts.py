"""What a site must show, from the dataset beside it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.reader import open_atlas

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas.reader.atlas import Atlas, Feature

CANDIDATES = 48
"""Features looked at to find one that has something in every panel."""

FOUND = "firing_tokens"
DUPLICATE = 0.95
"""Cosine of two decoder directions from which a page calls one a duplicate of the other."""


@dataclass(frozen=True)
class Facts:
    """A dataset, and the site that was rendered from it."""

    atlas: Atlas
    site: Path

    @classmethod
    def read(cls, dataset: Path, site: Path) -> Facts:
        """The facts of `site`, which was rendered from `dataset`."""
        return cls(open_atlas(dataset), site)

    @cached_property
    def slugs(self) -> list[str]:
        """The SAEs, in the order of the site."""
        return [entry.slug for entry in self.atlas.saes]

    @cached_property
    def sae(self) -> str:
        """The SAE that is walked."""
        return self.slugs[0]

    @cached_property
    def size(self) -> int:
        """Its number of features."""
        return self.atlas.saes[0].n_features

    def has(self, page: str) -> bool:
        """Whether the site has this page."""
        return (self.site / page).is_file()

    @cached_property
    def curated(self) -> list[str]:
        """Paths of the pages of curated lists."""
        return sorted(path.relative_to(self.site).as_posix() for path in self.site.glob("lists/*.html"))

    def column(self, name: str, table: str = "features") -> NDArray[Any]:
        """Column of the walked SAE by feature number, numbers as doubles; NaN or None where there is none."""
        rows = self.atlas.table(table, self.sae, ["feature_idx", name])
        found = rows[name].to_numpy(zero_copy_only=False)
        if found.dtype != object:
            found = found.astype(np.float64)
        whole = np.full(self.size, None if found.dtype == object else np.nan, found.dtype)
        whole[rows["feature_idx"].to_numpy()] = found
        return whole

    @cached_property
    def strongest(self) -> NDArray[np.float64]:
        """Largest activation of every feature."""
        return self.column("max_activation")

    def share(self, feature: int, value: float) -> float:
        """`value` as a share of the feature's largest activation; NaN where it never fired."""
        largest = self.strongest[feature]
        return value / largest if largest > 0 else float("nan")

    @cached_property
    def density(self) -> NDArray[np.float64]:
        """Share of tokens on which every feature fires."""
        return self.column("activation_density")

    @cached_property
    def rich(self) -> Feature:
        """The feature with most kinds of examples, lists and effects among a sample of those that fire."""
        firing = self.column(FOUND)
        order = np.argsort(-firing, kind="stable")[: int((firing > 0).sum())]
        places = np.unique(np.linspace(0, len(order) - 1, CANDIDATES).astype(int))
        found = [self.atlas.feature(int(order[at]), self.sae) for at in places]
        return max(found, key=_riches)

    @cached_property
    def dead(self) -> int | None:
        """The first feature that never fired; None if all did."""
        found = np.flatnonzero(self.column(FOUND) == 0)
        return int(found[0]) if len(found) else None

    @cached_property
    def twin(self) -> tuple[int, int] | None:
        """A feature and its duplicate: the most alike of all directions; None where none are."""
        rows = self.atlas.table("neighbours", self.sae, ["feature_idx", "neighbours"]).to_pylist()
        near = [(row["neighbours"][0], row["feature_idx"]) for row in rows if row["neighbours"]]
        best, feature = max(near, key=lambda one: (one[0]["value"], -one[1]), default=({"value": 0.0}, 0))
        return (feature, best["feature_idx"]) if best["value"] >= DUPLICATE else None

    @cached_property
    def groups(self) -> Counter[str]:
        """Group of examples → how many the rich feature has."""
        return Counter(example.group for example in self.rich.examples)

    @cached_property
    def placed(self) -> int:
        """Number of features on the map of the walked SAE."""
        return self.atlas.table("coords", self.sae, ["feature_idx"]).num_rows


def _riches(feature: Feature) -> tuple[int, int, int]:
    """How much there is to use on a feature's page, and then its number, so that ties have one winner."""
    groups = {example.group for example in feature.examples}
    lists = sum(bool(tokens) for tokens in feature.tokens.values())
    effects = bool(feature.rows.get("effects"))
    return len(groups) + 3 * effects + (feature.explanation != ""), lists, -feature.feature_idx
