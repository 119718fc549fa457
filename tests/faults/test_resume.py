"""A pass that was stopped goes on where it was, and only where everything it reads is what it was."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from atlas.cli import main
from atlas.errors import EXIT_INPUT, EXIT_INTERRUPTED
from atlas.sources.engines.transformers import TransformersEngine
from tests.support import models
from tests.support.disturb import at_moment
from tests.support.projects import OTHER_TEXT, TEXT, Project, copied, different, tree

BATCHES = 5
"""Batches of a pass over `OTHER_TEXT`: 600 tokens in contexts of 16, eight contexts at once."""

pytestmark = pytest.mark.usefixtures("layout_without_threads")


def stop(project: Project, batch: int = 1, number: signal.Signals = signal.SIGINT, times: int = 1) -> int:
    """Build until the signal comes during a batch; the exit code."""

    def act() -> None:
        for _ in range(times):
            signal.raise_signal(number)

    with pytest.MonkeyPatch.context() as patch:
        at_moment(patch, "Reading", act, batch)
        return project.build()


def checkpoint(project: Project) -> Path:
    """The folder of what is kept."""
    return project.data / ".partial" / "checkpoint"


def kept_tokens(project: Project) -> int:
    """Tokens that the next build need not read."""
    return json.loads((checkpoint(project) / "pass.json").read_text())["counts"]["read"]


@pytest.fixture
def forwards(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Contexts of every forward pass of the model."""
    calls: list[int] = []
    original = TransformersEngine.activations

    def counted(self: TransformersEngine, token_ids: object, hook_names: object) -> object:
        calls.append(len(token_ids))  # pyright: ignore[reportArgumentType]
        return original(self, token_ids, hook_names)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(TransformersEngine, "activations", counted)
    return calls


