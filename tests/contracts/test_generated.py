"""Files that are written from code and committed are what the code writes now."""

from __future__ import annotations

import json

import pytest

from tests.support.requirements import ROOT
from tools import generate


@pytest.mark.parametrize("name", generate.FILES)
def test_generated_files_are_fresh(name: str):
    written = (ROOT / name).read_text(encoding="utf-8")
    assert written == generate.FILES[name](), f"{name} is stale: run `make schema`"


def test_the_schema_accepts_the_documented_example_and_refuses_a_typo():
    from ruamel.yaml import YAML

    schema = json.loads((ROOT / "docs" / "site_config.schema.json").read_text(encoding="utf-8"))
    example = YAML(typ="safe").load(ROOT / "site_config.yaml")
    assert set(example) <= set(schema["properties"])
    assert set(schema["required"]) <= set(example)
    assert schema["additionalProperties"] is False
    for definition in schema["$defs"].values():
        assert definition.get("additionalProperties") is False or "enum" in definition


def test_the_writer_says_what_it_wrote(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(generate, "FILES", {"a.txt": lambda: "text\n"})
    generate.main()
    assert capsys.readouterr().out == "wrote a.txt\n"
    assert (tmp_path / "a.txt").read_text() == "text\n"
    generate.main()
    assert capsys.readouterr().out == ""
