"""A build: the right stages in the right order, each only when it is needed, and never half a result."""

from __future__ import annotations

import multiprocessing
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from atlas.check import check_site
from atlas.configfile import load_config
from atlas.errors import (
    CheckError,
    DiskError,
    InputError,
    InterruptedBuildError,
    LockedError,
)
from atlas.pipeline import Job, build, render_config, render_dataset
from atlas.pipeline.build import STAGES
from atlas.store import AtlasStore
from atlas.store.lock import lock_beside, lock_folder
from atlas.stream.checkpoint import Counts
from tests.support.fake_stages import CONFIG, make_project

ALL = ("preflight", "stream", "enrich", "index", "render", "check")


@pytest.fixture
def config(tmp_path):
    return make_project(tmp_path / "project")


def run(path, **more):
    return build(load_config(path), **more)


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


class Recorder:
    """A progress that remembers."""

    def __init__(self) -> None:
        self.lines = []

    def begin(self, title, unit):
        self.lines.append(("begin", title, unit))

    def update(self, done, total, step=""):
        assert 0 <= done <= total
        self.lines.append(("update", done, total))

    def end(self, outcome):
        assert outcome
        self.lines.append(("end", outcome))

    def skip(self, title, reason):
        self.lines.append(("skip", title, reason))

    def note(self, text):
        self.lines.append(("note", text))


def test_the_stages_read_like_a_table_of_contents():
    names = [stage.name for stage in STAGES]
    assert names[names.index("render") - 1] == "browser_model"
    assert tuple(name for name in names if name != "browser_model") == ALL
    for stage in STAGES:
        assert stage.title[0].isupper()
        assert stage.run.__doc__


def test_a_first_build_runs_everything_once(config, fakes):
    fakes.notes = ["explained variance is low"]
    report = run(config)
    assert report.ran == ALL
    assert report.skipped == ()
    assert report.notes == ("explained variance is low",)
    assert AtlasStore.open(report.data).manifest.stream["warnings"] == ["explained variance is low"]
    assert fakes.calls == ["engine", "sae", "sae", "preflight", "stream", "enrich", "index", "render"]
    assert (report.data, report.site) == (config.parent / "out/data", config.parent / "out/site")
    assert check_site(report.site) == []
    manifest = AtlasStore.open(report.data).manifest
    assert manifest.title == "Test atlas"
    assert manifest.config["saes"][1]["slug"] == "beta"
    assert "output" not in manifest.config
    assert set(manifest.stages) == {"stream", "enrich", "index"}


def test_progress_is_told_in_order(config, fakes):
    recorder = Recorder()
    run(config, progress=recorder)
    kinds = [line[0] for line in recorder.lines if line[0] != "update"]
    assert kinds == ["begin", "end"] * len(ALL)
    begun = [line[1] for line in recorder.lines if line[0] == "begin"]
    assert begun == [stage.title for stage in STAGES if stage.name != "browser_model"]
    assert ("update", 500, 1000) in recorder.lines
    recorder.lines.clear()
    run(config, progress=recorder)
    assert [line[0] for line in recorder.lines if line[0] != "update"] == ["skip"] * 5 + ["begin", "end"]


def test_nothing_changed_is_nothing_done(config, fakes):
    run(config)
    before = tree(config.parent)
    fakes.calls.clear()
    report = run(config)
    assert report.ran == ("check",)
    assert fakes.calls == []
    assert tree(config.parent) == before


CHANGES = [
    ("title: Test atlas", "title: Another", {"render"}),
    ("static_examples: 5", "static_examples: 3", {"render"}),
    ("  neighbours: 10", "  neighbours: 11", {"enrich", "index", "render"}),
    ("tokens: 1000", "tokens: 1001", {"preflight", "stream", "enrich", "index", "render"}),
    (
        "  name: model",
        "  name: model\n  dtype: float16",
        {"preflight", "stream", "enrich", "index", "render"},
    ),
    ("  name: model", "  name: model\n  device: cpu", set()),
    ("    folder: sae-a", "    folder: sae-a\n    title: Better words", {"render"}),
    ("  site: out/site", "  site: out/elsewhere", {"render"}),
    # The new dataset has the same bytes, so the site that is there is already its site.
    ("  data: out/data", "  data: out/elsewhere", {"preflight", "stream", "enrich", "index"}),
    ("enrich:", "# a comment\nenrich:", set()),
]


