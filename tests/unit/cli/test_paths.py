"""Whatever stands where a path or a name is expected: files appear in the output folders or nowhere."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atlas.cli import main
from tests.support.fake_stages import make_project

ODD = [
    "", ".", "..", "../..", "../../x", "/", "//", "~", "~root", "CON", "nul", "a" * 300, "a/" * 80, "x\x00y",
    "..\\..\\x", "C:\\x", "file:///etc", "a\nb", " ", " a ", "$HOME", "%2e%2e/x", "-rf", "--help", "é",
    "data", "out", "out/data", "out/site", "model", "sae-a", "site_config.yaml", "texts/one.txt", ".git", "*",
    "\x1b[2J", "\u202e", "?",
]  # fmt: skip
NAMES = st.one_of(st.sampled_from(ODD), st.text(max_size=12), st.text("./\\~ab", max_size=12))
FIELDS = (
    ("output", "data"),
    ("output", "site"),
    ("render", "theme"),
    ("model", "name"),
    ("saes", "slug"),
    ("saes", "folder"),
    ("saes", "title"),
    ("corpus", "paths"),
    ("enrich", "explanations"),
    ("title", ""),
)


def config_with(section: str, key: str, value: str) -> dict:
    config = {
        "title": "t",
        "model": {"name": "model"},
        "saes": [{"slug": "alpha", "folder": "sae-a"}],
        "corpus": {"kind": "text", "paths": ["texts"], "tokens": 1000},
        "enrich": {},
        "render": {},
        "output": {"data": "out/data", "site": "out/site"},
    }
    if not key:
        config[section] = value
    elif section == "saes":
        config["saes"][0][key] = value
    else:
        config[section][key] = [value] if key == "paths" else value
    return config


@pytest.mark.slow
@pytest.mark.parametrize(("section", "key"), FIELDS)
@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(value=NAMES)
def test_no_name_leads_out_of_the_output_folders(tmp_path_factory, fakes, capsys, section, key, value):
    top = tmp_path_factory.mktemp("paths")
    folder = top / "deep" / "project"
    path = make_project(folder)
    config = config_with(section, key, value)
    # Every JSON text is YAML too, and JSON spells out every odd character.
    path.write_text(json.dumps(config))
    before = {file: file.stat().st_mtime_ns for file in top.rglob("*")}
    code = main(["build", str(path)])
    err = capsys.readouterr().err
    assert code in {0, 2, 4}, err
    assert "Traceback" not in err
    assert all(character == "\n" or character.isprintable() for character in err)
    new = set(top.rglob("*")) - before.keys()
    allowed = [(folder / config["output"][name]).resolve() for name in ("data", "site")] if code == 0 else []
    for file in new:
        inside = any(
            file.resolve().is_relative_to(root) or root.is_relative_to(file.resolve()) for root in allowed
        )
        assert inside, (code, file, err)
    for file, stamp in before.items():
        if file.is_file():
            assert file.stat().st_mtime_ns == stamp
