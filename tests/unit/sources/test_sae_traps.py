"""SAEs that sae-lens would load wrongly without a word, and files that are no SAE: each is refused."""

from __future__ import annotations

import errno
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from atlas.config import SaeConfig
from atlas.errors import DiskError, InputError
from atlas.sources.saes.saelens import open_saelens
from tests.support import models


def opened(folder: Path, **settings: Any) -> Any:
    return open_saelens(SaeConfig(folder=str(folder), **settings), "cpu")


def refusal(folder: Path, **settings: Any) -> InputError:
    """The error of opening `folder`; it says where, and no file was changed."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(InputError) as caught:
        opened(folder, **settings)
    assert caught.value.where
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    return caught.value


# --- silent traps --------------------------------------------------------------------------------


def test_sae_lens_itself_would_ignore_the_input_scale(tmp_path: Path):
    """The reason for the next test: the same numbers with and without the setting."""
    from sae_lens import SAE

    metadata = {"model_from_pretrained_kwargs": None}
    scaled = models.write_sae(
        tmp_path / "a", "standard", metadata=metadata, normalize_activations="expected_average_only_in"
    )
    plain = models.write_sae(tmp_path / "b", "standard", metadata=metadata)
    x = torch.randn(5, models.D_MODEL, generator=torch.Generator().manual_seed(0))
    assert torch.equal(SAE.load_from_disk(scaled).encode(x), SAE.load_from_disk(plain).encode(x))


@pytest.mark.parametrize("architecture", ["standard", "jumprelu", "topk", "gated"])
def test_an_unfolded_input_scale_is_refused_without_its_factor(tmp_path: Path, architecture: str):
    models.write_sae(tmp_path, architecture, normalize_activations="expected_average_only_in")
    error = refusal(tmp_path)
    assert "expected_average_only_in" in error.what
    assert "norm_scaling_factor" in error.fix


def test_the_factor_beside_a_checkpoint_is_offered(tmp_path: Path):
    models.write_sae(tmp_path, "standard", normalize_activations="expected_average_only_in")
    (tmp_path / "activation_scaler.json").write_text('{"scaling_factor": 0.3125}')
    assert "0.3125" in refusal(tmp_path).fix


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"scaling_factor": null}', "\udcff"])
def test_a_broken_factor_file_is_no_second_problem(tmp_path: Path, content: str):
    models.write_sae(tmp_path, "standard", normalize_activations="expected_average_only_in")
    (tmp_path / "activation_scaler.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    assert refusal(tmp_path).fix.endswith("by")


def test_a_factor_for_an_sae_that_wants_none_is_refused(tmp_path: Path):
    models.write_sae(tmp_path, "standard")
    error = refusal(tmp_path, norm_scaling_factor=2.0)
    assert "norm_scaling_factor" in error.what
    assert "remove" in error.fix


def test_a_factor_of_one_is_an_explicit_override(tmp_path: Path):
    weights = models.sae_weights("standard")
    models.write_sae(tmp_path, "standard", weights=weights, normalize_activations="expected_average_only_in")
    x = np.random.default_rng(0).normal(size=(4, models.D_MODEL)).astype(np.float32)
    found = opened(tmp_path, norm_scaling_factor=1.0).encode(torch.from_numpy(x))
    expected = models.encode("standard", models.sae_config("standard"), weights, x)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-5)


def test_the_scale_of_a_transcoder_cannot_be_folded(tmp_path: Path):
    models.write_sae(tmp_path, "transcoder", normalize_activations="expected_average_only_in")
    assert "expected_average_only_in" in refusal(tmp_path, norm_scaling_factor=2.0).what


def test_unfolded_whitening_is_refused_even_with_a_factor(tmp_path: Path):
    models.write_sae(tmp_path, "standard", normalize_activations="covariance_whitening")
    for settings in ({}, {"norm_scaling_factor": 2.0}):
        error = refusal(tmp_path, **settings)
        assert "whitening" in error.what
        assert "fold_activation_whitening" in error.fix


@pytest.mark.parametrize("architecture", ["batchtopk", "matryoshka_batchtopk"])
def test_a_training_checkpoint_is_refused_with_the_way_to_convert_it(tmp_path: Path, architecture: str):
    models.write_sae(tmp_path, architecture)
    error = refusal(tmp_path)
    assert architecture in error.what
    assert "training checkpoint" in error.what
    assert "save_inference_model" in error.fix


def test_what_sae_lens_saves_of_a_training_run_is_refused_and_its_inference_form_opens(tmp_path: Path):
    from sae_lens import BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig
    from sae_lens.saes.sae import SAEMetadata

    config = BatchTopKTrainingSAEConfig(
        d_in=models.D_MODEL, d_sae=64, k=4, metadata=SAEMetadata(hook_name="blocks.1.hook_resid_pre")
    )
    trained = BatchTopKTrainingSAE(config)
    trained.save_model(tmp_path / "checkpoint")
    trained.save_inference_model(tmp_path / "inference")
    assert "training checkpoint" in refusal(tmp_path / "checkpoint").what
    assert opened(tmp_path / "inference").facts.architecture == "jumprelu"


@pytest.mark.parametrize("architecture", ["temporal", "abstopk"])
def test_architectures_that_dashboards_cannot_show_are_refused_with_the_reason(
    tmp_path: Path, architecture: str
):
    models.write_sae(tmp_path, architecture)
    error = refusal(tmp_path)
    assert architecture in error.what
    assert "has features that" in error.what


def test_an_unknown_architecture_names_the_known_ones(tmp_path: Path):
    models.write_sae(tmp_path, "crosscoder")
    error = refusal(tmp_path)
    assert "'crosscoder'" in error.what
    assert all(name in error.fix for name in models.SAE_ARCHITECTURES)


@pytest.mark.parametrize("key", ["activation_fn", "activation_fn_str"])
def test_an_old_activation_function_that_would_silently_become_relu_is_refused(tmp_path: Path, key: str):
    models.write_sae(tmp_path, "standard", metadata={"sae_lens_version": None}, **{key: "tanh-relu"})
    assert "tanh-relu" in refusal(tmp_path).what


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", ["W_enc", "b_dec", "threshold"])
def test_weights_that_are_no_numbers_are_refused_by_name(tmp_path: Path, name: str, value: float):
    weights = models.sae_weights("jumprelu")
    weights[name].reshape(-1)[5] = value
    models.write_sae(tmp_path, "jumprelu", weights=weights)
    assert name in refusal(tmp_path).what


def test_a_missing_hook_is_refused_and_can_be_given(tmp_path: Path):
    """In sae-lens a missing attribute of the metadata reads as None, never an error."""
    models.write_sae(tmp_path, "standard", metadata={"hook_name": None})
    error = refusal(tmp_path)
    assert "hook" in error.what
    assert "hook_name:" in error.fix
    assert opened(tmp_path, hook_name="blocks.0.hook_mlp_out").facts.hook_name == "blocks.0.hook_mlp_out"


def test_an_sae_on_one_attention_head_is_refused(tmp_path: Path):
    models.write_sae(tmp_path, "standard", metadata={"hook_head_index": 3})
    assert "single attention head" in refusal(tmp_path).what


def test_an_sae_on_hook_z_takes_flat_heads(tmp_path: Path):
    """sae-lens wants [heads, d_head]; a flat input fails there or is misread."""
    metadata = {"hook_name": "blocks.1.attn.hook_z"}
    weights = models.sae_weights("standard")
    models.write_sae(tmp_path, "standard", weights=weights, metadata=metadata, reshape_activations="hook_z")
    x = np.random.default_rng(0).normal(size=(4, models.D_MODEL)).astype(np.float32)
    coder = opened(tmp_path)
    found = coder.encode(torch.from_numpy(x))
    expected = models.encode("standard", models.sae_config("standard"), weights, x)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-5)
    assert coder.reconstruct(torch.from_numpy(x), found).shape == x.shape


# --- files ---------------------------------------------------------------------------------------


def test_no_folder(tmp_path: Path):
    with pytest.raises(InputError, match="no SAE folder") as caught:
        opened(tmp_path / "nowhere")
    assert str(tmp_path / "nowhere") in caught.value.fix


@pytest.mark.parametrize("name", ["cfg.json", "sae_weights.safetensors"])
def test_a_missing_file_is_named(tmp_path: Path, name: str):
    models.write_sae(tmp_path, "standard")
    (tmp_path / name).unlink()
    error = refusal(tmp_path)
    assert name in error.what
    assert "save_model" in error.fix


def test_a_folder_of_folders_names_those_that_hold_saes(tmp_path: Path):
    for layer in (2, 3):
        models.write_sae(tmp_path / f"layer_{layer}", "standard")
    assert "'layer_2' or 'layer_3'" in refusal(tmp_path).fix


class Bomb:
    """Unpickling this leaves a file behind."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("name", ["sae_weights.pt", "ae.pt", "model.pkl", "weights.pth"])
