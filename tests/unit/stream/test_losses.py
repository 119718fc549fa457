"""What an SAE costs the model, from the definitions, on any shape of batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from atlas.config import MaskConfig, ModelConfig, SaeConfig
from atlas.sources.open import open_engine, open_sae
from atlas.sources.saes import tiles
from atlas.stream import losses as module
from atlas.stream.batches import Mask
from atlas.stream.contexts import ContextFiles
from atlas.stream.losses import Losses, measure_losses, put_in_place
from tests.support import models
from tests.support.fakes import BOS, HOOK, OTHER_HOOK, FakeEngine, FakeSae, packed_by_hand

SIZE = 16
TEXTS = {"a": "what is it that you have read in here, then?" * 2, "b": "nothing", "c": "x" * 40}


def stored(folder: Path, token_ids: np.ndarray) -> ContextFiles:
    files = ContextFiles(folder, token_ids.shape[1], 300)
    files.append(np.arange(len(token_ids)), token_ids.astype(np.int32), np.zeros_like(token_ids, np.int32))
    return files


@pytest.fixture
def token_ids() -> np.ndarray:
    found = packed_by_hand(TEXTS, SIZE)[0]
    assert (found == -1).any(), "the last context is padded"
    assert (found[:, 1:] == BOS).any(), "documents end inside contexts"
    return found


@pytest.fixture
def files(tmp_path: Path, token_ids: np.ndarray) -> Iterator[ContextFiles]:
    with stored(tmp_path, token_ids) as found:
        yield found


MASK = Mask.of(MaskConfig(), [BOS, 257])


def measure(
    files: ContextFiles, saes: Sequence[Any], n: int, tokens: int = 10**6, **options: Any
) -> list[Losses]:
    engine = options.pop("engine", None) or FakeEngine()
    return measure_losses(engine, saes, files, n, options.pop("mask", MASK), tokens, **options)


def by_hand(token_ids: np.ndarray, sae: FakeSae, counted: np.ndarray) -> dict[str, float]:
    """One context at a time, one token at a time, in float64; the fake model's logits written out."""
    engine = FakeEngine()
    sums: dict[str, list[float]] = {
        "ce_loss_without_sae": [], "ce_loss_with_sae": [], "ce_loss_with_ablation": [],
        "kl_div_with_sae": [], "kl_div_with_ablation": [],
    }  # fmt: skip
    written = sae.facts.hook_name_out or sae.facts.hook_name
    for row, counts in zip(torch.from_numpy(token_ids), counted, strict=True):
        first = engine.activations(row[None], [HOOK])[HOOK][0]
        read = first if sae.facts.hook_name == HOOK else first.flip(-1) * 2
        replaced = sae.decode(sae.encode(read))
        where = torch.from_numpy(counts)[:, None]
        streams = {"original": first, "sae": first, "zero": first}
        if written == HOOK:
            streams["sae"], streams["zero"] = torch.where(where, replaced, first), torch.zeros_like(first)
        ends = {name: stream.flip(-1) * 2 for name, stream in streams.items()}
        if written == OTHER_HOOK:
            ends["sae"] = torch.where(where, replaced, ends["original"])
            ends["zero"] = torch.zeros_like(first)
        logits = {name: (end @ engine.embedding.T).double() for name, end in ends.items()}
        p = {name: values.exp() / values.exp().sum(-1, keepdim=True) for name, values in logits.items()}
        for at in np.flatnonzero(counts):
            for name, other in (("kl_div_with_sae", "sae"), ("kl_div_with_ablation", "zero")):
                ratio = (p["original"][at] / p[other][at]).log()
                sums[name].append(float((p["original"][at] * ratio).sum()))
            following = int(row[at + 1]) if at + 1 < len(row) else -1
            if following < 0:
                continue
            for name, other in (("without_sae", "original"), ("with_sae", "sae"), ("with_ablation", "zero")):
                sums[f"ce_loss_{name}"].append(-float(p[other][at, following].log()))
    return {name: float(np.mean(values)) for name, values in sums.items()}


def assert_equal(found: Losses, wanted: dict[str, float]) -> None:
    assert {name: getattr(found, name) for name in wanted} == {
        name: pytest.approx(value, rel=1e-5, abs=1e-6) for name, value in wanted.items()
    }


