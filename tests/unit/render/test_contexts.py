"""Everything a template may use is documented, and templates use nothing else."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from pathlib import Path

import jinja2
import jinja2.meta
import jinja2.nodes
import pytest

from atlas.render import contexts, panels, views
from atlas.render.contexts import TEMPLATES, Page
from atlas.render.themes import Templates, default_theme, open_theme

THEMES = default_theme().parent
TEMPLATE_FILES = sorted(
    path
    for theme in (default_theme(), THEMES / "slate")
    for folder in ("templates", "panels")
    for path in (theme / folder).rglob("*.html")
)
RECORDS = [
    kind
    for module in (contexts, views, panels)
    for _, kind in inspect.getmembers(module, inspect.isclass)
    if kind.__module__ == module.__name__ and not kind.__name__.startswith("_")
]


def field_names(kind: type) -> set[str]:
    names = set(getattr(kind, "_fields", ()))
    if dataclasses.is_dataclass(kind):
        names |= {field.name for field in dataclasses.fields(kind)}
    members = inspect.getmembers(kind, lambda value: isinstance(value, property) or inspect.isfunction(value))
    return names | {name for name, _ in members if not name.startswith("_")}


KNOWN = {name for kind in RECORDS for name in field_names(kind)}


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_every_field_says_what_it_holds(kind: type):
    assert inspect.getdoc(kind)
    tree = ast.parse(inspect.getsource(kind)).body[0]
    assert isinstance(tree, ast.ClassDef)
    for field, following in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            documented = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
            assert documented or field.target.id.startswith("_"), f"{kind.__name__}.{field.target.id}"


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_records_cannot_be_changed(kind: type):
    if dataclasses.is_dataclass(kind):
        assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    else:
        assert issubclass(kind, tuple)


def test_every_template_of_the_list_exists_and_every_page_has_one():
    assert {name for name in TEMPLATES if not (default_theme() / "templates" / name).is_file()} == set()
    pages = {kind for kind in RECORDS if issubclass(kind, Page)} - {Page}
    assert set(TEMPLATES.values()) == pages


def parse(path: Path) -> jinja2.nodes.Template:
    return jinja2.Environment(autoescape=True).parse(path.read_text(encoding="utf-8"))


def template_id(path: Path) -> str:
    return path.relative_to(THEMES).as_posix()


@pytest.mark.parametrize("path", TEMPLATE_FILES, ids=template_id)
def test_templates_use_only_the_documented_variables(path: Path):
    tree = parse(path)
    allowed = {"site", "page", "once"} | ({"panel"} if "panels" in path.parts else set())
    allowed |= {node.target for node in tree.find_all(jinja2.nodes.Import)}
    allowed |= {node.name for node in tree.find_all(jinja2.nodes.Macro)}
    assert jinja2.meta.find_undeclared_variables(tree) <= allowed


@pytest.mark.parametrize("path", TEMPLATE_FILES, ids=template_id)
def test_templates_use_only_documented_fields(path: Path):
    imported = {node.target for node in parse(path).find_all(jinja2.nodes.Import)}
    for node in parse(path).find_all(jinja2.nodes.Getattr):
        if isinstance(node.node, jinja2.nodes.Name) and node.node.name in imported:
            continue
        assert node.attr in KNOWN, f"{node.attr} in line {node.lineno}"


@pytest.mark.parametrize("path", TEMPLATE_FILES, ids=template_id)
def test_templates_print_nothing_around_escaping(path: Path):
    text = path.read_text(encoding="utf-8")
    filters = {node.name for node in parse(path).find_all(jinja2.nodes.Filter)}
    assert filters <= {"length"}
    assert not re.search(r"autoescape|\bsafe\b|<style|\sstyle=|\son\w+=|javascript:", text)
    scripts = re.findall(r"<script[^>]*>(.*?)</script>", text)
    assert set(scripts) <= {""}


@pytest.mark.parametrize("path", TEMPLATE_FILES, ids=template_id)
def test_every_template_begins_by_saying_what_it_is(path: Path):
    assert path.read_text(encoding="utf-8").startswith("{#-")


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_every_template_compiles_in_both_themes(name: str):
    for theme in ("default", str(THEMES / "slate")):
        Templates(open_theme(theme))._environment.get_template(name)
