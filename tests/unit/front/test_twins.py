"""What Python and TypeScript both do is held to the same golden files; here is Python's half.

The TypeScript half is `themes/default/test/*.test.ts`. A file is written anew with
`python -m tests.unit.front.test_twins`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from atlas.render.features import DUPLICATE
from atlas.render.numbers import decimal, integer, one_in, percent, signed
from atlas.render.strips import heat_class
from atlas.schema import DENSE
from tests.support.requirements import ROOT

MINUS = "\u2212"
NUMBERS = ROOT / "tests" / "support" / "number_cases.json"


def values() -> list[float]:
    """Numbers of every size a page shows, none of them halfway between two that it could show."""
    mantissas = (1.0, 1.2344, 2.71828, 4.99949, 5.00051, 9.9994, 9.99951)
    sized = [
        sign * mantissa * 10.0**power for power in range(-9, 10) for mantissa in mantissas for sign in (1, -1)
    ]
    return [0.0, 1.0, 0.5, 0.25, 100.0, 9999.0, 10000.0, 1e-4, 9.99e-5, 1e7, 9_999_999.0, *sized]


def shares() -> list[tuple[int, int]]:
    """Counts of a total, from one in a million to all."""
    return [
        (count, total) for total in (7, 999, 1_000_003) for count in (1, 2, 3, 5, total // 2, total) if count
    ]


def cases() -> dict[str, Any]:
    """The whole golden file."""
    return {
        "decimal": [[value, decimal(value), decimal(value, 3), decimal(value, 2)] for value in values()],
        "percent": [[value, percent(value)] for value in values() if 0 <= value <= 1],
        "integer": [[value, integer(value)] for value in (0, 7, -1, 999, 1000, -12345, 123456789, 2**53 - 1)],
        "signed": [[value, signed(value)] for value in values() if abs(value) < 1e9],
        "one_in": [[count, total, one_in(count, total)] for count, total in shares()],
        "bounds": {"dense": DENSE, "duplicate": DUPLICATE},
        "heat": [[strength, heat_class(strength / 255, 1.0)] for strength in range(256)],
    }


def write(path: Path = NUMBERS) -> None:
    """Write the golden file."""
    sections = ",\n".join(f" {json.dumps(name)}: {json.dumps(rows)}" for name, rows in cases().items())
    path.write_text(f"{{\n{sections}\n}}\n", encoding="utf-8")


def test_the_golden_numbers_are_what_python_writes():
    assert json.loads(NUMBERS.read_text(encoding="utf-8")) == json.loads(json.dumps(cases()))


def test_they_cover_every_way_of_writing():
    written = [case[1] for case in cases()["decimal"]]
    assert any(f"e{MINUS}" in text for text in written)
    assert any("," in text for text in written)
    assert any(text.startswith(MINUS) for text in written)
    assert {rows[1] for rows in cases()["heat"]} == set(range(10))


if __name__ == "__main__":
    write()