@pytest.mark.parametrize(
    "sae",
    [
        FakeSae(),
        FakeSae(hook_name=OTHER_HOOK),
        FakeSae(hook_name_out=OTHER_HOOK),
    ],
    ids=["first hook", "second hook", "transcoder"],
)
def test_by_definition(files: ContextFiles, token_ids: np.ndarray, sae: FakeSae):
    counted = (token_ids >= 0) & (token_ids != BOS)
    (found,) = measure(files, [sae], len(token_ids))
    assert_equal(found, by_hand(token_ids, sae, counted))
    assert (found.n_contexts, found.n_tokens) == (len(token_ids), counted.sum())
    following = np.concatenate([token_ids[:, 1:], np.full((len(token_ids), 1), -1)], axis=1)
    assert found.n_predictions == (counted & (following >= 0)).sum() < found.n_tokens
    assert found.kl_div_with_sae > 1e-3


def test_the_mask_is_the_pass_s(files: ContextFiles, token_ids: np.ndarray):
    """What does not count is neither replaced nor measured."""
    sae = FakeSae()
    mask = Mask.of(MaskConfig(special_tokens=False, first_positions=3), [BOS])
    counted = token_ids >= 0
    counted[:, :3] = False
    (found,) = measure(files, [sae], len(token_ids), mask=mask)
    assert_equal(found, by_hand(token_ids, sae, counted))


def test_every_sae_has_its_own(files: ContextFiles, token_ids: np.ndarray):
    saes = [FakeSae("a"), FakeSae("b", seed=5), FakeSae("c", hook_name=OTHER_HOOK)]
    together = measure(files, saes, len(token_ids))
    assert together == [measure(files, [sae], len(token_ids))[0] for sae in saes]
    assert len({found.ce_loss_with_sae for found in together}) == 3
    assert len({found.ce_loss_without_sae for found in together}) == 1


@pytest.mark.parametrize(
    ("tokens", "contexts"), [(1, 1), (SIZE, 1), (SIZE + 1, 2), (3 * SIZE, 3), (10**9, 10**9)]
)
def test_the_first_contexts_that_have_the_tokens(
    files: ContextFiles, token_ids: np.ndarray, tokens: int, contexts: int
):
    first = token_ids[:contexts]
    (found,) = measure(files, [FakeSae()], len(token_ids), tokens)
    assert_equal(found, by_hand(first, FakeSae(), (first >= 0) & (first != BOS)))
    assert found.n_contexts == len(first)


def test_none_asked_for(files: ContextFiles, token_ids: np.ndarray):
    engine = FakeEngine()
    engine.logits = None  # pyright: ignore[reportAttributeAccessIssue]
    found = measure(files, [FakeSae("a"), FakeSae("b")], len(token_ids), 0, engine=engine)
    assert found == [Losses("pass.loss_tokens is 0")] * 2
    assert found[0].ce_loss_score is found[0].kl_div_score is None


def test_a_transcoder_whose_place_is_unknown_is_left_out(files: ContextFiles, token_ids: np.ndarray):
    saes = [FakeSae("a", hook_name_out="unknown"), FakeSae("b")]
    found = measure(files, saes, len(token_ids))
    assert "is called unknown" in found[0].why_not
    assert found[1] == measure(files, [FakeSae("b")], len(token_ids))[0]
    assert found[1].ce_loss_with_sae is not None


def test_nothing_counted(tmp_path: Path):
    with stored(tmp_path, np.full((2, SIZE), BOS)) as files:
        (found,) = measure(files, [FakeSae()], 2)
    assert (found.n_tokens, found.n_predictions, found.ce_loss_without_sae) == (0, 0, None)
    assert found.why_not == ""


def test_a_stop_is_heard(files: ContextFiles, token_ids: np.ndarray):
    with pytest.raises(KeyboardInterrupt):
        measure(files, [FakeSae()], len(token_ids), stop=lambda: True)
    heard: list[int] = []
    measure(files, [FakeSae()], len(token_ids), stop=lambda: bool(heard.append(1)))
    assert heard


