"""The demo's recipe at toy size: every step runs, and its parts do what they say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from recipes.demo import corpus, figures, muon, prepare, train_lm, train_sae

CODE = '"""Module {n}."""\n\n\ndef function_{n}(value):\n    """Return it."""\n    return value + {n}\n'


def write_library(folder: Path, count: int = 40) -> Path:
    """A small standard library: modules, tests, an encoding table and pydoc's topics."""
    for number in range(count):
        (folder / "package").mkdir(parents=True, exist_ok=True)
        text = "".join(CODE.format(n=number * 100 + part) for part in range(8))
        (folder / "package" / f"module_{number}.py").write_text(text)
    for name, text in {
        "test/test_a.py": "import unittest\n" * 200,
        "encodings/cp1.py": "TABLE = (\n" + "    'x'\n" * 2000 + ")\n",
        "pydoc_data/topics.py": "topics = {'if': 'The if statement\\n', 'and': 'A boolean operation\\n'}\n",
        "site-packages/other.py": "OTHER = 1\n" * 50,
        "package/empty.py": "\n\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


class TestCorpus:
    @pytest.fixture
    def library(self, tmp_path: Path) -> Path:
        return write_library(tmp_path / "lib", 3)

    def test_library_and_tests_are_kept_apart(self, library: Path):
        plain = dict(corpus.library_documents(library, tests=False))
        tests = dict(corpus.library_documents(library, tests=True))
        assert set(tests) == {"test/test_a.py"}
        assert "package/module_0.py" in plain
        assert "package/empty.py" not in plain
        assert not any("site-packages" in name or name.startswith("test/") for name in plain)

    def test_topics_are_documents_and_tables_are_cut(self, library: Path):
        plain = dict(corpus.library_documents(library, tests=False))
        assert plain["topics/and"] == "A boolean operation\n"
        assert "pydoc_data/topics.py" not in plain
        assert len(plain["encodings/cp1.py"]) == corpus.ENCODING_TABLE_CHARACTERS

    def test_topics_are_read_without_running_them(self):
        with pytest.raises(ValueError, match="malformed"):
            list(corpus.topics("topics = {'a': __import__('os').getcwd()}"))

    def test_order_is_fixed(self, library: Path):
        assert list(corpus.library_documents(library, tests=False)) == list(
            corpus.library_documents(library, tests=False)
        )

    def test_line_ends_and_encodings(self, tmp_path: Path):
        path = tmp_path / "a.py"
        path.write_bytes(b"x\r\ny\rz\xe9")
        assert corpus.read_source(path) == "x\ny\nz\xe9"

    def test_repeats_are_left_out(self):
        seen: set[bytes] = set()
        assert list(corpus.without_repeats(iter([("a", "1"), ("b", "1"), ("c", "2")]), seen)) == [
            ("a", "1"),
            ("c", "2"),
        ]
        assert list(corpus.without_repeats(iter([("d", "2")]), seen)) == []

    def test_packages_leave_out_the_very_short_and_long(self, tmp_path: Path):
        for name, size in (("short", 10), ("good", 300), ("long", 400)):
            (tmp_path / f"{name}.py").write_text("x" * size)
        found = [name for name, _ in corpus.package_documents(tmp_path, longest=350)]
        assert found == ["good.py"]

    def test_the_running_library_is_one(self):
        assert (corpus.running_library() / "os.py").is_file()


class TestPrepare:
    def test_held_out_files_are_seen_nowhere_else(self, tmp_path: Path):
        library = write_library(tmp_path / "lib", 60)
        other = write_library(tmp_path / "other", 60)
        for path in (other / "package").glob("*.py"):
            path.write_text(path.read_text() + "# a later version\n")
        parts = prepare.collect(library, [other], [], seed=0)
        held_out = {name for name, _ in parts["library_held_out"]}
        assert len(held_out) == 2
        for part in ("library_train", "other", "packages"):
            assert held_out & {name for name, _ in parts[part]} == set()
        assert not any(name.startswith("topics/") for name in held_out)

    def test_documents_are_separated_by_bos(self, tmp_path: Path):
        parts = prepare.collect(write_library(tmp_path / "lib", 5), [], [], seed=0)
        tokenizer = prepare.train_tokenizer(parts, 300)
        documents = parts["library_train"][:3]
        ids = prepare.encode(tokenizer, documents, block=2)
        starts = np.flatnonzero(ids == 0)
        assert len(starts) == 3
        assert tokenizer.decode(list(ids[1 : starts[1]])) == documents[0][1]
        assert prepare.encode(tokenizer, []).size == 0


class TestMuon:
    def test_orthogonalise_evens_out_the_singular_values(self):
        torch.manual_seed(0)
        for shape in ((8, 20), (20, 8), (12, 12)):
            matrix = torch.randn(shape)
            values = torch.linalg.svdvals(muon.orthogonalise(matrix))
            assert values.min() > 0.3
            assert values.max() < 1.3

    def test_the_directions_are_kept(self):
        torch.manual_seed(0)
        left, _ = torch.linalg.qr(torch.randn(6, 6))
        right, _ = torch.linalg.qr(torch.randn(6, 6))
        matrix = left @ torch.diag(torch.tensor([5.0, 4.0, 3.0, 2.0, 1.5, 1.0])) @ right
        turned = left.T @ muon.orthogonalise(matrix) @ right.T
        assert (turned - torch.diag(torch.diagonal(turned))).abs().max() < 1e-4

    def test_a_team_takes_the_same_step_as_one_worker(self):
        def matrices() -> list[torch.nn.Parameter]:
            torch.manual_seed(1)
            made = [torch.nn.Parameter(torch.randn(4, 6)) for _ in range(3)]
            for matrix in made:
                matrix.grad = torch.randn(4, 6)
            return made

        alone = matrices()
        muon.Muon(alone).step(0.1)
        updates: list[torch.Tensor] = []
        for rank in range(2):
            muon.Muon(
                matrices(), rank=rank, size=2, add_over_workers=lambda u: updates.append(u.clone())
            ).step(0.1)
        total = sum(updates)
        team = matrices()
        muon.Muon(team, rank=5, size=6, add_over_workers=lambda u: u.copy_(total)).step(0.1)
        for one, other in zip(alone, team, strict=True):
            assert torch.allclose(one, other, atol=1e-6)
            assert one.grad is None


class TestSchedule:
    def test_warm_up_level_and_decay(self):
        factors = [train_lm.rate_factor(step, 1000) for step in range(1000)]
        assert factors[0] == pytest.approx(1 / 30)
        assert factors[29:299] == [1.0] * 270
        assert min(factors) > 0
        assert factors[-1] == pytest.approx(0.02)

    def test_missing_parts_give_their_share_away(self, tmp_path: Path):
        for name in train_lm.MIXTURE:
            np.save(tmp_path / f"{name}.npy", np.ones(100 if name in {"tests", "topics"} else 3, np.uint16))
        parts, weights = train_lm.load_mixture(tmp_path, 16)
        assert len(parts) == 2
        assert weights == pytest.approx([0.12 / 0.18, 0.06 / 0.18])

    def test_sequences_begin_with_bos(self):
        windows = train_lm.sequences(np.arange(1, 500, dtype=np.uint16), 5, 16, np.random.default_rng(0))
        assert windows.shape == (5, 17)
        assert windows.dtype == torch.int64
        assert (windows[:, 0] == 0).all()
        assert (windows[:, 2:] - windows[:, 1:-1] == 1).all()


# SAELens compares rows (of 32 tokens each) with tokens here, so it warns whatever the corpus.
@pytest.mark.filterwarnings("ignore:The training dataset contains fewer samples:UserWarning")
# … and copies its own rows in a way torch advises against.
@pytest.mark.filterwarnings("ignore:To copy construct from a tensor:UserWarning")
def test_the_whole_recipe_at_toy_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    data, model, sae = (tmp_path / name for name in ("data", "model", "sae"))
    library = write_library(tmp_path / "lib")
    prepare.main(["--out", str(data), "--running-library", str(library), "--vocabulary", "320"])
    shape = ["--d-model", "16", "--layers", "2", "--heads", "2", "--context", "32", "--processes", "1"]
    train_lm.main(["--data", str(data), "--out", str(model), *shape, "--batch", "8", "--tokens", "40000"])
    assert json.loads((model / "config.json").read_text())["n_embd"] == 16
    losses = [
        float(line.split("train ")[1].split()[0])
        for line in capsys.readouterr().out.splitlines()
        if "train " in line
    ]
    assert losses[-1] < losses[0] - 0.5

    command = [
        "--data",
        str(data),
        "--model",
        str(model),
        "--out",
        str(sae),
        "--hook-name",
        "blocks.1.hook_resid_pre",
    ]
    train_sae.main([*command, "--d-sae", "64", "--k", "4", "--tokens", "8192"])
    assert {path.name for path in sae.iterdir()} == {"cfg.json", "sae_weights.safetensors"}
    config = json.loads((sae / "cfg.json").read_text())
    assert config["architecture"] == "jumprelu"
    assert config["metadata"]["model_name"] == "stdlib-gpt2"
    assert config["metadata"]["hook_name"] == "blocks.1.hook_resid_pre"

    capsys.readouterr()
    figures.main(
        ["--data", str(data), "--model", str(model), "--sae", str(sae), "--context", "32", "--batches", "1"]
    )
    found = json.loads(capsys.readouterr().out)
    assert found["tokens"] == 16 * 31
    assert 0 < found["l0"] < 64
    assert found["loss"] < 5.7


def test_the_figures_of_the_shipped_weights(demo_dir: Path):
    """On any Python's own library the shipped SAE explains most of the activation with about 15 features."""
    from tokenizers import Tokenizer
    from transformers import AutoModelForCausalLM

    tokenizer = Tokenizer.from_file(str(demo_dir / "model" / "tokenizer.json"))
    texts = [
        (name, (corpus.running_library() / name).read_text("utf-8"))
        for name in ("json/decoder.py", "shlex.py")
    ]
    ids = prepare.encode(tokenizer, texts)
    model = AutoModelForCausalLM.from_pretrained(demo_dir / "model", dtype=torch.float32).eval()
    found = figures.measure(model, figures.JumpRelu(demo_dir / "sae-l2"), ids, 128, 1)
    assert 0.8 < found.explained_variance < 1
    assert 10 < found.l0 < 22
    assert found.loss < found.loss_with_sae < found.loss + 0.6 < found.loss_with_zero
    assert found.loss_recovered > 0.95
