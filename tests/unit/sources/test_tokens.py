"""Token bytes: joined, they are the text; special tokens have none; nothing is decoded alone."""

from __future__ import annotations

import json
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers import models as kinds

from atlas.errors import InputError
from atlas.sources.tokens import TokenBytes, byte_alphabet
from tests.support import models
from tests.support.requirements import shared_folder

UNKNOWN = "<unk>"
NASTY = [
    "",
    " ",
    "\n\n\t  \r\n",
    "a\x00b\x7f\x1b[31m",
    "日本語テキスト",
    "👩‍👩‍👧‍👦 🏳️‍🌈",
    "\u202eevil\u202c \u200b\u200d\ufeff",
    "e\u0301 vs \xe9, \ufb01 ligature",
    "\U0010ffff\ufffe",
    "ÿ\x80\x9f\xa0",
    "<script>alert(1)</script>",
    "a▁b",
    "I'll  we've 100,000",
]

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=60) | st.sampled_from(NASTY)


@lru_cache
def byte_level() -> TokenBytes:
    return TokenBytes(models.byte_tokenizer(), bos_token_id=0, eos_token_id=0)


@lru_cache
def sentencepiece(prefix: str = "prepend") -> TokenBytes:
    """A byte-fallback BPE over a few characters, spelt as Llama's; `prefix` says how spaces are made."""
    vocabulary = {UNKNOWN: 0, "<s>": 1, "</s>": 2}
    vocabulary |= {f"<0x{byte:02X}>": 3 + byte for byte in range(256)}
    for piece in ("▁", "t", "h", "e", "th", "the", "▁the", "é", "▁▁"):
        vocabulary.setdefault(piece, len(vocabulary))
    merges = [("t", "h"), ("th", "e"), ("▁", "the"), ("▁", "▁")]
    tokenizer = Tokenizer(kinds.BPE(vocabulary, merges, unk_token=UNKNOWN, byte_fallback=True, fuse_unk=True))
    replace = normalizers.Replace(" ", "▁")
    if prefix == "metaspace":
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never", split=False)
        tokenizer.decoder = decoders.Metaspace(prepend_scheme="never", split=False)
    else:
        prepend = [normalizers.Prepend("▁")] if prefix == "prepend" else []
        tokenizer.normalizer = normalizers.Sequence([*prepend, replace])
        tokenizer.decoder = decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
        )
    tokenizer.add_special_tokens([UNKNOWN, "<s>", "</s>"])
    return TokenBytes(tokenizer, bos_token_id=1, eos_token_id=2)


def joined(tokens: TokenBytes, text: str) -> bytes:
    vocabulary = tokens.vocabulary()
    return b"".join(vocabulary[idx][0] for idx in tokens.encode(text))


# --- byte-level ----------------------------------------------------------------------------------


def test_the_byte_alphabet_is_gpt2s():
    alphabet = byte_alphabet()
    assert sorted(alphabet.values()) == list(range(256))
    assert alphabet["A"] == 0x41
    assert alphabet["Ġ"] == 0x20
    assert alphabet["Ċ"] == 0x0A
    assert alphabet["ł"] == 0xA0
    assert set(alphabet) == set(pre_tokenizers.ByteLevel.alphabet())


@given(texts)
def test_byte_level_tokens_join_to_the_text(text: str):
    assert joined(byte_level(), text) == text.encode()


def test_every_byte_is_a_token_and_only_that_byte():
    pieces = {content for content, special, _ in byte_level().vocabulary() if not special}
    assert {bytes([value]) for value in range(256)} <= pieces


def test_characters_are_cut_into_bytes_that_do_not_decode_alone():
    tokens = byte_level()
    pieces = [tokens.vocabulary()[idx][0] for idx in tokens.encode("🦊")]
    assert len(pieces) > 1
    assert b"".join(pieces) == "🦊".encode()


