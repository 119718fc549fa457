"""Trying an SAE as configured and in other ways, on a few tokens: which of them fits?

An SAE that reads the wrong tensor runs without an error. What gives it away is that it reconstructs
another one much better, so each likely mistake is made on purpose: another layer, another place in the
layer, BOS or not, inputs scaled or centred as some trainings do. A fixed threshold would not do: next to
its own place an SAE still explains 0.6 to 0.85 of the variance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from atlas.sources.engines.families import split_hook
from atlas.sources.saes.tiles import reconstructed

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from atlas.sources.engines.base import Engine
    from atlas.sources.saes.base import SaeFacts, SparseCoder

_PLACES = ("hook_resid_pre", "hook_resid_mid", "hook_resid_post", "hook_attn_out", "hook_mlp_out")
_STREAM = ("hook_resid_pre", "hook_resid_post")
_EPS = 1e-12

Undo = Callable[["torch.Tensor"], "torch.Tensor"]
"""Outputs in the transformed scale → in that of the inputs."""
Transform = Callable[["torch.Tensor"], tuple["torch.Tensor", Undo]]
"""Inputs [n, d_in] → the inputs as an SAE may have been trained on them, and the way back."""


@dataclass(frozen=True)
class Fit:
    """How well an SAE does in one way of using it."""

    explained_variance: float | None
    """None for an original that never varies, or one that is not known."""
    l0: float
    """Mean number of features that fire on a token."""
    n_tokens: int
    """Tokens of text measured."""
    width: int = 0
    """Length of the vectors it makes."""
    finite: bool = True
    """Whether all that it makes is."""

    @property
    def unexplained(self) -> float:
        """Share of the variance that is not explained; infinite where it cannot be said."""
        return np.inf if self.explained_variance is None else 1 - self.explained_variance

    def words(self) -> str:
        """The figures, for people."""
        figure = "unknown" if self.explained_variance is None else f"{self.explained_variance:.3g}"
        return f"explained variance {figure} and L0 {self.l0:.1f}"


@dataclass(frozen=True)
class Way:
    """One way of using an SAE."""

    words: str
    """Where or how, to follow its figures."""
    advice: str
    """What to change in the configuration if this is the right one."""
    hook_name: str
    """Where it reads."""
    target: str | None
    """Where the tensor is that its output is compared with; None for none."""
    flip_bos: bool = False
    """Whether contexts lose their BOS, or get one."""
    transform: Transform | None = None
    """What is done to its inputs."""
    coder: SparseCoder | None = None
    """The SAE, if changed itself."""

    @property
    def hooks(self) -> list[str]:
        """Every hook whose values it needs."""
        return [hook for hook in (self.hook_name, self.target) if hook]


def written_at(engine: Engine, facts: SaeFacts) -> str | None:
    """The hook of the tensor that the SAE's output stands for: where it reads, or where a transcoder writes.

    None where the engine has no such hook, or only in a layer before the one that is read.
    """
    if not facts.hook_name_out:
        return facts.hook_name
    if facts.hook_name_out not in engine.hook_names():
        return None
    read, written = (split_hook(name) or (0, "") for name in (facts.hook_name, facts.hook_name_out))
    return facts.hook_name_out if written[0] >= read[0] else None


def as_configured(engine: Engine, sae: SparseCoder) -> Way:
    """The way that the configuration and the SAE's metadata name."""
    facts = sae.facts
    return Way(f"at {facts.hook_name} as configured", "", facts.hook_name, written_at(engine, facts))


def other_ways(engine: Engine, sae: SparseCoder, inputs: torch.Tensor) -> list[Way]:
    """The likely mistakes; `inputs` [n, d_in] are some that the SAE reads as configured."""
    target = written_at(engine, sae.facts)
    ways = [*_other_places(engine, sae.facts), *_other_bos(engine, sae.facts, target)]
    if sae.facts.hook_name_out:
        return ways
    return [*ways, *_other_inputs(sae, inputs)]


