"""The writer of the guide's reference pages: what it makes of types, limits, defaults and awkward text."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from tools import reference


class Inner(BaseModel):
    """An inner section."""

    depth: int = Field(3, ge=1, le=9, description="How deep.")


class Outer(BaseModel):
    """The outer section."""

    name: str = Field(description="A name.")
    share: float = Field(0.5, gt=0, description="A share.")
    mode: Literal["a", "b"] = Field("a", description="A mode.")
    note: str | None = Field(None, description="A note.")
    flag: bool = Field(True, description="A flag.")
    parts: Annotated[list[Inner], Field(min_length=1)] = Field(default_factory=list, description="Parts.")
    inner: Inner = Field(default_factory=Inner, alias="in", description="More.")


def row(name: str) -> tuple[str, str]:
    field = Outer.model_fields[name]
    return reference.kind_of(field), reference.default_of(field)


@pytest.mark.parametrize(
    ("name", "kind", "default"),
    [
        ("name", "text", "**required**"),
        ("share", "number (above 0)", "`0.5`"),
        ("mode", "one of `a`, `b`", "`a`"),
        ("note", "text", "none"),
        ("flag", "true or false", "`true`"),
        ("parts", "list of section", "empty list"),
        ("inner", "section", "see its section"),
    ],
)
def test_an_option_in_words(name: str, kind: str, default: str):
    assert row(name) == (kind, default)


def test_limits_in_words():
    assert reference.kind_of(Inner.model_fields["depth"]) == "whole number (at least 1, at most 9)"


def test_sections_are_named_as_in_the_file():
    assert list(reference.sections_of(Outer)) == ["", "parts", "in"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a | b", "a \\| b"),
        ("two\n  lines", "two lines"),
        ("<script>", "&lt;script>"),
        ("`list<int>` and <b>", "`list<int>` and &lt;b>"),
        (7, "7"),
    ],
)
def test_a_cell_holds_any_text(text: object, expected: str):
    assert reference.cell(text) == expected


def test_a_table_has_a_row_per_entry():
    lines = reference.table(("a", "b"), [(1, "x|y"), (2, "z")]).splitlines()
    assert lines == ["| a | b |", "|---|---|", "| 1 | x\\|y |", "| 2 | z |"]


def test_docstrings_lose_their_indentation_and_their_markup():
    class Thing:
        """First line
        goes on.

        Second <paragraph>.
        """

    assert reference.first_paragraph(Thing) == "First line goes on."
    assert reference.paragraphs(Thing).endswith("Second &lt;paragraph>.")


def test_a_page_is_one_document():
    text = reference.page("Title", "Introduction.", "## Section")
    assert text.startswith("# Title\n\nIntroduction.\n\n## Section\n\n")
    assert text.endswith(f"{reference.NOTE}\n")
