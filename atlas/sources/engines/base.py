"""What an engine is: a language model that gives the activations at a hook point."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import torch

    from atlas.config import ModelConfig
    from atlas.sources.engines.edits import Change
    from atlas.sources.tokens import TokenBytes


@dataclass(frozen=True)
class ModelFacts:
    """What the manifest records of the model."""

    name: str
    """As configured."""
    engine: str
    """Engine name."""
    architecture: str
    """Hugging Face `model_type`, e.g. 'gpt2'."""
    n_layers: int
    """Transformer blocks of the whole model."""
    d_model: int
    """Width of the residual stream."""
    vocabulary_size: int
    """Rows of the unembedding: token ids are below it."""
    context_size: int
    """Longest sequence the model takes."""
    dtype: str
    """Precision of the forward pass, e.g. 'float32'."""
    device: str
    """Where it ran, e.g. 'cpu' or 'cuda:0'."""
    weights_sha256: str
    """Hash over the weight files (name and bytes), or over the parameters when there are no files."""
    tokenizer_sha256: str
    """Hash of the fast tokenizer's canonical JSON."""
    commit: str = ""
    """Commit of the Hub repository that the model was read from; '' for a folder."""


class Engine(ABC):
    """A loaded model. Registered under `atlas.engines` as a class with `open(config)`."""

    name: ClassVar[str]
    facts: ModelFacts
    device: Any
    """torch.device the activations live on."""
    tokens: TokenBytes
    """Tokenizer wrapper: encode text, bytes of every token, BOS id."""

    @classmethod
    @abstractmethod
    def open(cls, config: ModelConfig) -> Engine:
        """Load the model and its fast tokenizer; `InputError` when either is missing or unusable."""

    @abstractmethod
    def hook_names(self) -> list[str]:
        """Every hook point this engine can read, in TransformerLens spelling, in layer order."""

    @abstractmethod
    def hook_width(self, hook_name: str) -> int:
        """d_in at `hook_name`; an unknown name is an `InputError` with the three nearest ones."""

    @abstractmethod
    def activations(self, token_ids: torch.Tensor, hook_names: Sequence[str]) -> dict[str, torch.Tensor]:
        """Activations at each hook for int64 `token_ids` [batch, context] → [batch, context, d_in].

        Layers after the last hook are not run. `attn.hook_z` is flattened to heads * d_head.
        """

    @abstractmethod
    def logits(
        self,
        token_ids: torch.Tensor,
        change: Mapping[str, Change] | None = None,
        select: torch.Tensor | None = None,
        *,
        start: str | None = None,
    ) -> torch.Tensor:
        """float32 logits [batch, context, vocabulary] for int64 `token_ids` [batch, context].

        `change`: hook name → function from the float32 activation [batch, context, d] at that hook to
        what takes its place, called in the order in which the model computes them; one that returns its
        argument changes nothing, bit for bit. `attn.hook_z` is flattened as in `activations`.
        `select`, a bool mask [batch, context]: only those positions are unembedded, row by row, and the
        result is [n_selected, vocabulary]. Padding (-1) is read as token 0.
        `start`, a `hook_resid_pre` or `hook_resid_post` whose function in `change` makes its tensor from
        nothing but the shape it is given: the blocks below it may be left out, which changes no result.

        `InputError` for an unknown hook, `ValueError` for a change that returns another shape.
        """

    @abstractmethod
    def unembedding(self) -> Unembedding:
        """The final norm and W_U, for logit effects."""


@dataclass(frozen=True)
class Unembedding:
    """Everything between the last residual stream and the logits."""

    W_U: torch.Tensor
    """[d_model, vocabulary] without any fold, float32."""
    norm_scale: torch.Tensor | None
    """[d_model] the final norm's learned scale (Gemma's 1 + w already added), or None."""
    norm_kind: str
    """'layer_norm', 'rms_norm' or 'none'."""
