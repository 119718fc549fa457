"""Engine `transformers`: the model as its own library runs it, read through forward hooks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from atlas.errors import InputError
from atlas.sources.engines.base import Engine, Unembedding
from atlas.sources.engines.families import Family, family_of, hook_kinds, split_hook, unknown_hook
from atlas.sources.engines.loading import LoadedModel, load_config, load_model

if TYPE_CHECKING:
    import torch

    from atlas.config import ModelConfig


class _AllRead(Exception):  # noqa: N818  # a signal, not an error
    """Ends the forward pass: every tensor asked for has been read."""


class TransformersEngine(Engine):
    """A causal language model of one of the `FAMILIES`, run by transformers."""

    name: ClassVar[str] = "transformers"

    def __init__(self, loaded: LoadedModel, family: Family) -> None:
        self.facts = loaded.facts
        self.tokens = loaded.tokens
        self.device = loaded.device
        self._model = loaded.model
        self._family = family
        self._body = _find(loaded.model, family.body)
        self._blocks = list(self._body.get_submodule(family.layers))
        self._kinds = hook_kinds(family, loaded.text_config)

    @classmethod
    def open(cls, config: ModelConfig) -> TransformersEngine:
        """Load the model; `InputError` for an architecture outside `FAMILIES`, before weights are read."""
        family = family_of(str(load_config(config).model_type))
        return cls(load_model(config, cls.name), family)

    def hook_names(self) -> list[str]:
        """Six hooks a block (see `families`), five where there is no `hook_resid_mid`."""
        return [f"blocks.{layer}.{kind}" for layer in range(len(self._blocks)) for kind in self._kinds]

    def hook_width(self, hook_name: str) -> int:
        """d_model, or heads * d_head for `attn.hook_z`."""
        layer, kind = self._locate(hook_name)
        if kind != "attn.hook_z":
            return self.facts.d_model
        return _input_width(self._blocks[layer].get_submodule(self._family.taps[kind].module))

    def activations(self, token_ids: torch.Tensor, hook_names: Sequence[str]) -> dict[str, torch.Tensor]:
        """float32 [batch, context, d_in] per hook for int64 ids [batch, context].

        Padding (-1) is read as token 0: attention is causal, so what comes after a token cannot change
        it, and the values at padding mean nothing. The forward pass ends at the last tensor asked for.
        """
        import torch

        found: dict[str, torch.Tensor] = {}
        handles = [
            self._attach(hook_name, found, len(set(hook_names))) for hook_name in dict.fromkeys(hook_names)
        ]
        try:
            with torch.no_grad():
                self._body(input_ids=token_ids.to(self.device).clamp(min=0), use_cache=False)
        except _AllRead:
            pass
        finally:
            for handle in handles:
                handle.remove()
        return {hook_name: found[hook_name].float() for hook_name in hook_names}

    def unembedding(self) -> Unembedding:
        """W_U and the final norm's scale, float32, on the engine's device."""
        norm = self._body.get_submodule(self._family.norm)
        return Unembedding(
            W_U=self._model.get_output_embeddings().weight.detach().float().T,
            norm_scale=norm.weight.detach().float() + self._family.norm_offset,
            norm_kind=self._family.norm_kind,
        )

    def _locate(self, hook_name: str) -> tuple[int, str]:
        place = split_hook(hook_name)
        if place is None or place[0] >= len(self._blocks) or place[1] not in self._kinds:
            raise unknown_hook(hook_name, self.hook_names())
        return place

    def _attach(self, hook_name: str, found: dict[str, torch.Tensor], wanted: int) -> Any:
        """Register a forward hook that puts the tensor at `hook_name` into `found`."""
        layer, kind = self._locate(hook_name)
        tap = self._family.taps[kind]
        block = self._blocks[layer]
        module = block.get_submodule(tap.module) if tap.module else block

        def keep(value: Any) -> None:
            found[hook_name] = value[0] if isinstance(value, tuple) else value
            if len(found) == wanted:
                raise _AllRead

        if tap.side == "output":
            after: Callable[..., None] = lambda _module, _args, output: keep(output)  # noqa: E731
            return module.register_forward_hook(after)
        before: Callable[..., None] = lambda _module, args, kwargs: keep(_first_input(args, kwargs))  # noqa: E731
        return module.register_forward_pre_hook(before, with_kwargs=True)


def _first_input(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return args[0] if args else kwargs["hidden_states"]


def _input_width(module: Any) -> int:
    """Input features of a Linear, or of GPT-2's Conv1D (whose weight lies the other way round)."""
    return int(getattr(module, "in_features", module.weight.shape[0]))


def _find(model: Any, paths: Sequence[str]) -> Any:
    modules = dict(model.named_modules())
    for path in paths:
        if path in modules:
            return modules[path]
    raise InputError(
        f"a {type(model).__name__} is built differently than this version of atlas expects",
        where="model.name",
        fix="set engine: transformer_lens",
    )
