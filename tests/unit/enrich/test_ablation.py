"""Ablating features: equal to a loop over the definition, with plain hooks on the model's own modules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from atlas.config import ModelConfig, SaeConfig
from atlas.enrich import ablation as module
from atlas.enrich.ablation import Ablation
from atlas.enrich.cases import Budget, Effect, Shown
from atlas.errors import InputError
from atlas.sources.saes.saelens import open_saelens
from tests.support import models

N_TOKENS = models.TOKENIZER_SIZE
TOLERANCE = 1e-5
SMALL = Budget(tokens=64, logit_bytes=1 << 16)
LARGE = Budget(tokens=4096, logit_bytes=1 << 26)
ARCHITECTURES: list[tuple[str, dict[str, Any]]] = [
    ("standard", {}),
    ("standard", {"normalize_activations": "layer_norm"}),
    ("standard", {"normalize_activations": "constant_norm_rescale"}),
    ("gated", {}),
    ("topk", {}),
    ("topk", {"rescale_acts_by_decoder_norm": True}),
    ("jumprelu", {}),
    ("matching_pursuit", {}),
]
TRANSCODERS = ("transcoder", "skip_transcoder", "jumprelu_transcoder", "jumprelu_skip_transcoder")
HOOKS = (
    "blocks.0.hook_resid_pre",
    "blocks.1.hook_resid_mid",
    "blocks.1.hook_resid_post",
    "blocks.2.hook_resid_post",
    "blocks.1.hook_mlp_out",
    "blocks.2.hook_attn_out",
    "blocks.1.attn.hook_z",
)


# ---- the definition


Hook = tuple[str, str]
"""(dotted path of a module below the model, whether its input or output)."""


def place(family: str, hook_name: str) -> Hook:
    """Where a hook lies in the models used here, written out."""
    _, layer, kind = hook_name.split(".", 2)
    block, attention, z, middle = f"transformer.h.{layer}", "attn", "attn.c_proj", "ln_2"
    if family != "gpt2":
        block, middle = f"model.layers.{layer}", "post_attention_layernorm"
        attention, z = "self_attn", "self_attn.o_proj"
    return {
        "hook_resid_pre": (block, "input"),
        "hook_resid_post": (block, "output"),
        "hook_resid_mid": (f"{block}.{middle}", "input"),
        "hook_mlp_out": (f"{block}.mlp", "output"),
        "hook_attn_out": (f"{block}.{attention}", "output"),
        "attn.hook_z": (f"{block}.{z}", "input"),
    }[kind]


def run(model: Any, ids: Tensor, hook: Hook, touch: Callable[[Tensor], Tensor]) -> Tensor:
    """Float64 log-probabilities [length, vocabulary] and logits of one context, a tensor replaced."""
    path, side = hook
    part = model.get_submodule(path)

    def after(_module: Any, _args: Any, output: Any) -> Any:
        return (touch(output[0]), *output[1:]) if isinstance(output, tuple) else touch(output)

    def before(_module: Any, args: Any, kwargs: Any) -> Any:
        if args:
            return (touch(args[0]), *args[1:]), kwargs
        return args, kwargs | {"hidden_states": touch(kwargs["hidden_states"])}

    handle = (
        part.register_forward_hook(after)
        if side == "output"
        else part.register_forward_pre_hook(before, with_kwargs=True)
    )
    try:
        with torch.no_grad():
            return model(ids[None], use_cache=False).logits[0].double()
    finally:
        handle.remove()


def read(model: Any, ids: Tensor, hook: Hook) -> np.ndarray:
    seen: list[Tensor] = []
    run(model, ids, hook, lambda value: (seen.append(value.clone()), value)[1])
    return seen[0][0].flatten(1).double().numpy()


def by_definition(
    model: Any, family: str, sae: tuple[str, dict[str, Any], models.Weights], shown: Shown, n: int
) -> dict[str, Any]:
    """Everything about one example, one pass for each question."""
    architecture, config, weights = sae
    metadata = config["metadata"]
    source = place(family, metadata["hook_name"])
    # What is taken from the residual stream after the attention may as well be taken from its output.
    written = metadata.get("hook_name_out", metadata["hook_name"]).replace("hook_resid_mid", "hook_attn_out")
    target = place(family, written)
    ids = torch.from_numpy(shown.context.astype(np.int64))
    x = read(model, ids, source)
    activations = models.encode(architecture, config, weights, x)
    without = activations.copy()
    without[:, shown.feature_idx] = 0
    gone = models.reconstruct(architecture, config, weights, x, activations) - models.reconstruct(
        architecture, config, weights, x, without
    )

    def ablate(value: Tensor) -> Tensor:
        return (value.flatten(2).double() - torch.from_numpy(gone)).to(value).reshape(value.shape)

    plain = run(model, ids, source, lambda value: value)
    ablated = run(model, ids, target, ablate)
    loss = [
        None
        if position == 0
        else float(
            plain[position - 1].log_softmax(-1)[ids[position]]
            - ablated[position - 1].log_softmax(-1)[ids[position]]
        )
        for position in range(shown.first, shown.stop)
    ]
    measured = (plain - ablated)[shown.peak, :N_TOKENS].numpy()
    measured = measured - measured.mean()
    return {
        "activation": activations[shown.peak, shown.feature_idx],
        "loss": loss,
        "measured": measured,
        # Heads side by side reach the logits only through W_O.
        "direct": None
        if written.endswith("hook_z")
        else direct(model, family, gone[shown.peak], ids, shown.peak),
        "raised": [int(t) for t in np.argsort(-measured, kind="stable")[:n] if measured[t] > 0],
        "lowered": [int(t) for t in np.argsort(measured, kind="stable")[:n] if measured[t] < 0],
    }


def direct(model: Any, family: str, gone: np.ndarray, ids: Tensor, peak: int) -> np.ndarray:
    """What the final norm and W_U make of `gone`, the norm's division kept as it is without the ablation."""
    W_U = model.get_output_embeddings().weight.detach().double().numpy().T[:, :N_TOKENS]
    stream = read(model, ids, place(family, f"blocks.{models.LAYERS - 1}.hook_resid_post"))[peak]
    if family == "gpt2":
        scale = model.transformer.ln_f.weight.detach().double().numpy()
        folded = (gone - gone.mean()) / stream.std() * scale
    else:
        scale = model.model.norm.weight.detach().double().numpy()
        folded = gone / np.sqrt((stream**2).mean()) * scale
    effects = folded @ W_U
    return effects - effects.mean()


