"""One atlas over SAEs of every architecture: every table equals the definitions over dense activations.

The activations come from the Hugging Face model through plain hooks, their encoding from sae-lens.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from atlas.cli import main
from atlas.errors import InputError
from atlas.schema import UNITS
from atlas.store import AtlasStore
from tests.support import architectures, dense, models, oracle, oracle_tables, oracle_weights
from tests.support.architectures import D_SAE, REFUSED, SHOWN, SIZE
from tests.support.compare import differences
from tests.support.oracle import Options, Recording
from tests.support.projects import broken_values

pytestmark = pytest.mark.slow

SLUGS = list(SHOWN)
LAST = "blocks.2.hook_resid_post"
LOGITS, NEIGHBOURS, EFFECTS = 6, 5, 2
"""Entries per list, and examples per feature with effects, as configured."""
SHAPES = ("std_activation", "activation_skew", "activation_kurtosis")
"""Differences of almost equal sums: exact only to what those cancel."""
OPTIONS = Options(
    seed=0, top=5, intervals=5, per_interval=2, random=3, before=5, after=4, sample=320, counter=3
)
"""As in `architectures.PASS`."""
NEAR_ZERO = 1e-5
ROUNDING = 1e-6
"""An activation is the small difference of sums of this model's size: float32 holds it to this."""


@dataclass(frozen=True)
class Built:
    """The finished atlas and all that the oracle needs."""

    store: AtlasStore
    site: Path
    saes: Path
    tokenizer: Any
    token_ids: np.ndarray
    document_idx: np.ndarray
    model: Any
    readings: dense.Readings

    def logits(self, hook_name: str, value: torch.Tensor, context: int | None = None) -> torch.Tensor:
        """Logits of all contexts, or of one, with `value` in place of the tensor at `hook_name`."""
        rows = slice(None) if context is None else slice(context, context + 1)
        if hook_name == "blocks.1.hook_resid_mid":
            value = value - self.readings.activations["blocks.1.hook_resid_pre"][rows]
            hook_name = "blocks.1.hook_attn_out"
        return dense.logits_with(self.model, self.token_ids[rows], hook_name, dense.GPT2, value)

    def inputs(self, slug: str) -> Any:
        """[contexts, size, d_in] what the SAE reads."""
        return self.readings.activations[SHOWN[slug].hook_name]

    def recording(self, slug: str) -> Recording:
        """The SAE's activations by sae-lens."""
        sae = dense.load_sae(self.saes / slug)
        return Recording(
            activations=dense.encode(sae, self.inputs(slug)).numpy(),
            token_ids=self.token_ids,
            counted=(self.token_ids >= 0) & ~np.isin(self.token_ids, self.tokenizer.all_special_ids),
            document_idx=self.document_idx,
            options=OPTIONS,
            sources=("prose", "code"),
            source_of=[("prose", "code").index(source) for source in architectures.sources()],
        )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tmp_path_factory.mktemp("architectures")
    path = architectures.write_project(folder)
    with pytest.MonkeyPatch.context() as patch:
        # The map has tests of its own, and takes longer than everything else.
        patch.setattr("atlas.enrich.umap.layout", lambda rows, *_, **__: np.zeros((len(rows), 2), np.float32))
        assert main(["build", str(path)]) == 0
    tokenizer = AutoTokenizer.from_pretrained(folder / "model")
    model = AutoModelForCausalLM.from_pretrained(folder / "model", dtype="float32").eval()
    bos = tokenizer.bos_token_id
    token_ids, document_idx = dense.pack(architectures.documents(tokenizer), SIZE, bos=bos, separator=bos)
    hooks = sorted({case.hook_name for case in SHOWN.values()} | {LAST, "blocks.1.hook_mlp_out"})
    batch = architectures.PASS["batch_contexts"]
    readings = dense.read(model, token_ids, hooks, dense.GPT2, batch)
    return Built(
        AtlasStore.open(folder / "build/data"), folder / "build/site", folder / "saes", tokenizer, token_ids,
        document_idx, model, readings,
    )  # fmt: skip


