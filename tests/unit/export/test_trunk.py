"""What is traced and what it rests on: masks, sizes, the hooks of the engine, the steps of an SAE."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from atlas.export.onnx import trunk
from atlas.export.onnx.graphs import Decoder, cache_names
from atlas.export.onnx.trunk import MASKS, edit_name, sizes, tensor_name, trace
from atlas.sources.saes.base import EncoderSteps, Portable
from tests.support import models
from tests.support.exported import KINDS, RESIDUAL, layers, open_engine, token_ids, write_kind

LENGTH, PAST, WINDOW = 4, 11, 8
PLAIN = EncoderSteps(centred=False, normalisation="none", subtracts=True, k=0, scales_output=False)


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    root = tmp_path_factory.mktemp("engines")
    return {
        family: open_engine(models.write_model(root / family, family, **layers(family)))
        for family in ("gpt2", "mistral", "gemma2", "qwen2", "qwen3")
    }


# --- masks ---------------------------------------------------------------------------------------


def allowed(mask: torch.Tensor) -> np.ndarray:
    """[sequence, past + sequence] which positions may be seen; the others weigh nothing."""
    assert mask.shape == (1, 1, LENGTH, PAST + LENGTH)
    assert mask.dtype == torch.float32
    assert set(mask.unique().tolist()) <= {0.0, torch.finfo(torch.float32).min}
    return (mask[0, 0] == 0).numpy()


def by_definition(window: int) -> np.ndarray:
    """Each position sees itself and the `window` - 1 before it."""
    seen = np.zeros((LENGTH, PAST + LENGTH), bool)
    for row in range(LENGTH):
        position = PAST + row
        seen[row, max(0, position - window + 1) : position + 1] = True
    return seen


def masks(engine: Any) -> Any:
    return trunk._masks(engine, torch.arange(LENGTH) + PAST, torch.arange(PAST + LENGTH))


def test_a_full_mask(engines: dict[str, Any]):
    assert np.array_equal(allowed(masks(engines["gpt2"])), by_definition(1000))


def test_a_sliding_mask(engines: dict[str, Any]):
    assert engines["mistral"].model.config.sliding_window == WINDOW
    assert np.array_equal(allowed(masks(engines["mistral"])), by_definition(WINDOW))


def test_masks_by_the_kind_of_layer(engines: dict[str, Any]):
    made = masks(engines["gemma2"])
    assert np.array_equal(allowed(made["full_attention"]), by_definition(1000))
    assert np.array_equal(allowed(made["sliding_attention"]), by_definition(WINDOW))


def test_a_model_without_a_window_has_full_masks(engines: dict[str, Any]):
    made = masks(engines["qwen2"])
    assert set(made) == {"full_attention", "sliding_attention"}
    for mask in made.values():
        assert np.array_equal(allowed(mask), by_definition(1000))


def test_masks_cover_the_kinds_of_layers_of_each_family():
    """A family whose layers differ takes its masks by layer; another kind of layer would be unknown."""
    import transformers

    for family, (name, settings) in models.FAMILIES.items():
        config = getattr(transformers, name)(**settings)
        kinds = set(getattr(config, "layer_types", None) or ())
        architecture = config.model_type
        if MASKS[architecture] != "by layer":
            assert len(kinds) <= 1, family
        assert kinds <= {"full_attention", "sliding_attention"}, family


# --- sizes and names -----------------------------------------------------------------------------


def test_sizes(engines: dict[str, Any]):
    rest = {"n_layers": 2, "vocabulary_size": 304, "context_size": 64}
    assert sizes(engines["gpt2"]) == Decoder(kv_heads=4, d_head=8, **rest)
    assert sizes(engines["qwen2"]) == Decoder(kv_heads=2, d_head=8, **rest)
    # Heads that are wider than d_model / heads.
    assert sizes(engines["qwen3"]) == Decoder(kv_heads=2, d_head=12, **rest)


def test_names():
    assert cache_names(2, "past") == ["past_key.0", "past_key.1", "past_value.0", "past_value.1"]
    assert cache_names(1, "present") == ["present_key.0", "present_value.0"]
    assert (edit_name(RESIDUAL), tensor_name(RESIDUAL)) == (f"edit.{RESIDUAL}", f"hook.{RESIDUAL}")


def test_the_traced_model(engines: dict[str, Any], caplog: pytest.LogCaptureFixture):
    """Its inputs and outputs, and that nothing of torch's inner life reaches the user."""
    hooks = (RESIDUAL, "blocks.1.hook_mlp_out")
    level = logging.getLogger("torch.onnx").level
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = trace(engines["gpt2"], hooks)
    assert not [record for record in caplog.records if record.name.startswith("torch.onnx")]
    assert logging.getLogger("torch.onnx").level == level
    graph = found.graph.graph
    cache = cache_names(2, "past")
    assert [value.name for value in graph.inputs] == ["input_ids", *cache, *map(edit_name, hooks)]
    after = cache_names(2, "present")
    assert [value.name for value in graph.outputs] == ["logits", *after, *map(tensor_name, hooks)]
    assert found.hooks == hooks
    assert found.graph.opset_imports[""] == trunk.OPSET
    # The weights are the model's own, by name and value.
    held = {name: value.const_value.numpy() for name, value in graph.initializers.items()}
    for name, value in engines["gpt2"].model.named_parameters():
        if not name.endswith("wte.weight"):
            assert np.array_equal(held[f"model.{name}"], value.detach().numpy()), name


