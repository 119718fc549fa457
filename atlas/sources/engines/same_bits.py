"""The same bits for any number of threads, where torch on a CPU gives others.

An elementwise function is cut into one chunk per thread; what is left over at the end of a chunk, less than
two vectors, takes a scalar path whose last bit differs (measured for gelu, silu, sigmoid, softplus, mish; not
for tanh, exp, norms, softmax or matrix products). So chunks must end at whole vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

Function = Callable[["torch.Tensor"], "torch.Tensor"]
"""A function of each element."""

_VECTORS = 64
"""Elements of two vectors of the shortest type (16 bits) on the widest machine (512 bits)."""
_GRAIN = 32_768
"""Elements below which torch leaves a chunk to one thread."""
_SERIAL = 16_384
"""Elements that no elementwise function of torch shares between threads."""


def align_activations(model: Any) -> None:
    """Let the activation functions of a transformers `model` give the bits that one thread gives."""
    from transformers.activations import ACT2CLS

    kinds = tuple({kind[0] if isinstance(kind, tuple) else kind for kind in ACT2CLS.values()})
    functions: list[Any] = [module for module in model.modules() if isinstance(module, kinds)]
    for module in functions:
        module.forward = partial(aligned, module.forward)


def aligned(function: Function, values: torch.Tensor) -> torch.Tensor:
    """`function(values)`, computed in parts that every number of threads cuts at whole vectors."""
    import torch

    threads = torch.get_num_threads()
    if values.device.type != "cpu" or threads == 1 or values.numel() <= _SERIAL:
        return function(values)
    flat = values.reshape(-1)
    parts = flat.split(_SERIAL)
    if flat.numel() >= threads * _GRAIN:
        rest = flat.numel() % (threads * _VECTORS)
        parts = [part for part in (flat[: flat.numel() - rest], flat[flat.numel() - rest :]) if part.numel()]
    found = [function(part) for part in parts]
    return (found[0] if len(found) == 1 else torch.cat(found)).view(values.shape)