@pytest.fixture(scope="module", params=SLUGS)
def slug(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def case(slug: str, built: Built) -> tuple[str, Recording]:
    return slug, built.recording(slug)


def test_the_cases_are_worth_it(case: tuple[str, Recording]):
    slug, recording = case
    firing = (recording.firing > 0).sum(axis=(0, 1))
    n_tokens = recording.counted.sum()
    assert n_tokens > 300
    assert (firing > 0).sum() >= D_SAE // 2, firing
    if slug != "matching-pursuit":
        assert firing[architectures.DEAD] == 0
        assert firing[architectures.DENSE] > 0.8 * n_tokens
    assert recording.firing.max() > 5 * recording.firing[recording.firing > 0].min()


def test_features(built: Built, case: tuple[str, Recording]):
    slug, recording = case
    found = built.store.read("features", slug).to_pydict()
    assert found.pop("feature_idx") == list(range(D_SAE))
    wanted = oracle.columns(recording)
    assert set(found) == set(wanted)
    problems: list[str] = []
    for name, values in wanted.items():
        absolute = NEAR_ZERO if name in SHAPES else ROUNDING
        problems += differences(found[name], values, name, absolute=absolute)
    assert problems == []


def test_examples(built: Built, case: tuple[str, Recording]):
    slug, recording = case
    found = built.store.read("examples", slug).to_pylist()
    wanted = oracle.examples(recording)
    assert len(wanted) > 10 * D_SAE // 2
    assert list(differences(found, wanted, absolute=ROUNDING)) == []


def test_report(built: Built, case: tuple[str, Recording]):
    slug, recording = case
    sae, hook = dense.load_sae(built.saes / slug), written_at(slug)
    originals = built.readings.activations[hook]
    outputs = dense.reconstruct(sae, built.inputs(slug))
    counted = recording.counted
    wanted: dict[str, float | None] = dict(oracle_tables.firing(recording))
    wanted |= oracle_tables.reconstruction(originals.numpy(), outputs.numpy(), counted)
    mixed = torch.where(torch.from_numpy(counted)[..., None], outputs, originals)
    logits = [built.logits(hook, value) for value in (originals, mixed, torch.zeros_like(originals))]
    torch.testing.assert_close(logits[0], built.readings.logits, rtol=1e-4, atol=1e-5)
    wanted |= oracle_tables.losses(*logits, built.token_ids, counted)
    rows = built.store.read("report", slug).to_pylist()
    found = {row["metric"]: row["value"] for row in rows}
    assert list(differences(found, wanted, absolute=NEAR_ZERO)) == []
    assert all(row["unit"] in UNITS and row["label"] and len(row["doc"]) > 20 for row in rows)


def written_at(slug: str) -> str:
    """The hook whose tensor the SAE's output stands for."""
    return "blocks.1.hook_mlp_out" if "transcoder" in SHOWN[slug].architecture else SHOWN[slug].hook_name


def test_weights(built: Built, slug: str):
    found = built.store.read("weights", slug).to_pylist()
    wanted = oracle_weights.weights(dense.load_sae(built.saes / slug))
    assert list(differences(found, wanted, absolute=ROUNDING)) == []


def test_logits(built: Built, slug: str):
    rows = built.store.read("logits", slug).to_pylist()
    assert len(rows) == D_SAE
    sae = dense.load_sae(built.saes / slug)
    problems = oracle_weights.logits_problems(
        rows, sae, built.model, count=LOGITS, n_tokens=models.TOKENIZER_SIZE
    )
    assert problems == []


def test_neighbours(built: Built, slug: str):
    rows = built.store.read("neighbours", slug).to_pylist()
    assert len(rows) == D_SAE
    assert oracle_weights.neighbours_problems(rows, dense.load_sae(built.saes / slug), NEIGHBOURS) == []


def test_effects(built: Built, case: tuple[str, Recording]):
    """Each row against two forward passes of the Hugging Face model over its whole context."""
    slug, recording = case
    sae = dense.load_sae(built.saes / slug)
    direct = oracle_weights.logit_effects(sae, built.model, models.TOKENIZER_SIZE)
    top = [row for row in oracle.examples(recording) if row["group"] == "top" and row["rank"] < EFFECTS]
    rows = built.store.read("effects", slug).to_pylist()
    place = ("feature_idx", "rank")
    assert [[row[name] for name in place] for row in rows] == [[row[name] for name in place] for row in top]
    problems: list[str] = []
    for row, example in zip(rows, top, strict=True):
        context, position, feature = example["context_idx"], example["position"], row["feature_idx"]
        inputs = built.inputs(slug)[context]
        activations, added = oracle_weights.contributions(sae, inputs, feature)
        original = built.readings.activations[written_at(slug)][context]
        # LayerNorm divides by the standard deviation of the last residual stream.
        spread = float(built.readings.activations[LAST][context, position].double().std(correction=0))
        share = float(activations[position]) * oracle_weights.unit_of_output(sae, inputs[position]) / spread
        problems += oracle_weights.effect_problems(
            row,
            example,
            plain=built.readings.logits[context],
            ablated=built.logits(written_at(slug), (original - added)[None], context)[0],
            token_ids=built.token_ids[context],
            direct=direct[feature] * share,
        )
        assert len(row["raised"]) == len(row["lowered"]) == LOGITS
    assert problems == []


def test_contexts(built: Built):
    """The whole contexts of the five strongest examples of every feature of every SAE."""
    wanted = {
        row["context_idx"]
        for slug in SLUGS
        for row in oracle.examples(built.recording(slug))
        if row["group"] == "top" and row["rank"] < 5
    }
    assert built.store.read("contexts").to_pylist() == [
        {"context_idx": context, "token_ids": [int(t) for t in built.token_ids[context] if t >= 0]}
        for context in sorted(wanted)
    ]


def test_documents(built: Built):
    names, token_ids = architectures.names(), architectures.documents(built.tokenizer)
    wanted = oracle_tables.documents(names, token_ids, architectures.sources())
    assert built.store.read("documents").to_pylist() == wanted


def test_vocabulary(built: Built):
    wanted = oracle_tables.byte_level_vocabulary(built.tokenizer, models.MODEL_VOCABULARY)
    assert built.store.read("vocabulary").to_pylist() == wanted


def test_no_page_shows_a_number_that_is_none(built: Built):
    assert broken_values(built.site) == []


def test_the_list_of_architectures_is_that_of_sae_lens():
    from sae_lens.registry import SAE_CLASS_REGISTRY, SAE_TRAINING_CLASS_REGISTRY

    inference = {case.architecture for case in SHOWN.values()}
    trained = {case.trained for case in SHOWN.values() if case.trained}
    assert inference | set(REFUSED) == SAE_CLASS_REGISTRY.keys() | SAE_TRAINING_CLASS_REGISTRY.keys()
    assert not inference & set(REFUSED)
    assert trained < set(REFUSED)


@pytest.mark.parametrize("architecture", REFUSED)
def test_what_cannot_be_shown_is_refused_with_its_name_and_the_reason(architecture: str, tmp_path: Path):
    from atlas.config import SaeConfig
    from atlas.sources.open import open_sae

    folder = architectures.write_refused(architecture, tmp_path / "sae")
    with pytest.raises(InputError) as caught:
        open_sae(SaeConfig(folder=str(folder)), tmp_path, "cpu", None)  # pyright: ignore[reportArgumentType]
    assert f"({architecture})" in caught.value.what
    assert "cfg.json" in caught.value.where
    assert caught.value.fix
    if "batchtopk" in architecture:
        assert "save_inference_model" in caught.value.fix
