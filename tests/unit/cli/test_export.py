"""`atlas export onnx`: results on standard output, figures for people, errors as what / where / fix."""

from __future__ import annotations

import pytest

from atlas.cli import main
from atlas.errors import InputError
from tests.support.fake_bundle import FIGURES, FakeExport
from tests.support.fake_stages import make_project


@pytest.fixture
def export(monkeypatch: pytest.MonkeyPatch) -> FakeExport:
    return FakeExport(monkeypatch)


@pytest.fixture
def config(tmp_path, fakes, export):
    del fakes, export
    return make_project(tmp_path / "project")


def test_it_prints_the_folder_and_the_figures(config, tmp_path, capsys):
    assert main(["export", "onnx", str(config), "--output", str(tmp_path / "out")]) == 0
    out, err = capsys.readouterr()
    assert out.strip() == str(tmp_path / "out")
    assert f"alpha: {FIGURES.words()}" in err
    assert f"beta: {FIGURES.words()}" in err
    assert (tmp_path / "out/alpha.steer.onnx").is_file()


def test_the_folder_of_the_config_is_enough(config, capsys):
    assert main(["export", "onnx", str(config.parent)]) == 0
    assert (config.parent / "build/onnx/manifest.json").is_file()


def test_browser_model_need_not_be_set(config):
    """The command is the wish."""
    assert "browser_model" not in config.read_text()
    assert main(["export", "onnx", str(config)]) == 0


@pytest.mark.parametrize("arguments", [["export"], ["export", "onnx", "--help"], ["export", "--help"]])
def test_help_is_there(arguments, capsys):
    main(arguments)
    assert "onnx" in "".join(capsys.readouterr())


def test_a_missing_config_is_named(tmp_path, capsys):
    assert main(["export", "onnx", str(tmp_path / "none.yaml")]) == 2
    assert "none.yaml" in capsys.readouterr().err


def test_a_refusal_has_its_figures_and_exit_code(config, export, tmp_path, capsys):
    export.failure = InputError("the model in int8 is not the model", where="browser_precision", fix="fp16")
    assert main(["export", "onnx", str(config), "--output", str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    for part in ("not the model", "browser_precision", "fp16"):
        assert part in err
    assert "Traceback" not in err
    assert not (tmp_path / "out").exists()


def test_unknown_formats_are_refused(config, capsys):
    assert main(["export", "tensorflow", str(config)]) == 2
    assert "tensorflow" in capsys.readouterr().err
