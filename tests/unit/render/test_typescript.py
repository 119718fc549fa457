"""The TypeScript twins of the payload types."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypedDict

import pytest

from atlas.errors import InputError
from atlas.render.payloads import PAYLOADS
from atlas.render.typescript import main, typescript

COMMITTED = Path(__file__).parents[3] / "themes" / "default" / "src" / "payloads.ts"


class Small(TypedDict):
    """A record
    of two lines."""

    count: int
    """How many."""
    names: list[str]
    share: float | None
    rows: list[list[float | None]]
    yes: bool


class Outer(TypedDict):
    """Holds another."""

    small: list[Small]


def test_the_committed_file_is_what_is_written():
    assert COMMITTED.read_text(encoding="utf-8") == typescript(), "run python -m atlas.render.typescript"


def test_every_kind_of_field_has_its_spelling():
    text = typescript((Small, Outer))
    assert "/** A record of two lines. */\nexport interface Small {" in text
    assert "  /** How many. */\n  count: number;" in text
    assert "  names: string[];" in text
    assert "  share: number | null;" in text
    assert "  rows: (number | null)[][];" in text
    assert "  yes: boolean;" in text
    assert "  small: Small[];" in text


def test_a_field_that_json_cannot_carry_is_refused():
    class Bad(TypedDict):
        """Bytes are not JSON."""

        data: bytes

    with pytest.raises(TypeError, match="bytes"):
        typescript((Bad,))


def test_every_payload_is_exported_once_before_it_is_used():
    text = typescript()
    names = re.findall(r"export interface (\w+)", text)
    assert names == [payload.__name__ for payload in PAYLOADS]
    for number, name in enumerate(names):
        earlier = text[: text.index(f"export interface {name} ")]
        used = re.sub(r"/\*\*.*?\*/", "", earlier, flags=re.DOTALL)
        assert not re.search(rf"\b{name}\b", used), f"{name} is used before {number}"


def test_the_file_is_written_where_it_is_asked_for(tmp_path: Path):
    main([str(tmp_path / "payloads.ts")])
    assert (tmp_path / "payloads.ts").read_text(encoding="utf-8") == typescript()


@pytest.mark.parametrize("arguments", [[], ["a", "b"]])
def test_anything_but_one_path_is_refused(arguments: list[str]):
    with pytest.raises(InputError, match="one path"):
        main(arguments)