# ---- what is compared


@lru_cache
def opened(folder: Path, engine: str = "transformers") -> Any:
    from atlas.sources.engines.transformer_lens import TransformerLensEngine
    from atlas.sources.engines.transformers import TransformersEngine

    kinds: dict[str, Any] = {"transformers": TransformersEngine, "transformer_lens": TransformerLensEngine}
    return kinds[engine].open(ModelConfig(name=str(folder), engine=engine, device="cpu"))


@lru_cache
def own_model(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    @lru_cache
    def made(family: str) -> Path:
        return models.write_model(tmp_path_factory.mktemp(family), family)

    return made


def sae_of(folder: Path, architecture: str, **changes: Any) -> tuple[Any, tuple[str, Any, models.Weights]]:
    """(the SAE as atlas opens it, what the definition needs of it)."""
    config = models.sae_config(architecture, **dict(changes))
    weights = models.sae_weights(architecture, d_in=config["d_in"], d_out=config.get("d_out"), seed=3)
    models.write_sae(folder, architecture, weights=weights, **dict(changes))
    return open_saelens(SaeConfig(folder=str(folder)), "cpu"), (architecture, config, weights)


def contexts(count: int = 4, length: int = 22) -> list[np.ndarray]:
    return list(np.random.default_rng(5).integers(0, N_TOKENS, (count, length)).astype(np.int32))


def examples(sae: Any, engine: Any, per_context: int = 4) -> list[Shown]:
    """Windows of several lengths around places where a feature fires, whole contexts among them."""
    rng = np.random.default_rng(2)
    found: list[Shown] = []
    for number, context in enumerate(contexts()):
        ids = torch.from_numpy(context[None].astype(np.int64))
        dense = sae.encode(engine.activations(ids, [sae.facts.hook_name])[sae.facts.hook_name][0])
        places = dense[2:-1].nonzero().numpy()
        for after, feature in places[rng.choice(len(places), per_context, replace=False)].tolist():
            peak = after + 2
            low, high = int(rng.integers(0, peak + 1)), int(rng.integers(peak + 1, len(context) + 1))
            found.append(Shown(int(feature), context, number, low, high, peak))
        found.append(Shown(int(feature), context, number, 0, len(context), peak))
        found.append(Shown(int(feature), context, number, peak, peak + 1, peak))
    return found


def effects(
    engine: Any, sae: Any, shown: Sequence[Shown], budget: Budget = SMALL, n: int = 6
) -> list[Effect]:
    ids = np.arange(N_TOKENS, dtype=np.int32)
    found = list(Ablation(engine, sae, ids, n_tokens=n, budget=budget).run(shown))
    assert sorted(number for number, _ in found) == list(range(len(shown)))
    return [effect for _, effect in sorted(found, key=lambda entry: entry[0])]


def check(found: Effect, expected: dict[str, Any]) -> None:
    """`found` is what the definition says."""
    assert expected["activation"] > 0
    for value, other in zip(found.loss.tolist(), expected["loss"], strict=True):
        assert np.isnan(value) if other is None else value == pytest.approx(other, abs=TOLERANCE)
    for tokens, measured, beside in (found.raised, found.lowered):
        np.testing.assert_allclose(measured, expected["measured"][tokens], atol=TOLERANCE)
        if expected["direct"] is None:
            assert np.isnan(beside).all()
        else:
            np.testing.assert_allclose(beside, expected["direct"][tokens], atol=1e-4, rtol=1e-4)
    for (tokens, _, _), name in ((found.raised, "raised"), (found.lowered, "lowered")):
        assert tokens.size == len(expected[name])
        # Neighbours in rank may change places on the last bit.
        np.testing.assert_allclose(
            expected["measured"][tokens], expected["measured"][expected[name]], atol=TOLERANCE
        )


def compare(family: str, folders: Any, sae_folder: Path, architecture: str, **changes: Any) -> None:
    engine = opened(folders(family))
    sae, definition = sae_of(sae_folder, architecture, **changes)
    shown = examples(sae, engine)
    model = own_model(folders(family))
    moved = 0.0
    for one, effect in zip(shown, effects(engine, sae, shown), strict=True):
        check(effect, by_definition(model, family, definition, one, 6))
        moved = max(moved, float(np.nan_to_num(np.abs(effect.loss)).max()))
    assert moved > 0.01


@pytest.mark.parametrize(("architecture", "changes"), ARCHITECTURES)
def test_every_architecture_equals_the_definition(folders, tmp_path, architecture, changes):
    compare("gpt2", folders, tmp_path, architecture, **changes)


@pytest.mark.parametrize("architecture", TRANSCODERS)
def test_a_transcoder_is_ablated_where_it_writes(folders, tmp_path, architecture):
    compare("gpt2", folders, tmp_path, architecture, metadata={"hook_name": "blocks.1.hook_resid_mid"})


@pytest.mark.parametrize("family", ["gpt2", "llama", "qwen2"])
@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_of_a_block_equals_the_definition(folders, tmp_path, family, hook):
    compare(family, folders, tmp_path, "jumprelu", metadata={"hook_name": hook})


def test_an_sae_on_centred_inputs(folders, tmp_path):
    """The definition sees the input's mean removed; the ablation does not care."""
    metadata = {"model_from_pretrained_kwargs": {"center_writing_weights": True}}
    engine = opened(folders("gpt2"))
    sae, (architecture, config, weights) = sae_of(tmp_path, "jumprelu", metadata=metadata)
    assert "centring" in sae.facts.folds
    mean = np.eye(models.D_MODEL) - 1 / models.D_MODEL
    # (x - mean x) - b_dec through W_enc is x through the centred W_enc, b_dec's part moved to the bias.
    folded = dict(weights)
    folded["W_enc"] = mean @ weights["W_enc"].astype(np.float64)
    folded["b_enc"] = weights["b_enc"] - weights["b_dec"] @ weights["W_enc"].astype(np.float64)
    config = config | {"apply_b_dec_to_input": False}
    shown = examples(sae, engine)
    for one, effect in zip(shown, effects(engine, sae, shown), strict=True):
        check(
            effect, by_definition(own_model(folders("gpt2")), "gpt2", (architecture, config, folded), one, 6)
        )


# ---- what must not matter


@pytest.fixture
def case(folders, tmp_path) -> tuple[Any, Any, list[Shown]]:
    engine = opened(folders("gpt2"))
    sae, _ = sae_of(tmp_path, "jumprelu")
    return engine, sae, examples(sae, engine)


def close(found: Sequence[Effect], expected: Sequence[Effect]) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.loss, other.loss, atol=TOLERANCE)
        for mine, theirs in ((one.raised, other.raised), (one.lowered, other.lowered)):
            np.testing.assert_allclose(mine[1], theirs[1], atol=TOLERANCE)
            np.testing.assert_allclose(mine[2], theirs[2], atol=1e-4)