def test_pickles_are_never_loaded(tmp_path: Path, name: str):
    models.write_sae(tmp_path, "standard")
    (tmp_path / "sae_weights.safetensors").unlink()
    (tmp_path / name).write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    error = refusal(tmp_path)
    assert name in error.fix
    assert "never loaded" in error.fix
    assert not (tmp_path / "exploded").exists()


def test_a_pickle_named_safetensors_is_not_run(tmp_path: Path):
    models.write_sae(tmp_path, "standard")
    bomb = pickle.dumps(Bomb(tmp_path / "exploded"))
    (tmp_path / "sae_weights.safetensors").write_bytes(bomb)
    refusal(tmp_path)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("content", ["", "{", "[]", "3", '"cfg"', "null", "{'a': 1}", "[" * 100_000])
def test_a_broken_configuration(tmp_path: Path, content: str):
    models.write_sae(tmp_path, "standard")
    (tmp_path / "cfg.json").write_text(content)
    assert "cfg.json" in refusal(tmp_path).what


def test_a_configuration_that_is_no_text(tmp_path: Path):
    models.write_sae(tmp_path, "standard")
    (tmp_path / "cfg.json").write_bytes(b"\xff\xfe\x00\xd8{")
    assert "cfg.json" in refusal(tmp_path).what