def test_a_special_token_in_the_text_is_that_token():
    tokens = byte_level()
    assert tokens.encode(f"a{models.END_OF_TEXT}b")[1] == 0
    assert tokens.vocabulary()[0] == (b"", True, models.END_OF_TEXT)


def test_batches_are_the_same_as_single_texts():
    tokens = byte_level()
    assert tokens.encode_batch(NASTY) == [tokens.encode(text) for text in NASTY]
    assert tokens.encode_batch([]) == []


@pytest.mark.parametrize("name", ["gpt2_tokenizer.json", "neox20B_tokenizer.json"])
def test_real_byte_level_tokenizers_join_to_the_text(shared_dir: Path, name: str):
    tokens = TokenBytes.from_file(shared_dir / "data/tokenizers" / name)
    vocabulary = tokens.vocabulary()
    strings = [*NASTY, *json.loads((shared_dir / "data/nasty/blns_even.json").read_text(encoding="utf-8"))]
    assert tokens.is_exact
    for text in strings:
        ids = tokens.encode(text)
        shown = unicodedata.normalize("NFC", text) if name.startswith("neox") else text
        assert b"".join(vocabulary[idx][0] for idx in ids) == shown.encode(), text


def test_the_gpt2_tokens_are_those_of_its_authors(shared_dir: Path):
    """Against tiktoken's own list of (bytes, rank), made by OpenAI."""
    import base64

    tokens = TokenBytes.from_file(shared_dir / "data/tokenizers/gpt2_tokenizer.json")
    lines = (shared_dir / "data/tokenizers/r50k_base.tiktoken").read_text().splitlines()
    ranked = {int(line.split()[1]): base64.b64decode(line.split()[0]) for line in lines}
    vocabulary = tokens.vocabulary()
    assert len(vocabulary) == 50257
    assert {idx: vocabulary[idx][0] for idx in ranked} == ranked
    assert vocabulary[50256] == (b"", True, "<|endoftext|>")


def test_added_tokens_that_are_text_keep_it(shared_dir: Path):
    """GPT-NeoX adds runs of spaces, spelt as they are, not in the byte alphabet."""
    tokens = TokenBytes.from_file(shared_dir / "data/tokenizers/neox20B_tokenizer.json")
    vocabulary = tokens.vocabulary()
    assert vocabulary[50254] == (b" " * 24, False, " " * 24)
    assert {0, 1} <= tokens.special_ids
    assert 50254 not in tokens.special_ids
    assert joined(tokens, "x" + " " * 24 + "y") == b"x" + b" " * 24 + b"y"


# --- SentencePiece-style -------------------------------------------------------------------------


@given(texts)
@example("▁")
def test_byte_fallback_tokens_join_to_the_text_after_a_space(text: str):
    # Documented: the space in front, and a literal U+2581, which such a tokenizer takes for a space.
    expected = f" {text}" if text else ""
    assert joined(sentencepiece(), text) == expected.replace("▁", " ").encode()


@given(texts)
def test_without_a_prefix_they_join_to_the_text_itself(text: str):
    for prefix in ("none", "metaspace"):
        assert joined(sentencepiece(prefix), text) == text.replace("▁", " ").encode()


def test_byte_pieces_are_bytes():
    tokens = sentencepiece()
    assert tokens.vocabulary()[3 + 0xE6] == (b"\xe6", False, "<0xE6>")
    assert tokens.is_exact


def test_a_byte_piece_is_text_where_there_is_no_byte_fallback():
    tokenizer = Tokenizer(kinds.BPE({"<0xE6>": 0, "▁a": 1}, []))
    tokenizer.decoder = decoders.Metaspace()
    tokens = TokenBytes(tokenizer)
    assert tokens.vocabulary()[0][0] == b"<0xE6>"
    assert tokens.vocabulary()[1][0] == b" a"
    assert not tokens.is_exact


