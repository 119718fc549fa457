"""The one-way order of modules, and what each side of the house may load."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support import tree
from tests.support.requirements import ROOT

HEAVY = {
    "torch", "transformers", "tokenizers", "safetensors", "transformer_lens", "sae_lens", "datasets", "umap",
    "sklearn", "scipy", "numba", "pandas", "onnx", "onnxscript", "onnxruntime", "ray",
}  # fmt: skip
"""Libraries that take seconds to import: only the function that needs one may load it."""

PAGES = {"jinja2", "typer", "rich"}
"""What belongs to pages and terminals."""

COMPUTE = ("atlas.sources", "atlas.stats", "atlas.stream", "atlas.enrich")
BELOW_PAGES = (
    *COMPUTE,
    "atlas.errors",
    "atlas.plugins",
    "atlas.text",
    "atlas.schema",
    "atlas.config",
    "atlas.configfile",
    "atlas.store",
    "atlas.batch",
    "atlas.index",
    "atlas.check",
    "atlas.reader",
)


def modules(*prefixes: str) -> list[str]:
    """Names of the package's modules that start with one of `prefixes`."""
    names = [tree.module_name(path) for path in tree.python_files()]
    return [name for name in names if name != "atlas.__main__" and name.startswith(prefixes)]


def loaded(code: str) -> set[str]:
    """Top-level packages that a fresh interpreter holds after running `code`."""
    script = f"import json, sys\n{code}\nsys.stderr.write('\\n' + json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return {name.split(".")[0] for name in json.loads(done.stderr.splitlines()[-1])}


def imports_of(names: list[str]) -> str:
    return "\n".join(f"import {name}" for name in names)


def test_importing_every_module_loads_no_heavy_library():
    assert loaded(imports_of(modules("atlas"))) & HEAVY == set()


def test_nothing_below_the_pages_loads_their_tools():
    assert loaded(imports_of(modules(*BELOW_PAGES))) & PAGES == set()


@pytest.mark.parametrize("arguments", [["--help"], ["build", "--help"], ["render", "--help"], ["--version"]])
def test_help_loads_next_to_nothing(arguments: list[str]):
    code = (
        f"sys.argv = ['atlas', *{arguments!r}]\n"
        "from atlas.cli import main\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert stop.code in (0, None), stop.code\n"
    )
    assert loaded(code) & (HEAVY | {"pyarrow", "numpy", "jinja2"}) == set()


def test_the_package_itself_is_lazy():
    assert loaded("import atlas") & (HEAVY | {"pyarrow", "numpy", "pydantic"}) == set()


def names_from_the_root(path: Path) -> list[str]:
    """Imports in `path` that take something other than a module from the package root."""
    found: list[str] = []
    for node in ast.walk(tree.syntax(path)):
        if isinstance(node, ast.Import):
            found += [
                f"{path.name}:{node.lineno} import atlas" for name in node.names if name.name == "atlas"
            ]
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module == "atlas":
            for name in node.names:
                target = ROOT / "atlas" / name.name
                if not (target.is_dir() or target.with_suffix(".py").is_file()):
                    found.append(f"{path.name}:{node.lineno} from atlas import {name.name}")
    return found


def test_nothing_takes_names_from_the_package_root():
    paths = [path for path in tree.python_files() if tree.name(path) != "atlas/__init__.py"]
    assert [found for path in paths for found in names_from_the_root(path)] == []


PLANTED = {
    "schema/__init__.py": "import torch",
    "config.py": "from atlas.stream import run",
    "stats/base.py": "def f():\n    import jinja2\n    import transformers",
    "reader/atlas.py": "def g():\n    import onnx",
    "utils.py": "X = 1",
}
"""Module → what is added to it: one breach of each contract, and a module without a place in the order."""


class TestLinter:
    """The contracts of pyproject.toml hold, and each is broken by the import it is there to stop."""

    @staticmethod
    def run(folder: Path) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
        environment = {
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(folder),
            "NO_COLOR": "1",
            "LC_ALL": "C.UTF-8",
        }
        return subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )

    def test_every_contract_is_kept(self):
        done = self.run(ROOT)
        assert done.returncode == 0, done.stdout

    def test_every_contract_can_be_broken(self, tmp_path: Path):
        ignore = shutil.ignore_patterns("demo", "__pycache__")
        shutil.copytree(ROOT / "atlas", tmp_path / "atlas", ignore=ignore)
        (tmp_path / "atlas" / "demo").mkdir()
        shutil.copy(ROOT / "pyproject.toml", tmp_path)
        for module, line in PLANTED.items():
            with (tmp_path / "atlas" / module).open("a", encoding="utf-8") as file:
                file.write(f"\n{line}\n")
        done = self.run(tmp_path)
        assert done.returncode != 0
        broken = done.stdout.split("Broken contracts")[-1]
        tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
        for contract in tools["importlinter"]["contracts"]:
            assert contract["name"] in broken
        for trace in ("atlas.config -> atlas.stream", "atlas.schema -> torch", "jinja2", "utils"):
            assert trace in broken, broken