@pytest.mark.parametrize("keep", [0, 4, 8, 40, 400, -1])
def test_truncated_weights(tmp_path: Path, keep: int):
    models.write_sae(tmp_path, "standard")
    path = tmp_path / "sae_weights.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    error = refusal(tmp_path)
    assert "cannot be loaded" in error.what
    assert "damaged" in error.fix


@pytest.mark.parametrize(
    "changes", [{"d_in": 16}, {"d_sae": 81}, {"k": None, "architecture": "topk", "d_sae": 8}]
)
def test_a_configuration_of_other_weights(tmp_path: Path, changes: dict[str, Any]):
    models.write_sae(tmp_path, "standard")
    config = json.loads((tmp_path / "cfg.json").read_text()) | changes
    (tmp_path / "cfg.json").write_text(json.dumps(config))
    assert "cannot be loaded" in refusal(tmp_path).what


@pytest.mark.parametrize("key", ["d_in", "d_sae", "dtype"])
def test_a_configuration_that_lacks_a_key(tmp_path: Path, key: str):
    models.write_sae(tmp_path, "standard")
    config = json.loads((tmp_path / "cfg.json").read_text())
    del config[key]
    (tmp_path / "cfg.json").write_text(json.dumps(config))
    if key == "dtype":
        assert opened(tmp_path).facts.dtype == "float32"
    else:
        assert key in refusal(tmp_path).what


def test_weights_that_are_missing_or_too_many(tmp_path: Path):
    weights = models.sae_weights("standard")
    extra = weights | {"surprise": np.zeros(3, np.float32)}
    fewer = {name: value for name, value in weights.items() if name != "b_enc"}
    assert "surprise" in refusal(models.write_sae(tmp_path / "a", "standard", weights=extra)).what
    assert "b_enc" in refusal(models.write_sae(tmp_path / "b", "standard", weights=fewer)).what


def test_a_configuration_before_sae_lens_6_is_understood(tmp_path: Path):
    """Flat keys, other names, no version: as published SAEs of 2024 have them."""
    weights = models.sae_weights("standard")
    models.write_sae(tmp_path, "standard", weights=weights)
    old = {
        "model_name": "gpt2-small",
        "hook_point": "blocks.1.hook_resid_pre",
        "hook_point_layer": 1,
        "d_in": models.D_MODEL,
        "d_sae": 80,
        "dtype": "float32",
        "device": "cpu",
        "prepend_bos": False,
        "context_size": 128,
        "normalize_activations": False,
        "activation_fn_str": "relu",
        "model_from_pretrained_kwargs": {"center_writing_weights": True},
    }
    (tmp_path / "cfg.json").write_text(json.dumps(old))
    coder = opened(tmp_path)
    facts = coder.facts
    assert (facts.hook_name, facts.prepend_bos, facts.context_size) == ("blocks.1.hook_resid_pre", False, 128)
    assert set(facts.folds) == {"centring"}
    x = np.random.default_rng(0).normal(size=(4, models.D_MODEL)).astype(np.float32)
    expected = models.encode(
        "standard", models.sae_config("standard"), weights, x - x.mean(-1, keepdims=True)
    )
    np.testing.assert_allclose(coder.encode(torch.from_numpy(x)).numpy(), expected, rtol=1e-4, atol=1e-5)


def test_an_old_configuration_with_scaled_inputs_is_refused_like_a_new_one(tmp_path: Path):
    models.write_sae(tmp_path, "standard", metadata={"sae_lens_version": None}, normalize_activations=True)
    assert "expected_average_only_in" in refusal(tmp_path).what


def test_a_configuration_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    models.write_sae(tmp_path, "standard")

    def refused(path: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refused)
    with pytest.raises(DiskError, match="Permission denied"):
        opened(tmp_path)


def test_an_sae_that_names_nothing_to_load():
    with pytest.raises(InputError, match="needs a folder"):
        open_saelens(SaeConfig(), "cpu")
    with pytest.raises(InputError, match="needs a folder"):
        open_saelens(SaeConfig(release="gpt2-small-res-jb"), "cpu")


def test_metadata_is_kept_as_json(tmp_path: Path):
    models.write_sae(tmp_path, "standard", metadata={"seqpos_slice": [None], "deep": {"a": [1, 2.5, "x"]}})
    metadata = opened(tmp_path).facts.metadata
    assert json.loads(json.dumps(metadata)) == metadata
    assert metadata["deep"] == {"a": [1, 2.5, "x"]}
    assert metadata["seqpos_slice"] == [None]