class TestStop:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_one_signal_ends_the_batch_and_keeps_it(
        self,
        number: signal.Signals,
        project: Project,
        second: dict[str, bytes],
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        before = project.result()
        assert stop(project, 2, number) == EXIT_INTERRUPTED
        said = capfd.readouterr()
        assert "stopping after this batch; once more stops at once" in said.err
        assert "stopped after 256 tokens of the pass; 256 tokens are kept: the same command" in said.err
        assert "Traceback" not in said.err
        changed = different(project.result(), before)
        assert [name for name in changed if "/.partial/checkpoint/" not in name] == []
        assert main(["check", str(project.path)]) == 0
        assert project.build() == 0
        assert different(project.result(), second) == []

    @pytest.mark.parametrize("batch", range(1, BATCHES + 2))
    def test_wherever_it_stops_the_bytes_are_the_same(
        self, batch: int, unbuilt: Project, second: dict[str, bytes], forwards: list[int]
    ) -> None:
        """The last moment is after the last batch, when nothing is left to read."""
        assert stop(unbuilt, batch) == EXIT_INTERRUPTED
        forwards.clear()
        assert unbuilt.build() == 0
        assert different(unbuilt.result(), second) == []
        # Preflight reads a few contexts as well, in smaller batches.
        assert forwards.count(8) == max(BATCHES - batch, 0)

    def test_after_every_single_batch(self, unbuilt: Project, second: dict[str, bytes]) -> None:
        # A run that goes on tells first what it has found, so its own first batch is its second news.
        codes = [stop(unbuilt, 1 + (number > 0)) for number in range(BATCHES)]
        assert codes == [EXIT_INTERRUPTED] * BATCHES
        assert kept_tokens(unbuilt) == 608
        assert unbuilt.build() == 0
        assert different(unbuilt.result(), second) == []

    def test_two_signals_end_it_at_once(
        self, unbuilt: Project, second: dict[str, bytes], capfd: pytest.CaptureFixture[str]
    ) -> None:
        assert stop(unbuilt, 3, times=2) == EXIT_INTERRUPTED
        assert "stopped after 384 tokens of the pass; 256 tokens are kept" in capfd.readouterr().err
        assert unbuilt.build() == 0
        assert different(unbuilt.result(), second) == []

    def test_at_once_before_anything_was_kept(
        self, unbuilt: Project, capfd: pytest.CaptureFixture[str]
    ) -> None:
        assert stop(unbuilt, 1, times=2) == EXIT_INTERRUPTED
        assert "nothing was kept of it" in capfd.readouterr().err
        assert not (unbuilt.folder / "build").exists()

    def test_the_remaining_time_counts_this_run_only(
        self, unbuilt: Project, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told: list[tuple[int, int]] = []
        stop(unbuilt, 3)
        monkeypatch.setattr(
            "atlas.cli.progress.PlainProgress.update",
            lambda _, done, total, step="": told.append((done, total)),
        )
        assert unbuilt.build() == 0
        assert told[0] == (384, 600), "what an earlier run has read is told before the first batch"
        assert told[1] == (512, 600)


def change_option(project: Project) -> None:
    project.config["corpus"]["tokens"] = 1200


def change_mask(project: Project) -> None:
    project.config["pass"]["mask"] = {"first_positions": 2}


def change_sae(project: Project) -> None:
    project.weights["b_dec"] = project.weights["b_dec"] + np.float32(1)


def change_text(project: Project) -> None:
    project.text = TEXT


def change_tokenizer(project: Project) -> None:
    path = project.model / "tokenizer.json"
    path.write_text(path.read_text() + "\n")


def change_model(project: Project) -> None:
    models.random_model("gpt2", 1, n_layer=2).save_pretrained(project.model)


REFUSED: dict[str, tuple[Callable[[Project], None], str]] = {
    "option": (change_option, "- corpus.tokens was 600, is now 1,200\n"),
    "nested option": (change_mask, "- pass.mask.first_positions was 0, is now 2\n"),
    "SAE": (change_sae, "- the file of the SAE tiny, sae_weights.safetensors changed\n"),
    "corpus": (change_text, "- the texts of the corpus changed\n"),
    "tokenizer": (change_tokenizer, "- the file of the model, tokenizer.json changed\n"),
    "model": (change_model, "- the file of the model, model.safetensors changed\n"),
}
"""What changed → how, and what is said of it."""


class TestOtherInputs:
    @pytest.fixture
    def stopped(self, unbuilt: Project) -> Project:
        """A pass that was stopped, of a model that only this test has."""
        own = unbuilt.folder / "model"
        models.write_model(own, "gpt2", n_layer=2)
        unbuilt.model = own
        unbuilt.config["model"]["name"] = "model"
        assert stop(unbuilt, 2) == EXIT_INTERRUPTED
        return unbuilt

    @pytest.mark.parametrize("what", REFUSED)
    def test_are_refused_by_name_before_anything_is_opened(
        self, what: str, stopped: Project, forwards: list[int], capfd: pytest.CaptureFixture[str]
    ) -> None:
        before = tree(checkpoint(stopped))
        change, words = REFUSED[what]
        change(stopped)
        capfd.readouterr()
        assert stopped.build() == EXIT_INPUT
        said = capfd.readouterr().err
        assert words.strip() in [line.strip() for line in said.splitlines()], said
        assert said.count("- ") == 1
        assert "an unfinished pass of other inputs is kept here (256 tokens read)" in said
        assert "atlas build --fresh" in said
        assert "Opening" not in said
        assert forwards == []
        assert different(tree(checkpoint(stopped)), before) == []
        # More text may show preflight that the made-up SAE is a poor one.
        assert stopped.build("--fresh", "--force") == 0
        assert not checkpoint(stopped).exists()

    def test_go_on_where_they_are_put_back(self, unbuilt: Project, second: dict[str, bytes]) -> None:
        stop(unbuilt, 2)
        unbuilt.config["pass"]["top_examples"] = 5
        assert unbuilt.build() == EXIT_INPUT
        unbuilt.config["pass"]["top_examples"] = 4
        assert unbuilt.build() == 0
        assert different(unbuilt.result(), second) == []

    def test_another_library_is_refused_for_an_unfinished_pass_only(
        self, unbuilt: Project, second: dict[str, bytes], capfd: pytest.CaptureFixture[str]
    ) -> None:
        stop(unbuilt, 2)
        capfd.readouterr()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("atlas.stream.inputs.version", lambda name: "0.7")
            assert unbuilt.build() == EXIT_INPUT
            said = capfd.readouterr().err
            assert 'is now "0.7"' in said
            assert "- torch was" in said
        assert unbuilt.build() == 0
        assert different(unbuilt.result(), second) == []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("atlas.stream.inputs.version", lambda name: "0.7")
            assert unbuilt.build() == 0
        assert "Reading the corpus: nothing changed" in capfd.readouterr().err

    def test_how_the_pass_is_run_may_change(self, unbuilt: Project) -> None:
        """Where memory ran out the batch must be smaller, and the work so far must not be lost for it."""
        stop(unbuilt, 2)
        unbuilt.config["pass"] |= {"batch_contexts": 3, "checkpoint_seconds": 60}
        unbuilt.config["title"] = "Another title"
        assert unbuilt.build() == 0

    def test_a_finished_dataset_whose_inputs_changed_is_rebuilt(
        self, project: Project, second: dict[str, bytes]
    ) -> None:
        assert project.build() == 0
        assert different(project.result(), second) == []

    def test_what_was_kept_stays_while_the_older_dataset_is_in_use(
        self, first: Project, project: Project, second: dict[str, bytes]
    ) -> None:
        stop(project, 2)
        project.text = TEXT
        assert project.build() == 0, "this is what the dataset was built from"
        changed = different(project.result(), first.result())
        assert changed
        assert [name for name in changed if "/.partial/checkpoint/" not in name] == []
        project.text = OTHER_TEXT
        assert project.build() == 0
        assert different(project.result(), second) == []

    def test_what_a_build_left_that_died_before_tidying_up(self, first: Project, tmp_path: Path) -> None:
        project = copied(first, tmp_path / "work", TEXT)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("atlas.stream.checkpoint.Checkpoint.discard", lambda self: None)
            assert project.build("--fresh") == 0
        assert checkpoint(project).exists()
        assert project.build() == 0
        assert different(project.result(), first.result()) == []

    def test_a_corpus_that_gives_other_text_under_the_same_fingerprint(
        self, unbuilt: Project, second: dict[str, bytes], capfd: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                "atlas.sources.corpora.text.TextCorpus.fingerprint", lambda self: "a data set's name"
            )
            stop(unbuilt, 2)
            kept = tree(checkpoint(unbuilt))
            unbuilt.text = TEXT
            capfd.readouterr()
            assert unbuilt.build() == EXIT_INPUT
            assert "the first 256 tokens of the corpus are not those" in capfd.readouterr().err
            assert different(tree(checkpoint(unbuilt)), kept) == []
            unbuilt.text = OTHER_TEXT
            assert unbuilt.build() == 0
        # The fingerprint is in the manifest; the tables are those of any other build.
        assert {name for name in different(unbuilt.result(), second) if name.startswith("data/")} == {
            "data/manifest.json"
        }

    def test_state_of_other_code_is_refused(
        self, unbuilt: Project, capfd: pytest.CaptureFixture[str]
    ) -> None:
        stop(unbuilt, 2)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("atlas.stream.sae_pass.SaePass.load", lambda self, state: state["of tomorrow"])
            assert unbuilt.build() == EXIT_INPUT
        said = capfd.readouterr().err
        assert "was written by other code" in said
        assert "atlas build --fresh" in said


class TestHopeless:
    """What fails for the same inputs every time leaves nothing to go on with: the fix is another input."""

    def test_everything_masked(self, unbuilt: Project, capfd: pytest.CaptureFixture[str]) -> None:
        unbuilt.config["pass"]["mask"] = {"first_positions": 16}
        assert unbuilt.build() == EXIT_INPUT
        assert "leaves out all of them" in capfd.readouterr().err
        unbuilt.config["pass"]["mask"] = {"first_positions": 2}
        assert unbuilt.build() == 0

    def test_a_late_activation_that_is_not_finite(
        self, unbuilt: Project, second: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from atlas.errors import InputError
        from atlas.stream.sae_pass import SaePass

        calls = 0
        update = SaePass.update

        def failing(self: SaePass, *arguments: object) -> None:
            nonlocal calls
            calls += 1
            if calls == 3:
                raise InputError("feature 3 has an activation that is not finite")
            update(self, *arguments)  # pyright: ignore[reportArgumentType]

        monkeypatch.setattr(SaePass, "update", failing)
        assert unbuilt.build() == EXIT_INPUT
        assert not checkpoint(unbuilt).exists()
        assert unbuilt.build() == 0
        assert different(unbuilt.result(), second) == []


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def garbage(path: Path) -> None:
    path.write_bytes(b"\x00[{" * 40)


DAMAGE: dict[str, Callable[[Path], None]] = {
    "flip": flip,
    "cut": cut,
    "garbage": garbage,
    "empty": lambda path: path.write_bytes(b""),
    "gone": Path.unlink,
}
"""Name → what happens to a file."""


class TestDamage:
    @pytest.mark.parametrize("file", ["*.state", "pass.json"])
    @pytest.mark.parametrize("how", DAMAGE)
    def test_of_what_was_kept_costs_only_the_work(
        self,
        file: str,
        how: str,
        unbuilt: Project,
        second: dict[str, bytes],
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        stop(unbuilt, 2)
        DAMAGE[how](next(checkpoint(unbuilt).glob(file)))
        capfd.readouterr()
        assert unbuilt.build() == 0
        said = capfd.readouterr().err
        assert "Traceback" not in said
        assert ("note: what was kept of an unfinished pass is damaged" in said) == (
            (how, file) != ("gone", "pass.json")
        )
        assert different(unbuilt.result(), second) == []
