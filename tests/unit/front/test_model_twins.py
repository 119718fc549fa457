"""What a notebook and a page compute around the model is held to one golden file; here is Python's half.

The TypeScript half is `themes/default/test/model-twins.test.ts`. The file is written anew with
`python -m tests.unit.front.test_model_twins`.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np

from atlas.reader.sampling import Mulberry32, choose, probability
from atlas.reader.windows import cut, well_formed
from atlas.text import group_pieces
from tests.support.requirements import ROOT

CASES = ROOT / "tests" / "support" / "model_cases.json"
SEEDS = (0, 1, 2, 12345, 2**31 - 1, 2**31, 2**32 - 1)
SURROGATES = ["\ud800", "\udfff", "\ud83e", "\udd17", "a", "🤗", "\ufffd", "é"]
BYTES = [
    b"a",
    b" ",
    b"\xc3",
    b"\xa9",
    b"\xe6",
    b"\x97\xa5",
    b"\xf0\x9f",
    b"\xa4\x97",
    b"\xed\xa0\x80",
    b"\xc0\x80",
]
BYTES += [
    b"",
    "日".encode(),
    b"\xff",
    b"\xf4\x90\x80\x80",
    b"\xef\xbb\xbf",
    b"\x00",
    b"ab\xe2",
    b"\x82",
    b"\xac!",
]


def logit_rows() -> list[list[float]]:
    """Logits of several kinds, all of them exact singles."""
    rng = np.random.default_rng(5)
    rows = [rng.normal(0, scale, size) for scale, size in ((1, 5), (3, 40), (8, 300), (0.01, 64), (30, 7))]
    ties = np.array([1.0, 2.5, 2.5, -1.0, 2.5])
    return [
        [float(value) for value in row.astype(np.float32)] for row in (*rows, ties, np.zeros(9), np.ones(1))
    ]


def choices(row: list[float], temperature: float, seed: int) -> list[int]:
    generator = Mulberry32(seed)
    return [choose(np.array(row, np.float32), temperature, generator) for _ in range(25)]


def texts() -> list[str]:
    dice = random.Random(3)  # noqa: S311 - a fixed draw
    return ["", *SURROGATES, *("".join(dice.choices(SURROGATES, k=dice.randrange(2, 9))) for _ in range(60))]


def token_lists() -> list[list[bytes | None]]:
    dice = random.Random(4)  # noqa: S311 - a fixed draw
    some: list[bytes | None] = [*BYTES, None]
    return [
        [],
        *([token] for token in some),
        *(dice.choices(some, k=dice.randrange(2, 12)) for _ in range(150)),
    ]


def pieces(tokens: list[bytes | None]) -> list[list[Any]]:
    found = group_pieces(tokens)
    return [
        ["<special>" if tokens[piece.start] is None else piece.text, piece.start, piece.stop]
        for piece in found
    ]


def windows(count: int, size: int, bos: int | None) -> dict[str, Any]:
    made = cut(list(range(count)), size, bos)
    return {
        "ids": made.token_ids.tolist(),
        "bos": made.bos.tolist(),
        "bounds": [list(b) for b in made.bounds],
    }


def draws(seed: int, count: int) -> list[float]:
    generator = Mulberry32(seed)
    return [generator.draw() for _ in range(count)]


def cases() -> dict[str, Any]:
    """The whole golden file."""
    rows = logit_rows()
    return {
        "draws": [[seed, draws(seed, 40)] for seed in SEEDS],
        "logits": rows,
        "choices": [
            [number, temperature, seed, choices(row, temperature, seed)]
            for number, row in enumerate(rows)
            for temperature in (0.0, 0.25, 1.0, 3.0)
            for seed in SEEDS[:4]
        ],
        "probabilities": [
            [number, place, probability(np.array(row, np.float32), place)]
            for number, row in enumerate(rows)
            for place in sorted({0, len(row) // 2, len(row) - 1})
        ],
        "windows": [
            [count, size, bos, windows(count, size, bos)]
            for count in (0, 1, 2, 3, 6, 7)
            for size in (1, 2, 3, 6)
            for bos in (None, 99)
        ],
        "well_formed": [[text, *well_formed(text)] for text in texts()],
        "pieces": [
            [[None if token is None else list(token) for token in tokens], pieces(tokens)]
            for tokens in token_lists()
        ],
    }


def write(path: Path = CASES) -> None:
    """Write the golden file."""
    sections = ",\n".join(f" {json.dumps(name)}: {json.dumps(rows)}" for name, rows in cases().items())
    path.write_text(f"{{\n{sections}\n}}\n", encoding="utf-8")


def test_the_golden_cases_are_what_python_computes():
    golden, now = json.loads(CASES.read_text(encoding="utf-8")), json.loads(json.dumps(cases()))
    # The last digit of an exponential is the processor's.
    near = {"probabilities"}
    assert {name: rows for name, rows in golden.items() if name not in near} == {
        name: rows for name, rows in now.items() if name not in near
    }
    for (*place, value), (*expected_place, expected) in zip(
        now["probabilities"], golden["probabilities"], strict=True
    ):
        assert place == expected_place
        assert np.isclose(value, expected, rtol=1e-12, atol=0)


def test_they_hold_every_kind_of_case():
    golden = json.loads(CASES.read_text(encoding="utf-8"))
    assert any(replaced > 1 for _, _, replaced in golden["well_formed"])
    assert any(replaced == 0 and len(text) > 2 for text, _, replaced in golden["well_formed"])
    assert any("<0x" in piece[0] for _, made in golden["pieces"] for piece in made)
    assert any(piece[2] - piece[1] > 2 for _, made in golden["pieces"] for piece in made)
    assert all(len(set(chosen)) == 1 for _, temperature, _, chosen in golden["choices"] if temperature == 0)
    assert any(len(set(chosen)) > 10 for _, _, _, chosen in golden["choices"])


if __name__ == "__main__":
    write()
