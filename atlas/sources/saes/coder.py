"""Encoding straight from the weights: the same numbers as sae-lens, without its hooks and second matmuls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from atlas.sources.saes.base import LAYER_NORM_EPS, EncoderSteps, SaeWeights

if TYPE_CHECKING:
    import torch

    from atlas.sources.saes.base import SaeFacts

TRANSCODERS = frozenset({"transcoder", "skip_transcoder", "jumprelu_transcoder", "jumprelu_skip_transcoder"})
"""Architectures that read at one hook and write at another."""


@dataclass(frozen=True)
class _Scale:
    """What a run-time normalisation did to each input: input = normalised * factor + shift."""

    factor: torch.Tensor | float
    """[n, 1]"""
    shift: torch.Tensor | float
    """[n, 1]"""


class SaeLensCoder:
    """An SAE (or transcoder) loaded by sae-lens. Holds float32 weights on one device; never trains.

    `encode` is checked against sae-lens' own for every architecture by the tests.
    """

    facts: SaeFacts

    def __init__(self, sae: Any, facts: SaeFacts, *, centred: bool) -> None:
        """Take the weights of a sae-lens module.

        `centred` subtracts each input's mean over its d_in values first: the SAE was trained on a
        model whose writing weights were centred (TransformerLens' `center_writing_weights`), where
        the residual stream has mean zero. Equal up to rounding for models with LayerNorm.
        """
        self.facts = facts
        self._sae = sae
        self._centred = centred
        self._normalisation = str(sae.cfg.normalize_activations)
        self._transcodes = facts.architecture in TRANSCODERS
        self._subtracts = bool(sae.cfg.apply_b_dec_to_input) and not self._transcodes
        self._W_enc = sae.W_enc.detach().contiguous()
        self._W_dec = sae.W_dec.detach()
        self._b_dec = sae.b_dec.detach()
        self._norms = (
            self._W_dec.norm(dim=-1) if getattr(sae.cfg, "rescale_acts_by_decoder_norm", False) else None
        )
        self._activate = _encoder(sae, facts.architecture, self._W_enc, self._norms)
        self.separable = facts.architecture not in {"topk", "matching_pursuit"}
        """Whether `encode_parts` gives more than one part."""

    def uncentred(self) -> SaeLensCoder:
        """The same SAE without centring, for a model whose writing weights cannot be centred."""
        folds = {name: words for name, words in self.facts.folds.items() if name != "centring"}
        return SaeLensCoder(self._sae, replace(self.facts, folds=folds), centred=False)

    def encode(self, activations: torch.Tensor) -> torch.Tensor:
        """[n, d_in] → [n, d_sae] float32, >= 0, a fresh tensor outside autograd."""
        (whole,) = self.encode_parts(activations, self.facts.d_sae)
        return whole

    def encode_parts(self, activations: torch.Tensor, width: int) -> Iterator[torch.Tensor]:
        """`encode` in parts of `width` features, in order; in one part unless `separable`."""
        import torch

        if self._activate is None:
            with torch.no_grad():
                # Greedy choices may flip on a last bit, so matching pursuit gets its inputs untouched.
                whole = self._sae.encode(self._centre(activations.to(self._W_enc))[0])
            yield whole
            return
        with torch.no_grad():
            inputs, _ = self._prepared(activations)
            inputs = inputs - self._b_dec if self._subtracts else inputs
        step = width if self.separable else self.facts.d_sae
        for start in range(0, self.facts.d_sae, step):
            with torch.no_grad():
                part = self._activate(inputs, slice(start, start + step))
            yield part

    def decode(self, activations: torch.Tensor) -> torch.Tensor:
        """[n, d_sae] → [n, d_in] (a transcoder: d_out), normalisation and centring not undone."""
        import torch

        with torch.no_grad():
            scaled = activations if self._norms is None else activations / self._norms
            output = _mixed(scaled.to(self._W_dec.dtype), self._W_dec)
            # Matching pursuit is tied: it has the bias on both sides or on neither.
            tied = self.facts.architecture == "matching_pursuit" and not self._subtracts
            return output if tied else output + self._b_dec

    def reconstruct(self, inputs: torch.Tensor, activations: torch.Tensor) -> torch.Tensor:
        """[n, d_in], [n, d_sae] → [n, d_in] in the inputs' own scale (a transcoder: [n, d_out])."""
        import torch

        with torch.no_grad():
            output = self.decode(activations)
            skip = getattr(self._sae, "W_skip", None)
            if skip is not None:
                output = output + inputs.to(output) @ skip.detach().T
            if self._transcodes:
                return output
            _, scale = self._prepared(inputs)
            return output * scale.factor + scale.shift

    def output_scale(self, inputs: torch.Tensor) -> torch.Tensor:
        """[n, 1] the spread (or norm) that a run-time normalisation took out of each input; else 1."""
        import torch

        with torch.no_grad():
            ones = torch.ones((len(inputs), 1), dtype=self._W_enc.dtype, device=self._W_enc.device)
            return ones if self._transcodes else ones * self._prepared(inputs)[1].factor

    def weights(self) -> SaeWeights:
        """As used; directions have unit length where activations are rescaled by the decoder's norm.

        A gated SAE is a JumpReLU SAE (Rajamanoharan et al. 2024, "Improving Dictionary Learning with
        Gated Sparse Autoencoders", appendix): with r = exp(r_mag) it fires where x · W_enc > -b_gate,
        that is where r x · W_enc + b_mag > b_mag - r b_gate.
        """
        import torch

        with torch.no_grad():
            W_enc, b_enc, threshold = self._encoder_weights()
            W_dec = self._W_dec
            if self._norms is not None:
                W_dec = W_dec / self._norms[:, None]
                W_enc = None if W_enc is None else W_enc * self._norms
                b_enc = None if b_enc is None else b_enc * self._norms
            return SaeWeights(
                W_enc=_plain(W_enc),
                W_dec=W_dec.float().cpu(),
                b_enc=_plain(b_enc),
                threshold=_plain(threshold),
                b_dec=self._b_dec.float().cpu(),
            )

    def steps(self) -> EncoderSteps:
        """What the encoder does besides `weights`."""
        known = self._normalisation in {"layer_norm", "constant_norm_rescale"}
        return EncoderSteps(
            centred=self._centred,
            normalisation=cast("Any", self._normalisation if known else "none"),
            subtracts=self._subtracts,
            k=int(self._sae.cfg.k) if self.facts.architecture == "topk" else 0,
            scales_output=known and not self._transcodes,
        )

    def _encoder_weights(self) -> tuple[torch.Tensor | None, torch.Tensor | None, torch.Tensor | None]:
        """(W_enc, b_enc, threshold) of `SaeWeights`, before any rescaling by the decoder's norm."""
        if self._activate is None:
            return None, None, None
        if self.facts.architecture == "gated":
            factor, b_mag = self._sae.r_mag.exp(), self._sae.b_mag
            return self._W_enc * factor, b_mag, (b_mag - factor * self._sae.b_gate).clamp(min=0)
        threshold = getattr(self._sae, "threshold", None)
        return self._W_enc, self._sae.b_enc, None if threshold is None else threshold.clamp(min=0)

    def _prepared(self, activations: torch.Tensor) -> tuple[torch.Tensor, _Scale]:
        """The inputs as the encoder sees them, and what it takes to undo that."""
        inputs, shift = self._centre(activations.to(self._W_enc))
        if self._normalisation == "layer_norm":
            mean = inputs.mean(dim=-1, keepdim=True)
            spread = (inputs - mean).std(dim=-1, keepdim=True)
            return (inputs - mean) / (spread + LAYER_NORM_EPS), _Scale(spread, mean + shift)
        if self._normalisation == "constant_norm_rescale":
            factor = inputs.norm(dim=-1, keepdim=True) / self.facts.d_in**0.5
            return inputs / factor, _Scale(factor, shift)
        return inputs, _Scale(1.0, shift)

    def _centre(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | float]:
        """The inputs less their mean, and that mean, if this SAE wants it so."""
        if not self._centred:
            return inputs, 0.0
        mean = inputs.mean(dim=-1, keepdim=True)
        return inputs - mean, mean


def _plain(values: torch.Tensor | None) -> torch.Tensor | None:
    return None if values is None else values.detach().float().cpu()


Activate = Callable[["torch.Tensor", slice], "torch.Tensor"]
"""[n, d_in] inputs, normalised and with b_dec subtracted, and which features → their activations."""


def _encoder(sae: Any, architecture: str, W_enc: torch.Tensor, norms: torch.Tensor | None) -> Activate | None:
    """The encoder of an architecture; None for matching pursuit, whose loop is left to sae-lens."""
    if architecture == "matching_pursuit":
        return None
    if architecture == "gated":
        return _gated(sae, W_enc)
    b_enc = sae.b_enc.detach()
    if architecture.startswith("jumprelu"):
        return _jumprelu(W_enc, b_enc, sae.threshold.detach())
    if architecture == "topk":
        return _topk(W_enc, b_enc, norms, int(sae.cfg.k))
    return _relu(W_enc, b_enc)


def _relu(W_enc: torch.Tensor, b_enc: torch.Tensor) -> Activate:
    import torch

    return lambda inputs, part: torch.addmm(b_enc[part], inputs, W_enc[:, part]).relu_()


def _jumprelu(W_enc: torch.Tensor, b_enc: torch.Tensor, threshold: torch.Tensor) -> Activate:
    import torch

    # The activation is relu(h) where h > threshold, so a negative threshold acts like zero.
    least = threshold.clamp(min=0)

    def activate(inputs: torch.Tensor, part: slice) -> torch.Tensor:
        hidden = torch.addmm(b_enc[part], inputs, W_enc[:, part])
        return hidden.mul_(hidden > least[part])

    return activate


def _topk(W_enc: torch.Tensor, b_enc: torch.Tensor, norms: torch.Tensor | None, k: int) -> Activate:
    import torch

    def activate(inputs: torch.Tensor, _: slice) -> torch.Tensor:
        hidden = torch.addmm(b_enc, inputs, W_enc)
        if norms is not None:
            hidden.mul_(norms)
        values, places = hidden.topk(k, dim=-1, sorted=False)
        return hidden.zero_().scatter_(-1, places, values.relu_())

    return activate


def _gated(sae: Any, W_enc: torch.Tensor) -> Activate:
    b_gate, b_mag = sae.b_gate.detach(), sae.b_mag.detach()
    factor = sae.r_mag.detach().exp()

    def activate(inputs: torch.Tensor, part: slice) -> torch.Tensor:
        shared = inputs @ W_enc[:, part]
        opened = shared + b_gate[part] > 0
        return shared.mul_(factor[part]).add_(b_mag[part]).relu_().mul_(opened)

    return activate


def _mixed(activations: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
    """`activations` [n, d_sae] @ `directions` [d_sae, d_out], on a CPU over what fires alone: most is 0."""
    import torch

    if activations.device.type != "cpu":
        return activations @ directions
    values = np.ascontiguousarray(activations.numpy())
    places = np.flatnonzero(values != 0)
    row, feature = np.divmod(places, values.shape[1])
    return torch.nn.functional.embedding_bag(
        torch.from_numpy(feature),
        directions,
        torch.from_numpy(np.searchsorted(row, np.arange(len(values)))),
        mode="sum",
        per_sample_weights=torch.from_numpy(values.reshape(-1)[places]),
    )