# --- what the engine and the SAE offer ------------------------------------------------------------


def test_attached_replaces_tensors_while_it_lasts(engines: dict[str, Any]):
    engine = engines["gpt2"]
    ids = torch.from_numpy(token_ids(2, 6))
    seen: list[torch.Tensor] = []

    def doubled(value: torch.Tensor) -> torch.Tensor:
        seen.append(value.clone())
        return 2 * value

    with torch.no_grad():
        before = engine.model(ids).logits
        with engine.attached({RESIDUAL: doubled}):
            within = engine.model(ids).logits
        after = engine.model(ids).logits
    assert torch.equal(seen[0], engine.activations(ids, [RESIDUAL])[RESIDUAL])
    torch.testing.assert_close(within, engine.logits(ids, {RESIDUAL: lambda value: 2 * value}))
    assert float((within - before).abs().max()) > 1e-3
    assert torch.equal(after, before)


def test_a_copy_shares_nothing(engines: dict[str, Any]):
    engine = engines["gpt2"]
    ids = torch.from_numpy(token_ids(1, 5))
    before = engine.logits(ids)
    copied = engine.copy_in_float32()
    assert torch.equal(copied.logits(ids), before)
    with torch.no_grad():
        for parameter in copied.model.parameters():
            parameter.zero_()
    assert torch.equal(engine.logits(ids), before)
    assert not torch.equal(copied.logits(ids), before)
    # What is tied stays tied.
    assert copied.model.lm_head.weight is copied.model.transformer.wte.weight


EXPECTED = {
    "standard": PLAIN,
    "layer-norm": EncoderSteps(False, "layer_norm", True, 0, True),
    "constant-norm": EncoderSteps(False, "constant_norm_rescale", True, 0, True),
    "centred": EncoderSteps(True, "none", True, 0, False),
    "undecoded": EncoderSteps(False, "none", False, 0, False),
    "gated": PLAIN,
    "topk": EncoderSteps(False, "none", True, 7, False),
    "topk-norms": EncoderSteps(False, "none", True, 7, False),
    "jumprelu": PLAIN,
    "normed-jumprelu": EncoderSteps(False, "layer_norm", True, 0, True),
    "transcoder": EncoderSteps(False, "none", False, 0, False),
    "skip-transcoder": EncoderSteps(False, "none", False, 0, False),
    # Its input is normalised, but what it writes is not scaled back.
    "jumprelu-transcoder": EncoderSteps(False, "layer_norm", False, 0, False),
    "jumprelu-skip-transcoder": EncoderSteps(False, "none", False, 0, False),
}


@pytest.mark.parametrize("slug", KINDS)
def test_steps(tmp_path: Path, engines: dict[str, Any], slug: str):
    sae = write_kind(tmp_path, slug, engines["gpt2"])
    assert isinstance(sae, Portable)
    assert sae.steps() == EXPECTED[slug]


def test_centring_is_left_out_where_the_model_has_none(tmp_path: Path, engines: dict[str, Any]):
    assert not write_kind(tmp_path, "centred", engines["qwen2"]).steps().centred
