"""Whatever can be enumerated is documented where it is defined, and the guide shows it."""

from __future__ import annotations

import ast
import inspect
import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from atlas import errors, plugins, schema
from atlas.config import SiteConfig
from atlas.enrich import user_file
from tests.support import tree
from tests.support.requirements import ROOT
from tools import reference

SECTIONS = reference.sections_of(SiteConfig)
OPTIONS = [(key, model, name) for key, model in SECTIONS.items() for name in model.model_fields]


def undocumented_fields(source: str) -> list[str]:
    """`Class.field` for every public field of a dataclass in `source` that no docstring follows."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.ClassDef) or node.name.startswith("_"):
            continue
        if not any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
            continue
        for field, after in itertools.zip_longest(node.body, node.body[1:]):
            if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
                continue
            documented = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            if not documented and not field.target.id.startswith("_"):
                found.append(f"{node.name}.{field.target.id}")
    return found


def undocumented_constants(source: str) -> list[str]:
    """Public module-level tables (`NAME = {…}`, `[…]`, `(…)`) that no docstring follows."""
    body = ast.parse(source).body
    found: list[str] = []
    for statement, after in itertools.zip_longest(body, body[1:]):
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        if isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        value = getattr(statement, "value", None)
        if (
            not names
            or names[0].startswith("_")
            or not isinstance(value, ast.Dict | ast.List | ast.Tuple | ast.Set)
        ):
            continue
        if not (isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)):
            found.append(names[0])
    return found


@pytest.mark.parametrize("path", tree.python_files(), ids=tree.name)
def test_every_dataclass_field_and_registry_has_a_docstring(path: Path):
    source = path.read_text(encoding="utf-8")
    assert undocumented_fields(source) + undocumented_constants(source) == []


def test_missing_docstrings_are_seen():
    bare = "@dataclass\nclass A:\n    x: int\n    y: int\n    '''doc'''\nKINDS = {'a': 1}\n"
    assert undocumented_fields(bare) == ["A.x"]
    assert undocumented_constants(bare) == ["KINDS"]
    assert undocumented_fields("@dataclass(frozen=True)\nclass A:\n    x: int\n    '''doc'''\n") == []


@pytest.mark.parametrize(
    ("key", "model", "name"), OPTIONS, ids=[f"{k}.{n}".lstrip(".") for k, _, n in OPTIONS]
)
def test_every_option_is_described(key: str, model: type[BaseModel], name: str):
    field = model.model_fields[name]
    text = field.description or ""
    assert text.endswith((".", ")")), text
    assert f"| `{field.alias or name}` |" in reference.config_page()
    assert f"`{key}`" in reference.config_page() or key == ""


@pytest.mark.parametrize("name", list(reference.commands()))
def test_every_command_is_described_with_an_example(name: str):
    command = reference.commands()[name]
    assert "Example" in (command.help or "")
    assert f"\n## {name}\n" in reference.commands_page()
    for parameter in command.params:
        if parameter.name != "help":
            assert (getattr(parameter, "help", "") or "").strip(), f"{name}: {parameter.name}"


@pytest.mark.parametrize("name", [name for name in reference.commands() if name != "atlas"])
def test_the_guide_mentions_every_command(name: str):
    prose = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md"))
    assert re.search(rf"\b{name}\b", prose), f"no page of docs/ mentions `{name}`"


@pytest.mark.parametrize("key", user_file.KEYS)
def test_every_key_of_an_explanations_file_is_in_the_guide(key: str):
    assert f"| `{key}` |" in (ROOT / "docs" / "explanations.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", plugins.available("atlas.statistics"))
def test_every_statistic_is_in_the_guide(name: str):
    text = reference.statistics_page()
    assert f"\n## {name}\n" in text
    for field in plugins.load("atlas.statistics", name).columns:
        assert f"| `{field.name}` |" in text


@pytest.mark.parametrize(
    ("table", "fields"),
    [*schema.SAE_TABLES.items(), *schema.SHARED_TABLES.items()],
    ids=lambda value: str(value)[:20],
)
def test_every_table_and_column_is_in_the_guide(table: str, fields):
    section = reference.tables_page().split(f"\n### {table}\n")[1].split("\n#")[0]
    for field in fields:
        info = schema.column_info(field)
        assert f"| `{info.name}` |" in section
        assert info.doc.strip()
        assert info.kind in schema.KINDS
        assert info.unit in schema.UNITS
    assert section.strip().splitlines()[0].endswith((".", "`.", "`)."))


@pytest.mark.parametrize(("group", "name"), [(g, n) for g in plugins.GROUPS for n in plugins.available(g)])
def test_every_extension_is_in_the_guide(group: str, name: str):
    section = reference.extensions_page().split(f"\n## {group}\n")[1].split("\n## ")[0]
    row = next(line for line in section.splitlines() if line.startswith(f"| `{name}` |"))
    assert len(row.split("|")[2].strip()) > 15


@pytest.mark.parametrize("kind", reference.error_kinds(), ids=lambda kind: kind.__name__)
def test_every_error_is_in_the_guide(kind: type[errors.AtlasError]):
    assert f"| `{kind.__name__}` | {kind.exit_code} |" in reference.errors_page()


def test_every_exit_code_is_in_the_guide_and_in_the_help():
    codes = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    section = reference.errors_page().split("## Exit codes")[1].split("## Kinds")[0]
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)} == codes
    epilog = reference.commands()["atlas"].epilog or ""
    assert {int(code) for code in re.findall(r"\d+", epilog)} == codes


def test_every_public_module_has_a_docstring():
    assert [tree.name(path) for path in tree.python_files() if not ast.get_docstring(tree.syntax(path))] == []


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The guide, built strictly."""
    out = tmp_path_factory.mktemp("guide")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


