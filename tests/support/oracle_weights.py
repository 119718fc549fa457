"""What weights and ablations say, from the definitions, in float64: weights, logits, neighbours, effects.

The weights are those of the SAE as sae-lens loads it, and of the Hugging Face model.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from tests.support.compare import differences

Array = np.ndarray

COLUMNS: dict[str, set[str]] = {
    "weights": {
        "feature_idx", "encoder_norm", "decoder_norm", "encoder_decoder_cosine", "encoder_bias", "threshold",
        "neuron_alignment", "top_neurons",
    },
    "logits": {
        "feature_idx", "positive_logits", "negative_logits", "logit_histogram", "logit_kurtosis",
        "logit_skew", "raw_positive_logits", "raw_negative_logits",
    },
    "neighbours": {"feature_idx", "neighbours"},
    "effects": {"feature_idx", "rank", "effects", "raised", "lowered"},
}  # fmt: skip
"""Table → the columns that are computed here; rows with others are refused."""


def as_array(value: Any) -> Array:
    """A parameter in float64."""
    return value.detach().double().numpy()


def decoder(sae: Any) -> Array:
    """[d_sae, d_out] what one unit of activation writes: a row of W_dec, of length 1 where rescaled."""
    directions = as_array(sae.W_dec)
    if getattr(sae.cfg, "rescale_acts_by_decoder_norm", False):
        directions = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    return directions


def encoder(sae: Any) -> tuple[Array, Array, Array | None] | None:
    """(directions [d_sae, d_in], biases, thresholds or None): a feature's sum is `x · direction + bias`.

    None for matching pursuit. A gated SAE opens where x · w + b_gate > 0, and what comes out is
    exp(r_mag) x · w + b_mag: so it is open where that sum is above b_mag - exp(r_mag) b_gate.
    """
    architecture = sae.cfg.architecture()
    if architecture == "matching_pursuit":
        return None
    directions = as_array(sae.W_enc).T
    if architecture == "gated":
        factor, gate, bias = np.exp(as_array(sae.r_mag)), as_array(sae.b_gate), as_array(sae.b_mag)
        return directions * factor[:, None], bias, np.maximum(bias - factor * gate, 0)
    bias = as_array(sae.b_enc)
    if getattr(sae.cfg, "rescale_acts_by_decoder_norm", False):
        length = np.linalg.norm(as_array(sae.W_dec), axis=1)
        directions, bias = directions * length[:, None], bias * length
    threshold = np.maximum(as_array(sae.threshold), 0) if architecture.startswith("jumprelu") else None
    return directions, bias, threshold


def weights(sae: Any) -> list[dict[str, Any]]:
    """Every row of the table weights."""
    found = encoder(sae)
    rows = []
    for feature, direction in enumerate(decoder(sae)):
        length = math.sqrt(sum(value * value for value in direction))
        row: dict[str, Any] = {"feature_idx": feature, "decoder_norm": length}
        row |= dict.fromkeys(("encoder_norm", "encoder_decoder_cosine", "encoder_bias", "threshold"))
        if found is not None:
            own = found[0][feature]
            row["encoder_norm"] = math.sqrt(sum(value * value for value in own))
            row["encoder_bias"] = float(found[1][feature])
            row["threshold"] = None if found[2] is None else float(found[2][feature])
            if own.size == direction.size and length and row["encoder_norm"]:
                row["encoder_decoder_cosine"] = float(own @ direction) / (length * row["encoder_norm"])
        largest = sorted(range(direction.size), key=lambda d: (-abs(direction[d]), d))
        total = sum(abs(value) for value in direction)
        row["neuron_alignment"] = abs(direction[largest[0]]) / length if length else None
        row["top_neurons"] = [
            {"dimension": d, "value": float(direction[d]), "share": float(abs(direction[d]) / total)}
            for d in largest[:5]
            if direction[d]
        ]
        rows.append(row)
    return rows


def logit_effects(sae: Any, model: Any, n_tokens: int, *, raw: bool = False) -> Array:
    """[d_sae, n_tokens] change of each token's logit per unit of activation, for a model with LayerNorm.

    Raw: W_dec · W_U. Otherwise through the linear part of the final norm (mean removed, times its scale),
    less the mean over the tokens of the tokenizer.
    """
    W_U = as_array(model.lm_head.weight).T[:, :n_tokens]
    directions = decoder(sae)
    if raw:
        return directions @ W_U
    directions = directions - directions.mean(axis=1, keepdims=True)
    effects = (directions * as_array(model.transformer.ln_f.weight)) @ W_U
    return effects - effects.mean(axis=1, keepdims=True)


def moments(effects: Array) -> tuple[float | None, float | None]:
    """(skewness, excess kurtosis) over all values; None where they are all equal."""
    centred = effects - effects.mean()
    second = (centred**2).mean()
    if not second:
        return None, None
    return float((centred**3).mean() / second**1.5), float((centred**4).mean() / second**2 - 3)


def ranked_problems(
    found: list[dict[str, Any]], effects: Array, count: int, where: str, *, lowest: bool = False
) -> Iterator[str]:
    """What is wrong with `found` as the `count` tokens of largest (or lowest) effect.

    Two tokens whose effects differ by rounding alone may stand in either order.
    """
    ordered = np.sort(effects)[:count] if lowest else np.sort(effects)[::-1][:count]
    values = [entry["value"] for entry in found]
    yield from differences(values, [float(value) for value in ordered], where, absolute=1e-6)
    own = [float(effects[entry["token_id"]]) for entry in found]
    yield from differences(values, own, f"{where} of its tokens", absolute=1e-6)
    if len({entry["token_id"] for entry in found}) != len(found) or any(entry["count"] for entry in found):
        yield f"{where}: {found}"


def histogram_problems(found: list[dict[str, Any]], effects: Array, where: str) -> Iterator[str]:
    """What is wrong with `found` as a histogram of `effects` in 50 equally wide bins over their range."""
    low, high = float(effects.min()), float(effects.max())
    width = (high - low) / 50
    if sum(entry["count"] for entry in found) != effects.size:
        yield f"{where}: {sum(entry['count'] for entry in found)} effects of {effects.size}"
    for entry in found:
        number = round((entry["lower"] - low) / width)
        edges = [low + number * width, low + (number + 1) * width]
        yield from differences([entry["lower"], entry["upper"]], edges, where, absolute=1e-5 * (high - low))
        # A value at an edge falls to either side by rounding.
        slack = 1e-6 * (high - low)
        surely = int(((effects >= edges[0] + slack) & (effects < edges[1] - slack)).sum())
        maybe = int(((effects >= edges[0] - slack) & (effects <= edges[1] + slack)).sum())
        if not surely <= entry["count"] <= maybe or not entry["count"]:
            yield f"{where}: {entry}, but {surely} to {maybe} effects lie there"


def logits_problems(
    rows: list[dict[str, Any]], sae: Any, model: Any, *, count: int, n_tokens: int
) -> list[str]:
    """What is wrong with the rows of the table logits."""
    effects, raw = logit_effects(sae, model, n_tokens), logit_effects(sae, model, n_tokens, raw=True)
    problems: list[str] = []
    if [row["feature_idx"] for row in rows] != list(range(len(effects))):
        problems.append("not one row per feature")
    for feature, row in enumerate(rows):
        if row.keys() != COLUMNS["logits"]:
            problems.append(f"columns {sorted(row)}")
            continue
        for prefix, values in (("", effects[feature]), ("raw_", raw[feature])):
            for side, lowest in (("positive", False), ("negative", True)):
                name = f"{prefix}{side}_logits"
                problems += ranked_problems(
                    row[name], values, count, f"{name} of feature {feature}", lowest=lowest
                )
        problems += histogram_problems(row["logit_histogram"], effects[feature], f"histogram of {feature}")
        skew, kurtosis = moments(effects[feature])
        found = [row["logit_skew"], row["logit_kurtosis"]]
        problems += differences(found, [skew, kurtosis], f"moments of {feature}", absolute=1e-5)
    return problems


def neighbours_problems(rows: list[dict[str, Any]], sae: Any, count: int) -> list[str]:
    """What is wrong with the rows of the table neighbours: the largest cosines of decoder directions."""
    directions = decoder(sae)
    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    problems: list[str] = []
    for feature, row in enumerate(rows):
        if row.keys() != COLUMNS["neighbours"] or row["feature_idx"] != feature:
            problems.append(f"row {feature}: {row}")
            continue
        cosines = {
            other: float(unit[feature] @ unit[other]) for other in range(len(unit)) if other != feature
        }
        best = sorted(cosines.values(), reverse=True)[:count]
        values = [entry["value"] for entry in row["neighbours"]]
        own = [cosines[entry["feature_idx"]] for entry in row["neighbours"]]
        for wanted in (best, own):
            problems += differences(values, wanted, f"neighbours of {feature}", absolute=1e-6)
    return problems


# --- ablation --------------------------------------------------------------------------------------


def contributions(sae: Any, inputs: torch.Tensor, feature: int) -> tuple[torch.Tensor, torch.Tensor]:
    """([size] activations of a feature on one context, [size, d_out] what sae-lens' decoder adds for it)."""
    with torch.no_grad():
        activations = sae.encode(inputs)
        whole = sae.decode(activations)
        # The encoder remembers the norms of its inputs, once, for the decoder.
        without = sae.encode(inputs)
        without[:, feature] = 0
        return activations[:, feature], whole - sae.decode(without)


def unit_of_output(sae: Any, inputs: torch.Tensor) -> float:
    """How many decoder directions one unit of activation writes for `inputs` [d_in]: 1 unless normalised."""
    x = inputs.double()
    if sae.cfg.normalize_activations == "layer_norm":
        return float((x - x.mean()).std())
    if sae.cfg.normalize_activations == "constant_norm_rescale":
        return float(x.norm() / x.numel() ** 0.5)
    return 1.0


def effect_problems(
    row: dict[str, Any],
    example: dict[str, Any],
    *,
    plain: torch.Tensor,
    ablated: torch.Tensor,
    token_ids: Array,
    direct: Array,
) -> list[str]:
    """What is wrong with a row of the table effects about `example`.

    `plain` and `ablated` are the logits [size, vocabulary] of its whole context `token_ids` [size] with and
    without the feature; `direct` [tokens] is what the feature does to each logit by the direct path alone.
    """
    where = f"feature {row['feature_idx']}, example {row['rank']}"
    if row.keys() != COLUMNS["effects"]:
        return [f"{where}: columns {sorted(row)}"]
    tolerance = {"relative": 1e-3, "absolute": 2e-5}
    plain, ablated = plain.double(), ablated.double()
    worse = (plain.log_softmax(-1) - ablated.log_softmax(-1)).numpy()
    first = example["position"] - example["peak"]
    shown = range(first, first + len(example["token_ids"]))
    wanted = [None if place == 0 else float(worse[place - 1, token_ids[place]]) for place in shown]
    problems = list(differences(row["effects"], wanted, f"effects of {where}", **tolerance))
    measured = (plain - ablated)[example["position"], : direct.size].numpy()
    measured = measured - measured.mean()
    for name, ordered in (("raised", np.sort(measured)[::-1]), ("lowered", np.sort(measured))):
        tokens = [entry["token_id"] for entry in row[name]]
        found = [entry["measured"] for entry in row[name]]
        for values in (measured[tokens], ordered[: len(tokens)]):
            problems += differences(found, values.tolist(), f"{name} of {where}", **tolerance)
        found = [entry["direct"] for entry in row[name]]
        problems += differences(found, direct[tokens].tolist(), f"direct, {name} of {where}", **tolerance)
    return problems