@pytest.mark.parametrize("budget", [Budget(1, 1), Budget(100, 1 << 13), LARGE])
def test_how_much_goes_into_a_pass_changes_rounding_only(case, budget):
    engine, sae, shown = case
    close(effects(engine, sae, shown, budget), effects(engine, sae, shown))


def test_how_much_is_kept_at_once_changes_rounding_only(case, monkeypatch):
    engine, sae, shown = case
    expected = effects(engine, sae, shown)
    monkeypatch.setattr(module, "_CHUNK_BYTES", 0)
    close(effects(engine, sae, shown), expected)


@pytest.mark.parametrize("hook", ["blocks.1.hook_resid_pre", "blocks.1.hook_mlp_out"])
def test_where_no_pass_can_begin_half_way_the_whole_model_runs(folders, tmp_path, monkeypatch, hook):
    engine = opened(folders("gpt2"))
    sae, _ = sae_of(tmp_path, "jumprelu", metadata={"hook_name": hook})
    shown = examples(sae, engine)
    expected = effects(engine, sae, shown)
    monkeypatch.setattr(module, "_start", lambda *_: None)
    close(effects(engine, sae, shown), expected)


def test_the_order_of_the_examples_changes_rounding_only(case):
    engine, sae, shown = case
    close(effects(engine, sae, shown[::-1])[::-1], effects(engine, sae, shown))