@pytest.mark.parametrize(
    ("old", "new", "stages"), CHANGES, ids=[change[1].split("\n")[-1].strip() for change in CHANGES]
)
def test_a_change_runs_only_what_depends_on_it(config, fakes, old, new, stages):
    run(config)
    fakes.calls.clear()
    edit(config, old, new)
    assert set(run(config).ran) == {*stages, "check"}
    assert ("stream" in fakes.calls) == ("stream" in stages)
    assert set(run(config).ran) == {"check"}


def test_a_changed_title_is_in_the_manifest_and_on_the_pages(config, fakes):
    run(config)
    edit(config, "title: Test atlas", "title: Another")
    edit(config, "    folder: sae-a", "    folder: sae-a\n    title: Better words")
    report = run(config)
    manifest = AtlasStore.open(report.data).manifest
    assert (manifest.title, manifest.saes[0].title) == ("Another", "Better words")
    page = (report.site / "index.html").read_text()
    assert "Another" in page
    assert "Better words" in page
    assert "Test atlas" not in page


@pytest.mark.parametrize(
    ("file", "stages"),
    [
        ("model/config.json", {"preflight", "stream", "enrich", "index", "render"}),
        ("sae-b/sae_weights.safetensors", {"preflight", "stream", "enrich", "index", "render"}),
        ("texts/one.txt", {"preflight", "stream", "enrich", "index", "render"}),
        ("model/.cache/note", set()),
    ],
)
def test_a_changed_file_counts_like_a_changed_option(config, fakes, file, stages):
    run(config)
    path = config.parent / file
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"changed")
    assert set(run(config).ran) == {*stages, "check"}


def test_a_file_that_was_only_touched_changes_nothing(config, fakes):
    run(config)
    os.utime(config.parent / "model/config.json", (1, 1))
    assert run(config).ran == ("check",)


def test_changed_explanations_run_the_enrichers(config, fakes):
    own = config.parent / "own.jsonl"
    own.write_text('{"sae": "alpha", "feature_idx": 1, "text": "mine"}\n')
    edit(config, "  neighbours: 10", "  explanations: own.jsonl")
    run(config)
    fakes.calls.clear()
    own.write_text('{"sae": "alpha", "feature_idx": 1, "text": "mine, better"}\n')
    assert set(run(config).ran) == {"enrich", "index", "render", "check"}
    assert fakes.calls == ["enrich", "index", "render"]


def test_bad_explanations_are_refused_before_anything_is_written(config, fakes):
    edit(config, "  neighbours: 10", "  explanations: own.jsonl")
    with pytest.raises(InputError, match=r"own\.jsonl"):
        run(config)
    (config.parent / "own.jsonl").write_text('{"sae": "gamma", "feature_idx": 1, "text": "mine"}\n')
    with pytest.raises(InputError):
        run(config)
    assert "stream" not in fakes.calls
    assert not (config.parent / "out").exists()


def test_a_removed_sae_leaves_no_tables_behind(config, fakes):
    run(config)
    edit(config, "  - slug: beta\n    folder: sae-b\n", "")
    report = run(config)
    store = AtlasStore.open(report.data)
    assert not any(key.startswith("beta/") for key in store.manifest.tables)
    assert not list((report.data / "saes").glob("beta/*/*"))
    assert not (report.site / "beta").exists()


def test_fresh_runs_everything_again_to_the_same_bytes(config, fakes):
    run(config)
    before = tree(config.parent)
    fakes.calls.clear()
    report = run(config, force_fresh=True)
    assert report.ran == ALL
    assert fakes.calls == ["engine", "sae", "sae", "preflight", "stream", "enrich", "index", "render"]
    assert tree(config.parent) == before


FAILURES = {
    "engine": InputError("no such model"),
    "sae": InputError("no such SAE"),
    "preflight": InputError("d_in 768 does not fit 192"),
    "stream": InterruptedBuildError("stopped"),
}


@pytest.mark.parametrize("call", FAILURES)
def test_a_build_that_never_wrote_leaves_no_folder(config, fakes, call):
    before = tree(config.parent)
    fakes.failures[call] = FAILURES[call]
    with pytest.raises(type(FAILURES[call])):
        run(config)
    assert tree(config.parent) == before
    assert not (config.parent / "out").exists()


def test_a_broken_theme_is_refused_before_any_model_is_opened(config, fakes):
    edit(config, "  static_examples: 5", "  theme: ./nowhere")
    with pytest.raises(InputError, match="nowhere"):
        run(config)
    assert fakes.calls == []
    assert not (config.parent / "out").exists()