class TestGuide:
    """The guide builds strictly, and nothing in it comes from another host."""

    def test_every_generated_page_is_there(self, built: Path):
        for path in reference.PAGES:
            assert (built / path).with_suffix(".html").is_file()

    def test_nothing_is_loaded_from_another_host(self, built: Path):
        for path in built.rglob("*.html"):
            text = path.read_text(encoding="utf-8")
            loaded = re.findall(r"<(?:script|img|iframe)[^>]+src=\"([^\"]+)", text)
            loaded += re.findall(r"<link[^>]+rel=\"(?!canonical)[^>]+href=\"([^\"]+)", text)
            foreign = [url for url in loaded if re.match(r"(https?:)?//", url)]
            assert foreign == [], path.name

    def test_styles_load_nothing_from_another_host(self, built: Path):
        for path in built.rglob("*.css"):
            assert re.findall(r"(?:@import|url\()\s*['\"]?(?:https?:)?//", path.read_text("utf-8")) == [], (
                path
            )


def test_the_extension_example_of_the_guide_keeps_the_laws():
    """The statistic in docs/extend.md runs, and splitting the corpus changes nothing."""
    import numpy as np

    from atlas.batch import ActivationBatch
    from atlas.stats.base import PassShape, Totals

    guide = (ROOT / "docs" / "extend.md").read_text(encoding="utf-8")
    source = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)[0]
    names: dict[str, object] = {}
    exec(compile(source, "docs/extend.md", "exec"), names)  # noqa: S102 - our own documentation
    cls = names["FirstPositions"]
    options = dict.fromkeys(inspect.signature(PassShape).parameters, 4)
    shape = PassShape(**(options | {"n_features": 3, "context_size": 16}))

    def batch(positions: list[int], features: list[int], context: int) -> ActivationBatch:
        tokens = np.ones((1, 16), np.int32)
        return ActivationBatch(
            n_features=3, feature_idx=np.array(features, np.int32), row=np.array(positions, np.int32),
            activation=np.ones(len(features), np.float32), token_ids=tokens, counted=tokens > 0,
            document_idx=tokens * 0, source_idx=np.zeros((1, 16), np.int16), context_idx=np.array([context]),
        )  # fmt: skip

    first, second = batch([0, 9, 10], [0, 1, 1], 0), batch([3, 15], [1, 2], 1)
    whole, left, right = cls(shape), cls(shape), cls(shape)
    whole.update(first)
    whole.update(second)
    left.update(first)
    right.update(second)
    right.merge(left)
    copied = cls(shape)
    copied.load(right.state())
    totals = Totals(n_tokens=32, n_contexts=2)
    assert whole.finish(totals)["first_positions"].to_pylist() == [1, 2, 0]
    assert copied.finish(totals)["first_positions"].to_pylist() == [1, 2, 0]
