"""Encoding and decoding: equal to the definitions and to sae-lens, for every architecture."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from atlas.config import SaeConfig
from atlas.sources.saes.base import Separable
from atlas.sources.saes.coder import SaeLensCoder
from atlas.sources.saes.saelens import open_saelens
from atlas.sources.saes.saelens_files import ARCHITECTURES, REFUSED
from tests.support import models

VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((architecture, {}) for architecture in models.SAE_ARCHITECTURES),
    ("standard", {"apply_b_dec_to_input": False}),
    ("standard", {"normalize_activations": "layer_norm"}),
    ("standard", {"normalize_activations": "constant_norm_rescale"}),
    ("jumprelu", {"apply_b_dec_to_input": False}),
    ("jumprelu", {"normalize_activations": "layer_norm"}),
    ("gated", {"apply_b_dec_to_input": False}),
    ("gated", {"normalize_activations": "constant_norm_rescale"}),
    ("topk", {"k": 1}),
    ("topk", {"k": 80}),
    ("topk", {"rescale_acts_by_decoder_norm": True}),
    ("topk", {"rescale_acts_by_decoder_norm": True, "normalize_activations": "layer_norm"}),
    ("matching_pursuit", {"apply_b_dec_to_input": False}),
    ("matching_pursuit", {"normalize_activations": "layer_norm"}),
    ("transcoder", {"d_out": 20}),
    ("skip_transcoder", {"d_out": 20}),
    ("jumprelu_transcoder", {"normalize_activations": "layer_norm"}),
]


def name_of(variant: tuple[str, dict[str, Any]]) -> str:
    return "-".join([variant[0], *(f"{key}={value}" for key, value in variant[1].items())])


@pytest.fixture(params=VARIANTS, ids=name_of)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, dict[str, Any], models.Weights, Path]:
    architecture, changes = request.param
    config = models.sae_config(architecture, **changes)
    weights = models.sae_weights(architecture, d_out=config.get("d_out"), seed=3)
    return architecture, config, weights, models.write_sae(tmp_path, architecture, weights=weights, **changes)


def opened(folder: Path, **settings: Any) -> SaeLensCoder:
    return open_saelens(SaeConfig(folder=str(folder), **settings), "cpu")


def sae_lens_module(folder: Path) -> Any:
    from sae_lens import SAE

    with warnings.catch_warnings():
        # Advice on how to load the model with sae-lens, for any SAE whose metadata says how it was loaded.
        warnings.filterwarnings(
            "ignore", "\\s*This SAE has non-empty model_from_pretrained_kwargs", UserWarning
        )
        return SAE.load_from_disk(folder, device="cpu", dtype="float32")


def inputs(n: int = 50, d_in: int = models.D_MODEL, seed: int = 1) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(0.2, 1.5, (n, d_in)).astype(np.float32))


def test_the_known_architectures_are_those_of_sae_lens():
    from sae_lens.registry import SAE_CLASS_REGISTRY, SAE_TRAINING_CLASS_REGISTRY

    assert set(ARCHITECTURES) == set(models.SAE_ARCHITECTURES)
    assert set(SAE_CLASS_REGISTRY) | set(SAE_TRAINING_CLASS_REGISTRY) <= set(ARCHITECTURES) | set(REFUSED)


def test_encode_is_what_the_definition_says(case):
    architecture, config, weights, folder = case
    x = inputs()
    found = opened(folder).encode(x)
    expected = models.encode(architecture, config, weights, x.numpy())
    assert found.dtype == torch.float32
    assert found.shape == (50, 80)
    assert not found.requires_grad
    assert float(found.min()) >= 0
    assert np.array_equal(found.numpy() > 0, expected > 0)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-5)


def test_encode_is_what_sae_lens_computes(case):
    *_, folder = case
    x = inputs(seed=2)
    with torch.no_grad():
        expected = sae_lens_module(folder).encode(x)
    found = opened(folder).encode(x)
    assert torch.equal(found > 0, expected > 0)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("width", [1, 7, 16, 80, 1000])
def test_parts_join_to_the_whole(case, width: int):
    architecture, *_, folder = case
    coder, x = opened(folder), inputs(seed=6)
    parts = list(coder.encode_parts(x, width))
    apart = architecture not in {"topk", "matching_pursuit"}
    assert coder.separable == apart
    assert isinstance(coder, Separable)
    wanted = [width] * (80 // width) + [80 % width] * (80 % width > 0)
    assert [part.shape[1] for part in parts] == (wanted if apart else [80])
    whole = coder.encode(x)
    joined = torch.cat(parts, dim=1)
    assert torch.equal(joined > 0, whole > 0)
    torch.testing.assert_close(joined, whole, rtol=1e-5, atol=1e-5)


def test_parts_leave_autograd_as_it_was(case):
    *_, folder = case
    parts = opened(folder).encode_parts(inputs(), 16)
    assert not next(parts).requires_grad
    assert torch.is_grad_enabled()


def test_decode_mixes_what_fires_alone(case):
    *_, folder = case
    coder = opened(folder)
    rng = np.random.default_rng(0)
    dense = np.where(rng.random((12, 80)) < 0.2, rng.random((12, 80)), 0).astype(np.float32)
    dense[3], dense[11], dense[5] = 0, 0, 1
    silent = coder.decode(torch.zeros(1, 80)).double().numpy()
    directions = np.stack([coder.decode(torch.eye(80)[f : f + 1])[0].double().numpy() for f in range(80)])
    expected = silent + dense.astype(np.float64) @ (directions - silent)
    np.testing.assert_allclose(coder.decode(torch.from_numpy(dense)).numpy(), expected, rtol=1e-4, atol=1e-4)
    turned = torch.from_numpy(np.ascontiguousarray(dense.T)).T
    assert torch.equal(coder.decode(turned), coder.decode(torch.from_numpy(dense)))


def test_reconstruct_is_what_the_definition_says(case):
    architecture, config, weights, folder = case
    coder = opened(folder)
    x = inputs(seed=4)
    activations = coder.encode(x)
    found = coder.reconstruct(x, activations)
    expected = models.reconstruct(architecture, config, weights, x.numpy(), activations.numpy())
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-4)


def test_reconstruct_is_what_sae_lens_returns(case):
    *_, folder = case
    x = inputs(seed=5)
    with torch.no_grad():
        expected = sae_lens_module(folder)(x)
    coder = opened(folder)
    torch.testing.assert_close(coder.reconstruct(x, coder.encode(x)), expected, rtol=1e-4, atol=1e-4)


def test_reconstruct_takes_any_rows_in_any_order(case):
    *_, folder = case
    coder = opened(folder)
    x = inputs(seed=6)
    whole = coder.reconstruct(x, coder.encode(x))
    rows = torch.tensor([40, 3, 3, 17])
    # sae-lens keeps the norms of the last input it saw; here nothing is remembered between calls.
    activations = coder.encode(x[rows])
    coder.encode(inputs(9, seed=7))
    torch.testing.assert_close(coder.reconstruct(x[rows], activations), whole[rows], rtol=1e-4, atol=1e-4)


def test_the_decoder_directions_are_the_effect_of_one_unit_of_activation(case):
    architecture, _, _, folder = case
    coder = opened(folder)
    directions = coder.weights().W_dec
    nothing = torch.zeros(1, 80)
    one = nothing.clone()
    one[0, 11] = 1.0
    effect = coder.decode(one) - coder.decode(nothing)
    assert directions.dtype == torch.float32
    assert directions.device.type == "cpu"
    assert directions.shape[0] == 80
    torch.testing.assert_close(directions[11:12], effect, rtol=1e-5, atol=1e-6)
    assert coder.facts.architecture == architecture


def test_the_facts_of_a_folder(tmp_path: Path):
    folder = models.write_sae(tmp_path / "My SAE (layer 1)", "jumprelu", metadata={"l0": 16.0})
    facts = opened(folder).facts
    assert (facts.d_in, facts.d_sae, facts.dtype) == (models.D_MODEL, 80, "float32")
    assert (facts.title, facts.slug) == ("My SAE (layer 1)", "my-sae-layer-1")
    assert (facts.hook_name, facts.hook_name_out) == ("blocks.1.hook_resid_pre", "")
    assert (facts.prepend_bos, facts.context_size, facts.model_name) == (True, 16, "tiny")
    assert facts.source == {"folder": str(folder)}
    assert facts.folds == {}
    assert facts.metadata["l0"] == 16.0
    assert len(facts.weights_sha256) == 64


def test_settings_of_the_config_win(tmp_path: Path):
    folder = models.write_sae(tmp_path, "standard")
    facts = opened(
        folder, slug="mine", title="Mine", hook_name="blocks.2.hook_resid_post", prepend_bos=False
    ).facts
    assert (facts.slug, facts.title) == ("mine", "Mine")
    assert (facts.hook_name, facts.prepend_bos) == ("blocks.2.hook_resid_post", False)


@pytest.mark.parametrize(("stored", "expected"), [(True, True), (False, False), (None, True)])
def test_bos_is_what_the_metadata_says_and_sae_lens_default_where_it_says_nothing(
    tmp_path: Path, stored: bool | None, expected: bool
):
    folder = models.write_sae(tmp_path, "standard", metadata={"prepend_bos": stored})
    assert opened(folder).facts.prepend_bos is expected


def test_a_context_size_that_the_metadata_lacks_is_zero(tmp_path: Path):
    folder = models.write_sae(tmp_path, "standard", metadata={"context_size": None})
    assert opened(folder).facts.context_size == 0


def test_a_transcoder_says_where_it_writes(tmp_path: Path):
    folder = models.write_sae(tmp_path / "a", "transcoder", d_out=20)
    coder = opened(folder)
    assert coder.facts.hook_name_out == "blocks.1.hook_mlp_out"
    assert coder.weights().W_dec.shape == (80, 20)
    silent = models.write_sae(tmp_path / "b", "transcoder", metadata={"hook_name_out": None})
    assert opened(silent).facts.hook_name_out == "unknown"


def test_the_hash_of_the_weights_is_of_the_weights(tmp_path: Path):
    first = opened(models.write_sae(tmp_path / "a", "standard", seed=1)).facts
    same = opened(models.write_sae(tmp_path / "b", "standard", seed=1)).facts
    other = opened(models.write_sae(tmp_path / "c", "standard", seed=2)).facts
    assert first.weights_sha256 == same.weights_sha256 != other.weights_sha256


def test_weights_stored_in_half_precision_are_used_in_float32(tmp_path: Path):
    weights = models.sae_weights("jumprelu")
    half = {name: value.astype(np.float16) for name, value in weights.items()}
    folder = models.write_sae(tmp_path, "jumprelu", weights=half, dtype="float16")
    config = models.sae_config("jumprelu")
    x = inputs()
    expected = models.encode(
        "jumprelu", config, {k: v.astype(np.float32) for k, v in half.items()}, x.numpy()
    )
    np.testing.assert_allclose(opened(folder).encode(x).numpy(), expected, rtol=1e-5, atol=1e-5)


def test_inputs_of_another_precision_are_taken(tmp_path: Path):
    coder = opened(models.write_sae(tmp_path, "standard"))
    x = inputs()
    assert coder.encode(x.double()).dtype == torch.float32
    torch.testing.assert_close(coder.encode(x.bfloat16()), coder.encode(x.bfloat16().float()))


def test_encode_gives_a_fresh_tensor_that_may_be_overwritten(case):
    *_, folder = case
    coder = opened(folder)
    x = inputs()
    before = x.clone()
    first = coder.encode(x)
    kept = first.clone()
    first.fill_(-1)
    assert torch.equal(coder.encode(x), kept)
    assert torch.equal(x, before)


def test_encode_works_under_inference_mode(case):
    *_, folder = case
    coder = opened(folder)
    x = inputs()
    with torch.inference_mode():
        inside = coder.encode(x)
    assert torch.equal(inside, coder.encode(x))


def test_rows_do_not_depend_on_their_neighbours(tmp_path: Path):
    coder = opened(models.write_sae(tmp_path, "topk"))
    x = inputs()
    torch.testing.assert_close(coder.encode(x)[7:8], coder.encode(x[7:8]), rtol=1e-5, atol=1e-6)
    assert coder.encode(x[:0]).shape == (0, 80)


def test_a_damaged_input_is_seen_in_the_output(tmp_path: Path):
    x = inputs(2)
    x[1, 3] = float("nan")
    for architecture in ("standard", "jumprelu", "gated"):
        coder = opened(models.write_sae(tmp_path / architecture, architecture))
        found = coder.encode(x)
        assert bool(found[0].isfinite().all())
        assert not bool(found[1].isfinite().all())


class TestInputScale:
    """`expected_average_only_in`: folded with the factor from the config, or refused (test_sae_traps)."""

    @pytest.mark.parametrize("architecture", ["standard", "gated", "topk", "jumprelu"])
    def test_the_folded_sae_does_to_raw_inputs_what_the_trained_one_did_to_scaled_ones(
        self, tmp_path: Path, architecture: str
    ):
        weights = models.sae_weights(architecture, seed=8)
        folder = models.write_sae(
            tmp_path, architecture, weights=weights, normalize_activations="expected_average_only_in"
        )
        x = inputs()
        coder = opened(folder, norm_scaling_factor=2.5)
        expected = models.encode(
            architecture, models.sae_config(architecture), weights, (2.5 * x).double().numpy()
        )
        found = coder.encode(x)
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-4)
        assert "2.5" in coder.facts.folds["input_scale"]
        config = models.sae_config(architecture)
        scaled = models.reconstruct(architecture, config, weights, 2.5 * x.numpy(), found.numpy())
        np.testing.assert_allclose(coder.reconstruct(x, found).numpy(), scaled / 2.5, rtol=1e-4, atol=1e-4)

    def test_where_the_fold_changes_the_scale_of_activations_the_facts_say_so(self, tmp_path: Path):
        weights = models.sae_weights("topk", seed=8)
        changes = {"rescale_acts_by_decoder_norm": True}
        folder = models.write_sae(
            tmp_path, "topk", weights=weights, normalize_activations="expected_average_only_in", **changes
        )
        x = inputs()
        coder = opened(folder, norm_scaling_factor=2.5)
        trained = models.encode("topk", models.sae_config("topk", **changes), weights, 2.5 * x.numpy())
        np.testing.assert_allclose(coder.encode(x).numpy(), trained / 2.5, rtol=1e-4, atol=1e-4)
        assert "divided by it" in coder.facts.folds["input_scale"].rsplit(";", 1)[1]

    def test_matching_pursuit_is_folded_too(self, tmp_path: Path):
        weights = models.sae_weights("matching_pursuit", seed=8)
        folder = models.write_sae(
            tmp_path, "matching_pursuit", weights=weights, normalize_activations="expected_average_only_in"
        )
        x = inputs()
        coder = opened(folder, norm_scaling_factor=2.0)
        trained = models.encode(
            "matching_pursuit", models.sae_config("matching_pursuit"), weights, 2.0 * x.numpy()
        )
        np.testing.assert_allclose(coder.encode(x).numpy(), trained / 2.0, rtol=1e-4, atol=1e-4)

    def test_a_folded_sae_is_recorded_with_the_same_weights_hash(self, tmp_path: Path):
        weights = models.sae_weights("standard")
        plain = models.write_sae(tmp_path / "a", "standard", weights=weights)
        scaled = models.write_sae(
            tmp_path / "b", "standard", weights=weights, normalize_activations="expected_average_only_in"
        )
        folded = opened(scaled, norm_scaling_factor=3.0).facts
        assert folded.weights_sha256 == opened(plain).facts.weights_sha256


class TestCentring:
    """SAEs of models with `center_writing_weights` (gpt2-small-res-jb) saw residuals of mean zero."""

    METADATA: ClassVar[dict[str, Any]] = {"model_from_pretrained_kwargs": {"center_writing_weights": True}}

    def test_inputs_are_centred_and_the_facts_say_so(self, tmp_path: Path):
        weights = models.sae_weights("standard", seed=9)
        folder = models.write_sae(tmp_path, "standard", weights=weights, metadata=self.METADATA)
        coder = opened(folder)
        x = inputs()
        centred = (x - x.mean(-1, keepdim=True)).numpy()
        expected = models.encode("standard", models.sae_config("standard"), weights, centred)
        np.testing.assert_allclose(coder.encode(x).numpy(), expected, rtol=1e-4, atol=1e-5)
        assert "center_writing_weights" in coder.facts.folds["centring"]

    def test_the_mean_comes_back_in_the_reconstruction(self, tmp_path: Path):
        folder = models.write_sae(tmp_path, "standard", metadata=self.METADATA)
        coder = opened(folder)
        x = inputs()
        activations = coder.encode(x)
        expected = coder.decode(activations) + x.mean(-1, keepdim=True)
        torch.testing.assert_close(coder.reconstruct(x, activations), expected)

    def test_a_constant_added_to_the_input_changes_no_activation(self, tmp_path: Path):
        coder = opened(models.write_sae(tmp_path, "jumprelu", metadata=self.METADATA))
        x = inputs()
        torch.testing.assert_close(coder.encode(x), coder.encode(x + 3.0), rtol=1e-4, atol=1e-4)

    @pytest.mark.parametrize("hook_name", ["blocks.1.attn.hook_z", "blocks.1.ln2.hook_normalized"])
    def test_hooks_that_do_not_write_to_the_residual_are_left_alone(self, tmp_path: Path, hook_name: str):
        metadata = self.METADATA | {"hook_name": hook_name}
        coder = opened(models.write_sae(tmp_path, "standard", metadata=metadata))
        assert coder.facts.folds == {}
        assert coder.uncentred().facts == coder.facts

    def test_uncentred_is_the_same_sae_without_it(self, tmp_path: Path):
        plain = opened(models.write_sae(tmp_path / "a", "standard", seed=1))
        centred = opened(models.write_sae(tmp_path / "b", "standard", seed=1, metadata=self.METADATA))
        x = inputs()
        assert not torch.equal(centred.encode(x), plain.encode(x))
        assert torch.equal(centred.uncentred().encode(x), plain.encode(x))
        assert centred.uncentred().facts.folds == {}

    def test_it_equals_training_on_a_model_with_centred_writing_weights(self):
        """In a model with LayerNorm, centring what is written equals centring the residual stream."""
        ids = torch.randint(0, 300, (2, 20), generator=torch.Generator().manual_seed(0))
        model = models.random_model("gpt2", seed=5)
        with torch.no_grad():
            plain = model(ids, output_hidden_states=True).hidden_states[2]
            for block in model.transformer.h:
                for layer in (block.attn.c_proj, block.mlp.c_proj):
                    layer.weight -= layer.weight.mean(-1, keepdim=True)
                    layer.bias -= layer.bias.mean()
            model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.clone())
            for embedding in (model.transformer.wte, model.transformer.wpe):
                embedding.weight -= embedding.weight.mean(-1, keepdim=True)
            centred = model(ids, output_hidden_states=True).hidden_states[2]
        torch.testing.assert_close(plain - plain.mean(-1, keepdim=True), centred, rtol=1e-4, atol=1e-4)
        assert not torch.allclose(plain, centred, atol=0.01)
