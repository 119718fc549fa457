"""Tokens as exact bytes: a fast tokenizer that encodes text and says which bytes each token stands for.

`decode([id])` is never used: most tokens of a Japanese text or an emoji decode alone to U+FFFD.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atlas.errors import InputError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SPACE_PIECE = "\u2581"
"""What SentencePiece-style vocabularies write for a space."""

_BYTE_PIECE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_SEGMENT = 1 << 20
_SEGMENT_END = re.compile(r"(?<=[^\s])\n(?=\S)")

Vocabulary = list[tuple[bytes, bool, str]]
"""Per token id: (exact bytes, special?, the tokenizer's own spelling). Special tokens have no bytes."""


class TokenBytes:
    """A fast tokenizer, seen as bytes.

    Exact for byte-level BPE (GPT-2's byte alphabet) and for SentencePiece-style BPE and Unigram with
    byte fallback (U+2581 is a space, `<0xE6>` a byte): the bytes of `encode(text)`, joined, are the
    UTF-8 of the text after the tokenizer's own normalisation (NFC in GPT-NeoX and Qwen, for example).
    SentencePiece-style tokenizers that prepend a space to every text show it on the first token; a
    literal U+2581 in the text is indistinguishable from a space to them and shows as one.

    Best effort for the rest: WordPiece pieces carry the space before a word (`##` continues one), BPE
    with an end-of-word suffix the space after it, and other models show the piece as it is spelt. An
    unknown token (`<unk>`) has lost its text: it is special, and has no bytes.

    A special token spelt out in a text (`<|endoftext|>`) becomes that special token, as in training.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        bos_token_id: int | None = None,
        eos_token_id: int | None = None,
        special_ids: Sequence[int] = (),
        size: int = 0,
    ) -> None:
        """Wrap a copy of `tokenizer`.

        `special_ids` adds to the tokenizer's own special tokens; `size` is the model's vocabulary,
        which may be larger than the tokenizer's: the ids in between get a place holder.
        """
        from tokenizers import Tokenizer as FastTokenizer

        # A copy: truncation and padding are switched off, which the owner would notice.
        self._tokenizer = FastTokenizer.from_str(tokenizer.to_str())
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.bos_token_id = bos_token_id
        self.eos_token_id = eos_token_id
        self._extra_special = frozenset(special_ids)
        self._size = size

    @classmethod
    def from_file(
        cls,
        path: Path,
        *,
        bos_token_id: int | None = None,
        eos_token_id: int | None = None,
        special_ids: Sequence[int] = (),
        size: int = 0,
    ) -> TokenBytes:
        """Read a `tokenizer.json`; an unreadable one is an `InputError`."""
        from tokenizers import Tokenizer as FastTokenizer

        try:
            tokenizer = FastTokenizer.from_file(str(path))
        except Exception as error:  # the Rust side raises bare Exception
            raise InputError(
                f"not a readable tokenizer: {error}",
                where=str(path),
                fix="save it again with tokenizers (tokenizer.json)",
            ) from error
        return cls(
            tokenizer,
            bos_token_id=bos_token_id,
            eos_token_id=eos_token_id,
            special_ids=special_ids,
            size=size,
        )

    @cached_property
    def _spec(self) -> dict[str, Any]:
        """The tokenizer's own JSON."""
        return json.loads(self._tokenizer.to_str())

    def to_json(self) -> str:
        """The tokenizer as the text of a `tokenizer.json`, without truncation and padding."""
        return self._tokenizer.to_str()

    @cached_property
    def sha256(self) -> str:
        """SHA-256 hex of the tokenizer's canonical JSON (sorted keys, no truncation, no padding)."""
        canonical = json.dumps(self._spec, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    @cached_property
    def special_ids(self) -> frozenset[int]:
        """Ids of tokens that stand for no text: BOS, EOS, padding, unknown and the like."""
        added = {token["id"] for token in self._spec["added_tokens"] if token["special"]}
        own = {self.bos_token_id, self.eos_token_id} - {None}
        return frozenset(added | self._extra_special | own)  # pyright: ignore[reportReturnType]

    @cached_property
    def tokenizer_size(self) -> int:
        """One past the largest id of the tokenizer itself."""
        return max(self._tokenizer.get_vocab(with_added_tokens=True).values(), default=-1) + 1

    @property
    def vocabulary_size(self) -> int:
        """Length of `vocabulary()`: the larger of the tokenizer's and the model's vocabulary."""
        return max(self.tokenizer_size, self._size)

    @property
    def is_exact(self) -> bool:
        """Whether the bytes are exact by construction (byte-level, or SentencePiece with byte fallback)."""
        kind = _spelling(self._spec)
        return kind == "byte_level" or (kind == "sentencepiece" and _has_byte_fallback(self._spec))

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`; nothing is added in front or behind."""
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, as `encode`, on all of the tokenizer's threads."""
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [encoding.ids for encoding in encodings]

    def encode_lazily(self, text: str) -> Iterator[list[int]]:
        """Token ids of `text` in segments of about a million characters, each encoded when asked for.

        Cut only after a line end between two visible characters, where byte-level tokenizers cut
        too; a SentencePiece tokenizer that prepends a space does so at each segment.
        """
        start = 0
        while len(text) - start > _SEGMENT:
            end = _SEGMENT_END.search(text, start + _SEGMENT)
            if end is None:
                break
            yield self.encode(text[start : end.end()])
            start = end.end()
        yield self.encode(text[start:])

    def vocabulary(self) -> Vocabulary:
        """(bytes, special, piece) of every id below `vocabulary_size`.

        Ids that no token has (a padded embedding matrix) are special, without bytes, `<unused 50300>`.
        """
        entries: Vocabulary = [(b"", True, f"<unused {idx}>") for idx in range(self.vocabulary_size)]
        spell = _speller(self._spec)
        for piece, idx in self._tokenizer.get_vocab(with_added_tokens=False).items():
            entries[idx] = (spell(piece), False, piece)
        for token in self._spec["added_tokens"]:
            # Added tokens are matched in the text itself, so their spelling is their bytes.
            entries[token["id"]] = (token["content"].encode(), False, token["content"])
        for idx in self.special_ids:
            if idx < len(entries):
                entries[idx] = (b"", True, entries[idx][2])
        return entries


def byte_alphabet() -> dict[str, int]:
    """GPT-2's printable stand-in for each byte → the byte.

    Bytes that are visible Latin-1 characters stand for themselves; the other 68 get the code points
    from U+0100 on, in order (OpenAI's GPT-2 encoder, 2019).
    """
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in set(visible)]
    alphabet = {chr(byte): byte for byte in visible}
    alphabet |= {chr(0x100 + rank): byte for rank, byte in enumerate(hidden)}
    return alphabet


def _parts(section: dict[str, Any] | None, key: str) -> Iterator[dict[str, Any]]:
    """A pipeline component and, for a Sequence, its members, all the way down."""
    if section is None:
        return
    yield section
    for member in section.get(key, ()):
        yield from _parts(member, key)


def _has_byte_fallback(spec: dict[str, Any]) -> bool:
    return bool(spec["model"].get("byte_fallback"))


def _spelling(spec: dict[str, Any]) -> str:
    """How the tokenizer spells bytes: byte_level, sentencepiece, wordpiece, suffix or plain."""
    decoders = list(_parts(spec.get("decoder"), "decoders"))
    before = list(_parts(spec.get("pre_tokenizer"), "pretokenizers"))
    kinds = {part["type"] for part in (*decoders, *before)}
    replaced = {str(part.get("pattern")) for part in decoders if part["type"] == "Replace"}
    if "ByteLevel" in kinds:
        return "byte_level"
    if "WordPiece" in kinds or spec["model"]["type"] == "WordPiece":
        return "wordpiece"
    if "Metaspace" in kinds or _has_byte_fallback(spec) or any(SPACE_PIECE in text for text in replaced):
        return "sentencepiece"
    if spec["model"].get("end_of_word_suffix"):
        return "suffix"
    return "plain"


def _speller(spec: dict[str, Any]) -> Any:
    """The function piece → bytes for this tokenizer."""
    kind = _spelling(spec)
    if kind == "byte_level":
        alphabet = byte_alphabet()
        return lambda piece: _from_alphabet(piece, alphabet)
    if kind == "sentencepiece":
        fallback = _has_byte_fallback(spec)
        return lambda piece: _from_sentencepiece(piece, fallback=fallback)
    if kind == "wordpiece":
        prefix = spec["model"].get("continuing_subword_prefix") or "##"
        return lambda piece: _from_wordpiece(piece, prefix)
    if kind == "suffix":
        suffix = spec["model"]["end_of_word_suffix"]
        return lambda piece: _from_suffix(piece, suffix)
    return _utf8


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _from_alphabet(piece: str, alphabet: dict[str, int]) -> bytes:
    """A byte-level piece; one that is not spelt in the alphabet stands for itself."""
    found = [alphabet.get(character) for character in piece]
    return _utf8(piece) if None in found else bytes(byte for byte in found if byte is not None)


def _from_sentencepiece(piece: str, *, fallback: bool) -> bytes:
    match = _BYTE_PIECE.fullmatch(piece) if fallback else None
    return bytes([int(match[1], 16)]) if match else _utf8(piece.replace(SPACE_PIECE, " "))


def _from_wordpiece(piece: str, prefix: str) -> bytes:
    continues = piece.startswith(prefix) and len(piece) > len(prefix)
    return _utf8(piece.removeprefix(prefix) if continues else f" {piece}")


def _from_suffix(piece: str, suffix: str) -> bytes:
    return _utf8(f"{piece.removesuffix(suffix)} " if piece.endswith(suffix) else piece)
