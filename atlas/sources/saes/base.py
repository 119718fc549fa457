"""What an SAE is to atlas: `encode` and the decoder directions, whatever its architecture."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class SaeFacts:
    """What the manifest records of an SAE."""

    title: str
    """For people."""
    slug: str
    """Path segment of its pages: `[a-z0-9-]+`, never changes once published."""
    architecture: str
    """SAELens name, e.g. 'jumprelu', 'standard', 'topk'."""
    hook_name: str
    """Where it reads, TransformerLens spelling."""
    d_in: int
    d_sae: int
    dtype: str
    model_name: str
    """The model it was trained on, as its own metadata says; may be empty."""
    prepend_bos: bool
    context_size: int
    """As trained; 0 when its metadata does not say."""
    weights_sha256: str
    source: dict[str, str] = field(default_factory=dict[str, str])
    """Where it came from: release, sae_id, repo, folder, revision."""
    folds: dict[str, str] = field(default_factory=dict[str, str])
    """Every fold or scale applied to the weights, in words with its factor; empty if none."""
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    """The SAE's own metadata as found (JSON types only)."""


class SparseCoder(Protocol):
    """A loaded SAE. Readers are registered under `atlas.saes` as `open(config, device) -> SparseCoder`."""

    facts: SaeFacts

    def encode(self, activations: torch.Tensor) -> torch.Tensor:
        """[n, d_in] → [n, d_sae] activations after the nonlinearity, float32, >= 0."""
        ...

    def decode(self, activations: torch.Tensor) -> torch.Tensor:
        """[n, d_sae] → [n, d_in] reconstruction."""
        ...

    def W_dec(self) -> torch.Tensor:
        """[d_sae, d_in] decoder directions as used, float32, on CPU."""
        ...
