"""Models nobody made for these tests: stories260K, nano-sort with its author's recording, the demo."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from atlas.config import CorpusConfig, ModelConfig, SaeConfig
from atlas.errors import InputError
from atlas.sources.engines.base import Engine
from atlas.sources.open import open_corpus, open_engine, open_sae
from atlas.sources.packing import pack, trained_separator
from atlas.sources.preflight import preflight

Recording = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def recording(shared_dir: Path) -> Recording:
    """Every intermediate value of nano-sort on three inputs, as its author recorded them."""
    path = shared_dir / "data/models/nano-sort-recorded-activations.json"
    found: Recording = {}
    for name, entry in json.loads(path.read_text()).items():
        if name != "config":
            data = np.frombuffer(base64.b64decode(entry["data"]), dtype="<f4").reshape(entry["shape"])
            found[name] = torch.from_numpy(data.copy())
    return found


@pytest.fixture(scope="module", params=["transformers", "transformer_lens"])
def nano_sort(request: pytest.FixtureRequest, shared_dir: Path) -> Engine:
    config = ModelConfig(name="nano-sort-hf", engine=request.param, device="cpu")
    return open_engine(config, shared_dir / "data/models")


@pytest.fixture(scope="module", params=["transformers", "transformer_lens"])
def stories(request: pytest.FixtureRequest, shared_dir: Path) -> Engine:
    config = ModelConfig(name="stories260K-hf", engine=request.param, device="cpu")
    return open_engine(config, shared_dir / "data/models")


RECORDED = {
    **dict.fromkeys(("hook_resid_pre", "hook_in", "ln1.hook_in"), "x"),
    **dict.fromkeys(("ln1.hook_normalized",), "ln1 less scale"),
    **dict.fromkeys(("ln1.hook_out", "attn.hook_in", *(f"attn.{x}.hook_in" for x in "qkv")), "ln1"),
    **dict.fromkeys(("attn.hook_z",), "y"),
    **dict.fromkeys(
        ("hook_attn_out", "attn.hook_out", "attn.o.hook_out", "attn.hook_hidden_states"), "yProj"
    ),
    **dict.fromkeys(("hook_resid_mid", "ln2.hook_in"), "attnResid"),
    **dict.fromkeys(("ln2.hook_normalized",), "ln2 less scale"),
    **dict.fromkeys(("ln2.hook_out", "mlp.hook_in", "mlp.in.hook_in"), "ln2"),
    **dict.fromkeys(("mlp.hook_pre", "mlp.in.hook_out"), "fc"),
    **dict.fromkeys(("mlp.hook_post", "mlp.out.hook_in"), "gelu"),
    **dict.fromkeys(("hook_mlp_out", "mlp.hook_out", "mlp.out.hook_out"), "mlp"),
    **dict.fromkeys(("hook_resid_post", "hook_out"), "mlpResid"),
}
"""Hook of a block → the recorded tensor that it reads. Those within the attention (q, k, v, att, attSm) give
several vectors a token, so no hook of an atlas reads them."""


def normed(value: torch.Tensor) -> torch.Tensor:
    """LayerNorm without its scale and shift, from its definition."""
    centred = value - value.mean(-1, keepdim=True)
    return centred / (centred.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt()


def close(found: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


class TestNanoSort:
    def test_every_hook_is_what_the_author_recorded(self, nano_sort: Engine, recording: Recording):
        """Every hook of the first block, and of each block its output: none is left out."""
        names = [name for name in nano_sort.hook_names() if name.startswith("blocks.0.")]
        known = {f"blocks.0.{hook}": tensor for hook, tensor in RECORDED.items()}
        assert set(names) <= known.keys()
        expected = {**recording, "ln1 less scale": normed(recording["x"])}
        expected["ln2 less scale"] = normed(recording["attnResid"])
        outputs = [f"blocks.{layer}.hook_resid_post" for layer in range(3)]
        found = nano_sort.activations(recording["idx"].long(), names + outputs[1:])
        for name in names:
            close(found[name], expected[known[name]])
        for layer, name in enumerate(outputs):
            close(found[name], recording[f"block{layer}"])

    def test_the_logits_are_what_the_author_recorded(self, nano_sort: Engine, recording: Recording):
        ids = recording["idx"].long()
        logits = nano_sort.logits(ids)
        close(logits, recording["lm_head"])
        close(logits.softmax(-1), recording["probs"])
        # The model sorts: from the sixth place on its best guess is the sorted input, token by token.
        sorted_input = ids[:, :6].sort(dim=1).values
        assert torch.equal(logits.argmax(-1)[:, 5:], sorted_input)

    def test_a_replaced_residual_gives_the_recorded_logits(self, nano_sort: Engine, recording: Recording):
        """Whatever goes in: with the author's last residual stream in place the author's logits come out."""
        change = {"blocks.2.hook_resid_post": recording["block2"].to}
        close(nano_sort.logits(torch.zeros(3, 11, dtype=torch.int64), change), recording["lm_head"])

    def test_the_unembedding_gives_the_recorded_logits(self, nano_sort: Engine, recording: Recording):
        unembedding = nano_sort.unembedding()
        assert unembedding.norm_kind == "layer_norm"
        close(recording["ln_f"] @ unembedding.W_U, recording["lm_head"])

    def test_a_tokenizer_of_three_letters_without_bos(self, nano_sort: Engine):
        tokens = nano_sort.tokens
        assert [content for content, _, _ in tokens.vocabulary()] == [b"A", b"B", b"C"]
        assert tokens.bos_token_id is None
        assert nano_sort.facts.vocabulary_size == 3
        assert nano_sort.facts.context_size == 11

    def test_packing_needs_to_be_told_that_there_is_no_bos(self, nano_sort: Engine, tmp_path: Path):
        (tmp_path / "letters.txt").write_text("ABCCBA" * 9)
        corpus = open_corpus(CorpusConfig(kind="text", paths=["letters.txt"]), tmp_path)
        with pytest.raises(InputError, match="no BOS"):
            pack(corpus, nano_sort.tokens, context_size=11, prepend_bos=True, token_budget=100)
        packed = list(pack(corpus, nano_sort.tokens, context_size=11, prepend_bos=False, token_budget=100))
        assert [context.n_tokens for context in packed] == [11, 11, 11, 11, 10]
        assert preflight(nano_sort, [], packed) == []


class TestStories:
    def test_the_residual_stream_is_that_of_transformers(self, stories: Engine, shared_dir: Path):
        from transformers import AutoModelForCausalLM

        folder = shared_dir / "data/models/stories260K-hf"
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        ids = torch.tensor(
            [[1, *stories.tokens.encode("Once upon a time there was a little dog named Tim.")]]
        )
        with torch.no_grad():
            states = model(ids, output_hidden_states=True).hidden_states
        found = stories.activations(ids, [f"blocks.{layer}.hook_resid_pre" for layer in range(5)])
        for layer in range(5):
            found_here = found[f"blocks.{layer}.hook_resid_pre"]
            assert float((found_here - states[layer]).abs().max()) <= 1e-5

    def test_the_model_continues_a_story(self, stories: Engine):
        """Greedy decoding through the engine's own tokens, hooks and unembedding gives English."""
        unembedding = stories.unembedding()
        ids = [1, *stories.tokens.encode("Once upon a time, there was a little girl named")]
        vocabulary = stories.tokens.vocabulary()
        last = "blocks.4.hook_resid_post"
        for _ in range(12):
            residual = stories.activations(torch.tensor([ids]), [last])[last][0, -1]
            normed = residual / (residual.pow(2).mean() + 1e-5).sqrt() * unembedding.norm_scale
            ids.append(int((normed @ unembedding.W_U).argmax()))
        text = b"".join(vocabulary[idx][0] for idx in ids).decode()
        assert text.startswith(" Once upon a time, there was a little girl named Lily. She lov")

    def test_the_stories_are_packed_with_every_character(self, stories: Engine, shared_dir: Path):
        config = CorpusConfig(kind="jsonl", paths=["tinystories_1000.json"])
        corpus = open_corpus(config, shared_dir / "data/corpora")
        packing = pack(corpus, stories.tokens, context_size=128, prepend_bos=True, token_budget=20_000)
        vocabulary = stories.tokens.vocabulary()
        texts: dict[int, bytes] = {}
        for context in packing:
            assert context.token_ids[0] == 1
            rows = zip(context.token_ids, context.document_idx, context.document_offset, strict=True)
            for token, document, offset in rows:
                if offset >= 0:
                    texts[int(document)] = texts.get(int(document), b"") + vocabulary[token][0]
        expected = [f" {document.text}".encode() for document in corpus.documents()]
        for number in range(len(packing.documents) - 1):
            assert texts[number] == expected[number]
        assert 20_000 <= packing.n_tokens < 20_128


