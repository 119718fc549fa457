"""The other families that the engine knows: each is exported, or this file says which is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from atlas.export.onnx.trunk import MASKS
from atlas.sources.engines.families import FAMILIES as KNOWN
from tests.support import exported as support
from tests.support import models
from tests.support.exported import Exported, layers, off, open_engine, steering_of, token_ids, write_kind

pytestmark = pytest.mark.slow

CLOSE = 1e-4
OTHERS = ("gpt_neo", "gpt_neox_serial", "mistral", "qwen3", "gemma", "gemma3_text", "gemma3")
SLUG = "normed-jumprelu"


def written(folder: Path, family: str) -> Path:
    if family != "gemma3":
        return models.write_model(folder, family, **layers(family))
    # The larger Gemma 3 come with a vision part.
    torch.manual_seed(0)
    settings = models.FAMILIES["gemma3_text"][1] | layers("gemma3_text")
    models.several_parts(settings).save_pretrained(folder)
    return models.write_tokenizer(folder)


@pytest.mark.parametrize("family", OTHERS)
def test_steered_token_by_token(tmp_path: Path, family: str):
    engine = open_engine(written(tmp_path / family, family))
    sae = write_kind(tmp_path, SLUG, engine)
    made = Exported(engine, {SLUG: sae})
    hook = sae.facts.hook_name
    assert hook == support.MIDDLE

    ids = token_ids(2, 19)
    values = engine.activations(torch.from_numpy(ids), [hook])[hook]
    coded = sae.encode(values.flatten(0, 1)).unflatten(0, values.shape[:2])
    assert off(made.activations(SLUG, ids), coded.numpy()) <= CLOSE

    feature = int(coded.mean((0, 1)).argmax())
    direction = sae.weights().W_dec[feature]
    scale = sae.output_scale(values.flatten(0, 1)).unflatten(0, values.shape[:2])
    ablated = values - coded[..., [feature]] * scale * direction
    expected = engine.logits(torch.from_numpy(ids), {hook: lambda _value: ablated}).numpy()
    assert np.abs(expected - engine.logits(torch.from_numpy(ids)).numpy()).max() > 1e-3

    past, start = None, 0
    for stop in (12, 13, 19):
        piece = ids[:, start:stop]
        past = made.steer(SLUG, piece, steering_of(piece, [feature], direction[None], clamp=1.0), past)
        assert off(past["logits"], expected[:, stop - 1]) <= CLOSE, stop
        start = stop


def test_every_known_family_is_tried():
    assert set(MASKS) == set(KNOWN)
    assert {*support.FAMILIES, *OTHERS} - {"gpt_neox_serial"} == set(MASKS)
