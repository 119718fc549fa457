"""Inputs at the edge of what makes sense: each builds a whole atlas, or ends in one clear error.

A case changes a small project that builds. What is legal must give pages that can be read and hold no
NaN, infinity or `undefined`; what is not must be named, with exit code 2 and nothing left behind.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atlas.cli import main
from atlas.errors import EXIT_INPUT
from tests.support import models
from tests.support.changes import documents, lines, no_weight, option, size, tensor, text
from tests.support.projects import D_SAE, SLUG, TEXT, Project, broken_values, feature_text, jsonl, tree

pytestmark = pytest.mark.slow

HOSTILE = "</title><script>alert(1)</script>\"'&lt;{{ 7*7 }}\u202e \u2028 NaN"
VOCABULARY_BEYOND = 40
"""Rows of an embedding that is much too small for the tokenizer."""


@dataclass(frozen=True)
class Legal:
    """A change that must build."""

    change: Callable[[Project], None]
    page: tuple[str, ...] = ()
    """What the page of feature 0 must show."""


@dataclass(frozen=True)
class Refused:
    """A change that must end in one error with exit code 2."""

    change: Callable[[Project], None]
    says: tuple[str, ...]
    """What the message must hold."""


def constant(project: Project) -> None:
    project.weights["W_enc"][:, 0] = 0
    project.weights["b_enc"][0] = 3


def silent(project: Project) -> None:
    project.weights["W_enc"][:] = 0
    project.weights["b_enc"][:] = 0


def identical(project: Project) -> None:
    for name in ("W_enc", "b_enc"):
        project.weights[name][:] = project.weights[name][..., :1]
    project.weights["W_dec"][:] = project.weights["W_dec"][:1]


def scaled(factor: float) -> Callable[[Project], None]:
    def change(project: Project) -> None:
        project.weights["W_enc"] *= np.float32(factor)
        project.weights["b_enc"] *= np.float32(factor)

    return change


def overflowing(project: Project) -> None:
    project.weights["W_enc"] = np.copysign(np.float32(3e38), project.weights["W_enc"])


def transposed(project: Project) -> None:
    project.weights["W_enc"] = np.ascontiguousarray(project.weights["W_enc"].T)


def half_precision(project: Project) -> None:
    project.weights = {name: value.astype(np.float16) for name, value in project.weights.items()}


def hostile_words(project: Project) -> None:
    project.config |= {"title": HOSTILE, "description": HOSTILE, "author": HOSTILE}
    project.config["saes"][0]["title"] = HOSTILE
    project.text = f"{HOSTILE} {TEXT}"


def hostile_names(project: Project) -> None:
    names = [
        "<img src=x onerror=alert(1)>.txt",
        "a\nb.txt",
        "\u202egpj.txt",
        "NaN.txt",
        "%2e%2e.txt",
        "x" * 200 + ".txt",
    ]
    project.files |= {f"texts/{name}": f"{number} {TEXT}" for number, name in enumerate(names)}
    project.config["corpus"]["paths"] = ["texts"]


def same_slug(project: Project) -> None:
    project.config["saes"] *= 2


def same_derived_slug(project: Project) -> None:
    project.config["saes"] = [{"folder": "sae"}, {"folder": "sae"}]


def own_explanation(line: str) -> Callable[[Project], None]:
    def change(project: Project) -> None:
        project.files["words.jsonl"] = line
        project.config["enrich"]["explanations"] = "words.jsonl"

    return change


def output_in_corpus(project: Project) -> None:
    project.files = {"texts/one.txt": TEXT}
    project.config["corpus"]["paths"] = ["texts"]
    project.config["output"] = {"data": "texts/build/data", "site": "texts/build/site"}


def small_embedding(project: Project) -> None:
    project.model = project.folder / "model"
    models.write_model(project.model, "gpt2", n_layer=2, vocab_size=VOCABULARY_BEYOND)
    project.config["model"]["name"] = "model"


def own_model(**changes: Any) -> Callable[[Project], None]:
    """A GPT-2 of its own, with `changes` to its configuration."""

    def change(project: Project) -> None:
        project.model = project.folder / "model"
        models.write_model(project.model, "gpt2", n_layer=1, **changes)
        project.config["model"]["name"] = "model"
        project.sae["metadata"] = {"hook_name": "blocks.0.hook_resid_pre"}

    return change


def large_vocabulary(project: Project) -> None:
    project.resize(2)
    project.config["corpus"]["tokens"] = 50
    own_model(vocab_size=256_000)(project)


def with_architecture(architecture: str, **sae: Any) -> Callable[[Project], None]:
    """An SAE of another architecture, with `sae` in its cfg.json."""

    def change(project: Project) -> None:
        project.architecture = architecture
        project.resize(D_SAE)
        project.sae |= sae

    return change


def shut_gates(project: Project) -> None:
    with_architecture("gated")(project)
    project.weights["b_gate"][:] = -1e6


def no_directions(project: Project) -> None:
    with_architecture("matching_pursuit")(project)
    project.weights["W_dec"][:] = 0


def tokenised(*rows: Sequence[int]) -> Callable[[Project], None]:
    """A data set that somebody tokenised before."""

    def change(project: Project) -> None:
        from datasets import Dataset

        Dataset.from_dict({"input_ids": [list(row) for row in rows]}).save_to_disk(project.folder / "set")
        project.config["corpus"] |= {"kind": "huggingface", "name": "set", "text_column": "input_ids"}
        del project.config["corpus"]["paths"]

    return change


def empty_model(project: Project) -> None:
    """A model whose every activation is zero."""
    from safetensors.numpy import load_file, save_file

    own_model()(project)
    file = project.model / "model.safetensors"
    zeros = {name: np.zeros_like(value) for name, value in load_file(file).items()}
    save_file(zeros, file, metadata={"format": "pt"})


def without_tokenizer(project: Project) -> None:
    own_model()(project)
    (project.model / "tokenizer.json").unlink()


def damaged_model(project: Project) -> None:
    from safetensors.numpy import load_file, save_file

    shutil.copytree(project.model, project.folder / "model")
    file = project.folder / "model/model.safetensors"
    weights = load_file(file)
    weights["transformer.h.0.mlp.c_fc.bias"][3] = np.inf
    save_file(weights, file, metadata={"format": "pt"})
    project.config["model"]["name"] = "model"


NO_EXAMPLES = option("pass", random_examples=0, interval_examples=0)
SPECIAL_ONLY = option("pass", mask={"first_positions": 16})
MANY_TINY = documents(*"abcdefghij" * 9)

CASES: dict[str, Legal | Refused] = {
    # What the SAE is like.
    "every feature dead": Legal(tensor("b_enc", -1e6), ("This feature never fired on the",)),
    "weights all zero": Legal(silent, ("never fired on 570 tokens",)),
    "a constant feature": Legal(constant, ("100",)),
    "identical features": Legal(identical),
    "decoder rows of zeros": Legal(tensor("W_dec", 0, slice(0, 3))),
    "a decoder of zeros": Legal(tensor("W_dec", 0)),
    "one feature": Legal(size(1)),
    "two features, more neighbours asked for": Legal(size(2, neighbours=100, umap_neighbors=50)),
    "three features": Legal(size(3, umap_neighbors=2)),
    "five features, more map neighbours asked for": Legal(size(5, umap_neighbors=500)),
    "tiny activations": Legal(scaled(1e-30)),
    "denormal activations": Legal(scaled(1e-41)),
    "large activations": Legal(scaled(1e12)),
    "enormous activations": Legal(scaled(1e25)),
    "activations near the end of float32": Legal(scaled(1e38)),
    "negative thresholds": Legal(tensor("threshold", -5.0)),
    "half precision weights": Legal(half_precision),
    "one dead feature": Legal(tensor("b_enc", -1e6, 0), ("This feature never fired on the",)),
    "thresholds nothing reaches": Legal(tensor("threshold", 3e38), ("This feature never fired on the",)),
    "a gated SAE whose gates are all shut": Legal(shut_gates, ("This feature never fired on the",)),
    "top-k of all features": Legal(with_architecture("topk", k=D_SAE)),
    "matching pursuit among zero directions": Legal(no_directions),
    "a transcoder": Legal(with_architecture("transcoder")),
    "a vocabulary of 256,000": Legal(large_vocabulary),
    "a model of one layer and one head": Legal(own_model(n_head=1)),
    "a model whose every activation is zero": Legal(empty_model),
    "top-k of more features than there are": Refused(
        with_architecture("topk", k=D_SAE + 1), ("k 13", "cfg.json")
    ),
    "top-k of none": Refused(with_architecture("topk", k=0), ("k 0", "cfg.json")),
    "activations past float32": Refused(overflowing, ("finite", "weights")),
    "infinite threshold": Refused(tensor("threshold", np.inf, 2), ("threshold",)),
    "NaN threshold": Refused(tensor("threshold", np.nan, 2), ("threshold", "NaN")),
    "NaN in the encoder": Refused(tensor("W_enc", np.nan, (3, 5)), ("W_enc", "NaN")),
    "infinity in the encoder": Refused(tensor("W_enc", np.inf, (3, 5)), ("W_enc", "infinit")),
    "NaN in the decoder": Refused(tensor("W_dec", np.nan, (5, 3)), ("W_dec", "NaN")),
    "infinity in the decoder": Refused(tensor("W_dec", -np.inf, (5, 3)), ("W_dec", "infinit")),
    "NaN bias": Refused(tensor("b_enc", np.nan, 1), ("b_enc", "NaN")),
    "infinite bias": Refused(tensor("b_enc", np.inf, 1), ("b_enc", "infinit")),
    "NaN decoder bias": Refused(tensor("b_dec", np.nan, 1), ("b_dec", "NaN")),
    "no features": Refused(size(0), ("d_sae",)),
    "a missing tensor": Refused(no_weight("W_dec"), ("W_dec",)),
    "a transposed tensor": Refused(transposed, ("W_enc", "32", "12")),
    # What the text is like.
    "one token": Legal(text("a")),
    "one short document": Legal(text("The dog does not mind.")),
    "documents of one character": Legal(MANY_TINY),
    "the same document over and over": Legal(documents(*[TEXT[:60]] * 50)),
    "one character over and over": Legal(text("a" * 4000)),
    "empty documents among others": Legal(documents("", TEXT, "", " ", "\n\n", TEXT, "")),
    "one line of a megabyte": Legal(text("dog and fox " * 87_382)),
    "invalid UTF-8": Legal(text(b"\xff\xfe\xfa" + TEXT.encode() + b"\xc3")),
    "only invalid UTF-8": Legal(text(b"\x80\xff\xfe\xc0" * 100)),
    "half of every character": Legal(text(TEXT.encode()[:-1] + "日本🙂".encode()[:-2])),
    "a byte order mark": Legal(text("\ufeff" + TEXT)),
    "UTF-16": Legal(text(TEXT.encode("utf-16"))),
    "CRLF": Legal(text(TEXT.replace("\n", "\r\n"))),
    "NUL bytes": Legal(text("\0" + TEXT.replace(" ", "\0"))),
    "control characters": Legal(text("".join(map(chr, range(1, 32))) * 9 + "\x7f\x85\u2028\u2029")),
    "lone surrogates": Legal(documents(*["\ud83d half \udc00 pairs"] * 9)),
    "the special token as text": Legal(text(f"{models.END_OF_TEXT} {TEXT} {models.END_OF_TEXT}" * 3)),
    "words that look like numbers gone wrong": Legal(documents("undefined is not NaN, -inf nor null" * 9)),
    "only special tokens": Refused(text(models.END_OF_TEXT * 40), ("mask", "special")),
    "only white space": Refused(text(" \n\t\r\n" * 9), ("text",)),
    "only empty documents": Refused(documents("", "", ""), ("not a single token",)),
    "a line that is no JSON": Refused(lines(jsonl([TEXT]) + "{oops\n"), ("texts.jsonl:2", "JSON")),
    "JSON nested a hundred thousand deep": Refused(lines("[" * 100_000), ("texts.jsonl:1",)),
    "a document that is a number": Refused(lines('{"text": 7}\n'), ("texts.jsonl:1", "text")),
    "another column": Refused(lines('{"body": "words"}\n'), ("texts.jsonl:1", "body")),
    "hostile file names": Legal(hostile_names),
    "right to left and back": Legal(documents(*["\u202eabc\u202c שלום \u2067x\u2069 مرحبا"] * 9)),
    "every text twice": Legal(documents(*[TEXT, "The dog."] * 2)),
    "token ids made before": Legal(tokenised(range(1, 200), [], [5])),
    "token ids past the vocabulary": Refused(tokenised([5, 9], [7, 400]), ("400", "set", "303")),
    "negative token ids": Refused(tokenised([5, -3]), ("-3",)),
    # What is asked for.
    "contexts of two tokens": Legal(option("corpus", context_size=2)),
    "a budget of one token": Legal(option("corpus", tokens=1)),
    "a commit after every batch": Legal(option("pass", checkpoint_seconds=0)),
    "no sample of tokens": Legal(option("pass", sample_tokens=0)),
    "no counter-examples": Legal(option("pass", counter_examples=0)),
    "a sample of one token": Legal(option("pass", sample_tokens=1, counter_examples=50)),
    "no losses": Legal(option("pass", loss_tokens=0)),
    "losses on one token": Legal(option("pass", loss_tokens=1)),
    "no effects": Legal(option("enrich", effects="off")),
    "effects on every example": Legal(option("enrich", effects="on", effect_examples=5)),
    "a batch larger than the corpus": Legal(option("pass", batch_contexts=200)),
    "one context a batch": Legal(option("pass", batch_contexts=1)),
    "windows of one token": Legal(option("pass", window_before=0, window_after=0)),
    "windows longer than the context": Legal(option("pass", window_before=512, window_after=512)),
    "no random and no interval examples": Legal(NO_EXAMPLES),
    "one example": Legal(option("pass", top_examples=1, interval_count=1, interval_examples=1)),
    "more of everything than there is": Legal(option("pass", top_examples=200, interval_count=20)),
    "special tokens counted": Legal(option("pass", mask={"special_tokens": False})),
    "one logit each way": Legal(option("enrich", logit_effects=1)),
    "one feature a shard, one static example": Legal(
        option("render", features_per_shard=1, static_examples=1, examples_per_feature=1)
    ),
    "hostile words": Legal(hostile_words, ("<script>alert(1)</script>",)),
    "an empty file of explanations": Legal(own_explanation("")),
    "an explanation that looks like a script": Legal(
        own_explanation(json.dumps({"sae": SLUG, "feature_idx": 0, "text": HOSTILE.replace("NaN", "")})),
        ("</title><script>alert(1)</script>",),
    ),
    "an explanation of a feature that is not there": Refused(
        own_explanation(f'{{"sae": "{SLUG}", "feature_idx": {D_SAE}, "text": "x"}}\n'),
        ("words.jsonl:1", str(D_SAE)),
    ),
    "everything masked": Refused(SPECIAL_ONLY, ("mask", "first")),
    "contexts longer than the model's": Refused(
        option("corpus", context_size=models.CONTEXT_SIZE + 1), ("context_size", str(models.CONTEXT_SIZE))
    ),
    "a tokenizer larger than the model's vocabulary": Refused(
        small_embedding, (str(models.TOKENIZER_SIZE), str(VOCABULARY_BEYOND), "tokenizer")
    ),
    "a model with an infinite weight": Refused(damaged_model, ("finite", "model")),
    "no tokenizer": Refused(without_tokenizer, ("tokenizer",)),
    "output inside the corpus folder": Refused(output_in_corpus, ("output.data", "output.site", "'texts'")),
    "two SAEs with one slug": Refused(same_slug, (SLUG, "slug")),
    "two SAEs with one derived slug": Refused(same_derived_slug, ("slug",)),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.write_model(tmp_path_factory.mktemp("model") / "model", "gpt2", n_layer=2)


@pytest.fixture
def project(model: Path, tmp_path: Path) -> Project:
    return Project(tmp_path / "work", model)


def of_kind(kind: type) -> list[str]:
    return [name for name, case in CASES.items() if isinstance(case, kind)]


@pytest.mark.parametrize("name", of_kind(Legal))
def test_what_is_legal_builds_pages_that_can_be_read(
    name: str, project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    case = CASES[name]
    assert isinstance(case, Legal)
    case.change(project)
    code = project.build()
    said = capfd.readouterr()
    assert code == 0, said.err
    assert "Traceback" not in said.err
    assert main(["check", str(project.path)]) == 0, capfd.readouterr().out
    shown = feature_text(project)
    assert "feature 0" in shown.lower() or f"{SLUG}/0" in shown
    for words in case.page:
        assert words in shown
    if not any(word in name for word in ("look like", "hostile")):
        assert broken_values(project.site) == []


@pytest.mark.parametrize("name", of_kind(Refused))
def test_what_is_not_ends_in_one_clear_error(
    name: str, project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    case = CASES[name]
    assert isinstance(case, Refused)
    case.change(project)
    project.write()
    before = tree(project.folder)
    code = project.build()
    said = capfd.readouterr()
    assert code == EXIT_INPUT, said.err
    assert "Traceback" not in said.err
    assert said.err.count("error: ") == 1, said.err
    for words in case.says:
        assert words in said.err, said.err
    assert said.out == ""
    assert tree(project.folder) == before


def test_a_site_over_its_budget_is_refused_and_the_dataset_kept(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    """Only the finished dataset says how large its site is; another budget must not cost another pass."""
    project.config["render"] = {"site_budget": "1KB"}
    assert project.build() == EXIT_INPUT
    said = capfd.readouterr().err
    assert "1KB" in said or "1,000" in said or "budget" in said
    assert not project.site.exists()
    assert main(["check", str(project.data)]) == 0
    project.config["render"] = {}
    assert project.build() == 0
    assert capfd.readouterr().err.count("nothing changed") == 4


def test_a_model_of_three_tokens_and_contexts_of_eleven(shared_dir: Path, tmp_path: Path) -> None:
    """A real model whose whole vocabulary is A, B and C, without any special token."""
    project = Project(tmp_path / "work", shared_dir / "data/models/nano-sort-hf", text="CABACBBACABCAACB" * 9)
    project.weights = dict(models.sae_weights("standard", d_in=48, d_sae=D_SAE))
    project.sae |= {"d_in": 48, "metadata": {"prepend_bos": False, "context_size": 11}}
    project.config["corpus"]["context_size"] = 11
    project.config["enrich"] |= {"logit_effects": 100}
    assert project.build() == 0
    assert main(["check", str(project.path)]) == 0
    assert broken_values(project.site) == []


def test_there_are_enough_cases() -> None:
    """The figure of the reliability plan."""
    assert len(CASES) >= 100
    assert len(of_kind(Legal)) >= 60
