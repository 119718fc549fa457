"""The project's own files keep the promises that the README makes."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.support.requirements import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
DEMO_LIMIT = 12_000_000


def requirement_names(requirements: list[str]) -> set[str]:
    names = {re.split(r"[\s<>=!~;\[]", line.strip())[0].lower().replace("_", "-") for line in requirements}
    return {name.replace(".", "-") for name in names} - {"feature-atlas"}


class TestLock:
    def test_it_holds_everything_the_project_asks_for(self):
        extras = [line for extra in PROJECT["optional-dependencies"].values() for line in extra]
        asked = requirement_names(PROJECT["dependencies"] + extras)
        locked = requirement_names([line for line in LOCK.splitlines() if line and not line.startswith("#")])
        assert asked - locked == set()

    def test_every_line_is_one_exact_version(self):
        lines = [line for line in LOCK.splitlines() if line and not line.startswith("#")]
        assert [line for line in lines if not re.match(r"^[a-z0-9-]+==[^ ]+( ; .+)?$", line)] == []

    def test_torch_is_pinned_there_and_only_there(self):
        assert "torch==2.13.0\n" in LOCK
        metadata = [line for extra in PROJECT["optional-dependencies"].values() for line in extra]
        assert [line for line in metadata if line.startswith("torch")] == ["torch>=2.6"]

    def test_it_leaves_the_graphics_libraries_to_torch(self):
        assert re.findall(r"^(nvidia|cuda|triton)", LOCK, re.MULTILINE) == []

    def test_it_names_no_host(self):
        assert "://" not in LOCK
        assert "index-url" not in LOCK


class TestMake:
    def test_the_help_lists_every_target(self):
        done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
        declared = re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)
        assert declared is not None
        for target in declared.group(1).split():
            assert f"make {target} " in done.stdout

    def test_ci_is_make_test_and_nothing_else(self):
        script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
        assert script.rstrip().endswith("exec make --no-print-directory test")
        assert script.startswith("#!/usr/bin/env bash")

    @pytest.mark.parametrize(
        "name", [".ci/run", *(f"tools/{tool}" for tool in ("venv", "lock", "chromium", "strace", "package"))]
    )
    def test_scripts_are_executable_and_parse(self, name: str):
        assert (ROOT / name).stat().st_mode & 0o111
        subprocess.run(["bash", "-n", str(ROOT / name)], check=True)

    def test_an_old_python_is_refused_in_words(self, tmp_path: Path):
        old = tmp_path / "python3"
        old.write_text('#!/bin/sh\ncase "$1" in --version) echo "Python 3.8.1";; *) exit 1;; esac\n')
        old.chmod(0o755)
        done = subprocess.run(
            [str(ROOT / "tools" / "venv"), str(tmp_path / "venv")],
            env={"PATH": "/usr/bin:/bin", "PYTHON": str(old)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 2
        assert "needs Python 3.11" in done.stderr
        assert "3.8.1" in done.stderr
        assert not (tmp_path / "venv").exists()

    def test_the_readme_shows_the_two_commands(self):
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        assert "$ make demo" in readme
        assert "$ make test" in readme


class TestDemo:
    def test_the_weights_are_there_and_small(self, demo_dir: Path):
        files = [path for path in demo_dir.rglob("*") if path.is_file()]
        assert {"model", "sae-l2", "sae-l3"} <= {path.name for path in demo_dir.iterdir()}
        assert sum(path.stat().st_size for path in files) <= DEMO_LIMIT
        assert (demo_dir / "README.md").is_file()

    def test_they_are_in_the_wheel(self):
        from hatchling.builders.wheel import WheelBuilder

        builder = WheelBuilder(str(ROOT))
        paths = {file.distribution_path for file in builder.recurse_included_files()}
        expected = {
            "demo/model/model.safetensors",
            "demo/model/tokenizer.json",
            "demo/sae-l2/cfg.json",
            "demo/sae-l3/sae_weights.safetensors",
            "demo/README.md",
        }
        assert {f"atlas/{name}" for name in expected} - paths == set()
        assert [path for path in paths if "__pycache__" in path] == []

    def test_the_config_is_valid_and_every_line_of_it_explained(self):
        from atlas.configfile import load_config

        loaded = load_config(ROOT / "site_config.yaml")
        assert [sae.slug for sae in loaded.config.saes] == ["stdlib-res-2", "stdlib-res-3"]
        assert loaded.config.corpus.kind == "python_stdlib"

    def test_the_model_and_its_metadata_agree(self, demo_dir: Path):
        import json

        model = json.loads((demo_dir / "model" / "config.json").read_text())
        for folder, hook in (("sae-l2", "blocks.2.hook_resid_pre"), ("sae-l3", "blocks.3.hook_resid_pre")):
            sae = json.loads((demo_dir / folder / "cfg.json").read_text())
            assert sae["metadata"]["hook_name"] == hook
            assert sae["metadata"]["model_name"] == "stdlib-gpt2"
            assert sae["d_in"] == model["n_embd"]
            assert sae["metadata"]["context_size"] == model["n_positions"]


class TestPapers:
    @pytest.mark.parametrize(
        "name", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs"]
    )
    def test_links_between_our_files_lead_somewhere(self, name: str):
        path = ROOT / name
        for document in sorted(path.glob("*.md")) if path.is_dir() else [path]:
            text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
            for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
                generated = target.startswith(("http", "reference/"))
                assert generated or (document.parent / target).exists(), f"{document.name}: {target}"

    def test_every_test_the_architecture_names_exists(self):
        text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
        named = set(re.findall(r"`(tests/[\w/.]+)`", text))
        assert len(named) > 10
        assert [name for name in sorted(named) if not (ROOT / name).exists()] == []

    def test_every_test_the_guide_names_exists(self):
        text = (ROOT / "docs" / "numbers.md").read_text(encoding="utf-8")
        assert [name for name in re.findall(r"`(tests/[\w/.]+)`", text) if not (ROOT / name).exists()] == []

    def test_every_module_is_on_the_map(self):
        text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
        modules = [path for path in (ROOT / "atlas").iterdir() if path.suffix == ".py" or path.is_dir()]
        names = {path.stem for path in modules if not path.name.startswith("__")} - {"demo"}
        assert [name for name in sorted(names) if not re.search(rf"`{name}(\.py|/)`", text)] == []

    def test_one_version_everywhere(self):
        citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
        assert f"version: {PROJECT['version']}\n" in citation

    def test_the_licence_is_the_whole_text(self):
        text = (ROOT / "LICENSE").read_text(encoding="utf-8")
        assert "Apache License" in text
        assert "END OF TERMS AND CONDITIONS" in text
