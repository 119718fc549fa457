"""Activation functions give the same bits for any number of threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch.nn import functional

from atlas.sources.engines.same_bits import align_activations, aligned
from tests.support import models

FUNCTIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "gelu": functional.gelu,
    "gelu, tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "silu": functional.silu,
    "sigmoid": torch.sigmoid,
    "mish": functional.mish,
    "quick gelu": lambda x: x * torch.sigmoid(1.702 * x),
}
SHAPES = [(16, 128, 1024), (16, 100, 96), (333, 777), (5, 40_961), (2, 3, 5), (1, 70_001), (0, 4), (98_304,)]
THREADS = (1, 2, 3, 5, 6, 7, 8)


@pytest.fixture(autouse=True)
def threads_put_back() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def values(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return (torch.randn(*shape, generator=torch.Generator().manual_seed(0)) * 3).to(dtype)


def with_threads(count: int, call: Callable[[], torch.Tensor]) -> torch.Tensor:
    torch.set_num_threads(count)
    return call()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_any_number_of_threads_gives_the_bits_of_one(name: str, shape: tuple[int, ...]):
    x = values(*shape)
    wanted = with_threads(1, lambda: FUNCTIONS[name](x))
    for count in THREADS:
        assert torch.equal(with_threads(count, lambda: aligned(FUNCTIONS[name], x)), wanted), count


def test_the_control_without_it_the_bits_differ():
    """Should torch ever cut at whole vectors by itself, this module can go."""
    x = values(16, 128, 1024)
    wanted = with_threads(1, lambda: functional.silu(x))
    assert any(not torch.equal(with_threads(n, lambda: functional.silu(x)), wanted) for n in THREADS)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(dtype: torch.dtype):
    x = values(333, 777, dtype=dtype)
    wanted = with_threads(1, lambda: functional.silu(x))
    for count in THREADS:
        assert torch.equal(with_threads(count, lambda: aligned(functional.silu, x)), wanted), count


def test_a_tensor_that_is_not_contiguous():
    x = values(777, 333).T
    wanted = with_threads(1, lambda: functional.silu(x))
    assert torch.equal(with_threads(3, lambda: aligned(functional.silu, x)), wanted)


@pytest.mark.parametrize("family", ["llama", "gpt_neox", "gemma2"])
def test_a_model_gives_the_same_bits(family: str):
    ids = torch.randint(0, 300, (40, 64), generator=torch.Generator().manual_seed(1))

    def logits(model: Any) -> torch.Tensor:
        with torch.no_grad():
            return model(ids, use_cache=False).logits

    # Heads of 8 are as thin as in no real model, and torch's attention over them is another matter.
    model = models.random_model(family, intermediate_size=96, head_dim=16)
    plain = with_threads(1, lambda: logits(model))
    align_activations(model)
    for count in THREADS:
        assert torch.equal(with_threads(count, lambda: logits(model)), plain), count
