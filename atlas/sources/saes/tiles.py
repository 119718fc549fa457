"""Running an SAE over many tokens without all their dense activations in memory at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from atlas.sources.saes.base import SparseCoder

DENSE_BYTES = 64 << 20
"""Dense activations encoded at once, at most (one token at least)."""


def reconstructed(sae: SparseCoder, inputs: torch.Tensor) -> tuple[torch.Tensor, int]:
    """(what the SAE makes of `inputs` [n, d_in], how many activations are above 0)."""
    import torch

    rows = max(1, DENSE_BYTES // (4 * sae.facts.d_sae))
    outputs: list[torch.Tensor] = []
    firing = 0
    for part in inputs.split(rows):
        activations = sae.encode(part)
        firing += int((activations > 0).sum())
        outputs.append(sae.reconstruct(part, activations))
    return torch.cat(outputs), firing
