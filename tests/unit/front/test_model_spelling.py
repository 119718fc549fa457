"""How tokens are spelt in bytes, in Python and in pages, is held to one golden file; here is Python's half.

`themes/default/test/model-spelling.test.ts` reads the same file.
Written anew with `python -m tests.unit.front.test_model_spelling`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers

from atlas.sources.tokens import TokenBytes, byte_alphabet
from tests.support.requirements import ROOT

CASES = ROOT / "tests" / "support" / "spelling_cases.json"
UNKNOWN = "<unk>"
SIZE = 270
"""Ids that are spelt: more than any of these tokenizers has."""


def byte_level() -> Tokenizer:
    """Every byte a token, with a special token and an added one that is not."""
    tokenizer = Tokenizer(models.BPE(vocab=byte_alphabet(), merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.add_special_tokens([AddedToken("<|end|>", special=True)])
    tokenizer.add_tokens([AddedToken("日本語", special=False)])
    return tokenizer


def fallback() -> Tokenizer:
    """SentencePiece-style BPE with a token for every byte."""
    pieces = [UNKNOWN, "\u2581", "\u2581the", "日", "\u2581\u2581"]
    pieces += [f"<0x{byte:02X}>" for byte in range(256)]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], byte_fallback=True, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    return tokenizer


def replacing() -> Tokenizer:
    """U+2581 for a space, which only the decoder tells, and pieces that look like bytes but are text."""
    tokenizer = Tokenizer(models.BPE(vocab={"\u2581a": 0, "<0x41>": 1}, merges=[]))
    tokenizer.decoder = decoders.Replace("\u2581", " ")
    return tokenizer


def word_pieces() -> Tokenizer:
    """Words in pieces, `##` where one goes on."""
    tokenizer = Tokenizer(models.WordPiece(vocab={"[UNK]": 0, "un": 1, "##like": 2, "##": 3, "é": 4}))
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    return tokenizer


def tokenizers() -> list[Tokenizer]:
    """One small tokenizer per way of spelling bytes."""
    suffixed = Tokenizer(models.BPE(vocab={"a": 0, "b</w>": 1}, merges=[], end_of_word_suffix="</w>"))
    plain = Tokenizer(models.WordLevel(vocab={UNKNOWN: 0, "two": 1}, unk_token=UNKNOWN))
    return [byte_level(), fallback(), replacing(), word_pieces(), suffixed, plain]


def spelt(tokenizer: Tokenizer, bos: int | None) -> list[tuple[str, bool]]:
    """Per id: its bytes in hexadecimal and False, or its name and True."""
    vocabulary = TokenBytes(tokenizer, bos_token_id=bos, size=SIZE).vocabulary()
    return [(piece, True) if special else (data.hex(), False) for data, special, piece in vocabulary]


def halves() -> list[tuple[int, float]]:
    """Bits of half-precision numbers, and the numbers: of every size, subnormal ones included."""
    bits = np.array([*range(0, 1 << 16, 257), 0x0001, 0x03FF, 0x0400, 0x7BFF, 0x8000, 0xFBFF], np.uint16)
    values = bits.view(np.float16).astype(np.float64)
    return [(int(b), float(v)) for b, v in zip(bits, values, strict=True) if np.isfinite(v)]


def cases() -> dict[str, Any]:
    """The whole golden file."""
    return {
        "halves": halves(),
        "spelling": [
            {"tokenizer": json.loads(tokenizer.to_str()), "bos": bos, "vocabulary": spelt(tokenizer, bos)}
            for tokenizer in tokenizers()
            for bos in (None, 1)
        ],
    }


def write(path: Path = CASES) -> None:
    """Write the golden file."""
    sections = ",\n".join(f" {json.dumps(name)}: {json.dumps(rows)}" for name, rows in cases().items())
    path.write_text(f"{{\n{sections}\n}}\n", encoding="utf-8")


def test_the_golden_file_is_what_python_does():
    assert json.loads(CASES.read_text(encoding="utf-8")) == json.loads(json.dumps(cases()))


def test_it_has_something_of_everything():
    golden = json.loads(CASES.read_text(encoding="utf-8"))
    kinds = {case["tokenizer"]["model"]["type"] for case in golden["spelling"]}
    assert kinds == {"BPE", "WordPiece", "WordLevel"}
    entries = [tuple(entry) for case in golden["spelling"] for entry in case["vocabulary"]]
    assert {("<|end|>", True), ("日本語".encode().hex(), False), ("ff", False)} <= set(entries)
    assert {("<unused 269>", True), (b" a".hex(), False), (b"<0x41>".hex(), False)} <= set(entries)
    assert min(value for _, value in golden["halves"]) < -60_000
    assert any(0 < value < 6e-5 for _, value in golden["halves"])


if __name__ == "__main__":
    write()
