"""`atlas build`, `render` and `check` as a user sees them: results on standard output, the rest elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from atlas.cli import main
from atlas.configfile import load_config
from atlas.errors import InputError, InterruptedBuildError
from atlas.pipeline import Job
from atlas.store.lock import lock_folder
from atlas.stream.checkpoint import Counts
from tests.support.fake_stages import make_project


@pytest.fixture
def project(tmp_path, monkeypatch, fakes):
    config = make_project(tmp_path / "project")
    monkeypatch.chdir(config.parent)
    return config.parent


def atlas(capsys, *words: str):
    code = main(list(words))
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    assert "\x1b" not in out + err
    return code, out, err


def test_a_build_prints_where_the_results_are(project, capsys):
    code, out, err = atlas(capsys, "build")
    assert (code, out) == (0, "out/data\nout/site/index.html\n")
    assert "Reading the corpus …" in err
    assert "atlas serve" in err
    code, out, err = atlas(capsys, "build", "site_config.yaml")
    assert (code, out) == (0, "out/data\nout/site/index.html\n")
    assert "Reading the corpus: nothing changed" in err
    assert "nothing changed since the last build" in err


def test_a_folder_stands_for_the_config_in_it(project, capsys, monkeypatch):
    monkeypatch.chdir(project.parent)
    code, out, _ = atlas(capsys, "build", "project")
    assert (code, out) == (0, "project/out/data\nproject/out/site/index.html\n")


def test_results_elsewhere_are_shown_in_full(project, capsys, monkeypatch, tmp_path_factory):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    _, out, _ = atlas(capsys, "build", str(project))
    assert out == f"{project}/out/data\n{project}/out/site/index.html\n"


def test_notes_of_preflight_are_passed_on(project, capsys, fakes):
    fakes.notes = ["the SAE explains only 12 % of the variance"]
    assert "note: the SAE explains only 12 % of the variance" in atlas(capsys, "build")[2]


def test_fresh_runs_everything_again(project, capsys, fakes):
    atlas(capsys, "build")
    fakes.calls.clear()
    assert atlas(capsys, "build", "--fresh")[0] == 0
    assert "stream" in fakes.calls


def test_force_is_passed_on(project, capsys, fakes):
    atlas(capsys, "build", "--force")
    assert fakes.forced
    assert atlas(capsys, "build", "--fresh")[0] == 0
    assert not fakes.forced


def test_an_unfinished_pass_of_other_inputs_is_exit_2(project, capsys, fakes):
    job = Job(load_config(project / "site_config.yaml"))
    job.store.update(title="begun")
    job.checkpoint.save({}, Counts(read=64), "", job.all_sections)
    path = project / "site_config.yaml"
    path.write_text(path.read_text().replace("tokens: 1000", "tokens: 2000"))
    for words in (["build"], ["build", "--dry-run"]):
        code, out, err = atlas(capsys, *words)
        assert (code, out) == (2, "")
        assert "\n- corpus.tokens was 1,000, is now 2,000\n" in err
        assert "atlas build --fresh" in err
    assert atlas(capsys, "build", "--fresh")[0] == 0


BAD_CONFIGS = {
    "unknown key": ("tokens: 1000", "tokenz: 1000", "tokens"),
    "wrong type": ("tokens: 1000", "tokens: many", "many"),
    "not YAML": ("title: Test atlas", "title: [", "YAML"),
    "unknown corpus": ("kind: text", "kind: texxt", "text"),
    "site inside data": ("site: out/site", "site: out/data/site", "overlap"),
    "site is home": ("site: out/site", "site: '~'", "~"),
    "no SAE": ("saes:", "sae:", "saes"),
    "missing theme": ("static_examples: 5", "theme: nowhere", "nowhere"),
}


@pytest.mark.parametrize("case", BAD_CONFIGS)
@pytest.mark.parametrize("words", [["build"], ["build", "--dry-run"]], ids=" ".join)
def test_a_bad_config_is_one_clear_error_and_leaves_nothing(project, capsys, fakes, case, words):
    old, new, hint = BAD_CONFIGS[case]
    path = project / "site_config.yaml"
    path.write_text(path.read_text().replace(old, new))
    before = sorted(project.rglob("*"))
    code, out, err = atlas(capsys, *words)
    assert (code, out) == (2, "")
    assert hint in err
    assert err.count("error:") == 1
    assert fakes.calls == []
    assert sorted(project.rglob("*")) == before


@pytest.mark.parametrize("call", ["engine", "sae", "preflight", "stream"])
def test_bad_input_found_later_leaves_nothing_either(project, capsys, fakes, call):
    fakes.failures[call] = InputError("W_enc holds NaN", where="sae-a", fix="get the file again")
    before = sorted(project.rglob("*"))
    code, out, err = atlas(capsys, "build")
    assert (code, out) == (2, "")
    assert "error: W_enc holds NaN\n  where: sae-a\n  fix:   get the file again\n" in err
    assert sorted(project.rglob("*")) == before


def test_a_missing_config_names_the_way_out(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for words in (["build"], ["build", "x.yaml"], ["render"], ["check"], ["serve"]):
        code, out, err = atlas(capsys, *words)
        assert (code, out) == (2, "")
        assert "atlas init" in err
    assert list(tmp_path.iterdir()) == []


def test_another_build_is_exit_3(project, capsys):
    with lock_folder(project / "out/data"):
        code, out, err = atlas(capsys, "build")
        assert (code, out) == (3, "")
        assert "is building in this folder" in err
        assert atlas(capsys, "render")[0] in {2, 3}


@pytest.mark.skipif(sys.platform == "win32", reason="permissions work otherwise there")
def test_a_folder_that_cannot_be_written_is_exit_4(project, capsys):
    (project / "out").write_text("a file where the folder should be")
    code, _, err = atlas(capsys, "build")
    assert code == 4
    assert "out" in err


def test_interrupted_is_exit_130(project, capsys, fakes):
    fakes.failures["stream"] = InterruptedBuildError("stopped after 512 tokens")
    assert atlas(capsys, "build")[0] == 130
    fakes.failures["stream"] = KeyboardInterrupt()
    code, _, err = atlas(capsys, "build")
    assert code == 130
    assert err.splitlines()[-1].startswith("stopped during 'Reading the corpus'; finished stages are kept")


def test_a_bug_is_exit_1(project, capsys, fakes):
    fakes.failures["enrich"] = ZeroDivisionError("oops")
    code, _, err = atlas(capsys, "build")
    assert code == 1
    assert "bug in atlas: ZeroDivisionError: oops" in err


def test_render_writes_the_site_again(project, capsys, fakes):
    atlas(capsys, "build")
    fakes.calls.clear()
    code, out, err = atlas(capsys, "render")
    assert (code, out) == (0, "out/site/index.html\n")
    assert fakes.calls == ["render"]
    assert "note:" not in err
    path = project / "site_config.yaml"
    path.write_text(path.read_text().replace("tokens: 1000", "tokens: 2000"))
    assert "built from another corpus" in atlas(capsys, "render")[2]


def test_render_takes_a_dataset_and_another_place(project, capsys):
    atlas(capsys, "build")
    code, out, _ = atlas(capsys, "render", "out/data", "--site", "copy")
    assert (code, out) == (0, "copy/index.html\n")
    assert atlas(capsys, "check", "copy")[:2] == (0, "ok copy\n")
    assert atlas(capsys, "render", "out/data")[1] == "out/site/index.html\n"


def test_render_with_a_theme_that_does_not_exist(project, capsys):
    atlas(capsys, "build")
    before = (project / "out/site/index.html").read_bytes()
    code, out, err = atlas(capsys, "render", "--theme", "nowhere")
    assert (code, out) == (2, "")
    assert "nowhere" in err
    assert (project / "out/site/index.html").read_bytes() == before


def test_render_before_a_build_says_so(project, capsys):
    code, _, err = atlas(capsys, "render")
    assert code == 2
    assert "no atlas dataset here" in err
    assert not (project / "out").exists()


def test_check_of_a_whole_atlas(project, capsys):
    atlas(capsys, "build")
    code, out, err = atlas(capsys, "check")
    assert (code, out) == (0, "ok out/data\nok out/site\n")
    assert "no problems" in err
    assert atlas(capsys, "check", "out/data")[:2] == (0, "ok out/data\n")
    assert atlas(capsys, "check", "out/site")[:2] == (0, "ok out/site\n")


def test_check_lists_what_is_wrong_and_exits_5(project, capsys):
    atlas(capsys, "build")
    (project / "out/site/alpha/0/3.html").unlink()
    next((project / "out/data").rglob("*.parquet")).write_bytes(b"PAR1")
    code, out, err = atlas(capsys, "check")
    assert code == 5
    assert "alpha/0/3.html: is missing" in out
    assert ".parquet" in out
    assert "problems found" in err
    assert all(line.startswith(("out/data: ", "out/site: ")) for line in out.splitlines())


def test_check_of_something_else_is_bad_input(project, capsys):
    (project / "texts/site_config.yml").write_text("")
    for name in ("texts", "nothing"):
        code, out, err = atlas(capsys, "check", name)
        assert (code, out) == (2, "")
        assert name in err


def test_a_finished_build_with_problems_is_exit_5(project, capsys, fakes, monkeypatch):
    monkeypatch.setattr("atlas.check.check_site", lambda *_: ["alpha/0/1.html: is missing"])
    code, out, err = atlas(capsys, "build")
    assert (code, out) == (5, "")
    assert "alpha/0/1.html: is missing" in err


def test_paths_with_odd_characters_are_only_paths(tmp_path, capsys, fakes, monkeypatch):
    folder = tmp_path / "a b [red]ü\u202e"
    config = make_project(folder)
    monkeypatch.chdir(folder.parent)
    code, out, _ = atlas(capsys, "build", str(config))
    assert code == 0
    assert out.startswith("a b [red]ü\\u202e/out/data\n")
    assert (folder / "out/site/index.html").is_file()


def test_nothing_is_written_outside_the_output_folders(project, capsys):
    before = set(project.rglob("*"))
    atlas(capsys, "build")
    new = {path.relative_to(project) for path in set(project.rglob("*")) - before}
    assert {path.parts[0] for path in new} == {"out"}
    assert {path.parts[1] for path in new if len(path.parts) > 1} == {"data", "site"}
    assert not list(Path().glob(".*"))
