"""SAEs that reconstruct given activations well, made without training."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.support import models


def fitted(
    architecture: str, config: dict[str, Any], inputs: np.ndarray, targets: np.ndarray | None = None
) -> models.Weights:
    """Weights for `inputs` [n, d_in] (and for a transcoder `targets` [n, d_out]).

    The dictionary is made of inputs, less their mean, with which every input is compared; the decoder is
    the best one for what then fires.
    """
    d_in, d_sae = config["d_in"], config["d_sae"]
    rng = np.random.default_rng(0)
    inputs = models.prepare(config, inputs.astype(np.float64))
    targets = inputs if targets is None else targets.astype(np.float64)
    centre = inputs.mean(axis=0)
    rows = inputs[rng.choice(len(inputs), d_sae, replace=len(inputs) < d_sae)] - centre
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    spread = float(np.linalg.norm(inputs - centre, axis=1).mean())
    weights = models.sae_weights(architecture, d_in, d_sae, d_out=targets.shape[1])
    weights |= {"W_enc": rows.T, "W_dec": rows * 0.3, "b_enc": np.full(d_sae, -0.15 * spread)}
    weights["b_dec"] = targets.mean(axis=0)
    if not config["apply_b_dec_to_input"]:
        weights["b_enc"] -= centre @ rows.T
    if architecture == "gated":
        del weights["b_enc"]
        weights |= {"b_gate": np.full(d_sae, -0.2 * spread), "b_mag": np.full(d_sae, -0.1 * spread)}
        weights["r_mag"] = np.full(d_sae, 0.1)
    if architecture.startswith("jumprelu"):
        weights["threshold"] = np.full(d_sae, 0.1 * spread)
    if architecture == "matching_pursuit":
        del weights["W_enc"], weights["b_enc"]
        weights["W_dec"] = rows
    elif not config.get("rescale_acts_by_decoder_norm"):
        fires = models.encode(architecture, config, weights, _unprepared(config, inputs))
        ridge = fires.T @ fires + 1e-3 * len(inputs) * np.eye(d_sae)
        weights["W_dec"] = np.linalg.solve(ridge, fires.T @ (targets - weights["b_dec"]))
    return {name: value.astype(np.float32) for name, value in weights.items()}


def _unprepared(config: dict[str, Any], inputs: np.ndarray) -> np.ndarray:
    """`inputs`, which are prepared already, for a function that prepares again: that changes nothing."""
    assert np.allclose(models.prepare(config, inputs), inputs, rtol=1e-3, atol=1e-4)
    return inputs
