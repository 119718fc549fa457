"""The sizes the house keeps: small functions, small files, more test than source."""

from __future__ import annotations

import ast

import pytest

from tests.support import tree

FUNCTION_LINES, FUNCTION_LIMIT, LONG_SHARE = 50, 80, 0.03
MODULE_LINES, TYPESCRIPT_LINES, TEST_RATIO = 400, 300, 1.3


def test_functions_are_short():
    lengths = [pair for path in tree.python_files() for pair in tree.functions(path)]
    long = sorted((length, where) for where, length in lengths if length > FUNCTION_LINES)
    assert [entry for entry in long if entry[0] > FUNCTION_LIMIT] == []
    assert len(long) <= LONG_SHARE * len(lengths), long


def test_helpers_outside_the_package_are_short_too():
    paths = tree.files("bench", "recipes", "tools", "docs", suffixes=(".py",))
    lengths = [pair for path in paths for pair in tree.functions(path)]
    assert [pair for pair in lengths if pair[1] > FUNCTION_LIMIT] == []


def test_modules_are_small():
    paths = [*tree.python_files(), *tree.files("recipes", "bench", "tools", "docs", suffixes=(".py",))]
    assert {tree.name(path): size for path in paths if (size := tree.line_count(path)) > MODULE_LINES} == {}


def test_typescript_and_style_files_are_small():
    paths = tree.files("themes", suffixes=(".ts", ".css", ".mjs"))
    sizes = {tree.name(path): tree.line_count(path) for path in paths}
    assert {name: size for name, size in sizes.items() if size > TYPESCRIPT_LINES} == {}


def test_there_is_more_test_than_source():
    scripts = tree.files("themes", suffixes=(".ts", ".mjs"))
    source = sum(map(tree.line_count, tree.python_files()))
    source += sum(tree.line_count(path) for path in scripts if "test" not in path.parts)
    tests = sum(map(tree.line_count, tree.files("tests", suffixes=(".py",))))
    tests += sum(tree.line_count(path) for path in scripts if "test" in path.parts)
    assert tests >= TEST_RATIO * source, f"{tests} lines of test for {source} lines of source"


@pytest.mark.parametrize("path", tree.python_files(), ids=tree.name)
def test_nothing_prints_and_nothing_asserts(path):
    nodes = list(ast.walk(tree.syntax(path)))
    calls = [node for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    assert [node.lineno for node in calls if node.func.id == "print"] == []
    assert [node.lineno for node in nodes if isinstance(node, ast.Assert)] == []
