"""The TypeScript twins of the payload types."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypedDict

import pytest

from atlas.errors import InputError
from atlas.render.typescript import MODULES, main, typescript

COMMITTED = Path(__file__).parents[3] / "themes" / "default" / "src"


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


@pytest.mark.parametrize("name", MODULES)
def test_the_committed_files_are_what_is_written(name: str):
    written = (COMMITTED / name).read_text(encoding="utf-8")
    assert written == typescript(MODULES[name]), "run python -m atlas.render.typescript"


def test_the_types_of_the_model_are_passed_on():
    assert 'export type * from "./model-payloads.ts";' in typescript()
    assert "export type *" not in typescript(MODULES["model-payloads.ts"])


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


@pytest.mark.parametrize("payloads", MODULES.values(), ids=MODULES)
def test_every_payload_is_exported_once_before_it_is_used(payloads: tuple[type, ...]):
    text = typescript(payloads)
    names = re.findall(r"export interface (\w+)", text)
    assert names == [payload.__name__ for payload in payloads]
    for number, name in enumerate(names):
        earlier = text[: text.index(f"export interface {name} ")]
        used = re.sub(r"/\*\*.*?\*/", "", earlier, flags=re.DOTALL)
        assert not re.search(rf"\b{name}\b", used), f"{name} is used before {number}"


def test_the_files_are_written_where_they_are_asked_for(tmp_path: Path):
    main([str(tmp_path)])
    for name, payloads in MODULES.items():
        assert (tmp_path / name).read_text(encoding="utf-8") == typescript(payloads)


@pytest.mark.parametrize("arguments", [[], ["a", "b"]])
def test_anything_but_one_path_is_refused(arguments: list[str]):
    with pytest.raises(InputError, match="one path"):
        main(arguments)
