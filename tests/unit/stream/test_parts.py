"""Encoding a few features at a time shows nowhere: the pass over parts equals the pass over the whole."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch

from atlas.errors import InputError
from atlas.sources.saes.base import Separable
from atlas.store import AtlasStore
from atlas.stream import plan as plan_module
from atlas.stream.batches import ContextBatch
from atlas.stream.plan import Tile, pass_shape, plan_pass
from atlas.stream.run import stream_activations
from atlas.stream.sae_pass import SaePass
from tests.support.fakes import TEXTS, FakeCorpus, FakeEngine, FakeSae, site_config

WIDTH = 7


class FakeParts(FakeSae):
    """`FakeSae`, which can be encoded a few features at a time."""

    separable = True

    def encode_parts(self, activations: torch.Tensor, width: int) -> Iterator[torch.Tensor]:
        # Cut from the whole, so that every bit is equal.
        whole = self.encode(activations)
        for start in range(0, self.facts.d_sae, width):
            self.widths.append(width)
            yield whole[:, start : start + width]

    def __init__(self) -> None:
        super().__init__()
        self.widths: list[int] = []


class FakeWhole(FakeParts):
    """Has parts to offer, but says that its features depend on each other."""

    separable = False


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_module, "MIN_PART", WIDTH)
    monkeypatch.setattr(plan_module, "CPU_TILE_BYTES", 1)
    monkeypatch.setattr(plan_module, "TILE_TOKENS", 32)


def run(folder: Path, sae: FakeSae) -> dict[str, str]:
    """File name → hash of every table."""
    store = AtlasStore.create(folder)
    with store.lock():
        stream_activations(store, site_config(), FakeEngine(), [sae], FakeCorpus(TEXTS))
    return {
        str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.parquet"))
    }


def pass_of(sae: FakeSae) -> SaePass:
    plan = plan_pass(site_config(), FakeEngine(), [sae])
    return SaePass(sae, plan, pass_shape(site_config(), plan, sae.facts.d_sae, 258))


def contexts(n_contexts: int = 4) -> ContextBatch:
    shape = (n_contexts, 16)
    return ContextBatch(
        token_ids=np.arange(n_contexts * 16, dtype=np.int32).reshape(shape),
        document_idx=np.zeros(shape, np.int32),
        source_idx=np.zeros(shape, np.int16),
        context_idx=np.arange(n_contexts, dtype=np.int64),
        counted=np.ones(shape, np.bool_),
    )


def test_parts_do_not_show(tmp_path: Path):
    sae = FakeParts()
    assert run(tmp_path / "a", sae) == run(tmp_path / "b", FakeSae())
    assert isinstance(sae, Separable)
    assert set(sae.widths) == {WIDTH}


def test_what_is_not_separable_is_encoded_whole():
    sae = FakeWhole()
    whole = pass_of(sae)
    whole.update(contexts(), torch.randn(4, 16, 8, generator=torch.Generator().manual_seed(0)))
    assert sae.widths == []
    assert sae.encoded == [16] * 4


def test_padding_contexts_are_not_encoded():
    sae = FakeParts()
    parts = pass_of(sae)
    parts.update(contexts(1), torch.randn(4, 16, 8, generator=torch.Generator().manual_seed(0)))
    assert parts.totals.n_contexts == 1
    assert len(sae.widths) == -(-24 // WIDTH)


@pytest.mark.parametrize("feature", [0, WIDTH - 1, WIDTH, 23])
def test_the_feature_that_is_not_finite_is_named_by_its_own_number(feature: int):
    sae = FakeParts()
    sae.b_enc[feature] = float("inf")
    with pytest.raises(InputError, match=f"feature {feature} has an activation that is not finite"):
        pass_of(sae).update(contexts(), torch.zeros(4, 16, 8))


def test_reconstruction_sees_what_fired_in_every_part():
    """One context by hand: the sums of squared errors against the decoder's own answer."""
    sae = FakeParts()
    inputs = torch.randn(4, 16, 8, generator=torch.Generator().manual_seed(1))
    found = pass_of(sae)
    found.update(contexts(), inputs)
    state = found.reconstruction.state()
    assert state["context_idx"].tolist() == [0, 1, 2, 3]
    plain = pass_of(FakeSae())
    plain.update(contexts(), inputs)
    for name, array in plain.reconstruction.state().items():
        np.testing.assert_array_equal(state[name], array)
    outputs = sae.decode(sae.encode(inputs[2])).double().numpy()
    error = ((inputs[2].double().numpy() - outputs) ** 2).sum()
    assert any(np.isclose(value, error) for value in np.ravel(state["sums"][2]))


def test_tiles_are_as_planned():
    plan = plan_pass(site_config(), FakeEngine(), [FakeSae()])
    assert plan_module.tile_of(plan, 24, separable=True) == Tile(2, WIDTH)
    assert plan_module.tile_of(plan, 24, separable=False) == Tile(1, 24)