def test_stories260k_joins_to_the_text(shared_dir: Path):
    folder = shared_dir / "data/models/stories260K-hf"
    tokens = TokenBytes.from_file(folder / "tokenizer.json", bos_token_id=1, eos_token_id=2)
    vocabulary = tokens.vocabulary()
    stories = json.loads((shared_dir / "data/corpora/tinystories_1000.json").read_text(encoding="utf-8"))[:50]
    nasty = json.loads((shared_dir / "data/nasty/blns_even.json").read_text(encoding="utf-8"))
    for text in [*stories, *nasty, *NASTY]:
        if "<s>" in text or "</s>" in text:
            continue
        expected = f" {text}".replace("▁", " ") if text else ""
        assert b"".join(vocabulary[idx][0] for idx in tokens.encode(text)) == expected.encode(), text
    assert [vocabulary[idx][1] for idx in range(4)] == [True, True, True, False]


# --- other kinds ---------------------------------------------------------------------------------


def test_wordpiece_shows_the_space_before_a_word():
    vocabulary = {UNKNOWN: 0, "[CLS]": 1, "play": 2, "##ing": 3, "##": 4, "!": 5}
    tokenizer = Tokenizer(kinds.WordPiece(vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens([UNKNOWN, "[CLS]"])
    tokens = TokenBytes(tokenizer)
    assert joined(tokens, "playing !") == b" playing !"
    assert tokens.vocabulary()[4][0] == b" ##"
    assert tokens.vocabulary()[1] == (b"", True, "[CLS]")
    assert not tokens.is_exact


def test_an_end_of_word_suffix_is_the_space_after_it():
    tokenizer = Tokenizer(kinds.BPE({"a</w>": 0, "a": 1, "b": 2}, [], end_of_word_suffix="</w>"))
    tokenizer.decoder = decoders.BPEDecoder(suffix="</w>")
    assert [content for content, _, _ in TokenBytes(tokenizer).vocabulary()] == [b"a ", b"a", b"b"]


def test_a_plain_vocabulary_is_its_spelling(shared_dir: Path):
    tokens = TokenBytes.from_file(shared_dir / "data/models/nano-sort-hf/tokenizer.json")
    assert tokens.vocabulary() == [(b"A", False, "A"), (b"B", False, "B"), (b"C", False, "C")]
    assert tokens.encode("ABC") == [0, 1, 2]
    assert tokens.bos_token_id is None
    assert tokens.special_ids == frozenset()


# --- the rest of the interface -------------------------------------------------------------------


def test_the_vocabulary_has_a_place_for_every_row_of_the_model():
    tokens = TokenBytes(models.byte_tokenizer(), size=models.MODEL_VOCABULARY)
    vocabulary = tokens.vocabulary()
    assert tokens.tokenizer_size == models.TOKENIZER_SIZE
    assert tokens.vocabulary_size == len(vocabulary) == models.MODEL_VOCABULARY
    assert vocabulary[303] == (b"", True, "<unused 303>")
    assert 303 not in tokens.special_ids


def test_a_hole_in_the_ids_is_unused():
    tokens = TokenBytes(Tokenizer(kinds.WordLevel({UNKNOWN: 0, "b": 3}, unk_token=UNKNOWN)))
    assert tokens.vocabulary()[1:3] == [(b"", True, "<unused 1>"), (b"", True, "<unused 2>")]


def test_an_empty_tokenizer_has_no_vocabulary():
    tokens = TokenBytes(Tokenizer(kinds.BPE()))
    assert tokens.vocabulary() == []
    assert tokens.vocabulary_size == 0


def test_special_ids_may_be_given():
    tokens = TokenBytes(models.byte_tokenizer(), special_ids=[7], bos_token_id=8, eos_token_id=9)
    assert tokens.special_ids == {0, 7, 8, 9}
    assert [tokens.vocabulary()[idx][:2] for idx in (0, 7, 8, 9)] == [(b"", True)] * 4


def test_the_hash_is_of_the_tokenizer_not_of_its_file(tmp_path: Path):
    tokens = byte_level()
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(json.loads(models.byte_tokenizer().to_str()), indent=4, sort_keys=True))
    assert TokenBytes.from_file(path).sha256 == tokens.sha256
    changed = Tokenizer.from_str(models.byte_tokenizer().to_str())
    changed.add_tokens(["surprise"])
    assert TokenBytes(changed).sha256 != tokens.sha256


def test_truncation_and_padding_of_the_owner_are_neither_used_nor_changed():
    owned = Tokenizer.from_str(models.byte_tokenizer().to_str())
    owned.enable_truncation(3)
    owned.enable_padding(length=50)
    tokens = TokenBytes(owned)
    text = "The quick brown fox jumps over the lazy dog"
    assert joined(tokens, text) == text.encode()
    assert tokens.sha256 == byte_level().sha256
    assert len(owned.encode(text).ids) == 50


def test_a_template_of_special_tokens_is_not_applied():
    from tokenizers.processors import TemplateProcessing

    owned = Tokenizer.from_str(models.byte_tokenizer().to_str())
    owned.post_processor = TemplateProcessing(
        single=f"{models.END_OF_TEXT} $A", special_tokens=[(models.END_OF_TEXT, 0)]
    )
    assert TokenBytes(owned).encode("abc") == byte_level().encode("abc")


def test_added_text_tokens_count_as_text():
    owned = Tokenizer.from_str(models.byte_tokenizer().to_str())
    owned.add_tokens([AddedToken("日本", normalized=False)])
    tokens = TokenBytes(owned)
    assert tokens.vocabulary()[300] == ("日本".encode(), False, "日本")
    assert joined(tokens, "a日本b") == "a日本b".encode()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": "1.0"}', "\x00"])
def test_a_broken_file_is_an_input_error(tmp_path: Path, content: str):
    path = tmp_path / "tokenizer.json"
    path.write_text(content)
    with pytest.raises(InputError, match="not a readable tokenizer") as caught:
        TokenBytes.from_file(path)
    assert caught.value.where == str(path)


def test_a_missing_file_is_an_input_error(tmp_path: Path):
    with pytest.raises(InputError):
        TokenBytes.from_file(tmp_path / "none.json")


class TestLongTexts:
    """`encode_lazily` cuts a long text where a byte-level tokenizer cuts anyway."""

    @pytest.fixture(autouse=True)
    def small_segments(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("atlas.sources.tokens._SEGMENT", 40)

    @given(st.lists(st.text("ab ,.\n\t日", max_size=30), max_size=12).map("\n".join))
    @example("a" * 500)
    @example("\n" * 200)
    def test_the_segments_are_the_whole(self, text: str):
        tokens = byte_level()
        segments = list(tokens.encode_lazily(text))
        assert [idx for segment in segments for idx in segment] == tokens.encode(text)

    def test_segments_are_encoded_when_asked_for(self, monkeypatch: pytest.MonkeyPatch):
        tokens = TokenBytes(models.byte_tokenizer())
        asked: list[int] = []
        encode = tokens.encode

        def counting(text: str) -> list[int]:
            asked.append(len(text))
            return encode(text)

        monkeypatch.setattr(tokens, "encode", counting)
        segments = tokens.encode_lazily("word\n" * 1000)
        next(segments)
        assert asked == [45]

    def test_real_code_through_real_tokenizers(self):
        folder = shared_folder()
        files: list[Any] = [models.byte_tokenizer()]
        if folder is not None:
            files.append(Tokenizer.from_file(str(folder / "data/tokenizers/neox20B_tokenizer.json")))
        source = Path(json.__file__).read_text(encoding="utf-8")
        for tokenizer in files:
            tokens = TokenBytes(tokenizer)
            segments = list(tokens.encode_lazily(source))
            assert len(segments) > 5
            assert [idx for segment in segments for idx in segment] == tokens.encode(source)