class TestDemo:
    """The bundled model and SAEs over the running Python's library."""

    @pytest.fixture(scope="class")
    @staticmethod
    def engine(root: Path) -> Engine:
        return open_engine(ModelConfig(name="atlas/demo/model", device="cpu"), root)

    @pytest.mark.parametrize(("folder", "variance"), [("sae-l2", 0.85), ("sae-l3", 0.75)])
    def test_an_sae_explains_the_activations_it_was_trained_on(
        self, root: Path, engine: Any, folder: str, variance: float
    ):
        sae = open_sae(SaeConfig(folder=f"atlas/demo/{folder}"), root, "cpu", engine)
        corpus = open_corpus(CorpusConfig(kind="python_stdlib", shuffle=True), root)
        packing = pack(
            corpus,
            engine.tokens,
            context_size=sae.facts.context_size,
            prepend_bos=sae.facts.prepend_bos,
            token_budget=4 * 256,
            separator=trained_separator(sae.facts),
        )
        sample = list(packing)
        assert preflight(engine, [sae], sample) == []
        ids = torch.from_numpy(np.stack([context.token_ids for context in sample])).long()
        inputs = engine.activations(ids, [sae.facts.hook_name])[sae.facts.hook_name][ids != 0]
        activations = sae.encode(inputs)
        rest = (inputs - sae.reconstruct(inputs, activations)).pow(2).sum()
        assert float(1 - rest / (inputs - inputs.mean(0)).pow(2).sum()) > variance
        assert 10 < float((activations > 0).sum(1).float().mean()) < 30
        assert sae.facts.folds == {}

    def test_the_wrong_layer_is_noticed_by_the_figures(self, root: Path, engine: Any):
        right = SaeConfig(folder="atlas/demo/sae-l2")
        wrong = SaeConfig(folder="atlas/demo/sae-l2", hook_name="blocks.2.hook_mlp_out", slug="wrong")
        corpus = open_corpus(CorpusConfig(kind="python_stdlib"), root)
        sample = pack(corpus, engine.tokens, context_size=256, prepend_bos=True, token_budget=512)
        saes = [open_sae(config, root, "cpu", engine) for config in (right, wrong)]
        notes = preflight(engine, saes, sample)
        assert len(notes) == 1
        assert "SAE wrong" in notes[0]