def test_twice_gives_the_same_bits(case):
    engine, sae, shown = case
    first, second = effects(engine, sae, shown), effects(engine, sae, shown)
    for one, other in zip(first, second, strict=True):
        assert one.loss.tobytes() == other.loss.tobytes()
        for mine, theirs in ((one.raised, other.raised), (one.lowered, other.lowered)):
            assert [part.tobytes() for part in mine] == [part.tobytes() for part in theirs]


def test_tokens_after_the_window_do_not_matter(case):
    engine, sae, shown = case
    cut = [
        Shown(one.feature_idx, np.append(one.context[: one.needed + 1], [7, 9]).astype(np.int32), number,
              one.first, one.stop, one.peak)
        for number, one in enumerate(shown)
    ]  # fmt: skip
    close(effects(engine, sae, cut), effects(engine, sae, shown))


@pytest.mark.parametrize("hook", ["blocks.1.hook_resid_pre", "blocks.1.hook_mlp_out"])
def test_both_engines_agree(folders, tmp_path, hook):
    sae, _ = sae_of(tmp_path, "jumprelu", metadata={"hook_name": hook})
    engine, bridged = opened(folders("gpt2")), opened(folders("gpt2"), "transformer_lens")
    shown = examples(sae, engine)
    close(effects(bridged, sae, shown), effects(engine, sae, shown))


