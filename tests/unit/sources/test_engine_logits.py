"""Logits of the whole model, with tensors replaced on the way: what causal measurements rest on."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from atlas.config import ModelConfig
from atlas.errors import InputError
from tests.support import models

EngineOf = Callable[..., Any]
ENGINES = ("transformers", "transformer_lens")
SPELT_OUT = ("gpt2", "llama", "gemma2")
"""Families whose blocks are written out below."""


def token_ids(rows: int = 2, length: int = 20, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, models.TOKENIZER_SIZE, (rows, length), generator=generator)


@lru_cache(maxsize=1)
def own_model(folder: Path) -> Any:
    """The model as transformers loads it, apart from any engine."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def own_logits(model: Any, ids: Tensor) -> Tensor:
    with torch.no_grad():
        return model(ids).logits


def shifted(width: int, seed: int = 0) -> Callable[[Tensor], Tensor]:
    """x → 0.3 x + noise: neither the scale nor the mean of what it makes is that of x."""
    noise = torch.randn(2, 20, width, generator=torch.Generator().manual_seed(seed))
    return lambda value: 0.3 * value + noise


def spread(value: Tensor) -> Tensor:
    """`value` moved to where no norm brings it back."""
    return value + 3 * torch.arange(value.shape[-1]).remainder(5)