class Watched:
    """An engine whose calls of `logits` are noted."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.positions: list[int] = []
        self.shapes: set[tuple[int, ...]] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    def logits(self, token_ids: torch.Tensor, change: Any = None, select: Any = None) -> torch.Tensor:
        self.positions.append(int(select.sum()))
        self.shapes.add(tuple(token_ids.shape))
        return self.engine.logits(token_ids, change, select)


@pytest.mark.parametrize("positions", [1, 5, SIZE, 3 * SIZE])
def test_memory_is_bounded_for_any_vocabulary(
    files: ContextFiles, token_ids: np.ndarray, monkeypatch: pytest.MonkeyPatch, positions: int
):
    whole = measure(files, [FakeSae()], len(token_ids))[0]
    monkeypatch.setattr(module, "LOGIT_BYTES", positions * 4 * 258 + 3)
    monkeypatch.setattr(tiles, "DENSE_BYTES", 5 * 4 * 24)
    engine, sae = Watched(FakeEngine()), FakeSae()
    (found,) = measure(files, [sae], len(token_ids), engine=engine)
    assert_equal(found, {name: value for name, value in vars(whole).items() if isinstance(value, float)})
    assert (found.n_tokens, found.n_predictions) == (whole.n_tokens, whole.n_predictions)
    assert max(engine.positions) <= positions
    assert engine.shapes == {(max(1, positions // SIZE), SIZE)}
    assert max(sae.encoded) <= 5


def test_an_sae_that_changes_nothing_costs_nothing(files: ContextFiles, token_ids: np.ndarray):
    sae = FakeSae()
    sae.reconstruct = lambda inputs, _activations: inputs  # pyright: ignore[reportAttributeAccessIssue]
    (found,) = measure(files, [sae], len(token_ids))
    assert found.ce_loss_with_sae == found.ce_loss_without_sae
    assert (found.kl_div_with_sae, found.ce_loss_score, found.kl_div_score) == (0, 1, 1)


@pytest.mark.parametrize("name", ["transformers", "transformer_lens"])
@pytest.mark.parametrize("architecture", ["standard", "skip_transcoder"])
def test_on_a_real_architecture(tmp_path: Path, name: str, architecture: str):
    """Both engines, against transformers' own loss; a transcoder with a skip connection at its own place."""
    folder = models.write_model(tmp_path / "model", "gpt2")
    changes: dict[str, Any] = {"metadata": {"hook_name": "blocks.1.hook_resid_mid"}}
    models.write_sae(tmp_path / "sae", architecture, **changes)
    engine = open_engine(ModelConfig(name=str(folder), engine=name, device="cpu"), tmp_path)
    sae = open_sae(SaeConfig(folder="sae"), tmp_path, "cpu", engine)
    ids = np.random.default_rng(0).integers(1, 300, (3, 24))
    with stored(tmp_path / "scratch", ids) as files:
        (found,) = measure_losses(engine, [sae], files, 3, Mask.of(MaskConfig(), [0]), 10**6)

    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    block = model.transformer.h[1]
    tokens = torch.from_numpy(ids)

    def loss() -> float:
        with torch.no_grad():
            return float(model(tokens, labels=tokens).loss)

    assert found.ce_loss_without_sae == pytest.approx(loss(), rel=1e-5)
    middle = engine.activations(tokens, ["blocks.1.hook_resid_mid"])["blocks.1.hook_resid_mid"]
    rows = middle.flatten(0, 1)
    made = sae.reconstruct(rows, sae.encode(rows)).reshape(middle.shape)

    def replaced(value: torch.Tensor) -> float:
        """With `value` at the end of the block's MLP, or as the stream between attention and MLP."""
        if architecture == "skip_transcoder":
            handle = block.mlp.register_forward_hook(lambda *_: value)
        else:
            end = value + block.mlp(block.ln_2(value))
            handle = block.register_forward_hook(
                lambda _module, _args, output: (end, *output[1:]) if isinstance(output, tuple) else end
            )
        try:
            return loss()
        finally:
            handle.remove()

    assert found.ce_loss_with_sae == pytest.approx(replaced(made), rel=1e-5)
    assert found.ce_loss_with_ablation == pytest.approx(replaced(torch.zeros_like(middle)), rel=1e-5)


def test_masked_tokens_keep_what_the_model_has():
    sae = FakeSae()
    value = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))
    before, where = value.clone(), torch.tensor([[True, False, True, True, False], [False] * 5])
    changed = put_in_place(sae, HOOK, where)[HOOK](value)
    assert torch.equal(value, before)
    assert torch.equal(changed[~where], value[~where])
    assert torch.equal(changed[where], sae.decode(sae.encode(value[where])))
