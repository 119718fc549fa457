"""The whole pass over a fake model: every table equals what the oracle finds in dense activations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from atlas.errors import InputError, InterruptedBuildError
from atlas.schema import EXAMPLES, FEATURES, REPORT, conforms
from atlas.store import AtlasStore
from atlas.stream import plan as plan_module
from atlas.stream.run import stream_activations
from tests.support import oracle
from tests.support.fakes import (
    BOS,
    HOOK,
    OTHER_HOOK,
    TEXTS,
    FakeCorpus,
    FakeEngine,
    FakeSae,
    packed_by_hand,
    site_config,
)
from tests.support.oracle import Options, Recording

SIZE = 16


def run(folder: Path, saes: list[FakeSae] | None = None, **options: Any) -> AtlasStore:
    store = AtlasStore.create(folder)
    engine = options.pop("engine", None) or FakeEngine()
    corpus = options.pop("corpus", None) or FakeCorpus(TEXTS)
    progress = options.pop("progress", None)
    tokens, seed = options.pop("budget", 100_000), options.pop("seed", 0)
    options["corpus"] = {"kind": "text", "paths": ["x"], "context_size": SIZE, "tokens": tokens, "seed": seed}
    with store.lock():
        stream_activations(store, site_config(**options), engine, saes or [FakeSae()], corpus, progress)
    return store


def with_pass(**changes: Any) -> dict[str, Any]:
    options = {
        "batch_contexts": 4, "top_examples": 5, "interval_count": 5, "interval_examples": 2,
        "random_examples": 3, "window_before": 4, "window_after": 3,
    }  # fmt: skip
    return {"pass": options | changes}


def dense(sae: FakeSae, texts: dict[str, str] = TEXTS, mask: Any = None) -> Recording:
    """The same activations, computed context by context without the pass."""
    token_ids, document_idx = packed_by_hand(texts, SIZE)
    engine = FakeEngine()
    hook = sae.facts.hook_name
    rows = [engine.activations(torch.from_numpy(row[None]), [hook])[hook][0] for row in token_ids]
    counted = (token_ids >= 0) & (token_ids != BOS)
    ends = [name.rpartition(".")[2] for name, text in texts.items() if text]
    return Recording(
        activations=np.stack([sae.encode(row).numpy() for row in rows]),
        token_ids=token_ids,
        counted=counted if mask is None else counted & mask(token_ids),
        document_idx=document_idx,
        options=Options(seed=0, top=5, intervals=5, per_interval=2, random=3, before=4, after=3),
        sources=tuple(dict.fromkeys(ends)),
        source_of=[list(dict.fromkeys(ends)).index(end) for end in ends],
    )


def assert_features(store: AtlasStore, slug: str, recording: Recording) -> None:
    found = store.read("features", slug).to_pydict()
    wanted = oracle.columns(recording)
    assert set(found) == {"feature_idx", *wanted}
    for name, values in wanted.items():
        for mine, theirs in zip(found[name], values, strict=True):
            if isinstance(theirs, list):
                assert mine == [{key: _about(value) for key, value in entry.items()} for entry in theirs], (
                    name
                )
            else:
                assert mine == (None if theirs is None else pytest.approx(theirs, rel=1e-5, abs=1e-6)), name


def _about(value: Any) -> Any:
    return pytest.approx(value, rel=1e-6) if isinstance(value, float) else value


def files_of(store: AtlasStore) -> dict[str, list[str]]:
    return {key: [entry.sha256 for entry in entries] for key, entries in store.manifest.tables.items()}


def test_features_equal_the_oracle(tmp_path: Path):
    assert_features(run(tmp_path / "a"), "fake", dense(FakeSae()))


def test_examples_equal_the_oracle(tmp_path: Path):
    assert run(tmp_path / "a").read("examples", "fake").to_pylist() == oracle.examples(dense(FakeSae()))


def test_several_saes_share_the_forward_pass(tmp_path: Path):
    engine = FakeEngine()
    saes = [FakeSae(), FakeSae("other", 7, OTHER_HOOK, 5), FakeSae("third", 9, seed=8)]
    store = run(tmp_path / "a", saes, engine=engine)
    for sae in saes:
        assert_features(store, sae.facts.slug, dense(sae))
        assert store.read("examples", sae.facts.slug).to_pylist() == oracle.examples(dense(sae))
    n_contexts = len(packed_by_hand(TEXTS, SIZE)[0])
    assert engine.shapes == [(4, SIZE)] * -(-n_contexts // 4)


def test_every_call_has_one_shape(tmp_path: Path):
    """The last batch is padded: the bits of a matrix product depend on its shape."""
    sae, engine = FakeSae(), FakeEngine()
    run(tmp_path / "a", [sae], engine=engine, **with_pass(batch_contexts=5, loss_tokens=0))
    assert len(set(engine.shapes)) == 1
    assert len(set(sae.encoded)) == 1


def test_the_corpus_is_read_once(tmp_path: Path):
    calls: list[int] = []

    class Counting(FakeCorpus):
        def documents(self):
            calls.append(1)
            return super().documents()

    run(tmp_path / "a", corpus=Counting(TEXTS))
    assert calls == [1]


@pytest.mark.parametrize("batch", [1, 2, 3, 7, 100])
def test_batches_do_not_show(tmp_path: Path, batch: int):
    plain, other = run(tmp_path / "a"), run(tmp_path / "b", **with_pass(batch_contexts=batch))
    assert files_of(plain) == files_of(other)


@pytest.mark.parametrize("size", [1, 24 * 16 * 4 * 2, 1 << 30])
def test_tiles_do_not_show(tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch):
    plain = run(tmp_path / "a")
    monkeypatch.setattr(plan_module, "CPU_TILE_BYTES", size)
    assert files_of(run(tmp_path / "b")) == files_of(plain)


def test_two_runs_give_the_same_manifest(tmp_path: Path):
    one, other = run(tmp_path / "a"), run(tmp_path / "b")
    assert one.manifest == other.manifest
    assert one.manifest.build_id == other.manifest.build_id


def test_a_second_run_replaces_the_first(tmp_path: Path):
    store = run(tmp_path / "a")
    first = files_of(store)
    with store.lock():
        stream_activations(
            store, site_config(), FakeEngine(seed=9), [FakeSae()], FakeCorpus({"x": "other text " * 9})
        )
    assert files_of(store)["fake/features"] != first["fake/features"]
    assert store.read("documents").to_pylist() == [
        {"document_idx": 0, "name": "x", "n_tokens": 99, "source": "x"}
    ]
    assert store.verify() == []


def test_tables_are_valid(tmp_path: Path):
    store = run(tmp_path / "a")
    assert store.verify() == []
    for name, schema in (("features", FEATURES), ("examples", EXAMPLES), ("report", REPORT)):
        assert conforms(store.schema(name, "fake"), schema) == []
    assert [path.name for path in store.path.iterdir() if path.name.startswith(".")] in ([], [".lock"])


def test_documents_and_vocabulary(tmp_path: Path):
    store = run(tmp_path / "a")
    read = {name: len(text.encode()) for name, text in TEXTS.items() if text}
    assert store.read("documents").to_pydict() == {
        "document_idx": list(range(len(read))),
        "name": list(read),
        "n_tokens": list(read.values()),
        "source": ["txt", "py", "txt", "txt", "txt"],
    }
    vocabulary = store.read("vocabulary").to_pylist()
    assert len(vocabulary) == 258
    assert vocabulary[104] == {"token_id": 104, "bytes": b"h", "special": False, "piece": "h"}
    assert vocabulary[BOS] == {"token_id": BOS, "bytes": b"", "special": True, "piece": "<bos>"}


def test_hostile_names_are_stored_as_text(tmp_path: Path):
    names = {"../../etc/passwd": "abc", "<script>alert(1)</script>": "def", "lone \ud800 surrogate": "ghi"}
    store = run(tmp_path / "a", corpus=FakeCorpus(names))
    assert store.read("documents").column("name").to_pylist() == [
        "../../etc/passwd", "<script>alert(1)</script>", "lone ? surrogate",
    ]  # fmt: skip


def test_the_budget_ends_the_pass_at_a_full_context(tmp_path: Path):
    store = run(tmp_path / "a", budget=33)
    assert store.manifest.corpus["n_tokens_read"] == 3 * SIZE
    assert store.manifest.corpus["tokens_requested"] == 33
    assert len(store.read("documents")) == 1


def test_the_seed_draws_other_samples_and_the_same_counts(tmp_path: Path):
    one, other = run(tmp_path / "a"), run(tmp_path / "b", seed=4)
    assert files_of(one)["fake/features"] == files_of(other)["fake/features"]
    assert groups_of(one)["top"] == groups_of(other)["top"]
    assert groups_of(one)["random"] != groups_of(other)["random"]
    assert groups_of(one)["interval"] != groups_of(other)["interval"]


def groups_of(store: AtlasStore) -> dict[str, list[dict[str, Any]]]:
    rows = store.read("examples", "fake").to_pylist()
    return {name: [row for row in rows if row["group"] == name] for name in ("top", "interval", "random")}


class TestMask:
    def test_first_positions(self, tmp_path: Path):
        store = run(tmp_path / "a", **with_pass(mask={"first_positions": 5}))
        recording = dense(FakeSae(), mask=lambda ids: np.arange(SIZE) >= 5 + 0 * ids)
        assert_features(store, "fake", recording)
        assert store.read("examples", "fake").to_pylist() == oracle.examples(recording)
        words = store.manifest.stream["mask"]
        assert words == "special tokens and the first 5 positions of every context"

    def test_special_tokens_may_count(self, tmp_path: Path):
        store = run(tmp_path / "a", **with_pass(mask={"special_tokens": False}))
        recording = dense(FakeSae())
        recording.counted = recording.token_ids >= 0
        recording.__post_init__()
        assert_features(store, "fake", recording)
        assert store.manifest.stream["mask"] == "nothing"
        assert store.manifest.stream["n_masked"] == 0

    def test_masked_tokens_may_be_infinite(self, tmp_path: Path):
        engine = FakeEngine()
        engine.poison = {BOS: float("inf")}
        store = run(tmp_path / "a", engine=engine)
        assert files_of(store)["fake/features"] == files_of(run(tmp_path / "b"))["fake/features"]

    def test_nothing_left_is_an_error(self, tmp_path: Path):
        with pytest.raises(InputError, match="leaves out all of them") as caught:
            run(tmp_path / "a", **with_pass(mask={"first_positions": SIZE}))
        assert caught.value.where == "pass: mask"
        assert AtlasStore.open(tmp_path / "a").manifest.tables == {}


class TestReport:
    def rows(self, store: AtlasStore) -> dict[str, dict[str, Any]]:
        return {row["metric"]: row for row in store.read("report", "fake").to_pylist()}

    def test_figures(self, tmp_path: Path):
        sae = FakeSae()
        recording = dense(sae)
        rows = self.rows(run(tmp_path / "a"))
        firing = (recording.firing > 0).sum(axis=(0, 1))
        n_tokens = recording.counted.sum()
        assert rows["n_tokens"]["value"] == n_tokens
        assert rows["n_contexts"]["value"] == recording.counted.any(1).sum()
        assert rows["l0"]["value"] == pytest.approx(firing.sum() / n_tokens, rel=1e-12)
        assert rows["n_features"]["value"] == 24
        assert rows["alive"]["value"] == (firing > 0).sum()
        assert rows["dead"]["value"] == (firing == 0).sum()
        assert rows["dense"]["value"] == (firing / n_tokens > 0.1).sum()
        assert rows["median_density"]["value"] == pytest.approx(np.median(firing[firing > 0] / n_tokens))

    def test_reconstruction(self, tmp_path: Path):
        sae = FakeSae()
        recording = dense(sae)
        engine = FakeEngine()
        hook = sae.facts.hook_name
        inputs = torch.cat(
            [engine.activations(torch.from_numpy(row[None]), [hook])[hook][0] for row in recording.token_ids]
        )[recording.counted.reshape(-1)]
        x, x_hat = inputs.double().numpy(), sae.decode(sae.encode(inputs)).double().numpy()
        error = ((x - x_hat) ** 2).sum()
        rows = self.rows(run(tmp_path / "a"))
        variance = ((x - x.mean(axis=0)) ** 2).sum()
        assert rows["explained_variance"]["value"] == pytest.approx(1 - error / variance, rel=1e-9)
        assert rows["mse"]["value"] == pytest.approx(error / len(x), rel=1e-9)
        cosine = (x * x_hat).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(x_hat, axis=1)
        assert rows["cosine"]["value"] == pytest.approx(cosine.mean(), rel=1e-9)

    def test_every_row_says_on_how_many_tokens_it_rests(self, tmp_path: Path):
        rows = self.rows(run(tmp_path / "a"))
        n_tokens = int(rows["n_tokens"]["value"])
        for name in ("explained_variance", "mse", "cosine", "l0", "alive", "dead", "dense"):
            assert f"{n_tokens:,} counted tokens" in rows[name]["doc"], name
        assert "all contexts" in rows["mse"]["doc"]

    def test_a_sample_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(plan_module, "SAMPLE_MIN", 40)
        rows = self.rows(run(tmp_path / "a", budget=160))
        # 160 tokens are wanted: the first 3 contexts, and one in 4 of the 10 read.
        assert "the first 3 contexts and one in 4 of the rest" in rows["mse"]["doc"]
        counted = dense(FakeSae()).counted[[0, 1, 2, 4, 8]].sum()
        assert f"{counted} counted tokens" in rows["mse"]["doc"]

    def test_a_transcoder_is_compared_with_what_is_where_it_writes(self, tmp_path: Path):
        sae, engine = FakeSae(hook_name_out=OTHER_HOOK), FakeEngine()
        counted = dense(sae).counted
        token_ids = torch.from_numpy(packed_by_hand(TEXTS, SIZE)[0])
        read = engine.activations(token_ids, [HOOK, OTHER_HOOK])
        x, x_hat = (
            read[OTHER_HOOK][torch.from_numpy(counted)],
            sae.decode(sae.encode(read[HOOK].flatten(0, 1))),
        )
        x_hat = x_hat.reshape(*counted.shape, -1)[torch.from_numpy(counted)]
        error, spread = ((x - x_hat) ** 2).sum(), ((x - x.mean(0)) ** 2).sum()
        rows = self.rows(run(tmp_path / "a", [sae]))
        assert rows["explained_variance"]["value"] == pytest.approx(float(1 - error / spread), rel=1e-5)
        assert rows["mse"]["value"] == pytest.approx(float(error / len(x)), rel=1e-5)

    @pytest.mark.parametrize(
        ("read", "written"), [(HOOK, "blocks.7.hook_mlp_out"), (HOOK, "unknown"), (OTHER_HOOK, HOOK)]
    )
    def test_a_transcoder_that_writes_where_nothing_is_read(self, tmp_path: Path, read: str, written: str):
        rows = self.rows(run(tmp_path / "a", [FakeSae(hook_name=read, hook_name_out=written)]))
        for name in ("explained_variance", "mse", "cosine", "ce_loss_with_sae", "kl_div_score"):
            assert rows[name]["value"] is None
            assert f"Not measured: no hook after {read} is called {written}" in rows[name]["doc"]
        assert rows["l0"]["value"] > 0

    def test_a_dead_sae_has_no_figures_that_are_not_numbers(self, tmp_path: Path):
        sae = FakeSae()
        sae.b_enc[:] = -1e6
        rows = self.rows(run(tmp_path / "a", [sae]))
        assert rows["l0"]["value"] == 0
        assert rows["dead"]["value"] == 24
        assert rows["median_density"]["value"] is None
        assert rows["cosine"]["value"] == 0


class TestManifest:
    def test_facts(self, tmp_path: Path):
        store = run(tmp_path / "a", [FakeSae(), FakeSae("other", 7)])
        manifest = store.manifest
        recording = dense(FakeSae())
        assert manifest.model["name"] == "fake"
        assert [(entry.slug, entry.n_features) for entry in manifest.saes] == [("fake", 24), ("other", 7)]
        assert manifest.saes[1].facts["title"] == "Other"
        read = int((recording.token_ids >= 0).sum())
        assert manifest.corpus["n_tokens_read"] == read
        assert manifest.corpus["n_documents"] == 5
        assert manifest.corpus["context_size"] == SIZE
        assert manifest.corpus["prepend_bos"] is True
        assert manifest.stream["n_tokens"] == recording.counted.sum()
        assert manifest.stream["n_masked"] == read - recording.counted.sum()
        assert manifest.stream["window_before"] == 4
        assert manifest.versions["torch"].startswith("2.")

    def test_other_stages_stay(self, tmp_path: Path):
        store = AtlasStore.create(tmp_path / "a")
        store.update(stages={"elsewhere": "5" * 64, "stream": "old"}, title="Kept")
        with store.lock():
            stream_activations(store, site_config(), FakeEngine(), [FakeSae()], FakeCorpus(TEXTS))
        assert store.manifest.stages == {"elsewhere": "5" * 64}, "who called knows the digest"
        assert store.manifest.title == "Kept"


class TestProgress:
    def test_is_told_after_every_batch(self, tmp_path: Path):
        seen: list[tuple[int, int]] = []
        run(tmp_path / "a", progress=lambda done, total: seen.append((done, total)))
        assert [done for done, _ in seen] == sorted(done for done, _ in seen)
        assert seen[0] == (4 * SIZE, 100_000)
        assert seen[-1][0] == seen[-1][1] == seen[-2][0]

    def test_is_optional(self, tmp_path: Path):
        assert run(tmp_path / "a").has("features", "fake")


class TestFailure:
    def test_a_model_that_gives_nan(self, tmp_path: Path):
        engine = FakeEngine()
        engine.poison = {ord("q"): float("nan")}
        with pytest.raises(InputError, match=r"blocks\.0\.hook_resid_post are not finite") as caught:
            run(tmp_path / "a", engine=engine)
        assert caught.value.where == "SAE fake at blocks.0.hook_resid_post"
        assert AtlasStore.open(tmp_path / "a").manifest.tables == {}

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_an_sae_that_gives_nan(self, tmp_path: Path, value: float):
        sae = FakeSae("broken")
        sae.b_enc[3] = value
        with pytest.raises(InputError, match="feature 3 has an activation that is not finite") as caught:
            run(tmp_path / "a", [FakeSae(), sae])
        assert "broken" in caught.value.where

    def test_negative_activations_do_not_fire(self, tmp_path: Path):
        class Signed(FakeSae):
            def encode(self, activations: torch.Tensor) -> torch.Tensor:
                found = super().encode(activations)
                return torch.where(found == 0, -1.0, found)

        assert_features(run(tmp_path / "a", [Signed()]), "fake", dense(FakeSae()))

    @pytest.mark.parametrize("texts", [{}, {"empty": ""}])
    def test_an_empty_corpus(self, tmp_path: Path, texts: dict[str, str]):
        with pytest.raises(InputError, match="corpus has no text"):
            run(tmp_path / "a", corpus=FakeCorpus(texts))

    def test_ctrl_c_is_a_clean_stop(self, tmp_path: Path):
        before = run(tmp_path / "a")
        manifest = (before.path / "manifest.json").read_bytes()

        def stop(done: int, total: int) -> None:
            raise KeyboardInterrupt

        with before.lock(), pytest.raises(InterruptedBuildError, match="after 64 tokens") as caught:
            stream_activations(
                before, site_config(), FakeEngine(), [FakeSae()], FakeCorpus({"new": "text " * 50}), stop
            )
        assert caught.value.exit_code == 130
        assert (before.path / "manifest.json").read_bytes() == manifest
        assert before.verify() == []
        assert list((before.path / ".partial").glob("*")) == []

    def test_half_written_tables_are_not_called_finished(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        store = run(tmp_path / "a")

        def fail(*_: Any) -> None:
            raise OSError("the disk is gone")

        monkeypatch.setattr("atlas.stream.run.write_documents", fail)
        with store.lock(), pytest.raises(OSError, match="gone"):
            stream_activations(store, site_config(), FakeEngine(), [FakeSae()], FakeCorpus({"x": "y"}))
        assert "stream" not in AtlasStore.open(tmp_path / "a").manifest.stages

    def test_an_unexpected_error_leaves_no_scratch(self, tmp_path: Path):
        def fail(done: int, total: int) -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            run(tmp_path / "a", progress=fail)
        assert list((tmp_path / "a" / ".partial").glob("*")) == []


class TestSmallCorpora:
    @pytest.mark.parametrize("text", ["a", "ab", "a" * 15, "a" * 16, "é"])
    def test_a_corpus_of_a_few_tokens(self, tmp_path: Path, text: str):
        texts = {"only": text}
        store = run(tmp_path / "a", corpus=FakeCorpus(texts))
        assert_features(store, "fake", dense(FakeSae(), texts))
        assert store.read("examples", "fake").to_pylist() == oracle.examples(dense(FakeSae(), texts))

    def test_a_single_feature(self, tmp_path: Path):
        sae = FakeSae("one", 2)
        sae.W_enc, sae.b_enc, sae.decoder = sae.W_enc[:, 1:], sae.b_enc[1:], sae.decoder[1:]
        sae.facts = replace(sae.facts, d_sae=1)
        assert_features(run(tmp_path / "a", [sae]), "one", dense(sae))

    def test_many_features_are_written_in_ranges(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        from atlas.stream import tables

        plain = run(tmp_path / "a")
        monkeypatch.setattr(tables, "FEATURES_AT_ONCE", 5)
        other = run(tmp_path / "b")
        assert other.read("examples", "fake").equals(plain.read("examples", "fake"))
