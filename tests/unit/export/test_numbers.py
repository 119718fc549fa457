"""The exported graphs compute what torch computes: every family with every kind of SAE."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from tests.support import models
from tests.support.exported import (
    FAMILIES,
    KINDS,
    Exported,
    nothing,
    off,
    steering_of,
    token_ids,
)

pytestmark = pytest.mark.slow

Array = np.ndarray
CLOSE = 1e-4
SHAPES = ((1, 1), (2, 9), (3, 24), (1, 40))
"""Batch and sequence; the sliding window of Gemma 2 here is 8."""
FEATURES = [3, 17, 4]
MEDDLING = {"add": [0.0, 1.5, -0.7], "target": [2.0, 0.0, 3.0], "clamp": [1.0, 0.0, 1.0]}


@pytest.fixture(params=FAMILIES)
def exported(request: pytest.FixtureRequest, export_of: Callable[[str], Exported]) -> Exported:
    return export_of(request.param)


@pytest.fixture(params=KINDS)
def slug(request: pytest.FixtureRequest) -> str:
    return request.param


def read(exported: Exported, slug: str, ids: Array) -> torch.Tensor:
    """[batch, sequence, d_in] what the SAE reads, by torch."""
    hook = exported.saes[slug].facts.hook_name
    return exported.engine.activations(torch.from_numpy(ids), [hook])[hook]


def encoded(sae: Any, values: torch.Tensor) -> torch.Tensor:
    return sae.encode(values.flatten(0, 1)).unflatten(0, values.shape[:2])


def steered_logits(exported: Exported, slug: str, ids: Array, steering: dict[str, Array]) -> torch.Tensor:
    """[batch, sequence, vocabulary] by torch, from what steering means."""
    sae = exported.saes[slug]
    given = {name: torch.from_numpy(value) for name, value in steering.items()}
    values = read(exported, slug, ids)
    measured = encoded(sae, values)
    scale = sae.output_scale(values.flatten(0, 1)).unflatten(0, values.shape[:2])

    def change(value: torch.Tensor) -> torch.Tensor:
        new = value.clone()
        for number, feature in enumerate(given["features"].tolist()):
            gap = given["target"][number] - measured[..., feature]
            amount = given["clamp"][number] * gap + given["add"][number]
            amount = amount * given["mask"] * scale[..., 0]
            new += amount[..., None] * given["directions"][number]
        return new

    written = sae.facts.hook_name_out or sae.facts.hook_name
    return exported.engine.logits(torch.from_numpy(ids), {written: change})


def own_directions(exported: Exported, slug: str, features: list[int]) -> Array:
    return exported.saes[slug].weights().W_dec[features].numpy()


def test_activations(exported: Exported, slug: str):
    for rows, length in SHAPES:
        ids = token_ids(rows, length, seed=length)
        expected = encoded(exported.saes[slug], read(exported, slug, ids)).numpy()
        found = exported.activations(slug, ids)
        assert found.dtype == np.float32
        assert found.shape == expected.shape
        assert off(found, expected) <= CLOSE, (rows, length)
        assert np.array_equal(found > 0, expected > 0), (rows, length)
    # Neither silent nor always on, or agreement would mean little.
    assert 0.02 < np.mean(expected > 0) < 0.9


def test_activations_are_those_of_the_definitions(exported: Exported, slug: str):
    """Against the definitions in float64, apart from atlas' own encoder."""
    from safetensors.numpy import load_file

    sae = exported.saes[slug]
    if sae.facts.folds:
        return
    architecture, _, changes = KINDS[slug]
    weights = load_file(f"{sae.facts.source['folder']}/sae_weights.safetensors")
    config = models.sae_config(architecture, **{k: v for k, v in changes.items() if k != "metadata"})
    ids = token_ids(2, 11)
    values = read(exported, slug, ids).flatten(0, 1).numpy()
    expected = models.encode(architecture, config, weights, values)
    assert off(exported.activations(slug, ids).reshape(expected.shape), expected) <= CLOSE


def test_no_steering_is_the_model(exported: Exported, slug: str):
    for rows, length in SHAPES:
        ids = token_ids(rows, length, seed=length)
        steering = nothing(ids, exported.graphs(slug).d_out)
        found = exported.steer(slug, ids, steering)
        expected = exported.engine.logits(torch.from_numpy(ids))[:, -1].numpy()
        assert found["logits"].shape == (rows, models.MODEL_VOCABULARY)
        assert off(found["logits"], expected) <= CLOSE, (rows, length)
        assert off(found["measured"], exported.activations(slug, ids)[..., [0]]) <= CLOSE


def test_steering(exported: Exported, slug: str):
    """Several features at once, set and added to, where the mask says."""
    directions = own_directions(exported, slug, FEATURES)
    for rows, length in SHAPES:
        ids = token_ids(rows, length, seed=length)
        mask = np.random.default_rng(1).integers(0, 2, ids.shape)
        mask[:, -1] = 1
        steering = steering_of(ids, FEATURES, directions, mask=mask, **MEDDLING)
        found = exported.steer(slug, ids, steering)
        expected = steered_logits(exported, slug, ids, steering)[:, -1].numpy()
        assert off(found["logits"], expected) <= CLOSE, (rows, length)
        assert off(found["measured"], exported.activations(slug, ids)[..., FEATURES]) <= CLOSE
    plain = exported.engine.logits(torch.from_numpy(ids))[:, -1].numpy()
    assert np.abs(expected - plain).max() > 0.01


def test_pieces_with_a_cache_are_the_whole(exported: Exported, slug: str):
    """A prompt and then token by token, steered all the way, is one long run of torch."""
    ids = token_ids(2, 21)
    directions = own_directions(exported, slug, FEATURES)
    whole = steering_of(ids, FEATURES, directions, **MEDDLING)
    expected = steered_logits(exported, slug, ids, whole).numpy()
    at_once = exported.steer(slug, ids, whole)
    past, start = None, 0
    for stop in (9, 10, 11, 16, 21):
        piece = ids[:, start:stop]
        past = exported.steer(slug, piece, steering_of(piece, FEATURES, directions, **MEDDLING), past)
        assert off(past["logits"], expected[:, stop - 1]) <= CLOSE, stop
        assert off(past["measured"], at_once["measured"][:, start:stop]) <= CLOSE, stop
        start = stop
    for name, value in at_once.items():
        if name.startswith("present_"):
            assert value.shape[2] == 21
            assert off(past[name], value) <= CLOSE, name
