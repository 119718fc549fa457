"""The nodes of an encoder and of steering alone, against their definitions in float64: no model is traced."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from atlas.export.onnx.encoder import Encoder
from atlas.export.onnx.steer import steering, steering_inputs
from atlas.export.onnx.surgery import Draft, Port
from atlas.sources.saes.base import EncoderSteps, SaeWeights
from tests.support.exported import run_draft

Array = np.ndarray
D_IN, D_SAE, D_OUT = 24, 60, 18
PLAIN = EncoderSteps(centred=False, normalisation="none", subtracts=False, k=0, scales_output=False)
STEPS: dict[str, EncoderSteps] = {
    "plain": PLAIN,
    "centred": replace(PLAIN, centred=True),
    "less b_dec": replace(PLAIN, subtracts=True),
    "layer norm": replace(PLAIN, normalisation="layer_norm", scales_output=True),
    "layer norm of a transcoder": replace(PLAIN, normalisation="layer_norm"),
    "constant norm": replace(PLAIN, normalisation="constant_norm_rescale", scales_output=True),
    "top k": replace(PLAIN, k=5, subtracts=True),
    "everything": EncoderSteps(
        centred=True, normalisation="constant_norm_rescale", subtracts=True, k=9, scales_output=True
    ),
}
VALUE = Port("value", ("batch", "sequence", D_IN))


def weights(*, threshold: bool = False) -> SaeWeights:
    random = torch.Generator().manual_seed(4)

    def some(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=random)

    return SaeWeights(
        W_enc=some(D_IN, D_SAE) / D_IN**0.5,
        W_dec=some(D_SAE, D_IN),
        b_enc=0.3 * some(D_SAE),
        threshold=some(D_SAE).clamp(min=0) if threshold else None,
        b_dec=0.5 * some(D_IN),
    )


def values(seed: int = 0) -> Array:
    random = np.random.default_rng(seed)
    return (1.5 + 2 * random.normal(size=(2, 7, D_IN))).astype(np.float32)


def by_definition(steps: EncoderSteps, given: SaeWeights, value: Array) -> tuple[Array, Array]:
    """Activations of all features and the scale of the output, as `EncoderSteps` and `SaeWeights` say."""
    x = value.astype(np.float64)
    scale = np.ones((*x.shape[:-1], 1))
    if steps.centred:
        x = x - x.mean(-1, keepdims=True)
    if steps.normalisation == "layer_norm":
        x = x - x.mean(-1, keepdims=True)
        scale = x.std(-1, ddof=1, keepdims=True)
        x = x / (scale + 1e-5)
    if steps.normalisation == "constant_norm_rescale":
        scale = np.linalg.norm(x, axis=-1, keepdims=True) / D_IN**0.5
        x = x / scale
    if steps.subtracts:
        x = x - given.b_dec.double().numpy()
    assert given.W_enc is not None
    assert given.b_enc is not None
    hidden = x @ given.W_enc.double().numpy() + given.b_enc.double().numpy()
    threshold = 0 if given.threshold is None else given.threshold.double().numpy()
    fires = hidden > np.maximum(threshold, 0)
    if steps.k:
        fires &= hidden >= np.sort(hidden, axis=-1)[..., [-steps.k]]
    return np.where(fires, hidden, 0), scale if steps.scales_output else np.ones_like(scale)


@pytest.fixture(params=[False, True], ids=["zero", "threshold"])
def given(request: pytest.FixtureRequest) -> SaeWeights:
    return weights(threshold=request.param)


@pytest.fixture(params=STEPS)
def steps(request: pytest.FixtureRequest) -> EncoderSteps:
    return STEPS[request.param]


def test_all_features(steps: EncoderSteps, given: SaeWeights):
    encoder, draft = Encoder.of("sae", given, steps), Draft()
    encoder.all_features(draft, encoder.prepare(draft, "value").inputs, "activations")
    output = Port("activations", ("batch", "sequence", D_SAE))
    (found,) = run_draft(draft, [VALUE], [output], {"value": values()})
    expected, _ = by_definition(steps, given, values())
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert 0.05 < np.mean(found > 0) < 0.7
    if steps.k:
        assert np.max(np.count_nonzero(found, axis=-1)) <= steps.k


def test_some_features(steps: EncoderSteps, given: SaeWeights):
    """In any order, the same one twice, one alone."""
    encoder = Encoder.of("sae", given, steps)
    expected, _ = by_definition(steps, given, values())
    draft = Draft()
    encoder.some_features(draft, encoder.prepare(draft, "value").inputs, "features", "activations")
    ports = [VALUE, Port("features", ("k",), "int64")]
    output = Port("activations", ("batch", "sequence", "k"))
    for chosen in ([59, 0, 31, 7, 31], [12], list(range(D_SAE))):
        feed = {"value": values(), "features": np.array(chosen)}
        (found,) = run_draft(draft, ports, [output], feed)
        np.testing.assert_allclose(found, expected[..., chosen], rtol=1e-5, atol=1e-5)


def test_only_the_rows_of_some_features_are_multiplied():
    """No product with the whole encoder, unless which features fire depends on all."""
    for steps, whole in ((PLAIN, False), (STEPS["top k"], True)):
        encoder, draft = Encoder.of("sae", weights(), steps), Draft()
        encoder.some_features(draft, "value", "features", "activations")
        turned = {node.input[0] for node in draft.nodes if node.op_type == "Transpose"}
        assert ("sae.W_enc" in turned) == whole


def test_names_of_the_tensors():
    bare = Encoder.of("alpha", weights(), PLAIN)
    assert set(bare.named_tensors()) == {"alpha.W_enc", "alpha.b_enc"}
    full = Encoder.of("alpha", weights(threshold=True), STEPS["less b_dec"])
    assert set(full.named_tensors()) == {"alpha.W_enc", "alpha.b_enc", "alpha.threshold", "alpha.b_dec"}
    matrix = full.named_tensors()["alpha.W_enc"]
    assert matrix.shape == (D_SAE, D_IN)
    assert matrix.flags.c_contiguous
    assert np.array_equal(matrix.T, weights(threshold=True).W_enc)


def test_no_encoder_is_an_error():
    with pytest.raises(ValueError, match="SAE 'alpha' has no encoder"):
        Encoder.of("alpha", replace(weights(), W_enc=None), PLAIN)


# --- steering ------------------------------------------------------------------------------------


def steered(steps: EncoderSteps, given: SaeWeights, feed: dict[str, Any]) -> tuple[Array, Array]:
    """What is added, and what was measured, by onnxruntime."""
    draft = steering(Encoder.of("sae", given, steps), "value", "edit")
    ports = [Port("edit", ("batch", "sequence", D_OUT)), Port("measured", ("batch", "sequence", "k"))]
    edit, measured = run_draft(draft, [VALUE, *steering_inputs(D_OUT)], ports, feed)
    return edit, measured


def feed_of(features: list[int], **changes: Any) -> dict[str, Any]:
    random = np.random.default_rng(7)
    size = len(features)
    feed = {
        "value": values(),
        "features": np.array(features),
        "directions": random.normal(size=(size, D_OUT)),
        "add": random.normal(size=size),
        "target": 3 * random.random(size),
        "clamp": np.arange(size) % 2,
        "mask": random.integers(0, 2, (2, 7)),
    }
    return {
        name: np.asarray(value, np.int64 if name == "features" else np.float32)
        for name, value in (feed | changes).items()
    }


def test_what_is_added(steps: EncoderSteps, given: SaeWeights):
    feed = feed_of([5, 40, 5, 22])
    edit, measured = steered(steps, given, feed)
    activations, scale = by_definition(steps, given, feed["value"])
    expected = np.zeros((2, 7, D_OUT))
    for number, feature in enumerate(feed["features"]):
        gap = feed["target"][number] - activations[..., feature]
        amount = feed["clamp"][number] * gap + feed["add"][number]
        expected += amount[..., None] * feed["directions"][number]
    expected *= scale * feed["mask"][..., None]
    np.testing.assert_allclose(measured, activations[..., feed["features"]], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(edit, expected, rtol=1e-4, atol=1e-4)


def test_nothing_is_added_where_nothing_is_asked():
    none = {"add": [0.0], "target": [9.0], "clamp": [0.0]}
    assert not steered(PLAIN, weights(), feed_of([3], **none))[0].any()
    assert not steered(PLAIN, weights(), feed_of([3], mask=np.zeros((2, 7))))[0].any()
    assert not steered(PLAIN, weights(), feed_of([3], directions=np.zeros((1, D_OUT))))[0].any()


def test_setting_a_feature_takes_away_what_it_wrote():
    """Clamped to zero: minus the activation times the direction; to itself: nothing."""
    ablated, measured = steered(
        PLAIN, weights(), feed_of([8], add=[0.0], target=[0.0], clamp=[1.0], mask=np.ones((2, 7)))
    )
    direction = feed_of([8])["directions"][0]
    assert measured.max() > 0.5
    np.testing.assert_allclose(ablated, -measured * direction, rtol=1e-5, atol=1e-6)


def test_adding_counts_in_units_of_the_output():
    """Where inputs are normalised, one unit of activation writes as many directions as the input is wide."""
    feed = feed_of([8], add=[1.0], target=[0.0], clamp=[0.0], mask=np.ones((2, 7)))
    _, scale = by_definition(STEPS["constant norm"], weights(), feed["value"])
    edit, _ = steered(STEPS["constant norm"], weights(), feed)
    np.testing.assert_allclose(edit, scale * feed["directions"][0], rtol=1e-5)
    plain, _ = steered(STEPS["layer norm of a transcoder"], weights(), feed)
    np.testing.assert_allclose(plain, np.broadcast_to(feed["directions"][0], plain.shape), rtol=1e-5)
