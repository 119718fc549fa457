"""A forward pass that begins at a layer: nothing below it runs, and no result changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from atlas.errors import InputError
from tests.support import models
from tests.unit.sources.test_engine_logits import token_ids

EngineOf = Callable[..., Any]
ENGINES = ("transformers", "transformer_lens")


@pytest.fixture(params=models.FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return request.param


def counted(engine: Any) -> list[int]:
    """Counts, from now on, in which blocks something is computed (their first norm or linear layer)."""
    seen: list[int] = []
    for number, block in enumerate(engine._blocks):
        first = next(module for module in block.modules() if not list(module.children()))
        first.register_forward_hook(lambda *_, number=number: seen.append(number))
    return seen


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("hook", ["blocks.0.hook_resid_pre", "blocks.1.hook_resid_pre",
                                  "blocks.1.hook_resid_post", "blocks.2.hook_resid_post"])  # fmt: skip
def test_starting_at_a_layer_changes_no_logit(engine_of: EngineOf, family: str, engine: str, hook: str):
    opened, ids = engine_of(family, engine), token_ids()
    there = opened.activations(ids, [hook])[hook]
    changed = there + torch.randn(there.shape, generator=torch.Generator().manual_seed(3))
    for value in (there, changed):
        expected = opened.logits(ids, {hook: lambda _, value=value: value})
        found = opened.logits(ids, {hook: lambda _, value=value: value}, start=hook)
        assert torch.equal(found, expected)


def test_the_tokens_do_not_matter_any_more(engine_of: EngineOf, family: str):
    opened, hook = engine_of(family), "blocks.2.hook_resid_pre"
    there = opened.activations(token_ids(), [hook])[hook]
    changes = {hook: lambda _: there}
    select = torch.rand(2, 20, generator=torch.Generator().manual_seed(1)) > 0.5
    expected = opened.logits(token_ids(), changes, select, start=hook)
    assert torch.equal(opened.logits(token_ids(seed=5), changes, select, start=hook), expected)


def test_further_changes_above_the_start_are_made(engine_of: EngineOf, family: str):
    opened, ids, hook = engine_of(family), token_ids(), "blocks.1.hook_resid_pre"
    there = opened.activations(ids, [hook])[hook]
    changes = {hook: lambda _: there, "blocks.1.hook_mlp_out": lambda value: value * 0.5}
    expected = opened.logits(ids, {"blocks.1.hook_mlp_out": changes["blocks.1.hook_mlp_out"]})
    found = opened.logits(ids, changes, start=hook)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(found, opened.logits(ids), atol=1e-3)


def test_the_blocks_below_do_not_run_and_are_whole_again_afterwards(model_folder: Any, family: str):
    from atlas.config import ModelConfig
    from atlas.sources.engines.transformers import TransformersEngine

    opened = TransformersEngine.open(ModelConfig(name=str(model_folder(family)), device="cpu"))
    ids, hook = token_ids(), "blocks.1.hook_resid_post"
    before = opened.logits(ids)
    there = opened.activations(ids, [hook])[hook]
    opened.logits(ids, {hook: lambda _: there}, start=hook)
    seen = counted(opened)
    opened.logits(ids, {hook: lambda _: there}, start=hook)
    assert set(seen) == set(range(2, len(opened._blocks)))
    seen.clear()
    assert torch.equal(opened.logits(ids), before)
    assert set(seen) == set(range(len(opened._blocks)))


def test_an_error_on_the_way_leaves_the_model_whole(gpt2: Any):
    ids, hook = token_ids(), "blocks.1.hook_resid_pre"
    before = gpt2.logits(ids)
    with pytest.raises(ZeroDivisionError):
        gpt2.logits(ids, {hook: lambda _: 1 / 0}, start=hook)
    assert torch.equal(gpt2.logits(ids), before)


def test_an_unknown_start_is_refused(gpt2: Any):
    with pytest.raises(InputError, match=r"blocks\.9\.hook_resid_pre"):
        gpt2.logits(token_ids(), {}, start="blocks.9.hook_resid_pre")
