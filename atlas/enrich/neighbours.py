"""Which features of an SAE write in almost the same direction: exact cosine, whole SAE."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pyarrow as pa

from atlas.enrich.ranking import Ranked, largest, tile_rows
from atlas.schema import NEIGHBOURS as NEIGHBOURS_TABLE

if TYPE_CHECKING:
    import torch

    from atlas.enrich.base import EnrichContext
    from atlas.store import AtlasStore


class Neighbours:
    """The decoder directions with the largest cosine to each feature's own."""

    name: ClassVar[str] = "neighbours"
    reads: ClassVar[tuple[str, ...]] = ()
    writes: ClassVar[tuple[str, ...]] = ("neighbours",)
    notes: ClassVar[str] = (
        "Neighbours of a feature are the features of the same SAE whose decoder directions have the largest "
        "cosine with its own, computed exactly over all pairs; equal cosines are ordered by feature number. "
        "A feature whose decoder direction is zero has no neighbours and is nobody's."
    )

    def run(self, context: EnrichContext) -> None:
        """Write `neighbours`, one row per feature, dead ones included: direction does not need firing."""
        directions = context.sae().weights().W_dec.to(compute_device(context.store))
        with context.store.writer("neighbours", sae=context.sae_slug, schema=NEIGHBOURS_TABLE) as writer:
            for start, ranked in nearest_directions(directions, context.config.neighbours):
                stop = start + ranked.offsets.size - 1
                features = pa.array(np.arange(start, stop, dtype=np.int32))
                writer.write(pa.table([features, ranked.features()], schema=NEIGHBOURS_TABLE))


def nearest_directions(directions: torch.Tensor, n: int) -> Iterator[tuple[int, Ranked]]:
    """(first feature, neighbours of it and the following ones) tile by tile, for `directions` [d_sae, d_in].

    No more than one tile of cosines exists at a time.
    """
    import torch

    unit = unit_directions(directions)
    nothing = ~unit.any(dim=1)
    step = tile_rows(unit.shape[0])
    for start in range(0, unit.shape[0], step):
        part = unit[start : start + step]
        # Rounding puts twins a hair past 1.
        cosines = (part @ unit.T).clamp_(-1, 1)
        cosines[:, nothing] = -torch.inf
        cosines[nothing[start : start + step]] = -torch.inf
        own = torch.arange(part.shape[0], device=part.device)
        cosines[own, start + own] = -torch.inf
        yield start, largest(cosines, n)


def compute_device(store: AtlasStore) -> str:
    """Where to compare directions: on the GPU that the pass ran on, if it is there, else the CPU."""
    import torch

    device = str(store.manifest.model.get("device", "cpu"))
    return device if device.startswith("cuda") and torch.cuda.is_available() else "cpu"


def unit_directions(directions: torch.Tensor) -> torch.Tensor:
    """`directions` [n, d] scaled to length 1, float32; rows that are zero or not finite become zero."""
    import torch

    exact = torch.nan_to_num(directions.double(), nan=0.0, posinf=0.0, neginf=0.0)
    exact[~directions.isfinite().all(dim=1)] = 0
    length = exact.norm(dim=1, keepdim=True)
    return torch.where(length > 0, exact / length.where(length > 0, 1.0), 0.0).float()


NEIGHBOURS = Neighbours()
"""Registered under `atlas.enrichers`."""
