"""The project's own source files, for tests that read code as data."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from tests.support.requirements import ROOT

BUILT = {"node_modules", "dist", ".cache", "__pycache__", ".venv", "build"}
"""Folders whose content is made by tools."""


def files(*folders: str, suffixes: tuple[str, ...]) -> list[Path]:
    """Files below `folders` (relative to the root) with one of `suffixes`, sorted, built ones left out."""
    found: list[Path] = []
    for folder in folders:
        candidates = (path for path in (ROOT / folder).rglob("*") if path.suffix in suffixes)
        found += [p for p in candidates if p.is_file() and not BUILT & set(p.relative_to(ROOT).parts)]
    return sorted(found)


def name(path: Path) -> str:
    """`path` relative to the root, with slashes."""
    return path.relative_to(ROOT).as_posix()


@lru_cache
def syntax(path: Path) -> ast.Module:
    """The syntax tree of a Python file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def python_files() -> list[Path]:
    """Every module of the package."""
    return files("atlas", suffixes=(".py",))


def module_name(path: Path) -> str:
    """Dotted name of a module of the package."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """(`file:line name`, length in lines) of every function of a Python file, nested ones included."""
    for node in ast.walk(syntax(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            yield f"{name(path)}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1


def line_count(path: Path) -> int:
    """Number of lines of a text file."""
    return path.read_text(encoding="utf-8").count("\n")
