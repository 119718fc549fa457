"""What an SAE is to atlas: `encode` and the decoder directions, whatever its architecture."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch


LAYER_NORM_EPS = 1e-5
"""As in sae-lens, added to the standard deviation."""


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


@dataclass(frozen=True)
class SaeWeights:
    """The weights as they are used: folds and rescaling applied. float32, on the CPU.

    Whatever the architecture, with x the input as the encoder sees it (normalised, centred, less b_dec
    where the SAE subtracts it), a feature's pre-activation is `x @ W_enc + b_enc`, and its activation is
    that value where it is above the threshold (zero where there is none) and, with top-k, among the
    largest; one unit of activation writes the feature's row of `W_dec`.
    """

    W_enc: torch.Tensor | None
    """[d_in, d_sae]; None where activations come from no encoder (matching pursuit)."""
    W_dec: torch.Tensor
    """[d_sae, d_in] decoder directions ([d_sae, d_out] for a transcoder)."""
    b_enc: torch.Tensor | None
    """[d_sae] added to the encoder's output; None where there is no encoder."""
    threshold: torch.Tensor | None
    """[d_sae] >= 0, what the pre-activation must exceed; None for an architecture that learns none."""
    b_dec: torch.Tensor
    """[d_in] the decoder's bias ([d_out] for a transcoder)."""


@dataclass(frozen=True)
class EncoderSteps:
    """What an encoder does besides `SaeWeights`: with both, it can be written down in other words.

    In this order: centre, normalise, subtract b_dec, the pre-activation of `SaeWeights`, its threshold, and
    among those the k largest.
    """

    centred: bool
    """Whether each input's mean over its d_in values is subtracted first."""
    normalisation: Literal["none", "layer_norm", "constant_norm_rescale"]
    """What is done to each input at run time. layer_norm: less its mean, over (its standard deviation, with
    d_in - 1, + `LAYER_NORM_EPS`). constant_norm_rescale: over (its length / sqrt(d_in))."""
    subtracts: bool
    """Whether b_dec is subtracted then."""
    k: int
    """How many of the largest pre-activations of an input may fire; 0 where all may."""
    scales_output: bool
    """Whether `SparseCoder.output_scale` is the standard deviation (or length / sqrt(d_in)) of the
    normalisation, not 1."""


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

    def output_scale(self, inputs: torch.Tensor) -> torch.Tensor:
        """[n, 1] what one unit of decoded output is worth in `reconstruct`, for `inputs` [n, d_in].

        1 unless each input is normalised at run time: what feature f adds to the reconstruction of
        input i is activation[i, f] * output_scale[i] * W_dec[f].
        """
        ...

    def weights(self) -> SaeWeights:
        """The weights, for what can be told without running the SAE."""
        ...


@runtime_checkable
class Portable(Protocol):
    """What an SAE may offer besides: its encoder as `weights` and steps, to be run by something else."""

    def steps(self) -> EncoderSteps:
        """What the encoder does besides `weights`."""
        ...


@runtime_checkable
class Separable(Protocol):
    """What an SAE may offer besides: to encode a few features at a time.

    The pass then looks at their activations while they are still in the processor's cache.
    """

    separable: bool
    """Whether an activation depends on the input alone, not on those of other features."""

    def encode_parts(self, activations: torch.Tensor, width: int) -> Iterator[torch.Tensor]:
        """`encode`, cut into [n, width] (the last one may be narrower), in the order of the features.

        One part of all features if they are not `separable`.
        """
        ...
