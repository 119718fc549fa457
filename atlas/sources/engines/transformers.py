"""Engine `transformers`: the model as its own library runs it, read through forward hooks."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar

from atlas.errors import InputError
from atlas.sources.engines.base import Engine, Unembedding
from atlas.sources.engines.edits import Change, edit, only_selected, passing_on
from atlas.sources.engines.families import Family, family_of, hook_kinds, split_hook, unknown_hook
from atlas.sources.engines.loading import LoadedModel, load_config, load_model

if TYPE_CHECKING:
    import torch

    from atlas.config import ModelConfig


Touch = Callable[["torch.Tensor"], "torch.Tensor"]
"""Sees the tensor at a hook and returns the one to go on with."""


class _AllRead(Exception):  # noqa: N818  # a signal, not an error
    """Ends the forward pass: every tensor asked for has been read."""


class TransformersEngine(Engine):
    """A causal language model of one of the `FAMILIES`, run by transformers."""

    name: ClassVar[str] = "transformers"

    def __init__(self, loaded: LoadedModel, family: Family) -> None:
        self._loaded = loaded
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
        wanted = len(set(hook_names))

        def keep(hook_name: str) -> Touch:
            def touch(value: torch.Tensor) -> torch.Tensor:
                found[hook_name] = value
                if len(found) == wanted:
                    raise _AllRead
                return value

            return touch

        try:
            with torch.no_grad(), self.attached({name: keep(name) for name in hook_names}):
                self._body(input_ids=token_ids.to(self.device).clamp(min=0), use_cache=False)
        except _AllRead:
            pass
        return {hook_name: found[hook_name].float() for hook_name in hook_names}

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

        changes = {name: partial(edit, name, change=what) for name, what in (change or {}).items()}
        with (
            torch.no_grad(),
            self._started(start),
            self.attached(changes),
            only_selected(self._model, select),
        ):
            ids = token_ids.to(self.device).clamp(min=0)
            return self._model(input_ids=ids, use_cache=False).logits.float()

    def unembedding(self) -> Unembedding:
        """W_U and the final norm's scale, float32, on the engine's device."""
        norm = self._body.get_submodule(self._family.norm)
        return Unembedding(
            W_U=self._model.get_output_embeddings().weight.detach().float().T,
            norm_scale=norm.weight.detach().float() + self._family.norm_offset,
            norm_kind=self._family.norm_kind,
        )

    @property
    def model(self) -> Any:
        """The transformers model itself."""
        return self._model

    def copy_in_float32(self) -> TransformersEngine:
        """An engine of its own on a copy of the model, in float32 on the CPU, for what changes the model."""
        import torch

        model = copy.deepcopy(self._model).to("cpu", torch.float32)
        facts = replace(self.facts, dtype="float32", device="cpu")
        loaded = replace(self._loaded, model=model, facts=facts, device=torch.device("cpu"))
        return TransformersEngine(loaded, self._family)

    @cached_property
    def _in_tuples(self) -> bool:
        """Whether a block returns the residual stream as the first of several, seen on one token."""
        import torch

        seen: list[bool] = []
        handle = self._blocks[0].register_forward_hook(
            lambda _module, _args, output: seen.append(isinstance(output, tuple))
        )
        try:
            self.activations(torch.zeros((1, 1), dtype=torch.int64), ["blocks.0.hook_resid_post"])
        finally:
            handle.remove()
        return seen[0]

    @contextmanager
    def _started(self, hook_name: str | None) -> Iterator[None]:
        """Within the block the blocks that only serve the residual stream at `hook_name` do nothing."""
        layer, kind = (0, "") if hook_name is None else self._locate(hook_name)
        below = self._blocks[: layer + (kind == "hook_resid_post")]
        with passing_on(below, as_tuple=bool(below) and self._in_tuples):
            yield

    def _locate(self, hook_name: str) -> tuple[int, str]:
        place = split_hook(hook_name)
        if place is None or place[0] >= len(self._blocks) or place[1] not in self._kinds:
            raise unknown_hook(hook_name, self.hook_names())
        return place

    @contextmanager
    def attached(self, touches: Mapping[str, Touch]) -> Iterator[None]:
        """Within the block the tensor at each hook is what its function makes of it."""
        with ExitStack() as stack:
            for hook_name, touch in touches.items():
                stack.callback(self._attach(hook_name, touch).remove)
            yield

    def _attach(self, hook_name: str, touch: Touch) -> Any:
        """Register a forward hook that replaces the tensor at `hook_name` by what `touch` returns."""
        layer, kind = self._locate(hook_name)
        tap = self._family.taps[kind]
        block = self._blocks[layer]
        module = block.get_submodule(tap.module) if tap.module else block

        def after(_module: Any, _args: Any, output: Any) -> Any:
            if isinstance(output, tuple):
                return (touch(output[0]), *output[1:])
            return touch(output)

        def before(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if args:
                return (touch(args[0]), *args[1:]), kwargs
            return args, kwargs | {"hidden_states": touch(kwargs["hidden_states"])}

        if tap.side == "output":
            return module.register_forward_hook(after)
        return module.register_forward_pre_hook(before, with_kwargs=True)


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
