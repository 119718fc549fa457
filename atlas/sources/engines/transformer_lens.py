"""Engine `transformer_lens`: the model through TransformerLens' `TransformerBridge`.

The plain bridge, never an SAE bridge, whose alias hooks are silently dead.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from atlas.errors import InputError
from atlas.sources.engines.base import Engine, Unembedding
from atlas.sources.engines.edits import Change, edit, only_selected
from atlas.sources.engines.families import FAMILIES, split_hook, unknown_hook
from atlas.sources.engines.loading import LoadedModel, load_config, load_model

if TYPE_CHECKING:
    import torch

    from atlas.config import ModelConfig

_PROBE_SHAPE = (2, 3)
"""Contexts, tokens: more than one context, since rotary angles are the same for all and come once."""
_HEADS = "attn.hook_z"
_NORM_KINDS = {"LN": "layer_norm", "LNPre": "layer_norm", "RMS": "rms_norm", "RMSPre": "rms_norm"}


class TransformerLensEngine(Engine):
    """A model of any architecture that TransformerLens can bridge."""

    name: ClassVar[str] = "transformer_lens"

    def __init__(self, loaded: LoadedModel, bridge: Any, unembedding: Unembedding) -> None:
        self.facts = loaded.facts
        self.tokens = loaded.tokens
        self.device = loaded.device
        self._bridge = bridge
        self._model = loaded.model
        self._unembedding = unembedding
        self._widths = _probe(bridge, loaded.device)

    @classmethod
    def open(cls, config: ModelConfig) -> TransformerLensEngine:
        """Load the model with transformers, then bridge it; `InputError` where the bridge cannot."""
        _refuse_several_parts(load_config(config))
        loaded = load_model(config, cls.name)
        import torch
        from transformer_lens.model_bridge import TransformerBridge

        try:
            bridge = TransformerBridge.boot_transformers(
                config.name,
                device=str(loaded.device),
                dtype=getattr(torch, config.dtype),
                tokenizer=loaded.tokenizer,
                hf_model=loaded.model,
                trust_remote_code=config.trust_remote_code,
            )
        except (ValueError, KeyError, AttributeError, NotImplementedError, RuntimeError) as error:
            raise InputError(
                f"TransformerLens cannot bridge architecture {loaded.facts.architecture!r}: {error}",
                where="model.engine",
                fix="set engine: transformers, if it knows the architecture: " + ", ".join(sorted(FAMILIES)),
            ) from error
        return cls(loaded, bridge, _unembedding(bridge, loaded.facts.architecture))

    def hook_names(self) -> list[str]:
        """Every hook of a block that gives one vector a token, under each of its names, in layer order."""
        return list(self._widths)

    def hook_width(self, hook_name: str) -> int:
        """Length of the vector a token gives at `hook_name`; heads * d_head for `attn.hook_z`."""
        if hook_name not in self._widths:
            raise unknown_hook(hook_name, self.hook_names())
        return self._widths[hook_name]

    def activations(self, token_ids: torch.Tensor, hook_names: Sequence[str]) -> dict[str, torch.Tensor]:
        """float32 [batch, context, d_in] per hook for int64 ids [batch, context]; padding as token 0."""
        for hook_name in hook_names:
            self.hook_width(hook_name)
        ids = token_ids.to(self.device).clamp(min=0)
        layers = [place[0] for name in hook_names if (place := split_hook(name))]
        cache = _cached(self._bridge, ids, list(hook_names), max(layers, default=0) + 1)
        return {name: _flat(name, cache[name]).float() for name in hook_names}

    def logits(
        self,
        token_ids: torch.Tensor,
        change: Mapping[str, Change] | None = None,
        select: torch.Tensor | None = None,
        *,
        start: str | None = None,
    ) -> torch.Tensor:
        """float32 [batch, context, vocabulary], or [n_selected, vocabulary]; see `Engine.logits`."""
        import torch

        del start  # the bridge runs all blocks
        changes = change or {}
        for hook_name in changes:
            self.hook_width(hook_name)
        hooks = [(name, _bridged(name, what)) for name, what in changes.items()]
        with torch.no_grad(), only_selected(self._model, select), warnings.catch_warnings():
            # That a norm with a changed value inside is computed by TransformerLens itself.
            warnings.filterwarnings("ignore", message="A forward hook edited")
            ids = token_ids.to(self.device).clamp(min=0)
            return self._bridge.run_with_hooks(ids, fwd_hooks=hooks, return_type="logits").float()

    def unembedding(self) -> Unembedding:
        """W_U and the final norm's scale, float32, on the engine's device."""
        return self._unembedding


def _refuse_several_parts(model_config: Any) -> None:
    """Refuse models that also see or hear.

    For those TransformerLens 3 runs `pip install torchvision` in the user's environment without asking,
    which replaces torch itself.
    """
    if getattr(type(model_config), "sub_configs", None):
        raise InputError(
            f"architecture {model_config.model_type!r} has parts besides its language model, for which"
            " TransformerLens would install packages into your environment",
            where="model.engine",
            fix="set engine: transformers (it reads the language part of gemma3), or use a text-only model",
        )


def _bridged(hook_name: str, change: Change) -> Callable[..., torch.Tensor]:
    """`change` as the bridge calls its hooks."""
    return lambda value, hook: edit(hook_name, value, change)  # noqa: ARG005


def _cached(
    bridge: Any, ids: torch.Tensor, hook_names: list[str] | None, stop_at_layer: int | None
) -> dict[str, torch.Tensor]:
    import torch

    with torch.no_grad():
        _, cache = bridge.run_with_cache(
            ids, return_cache_object=False, names_filter=hook_names, stop_at_layer=stop_at_layer
        )
    return cache


def _flat(hook_name: str, value: torch.Tensor) -> torch.Tensor:
    return value.flatten(2) if hook_name.endswith(_HEADS) else value


def _probe(bridge: Any, device: torch.device) -> dict[str, int]:
    """Width of every hook that gives one vector a token: read from one forward pass."""
    import torch

    ids = torch.zeros(_PROBE_SHAPE, dtype=torch.int64, device=device)
    cache = _cached(bridge, ids, None, None)
    widths: dict[str, int] = {}
    for name in bridge.hook_dict:
        value = cache.get(name)
        if split_hook(name) is None or not isinstance(value, torch.Tensor):
            continue
        shape = _flat(name, value).shape if name.endswith(_HEADS) else value.shape
        if len(shape) == 3 and shape[:2] == _PROBE_SHAPE and shape[2] > 1:  # noqa: PLR2004
            widths[name] = int(shape[2])
    return dict(sorted(widths.items(), key=lambda item: split_hook(item[0]) or (0, item[0])))


def _unembedding(bridge: Any, architecture: str) -> Unembedding:
    """From the bridge's own parts, so that it holds for architectures atlas has no map of."""
    norm = getattr(bridge, "ln_final", None)
    weight = getattr(norm, "weight", None)
    offset = FAMILIES[architecture].norm_offset if architecture in FAMILIES else 0.0
    kind = _NORM_KINDS.get(str(bridge.cfg.normalization_type), "none")
    return Unembedding(
        W_U=bridge.W_U.detach().float(),
        norm_scale=None if weight is None else weight.detach().float() + offset,
        norm_kind="none" if weight is None else kind,
    )
