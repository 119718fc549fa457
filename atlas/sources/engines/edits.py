"""Running a model with some of its tensors replaced: what both engines share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

Change = Callable[["torch.Tensor"], "torch.Tensor"]
"""The activation at a hook, float32 [batch, context, d] → what takes its place. Leaves its argument alone."""

_STREAM_INSIDE_BLOCK = "hook_resid_mid"


def edit(hook_name: str, value: torch.Tensor, change: Change) -> torch.Tensor:
    """The tensor that stands in for `value` at `hook_name`: of its shape and precision.

    Heads side by side are one vector for `change`. `ValueError` when it returns another shape.
    """
    import torch

    flat = value.flatten(2).float()
    changed = change(flat)
    if changed.shape != flat.shape:
        raise ValueError(f"a change at {hook_name} made {tuple(changed.shape)} of {tuple(flat.shape)}")
    # The very tensor, since TransformerLens computes a norm another way as soon as its value is replaced.
    if torch.equal(changed, flat):
        return value
    changed = changed.to(value).reshape(value.shape)
    # What is hooked here is the second norm's input, but the residual stream goes around that norm too:
    # both are this one tensor, fresh from the addition of the attention's output.
    return value.copy_(changed) if hook_name.endswith(_STREAM_INSIDE_BLOCK) else changed


@contextmanager
def only_selected(model: Any, select: torch.Tensor | None) -> Iterator[None]:
    """Within the block `model` unembeds the positions of the bool mask `select` [batch, context] only."""
    if select is None:
        yield
        return

    def keep(_module: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (args[0][select.to(args[0].device)], *args[1:])

    handle = model.get_output_embeddings().register_forward_pre_hook(keep)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def passing_on(blocks: Sequence[Any], *, as_tuple: bool) -> Iterator[None]:
    """Within the block those `blocks` of a model do nothing: each returns its input, in a tuple or bare."""

    def forward(hidden_states: torch.Tensor, *_args: Any, **_kwargs: Any) -> Any:
        return (hidden_states, None) if as_tuple else hidden_states

    try:
        for block in blocks:
            block.forward = forward
        yield
    finally:
        for block in blocks:
            block.__dict__.pop("forward", None)
