"""A build that is interrupted in any stage or may not write loses nothing, and tidies up."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from atlas.cli import main
from atlas.errors import EXIT_DISK, EXIT_INTERRUPTED
from tests.support.disturb import at_moment, in_child, interrupted
from tests.support.projects import TEXT, Project, copied, different, tree

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="signals and forks as on Unix"),
    pytest.mark.usefixtures("layout_without_threads"),
]


class TestSignals:
    @pytest.mark.parametrize("stage", ["Opening", "Enriching", "Writing", "Checking"])
    def test_in_any_other_stage_the_site_stays_and_the_next_build_completes(
        self, stage: str, project: Project, second: dict[str, bytes], capfd: pytest.CaptureFixture[str]
    ) -> None:
        before = tree(project.site)
        with pytest.MonkeyPatch.context() as patch:
            if stage == "Opening":
                patch.setattr("atlas.sources.preflight.preflight", interrupted)
            else:
                at_moment(patch, stage, interrupted)
            code = project.build()
        said = capfd.readouterr()
        assert code == EXIT_INTERRUPTED, said.err
        assert "Traceback" not in said.err
        if stage != "Checking":
            assert different(tree(project.site), before) == []
        assert main(["check", str(project.site)]) == 0
        assert project.build() == 0
        assert different(project.result(), second) == []

    def test_a_first_build_that_read_nothing_leaves_no_folder_behind(
        self, tiny_model: Path, tmp_path: Path, first: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        project = Project(tmp_path / "work", tiny_model)
        with monkeypatch.context() as patch:
            patch.setattr("atlas.stream.run.Reading._read_batch", interrupted_twice)
            assert project.build() == EXIT_INTERRUPTED
        assert not (project.folder / "build").exists()
        assert project.build() == 0
        assert different(project.result(), first.result()) == []


def interrupted_twice(*arguments: object) -> None:
    """Ctrl-C at this very place, by somebody who does not want to wait for the batch."""
    interrupted()
    interrupted()


def test_a_build_goes_on_where_nobody_reads_what_it_says(unbuilt: Project, second: dict[str, bytes]) -> None:
    """As in `atlas build 2>&1 | head -1`: a closed pipe is no reason to lose hours of work."""

    def run() -> int:
        read, write = os.pipe()
        os.close(read)
        for stream in (1, 2):
            os.dup2(write, stream)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        return unbuilt.build()

    status = in_child(run)
    assert os.WIFEXITED(status)
    assert os.WEXITSTATUS(status) == 0
    assert different(unbuilt.result(), second) == []


class TestLeftovers:
    def test_what_a_killed_build_left_is_gone_even_where_the_pass_is_skipped(
        self, first: Project, tmp_path: Path
    ) -> None:
        project = copied(first, tmp_path / "work", TEXT)
        name = ".atlas-0123456789abcdef.tmp"
        left = [project.data / name, project.data / ".partial" / "0123456789abcdef" / name]
        left[1].parent.mkdir(parents=True)
        for path in left:
            path.write_bytes(b"half a table")
        mine = project.data / ".mine.tmp"
        mine.write_text("not ours")
        assert project.build() == 0
        assert [path for path in left if path.exists()] == []
        assert mine.read_text() == "not ours"
        mine.unlink()
        assert different(project.result(), first.result()) == []


@pytest.fixture
def public(first: Project) -> Iterator[Project]:
    """A copy of the first build, model included, that everybody may read and only its owner may change."""
    with tempfile.TemporaryDirectory(prefix="atlas-") as name:
        Path(name).chmod(0o755)
        shutil.copytree(first.model, Path(name) / "model")
        project = copied(first, Path(name) / "work")
        project.model = Path(name) / "model"
        project.config["model"]["name"] = str(project.model)
        project.write()
        for path in Path(name).rglob("*"):
            path.chmod(0o555 if path.is_dir() else 0o444)
        yield project
        for path in Path(name).rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)


@pytest.mark.parametrize("stage", ["data", "site"])
def test_a_folder_that_may_not_be_written(stage: str, public: Project, tmp_path: Path) -> None:
    """As an ordinary user; a build that root started gives its rights up first."""
    if stage == "site":
        for path in (public.data, *public.data.rglob("*")):
            path.chmod(0o777 if path.is_dir() else 0o666)
    before = tree(public.site)
    out = tmp_path / "said"

    def run() -> int:
        handle = os.open(out, os.O_WRONLY | os.O_CREAT, 0o666)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        if os.geteuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        return main(["build", str(public.path)])

    status = in_child(run)
    said = out.read_text()
    assert os.WEXITSTATUS(status) == EXIT_DISK, said
    assert "permission denied" in said
    assert str(public.data if stage == "data" else public.site.parent) in said
    assert "Traceback" not in said
    assert different(tree(public.site), before) == []
