"""Many workers, each with some contexts, find together what one finds alone: bit for bit."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from atlas.sources.packing import pack
from atlas.store import AtlasStore
from atlas.stream.batches import ContextBatch, Mask, in_batches
from atlas.stream.contexts import ContextFiles
from atlas.stream.losses import Losses
from atlas.stream.plan import PassPlan, pass_shape, plan_pass
from atlas.stream.sae_pass import SaePass
from atlas.stream.tables import write_sae_tables
from tests.support.fakes import TEXTS, FakeCorpus, FakeEngine, FakeSae, site_config

CONFIG = site_config()


def plan_of(engine: FakeEngine) -> PassPlan:
    return plan_pass(CONFIG, engine, [FakeSae()])


def batches(engine: FakeEngine, size: int) -> list[ContextBatch]:
    plan = plan_of(engine)
    packing = pack(
        FakeCorpus(TEXTS), engine.tokens, context_size=plan.context_size, prepend_bos=True, token_budget=10**6
    )
    return list(in_batches(packing, size, Mask.of(CONFIG.stream.mask, engine.tokens.special_ids)))


def fresh(engine: FakeEngine) -> SaePass:
    sae = FakeSae()
    plan = plan_of(engine)
    return SaePass(sae, plan, pass_shape(CONFIG, plan, sae.facts.d_sae, 258))


def show(sae_pass: SaePass, engine: FakeEngine, batch: ContextBatch) -> None:
    token_ids = torch.from_numpy(batch.padded_token_ids(CONFIG.stream.batch_contexts))
    hook = sae_pass.sae.facts.hook_name
    sae_pass.update(batch, engine.activations(token_ids, [hook])[hook])


def worker(engine: FakeEngine, share: list[ContextBatch]) -> SaePass:
    found = fresh(engine)
    for batch in share:
        show(found, engine, batch)
    return found


def same(one: SaePass, other: SaePass) -> bool:
    mine, theirs = one.state(), other.state()
    return mine.keys() == theirs.keys() and all(
        mine[name].dtype == theirs[name].dtype and mine[name].tobytes() == theirs[name].tobytes()
        for name in mine
    )


@pytest.mark.parametrize("seed", range(4))
def test_any_share_of_the_batches(seed: int):
    engine = FakeEngine()
    rng = np.random.default_rng(seed)
    whole = worker(engine, batches(engine, 4))
    parts = batches(engine, int(rng.integers(1, 5)))
    owner = rng.integers(0, 3, len(parts))
    workers = [
        worker(engine, [part for part, o in zip(parts, owner, strict=True) if o == n]) for n in range(3)
    ]
    first, *others = (workers[number] for number in rng.permutation(3))
    for other in others:
        first.merge(other)
    assert same(whole, first)
    assert first.totals == whole.totals
    assert first.reconstruction.figures() == whole.reconstruction.figures()


def test_a_saved_worker_goes_on():
    engine = FakeEngine()
    parts = batches(engine, 4)
    whole = worker(engine, parts)
    for stop in range(len(parts)):
        state = {name: array.copy() for name, array in worker(engine, parts[:stop]).state().items()}
        resumed = fresh(engine)
        resumed.load(state)
        for batch in parts[stop:]:
            show(resumed, engine, batch)
        assert same(whole, resumed), stop


def tables(folder: Path, sae_pass: SaePass, parts: list[ContextBatch]) -> dict[str, list[str]]:
    """Hashes of the tables that `sae_pass` gives over the corpus of `parts`."""
    store = AtlasStore.create(folder)
    with ContextFiles(folder / ".scratch", 16, 258) as files:
        for part in parts:
            files.append(part.context_idx, part.token_ids, part.document_idx)
        write_sae_tables(
            store,
            sae_pass,
            files,
            losses=Losses("not measured here"),
            sample="all contexts",
            sources=("a", "b"),
        )
    return {key: [entry.sha256 for entry in value] for key, value in store.manifest.tables.items()}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    engine = FakeEngine()
    parts = batches(engine, 4)
    found = tables(tmp_path_factory.mktemp("alone") / "data", worker(engine, parts), parts)
    assert set(found) == {"fake/features", "fake/examples", "fake/report"}
    return found


@pytest.mark.parametrize("size", [4, 1])
@pytest.mark.parametrize("order", [*itertools.permutations(range(2)), *itertools.permutations(range(3))])
def test_the_tables_of_workers_merged_in_any_order_are_the_same_bytes(
    order: tuple[int, ...], size: int, tmp_path: Path, alone: dict[str, list[str]]
):
    """Every column of every table and every example, whoever saw which context."""
    engine = FakeEngine()
    parts = batches(engine, size)
    workers = [worker(engine, parts[number :: len(order)]) for number in range(len(order))]
    first, *others = (workers[number] for number in order)
    for other in others:
        first.merge(other)
    assert tables(tmp_path / "data", first, batches(engine, 4)) == alone


def test_a_worker_may_merge_what_others_have_merged(tmp_path: Path, alone: dict[str, list[str]]):
    engine = FakeEngine()
    parts = batches(engine, 2)
    a, b, c, nothing = (worker(engine, share) for share in (parts[2:], parts[:1], parts[1:2], []))
    b.merge(c)
    nothing.merge(b)
    a.merge(nothing)
    assert tables(tmp_path / "data", a, batches(engine, 4)) == alone


def test_a_context_that_nobody_saw_is_missed(tmp_path: Path, alone: dict[str, list[str]]):
    """The control: what is compared above does see a difference."""
    engine = FakeEngine()
    parts = batches(engine, 1)
    found = tables(tmp_path / "data", worker(engine, parts[1:]), batches(engine, 4))
    assert all(found[name] != alone[name] for name in alone)