def test_a_folder_with_other_things_is_refused_before_any_model_is_opened(config, fakes):
    for name in ("data", "site"):
        mine = config.parent / "out" / name
        mine.mkdir(parents=True)
        (mine / "thesis.txt").write_text("mine")
        with pytest.raises(InputError, match=r"thesis\.txt"):
            run(config)
        assert (mine / "thesis.txt").read_text() == "mine"
        assert fakes.calls == []
        (mine / "thesis.txt").unlink()
    assert run(config).ran == ALL


def test_an_existing_empty_folder_is_kept_when_nothing_came_of_it(config, fakes):
    (config.parent / "out" / "data").mkdir(parents=True)
    fakes.failures["preflight"] = InputError("bad")
    with pytest.raises(InputError):
        run(config)
    assert (config.parent / "out" / "data").is_dir()


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("enrich", RuntimeError("umap fell over")),
        ("enrich", KeyboardInterrupt()),
        ("index", DiskError("disk full")),
    ],
)
def test_what_was_finished_is_kept_and_the_rest_runs_next_time(config, fakes, call, error):
    fakes.failures[call] = error
    expected = InterruptedBuildError if isinstance(error, KeyboardInterrupt) else type(error)
    with pytest.raises(expected):
        run(config)
    assert not (config.parent / "out/site").exists()
    with pytest.raises(InputError, match=f"not finished .*{call}"):
        render_config(load_config(config), config.parent / "out/site")
    with pytest.raises(InputError, match=f"not finished .*{call}"):
        render_dataset(config.parent / "out/data", config.parent / "out/site")
    fakes.failures.clear()
    fakes.calls.clear()
    report = run(config)
    assert "stream" not in report.ran
    assert call in report.ran
    assert report.ran[-2:] == ("render", "check")


def test_a_failed_rebuild_leaves_the_previous_site_whole(config, fakes):
    report = run(config)
    before = tree(report.site)
    edit(config, "tokens: 1000", "tokens: 2000")
    for call in ("preflight", "stream", "enrich", "index", "render"):
        fakes.failures = {call: RuntimeError("oops")}
        with pytest.raises(RuntimeError):
            run(config)
        assert tree(report.site) == before


def test_an_unfinished_dataset_counts_as_such_until_its_own_stage_is_done(config, fakes):
    report = run(config)
    fakes.failures["enrich"] = RuntimeError("oops")
    edit(config, "  neighbours: 10", "  neighbours: 12")
    with pytest.raises(RuntimeError):
        run(config)
    # Even the old settings must run again: the tables may be half new.
    edit(config, "  neighbours: 12", "  neighbours: 10")
    fakes.failures.clear()
    assert set(run(config).ran) == {"enrich", "index", "check"}
    assert check_site(report.site) == []


def test_a_removed_site_is_only_rendered_again(config, fakes):
    import shutil

    report = run(config)
    before = tree(report.site)
    shutil.rmtree(report.site)
    fakes.calls.clear()
    assert run(config).ran == ("render", "check")
    assert fakes.calls == ["render"]
    assert tree(report.site) == before


def test_a_damaged_site_is_found_out_and_named(config, fakes):
    report = run(config)
    (report.site / "alpha/0/3.html").unlink()
    with pytest.raises(CheckError) as caught:
        run(config)
    assert any("alpha/0/3.html" in problem for problem in caught.value.problems)


def test_a_site_that_is_being_built_is_named(config, fakes):
    with lock_beside(config.parent / "out/site"), pytest.raises(LockedError) as caught:
        run(config)
    assert str(os.getpid()) in caught.value.what
    assert caught.value.where == str(config.parent / "out/site")
    assert fakes.calls == []
    assert not (config.parent / "out/data").exists()
    with lock_beside(config.parent / "elsewhere/site"):
        assert run(config).ran == ALL


@pytest.mark.parametrize("force", [False, True])
def test_force_reaches_preflight(config, fakes, force):
    run(config, force=force)
    assert fakes.forced is force