# ---- the edges


def test_nothing_moves_before_the_feature_fires(case):
    engine, sae, _ = case
    context = contexts()[0]
    ids = torch.from_numpy(context[None].astype(np.int64))
    dense = sae.encode(engine.activations(ids, [sae.facts.hook_name])[sae.facts.hook_name][0])
    onsets = {f: int(dense[:, f].nonzero()[0]) for f in range(80) if bool(dense[:, f].any())}
    late = [f for f, onset in onsets.items() if 4 < onset < 18][:5]
    assert late
    shown = [Shown(f, context, 0, 0, len(context), onsets[f]) for f in late]
    for one, effect in zip(shown, effects(engine, sae, shown), strict=True):
        assert np.isnan(effect.loss[0])
        assert not effect.loss[1 : onsets[one.feature_idx] + 1].any()
        assert effect.loss[onsets[one.feature_idx] + 1] != 0


def test_a_feature_that_does_not_fire_changes_nothing(case):
    engine, sae, _ = case
    sae._sae.threshold.data[5] = 1e9
    silent = type(sae)(sae._sae, sae.facts, centred=False)
    context = contexts()[0]
    whole, part = effects(engine, silent, [Shown(5, context, 0, 0, 9, 4), Shown(5, context, 0, 3, 9, 4)])
    assert np.isnan(whole.loss[0])
    assert not whole.loss[1:].any()
    assert not part.loss.any()
    assert [len(lists[0]) for lists in (whole.raised, whole.lowered, part.raised, part.lowered)] == [0] * 4


def test_a_peak_before_the_feature_fires_has_no_lists(case):
    engine, sae, shown = case
    one = next(shown for shown in shown if shown.peak > 3)
    dense = sae.encode(
        engine.activations(torch.from_numpy(one.context[None].astype(np.int64)), [sae.facts.hook_name])[
            sae.facts.hook_name
        ][0]
    )
    feature, onset = next(
        (f, int(dense[:, f].nonzero()[0]))
        for f in range(80)
        if bool(dense[:, f].any()) and 3 < int(dense[:, f].nonzero()[0]) < 15
    )
    (found,) = effects(engine, sae, [Shown(feature, one.context, 0, 1, len(one.context), onset - 2)])
    assert found.raised[0].size == found.lowered[0].size == 0
    assert found.loss.any()


def test_no_examples_are_no_work(case):
    engine, sae, _ = case
    assert effects(engine, sae, []) == []


def test_only_the_tokenizers_tokens_are_listed_and_averaged(case):
    engine, sae, shown = case
    few = np.array([3, 50, 51, 200], np.int32)
    found = dict(Ablation(engine, sae, few, n_tokens=6, budget=SMALL).run(shown[:3]))
    whole = effects(engine, sae, shown[:3], n=N_TOKENS)
    for number in range(3):
        measured = dict.fromkeys(range(N_TOKENS), 0.0)
        for tokens, values, _ in (whole[number].raised, whole[number].lowered):
            measured.update(zip(tokens.tolist(), values.tolist(), strict=True))
        mean = np.mean([measured[token] for token in few.tolist()])
        tokens, values, _ = found[number].raised
        assert set(tokens.tolist()) == {t for t in few.tolist() if measured[t] > mean}
        np.testing.assert_allclose(values, [measured[t] - mean for t in tokens.tolist()], atol=TOLERANCE)


def test_an_sae_that_writes_where_no_engine_can_is_refused(folders, tmp_path):
    sae, _ = sae_of(tmp_path, "transcoder", metadata={"hook_name_out": None})
    with pytest.raises(InputError, match="unknown"):
        Ablation(opened(folders("gpt2")), sae, np.arange(9, dtype=np.int32), n_tokens=3, budget=SMALL)