def try_ways(engine: Engine, sae: SparseCoder, ways: list[Way], token_ids: NDArray[np.int32]) -> list[Fit]:
    """How well the SAE does on `token_ids` [n, context] in each of `ways`.

    One forward pass, and one more if some of them have BOS where the others have none.
    """
    values = {
        flip: text_values(
            engine,
            flipped(engine, token_ids) if flip else token_ids,
            [hook for way in ways if way.flip_bos == flip for hook in way.hooks],
        )
        for flip in {way.flip_bos for way in ways}
    }
    return [measure(sae, way, values[way.flip_bos]) for way in ways]


def text_values(
    engine: Engine, token_ids: NDArray[np.int32], hook_names: list[str]
) -> dict[str, torch.Tensor]:
    """[n_text_tokens, d] at each hook."""
    import torch

    ids = torch.from_numpy(token_ids.astype(np.int64))
    text = torch.from_numpy(text_tokens(engine, token_ids)).to(engine.device)
    with torch.no_grad():
        found = engine.activations(ids, list(dict.fromkeys(hook_names)))
    return {hook_name: values[text] for hook_name, values in found.items()}


def text_tokens(engine: Engine, token_ids: NDArray[np.int32]) -> NDArray[np.bool_]:
    """[n, context] True for tokens that are text; for all tokens where none is.

    The activations at BOS are a hundred times larger than all others in many models and would decide
    every figure alone.
    """
    real = token_ids >= 0
    text = real & ~np.isin(token_ids, sorted(engine.tokens.special_ids))
    return text if text.any() else real


def flipped(engine: Engine, token_ids: NDArray[np.int32]) -> NDArray[np.int32]:
    """The contexts without their BOS, or with one in front and the last token gone."""
    bos = engine.tokens.bos_token_id
    if token_ids.shape[1] > 1 and (token_ids[:, 0] == bos).all():
        return token_ids[:, 1:]
    front = np.full((len(token_ids), 1), bos, dtype=token_ids.dtype)
    return np.concatenate([front, token_ids[:, :-1]], axis=1)


def measure(sae: SparseCoder, way: Way, values: dict[str, torch.Tensor]) -> Fit:
    """How well the SAE does in one way, on the `values` [n, d] at its hooks."""
    import torch

    with torch.no_grad():
        inputs, undo = values[way.hook_name], None
        if way.transform is not None:
            inputs, undo = way.transform(inputs)
        outputs, firing = reconstructed(way.coder or sae, inputs)
        outputs = outputs if undo is None else undo(outputs)
        explained = None if way.target is None else _explained(values[way.target], outputs)
        finite = bool(outputs.isfinite().all())
    return Fit(explained, firing / max(len(inputs), 1), len(inputs), outputs.shape[1], finite)


def _explained(targets: torch.Tensor, outputs: torch.Tensor) -> float | None:
    """1 - squared error / squared distance from the mean; None where that distance is 0, or widths differ."""
    if targets.shape != outputs.shape:
        return None
    x, made = targets.double(), outputs.double()
    total = float((x - x.mean(dim=0)).pow(2).sum())
    error = float((x - made).pow(2).sum())
    return 1 - error / total if total > 0 and np.isfinite(error) else None


def _other_places(engine: Engine, facts: SaeFacts) -> Iterator[Way]:
    """The same place in every other layer, the residual stream in every layer, all of the same layer."""
    place = split_hook(facts.hook_name)
    if place is None:
        return
    known = set(engine.hook_names())
    for layer in range(engine.facts.n_layers):
        shift = layer - place[0]
        hook, target = (_moved(name, shift) for name in (facts.hook_name, facts.hook_name_out))
        if shift and _fits(engine, known, hook, facts.d_in) and (not target or target in known):
            yield _at(hook, target or hook)
    if facts.hook_name_out:
        return
    same_layer = [f"blocks.{place[0]}.{kind}" for kind in _PLACES]
    stream = [f"blocks.{layer}.{_STREAM[0]}" for layer in range(engine.facts.n_layers)]
    for hook in dict.fromkeys(same_layer if place[1] in _STREAM else [*stream, *same_layer]):
        if hook != facts.hook_name and _fits(engine, known, hook, facts.d_in):
            yield _at(hook, hook)


