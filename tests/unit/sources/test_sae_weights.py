"""The weights an SAE hands out: exactly those it encodes and decodes with, for every architecture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from atlas.sources.saes.base import SaeWeights
from tests.support import models
from tests.unit.sources.test_sae_encode import VARIANTS, inputs, name_of, opened

Case = tuple[str, dict[str, Any], models.Weights, Path]


@pytest.fixture(params=VARIANTS, ids=name_of)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    architecture, changes = request.param
    config = models.sae_config(architecture, **changes)
    weights = models.sae_weights(architecture, d_out=config.get("d_out"), seed=3)
    return architecture, config, weights, models.write_sae(tmp_path, architecture, weights=weights, **changes)


def seen(config: dict[str, Any], weights: models.Weights, x: np.ndarray) -> np.ndarray:
    """The input as the encoder sees it."""
    prepared = models.prepare(config, x.astype(np.float64))
    return prepared - weights["b_dec"] if config["apply_b_dec_to_input"] else prepared


def activations_of(found: SaeWeights, x: np.ndarray, k: int | None) -> np.ndarray:
    """What the documentation of `SaeWeights` says activations are."""
    assert found.W_enc is not None
    assert found.b_enc is not None
    hidden = x @ found.W_enc.double().numpy() + found.b_enc.double().numpy()
    least = 0.0 if found.threshold is None else found.threshold.double().numpy()
    fires = hidden > least
    if k is not None:
        fires &= hidden >= np.sort(hidden, axis=-1)[:, -k, None]
    return np.where(fires, hidden, 0)


def test_activations_follow_from_the_weights_as_documented(case: Case):
    architecture, config, weights, folder = case
    coder = opened(folder)
    x = inputs(seed=11)
    found = coder.weights()
    if architecture == "matching_pursuit":
        assert (found.W_enc, found.b_enc, found.threshold) == (None, None, None)
        return
    expected = activations_of(found, seen(config, weights, x.numpy()), config.get("k"))
    np.testing.assert_allclose(coder.encode(x).numpy(), expected, rtol=1e-4, atol=1e-5)


def test_the_tensors_are_plain(case: Case):
    *_, folder = case
    found = opened(folder).weights()
    for value in vars(found).values():
        if value is not None:
            assert (value.dtype, value.device.type, value.requires_grad) == (torch.float32, "cpu", False)


def test_only_jumprelu_and_gated_learn_a_threshold(case: Case):
    architecture, _, weights, folder = case
    found = opened(folder).weights().threshold
    if architecture == "gated":
        assert found is not None
        expected = weights["b_mag"] - np.exp(weights["r_mag"]) * weights["b_gate"]
        np.testing.assert_allclose(found.numpy(), np.maximum(expected, 0), rtol=1e-5, atol=1e-6)
    elif architecture.startswith("jumprelu"):
        assert found is not None
        np.testing.assert_array_equal(found.numpy(), np.maximum(weights["threshold"], 0))
    else:
        assert found is None


def test_without_rescaling_the_weights_are_those_of_the_file(case: Case):
    architecture, config, weights, folder = case
    found = opened(folder).weights()
    np.testing.assert_array_equal(found.b_dec.numpy(), weights["b_dec"])
    if config.get("rescale_acts_by_decoder_norm"):
        np.testing.assert_allclose(found.W_dec.norm(dim=1).numpy(), 1, rtol=1e-6)
        return
    np.testing.assert_array_equal(found.W_dec.numpy(), weights["W_dec"])
    if architecture not in {"gated", "matching_pursuit"}:
        assert found.W_enc is not None
        assert found.b_enc is not None
        np.testing.assert_array_equal(found.W_enc.numpy(), weights["W_enc"])
        np.testing.assert_array_equal(found.b_enc.numpy(), weights["b_enc"])


def test_what_one_feature_adds_to_the_reconstruction(case: Case):
    architecture, config, weights, folder = case
    coder = opened(folder)
    x = inputs(20, seed=12)
    activations = coder.encode(x)
    scale = coder.output_scale(x)
    assert scale.shape == (20, 1)
    directions = coder.weights().W_dec
    for feature in np.flatnonzero(activations.numpy().any(axis=0))[:5].tolist():
        without = activations.numpy().copy()
        without[:, feature] = 0
        parts = [
            models.reconstruct(architecture, config, weights, x.numpy(), values)
            for values in (activations.numpy(), without)
        ]
        mine = (activations[:, feature, None] * scale * directions[feature]).numpy()
        np.testing.assert_allclose(mine, parts[0] - parts[1], rtol=1e-4, atol=1e-5)


def test_an_input_scale_is_folded_into_the_weights(tmp_path: Path):
    weights = models.sae_weights("standard", seed=8)
    folder = models.write_sae(
        tmp_path, "standard", weights=weights, normalize_activations="expected_average_only_in"
    )
    coder = opened(folder, norm_scaling_factor=2.5)
    found = coder.weights()
    assert found.W_enc is not None
    np.testing.assert_allclose(found.W_enc.numpy(), weights["W_enc"] * 2.5, rtol=1e-6)
    np.testing.assert_allclose(found.W_dec.numpy(), weights["W_dec"] / 2.5, rtol=1e-6)
    np.testing.assert_allclose(found.b_dec.numpy(), weights["b_dec"] / 2.5, rtol=1e-6)
    assert torch.equal(coder.output_scale(inputs(3)), torch.ones(3, 1))


def test_centring_leaves_the_weights_and_the_scale_alone(tmp_path: Path):
    metadata = {"model_from_pretrained_kwargs": {"center_writing_weights": True}}
    centred = opened(models.write_sae(tmp_path / "a", "standard", seed=1, metadata=metadata))
    plain = opened(models.write_sae(tmp_path / "b", "standard", seed=1))
    assert "centring" in centred.facts.folds
    for mine, other in zip(vars(centred.weights()).values(), vars(plain.weights()).values(), strict=True):
        assert (mine is None and other is None) or torch.equal(mine, other)
    assert torch.equal(centred.output_scale(inputs(3)), torch.ones(3, 1))


def test_reading_the_weights_changes_nothing(case: Case):
    *_, folder = case
    coder = opened(folder)
    x = inputs(seed=13)
    before = coder.encode(x)
    first = coder.weights()
    second = coder.weights()
    for one, other in zip(vars(first).values(), vars(second).values(), strict=True):
        assert (one is None and other is None) or torch.equal(one, other)
    assert torch.equal(coder.encode(x), before)