@pytest.fixture(params=models.FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return request.param


def test_unchanged_logits_are_the_models_own(engine_of: EngineOf, model_folder: Any, family: str):
    expected = own_logits(own_model(model_folder(family)), token_ids())
    found = engine_of(family).logits(token_ids())
    assert torch.equal(found, expected)
    assert (found.dtype, found.requires_grad) == (torch.float32, False)
    bridged = engine_of(family, "transformer_lens").logits(token_ids())
    assert float((bridged - expected).abs().max()) <= 1e-5


# --- what a change does --------------------------------------------------------------------------


def parts(model: Any, family: str, layer: int) -> dict[str, Any]:
    """The modules of one block, named as each family's code names them."""
    if family == "gpt2":
        block = model.transformer.h[layer]
        after = (block.attn, block.mlp)
        return {"block": block, "z": block.attn.c_proj, "attention": after[0], "mlp": after[1]}
    block = model.model.layers[layer]
    after = (block.self_attn, block.mlp)
    if family == "gemma2":
        after = (block.post_attention_layernorm, block.post_feedforward_layernorm)
    return {"block": block, "z": block.self_attn.o_proj, "attention": after[0], "mlp": after[1]}


def rest_of_block(block: Any, family: str, middle: Tensor) -> Tensor:
    """The end of a block, given the residual stream between attention and MLP."""
    if family == "gpt2":
        return middle + block.mlp(block.ln_2(middle))
    if family == "llama":
        return middle + block.mlp(block.post_attention_layernorm(middle))
    return middle + block.post_feedforward_layernorm(block.mlp(block.pre_feedforward_layernorm(middle)))


def by_hand(model: Any, family: str, hook: str, change: Callable[[Tensor], Tensor], middle: Tensor) -> Tensor:
    """Logits with the tensor at `blocks.1.hook` replaced, through hooks of torch set here."""
    found = parts(model, family, 1)

    def output(_module: Any, _args: Any, value: Any) -> Any:
        return (change(value[0]), *value[1:]) if isinstance(value, tuple) else change(value)

    def given(_module: Any, args: Any) -> Any:
        return (change(args[0]), *args[1:])

    def from_middle(_module: Any, _args: Any, value: Any) -> Any:
        handle.remove()
        new = rest_of_block(found["block"], family, change(middle))
        return (new, *value[1:]) if isinstance(value, tuple) else new

    handle = {
        "hook_resid_pre": lambda: found["block"].register_forward_pre_hook(given),
        "attn.hook_z": lambda: found["z"].register_forward_pre_hook(given),
        "hook_attn_out": lambda: found["attention"].register_forward_hook(output),
        "hook_resid_mid": lambda: found["block"].register_forward_hook(from_middle),
        "hook_mlp_out": lambda: found["mlp"].register_forward_hook(output),
        "hook_resid_post": lambda: found["block"].register_forward_hook(output),
    }[hook]()
    try:
        return own_logits(model, token_ids())
    finally:
        handle.remove()


HOOKS = (
    "hook_resid_pre",
    "attn.hook_z",
    "hook_attn_out",
    "hook_resid_mid",
    "hook_mlp_out",
    "hook_resid_post",
)


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("spelt_out", SPELT_OUT)
def test_a_change_replaces_the_tensor(engine_of: EngineOf, model_folder: Any, spelt_out: str, hook: str):
    engine = engine_of(spelt_out)
    name = f"blocks.1.{hook}"
    change = shifted(engine.hook_width(name))
    middle = engine.activations(token_ids(), ["blocks.1.hook_resid_mid"])["blocks.1.hook_resid_mid"]
    expected = by_hand(own_model(model_folder(spelt_out)), spelt_out, hook, change, middle)
    torch.testing.assert_close(engine.logits(token_ids(), {name: change}), expected, rtol=1e-5, atol=1e-5)


def test_both_engines_change_the_same(engine_of: EngineOf, family: str):
    plain, bridged = engine_of(family), engine_of(family, "transformer_lens")
    before = plain.logits(token_ids())
    for number, name in enumerate(plain.hook_names()):
        change = {name: shifted(plain.hook_width(name), seed=number)}
        found = plain.logits(token_ids(), change)
        assert float((found - before).abs().max()) > 0.01, name
        assert float((found - bridged.logits(token_ids(), change)).abs().max()) <= 1e-4, name


def test_no_hook_of_the_bridge_is_dead(engine_of: EngineOf):
    """In TransformerLens' SAE bridge most names can be hooked without any effect."""
    for family in ("gpt2", "gemma2"):
        engine = engine_of(family, "transformer_lens")
        before = engine.logits(token_ids())
        names = [name for name in engine.hook_names() if name.startswith("blocks.1.")]
        assert len(names) > 20
        for name in names:
            after = engine.logits(token_ids(), {name: shifted(engine.hook_width(name))})
            assert float((after - before).abs().max()) > 1e-3, name


@pytest.mark.parametrize("name", ENGINES)
def test_returning_the_argument_changes_no_bit(engine_of: EngineOf, family: str, name: str):
    engine = engine_of(family, name)
    before = engine.logits(token_ids())
    same: Callable[[Tensor], Tensor] = lambda value: value  # noqa: E731
    assert torch.equal(engine.logits(token_ids(), dict.fromkeys(engine.hook_names(), same)), before)
    assert torch.equal(engine.logits(token_ids(), dict.fromkeys(engine.hook_names(), torch.clone)), before)
    # Nothing is left of a change when it is over.
    engine.logits(token_ids(), dict.fromkeys(engine.hook_names(), torch.zeros_like))
    assert torch.equal(engine.logits(token_ids()), before)


@pytest.mark.parametrize("name", ENGINES)
class TestEngines:
    def test_a_change_sees_what_activations_reads(self, engine_of: EngineOf, family: str, name: str):
        engine = engine_of(family, name)
        seen: dict[str, Tensor] = {}

        def look(hook: str) -> Callable[[Tensor], Tensor]:
            return lambda value: seen.setdefault(hook, value.clone())

        hooks = engine_of(family).hook_names()
        engine.logits(token_ids(), {hook: look(hook) for hook in reversed(hooks)})
        # In the order of the computation, not of the mapping.
        assert list(seen) == hooks
        read = engine.activations(token_ids(), hooks)
        for hook in hooks:
            assert torch.equal(seen[hook], read[hook]), hook

    def test_later_changes_see_earlier_ones(self, engine_of: EngineOf, name: str):
        engine = engine_of("llama", name)
        first, second = shifted(models.D_MODEL, 1), shifted(models.D_MODEL, 2)
        seen: list[Tensor] = []
        changes = {
            "blocks.2.hook_resid_pre": lambda value: second(seen.append(value.clone()) or value),
            "blocks.1.hook_resid_post": first,
        }
        found = engine.logits(token_ids(), changes)
        stream = engine.activations(token_ids(), ["blocks.1.hook_resid_post"])["blocks.1.hook_resid_post"]
        torch.testing.assert_close(seen[0], first(stream))
        together = {"blocks.2.hook_resid_pre": lambda value: second(first(value))}
        torch.testing.assert_close(found, engine.logits(token_ids(), together))

    def test_a_change_of_some_positions_leaves_earlier_ones(
        self, engine_of: EngineOf, family: str, name: str
    ):
        engine = engine_of(family, name)
        at = torch.zeros(2, 20, 1, dtype=torch.bool)
        at[:, 9] = True
        before = engine.logits(token_ids())
        for hook in engine_of(family).hook_names()[6:12]:
            after = engine.logits(token_ids(), {hook: lambda value: torch.where(at, spread(value), value)})
            torch.testing.assert_close(after[:, :9], before[:, :9], rtol=1e-5, atol=1e-5)
            assert float((after[:, 9] - before[:, 9]).abs().max()) > 1e-3

    def test_only_selected_positions(self, engine_of: EngineOf, family: str, name: str):
        engine = engine_of(family, name)
        select = torch.rand(2, 20, generator=torch.Generator().manual_seed(3)) < 0.3
        change = {"blocks.1.hook_resid_post": shifted(models.D_MODEL)}
        for changes in (None, change):
            found = engine.logits(token_ids(), changes, select)
            assert found.shape == (int(select.sum()), models.MODEL_VOCABULARY)
            torch.testing.assert_close(found, engine.logits(token_ids(), changes)[select])
        nothing = engine.logits(token_ids(), select=torch.zeros_like(select))
        assert nothing.shape == (0, models.MODEL_VOCABULARY)

    def test_padding_is_token_0(self, engine_of: EngineOf, name: str):
        engine = engine_of("gpt2", name)
        ids = token_ids()
        ids[1, 12:] = -1
        before = ids.clone()
        assert torch.equal(engine.logits(ids), engine.logits(ids.clamp(min=0)))
        assert torch.equal(ids, before)

    def test_an_unknown_hook(self, engine_of: EngineOf, name: str):
        engine = engine_of("gpt2", name)
        with pytest.raises(InputError, match=r"'blocks\.9\.hook_resid_pre' is not in the model"):
            engine.logits(token_ids(), {"blocks.9.hook_resid_pre": torch.clone})

    def test_a_change_of_the_shape_is_refused(self, engine_of: EngineOf, name: str):
        engine = engine_of("gpt2", name)
        before = engine.logits(token_ids())
        with pytest.raises(ValueError, match=r"blocks\.1\.hook_mlp_out made \(2, 20, 3\) of \(2, 20, 32\)"):
            engine.logits(token_ids(), {"blocks.1.hook_mlp_out": lambda value: value[..., :3]})
        with pytest.raises(IndexError):
            engine.logits(torch.full((1, 3), 10**6), select=torch.ones(1, 3, dtype=torch.bool))
        assert torch.equal(engine.logits(token_ids()), before)

    def test_under_inference_mode(self, engine_of: EngineOf, name: str):
        engine = engine_of("gemma2", name)
        change = {"blocks.1.hook_resid_mid": shifted(models.D_MODEL)}
        with torch.inference_mode():
            inside = engine.logits(token_ids(), change)
        assert torch.equal(inside, engine.logits(token_ids(), change))

    def test_half_precision(self, model_folder: Any, name: str):
        """A change sees and returns float32, whatever the model computes in; the same back is no change."""
        from atlas import plugins

        config = ModelConfig(name=str(model_folder("llama")), engine=name, device="cpu", dtype="bfloat16")
        engine = plugins.load("atlas.engines", name).open(config)
        types: list[torch.dtype] = []

        def same(value: Tensor) -> Tensor:
            types.append(value.dtype)
            return value.clone()

        before = engine.logits(token_ids())
        hooks = [f"blocks.1.{hook}" for hook in HOOKS]
        assert torch.equal(engine.logits(token_ids(), dict.fromkeys(hooks, same)), before)
        assert set(types) == {before.dtype} == {torch.float32}


def test_a_model_of_several_parts(tmp_path: Path):
    """The larger Gemma 3 come with a vision part; its language part is what is read."""
    from atlas import plugins

    torch.manual_seed(0)
    model = models.several_parts(models.FAMILIES["gemma3_text"][1])
    model.save_pretrained(tmp_path)
    models.write_tokenizer(tmp_path)
    config = ModelConfig(name=str(tmp_path), engine="transformers", device="cpu")
    engine = plugins.load("atlas.engines", "transformers").open(config)
    assert torch.equal(engine.logits(token_ids()), own_logits(model, token_ids()))
    name = "blocks.1.hook_resid_post"
    zero = engine.logits(token_ids(), {name: torch.zeros_like})
    assert float((zero - engine.logits(token_ids())).abs().max()) > 1e-4
