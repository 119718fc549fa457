"""Engines: every hook of every family is the tensor its name means, and both engines give the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from atlas.errors import InputError
from atlas.sources.engines.families import FAMILIES, split_hook
from tests.support import models

EngineOf = Callable[..., Any]
RESIDUAL = ("hook_resid_pre", "hook_resid_mid", "hook_resid_post")
PARALLEL = {"gpt_neox"}


def token_ids(rows: int = 2, length: int = 24, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, models.TOKENIZER_SIZE, (rows, length), generator=generator)


def hf_model(engine: Any) -> Any:
    return engine._model


def n_layers(engine: Any) -> int:
    return engine.facts.n_layers


@pytest.fixture(params=models.FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return request.param


# --- the meaning of the hooks, from the model's own outputs --------------------------------------


def test_every_model_type_is_tested():
    types = {model_type for model_type in FAMILIES if model_type != "gemma3"}
    assert types == set(models.FAMILIES) - {"gpt_neox_serial"}


def test_the_residual_stream_is_the_models_own_hidden_states(engine_of: EngineOf, family: str):
    engine = engine_of(family)
    ids = token_ids()
    with torch.no_grad():
        states = hf_model(engine)(ids, output_hidden_states=True).hidden_states
    layers = n_layers(engine)
    found = engine.activations(ids, [f"blocks.{n}.hook_resid_pre" for n in range(layers)])
    for layer in range(layers):
        assert torch.equal(found[f"blocks.{layer}.hook_resid_pre"], states[layer])
    after = engine.activations(ids, [f"blocks.{n}.hook_resid_post" for n in range(layers - 1)])
    for layer in range(layers - 1):
        assert torch.equal(after[f"blocks.{layer}.hook_resid_post"], states[layer + 1])


def test_attention_and_mlp_add_up_to_the_residual_stream(engine_of: EngineOf, family: str):
    engine = engine_of(family)
    ids = token_ids()
    found = engine.activations(ids, engine.hook_names())
    for layer in range(n_layers(engine)):
        at = {kind: found[f"blocks.{layer}.{kind}"] for kind in engine._kinds}
        attended = at["hook_resid_pre"] + at["hook_attn_out"]
        if family not in PARALLEL:
            torch.testing.assert_close(at["hook_resid_mid"], attended, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(at["hook_resid_post"], attended + at["hook_mlp_out"], rtol=1e-5, atol=1e-5)


def projected(family: str, block: Any, z: torch.Tensor) -> torch.Tensor:
    """The attention's output from its heads, as each family's code writes it."""
    if family == "gpt2":
        return block.attn.c_proj(z)
    if family == "gpt_neo":
        return block.attn.attention.out_proj(z)
    if family.startswith("gpt_neox"):
        return block.attention.dense(z)
    output = block.self_attn.o_proj(z)
    return block.post_attention_layernorm(output) if family in {"gemma2", "gemma3_text"} else output


def test_hook_z_is_what_the_output_projection_reads(engine_of: EngineOf, family: str):
    engine = engine_of(family)
    found = engine.activations(token_ids(), engine.hook_names())
    for layer, block in enumerate(engine._blocks):
        with torch.no_grad():
            expected = projected(family, block, found[f"blocks.{layer}.attn.hook_z"])
        torch.testing.assert_close(found[f"blocks.{layer}.hook_attn_out"], expected, rtol=1e-5, atol=1e-5)


def normed(unembedding: Any, residual: torch.Tensor, bias: torch.Tensor | None, eps: float) -> torch.Tensor:
    """LayerNorm or RMSNorm, written out."""
    if unembedding.norm_kind == "layer_norm":
        residual = residual - residual.mean(-1, keepdim=True)
    scaled = residual / (residual.pow(2).mean(-1, keepdim=True) + eps).sqrt() * unembedding.norm_scale
    return scaled if bias is None else scaled + bias


@pytest.mark.parametrize("name", ["transformers", "transformer_lens"])
def test_the_unembedding_turns_the_last_residual_into_the_models_logits(
    engine_of: EngineOf, family: str, name: str
):
    plain = engine_of(family)
    engine = engine_of(family, name)
    ids = token_ids()
    last = f"blocks.{n_layers(engine) - 1}.hook_resid_post"
    unembedding = engine.unembedding()
    norm = plain._body.get_submodule(plain._family.norm)
    eps = getattr(norm, "eps", getattr(norm, "variance_epsilon", None))
    residual = engine.activations(ids, [last])[last]
    logits = normed(unembedding, residual, getattr(norm, "bias", None), eps) @ unembedding.W_U
    cap = getattr(hf_model(plain).config, "final_logit_softcapping", None)
    logits = logits if cap is None else torch.tanh(logits / cap) * cap
    with torch.no_grad():
        expected = hf_model(plain)(ids).logits
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)
    assert unembedding.W_U.shape == (models.D_MODEL, models.MODEL_VOCABULARY)
    assert unembedding.W_U.dtype == torch.float32
    assert not unembedding.W_U.requires_grad


# --- both engines agree --------------------------------------------------------------------------


def test_both_engines_give_the_same(engine_of: EngineOf, family: str):
    plain, bridged = engine_of(family), engine_of(family, "transformer_lens")
    ids = token_ids(rows=3, length=20, seed=1)
    ids[2, 13:] = -1
    hooks = plain.hook_names()
    assert set(hooks) <= set(bridged.hook_names())
    a, b = plain.activations(ids, hooks), bridged.activations(ids, hooks)
    for hook in hooks:
        assert a[hook].shape == b[hook].shape == (3, 20, plain.hook_width(hook))
        assert float((a[hook] - b[hook]).abs().max()) <= 1e-5, hook
        assert bridged.hook_width(hook) == plain.hook_width(hook)


def test_both_engines_know_the_same_facts(engine_of: EngineOf, family: str):
    plain, bridged = engine_of(family).facts, engine_of(family, "transformer_lens").facts
    assert {**vars(plain), "engine": ""} == {**vars(bridged), "engine": ""}
    assert (plain.engine, bridged.engine) == ("transformers", "transformer_lens")
    assert (plain.d_model, plain.vocabulary_size) == (models.D_MODEL, models.MODEL_VOCABULARY)
    assert plain.context_size == models.CONTEXT_SIZE
    assert plain.n_layers == (4 if family == "gpt_neo" else models.LAYERS)
    assert plain.architecture == family.removesuffix("_serial")
    assert (plain.dtype, plain.device) == ("float32", "cpu")
    assert len(plain.weights_sha256) == len(plain.tokenizer_sha256) == 64


def test_the_bridge_offers_more_hooks(engine_of: EngineOf):
    engine = engine_of("gpt2", "transformer_lens")
    assert engine.hook_width("blocks.1.mlp.hook_post") == 4 * models.D_MODEL
    assert engine.hook_width("blocks.1.ln2.hook_normalized") == models.D_MODEL
    ids = token_ids()
    names = ["blocks.1.hook_in", "blocks.1.hook_resid_pre"]
    found = engine.activations(ids, names)
    assert torch.equal(found[names[0]], found[names[1]])
    assert not [name for name in engine.hook_names() if "pattern" in name or "scale" in name]
    layers = [split_hook(name)[0] for name in engine.hook_names()]
    assert layers == sorted(layers)


# --- which hooks there are -----------------------------------------------------------------------


def test_hook_names_are_in_layer_order(engine_of: EngineOf, family: str):
    engine = engine_of(family)
    kinds = [
        "hook_resid_pre",
        "attn.hook_z",
        "hook_attn_out",
        "hook_resid_mid",
        "hook_mlp_out",
        "hook_resid_post",
    ]
    if family in PARALLEL:
        kinds.remove("hook_resid_mid")
    assert engine.hook_names() == [f"blocks.{n}.{kind}" for n in range(n_layers(engine)) for kind in kinds]


def test_a_parallel_block_has_no_middle_in_either_engine(engine_of: EngineOf):
    for name in ("transformers", "transformer_lens"):
        engine = engine_of("gpt_neox", name)
        assert "blocks.1.hook_resid_mid" not in engine.hook_names()
        with pytest.raises(InputError, match=r"'blocks\.1\.hook_resid_mid' is not in the model"):
            engine.hook_width("blocks.1.hook_resid_mid")


def test_widths(engine_of: EngineOf, family: str):
    engine = engine_of(family)
    wide = family in {"qwen3", "gemma", "gemma2", "gemma3_text"}
    assert engine.hook_width("blocks.2.attn.hook_z") == (48 if wide else models.D_MODEL)
    assert engine.hook_width("blocks.2.hook_mlp_out") == models.D_MODEL


@pytest.mark.parametrize("name", ["transformers", "transformer_lens"])
@pytest.mark.parametrize(
    ("hook", "nearest"),
    [
        (
            "blocks.9.hook_resid_pre",
            "blocks.2.hook_resid_pre, blocks.1.hook_resid_pre, blocks.0.hook_resid_pre",
        ),
        ("blocks.1.hook_resid_prr", "blocks.1.hook_resid_pre"),
        ("blocks.1.hook_z", "blocks.1.attn.hook_z"),
        ("block.1.hook_mlp_out", "blocks.1.hook_mlp_out"),
        ("", "blocks.0."),
        ("blocks.x.hook_mlp_out", ".hook_mlp_out"),
        ("blocks.-1.hook_mlp_out", ".hook_mlp_out"),
    ],
)
def test_an_unknown_hook_names_the_three_nearest(engine_of: EngineOf, name: str, hook: str, nearest: str):
    engine = engine_of("gpt2", name)
    for ask in (engine.hook_width, lambda hook_name: engine.activations(token_ids(), [hook_name])):
        with pytest.raises(InputError) as caught:
            ask(hook)
        assert repr(hook) in caught.value.what
        assert nearest in caught.value.fix
        assert caught.value.fix.count("blocks.") == 3


# --- how they run --------------------------------------------------------------------------------


@contextmanager
def watched(modules: dict[str, Any]) -> Iterator[list[str]]:
    """The names of those of `modules` that run within the block, in order."""
    ran: list[str] = []

    def note(name: str) -> Callable[[Any, Any], None]:
        return lambda _module, _args: ran.append(name)

    handles = [module.register_forward_pre_hook(note(name)) for name, module in modules.items()]
    try:
        yield ran
    finally:
        for handle in handles:
            handle.remove()


@pytest.mark.parametrize("hook", ["hook_resid_pre", "attn.hook_z", "hook_resid_mid", "hook_resid_post"])
def test_later_layers_are_not_run(engine_of: EngineOf, hook: str):
    for family in ("gpt2", "llama", "gemma2"):
        engine = engine_of(family)
        with watched(dict(hf_model(engine).named_modules())) as ran:
            engine.activations(token_ids(), [f"blocks.1.{hook}", "blocks.0.hook_resid_post"])
        blocks = f"{engine._family.body[-1]}.{engine._family.layers}"
        assert f"{blocks}.0" in ran
        assert not [name for name in ran if name.startswith(f"{blocks}.2") or "lm_head" in name]
        if hook == "hook_resid_pre":
            assert not [name for name in ran if name.startswith(f"{blocks}.1.")]


def test_the_bridge_stops_early_too(engine_of: EngineOf):
    engine = engine_of("llama", "transformer_lens")
    with watched({str(layer): block.mlp for layer, block in enumerate(engine._bridge.blocks)}) as ran:
        engine.activations(token_ids(), ["blocks.0.hook_resid_post", "blocks.1.attn.hook_z"])
    # The bridge stops at the end of a layer, transformers at the tensor itself.
    assert ran == ["0", "1"]


@pytest.mark.parametrize("name", ["transformers", "transformer_lens"])
class TestRunning:
    def test_padding_changes_nothing_before_it(self, engine_of: EngineOf, family: str, name: str):
        engine = engine_of(family, name)
        whole = token_ids(rows=1, length=20)
        padded = whole.clone()
        padded[0, 12:] = -1
        hooks = ["blocks.0.hook_mlp_out", "blocks.2.hook_resid_post"]
        a, b = engine.activations(whole, hooks), engine.activations(padded, hooks)
        for hook in hooks:
            torch.testing.assert_close(a[hook][:, :12], b[hook][:, :12], rtol=1e-5, atol=1e-5)

    def test_every_call_gives_the_same(self, engine_of: EngineOf, name: str):
        engine = engine_of("gemma2", name)
        ids = token_ids()
        hooks = ["blocks.1.hook_resid_mid", "blocks.2.hook_resid_post"]
        first = engine.activations(ids, hooks)
        engine.activations(token_ids(seed=9), ["blocks.0.hook_resid_pre"])
        second = engine.activations(ids, list(reversed(hooks)))
        for hook in hooks:
            assert torch.equal(first[hook], second[hook])

    def test_results_are_plain_float32_tensors(self, engine_of: EngineOf, name: str):
        engine = engine_of("gpt2", name)
        ids = token_ids()
        before = ids.clone()
        found = engine.activations(ids, ["blocks.1.hook_resid_pre"])["blocks.1.hook_resid_pre"]
        assert (found.dtype, found.requires_grad) == (torch.float32, False)
        assert torch.equal(ids, before)

    def test_order_and_repetition_of_hooks_do_not_matter(self, engine_of: EngineOf, name: str):
        engine = engine_of("gpt2", name)
        hooks = ["blocks.1.hook_resid_post", "blocks.0.hook_resid_pre", "blocks.1.hook_resid_post"]
        found = engine.activations(token_ids(), hooks)
        assert list(found) == hooks[:2]

    def test_one_hook_under_two_names_of_one_place(self, engine_of: EngineOf, name: str):
        """The end of a block is the beginning of the next."""
        engine = engine_of("gpt2", name)
        found = engine.activations(token_ids(), ["blocks.0.hook_resid_post", "blocks.1.hook_resid_pre"])
        assert torch.equal(found["blocks.0.hook_resid_post"], found["blocks.1.hook_resid_pre"])

    def test_the_longest_context(self, engine_of: EngineOf, name: str):
        engine = engine_of("gpt2", name)
        ids = token_ids(rows=1, length=models.CONTEXT_SIZE)
        assert engine.activations(ids, ["blocks.0.hook_resid_pre"])["blocks.0.hook_resid_pre"].shape[1] == 64

    def test_it_works_under_inference_mode(self, engine_of: EngineOf, name: str):
        engine = engine_of("llama", name)
        with torch.inference_mode():
            inside = engine.activations(token_ids(), ["blocks.1.hook_mlp_out"])["blocks.1.hook_mlp_out"]
        outside = engine.activations(token_ids(), ["blocks.1.hook_mlp_out"])["blocks.1.hook_mlp_out"]
        assert torch.equal(inside, outside)

    def test_the_tokens_are_the_models(self, engine_of: EngineOf, name: str):
        tokens = engine_of("gpt2", name).tokens
        assert tokens.bos_token_id == tokens.eos_token_id == 0
        assert tokens.special_ids == {0}
        assert tokens.vocabulary_size == models.MODEL_VOCABULARY
        assert b"".join(tokens.vocabulary()[i][0] for i in tokens.encode("the dog é")) == "the dog é".encode()


def test_no_hook_is_left_behind(engine_of: EngineOf):
    engine = engine_of("gpt2")

    def hooks() -> int:
        return sum(
            len(module._forward_hooks) + len(module._forward_pre_hooks)
            for module in hf_model(engine).modules()
        )

    before = hooks()
    engine.activations(token_ids(), engine.hook_names())
    with pytest.raises(IndexError):
        engine.activations(torch.full((1, 3), 10**6), ["blocks.1.hook_resid_pre"])
    assert hooks() == before
    assert torch.isfinite(
        engine.activations(token_ids(), ["blocks.2.hook_resid_post"])["blocks.2.hook_resid_post"]
    ).all()