def _moved(hook_name: str, shift: int) -> str:
    place = split_hook(hook_name)
    return f"blocks.{place[0] + shift}.{place[1]}" if place else ""


def _fits(engine: Engine, known: set[str], hook: str, width: int) -> bool:
    return hook in known and engine.hook_width(hook) == width


def _at(hook: str, target: str) -> Way:
    return Way(f"at {hook}", f"is hook_name right? Try saes: hook_name: {hook}", hook, target)


def _other_bos(engine: Engine, facts: SaeFacts, target: str | None) -> Iterator[Way]:
    if engine.tokens.bos_token_id is None:
        return
    other = not facts.prepend_bos
    yield Way(
        "with BOS in front of every context" if other else "without BOS in front of the contexts",
        f"is prepend_bos right? Try saes: prepend_bos: {str(other).lower()}",
        facts.hook_name,
        target,
        flip_bos=True,
    )


def _other_inputs(sae: SparseCoder, inputs: torch.Tensor) -> Iterator[Way]:
    """Normalised, scaled and centred as SAELens' trainings can do it."""
    at = sae.facts.hook_name
    length = float(inputs.norm(dim=-1).double().mean()) or 1.0
    factor = sae.facts.d_in**0.5 / length
    scaled = "is the input scale right? Its training may have multiplied the inputs by a factor"
    training = f"normalize_activations: expected_average_only_in, saes: norm_scaling_factor: {factor:.4g}"
    folded = "norm_scaling_factor may be given though it is folded into the weights already"
    changes: list[tuple[str, str, Transform]] = [
        ("with every input rescaled to length √d_in", _setting("constant_norm_rescale"), _constant_norm),
        ("with every input standardised", _setting("layer_norm"), _layer_norm),
        (f"with inputs multiplied by {factor:.4g}", f"{scaled} ({training})", partial(_multiplied, factor)),
        (
            f"with inputs multiplied by {1 / factor:.4g}",
            f"{scaled}, or {folded}",
            partial(_multiplied, 1 / factor),
        ),
    ]
    for words, advice, transform in changes:
        yield Way(words, advice, at, at, transform=transform)
    if "centring" in sae.facts.folds and hasattr(sae, "uncentred"):
        advice = "its metadata asks for center_writing_weights: is that right?"
        yield Way("without centring its inputs", advice, at, at, coder=sae.uncentred())  # pyright: ignore[reportAttributeAccessIssue]
    else:
        advice = "its metadata may lack model_from_pretrained_kwargs: center_writing_weights"
        yield Way("with centred inputs", advice, at, at, transform=_centred)


def _setting(name: str) -> str:
    return f"does normalize_activations: {name} belong into its cfg.json?"


def _multiplied(factor: float, inputs: torch.Tensor) -> tuple[torch.Tensor, Undo]:
    return inputs * factor, lambda outputs: outputs / factor


def _constant_norm(inputs: torch.Tensor) -> tuple[torch.Tensor, Undo]:
    factor = inputs.norm(dim=-1, keepdim=True).clamp(min=_EPS) / inputs.shape[-1] ** 0.5
    return inputs / factor, lambda outputs: outputs * factor


def _layer_norm(inputs: torch.Tensor) -> tuple[torch.Tensor, Undo]:
    mean = inputs.mean(dim=-1, keepdim=True)
    spread = (inputs - mean).std(dim=-1, keepdim=True).clamp(min=_EPS)
    return (inputs - mean) / spread, lambda outputs: outputs * spread + mean


def _centred(inputs: torch.Tensor) -> tuple[torch.Tensor, Undo]:
    mean = inputs.mean(dim=-1, keepdim=True)
    return inputs - mean, lambda outputs: outputs + mean
