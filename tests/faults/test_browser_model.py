"""The model of an atlas survives what builds survive: kills, damage, another world around the process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from atlas.check import check_dataset
from atlas.cli import main
from atlas.errors import InputError
from atlas.store import AtlasStore
from tests.faults.test_same_bytes import OTHER_WORLD
from tests.support.disturb import count_calls
from tests.support.fake_bundle import FakeExport
from tests.support.kills import assert_goes_on, kill, moments
from tests.support.projects import TEXT, Project, copied, tree

KILLS = 5
"""Moments at which the stage is killed, spread over it."""

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("layout_without_threads")]


def with_model(project: Project, folder: Path) -> Project:
    """A built project whose model was switched on since."""
    copy = copied(project, folder, text=TEXT)
    copy.config["browser_model"] = True
    return copy


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> FakeExport:
    """The export itself takes no time."""
    return FakeExport(monkeypatch)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks as on Unix")
class TestKilled:
    def test_at_moments_spread_over_the_stage(
        self, first: Project, tmp_path: Path, quick: FakeExport, capfd: pytest.CaptureFixture[str]
    ):
        del quick
        whole = with_model(first, tmp_path / "whole")
        calls = moments(whole, count_calls)
        wanted = whole.result()
        assert "data/tables/model_files" in " ".join(wanted)
        assert len(calls) > 2 * KILLS
        for number in range(KILLS):
            project = with_model(first, tmp_path / f"killed-{number}")
            kill(project, count_calls, calls[len(calls) * number // KILLS])
            assert main(["check", str(project.site)]) == 0, "the previous site, or the new one"
            store = AtlasStore.open(project.data)
            if store.manifest.stages.get("browser_model"):
                assert check_dataset(project.data) == []
            assert_goes_on(project, wanted, capfd)

    def test_a_kill_costs_no_second_pass(self, first: Project, tmp_path: Path, quick: FakeExport):
        project = with_model(first, tmp_path / "work")
        before = AtlasStore.open(project.data).manifest.stages["stream"]
        quick.failure = InputError("below the gate")
        assert project.build() == 2
        quick.failure = None
        assert project.build() == 0
        assert AtlasStore.open(project.data).manifest.stages["stream"] == before


@pytest.fixture(scope="module")
def project(first: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A finished build with a model; whoever damages it mends it."""
    made = with_model(first, tmp_path_factory.mktemp("whole") / "work")
    with pytest.MonkeyPatch.context() as patch:
        FakeExport(patch)
        assert made.build() == 0
    return made


@contextmanager
def damaged(path: Path, change: Callable[[bytearray], object]) -> Iterator[None]:
    """`path` with other bytes, for the block."""
    whole = path.read_bytes()
    data = bytearray(whole)
    change(data)
    path.write_bytes(data)
    try:
        yield
    finally:
        path.write_bytes(whole)


def flip(place: float) -> Callable[[bytearray], None]:
    """Turns one bit over, so far into a file."""

    def change(data: bytearray) -> None:
        data[int(place * len(data))] ^= 1

    return change


class TestDamaged:
    """A byte changed on the disk is found by every reader, and named."""

    @pytest.mark.parametrize("pattern", ["tables/model_files/*.parquet", "saes/*/directions/*.parquet"])
    @pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
    def test_in_the_dataset(
        self, project: Project, pattern: str, place: float, capfd: pytest.CaptureFixture[str]
    ):
        path = next(project.data.glob(pattern))
        capfd.readouterr()
        with damaged(path, flip(place)):
            assert main(["check", str(project.data)]) == 5
            assert path.name in "".join(capfd.readouterr())
            assert main(["render", str(project.data), "--site", str(project.folder / "other")]) == 2
            assert path.name in "".join(capfd.readouterr())
        assert not (project.folder / "other").exists()

    @pytest.mark.parametrize(
        "pattern", ["model/index.js", "model/files/weights-0-bin/1.js", "*/directions/0.js"]
    )
    def test_on_the_site(self, project: Project, pattern: str, capfd: pytest.CaptureFixture[str]):
        path = next((project.site / "data").glob(pattern))
        with damaged(path, flip(0.5)):
            assert main(["check", str(project.site)]) == 5
        assert path.relative_to(project.site).as_posix() in "".join(capfd.readouterr())

    def test_a_cut_table_is_found(self, project: Project):
        (path,) = project.data.glob("tables/model_files/*.parquet")
        with damaged(path, lambda data: data.__delitem__(slice(-100, None))):
            assert any(path.name in line for line in check_dataset(project.data))
        assert check_dataset(project.data) == []


@pytest.fixture(scope="module")
def exported(first: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real export of the tiny model, by this process."""
    folder = tmp_path_factory.mktemp("exported")
    project = copied(first, folder / "work", text=TEXT)
    assert main(["export", "onnx", str(project.write()), "--output", str(folder / "out")]) == 0
    return folder


def test_another_world_exports_the_same_bytes(exported: Path):
    """Threads, time zone, locale, hash seed."""
    config = exported / "work/site_config.yaml"
    command = [
        sys.executable,
        "-m",
        "atlas",
        "export",
        "onnx",
        str(config),
        "--output",
        str(exported / "two"),
    ]
    done = subprocess.run(
        command, env=os.environ | OTHER_WORLD, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    one, two = tree(exported / "out"), tree(exported / "two")
    assert set(one) == set(two)
    assert {name for name in one if one[name] != two[name]} == set()


def test_a_graph_below_the_gate_is_refused_with_its_figures(
    first: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    """As if the exporter wrote another encoder than the SAE's."""
    from atlas.export.onnx.encoder import Encoder

    real = Encoder.of.__func__

    def wrong(cls, slug, weights, steps):
        made = real(cls, slug, weights, steps)
        made.tensors["W_enc"] = made.tensors["W_enc"][::-1].copy()
        return made

    monkeypatch.setattr(Encoder, "of", classmethod(wrong))
    project = with_model(first, tmp_path / "work")
    before = tree(project.site)
    capfd.readouterr()
    assert project.build() == 2
    said = " ".join(capfd.readouterr().err.split())
    assert "the model in fp32 is not the model any more" in said
    assert "top-20 overlap" in said
    assert "tokens)" in said
    assert not AtlasStore.open(project.data).manifest.browser_model
    assert tree(project.site) == before, "the site of the last build stays"
