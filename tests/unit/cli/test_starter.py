"""`atlas init` and `atlas schema`: a config that is right as it stands, and help for writing another."""

from __future__ import annotations

import json

import pytest

from atlas.cli import main
from atlas.cli.starter import COPIES, write_starter
from atlas.config import SiteConfig
from atlas.configfile import load_config
from atlas.errors import DiskError


def test_init_writes_a_config_that_loads(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["init", "mine"]) == 0
    out, err = capsys.readouterr()
    assert out == "mine/site_config.yaml\n"
    assert "cd mine && atlas build" in err
    loaded = load_config(tmp_path / "mine/site_config.yaml")
    config = loaded.config
    assert (loaded.base / config.model.name / "config.json").is_file()
    for sae in config.saes:
        assert (loaded.base / sae.folder / "cfg.json").is_file()
    assert config.corpus.kind == "python_stdlib"
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == ["demo", "site_config.yaml"]


def test_init_here_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["init"]) == 0
    out, err = capsys.readouterr()
    assert out == "site_config.yaml\n"
    assert "cd " not in err


@pytest.mark.parametrize("name", ["site_config.yaml", "demo"])
def test_init_never_overwrites(tmp_path, capsys, name):
    (tmp_path / name).write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    assert main(["init", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert name in err
    assert "nothing was written" in err
    assert (tmp_path / name).read_text() == "mine"
    assert sorted(tmp_path.rglob("*")) == before


def test_init_twice_is_refused(tmp_path, capsys):
    assert main(["init", str(tmp_path / "a")]) == 0
    before = {path: path.read_bytes() for path in (tmp_path / "a").rglob("*") if path.is_file()}
    assert main(["init", str(tmp_path / "a")]) == 2
    assert {path: path.read_bytes() for path in (tmp_path / "a").rglob("*") if path.is_file()} == before


def test_init_into_a_file_is_refused(tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    assert main(["init", str(tmp_path / "file")]) == 2
    assert "is a file" in capsys.readouterr().err


def test_a_failed_copy_leaves_no_half_of_it(tmp_path, monkeypatch):
    def fail(source, target):
        target.mkdir(parents=True)
        (target / "half").write_text("x")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copytree", fail)
    with pytest.raises(DiskError):
        write_starter(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_copies_are_the_packages_own(tmp_path, demo_dir):
    write_starter(tmp_path)
    for name, copy in COPIES.items():
        for path in (demo_dir / name).iterdir():
            assert (tmp_path / "demo" / copy / path.name).read_bytes() == path.read_bytes()


def test_every_option_that_the_config_mentions_exists(tmp_path):
    """Commented options are documentation: uncommenting any one line must give a known key."""
    config = write_starter(tmp_path)
    text = config.read_text()
    known = set()

    def collect(model):
        for name, field in model.model_fields.items():
            known.add(field.alias or name)
            for inner in (field.annotation, *getattr(field.annotation, "__args__", ())):
                if hasattr(inner, "model_fields"):
                    collect(inner)

    collect(SiteConfig)
    for line in text.splitlines():
        words = line.strip("# -").split(":")
        if len(words) > 1 and words[0].isidentifier() and not line.startswith("#  "):
            assert words[0] in known, line
    assert max(len(line) for line in text.splitlines()) <= 110


def test_the_commented_choices_are_valid_too(tmp_path):
    config = write_starter(tmp_path)
    text = config.read_text()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts/a.txt").write_text("text")
    changed = text.replace("  kind: python_stdlib ", "  # ").replace("  # kind: text  ", "  kind: text  ")
    changed = changed.replace("  # paths: [texts/*.txt]", "  paths: [texts/*.txt]")
    changed = changed.replace("  # context_size", "  context_size").replace("# base_url", "base_url")
    changed = changed.replace("  # batch_contexts", "  batch_contexts").replace("  # revision", "  revision")
    changed = changed.replace("  # - slug: gpt2", "  - slug: gpt2").replace("  #   release", "    release")
    changed = changed.replace("  #   sae_id: blocks", "    sae_id: blocks")
    config.write_text(changed)
    loaded = load_config(config)
    assert loaded.config.corpus.kind == "text"
    assert loaded.config.corpus.context_size == 128
    assert loaded.config.saes[1].release == "gpt2-small-res-jb"


def test_the_schema_is_json_on_standard_output(capsys):
    assert main(["schema"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    schema = json.loads(out)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert set(schema["required"]) >= {"title", "model", "saes", "corpus"}


def test_the_schema_goes_to_a_file_where_asked(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["schema", "--out", "schema.json"]) == 0
    assert capsys.readouterr().out == "schema.json\n"
    assert json.loads((tmp_path / "schema.json").read_text())["required"]
    assert [path.name for path in tmp_path.iterdir()] == ["schema.json"]
