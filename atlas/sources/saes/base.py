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
    """Width of the activation it reads."""
    d_sae: int
    """Number of features."""
    dtype: str
    """Precision the weights are used in, whatever they are stored in: 'float32'."""
    model_name: str
    """The model it was trained on, as its own metadata says; may be empty."""
    prepend_bos: bool
    """Whether its training contexts began with BOS."""
    context_size: int
    """As trained; 0 when its metadata does not say."""
    weights_sha256: str
    """Hash over the weight files, or over the tensors as loaded where there is no single file."""
    hook_name_out: str = ""
    """Where a transcoder writes; empty for an SAE, which writes where it reads."""
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
        """[n, d_sae] → [n, d_in] in the training's own scale: what depends on the input is missing."""
        ...

    def reconstruct(self, inputs: torch.Tensor, activations: torch.Tensor) -> torch.Tensor:
        """What the SAE makes of `inputs` [n, d_in] given their `activations` [n, d_sae] → [n, d_in].

        `decode`, with the normalisation and centring of each input undone (and a transcoder's skip
        connection added): this is what to compare with the tensor at `hook_name`, or, for a
        transcoder, at `hook_name_out` ([n, d_out] then).
        """
        ...

    def W_dec(self) -> torch.Tensor:
        """[d_sae, d_in] decoder directions as used, float32, on CPU ([d_sae, d_out] for a transcoder)."""
        ...