class TestUnfinishedPass:
    """What the pipeline does with what a pass has kept; the pass itself is faked."""

    SECTIONS = staticmethod(lambda path: Job(load_config(path)).all_sections)

    def keep(self, path: Path) -> Path:
        """As a pass that was killed after its first commit leaves it."""
        job = Job(load_config(path))
        job.store.update(title="begun")
        job.checkpoint.save({"x": np.arange(3)}, Counts(read=64, contexts=4), "", job.all_sections)
        return job.checkpoint.folder

    def test_the_pass_gets_it_and_it_is_gone_after(self, config, fakes):
        folder = self.keep(config)
        edit(config, "  tokens: 1000", "  tokens: 1000\npass:\n  checkpoint_seconds: 0")
        run(config)
        assert fakes.keeper.checkpoint.folder == folder
        assert fakes.keeper.sections == self.SECTIONS(config)
        assert fakes.keeper.checkpoint.due(), "0 seconds: after every batch"
        assert not folder.parent.exists()

    def test_other_inputs_are_refused_before_anything_is_opened(self, config, fakes):
        folder = self.keep(config)
        before = tree(config.parent)
        edit(config, "tokens: 1000", "tokens: 2000")
        fakes.calls.clear()
        with pytest.raises(InputError, match=r"corpus\.tokens was 1,000, is now 2,000"):
            run(config)
        assert fakes.calls == []
        edit(config, "tokens: 2000", "tokens: 1000")
        assert tree(config.parent) == before
        run(config)
        assert not folder.exists()

    def test_other_weights_under_the_same_name_are_refused_once_opened(self, config, fakes):
        """As from a hub, where a name says little: only the opened model tells."""
        self.keep(config)
        weights = fakes.open_engine

        def other(config, base):
            engine = weights(config, base)
            engine.facts.weights_sha256 = "9" * 64
            return engine

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys.modules["atlas.sources.open"], "open_engine", other)
            with pytest.raises(InputError, match="the weights of the model changed"):
                run(config)
        assert "preflight" not in fakes.calls
        assert "stream" not in fakes.calls

    def test_fresh_discards_it_when_the_reading_begins(self, config, fakes):
        folder = self.keep(config)
        edit(config, "tokens: 1000", "tokens: 2000")
        fakes.failures["preflight"] = InputError("a hook that does not exist")
        with pytest.raises(InputError, match="a hook"):
            run(config, force_fresh=True)
        assert folder.exists(), "nothing was read instead of it"
        fakes.failures.clear()
        assert run(config, force_fresh=True).ran == ALL
        assert not folder.exists()

    def test_a_build_that_fails_later_has_no_use_for_it(self, config, fakes):
        folder = self.keep(config)
        fakes.failures["enrich"] = RuntimeError("oops")
        with pytest.raises(RuntimeError):
            run(config)
        assert not folder.exists()
        fakes.failures.clear()
        assert "stream" not in run(config).ran

    def test_notes_of_a_damaged_one_are_passed_on(self, config, fakes):
        self.keep(config)
        fakes.stream_notes = ["what was kept is damaged"]
        assert run(config).notes == ("what was kept is damaged",)


def test_a_build_that_holds_the_folder_is_named(config, fakes):
    with lock_folder(config.parent / "out/data"), pytest.raises(LockedError, match=str(os.getpid())):
        run(config)
    assert fakes.calls == []


def _hold(folder, ready, done):
    with lock_folder(Path(folder)):
        ready.set()
        done.wait(30)


def test_another_process_that_builds_is_named_at_once(config, fakes):
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(str(config.parent / "out/data"), ready, done))
    other.start()
    assert ready.wait(30)
    with pytest.raises(LockedError, match=f"process {other.pid} "):
        run(config)
    done.set()
    other.join()
    assert run(config).ran == ALL


def test_rendering_alone_applies_titles_and_says_what_is_stale(config, fakes):
    report = run(config)
    edit(config, "title: Test atlas", "title: New words")
    edit(config, "tokens: 1000", "tokens: 2000")
    stale = render_config(load_config(config), report.site)
    assert stale == ["corpus"]
    assert "New words" in (report.site / "index.html").read_text()
    assert check_site(report.site) == []
    assert AtlasStore.open(report.data).manifest.config["corpus"]["tokens"] == 1000
    # The full build then notices what rendering alone could not apply.
    assert "stream" in run(config).ran


def test_rendering_a_dataset_needs_nothing_but_its_folder(config, fakes, tmp_path):
    report = run(config)
    before = tree(report.data)
    render_dataset(report.data, tmp_path / "copy")
    assert check_site(tmp_path / "copy") == []
    assert tree(report.data) == before
    assert (tmp_path / "copy/alpha/0/3.html").read_bytes() == (report.site / "alpha/0/3.html").read_bytes()


def test_a_build_elsewhere_gives_the_same_bytes(config, fakes, tmp_path):
    report = run(config)
    other = make_project(tmp_path / "other", CONFIG.replace("out/", "results/"))
    second = run(other)
    assert tree(second.data) == tree(report.data)
    assert tree(second.site) == tree(report.site)
